package lead_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
)

func load(tb testing.TB, name string) lead.Rubric {
	tb.Helper()
	r, err := lead.Load(name)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func TestBuiltInRubrics(t *testing.T) {
	t.Parallel()
	for _, name := range lead.Names() {
		r := load(t, name)
		if r.ID() != name+"@1" {
			t.Errorf("ID = %s", r.ID())
		}
		most := map[lead.Axis]float64{}
		for _, c := range r.Criteria {
			most[c.Axis] += c.Max()
		}
		if most[lead.Fit] != 100 || most[lead.Intent] != 100 {
			t.Errorf("%s: points %v, want 100 on each axis", name, most)
		}
	}
	if r := load(t, ""); r.Name != lead.DefaultRubric {
		t.Errorf("the default is %s", r.Name)
	}
	load(t, "b2b@1")
	for _, name := range []string{"b3b", "b2b@0", "../b2b"} {
		if _, err := lead.Load(name); growth.CodeOf(err) != growth.Invalid {
			t.Errorf("Load(%q) = %v, want invalid", name, err)
		}
	}
}

const smallRubric = `name: small
version: "2"
fields: [notes, extra.*]
criteria:
  - id: one
    axis: fit
    question: {en: "One?", fr: "Un?"}
    levels:
      - level: good
        points: 10
        when: it is good
        rules: [{field: notes, words: [good]}]
  - id: two
    axis: intent
    question: {en: "Two?", fr: "Deux?"}
    levels:
      - {level: high, points: 5, when: "it is high", rules: [{field: extra.n, at_least: 5}]}
      - {level: low, points: 2, when: "it is low", rules: [{field: extra.n, below: 5}]}
`

func TestParseNamesTheLine(t *testing.T) {
	t.Parallel()
	if _, err := lead.Parse([]byte(smallRubric)); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, from, to, want string }{
		{"empty", smallRubric, "", "empty"},
		{"not YAML", "fields: [notes", "fields: [notes: [", "line"},
		{"unknown key", "axis: fit", "axes: fit", `line 6: there is no key "axes" here; did you mean axis?`},
		{"wrong type", "points: 10", "points: ten", `line 10: must be a number, as 10 or 0.5, not "ten"`},
		{"key twice", "axis: fit", "axis: fit\n    axis: fit", "line 7: the key comes twice"},
		{"no list", "fields: [notes, extra.*]", "fields: notes", `line 3: must be a list, as [a, b], not "notes"`},
		{"unknown axis", "axis: intent", "axis: luck", "line 14: axis must be"},
		{"level unknown", "level: good", "level: unknown", "line 9"},
		{"level twice", "level: low", "level: high", "line 18"},
		{"negative", "points: 10", "points: -1", "line 10: points"},
		{"no words", "when: it is good", "when: ''", "line 11: the level \"good\" needs the words"},
		{"unknown field", "field: notes, words", "field: colour, words", `line 12: "colour" is no field`},
		{"private field", "field: notes, words", "field: email, words", `"email" is personal data`},
		{"private by name", "field: extra.n, below", "field: extra.phone_2, below", "line 18"},
		{"hidden field", "field: notes, words", "field: city, words", `reads "city"`},
		{"bad expression", "words: [good]", "matches: '('", "line 12: matches"},
		{"no condition", "{field: notes, words: [good]}", "{field: notes}", "line 12: the rule has no condition"},
		{"criterion twice", "id: two", "id: one", "line 13: the criterion"},
		{"private shown", "fields: [notes,", "fields: [notes, phone,", "line 3"},
		{"weights", "version: \"2\"", "version: \"2\"\nformula: {fit: 0.5, intent: 0.4}", "line 3"},
		{"one axis", "axis: intent", "axis: fit", "axis intent"},
		{"no name", "name: small", "name: Small One", "line 1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(smallRubric, tc.from) {
				t.Fatalf("nothing to replace: %q", tc.from)
			}
			_, err := lead.Parse([]byte(strings.Replace(smallRubric, tc.from, tc.to, 1)))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("err = %v, want one with %q", err, tc.want)
			}
			if growth.CodeOf(err) != growth.Invalid {
				t.Errorf("code = %v", growth.CodeOf(err))
			}
		})
	}
}

func TestQuestionsHideThePoints(t *testing.T) {
	t.Parallel()
	r := load(t, "").In("en-CA")
	raw := lead.Questions(r, "restaurants in \"Montréal\"")
	var got struct {
		ICP      string `json:"icp"`
		Criteria []struct {
			Criterion, Axis, Question string
			Levels                    []struct{ Level, When string }
		} `json:"criteria"`
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if got.ICP != "restaurants in \"Montréal\"" || len(got.Criteria) != len(r.Criteria) || strings.Contains(string(raw), "points") {
		t.Errorf("questions: %s", raw)
	}
	for _, c := range got.Criteria {
		if last := c.Levels[len(c.Levels)-1]; last.Level != lead.Unknown || c.Question == "" {
			t.Errorf("%s ends with level %q, question %q", c.Criterion, last.Level, c.Question)
		}
	}
	if fr := lead.Questions(r.In("fr-CA"), ""); bytes.Equal(fr, raw) || !strings.Contains(string(fr), "commerce") {
		t.Error("the French questions are not French")
	}
}

func compile(t *testing.T, schema json.RawMessage) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSchemaTakesWhatRulesGive(t *testing.T) {
	t.Parallel()
	for _, name := range lead.Names() {
		r := load(t, name)
		s := compile(t, lead.Schema(r))
		answer, err := json.Marshal(lead.Rules(r, growth.Lead{BusinessName: "Resto X", Notes: "devis svp"}))
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(answer))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		first := `"criterion":"` + r.Criteria[0].ID + `"`
		for _, bad := range []string{
			`{}`,
			strings.Replace(string(answer), first, `"criterion":"score"`, 1),
			strings.Replace(string(answer), `"level":"`, `"level":"x`, 1),
			strings.Replace(string(answer), `{"criteria"`, `{"score":100,"criteria"`, 1),
			strings.Replace(string(answer), `"next_action":"review"`, `"next_action":"pay"`, 1),
		} {
			doc, err := jsonschema.UnmarshalJSON(strings.NewReader(bad))
			if err != nil {
				t.Fatal(err)
			}
			if s.Validate(doc) == nil {
				t.Errorf("%s: the schema takes %s", name, bad)
			}
		}
	}
}
