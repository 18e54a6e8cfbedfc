package lead_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
)

func TestRubricsOfNumbersThatAreNone(t *testing.T) {
	t.Parallel()
	src, err := lead.BuiltIn("local-business")
	if err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{
		"formula: {fit: 0.6, intent: 0.4}": "formula: {fit: .nan, intent: .nan}",
		"points: 30\n":                     "points: 1e308\n",
	} {
		changed := strings.Replace(string(src), from, to, 1)
		if _, err := lead.Parse([]byte(changed)); changed == string(src) || err == nil {
			t.Errorf("%q is accepted", to)
		}
	}
}

// Whoever writes a rubric learns of everything that is wrong in one go, and where it stands.
func TestRubricFaultsAreToldAtOnce(t *testing.T) {
	t.Parallel()
	src := strings.NewReplacer(
		"name: small", "name: Small One",
		"fields: [notes, extra.*]", "fields: [notes, extra.*, citty]\nformula: {fit: 0.5, intent: 0.4}\ngrad: {first: 70}",
		"points: 10", "points: ten", "axis: intent", "axis: luck", "id: two", "id: one",
		"level: low, points: 2", "level: high, points: -2", "below: 5", "below: 5, mathces: x",
		`{en: "Two?", fr: "Deux?"}`, `{en: "Two?"}`,
	).Replace(smallRubric)
	_, err := lead.Parse([]byte(src))
	told, ok := errors.AsType[*lead.RubricError](err)
	if !ok {
		t.Fatalf("err = %v", err)
	}
	want := []lead.RubricFault{
		{Field: "name", Line: 1, Got: "Small One", Want: "name must be lower-case letters, digits, '-', '_' and '.', at most 64"},
		{Field: "fields[2]", Line: 3, Got: "citty", Want: "must be a field of a lead; did you mean city?"},
		{Field: "formula", Line: 4, Got: "0.5 + 0.4 = 0.9", Want: "the weights of fit and intent must make 1 together, as 0.6 and 0.4"},
		{Field: "grad", Line: 5, Got: "grad", Want: `there is no key "grad" here; did you mean grade?`},
		{Field: "criteria[0].levels[0].points", Line: 12, Got: "ten", Want: "must be a number, as 10 or 0.5"},
		{Field: "criteria[1].id", Line: 15, Want: `the criterion "one" comes twice; criteria[0] has that id`},
		{Field: "criteria[1].axis", Line: 16, Got: "luck", Want: "axis must be fit or intent"},
		{Field: "criteria[1].question.fr", Line: 17, Want: "the question of a criterion is needed in en and fr"},
		{Field: "criteria[1].levels[1].rules[0].mathces", Line: 20, Got: "mathces", Want: `there is no key "mathces" here; did you mean matches?`},
		{Field: "criteria[1].levels[1].level", Line: 20, Got: "high", Want: "the levels of a criterion must differ"},
		{Field: "criteria[1].levels[1].points", Line: 20, Got: "-2", Want: "points must be from 0 to 1000000"},
	}
	if d := cmp.Diff(want, told.Faults); d != "" {
		t.Errorf("faults (-want +got):\n%s", d)
	}
	if e, ok := errors.AsType[*growth.Error](err); !ok || e.Field != "name" || !strings.HasSuffix(e.Message, "(and 10 more)") {
		t.Errorf("as one error: %v", err)
	}
}

func TestRubricsAreOneDocument(t *testing.T) {
	t.Parallel()
	for _, second := range []string{"---\n" + smallRubric, "---\nname: other\n", "--- text\n", "---\n- a\n"} {
		_, err := lead.Parse([]byte(smallRubric + second))
		if err == nil || !strings.Contains(err.Error(), "a second document begins here") || !strings.Contains(err.Error(), "line 19") && !strings.Contains(err.Error(), "line 20") {
			t.Errorf("%.20q: %v", second, err)
		}
		if _, err := lead.ParseKept([]byte(smallRubric + second)); err != nil {
			t.Errorf("one that was taken before is not read any more: %v", err)
		}
	}
	for _, src := range []string{"---\n" + smallRubric, smallRubric + "---\n", smallRubric + "...\n", "# mine\n---\n" + smallRubric} {
		if _, err := lead.Parse([]byte(src)); err != nil {
			t.Errorf("marks around the only document: %v", err)
		}
	}
	for src, want := range map[string]string{"": "empty", "# nothing\n": "empty", "null": "empty", "a: [": "no YAML", "- a\n": "group of the keys name, version", "a: &a [*a]": "criteria"} {
		if _, err := lead.Parse([]byte(src)); err == nil || !strings.Contains(err.Error(), want) && !strings.Contains(fmt.Sprint(err, told(err)), want) {
			t.Errorf("%q: %v, want %q", src, err, want)
		}
	}
}

func told(err error) []lead.RubricFault {
	if e, ok := errors.AsType[*lead.RubricError](err); ok {
		return e.Faults
	}
	return nil
}

// A rubric that was taken while fewer fields were private is read all the same; what it asks of them finds nothing.
func TestKeptRubricsMayReadWhatHasBecomePrivate(t *testing.T) {
	t.Parallel()
	src := []byte(ruleOn("extra.instagram"))
	if _, err := lead.Parse(src); err == nil || !strings.Contains(err.Error(), "criteria[0]") && told(err)[0].Field != "criteria[0].levels[0].rules[0].field" {
		t.Errorf("a new one: %v", err)
	}
	r, err := lead.ParseKept(src)
	if err != nil {
		t.Fatal(err)
	}
	l := growth.Lead{BusinessName: "B", Extra: map[string]string{"instagram": "@b"}}
	if q := lead.Score(r, l, lead.Rules(r, l), growth.ScoredByRules); q.Fit != 0 {
		t.Errorf("it earns %d by a private field", q.Fit)
	}
}

// FuzzRubric holds that no text of a rubric brings the reader down, and that what is told has its place.
func FuzzRubric(f *testing.F) {
	f.Add(smallRubric)
	f.Add("criteria: [{levels: &a [{points: ten}, {<<: *a}]}]\n---\nb")
	f.Add("a: &a [*a, *a]\nformula: {fit: .nan}\ngates: [{rule: {is: ['!']}}]")
	f.Fuzz(func(t *testing.T, src string) {
		_, err := lead.Parse([]byte(src))
		if err == nil {
			if _, err := lead.ParseKept([]byte(src)); err != nil {
				t.Fatalf("taken, and not read again: %v", err)
			}
			return
		}
		faults := told(err)
		if len(faults) == 0 || growth.CodeOf(err) != growth.Invalid {
			t.Fatalf("%v tells no fault", err)
		}
		for _, x := range faults {
			if x.Field == "" || x.Want == "" {
				t.Fatalf("%+v", x)
			}
		}
	})
}

func TestRatingsOfAScaleThatNobodyKnowsAreNone(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{"4,6/5": true, "4.6 / 5": true, "4/7": false, "9/12": false, "4/": false} {
		l, warnings, err := lead.FromValues(map[string]string{"google_rating": value})
		if err != nil || (l.GoogleRating != nil) != want || (len(warnings) == 0) != want {
			t.Errorf("%q: %v, %q, %v", value, l.GoogleRating, warnings, err)
		}
	}
}
