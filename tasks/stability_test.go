package tasks_test

import (
	"context"
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

// sampleOf is how many rows are scored in each run: half of them bought.
const sampleOf = 80

// campaignLeads are even rows of a campaign whose outcome is known. The length of the call is left out: it is known no
// sooner than the outcome.
func campaignLeads(t *testing.T) (leads []growth.Lead, bought []bool) {
	t.Helper()
	dir := os.Getenv("ASTROGROWTH_TESTDATA")
	if dir == "" {
		t.Skip("ASTROGROWTH_TESTDATA does not say where the test data is")
	}
	file, err := os.Open(filepath.Join(dir, "leads_bank_marketing_4119.csv"))
	if err != nil {
		t.Skip(err)
	}
	defer func() { _ = file.Close() }()
	rows := csv.NewReader(file)
	rows.Comma = ';'
	all, err := rows.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	left := map[bool]int{true: sampleOf / 2, false: sampleOf / 2}
	for n := 2; n < len(all); n += 2 { // the row behind the heading is row 1
		l, yes := growth.Lead{BusinessName: "Row", Extra: map[string]string{}}, false
		for i, value := range all[n] {
			switch name := strings.TrimPrefix(all[0][i], "\ufeff"); name {
			case "conversion":
				yes = value == "yes"
			case "duration":
			case "contact": // the kind of line; a further field of this name would be taken for a person
				l.Extra["channel"] = value
			default:
				l.Extra[strings.ReplaceAll(name, ".", "_")] = value
			}
		}
		if left[yes] > 0 {
			left[yes]--
			leads, bought = append(leads, l), append(bought, yes)
		}
	}
	return leads, bought
}

// areaOf is the probability that who bought has the higher score of a pair; equal scores count half.
func areaOf(scores []int, bought []bool) float64 {
	better, pairs := 0.0, 0.0
	for i, a := range scores {
		for j, b := range scores {
			if !bought[i] || bought[j] {
				continue
			}
			pairs++
			if a > b {
				better++
			} else if a == b {
				better += 0.5
			}
		}
	}
	return better / pairs
}

// exchanged is a worker whose chain can be exchanged.
type exchanged struct {
	store *store.Store
	chain *atomic.Pointer[router.Router]
}

func (e exchanged) Work(ctx context.Context, job *tasks.Job[tasks.QualifyArgs]) error {
	return tasks.QualifyWorker{Store: e.store, Chain: e.chain.Load(), TwinRate: -1}.Work(ctx, job)
}

// Scores are reported for three runs and for a change of the first provider, against people who are known to have bought
// or not: run with -v.
func TestScoresAreStableOverRunsAndProviders(t *testing.T) {
	t.Parallel()
	testenv.Long(t)
	leads, bought := campaignLeads(t)
	src, err := os.ReadFile("../internal/lead/testdata/bank-campaign.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rubric, err := lead.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	w, p := newWorld(t), newPlant(t)
	_, err = p.sc.AddRubric(t.Context(), store.Rubric{Name: rubric.Name, Version: rubric.Version, Source: string(src)})
	p.must(err)
	var chain atomic.Pointer[router.Router]
	tasks.AddWorker(p.runner, exchanged{p.s, &chain})
	p.relays().serves(growth.JobLeadQualification)
	first := w.chain()
	other := w.chain(func(c *router.Config) {
		route := c.Routes[growth.TaskQualification]
		route.Candidates = slices.SortedStableFunc(slices.Values(route.Candidates), func(a, b router.Candidate) int {
			return compareTo(a.Provider, b.Provider, simulator.HuggingFace)
		})
		c.Routes[growth.TaskQualification] = route
	})
	var rules []int
	for _, l := range leads {
		rules = append(rules, lead.Score(rubric, l, lead.Rules(rubric, l), growth.ScoredByRules).Score)
	}
	t.Logf("AUC of the rules on %d even rows: %.3f", len(leads), areaOf(rules, bought))
	var areas []float64
	for _, run := range []struct {
		name  string
		chain *router.Router
	}{{"run 1", first}, {"run 2", first}, {"run 3", first}, {"another first provider", other}} {
		chain.Store(run.chain)
		var scores []int
		models := map[string]int{}
		for _, s := range p.scores(rubric.ID(), leads) {
			if s.q.ScoredBy == growth.ScoredByRules {
				t.Errorf("%s: a lead was scored without a model", run.name)
			}
			scores = append(scores, s.q.Score)
			models[s.q.Model]++
		}
		areas = append(areas, areaOf(scores, bought))
		t.Logf("AUC of %s: %.3f; read by %v", run.name, areas[len(areas)-1], models)
	}
	if spread := slices.Max(areas) - slices.Min(areas); math.IsNaN(spread) || spread > 0.05 {
		t.Errorf("the AUC moves by %.3f between runs: %v", spread, areas)
	}
}

// compareTo puts one name before all others.
func compareTo(a, b, first string) int {
	switch {
	case a == first && b != first:
		return -1
	case b == first && a != first:
		return 1
	}
	return 0
}
