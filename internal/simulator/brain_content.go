package simulator

import (
	"strings"
	"unicode/utf8"
)

const (
	shortest = 430  // characters; shorter posts say too little
	longest  = 1180 // and longer ones are not read to the end
)

// compose writes a post out of the brief's words: a hook, what the brief says, whom it is for, a thought, an invitation.
func (w *writing) compose(faults faultsOf) draft {
	limit := longest
	if m := w.house.Rules.MaxChars; m > 0 {
		limit = min(limit, m)
	}
	if faults.tooLong {
		limit = min(limit, 650)
	}
	turn := w.turn(faults)
	var paragraphs []string
	add := func(candidates ...string) {
		for i := range candidates {
			p := candidates[(i+turn)%len(candidates)]
			if p == "" || w.forbidden(p, faults) || length(paragraphs, p) > limit {
				continue
			}
			paragraphs = append(paragraphs, p)
			return
		}
	}
	closing := w.invitation(faults, turn)
	limit -= utf8.RuneCountInString(closing) + 2
	add(w.hooks()...)
	add(w.substance(faults, limit/2))
	add(w.addressed()...)
	for i := 0; i < len(w.thoughts()) && length(paragraphs, closing) < shortest; i++ {
		add(w.thoughts()[(i+turn)%len(w.thoughts())])
	}
	if closing != "" {
		paragraphs = append(paragraphs, closing)
	}
	return draft{
		Title: w.title(faults), Body: strings.Join(paragraphs, "\n\n"), Hashtags: w.hashtags(faults), ImagePrompt: w.imagePrompt(),
	}
}

// turn makes variants, subjects and rewritings begin with different words.
func (w *writing) turn(faults faultsOf) int {
	turn := w.brief.Variant + spread(w.brief.Topic+w.brief.business("business_name"))%97
	if faults.rewrite {
		turn += 2
	}
	return max(turn, 0)
}

func length(paragraphs []string, next string) int {
	n := utf8.RuneCountInString(next)
	for _, p := range paragraphs {
		n += utf8.RuneCountInString(p) + 2
	}
	return n
}

func (w *writing) title(faults faultsOf) string {
	t := capital(w.brief.subject())
	if name := w.brief.business("business_name"); name != "" && utf8.RuneCountInString(t+name) < 80 && !strings.Contains(fold(t), fold(name)) {
		t += map[bool]string{true: "\u00a0: ", false: ": "}[w.french()] + name
	}
	if w.forbidden(t, faults) {
		return w.brief.business("business_name")
	}
	return t
}

// hooks open the post; they name the subject and claim nothing.
func (w *writing) hooks() []string {
	subject, name := capital(w.brief.subject()), orText(w.brief.business("business_name"), w.house.Brand.Name)
	if w.french() {
		if name == "" {
			return []string{
				subject + ". Voilà une idée qui mérite qu’on s’y arrête.", "Parlons d’un sujet qui nous tient à cœur\u00a0: " + w.brief.subject() + ".",
				"On en parle autour de la table\u00a0: " + w.brief.subject() + ".", "Une question simple pour commencer la journée. Que change ceci pour vous\u00a0: " + w.brief.subject() + ".",
			}
		}
		return []string{
			subject + ". " + chez(name) + ", on avait envie de vous en parler.", "Parlons franchement d’un sujet qui compte pour " + name + "\u00a0: " + w.brief.subject() + ".",
			chez(name) + ", une idée revient souvent autour de la table\u00a0: " + w.brief.subject() + ".", "Un mot de l’équipe de " + name + "\u00a0: " + w.brief.subject() + ".",
		}
	}
	if name == "" {
		return []string{
			subject + ". An idea worth a moment of your time.", "Let us talk about something that matters: " + w.brief.subject() + ".",
			"It keeps coming up around the table: " + w.brief.subject() + ".", "A simple thought to start the day: " + w.brief.subject() + ".",
		}
	}
	return []string{
		subject + ". At " + name + ", we wanted to tell you about it.", "Let us speak plainly about something that matters at " + name + ": " + w.brief.subject() + ".",
		"At " + name + ", one idea keeps coming up around the table: " + w.brief.subject() + ".", "A word from the team at " + name + ": " + w.brief.subject() + ".",
	}
}

// chez does not say the word twice to those whose name begins with it.
func chez(name string) string {
	if strings.HasPrefix(fold(name), "chez ") {
		return name
	}
	return "Chez " + name
}

// substance is what the brief itself says, sentence by sentence, as far as it is in the post's language.
func (w *writing) substance(faults faultsOf, limit int) string {
	var kept []string
	said := stems(w.brief.subject())
	for _, s := range sentences(w.brief.Brief) {
		own := stems(s)
		foreign := isFrench(s) && !w.french() || isEnglish(s) && w.french()
		known := len(own) > 0 && overlap(own, said) == len(own)
		if foreign || known || w.forbidden(s, faults) || length(kept, s) > limit {
			continue
		}
		kept = append(kept, closed(capital(s)))
	}
	for _, c := range w.house.Brand.Claims {
		foreign := isFrench(c.Text) && !w.french() || isEnglish(c.Text) && w.french()
		if len(kept) < 4 && !foreign && !strings.ContainsAny(c.Text, "0123456789") && !w.forbidden(c.Text, faults) && c.Text != "" && length(kept, c.Text) <= limit {
			kept = append(kept, closed(capital(c.Text)))
			break
		}
	}
	return strings.Join(kept, " ")
}

