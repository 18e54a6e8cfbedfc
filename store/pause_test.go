package store_test

import (
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

func TestPausedQueueStandsStillForItsWorkspaceOnly(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	other := b.neighbour()
	queue := growth.JobContentGeneration.Queue()
	if q := newJob().Type.Queue(); q != queue {
		queue = q
	}
	early := b.accept()
	b.handOver(10) // lies in Redis when the pause begins
	b.must(b.sc.Pause(b.ctx, queue, "test"))
	b.must(b.sc.Pause(b.ctx, queue, "test"))
	late, others := b.accept(), other.accept()
	got := b.handOver(10)
	if len(got) != 1 || got[0].ID != others {
		t.Errorf("handed over %v; want the other workspace's job alone", got)
	}
	if _, ok, err := b.s.Claim(b.ctx, early, 0, "w", time.Minute); err != nil || ok {
		t.Errorf("a job of the paused queue was claimed: %v, %v", ok, err)
	}
	states, err := b.sc.QueueStates(b.ctx)
	b.must(err)
	for _, s := range states {
		if s.Queue == queue && (!s.Paused || s.PausedAll || s.Jobs[string(growth.JobQueued)] != 2) {
			t.Errorf("state = %+v", s)
		}
	}
	b.must(b.sc.Resume(b.ctx, queue))
	if got := b.handOver(10); len(got) != 2 {
		t.Errorf("after resuming %d jobs were handed over; want %s and %s", len(got), early, late)
	}
}

func TestPauseForAllStopsEveryWorkspace(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	other := b.neighbour()
	queue := newJob().Type.Queue()
	b.must(b.s.PauseAll(b.ctx, queue, "test"))
	b.accept()
	other.accept()
	if got := b.handOver(10); len(got) != 0 {
		t.Errorf("%d jobs were handed over", len(got))
	}
	b.must(b.s.ResumeAll(b.ctx, queue))
	if got := b.handOver(10); len(got) != 2 {
		t.Errorf("%d jobs were handed over after resuming, want 2", len(got))
	}
}

func TestRetryAllTakesFailedJobsOnly(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	failed, fine := b.accept(), b.accept()
	b.handOver(10)
	for id, state := range map[growth.JobID]growth.JobState{failed: growth.JobFailed, fine: growth.JobSucceeded} {
		c := b.claim(id)
		b.must(b.s.Finish(b.ctx, c.Job, c.Fence, store.Outcome{State: state, Err: &growth.JobError{Code: growth.Internal, Message: "x"}}))
	}
	n, err := b.sc.RetryAll(b.ctx, store.JobFilter{State: growth.JobFailed}, 200)
	b.must(err)
	if n != 1 {
		t.Errorf("%d jobs were tried again, want 1", n)
	}
	if got := b.handOver(10); len(got) != 1 || got[0].ID != failed || got[0].Attempts != 0 {
		t.Errorf("handed over %v; want the failed job with no attempt used", got)
	}
}
