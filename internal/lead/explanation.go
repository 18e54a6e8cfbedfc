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
	Data        []Datum  `json:"data" doc:"The same as data_used, in parts for programs"`
	MainFactors []string `json:"main_factors"`
	Factors     []Factor `json:"factors" doc:"The same as main_factors, in parts for programs; empty when the lead was disqualified"`
	Rights      string   `json:"rights"`
	Reviewer    string   `json:"reviewer"`
}

// Datum is one of the lead's fields that a score could rest on.
type Datum struct {
	Field   string `json:"field" example:"extra.size" doc:"As the API calls it, whatever the language"`
	Label   string `json:"label" doc:"As people call it"`
	Value   string `json:"value"`
	Hidden  bool   `json:"hidden" doc:"No model was shown it"`
	Counted bool   `json:"counted" doc:"A passage of it earned points, or could have"`
}

// Factor is one criterion with what it did to the score.
type Factor struct {
	Criterion string  `json:"criterion" doc:"Its id in the rubric"`
	Question  string  `json:"question"`
	Points    float64 `json:"points"`
	MaxPoints float64 `json:"max_points"`
	Quote     string  `json:"quote" doc:"The words that prove it; empty when nothing does"`
	Field     string  `json:"field" doc:"The field that the quote stands in, as the API calls it"`
	Label     string  `json:"label" doc:"As people call it"`
}

// Explain puts a lead's newest automated score into words, in French for "fr…", else in English. r is the rubric in the
// version that scored; without its criteria, when it is there no more, they go by their names. reviewer is who answers
// to observations; an empty one is the team that runs the workspace.
func Explain(r Rubric, l growth.Lead, q growth.Qualification, reviewer, language string) Explanation {
	w := words{r.In(language), language}
	if reviewer == "" {
		reviewer = w.say("the team that runs this workspace", "l'équipe responsable de cet espace de travail")
	}
	data, factors := w.data(r, l, q), w.factors(q)
	return Explanation{
		Notice: w.notice(q), Data: data, DataUsed: w.dataLines(data), Factors: factors, MainFactors: w.factorLines(l, q, factors),
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

// PriorityIn is a priority in words, in French for "fr…", else in English.
func PriorityIn(p, language string) string { return words{language: language}.priority(p) }

// ActionIn is a next action in words, likewise.
func ActionIn(action, language string) string {
	if text, ok := actionWords[action]; ok {
		return text.In(language)
	}
	return words{language: language}.say("not said", "non précisée")
}

var actionWords = map[string]Text{
	ActionCall:       {EN: "call", FR: "appeler"},
	ActionEmail:      {EN: "write an e-mail", FR: "écrire un courriel"},
	ActionNurture:    {EN: "keep in touch", FR: "entretenir le lien"},
	ActionResearch:   {EN: "find out more", FR: "se renseigner"},
	ActionDisqualify: {EN: "set aside", FR: "écarter"},
	ActionReview:     {EN: "have a person look", FR: "faire revoir par une personne"},
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
func (w words) data(r Rubric, l growth.Lead, q growth.Qualification) []Datum {
	view, secrets := View(r, l)
	used := map[string]bool{}
	for _, x := range q.Reasons {
		if x.Verified {
			used[x.Field] = true
		}
	}
	out := make([]Datum, 0, len(view))
	for _, field := range slices.Sorted(maps.Keys(view)) {
		out = append(out, Datum{
			Field: field, Label: Label(field, w.language), Value: secrets.Restore(view[field]),
			Hidden: privateFields[field] != "", Counted: used[field],
		})
	}
	return out
}

func (w words) dataLines(data []Datum) []string {
	out := make([]string, 0, len(data))
	for _, d := range data {
		line := d.Label + w.say(": ", "\u00a0: ") + d.Value
		if d.Hidden {
			line += w.say(" (not shown to any model)", " (montré à aucun modèle)")
		}
		if d.Counted {
			line += w.say(" — counted", " — compté")
		}
		out = append(out, line)
	}
	return out
}

// factors lists the criteria by how much they moved the score: first those that earned most, then what was missing.
func (w words) factors(q growth.Qualification) []Factor {
	out := make([]Factor, 0, len(q.Reasons))
	if len(q.Disqualifiers) > 0 {
		return out
	}
	reasons := slices.Clone(q.Reasons)
	slices.SortStableFunc(reasons, func(a, b growth.Reason) int { return cmp.Compare(b.Points, a.Points) })
	for _, x := range reasons {
		f := Factor{Criterion: x.Criterion, Question: x.Criterion, Points: round1(x.Points), MaxPoints: round1(x.MaxPoints)}
		if c, ok := w.rubric.criterion(x.Criterion); ok {
			f.Question = c.Question.In(w.language)
		}
		if x.Verified {
			f.Quote, f.Field, f.Label = x.Quote, x.Field, Label(x.Field, w.language)
		}
		out = append(out, f)
	}
	return out
}

func (w words) factorLines(l growth.Lead, q growth.Qualification, factors []Factor) []string {
	if len(q.Disqualifiers) > 0 {
		if gates := Gates(w.rubric, l); len(gates) == len(q.Disqualifiers) { // the same, in this language
			return gates
		}
		return slices.Clone(q.Disqualifiers)
	}
	out := make([]string, 0, len(factors))
	for _, f := range factors {
		line := f.Question + " " + fmt.Sprintf(w.say("%v of %v points", "%v points sur %v"), f.Points, f.MaxPoints)
		if f.Field == "" {
			out = append(out, line+w.say(": nothing in the data proves it", "\u00a0: rien dans les renseignements ne l'établit"))
			continue
		}
		out = append(out, line+w.say(", because of “", ", en raison de «\u00a0")+f.Quote+w.say("”", "\u00a0»")+" ("+f.Label+")")
	}
	return out
}

func round1(f float64) float64 { return math.Round(10*f) / 10 }
