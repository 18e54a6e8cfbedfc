package webhook

import (
	"encoding/json"
	"strconv"
	"strings"

	growth "github.com/zakibelm/astrogrowth"
)

// Bounds of a path.
const (
	maxPath  = 300
	maxSteps = 32
	maxWays  = 8
)

// Path says where in a body a value stands: names with full stops between them, items[0] and items[key=value], and
// answer(ref) and question(text) for what Typeform and Calendly ask. Several ways stand with | between them, and the
// first that leads to something counts. ="text" is the text itself.
type Path struct {
	text string
	ways []way
}

// way is one of the alternatives of a path.
type way struct {
	steps    []step
	constant *string
	answer   string
	question string
}

// step goes from a value to one that it holds.
type step struct {
	name  string
	index int // of an array, when pick is nil and name is empty
	pick  *pick
}

// pick chooses the item of an array in which key has a value.
type pick struct {
	key   []string
	value string
}

// ParsePath reads a path. field is what it is called where it was written.
func ParsePath(field, text string) (Path, error) {
	p := Path{text: text}
	if len(text) > maxPath {
		return p, growth.InvalidField("webhook.ParsePath", field, "use at most %d characters", maxPath)
	}
	for part := range strings.SplitSeq(text, "|") {
		w, why := parseWay(strings.TrimSpace(part))
		if why != "" {
			return p, growth.InvalidField("webhook.ParsePath", field, "%s; write a path such as payload.email, answers[field.ref=mail].email, items[0].name, answer(ref) or =\"text\"", why)
		}
		p.ways = append(p.ways, w)
	}
	if len(p.ways) > maxWays {
		return p, growth.InvalidField("webhook.ParsePath", field, "use at most %d ways", maxWays)
	}
	return p, nil
}

func parseWay(s string) (w way, why string) {
	if c, ok := strings.CutPrefix(s, "="); ok {
		c = strings.Trim(strings.TrimSpace(c), `"`)
		return way{constant: &c}, ""
	}
	if inner, ok := call(s, "answer"); ok {
		return way{answer: inner}, ""
	}
	if inner, ok := call(s, "question"); ok {
		return way{question: inner}, ""
	}
	for s != "" {
		if len(w.steps) == maxSteps {
			return w, "the path is too long"
		}
		var st step
		if st, s, why = parseStep(s, len(w.steps) == 0); why != "" {
			return w, why
		}
		w.steps = append(w.steps, st)
	}
	if len(w.steps) == 0 {
		return w, "the path is empty"
	}
	return w, ""
}

func call(s, name string) (inner string, ok bool) {
	rest, found := strings.CutPrefix(s, name+"(")
	if !found || !strings.HasSuffix(rest, ")") {
		return "", false
	}
	inner = strings.TrimSpace(strings.TrimSuffix(rest, ")"))
	return inner, inner != ""
}

// parseStep takes the first step off a path.
func parseStep(s string, first bool) (st step, rest, why string) {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		inner, rest, found := strings.Cut(inner, "]")
		if !found {
			return st, "", "a bracket is not closed"
		}
		return bracket(inner, rest)
	}
	if !first {
		after, ok := strings.CutPrefix(s, ".")
		if !ok {
			return st, "", "after a bracket a full stop is wanted"
		}
		s = after
	}
	end := strings.IndexAny(s, ".[")
	if end < 0 {
		end = len(s)
	}
	if end == 0 || strings.ContainsAny(s[:end], "]()") {
		return st, "", "a name is missing or holds a bracket"
	}
	return step{name: s[:end]}, s[end:], ""
}

func bracket(inner, rest string) (step, string, string) {
	if key, value, found := strings.Cut(inner, "="); found {
		if key == "" {
			return step{}, "", "the bracket has nothing before ="
		}
		return step{pick: &pick{key: strings.Split(key, "."), value: value}}, rest, ""
	}
	n, err := strconv.Atoi(inner)
	if err != nil || n < 0 || n > 9999 {
		return step{}, "", "a bracket holds a number or key=value"
	}
	return step{index: n}, rest, ""
}

// find gives what the path leads to as text; empty: it leads nowhere.
func (p Path) find(body any) (string, error) {
	for _, w := range p.ways {
		s, err := asText(w.find(body))
		if err != nil {
			return "", growth.Errorf(growth.Invalid, "webhook.find", "what stands at %s is %s", p.text, err.Error())
		}
		if s = strings.TrimSpace(s); s != "" {
			return s, nil
		}
	}
	return "", nil
}

func (w way) find(body any) any {
	switch {
	case w.constant != nil:
		return *w.constant
	case w.answer != "":
		for _, a := range list(at(body, "form_response", "answers")) {
			if same(at(a, "field", "ref"), w.answer) || same(at(a, "field", "id"), w.answer) {
				return answerValue(a)
			}
		}
		return nil
	case w.question != "":
		for _, q := range list(at(body, "payload", "questions_and_answers")) {
			if text, ok := at(q, "question").(string); ok && strings.EqualFold(strings.TrimSpace(text), w.question) {
				return at(q, "answer")
			}
		}
		return nil
	}
	for _, st := range w.steps {
		body = st.from(body)
	}
	return body
}

func (s step) from(v any) any {
	switch {
	case s.name != "":
		return at(v, s.name)
	case s.pick != nil:
		for _, item := range list(v) {
			if same(at(item, s.pick.key...), s.pick.value) {
				return item
			}
		}
		return nil
	}
	if items := list(v); s.index < len(items) {
		return items[s.index]
	}
	return nil
}

// at goes down by names; where one is not there the end is nil.
func at(v any, names ...string) any {
	for _, n := range names {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[n]
	}
	return v
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

// same says whether a scalar reads as a text.
func same(v any, text string) bool {
	s, err := asText(v)
	return err == nil && v != nil && s == text
}

// word is a scalar as text, and nothing for anything else.
func word(v any) string {
	switch v.(type) {
	case string, json.Number:
		s, _ := asText(v)
		return strings.TrimSpace(s)
	}
	return ""
}

// asText reads a value as a person would write it. The choices of a form have labels.
func asText(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	case bool:
		return strconv.FormatBool(v), nil
	case []any:
		parts := make([]string, 0, len(v))
		for _, item := range v {
			s, err := asText(item)
			if err != nil {
				return "", err
			}
			if s != "" {
				parts = append(parts, s)
			}
		}
		return strings.Join(parts, ", "), nil
	case map[string]any:
		for _, name := range []string{"label", "labels", "other"} {
			if inner, ok := v[name]; ok {
				if _, deeper := inner.(map[string]any); !deeper {
					return asText(inner)
				}
			}
		}
	}
	return "", errObject
}

// errObject is why a value has no text.
var errObject = objectError{}

type objectError struct{}

// Error says what would be right.
func (objectError) Error() string { return "an object; name one of its members" }
