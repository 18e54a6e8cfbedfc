package simulator

// careless is a model that writes what nobody asked for: the fault "careless" puts it in the place of the sober one when
// a post is to be written or revised. The hint says which mistake it makes, the message gives the words for it.
type careless struct {
	*writing
	mistake string
	words   string
}

// spoils gives the careless reading of a task, or the task itself when no post is to be written.
func spoils(t task, p FaultParams) task {
	w, ok := t.(*writing)
	if !ok {
		return t
	}
	return &careless{writing: w, mistake: p.Hint, words: p.Message}
}

func (c *careless) perform() any {
	post, ok := c.writing.perform().(map[string]any)
	if !ok {
		return post
	}
	body, _ := post["body"].(string)
	if c.mistake == HintCopy {
		post["body"] = c.words
		return post
	}
	post["body"] = body + "\n\n" + c.say()
	return post
}

// say is the sentence that should not be there.
func (c *careless) say() string {
	fr := c.french()
	pick := func(french, english string) string {
		switch {
		case c.words != "":
			return c.words
		case fr:
			return french
		}
		return english
	}
	switch c.mistake {
	case HintNumber:
		return pick("Déjà 9\u00a0417 personnes nous ont choisis depuis 1987.", "Already 9,417 people have chosen us since 1987.")
	case HintPlaceholder:
		return pick("Communiquez avec [Votre nom] dès aujourd’hui.", "Contact [Your name] today.")
	case HintForeign: // the language that was not asked for
		if fr {
			return "Come and see us this week, we will be there for you and your whole team."
		}
		return "Venez nous voir cette semaine, nous serons là pour vous et pour toute votre équipe."
	case HintApology:
		return pick("En tant que modèle de langage, je ne peux pas en dire plus.", "As an AI language model, I cannot say more.")
	}
	return pick("Résultats garantis pour tout le monde.", "Guaranteed results for everybody.")
}
