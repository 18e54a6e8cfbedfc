package lead

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	growth "github.com/zakibelm/astrogrowth"
)

// Explanation is an automated score in sentences for the person whom it is about: what was decided and how, with which
// data, for which reasons, and who looks at it when that person disagrees.
type Explanation struct {
	Notice      string   `json:"notice"`
	DataUsed    []string `json:"data_used"`
	MainFactors []string `json:"main_factors"`
	Rights      string   `json:"rights"`
	Reviewer    string   `json:"reviewer"`
}

// Explain puts a lead's newest automated score into words, in French for "fr…", else in English. r is the rubric in the
// version that scored; without its criteria, when it is there no more, they go by their names. reviewer is who answers
// to observations; an empty one is the team that runs the workspace.
func Explain(r Rubric, l growth.Lead, q growth.Qualification, reviewer, language string) Explanation {
	w := words{r.In(language), language}
	if reviewer == "" {
		reviewer = w.say("the team that runs this workspace", "l'équipe responsable de cet espace de travail")
	}
	return Explanation{
		Notice: w.notice(q), DataUsed: w.data(r, l, q), MainFactors: w.factors(l, q),
		Rights: w.say("You may ask for the data above, have it corrected, send observations, and ask that a person look at the score again.",
			"Vous pouvez obtenir les renseignements ci-dessus, les faire rectifier, présenter vos observations et demander qu'une personne réexamine la note."),
		Reviewer: w.say("Observations are read by: ", "Vos observations sont lues par\u00a0: ") + reviewer,
	}
}

// words writes in one language.
type words struct {
	rubric   Rubric
	language string
}

func (w words) say(en, fr string) string { return Text{EN: en, FR: fr}.In(w.language) }

func (w words) notice(q growth.Qualification) string {
	score := fmt.Sprintf(w.say("The score is %d of 100 (fit %d, intent %d), priority %s, rubric %s. ",
		"La note est de %d sur 100 (adéquation %d, intention %d), priorité %s, grille %s. "),
		q.Score, q.Fit, q.Intent, w.priority(q.Priority), q.Rubric)
	if q.ScoredBy == growth.ScoredByRules {
		return score + w.say("It was computed automatically, by fixed rules, without a language model.",
			"Elle a été calculée automatiquement, par des règles fixes, sans modèle de langage.")
	}
	return score + fmt.Sprintf(w.say(
		"It was computed automatically: a language model (%s) looked for passages in the data, the program checked that each stands there, and added up the points of the rubric.",
		"Elle a été calculée automatiquement\u00a0: un modèle de langage (%s) a relevé des passages dans les renseignements, le programme a vérifié que chacun s'y trouve et a additionné les points de la grille."), q.Model)
}

func (w words) priority(p string) string {
	switch p {
	case "high":
		return w.say("high", "élevée")
	case "medium":
		return w.say("medium", "moyenne")
	}
	return w.say("low", "faible")
}

// data lists what the score could rest on: fields with their values, and private ones as what they are.
func (w words) data(r Rubric, l growth.Lead, q growth.Qualification) []string {
	view, secrets := View(r, l)
	used := map[string]bool{}
	for _, x := range q.Reasons {
		if x.Verified {
			used[x.Field] = true
		}
	}
	var out []string
	for _, field := range slices.Sorted(maps.Keys(view)) {
		line := field + w.say(": ", "\u00a0: ") + secrets.Restore(view[field])
		if privateFields[field] != "" {
			line += w.say(" (not shown to any model)", " (montré à aucun modèle)")
		}
		if used[field] {
			line += w.say(" — counted", " — compté")
		}
		out = append(out, line)
	}
	return out
}

// factors lists the criteria by how much they moved the score: first those that earned most, then what was missing.
func (w words) factors(l growth.Lead, q growth.Qualification) []string {
	if len(q.Disqualifiers) > 0 {
		if gates := Gates(w.rubric, l); len(gates) == len(q.Disqualifiers) { // the same, in this language
			return gates
		}
		return slices.Clone(q.Disqualifiers)
	}
	reasons := slices.Clone(q.Reasons)
	slices.SortStableFunc(reasons, func(a, b growth.Reason) int { return cmp.Compare(b.Points, a.Points) })
	out := make([]string, 0, len(reasons))
	for _, x := range reasons {
		question := x.Criterion
		if c, ok := w.rubric.criterion(x.Criterion); ok {
			question = c.Question.In(w.language)
		}
		points := fmt.Sprintf(w.say("%v of %v points", "%v points sur %v"), round1(x.Points), round1(x.MaxPoints))
		switch {
		case x.Verified:
			out = append(out, question+" "+points+w.say(", because of “", ", en raison de «\u00a0")+x.Quote+w.say("”", "\u00a0»")+" ("+x.Field+")")
		default:
			out = append(out, question+" "+points+w.say(": nothing in the data proves it", "\u00a0: rien dans les renseignements ne l'établit"))
		}
	}
	return out
}

func round1(f float64) float64 { return math.Round(10*f) / 10 }
