package lead_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
)

func small(tb testing.TB) lead.Rubric {
	tb.Helper()
	r, err := lead.Parse([]byte(smallRubric))
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func TestDecode(t *testing.T) {
	t.Parallel()
	good := `{"criteria":[{"criterion":"one","level":"good","quote":"q","field":"notes"}],"pain_points":["p"],` +
		`"missing_information":[],"recommended_approach":"a","next_action":"call"}`
	e, err := lead.Decode(good)
	if err != nil || e.Criteria[0].Level != "good" || e.NextAction != "call" {
		t.Errorf("Decode = %+v, %v", e, err)
	}
	for _, bad := range []string{"", "no", `{"score":100}`, good + "{}", `{"criteria":{}}`, good[:40]} {
		if _, err := lead.Decode(bad); growth.CodeOf(err) != growth.Malformed {
			t.Errorf("Decode(%q) = %v, want malformed", bad, err)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	r := small(t)
	view := map[string]string{"notes": "All is  good\nat the Cafe\u0301", "extra.n": "7"}
	good := lead.Finding{Criterion: "one", Level: "good", Quote: "is good at the Café", Field: "notes"}
	high := lead.Finding{Criterion: "two", Level: "high", Quote: "7", Field: "extra.n"}
	with := func(f ...lead.Finding) lead.Extraction { return lead.Extraction{Criteria: f, NextAction: "call"} }
	edit := func(f lead.Finding, set func(*lead.Finding)) lead.Finding { set(&f); return f }
	for _, tc := range []struct {
		name string
		e    lead.Extraction
		want []string
	}{
		{"right, but for spaces and Unicode form", with(good, high), nil},
		{"unknown", with(good, lead.Finding{Criterion: "two", Level: lead.Unknown}), nil},
		{"a quote for unknown", with(good, lead.Finding{Criterion: "two", Level: lead.Unknown, Quote: "7"}), []string{"two: the level unknown goes without quote and field"}},
		{"invented", with(edit(good, func(f *lead.Finding) { f.Quote = "is very good" }), high), []string{"one: the quote does not stand in the field"}},
		{"other case", with(edit(good, func(f *lead.Finding) { f.Quote = "all is good" }), high), []string{"one: the quote does not stand in the field"}},
		{"other field", with(edit(good, func(f *lead.Finding) { f.Field = "extra.n" }), high), []string{"one: the quote does not stand in the field"}},
		{"no such field", with(edit(good, func(f *lead.Finding) { f.Field = "secret" }), high), []string{"one: the field is none of the lead's"}},
		{"no quote", with(edit(good, func(f *lead.Finding) { f.Quote = " " }), high), []string{"one: the level needs a quote from the lead"}},
		{"too short", with(edit(good, func(f *lead.Finding) { f.Quote = "is" }), high), []string{"one: the quote is too short to prove anything"}},
		{"level of another", with(good, edit(high, func(f *lead.Finding) { f.Level = "good" })), []string{"two: the level is none of those listed"}},
		{"missing", with(good), []string{"two: it is missing"}},
		{"twice", with(good, good, high), []string{"one: it comes twice"}},
		{"invented criterion", with(good, high, lead.Finding{Criterion: "score"}), []string{"a criterion is none of those asked for"}},
		{"invented action", lead.Extraction{Criteria: []lead.Finding{good, high}, NextAction: "pay"}, []string{"next_action must be one of call, email, nurture, research, disqualify, review"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, f := range lead.Check(r, tc.e, view) {
				got = append(got, f.String())
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestRulesQuoteTheLead(t *testing.T) {
	t.Parallel()
	rating, reviews := 4.5, 310
	l := growth.Lead{
		BusinessName: "Bistro du Coin", BusinessType: "Restaurant", City: "Laval", GoogleRating: &rating, GoogleReviews: &reviews, Phone: "450 555-0100",
		Notes: "Bonjour, nous cherchons de l’aide pour nos réseaux sociaux dès que possible. Budget de 2 500 $ par mois.",
	}
	r := load(t, "")
	e := lead.Rules(r, l)
	view, _ := lead.View(r, l)
	if faults := lead.Check(r, e, view); len(faults) > 0 {
		t.Errorf("faults: %v", faults)
	}
	levels := map[string]string{}
	for _, f := range e.Criteria {
		levels[f.Criterion] = f.Level + " " + f.Quote
	}
	want := map[string]string{
		"trade": "core Restaurant", "reputation": "strong 4.5", "traffic": "busy 310", "reachable": "direct [PHONE_1]", "profile": "unknown ",
		"need": "explicit nous cherchons", "timing": "now dès que possible", "budget": "stated Budget de 2 500 $",
	}
	if d := cmp.Diff(want, levels); d != "" {
		t.Errorf("levels (-want +got):\n%s", d)
	}
}

func TestScoreAddsUpInGo(t *testing.T) {
	t.Parallel()
	r := small(t).In("en")
	l := growth.Lead{ID: "x", BusinessName: "B", Phone: "514 555-0100", Email: "a@x.ca", Notes: "all is good", Extra: map[string]string{"n": "7"}}
	good := lead.Finding{Criterion: "one", Level: "good", Quote: "is good", Field: "notes"}
	high := lead.Finding{Criterion: "two", Level: "high", Quote: "7", Field: "extra.n"}
	for _, tc := range []struct {
		name       string
		criteria   []lead.Finding
		wish       string
		score      int
		grade      string
		priority   string
		confidence float64
		action     string
		flags      []string
		missing    int
	}{
		{"both", []lead.Finding{good, high}, "email", 100, "A1", "high", 1, "email", []string{}, 0},
		{"a low level", []lead.Finding{good, {Criterion: "two", Level: "low", Quote: "7", Field: "extra.n"}}, "call", 76, "A2", "high", 1, "call", []string{}, 0},
		{"fit only", []lead.Finding{good, {Criterion: "two", Level: lead.Unknown}}, "call", 60, "A3", "medium", 0.67, "call", []string{}, 1},
		{"intent only", []lead.Finding{high}, "nurture", 40, "C1", "medium", 0.33, "nurture", []string{}, 1},
		{"an invented quote earns nothing", []lead.Finding{{Criterion: "one", Level: "good", Quote: "very good indeed", Field: "notes"}, high}, "call", 40, "C1", "medium", 0.33, "call", []string{lead.FlagUnverified}, 1},
		{"nothing", nil, "call", 0, "C3", "low", 0, "research", []string{}, 2},
		{"a wish that the score does not allow", nil, "disqualify", 0, "C3", "low", 0, "research", []string{}, 2},
		{"a criterion that is none", []lead.Finding{good, high, {Criterion: "bonus", Level: "good", Quote: "is good", Field: "notes"}}, "call", 100, "A1", "high", 1, "call", []string{}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			q := lead.Score(r, l, lead.Extraction{Criteria: tc.criteria, NextAction: tc.wish}, growth.ScoredByModel)
			if q.Score != tc.score || q.Grade != tc.grade || q.Priority != tc.priority || q.Confidence != tc.confidence || q.NextAction != tc.action {
				t.Errorf("score %d %s %s %v %s, want %d %s %s %v %s", q.Score, q.Grade, q.Priority, q.Confidence, q.NextAction,
					tc.score, tc.grade, tc.priority, tc.confidence, tc.action)
			}
			if d := cmp.Diff(tc.flags, q.Flags); d != "" {
				t.Errorf("flags (-want +got):\n%s", d)
			}
			if len(q.MissingInformation) != tc.missing || len(q.Reasons) != 2 || q.Rubric != "small@2" || q.LeadID != "x" {
				t.Errorf("missing %q, %d reasons, %s", q.MissingInformation, len(q.Reasons), q.Rubric)
			}
			if _, err := json.Marshal(q); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestScoreGatesClosedBusinesses(t *testing.T) {
	t.Parallel()
	r := load(t, "")
	for status, gated := range map[string]bool{
		"Fermé": true, "FERMEE": true, "CLOSED_PERMANENTLY": true, "Définitivement fermé | 2016": true,
		"": false, "Ouvert": false, "Open": false, "OPERATIONAL": false, "closed won": false, "enclosed terrace": false,
	} {
		l := growth.Lead{BusinessName: "Resto", Notes: "devis urgent, fermé le lundi", Extra: map[string]string{"status": status}}
		q := lead.Score(r.In("fr-CA"), l, lead.Rules(r, l), growth.ScoredByRules)
		if got := len(q.Disqualifiers) > 0; got != gated {
			t.Errorf("status %q: disqualifiers %q", status, q.Disqualifiers)
		}
		if gated && (q.Score != 0 || q.NextAction != lead.ActionDisqualify || !strings.Contains(q.Disqualifiers[0], "fermé (")) {
			t.Errorf("status %q: score %d, %s, %q", status, q.Score, q.NextAction, q.Disqualifiers)
		}
		if !gated && q.Score == 0 {
			t.Errorf("status %q: score 0", status)
		}
	}
}

func TestModelSentencesAreMadeSafe(t *testing.T) {
	t.Parallel()
	r := small(t)
	l := growth.Lead{ContactName: "Ann Roy", Email: "ann@x.ca", Notes: "good"}
	q := lead.Score(r, l, lead.Extraction{
		PainPoints:          []string{"![x](https://evil.example/p?d=1) no time", "no time", "see https://evil.example/x now", strings.Repeat("long ", 500), " ", "a", "b", "c", "d"},
		RecommendedApproach: "<b>Write</b> to [NAME_1] at [EMAIL_1]\u202e",
	}, growth.ScoredByModel)
	if q.RecommendedApproach != "Write to Ann Roy at ann@x.ca" {
		t.Errorf("approach = %q", q.RecommendedApproach)
	}
	if all := strings.Join(q.PainPoints, "|"); len(q.PainPoints) > 5 || strings.Contains(all, "evil") || len(all) > 1000 {
		t.Errorf("pain points = %q", q.PainPoints)
	}
}

// FuzzCheck holds the promise of the quotes: points are only earned by words that stand in the field.
func FuzzCheck(f *testing.F) {
	f.Add("all is good", "is good", "notes", "good")
	f.Add("e\u0301te\u0301", "été", "notes", "good")
	f.Add("", "", "", "unknown")
	r := small(f)
	f.Fuzz(func(t *testing.T, notes, quote, field, level string) {
		l := growth.Lead{BusinessName: "B", Notes: notes}
		view, _ := lead.View(r, l)
		e := lead.Extraction{Criteria: []lead.Finding{{Criterion: "one", Level: level, Quote: quote, Field: field}}, NextAction: "call"}
		q := lead.Score(r, l, e, growth.ScoredByModel)
		flat := func(s string) string { return strings.Join(strings.Fields(s), " ") }
		if q.Score > 0 && utf8.ValidString(quote) && !strings.Contains(flat(norm(view[field])), flat(norm(quote))) {
			t.Fatalf("score %d for %q, which does not stand in %q", q.Score, quote, view[field])
		}
		if q.Score > 0 && len(lead.Check(r, e, view)) != 1 { // criterion "two" is missing
			t.Fatalf("points without a check: %v", lead.Check(r, e, view))
		}
		for _, f := range lead.Check(r, lead.Rules(r, l), view) {
			t.Fatalf("the rules' own reading is at fault: %v", f)
		}
	})
}
