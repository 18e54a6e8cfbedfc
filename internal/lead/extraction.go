package lead

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	growth "github.com/zakibelm/astrogrowth"
)

// Finding is what a reader found for one criterion: the level, and the words of a field that prove it.
type Finding struct {
	Criterion string `json:"criterion"`
	Level     string `json:"level"`
	Quote     string `json:"quote"`
	Field     string `json:"field"`
}

// Extraction is one reading of a lead, by a model or by the rubric's rules. It holds no points.
type Extraction struct {
	Criteria            []Finding `json:"criteria"`
	PainPoints          []string  `json:"pain_points"`
	MissingInformation  []string  `json:"missing_information"`
	RecommendedApproach string    `json:"recommended_approach"`
	NextAction          string    `json:"next_action"`
}

// The actions that can follow a qualification.
const (
	ActionCall       = "call"
	ActionEmail      = "email"
	ActionNurture    = "nurture"
	ActionResearch   = "research"
	ActionDisqualify = "disqualify"
	ActionReview     = "review"
)

var actions = []string{ActionCall, ActionEmail, ActionNurture, ActionResearch, ActionDisqualify, ActionReview}

// Decode reads a model's answer. Only its shape is checked; Check looks at what it says.
func Decode(answer string) (Extraction, error) {
	dec := json.NewDecoder(strings.NewReader(answer))
	dec.DisallowUnknownFields()
	var e Extraction
	if err := dec.Decode(&e); err != nil {
		return Extraction{}, growth.Errorf(growth.Malformed, "lead.Decode", "the answer is not the JSON that was asked for")
	}
	if dec.More() {
		return Extraction{}, growth.Errorf(growth.Malformed, "lead.Decode", "there is text behind the answer's JSON")
	}
	return e, nil
}

// Schema is the JSON Schema of the extraction that a model is asked for under this rubric.
func Schema(r Rubric) json.RawMessage {
	var criteria, levels []string
	for _, c := range r.Criteria {
		criteria = append(criteria, c.ID)
		for _, l := range c.Levels {
			if !slices.Contains(levels, l.Level) {
				levels = append(levels, l.Level)
			}
		}
	}
	levels = append(levels, Unknown)
	text := map[string]any{"type": "string"}
	texts := map[string]any{"type": "array", "items": text}
	closed := func(of []string) map[string]any { return map[string]any{"type": "string", "enum": of} }
	return mustJSON(object(map[string]any{
		"criteria": map[string]any{"type": "array", "items": object(map[string]any{
			"criterion": closed(criteria), "level": closed(levels), "quote": text, "field": text,
		})},
		"pain_points":          texts,
		"missing_information":  texts,
		"recommended_approach": text,
		"next_action":          closed(actions),
	}))
}

// object is the schema of an object in which every property is required and no other is allowed, as strict modes ask.
func object(properties map[string]any) map[string]any {
	return map[string]any{
		"type": "object", "properties": properties, "additionalProperties": false,
		"required": slices.Sorted(maps.Keys(properties)),
	}
}

// Fault is one thing that is wrong with an extraction. It names criteria and fields and repeats nothing of the lead, so
// that it can be shown to the model again and logged.
type Fault struct {
	Criterion string
	Field     string
	What      string
	Quote     bool // the quote does not prove the level; the rest of the extraction may be sound
}

// String reads as "criterion: what".
func (f Fault) String() string {
	if f.Criterion == "" {
		return f.What
	}
	return f.Criterion + ": " + f.What
}

// Check says what is wrong with an extraction under a rubric: each criterion once, with a level out of its list and a
// quote that stands verbatim in the named field of the view. Unicode form and white space do not count.
func Check(r Rubric, e Extraction, view map[string]string) []Fault {
	var out []Fault
	seen := map[string]bool{}
	for _, f := range e.Criteria {
		c, ok := r.criterion(f.Criterion)
		switch {
		case !ok:
			out = append(out, Fault{What: "a criterion is none of those asked for"})
			continue
		case seen[f.Criterion]:
			out = append(out, Fault{Criterion: f.Criterion, What: "it comes twice"})
			continue
		}
		seen[f.Criterion] = true
		if _, ok := c.level(f.Level); !ok && f.Level != Unknown {
			out = append(out, Fault{Criterion: f.Criterion, What: "the level is none of those listed"})
			continue
		}
		if what := quoteFault(f, view); what != "" {
			fault := Fault{Criterion: f.Criterion, What: what, Quote: true}
			if _, ok := view[f.Field]; ok {
				fault.Field = f.Field
			}
			out = append(out, fault)
		}
	}
	for _, c := range r.Criteria {
		if !seen[c.ID] {
			out = append(out, Fault{Criterion: c.ID, What: "it is missing"})
		}
	}
	if !slices.Contains(actions, e.NextAction) {
		out = append(out, Fault{What: fmt.Sprintf("next_action must be one of %s", strings.Join(actions, ", "))})
	}
	return out
}

func quoteFault(f Finding, view map[string]string) string {
	if f.Level == Unknown {
		if f.Quote != "" || f.Field != "" {
			return "the level unknown goes without quote and field"
		}
		return ""
	}
	value, ok := view[f.Field]
	switch {
	case strings.TrimSpace(f.Quote) == "":
		return "the level needs a quote from the lead"
	case !ok:
		return "the field is none of the lead's"
	}
	quote, value := plain(f.Quote), plain(value)
	switch found, whole := stands(value, quote); {
	case !found:
		return "the quote does not stand in the field"
	case !whole:
		return "the quote cuts through a placeholder"
	}
	if quote != value && wordChars(quote) < minProof {
		return "the quote is too short to prove anything"
	}
	return ""
}

// minProof is how many letters and digits a quote needs that is not the whole value.
const minProof = 3

// plain makes texts equal that differ in Unicode form or white space only.
func plain(s string) string {
	return strings.Join(strings.Fields(norm.NFC.String(s)), " ")
}

func wordChars(s string) int {
	n := 0
	for _, r := range s {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			n++
		}
	}
	return n
}

// Rules reads a lead by the rubric's own rules, without a model. Its quotes always stand in the view.
func Rules(r Rubric, l growth.Lead) Extraction {
	view, _ := View(r, l)
	e := Extraction{PainPoints: []string{}, MissingInformation: []string{}, NextAction: ActionReview}
	proof := provable(view)
	for _, c := range r.Criteria {
		f := c.read(proof)
		if quoteFault(f, view) != "" { // it reaches across a sentence that was taken out
			f = Finding{Criterion: c.ID, Level: Unknown}
		}
		e.Criteria = append(e.Criteria, f)
	}
	return e
}

func (c Criterion) read(view map[string]string) Finding {
	for _, l := range c.Levels {
		for i := range l.Rules {
			if quote, field, ok := l.Rules[i].find(view); ok {
				return Finding{Criterion: c.ID, Level: l.Level, Quote: quote, Field: field}
			}
		}
	}
	return Finding{Criterion: c.ID, Level: Unknown}
}
