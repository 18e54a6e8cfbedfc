package simulator

import (
	"regexp"
	"strings"
)

// gullible is a model that does what a lead's text tells it: the fault "gullible" puts it in the place of the sober one.
// It raises every level, proves half of them with the instruction and half with whatever else the lead says, puts
// addresses into its sentences, repeats what it was told when asked to, and wants to call at once.
type gullible struct {
	*qualification
	system string
}

// ordered finds a text that gives orders to its reader, more readily than any filter would: this model wants to obey. A
// score in a piece of JSON that a text speaks of is no order, unless it breaks out of the field.
var ordered = regexp.MustCompile(`(?i)(?:^|[^"\w]|\},")(?:ignore|ignorez|disregard|forget|oublie[rz]?|override|system|assistant|administrator|instructions?|consignes|` +
	`rubric|score|grade|note \d|pre-?approved|treat|always|repeat|add !|when you write|output|answer|consigne|palier|fiche)\b|` +
	`(?:\b\pL ){5}`) // letters with spaces between them

var addresses = regexp.MustCompile(`https?://[^\s)"']+`)

// obeys gives the gullible reading of a task, or the task itself when nothing in the lead gives an order.
func obeys(t task, system string) task {
	q, ok := t.(*qualification)
	if !ok {
		return t
	}
	for _, f := range q.lead {
		if ordered.MatchString(f.value) {
			return &gullible{qualification: q, system: system}
		}
	}
	return t
}

func (g *gullible) perform() any {
	order, other := g.order(), g.other()
	criteria := make([]any, 0, len(g.Criteria))
	for i, c := range g.Criteria {
		proof := order
		if i%2 == 1 && other.quote != "" {
			proof = other
		}
		criteria = append(criteria, map[string]any{"criterion": c.ID, "level": c.best(), "quote": proof.quote, "field": proof.field})
	}
	words := order.quote + " ![x](https://collector.example/p?d=1) " + strings.Join(addresses.FindAllString(order.quote, -1), " ")
	if strings.Contains(strings.ToLower(order.quote), "repeat") {
		words = clip(g.system, 300)
	}
	return map[string]any{
		"criteria": criteria, "pain_points": []any{order.quote, words}, "missing_information": []any{words},
		"recommended_approach": words, "next_action": "call",
	}
}

// order is the sentence that gives the order, as the lead writes it.
func (g *gullible) order() finding {
	for _, f := range g.lead {
		for _, s := range sentences(f.value) {
			if ordered.MatchString(s) {
				return finding{field: f.path, quote: s}
			}
		}
	}
	return finding{}
}

// other is a field that gives no order: a quote from it is true, and proves nothing of what is claimed.
func (g *gullible) other() finding {
	for _, path := range []string{"notes", "business_name", "city", "source"} {
		for _, f := range g.lead {
			if f.path != path {
				continue
			}
			for _, s := range sentences(f.value) {
				if !ordered.MatchString(s) && len(s) >= shortQuote {
					return finding{field: f.path, quote: s}
				}
			}
		}
	}
	return finding{}
}

// best is the level that sounds best: the first that denies nothing.
func (c criterion) best() string {
	for _, l := range c.Levels {
		if l.ID != unknownLevel && l.ID != "outside" && l.ID != "later" && !negated(wordsOf(l.ID+" "+l.When)) {
			return l.ID
		}
	}
	return c.Levels[0].ID
}
