package tasks_test

import (
	"context"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/router/cache"
	"github.com/zakibelm/astrogrowth/tasks"
)

// unkept is a ledger that keeps nothing.
type unkept struct{}

func (unkept) Start(context.Context, growth.Call) error { return nil }
func (unkept) End(context.Context, growth.Call)         {}

func TestSimulatedScoreSaysSoWhenItIsReused(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	p.qualifies(w)
	id := p.lead(bistro())
	for _, reused := range []bool{false, true} {
		j := p.becomes(p.enqueue(tasks.QualifyArgs{LeadID: id}, growth.JobOptions{}), growth.JobSucceeded)
		if q := result[growth.Qualification](t, j); !q.Simulated || !j.Simulated || q.Reused != reused {
			t.Errorf("reused %v: simulated %v, of the job %v", q.Reused, q.Simulated, j.Simulated)
		}
	}
}

func TestSimulatedScoresEndWithTheSimulator(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	p.qualifies(w)
	id := p.lead(bistro())
	p.becomes(p.enqueue(tasks.QualifyArgs{LeadID: id}, growth.JobOptions{}), growth.JobSucceeded)

	out, err := p.queue.Rescore(t.Context(), p.ws.ID, tasks.Rescore{})
	p.must(err)
	if out.Unchanged != 1 {
		t.Errorf("with the simulator: %+v", out)
	}
	p.stop()
	for _, s := range p.servers {
		s.Shutdown()
	}
	p = newPlantOn(t, p.s, p.ws, p.rdb)
	tasks.AddWorker(p.runner, tasks.QualifyWorker{Store: p.s, Chain: w.chain(), Live: true})
	p.relays().serves(growth.JobLeadQualification)
	asked := len(p.becomes(p.enqueue(tasks.QualifyArgs{LeadID: id}, growth.JobOptions{}), growth.JobSucceeded).Calls)
	if asked == 0 {
		t.Error("the simulator's score was reused")
	}
	out, err = p.queue.Rescore(t.Context(), p.ws.ID, tasks.Rescore{Live: true})
	p.must(err)
	if out.Enqueued != 1 {
		t.Errorf("without the simulator: %+v; want its score made again", out)
	}
}

func TestSimulatedAnswersAreNotFoundWithoutTheSimulator(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPlant(t)
	chain := func(live bool) *router.Router {
		kept, err := cache.New(p.rdb, cache.Settings{Live: live})
		p.must(err)
		t.Cleanup(kept.Close)
		return w.chain(func(c *router.Config) { c.Cache = kept })
	}
	req := router.Request{
		Task: growth.TaskSimple, Workspace: p.ws.ID, Cache: router.CacheExact, Ledger: unkept{},
		Messages: []growth.Message{{Role: "user", Content: "Say hello."}},
	}
	for i, want := range []router.CachedAs{router.CachedNo, router.CachedExact, router.CachedNo, router.CachedNo} {
		a, err := chain(i > 1).Complete(t.Context(), req)
		p.must(err)
		if a.Cached != want {
			t.Errorf("call %d: cached %s, want %s", i, a.Cached, want)
		}
	}
}
