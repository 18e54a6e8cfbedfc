package store_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

// backlog accepts n jobs in one batch.
func (b *bed) backlog(n int) []growth.JobID {
	b.tb.Helper()
	jobs := make([]store.NewJob, n)
	for i := range jobs {
		jobs[i] = newJob()
	}
	out, err := b.sc.Accept(b.ctx, jobs)
	b.must(err)
	ids := make([]growth.JobID, n)
	for i, a := range out {
		ids[i] = a.ID
	}
	return ids
}

func of(list []store.Handover, ws growth.WorkspaceID) int {
	n := 0
	for _, h := range list {
		if h.Workspace == ws {
			n++
		}
	}
	return n
}

func TestHandOverDoesNotLetABacklogStandBeforeOthers(t *testing.T) {
	t.Parallel()
	big := newBed(t)
	small := big.neighbour()
	big.backlog(1000)
	lone := small.accept()
	got := big.handOver(50)
	if of(got, big.ws.ID) != 25 || of(got, small.ws.ID) != 1 {
		t.Fatalf("first round: %d of the backlog, %d of the other; want its half of the room and 1", of(got, big.ws.ID), of(got, small.ws.ID))
	}
	if i := slices.IndexFunc(got, func(h store.Handover) bool { return h.ID == lone }); i < 0 {
		t.Error("the lone job is not in the first round")
	}
	if again := big.handOver(25); len(again) != 0 {
		t.Errorf("%d more although the lane is full", len(again))
	}
	c := big.claim(got[0].ID)
	if got[0].ID == lone {
		c = big.claim(got[1].ID)
	}
	big.must(big.s.Finish(big.ctx, c.Job, c.Fence, store.Outcome{State: growth.JobSucceeded}))
	if again := big.handOver(25); len(again) != 1 {
		t.Errorf("%d after one has ended; want 1", len(again))
	}
}

func TestHandOverKeepsTheOrderOfAcceptance(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	want := b.backlog(20)
	var got []growth.JobID
	for _, h := range b.handOver(20) {
		got = append(got, h.ID)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestHandOverGivesEachPriorityALaneAndAWindow(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	want := map[string]int{"qualification": 2, "qualification:high": 2, "qualification:low": 2, "content": 2}
	for _, p := range []growth.Priority{growth.PriorityHigh, growth.PriorityNormal, growth.PriorityLow} {
		for range 3 {
			b.accept(func(j *store.NewJob) { j.Options.Priority = p })
		}
	}
	for range 3 {
		b.accept(func(j *store.NewJob) { j.Type = growth.JobContentGeneration })
	}
	got := map[string]int{}
	for _, h := range b.handOver(2) {
		got[h.Lane]++
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lanes (-want +got):\n%s", diff)
	}
}

func TestHandOverKeepsWhatRedisDidNotTake(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	ids := b.backlog(3)
	round, err := b.s.HandOver(b.ctx, room(10), func([]store.Handover) []bool { return []bool{true, false, false} })
	b.must(err)
	if round.Marked != 1 || !round.Failed || !b.row(ids[0]).Dispatched || b.row(ids[1]).Dispatched {
		t.Errorf("marked %d: %+v %+v", round.Marked, b.row(ids[0]), b.row(ids[1]))
	}
	if got := b.handOver(10); len(got) != 2 {
		t.Errorf("%d in the second round; want the 2 that are left", len(got))
	}
}

func TestHandOverLeavesEndedAndRunningJobsAlone(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	canceled, running := b.accept(), b.accept()
	_, err := b.sc.CancelJob(b.ctx, canceled)
	b.must(err)
	b.claim(running) // by the fast path, before any hand-over
	if got := b.handOver(10); len(got) != 0 {
		t.Errorf("handed over %+v; want nothing", got)
	}
}

func TestRelaysShareTheWork(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	ids := b.backlog(500)
	var mu sync.Mutex
	seen := map[growth.JobID]int{}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				round, err := b.s.HandOver(t.Context(), room(1000), func(due []store.Handover) []bool {
					mu.Lock()
					defer mu.Unlock()
					for _, d := range due {
						seen[d.ID]++
					}
					return all(len(due))
				})
				if err != nil {
					t.Error(err)
				}
				if err != nil || round.Marked == 0 {
					return
				}
			}
		})
	}
	wg.Wait()
	for _, id := range ids {
		if seen[id] != 1 {
			t.Fatalf("job %s was sent %d times; want once", id, seen[id])
		}
	}
}
