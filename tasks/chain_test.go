package tasks_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/tasks"
)

// chainJobs is how many jobs the run makes: few by default, CHAIN_JOBS for a whole run (`make chain`).
func chainJobs(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("CHAIN_JOBS"))
	if err != nil {
		return 40
	}
	return n
}

// With two of three providers down and faults at the last, every job ends well: what a call could not get, the job's next
// attempt does. No job is left to the rules.
func TestChainOfJobsWithTwoProvidersDownAndFaultsAtTheLast(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	w.fails("500", simulator.FaultParams{}, simulator.OpenRouter, simulator.Ollama)
	for _, kind := range []string{"500", simulator.KindReset, simulator.KindCutJSON, simulator.KindEmpty} {
		rate := 0.005
		if _, err := w.sim.SetFault(simulator.Fault{Provider: simulator.HuggingFace, Kind: kind, Rate: &rate}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.sim.SetFault(simulator.Fault{Provider: simulator.HuggingFace, Kind: "503", Count: 1}); err != nil { // one at least, in a short run too
		t.Fatal(err)
	}
	p.qualifies(w)
	n, began := chainJobs(t), time.Now()
	ids := make([]growth.JobID, 0, n)
	for i := range n {
		l := bistro()
		l.BusinessName, l.Email, l.Website, l.Phone = fmt.Sprintf("Bistro %d", i), "", "", ""
		l.Address = fmt.Sprintf("%d rue Sainte-Zotique", i)
		ids = append(ids, p.enqueue(tasks.QualifyArgs{LeadID: p.lead(l)}, growth.JobOptions{}))
	}
	finished := func() int {
		return p.count(`SELECT count(*) FROM jobs WHERE state IN ('succeeded', 'failed', 'canceled')`)
	}
	waits(t, 10*time.Minute, func() bool { return finished() == n })
	again := 0
	for _, id := range ids {
		j := p.job(id)
		if j.State != growth.JobSucceeded {
			t.Fatalf("job %s is %s: %+v", id, j.State, j.Error)
		}
		if q := result[growth.Qualification](t, j); q.ScoredBy == growth.ScoredByRules {
			t.Errorf("job %s was left to the rules after %d attempts", id, j.Attempts)
		}
		if j.Attempts > 1 {
			again++
		}
	}
	if again == 0 {
		t.Error("no job was tried twice: the faults were not met")
	}
	t.Logf("%d jobs, all succeeded, %d after another attempt, %v", n, again, time.Since(began).Round(time.Millisecond))
}

// waits is eventually with a time limit of its own.
func waits(t *testing.T, limit time.Duration, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(limit)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("still not after %v", limit)
		}
	}
}
