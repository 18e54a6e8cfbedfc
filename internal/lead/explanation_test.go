package lead_test

import (
	"slices"
	"strings"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
)

func TestExplanationSpeaksBothLanguages(t *testing.T) {
	t.Parallel()
	r := load(t, "").In("fr-CA")
	l := growth.Lead{BusinessName: "Bistro", BusinessType: "Restaurant", Email: "ann@x.ca", PostalCode: "H2H 2H2", Extra: map[string]string{"message": "devis urgent svp", "date_jugement": "2014"}}
	q := lead.Score(r, l, lead.Rules(r, l), growth.ScoredByModel)
	q.Model = "openrouter/some-model"
	for _, tc := range []struct{ language, notice, data, factor, missing, reviewer, not string }{
		{"fr-CA", "Elle a été calculée automatiquement\u00a0: un modèle de langage (openrouter/some-model)", "Courriel\u00a0: ann@x.ca (montré à aucun modèle) — compté", "Que veut faire le prospect? 40 points sur 40, en raison de «\u00a0devis\u00a0» (Message)", "rien dans les renseignements", "lues par\u00a0: l'équipe", "the lead"},
		{"en", "It was computed automatically: a language model (openrouter/some-model)", "E-mail: ann@x.ca (not shown to any model) — counted", "What does the lead want done? 40 of 40 points, because of “devis” (Message)", "nothing in the data proves it", "read by: the team", "prospect"},
	} {
		e := lead.Explain(r, l, q, "", tc.language)
		data, factors := strings.Join(e.DataUsed, "\n"), strings.Join(e.MainFactors, "\n")
		if !strings.Contains(e.Notice, tc.notice) || !strings.Contains(data, tc.data) || !strings.Contains(factors, tc.missing) || !strings.Contains(e.Reviewer, tc.reviewer) {
			t.Errorf("%s: %+v", tc.language, e)
		}
		if e.MainFactors[0] != tc.factor || len(e.MainFactors) != len(r.Criteria) {
			t.Errorf("%s: first factor %q of %d", tc.language, e.MainFactors[0], len(e.MainFactors))
		}
		field := func(name string) lead.Datum {
			i := slices.IndexFunc(e.Data, func(d lead.Datum) bool { return d.Field == name })
			return e.Data[max(i, 0)]
		}
		if got := field("email"); !got.Hidden || !got.Counted || got.Value != "ann@x.ca" || len(e.Data) != len(e.DataUsed) {
			t.Errorf("%s: the datum of the e-mail is %+v", tc.language, got)
		}
		if got := field("extra.date_jugement"); got.Label != "Date jugement" || got.Value != "2014" || got.Hidden || got.Counted {
			t.Errorf("%s: the datum of a field that only its file knows is %+v", tc.language, got)
		}
		if f := e.Factors[0]; f.Field != "extra.message" || f.Label != "Message" || f.Quote != "devis" || f.Points != 40 || !strings.HasPrefix(tc.factor, f.Question) {
			t.Errorf("%s: first factor %+v", tc.language, f)
		}
		for _, raw := range []string{"business_name", "business_type", "extra."} {
			if strings.Contains(data+factors, raw) {
				t.Errorf("%s: %q is what machines call it:\n%s\n%s", tc.language, raw, data, factors)
			}
		}
		if all := e.Notice + e.Rights + e.Reviewer + factors; strings.Contains(all, tc.not) || strings.Contains(data, "H2H") {
			t.Errorf("%s: %q or an unused field: %s\n%s", tc.language, tc.not, all, data)
		}
	}
}

func TestExplanationOfGatesRulesAndOldRubrics(t *testing.T) {
	t.Parallel()
	r := load(t, "").In("en")
	closed := growth.Lead{BusinessName: "Bistro", Extra: map[string]string{"status": "closed"}}
	e := lead.Explain(r, closed, lead.Score(r, closed, lead.Rules(r, closed), growth.ScoredByRules), "Ann Roy, privacy@example.com", "en")
	if len(e.MainFactors) != 1 || !strings.HasPrefix(e.MainFactors[0], "The business is closed") || !strings.Contains(e.Notice, "without a language model") || !strings.HasSuffix(e.Reviewer, "Ann Roy, privacy@example.com") {
		t.Errorf("%+v", e)
	}
	french := lead.Score(r.In("fr"), closed, lead.Rules(r, closed), growth.ScoredByRules)
	if e = lead.Explain(r, closed, french, "", "en"); !strings.HasPrefix(e.MainFactors[0], "The business is closed") {
		t.Errorf("in English: %q", e.MainFactors)
	}
	old := growth.Qualification{Rubric: "gone@7", Reasons: []growth.Reason{{Criterion: "shoe_size", Points: 3, MaxPoints: 5, Quote: "43", Field: "extra.shoes", Verified: true}}}
	if e = lead.Explain(lead.Rubric{Name: "gone"}, closed, old, "", "en"); !strings.HasPrefix(e.MainFactors[0], "shoe_size 3 of 5 points") {
		t.Errorf("%+v", e)
	}
}

func TestExplanationSpeaksOfTheRubricThatScored(t *testing.T) {
	t.Parallel()
	r := small(t)
	l := growth.Lead{BusinessName: "B", Notes: "all is good"}
	e := claims("one", "good", "all is good", "notes")
	got := lead.Explain(r, l, lead.Score(r, l, e, growth.ScoredByModel), "", "en")
	if !strings.Contains(strings.Join(got.DataUsed, "\n"), "Notes: all is good — counted") || strings.HasPrefix(got.MainFactors[0], "one ") {
		t.Errorf("%+v", got)
	}
}

// Every field of a lead has a label of its own in both languages.
func TestFieldsHaveLabels(t *testing.T) {
	t.Parallel()
	for _, language := range []string{"fr-CA", "en-CA"} {
		seen := map[string]string{}
		for _, f := range lead.FieldNames() {
			label := lead.Label(f, language)
			if other := seen[label]; other != "" || label == "" || strings.Contains(label, "_") {
				t.Errorf("%s: %s is called %q, as %q is", language, f, label, other)
			}
			seen[label] = f
		}
	}
	if got := lead.Label("phone", "fr"); got != "Téléphone" {
		t.Errorf("phone = %q", got)
	}
}
