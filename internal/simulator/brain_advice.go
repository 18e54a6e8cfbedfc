package simulator

import (
	"regexp"
	"strings"
)

var troubleWords = []string{
	"problem", "problemes", "issue", "lack", "lacks", "need", "needs", "slow", "difficult", "difficulty", "struggle", "struggling",
	"time", "busy", "losing", "lost", "overwhelmed", "outdated", "complaint", "empty", "cancel", "late", "help",
	"besoin", "manque", "temps", "difficile", "perdre", "perdons", "retard", "deborde", "plainte", "vide", "annule", "vieux", "aide", "doit", "doivent",
}

// freeText says whether a field holds sentences rather than a name or a number.
func (f field) freeText() bool {
	switch f.path {
	case "notes", "message", "description":
		return true
	}
	return strings.HasPrefix(f.path, "extra.") && len(f.value) > 30
}

const maxPainPoints = 5

// painPoints are the clauses of the lead's own text that speak of trouble, each as it was written.
func (q *qualification) painPoints() []any {
	out := []any{}
	trouble := []string{}
	for _, w := range troubleWords {
		trouble = append(trouble, stem(w))
	}
	for _, f := range q.lead {
		if !f.freeText() {
			continue
		}
		for _, c := range f.clauses {
			if len(c.words) < 3 || len(out) == maxPainPoints || !speaksOf(c, trouble) {
				continue
			}
			out = append(out, f.phrase(c, 0, len(c.words)-1))
		}
	}
	return out
}

func speaksOf(c clause, list []string) bool {
	for _, w := range c.words {
		if w.content() && holds(list, w.stem) {
			return true
		}
	}
	return false
}

// missing names the fields that would help and are not there.
func (q *qualification) missing() []any {
	out := []any{}
	for _, name := range []string{"business_type", "city", "website", "google_rating", "notes"} {
		if q.value(name) == "" {
			out = append(out, name)
		}
	}
	return out
}

func (q *qualification) value(path string) string {
	for _, f := range q.lead {
		if f.path == path {
			return f.value
		}
	}
	return ""
}

// nextAction follows from what is known and how the lead can be reached.
func (q *qualification) nextAction(known []finding) string {
	for _, f := range q.lead {
		for _, c := range f.clauses {
			if len(c.words) <= 2 && speaksOf(c, []string{"closed"}) {
				return "disqualify"
			}
		}
	}
	half := len(known)*2 >= len(q.Criteria)
	switch {
	case len(known) == 0:
		return "research"
	case half && q.value("phone") != "":
		return "call"
	case half && q.value("email") != "":
		return "email"
	case half:
		return "research"
	}
	return "nurture"
}

var (
	frenchAsked  = regexp.MustCompile(`(?i)\b(?:in|en) (?:french|français|fr\b|fr-)`)
	englishAsked = regexp.MustCompile(`(?i)\b(?:in|en) (?:english|anglais|en\b|en-)`)
)

// inFrench says which language to write in: the one that the prompt asks for, else the lead's.
func (q *qualification) inFrench(system string) bool {
	rules, _, _ := strings.Cut(system, "```")
	switch {
	case frenchAsked.MatchString(rules):
		return true
	case englishAsked.MatchString(rules):
		return false
	}
	return isFrench(q.value("notes") + " " + q.ICP + " " + q.value("business_type"))
}

// approach is a sentence about how to begin. It names no person, no address and no link.
func (q *qualification) approach(known []finding) string {
	kind, city, quote := q.value("business_type"), q.value("city"), ""
	for _, f := range known {
		if f.field == "notes" || strings.HasPrefix(f.field, "extra.") {
			quote = strings.ReplaceAll(f.quote, `"`, "")
			break
		}
	}
	kind, city = clip(kind, 80), clip(city, 80)
	if q.french {
		begin := "Aborder ce commerce" + ifSet(" (", kind, ")") + ifSet(" à ", city, "")
		if quote != "" {
			return begin + " en partant de ses propres mots\u00a0: «\u00a0" + quote + "\u00a0»."
		}
		return begin + " par une question sur ce qui l’occupe en ce moment, avant de proposer quoi que ce soit."
	}
	begin := "Approach this business" + ifSet(" (", kind, ")") + ifSet(" in ", city, "")
	if quote != "" {
		return begin + ` starting from its own words: "` + quote + `".`
	}
	return begin + " with a question about what keeps it busy now, before offering anything."
}