// addressed says where and for whom.
func (w *writing) addressed() []string {
	city, kind, audience := w.brief.business("city"), w.brief.business("business_type"), strings.TrimRight(w.brief.Audience, " .")
	fr := w.french()
	if (isEnglish(audience) && fr) || (isFrench(audience) && !fr) {
		audience = ""
	}
	switch {
	case fr && audience != "" && city != "":
		return []string{"Pour qui\u00a0: " + audience + ", à " + city + " et dans les environs.", "À " + city + ", nous pensons d’abord à vous\u00a0: " + audience + "."}
	case fr && audience != "":
		return []string{"Pour qui\u00a0: " + audience + ".", "Nous l’écrivons en pensant à vous\u00a0: " + audience + "."}
	case fr && city != "":
		return []string{"C’est à " + city + " que cette histoire se vit, avec les gens du quartier.", "À " + city + ", les bonnes idées se partagent de bouche à oreille."}
	case fr:
		return []string{"Chaque métier a ses habitudes, et elles s’apprennent en parlant avec les gens." + ifSet(" Le nôtre\u00a0: ", kind, ".")}
	case audience != "" && city != "":
		return []string{"Who it is for: " + audience + ", in " + city + " and around.", "In " + city + ", we have you in mind: " + audience + "."}
	case audience != "":
		return []string{"Who it is for: " + audience + ".", "We write this with you in mind: " + audience + "."}
	case city != "":
		return []string{"This story lives in " + city + ", with the people of the neighbourhood.", "In " + city + ", good ideas travel by word of mouth."}
	}
	return []string{"Every trade has its habits, and they are learnt by talking with people." + ifSet(" Ours: ", kind, ".")}
}

func ifSet(before, s, after string) string {
	if s == "" {
		return ""
	}
	return before + s + after
}

// thoughts fill a post up to a length that can stand alone; they are opinions, not facts.
func (w *writing) thoughts() []string {
	if w.french() {
		return []string{
			"Ce qui compte à nos yeux, c’est d’écouter d’abord, puis d’agir simplement, une étape à la fois.",
			"Derrière chaque projet, il y a des gens qui se parlent, qui essaient et qui apprennent ensemble.",
			"On aime les choses bien faites, expliquées avec des mots clairs et sans détour.",
			"Les petites attentions font souvent plus de chemin que les grandes promesses.",
			"Si le sujet vous parle, gardez ce billet sous la main ou partagez-le avec quelqu’un à qui il servira.",
			"Prendre le temps d’en discuter, c’est déjà avancer.",
		}
	}
	return []string{
		"What matters to us is to listen first and then to act simply, one step at a time.",
		"Behind every project there are people who talk, who try and who learn together.",
		"We like things that are done well and explained in plain words.",
		"Small acts of care often go further than big promises.",
		"If this speaks to you, keep it at hand or share it with somebody who will find it useful.",
		"Taking the time to talk about it is already a step forward.",
	}
}

// invitation is the call to action with its link.
func (w *writing) invitation(faults faultsOf, turn int) string {
	cta := strings.TrimSpace(w.brief.CTA)
	if cta != "" && ((isEnglish(cta) && w.french()) || (isFrench(cta) && !w.french()) || w.forbidden(cta, faults)) {
		cta = ""
	}
	if cta == "" {
		choices := w.closings()
		for i := range choices {
			if c := choices[(turn+i)%len(choices)]; !w.forbidden(c, faults) {
				cta = c
				break
			}
		}
	}
	cta = closed(capital(cta))
	if w.brief.Link != "" && !strings.Contains(cta, w.brief.Link) {
		cta += "\n" + w.brief.Link
	}
	return cta
}

func (w *writing) closings() []string {
	warm := overlap(stems(w.brief.Tone), []string{"warm", "friendly", "chaleureux", "amical", "fun", "leger", "convivial"}) > 0
	switch {
	case w.french() && warm:
		return []string{"Écrivez-nous, on en jasera avec plaisir.", "Passez nous voir, la conversation est ouverte.", "Dites-nous ce que vous en pensez dans les commentaires."}
	case w.french():
		return []string{"Écrivez-nous pour en discuter.", "Dites-nous ce que vous en pensez dans les commentaires.", "Communiquez avec nous pour en savoir plus."}
	case warm:
		return []string{"Drop us a line, we would love to talk.", "Come and see us, the conversation is open.", "Tell us what you think in the comments."}
	}
	return []string{"Write to us to talk about it.", "Tell us what you think in the comments.", "Get in touch to learn more."}
}
