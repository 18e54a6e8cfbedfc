package lead_test

import (
	"encoding/csv"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
)

// outcome is a lead's score and what became of it.
type outcome struct {
	score  int
	bought bool
}

// bankLeads reads a campaign whose outcome is known: the rows that the rubric was fixed with, and those it never saw. The
// length of the call is left out, because it is known no sooner than the outcome.
func bankLeads(t *testing.T) (fixed, unseen []growth.Lead, bought map[string]bool) {
	t.Helper()
	file, err := os.Open(testFile(t, "leads_bank_marketing_4119.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	rows := csv.NewReader(file)
	rows.Comma = ';'
	all, err := rows.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	bought = map[string]bool{}
	for n, row := range all[1:] {
		l := growth.Lead{ID: growth.LeadID(growth.NewID()), Extra: map[string]string{}}
		for i, value := range row {
			switch name := strings.TrimPrefix(all[0][i], "\ufeff"); name {
			case "conversion":
				bought[string(l.ID)] = value == "yes"
			case "duration":
			case "contact": // the kind of line; a further field of this name would be taken for a person
				l.Extra["channel"] = value
			default:
				l.Extra[strings.ReplaceAll(name, ".", "_")] = value
			}
		}
		if n%2 == 0 { // the first row is row 1
			fixed = append(fixed, l)
		} else {
			unseen = append(unseen, l)
		}
	}
	return fixed, unseen, bought
}

// auc is the probability that a lead that bought has the higher score of a pair; equal scores count half.
func auc(of []outcome) float64 {
	var yes, no [101]float64
	for _, o := range of {
		if o.bought {
			yes[o.score]++
		} else {
			no[o.score]++
		}
	}
	pairs, better, below, all := 0.0, 0.0, 0.0, 0.0
	for s := range yes {
		better += yes[s] * (below + no[s]/2)
		below += no[s]
		all += yes[s]
	}
	if pairs = all * below; pairs == 0 {
		return 0.5
	}
	return better / pairs
}

// interval is the middle 95 % of the AUC over samples drawn from the outcomes with replacement.
func interval(of []outcome) (low, high float64) {
	const samples = 2000
	dice := rand.New(rand.NewPCG(20, 26))
	drawn, all := make([]outcome, len(of)), make([]float64, samples)
	for i := range all {
		for j := range drawn {
			drawn[j] = of[dice.IntN(len(of))]
		}
		all[i] = auc(drawn)
	}
	slices.Sort(all)
	return all[samples/40], all[samples-samples/40]
}

func TestAUCCountsPairs(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		of   []outcome
		want float64
	}{
		{[]outcome{{9, true}, {1, false}}, 1},
		{[]outcome{{1, true}, {9, false}}, 0},
		{[]outcome{{5, true}, {5, false}}, 0.5},
		{[]outcome{{100, true}, {3, true}, {5, false}, {0, false}}, 0.75},
	} {
		if got := auc(tc.of); got != tc.want {
			t.Errorf("auc(%v) = %v, want %v", tc.of, got, tc.want)
		}
	}
}

func TestRulesRankRealLeads(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a test of volume, left out with -short")
	}
	fixed, unseen, bought := bankLeads(t)
	src, err := os.ReadFile("testdata/bank-campaign.yaml")
	if err != nil {
		t.Fatal(err)
	}
	r, err := lead.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	score := func(leads []growth.Lead) (out []outcome) {
		for _, l := range leads {
			q := lead.Score(r, l, lead.Rules(r, l), growth.ScoredByRules)
			if len(q.Flags) > 0 || q.Confidence < 0.9 {
				t.Fatalf("flags %q, confidence %v of %v", q.Flags, q.Confidence, l.Extra)
			}
			out = append(out, outcome{q.Score, bought[string(l.ID)]})
		}
		return out
	}
	seen, fresh := score(fixed), score(unseen)
	got := auc(fresh)
	low, high := interval(fresh)
	t.Logf("AUC of the rules on %d rows that the rubric never saw: %.3f (95 %%: %.3f to %.3f); on the %d that it was fixed with: %.3f",
		len(fresh), got, low, high, len(seen), auc(seen))
	if got < 0.66 || low <= 0.6 {
		t.Errorf("AUC %.3f from %.3f, want 0.66", got, low)
	}
}
