package dashboard_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/dashboard"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/router/breaker"
	"github.com/zakibelm/astrogrowth/store"
)

func TestOverviewShowsWhatWasMeasured(t *testing.T) {
	t.Parallel()
	db := testenv.Store(t)
	d := seed{t, db, workspace(t, db, "Measured")}
	d.lead(growth.Lead{BusinessName: "Alpha"}, qualification(82, "high"), []growth.Call{answered("openrouter", "m", "0.002", 800)})
	d.lead(growth.Lead{BusinessName: "Beta"}, qualification(30, "low"),
		[]growth.Call{failed("openrouter", "m", growth.Unavailable), answered("ollama", "n", "0", 1200)})
	d.lead(growth.Lead{BusinessName: "Gamma"}, nil, nil)
	d.must(db.AddCacheCounts(t.Context(), []store.CacheCount{{Workspace: d.ws.ID, Task: growth.TaskSimple, Hits: 7, Misses: 3}}))
	open := time.Now().Add(time.Minute)
	s := serve(t, dashboard.Config{
		Store: db, Workspace: d.ws.Slug, BreakerNames: []string{"openrouter", "ollama"},
		Breakers: breakers{open: []breaker.Change{{Name: "openrouter", State: breaker.Open, Until: open}}},
	})

	var o struct {
		dashboard.Overview

		HTML map[string]string `json:"html"`
	}
	if err := json.Unmarshal([]byte(s.get("/data/overview.json").body), &o); err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	verdicts := map[string]dashboard.Verdict{}
	for _, target := range o.Targets {
		got[target.ID], verdicts[target.ID] = -1, target.Verdict
		if target.Value != nil {
			got[target.ID] = *target.Value
		}
	}
	// 0.002 USD over 2 answered requests and 7 hits, in CAD per 1,000.
	want := map[string]float64{"cache": 0.7, "latency": 1000, "uptime": 1, "failover": 1, "cost": 0.002 * 1.40 * 1000 / 9}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 })); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
	for id, v := range verdicts {
		if v != dashboard.VerdictMet {
			t.Errorf("target %s is %s, want met", id, v)
		}
	}
	if diff := cmp.Diff(map[string]int{"high": 1, "low": 1, "": 1}, o.Leads); diff != "" {
		t.Errorf("leads (-want +got):\n%s", diff)
	}
	if n := o.Jobs[growth.JobLeadQualification][growth.JobSucceeded]; n != 2 {
		t.Errorf("succeeded qualifications = %d, want 2", n)
	}
	if len(o.Breakers) != 2 || !o.Breakers[0].Open || o.Breakers[0].Name != "openrouter" || o.Breakers[1].Open {
		t.Errorf("breakers = %+v", o.Breakers)
	}
	if len(o.Providers) != 2 || o.Providers[1].Provider != "openrouter" || o.Providers[1].ErrorRate != 0.5 {
		t.Errorf("providers = %+v", o.Providers)
	}
	if !o.Simulated || o.Today.Calls != 3 || o.Today.Unknown != 0 {
		t.Errorf("simulated %v, today %+v; want true, 3 calls, none unknown", o.Simulated, o.Today)
	}
	for _, section := range []string{"targets", "jobs", "leads", "spend", "providers", "breakers", "newest", "failures"} {
		if o.HTML[section] == "" {
			t.Errorf("section %s is empty", section)
		}
	}
	s.page("/", "Simulated.", "70.0%", "1.00\u00a0s", "openrouter", o.HTML["leads"])
}

func TestOverviewOfNothingInventsNothing(t *testing.T) {
	t.Parallel()
	db := testenv.Store(t)
	ws := workspace(t, db, "Empty")
	s := serve(t, dashboard.Config{Store: db, Workspace: ws.Slug, Breakers: breakers{err: errors.New("redis is down")}})
	body := s.page("/", "Redis cannot be asked", "No job has failed.")
	if n := strings.Count(body, "Not enough data yet"); n != 5 {
		t.Errorf("%d targets say that there is no data, want 5", n)
	}
	if strings.Contains(body, `class="simulated"`) {
		t.Error("the banner of the simulator is shown without it")
	}
}

func TestUnknownCostIsNeverShownAsNothing(t *testing.T) {
	t.Parallel()
	db := testenv.Store(t)
	d := seed{t, db, workspace(t, db, "Unknown")}
	id := d.job(growth.JobLeadQualification, map[string]any{}, "")
	d.run(id, []growth.Call{answered("openrouter", "m", "", 10)}, store.Outcome{State: growth.JobSucceeded, Result: json.RawMessage(`{}`)})
	s := serve(t, dashboard.Config{Store: db, Workspace: d.ws.Slug})

	var o dashboard.Overview
	if err := json.Unmarshal([]byte(s.get("/data/overview.json").body), &o); err != nil {
		t.Fatal(err)
	}
	if o.Today.Unknown != 1 || o.Targets[3].Verdict != dashboard.VerdictOpen {
		t.Errorf("today %+v, cost target %+v; want 1 unknown and an open verdict", o.Today, o.Targets[3])
	}
	if o.Newest[0].Cost.Amount != nil || o.Newest[0].Cost.Provenance != growth.CostUnknown {
		t.Errorf("cost of the job = %+v, want unknown", o.Newest[0].Cost)
	}
	s.page("/", "unknown", "1 of unknown cost")
	s.page("/jobs/"+string(id), "<dd>unknown</dd>", "nobody knows")
}
