package store_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

func TestClaim(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		prepare func(b *bed, id growth.JobID)
		epoch   int
		want    bool
	}{
		{"handed over", func(b *bed, _ growth.JobID) { b.handOver(10) }, 0, true},
		{"by the fast path", func(*bed, growth.JobID) {}, 0, true},
		{"second delivery", func(b *bed, id growth.JobID) { b.claim(id) }, 0, false},
		{"lease expired", func(b *bed, id growth.JobID) { b.claim(id); b.expire(id) }, 0, true},
		{"older hand-over", func(b *bed, id growth.JobID) { b.redispatch(id) }, 0, false},
		{"newer hand-over", func(b *bed, id growth.JobID) { b.redispatch(id) }, 1, true},
		{"canceled", func(b *bed, id growth.JobID) { b.cancel(id) }, 0, false},
		{"canceled while running, lease expired", func(b *bed, id growth.JobID) { b.claim(id); b.cancel(id); b.expire(id) }, 0, false},
		{"succeeded", func(b *bed, id growth.JobID) { b.end(b.claim(id), store.Outcome{State: growth.JobSucceeded}) }, 0, false},
		{"failed", func(b *bed, id growth.JobID) { b.end(b.claim(id), store.Outcome{State: growth.JobFailed}) }, 0, false},
		{"retrying", func(b *bed, id growth.JobID) {
			b.end(b.claim(id), store.Outcome{State: growth.JobRetrying, RunAt: time.Now().Add(time.Second)})
		}, 0, true},
		{"waiting and due", func(b *bed, id growth.JobID) {
			b.end(b.claim(id), store.Outcome{State: growth.JobWaiting, Waiting: growth.WaitQuota, RunAt: time.Now()})
		}, 0, true},
		{"waiting and not due", func(b *bed, id growth.JobID) {
			b.end(b.claim(id), store.Outcome{State: growth.JobWaiting, Waiting: growth.WaitQuota, RunAt: time.Now().Add(time.Minute)})
		}, 0, false},
		{"waiting for a person", func(b *bed, id growth.JobID) {
			b.end(b.claim(id), store.Outcome{State: growth.JobWaiting, Waiting: growth.WaitApproval})
		}, 0, false},
		{"handed back", func(b *bed, id growth.JobID) {
			b.end(b.claim(id), store.Outcome{State: growth.JobQueued, RunAt: time.Now(), Redeliver: true, Refund: true})
		}, 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			id := b.accept()
			tc.prepare(b, id)
			before := b.row(id)
			c, ok, err := b.s.Claim(b.ctx, id, tc.epoch, "worker", lease)
			b.must(err)
			after := b.row(id)
			switch {
			case ok != tc.want:
				t.Fatalf("claimed = %v; want %v (row %+v)", ok, tc.want, before)
			case !ok && after != before:
				t.Errorf("a refused claim changed the row from %+v to %+v", before, after)
			case ok && (after.State != growth.JobRunning || after.Fence != before.Fence+1 || after.Attempts != before.Attempts+1 || !after.Leased || !after.Dispatched):
				t.Errorf("row after the claim = %+v, before %+v", after, before)
			case ok && (c.Fence != after.Fence || c.Job.ID != id || c.Timeout != time.Minute):
				t.Errorf("claim = %+v", c)
			}
		})
	}
}

// redispatch hands a job over, and over again as if Redis had lost it.
func (b *bed) redispatch(id growth.JobID) {
	b.tb.Helper()
	b.handOver(10)
	n, err := b.s.Redispatch(b.ctx, []store.Dispatched{{ID: id, Epoch: b.row(id).Epoch}})
	b.must(err)
	if n != 1 {
		b.tb.Fatalf("redispatched %d jobs; want 1", n)
	}
	b.handOver(10)
}

func (b *bed) cancel(id growth.JobID) {
	b.tb.Helper()
	_, err := b.sc.CancelJob(b.ctx, id)
	b.must(err)
}

func (b *bed) end(c store.Claimed, o store.Outcome) {
	b.tb.Helper()
	b.must(b.s.Finish(b.ctx, c.Job, c.Fence, o))
}

func TestClaimOfAnUnknownJobIsNoError(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	if _, ok, err := b.s.Claim(b.ctx, growth.JobID(growth.NewID()), 0, "worker", lease); ok || err != nil {
		t.Errorf("claimed = %v, %v; want nothing to do", ok, err)
	}
}

// A database that does not answer must not look like "nothing to do": the delivery would be dropped.
func TestClaimErrorIsNoAnswer(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	if _, ok, err := b.s.Claim(ctx, b.accept(), 0, "worker", lease); ok || err == nil {
		t.Errorf("claimed = %v, %v; want an error", ok, err)
	}
}

func TestOnlyOneOfTwentyClaims(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	id := b.accept()
	_, yes := atOnce(t, 20, func(ctx context.Context) (growth.JobID, bool, error) {
		_, ok, err := b.s.Claim(ctx, id, 0, "worker", lease)
		return id, ok, err
	})
	if yes != 1 {
		t.Errorf("%d of 20 claimed the job; want 1", yes)
	}
}

func TestHeartbeat(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	id := b.accept()
	c := b.claim(id)
	b.expire(id)
	cancel, err := b.s.Heartbeat(b.ctx, id, c.Fence, lease)
	if err != nil || cancel {
		t.Fatalf("heartbeat = %v, %v", cancel, err)
	}
	if n := b.count(`SELECT count(*) FROM jobs WHERE lease_until > now() + interval '30 seconds'`); n != 1 {
		t.Error("the lease was not extended")
	}
	b.cancel(id)
	if cancel, err = b.s.Heartbeat(b.ctx, id, c.Fence, lease); err != nil || !cancel {
		t.Errorf("heartbeat of a job that was asked to stop = %v, %v", cancel, err)
	}
	_, err = b.s.Heartbeat(b.ctx, id, c.Fence-1, lease)
	wantLost(t, err)
	b.end(c, store.Outcome{State: growth.JobSucceeded})
	_, err = b.s.Heartbeat(b.ctx, id, c.Fence, lease)
	wantLost(t, err)
}

func TestLateWorkerWritesNothing(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	id := b.accept()
	late := b.claim(id)
	b.expire(id)
	now := b.claim(id)
	call := started(b, id)
	call.Status, call.Decision = growth.CallOK, growth.DecisionAnswered
	wantLost(t, b.s.SaveStep(b.ctx, id, late.Fence, "one", json.RawMessage(`1`), []growth.Call{call}))
	saved := false
	wantLost(t, b.s.Finish(b.ctx, late.Job, late.Fence, store.Outcome{
		State: growth.JobSucceeded, Result: json.RawMessage(`1`), Calls: []growth.Call{call},
		Save: func(context.Context, *store.Tx) error { saved = true; return nil },
	}))
	if n := b.count(`SELECT (SELECT count(*) FROM job_steps) + (SELECT count(*) FROM calls) + (SELECT count(*) FROM events)`); n != 0 || saved {
		t.Errorf("%d rows written, saved %v; want nothing", n, saved)
	}
	if r := b.row(id); r.State != growth.JobRunning || r.Fence != now.Fence {
		t.Errorf("row = %+v; want the second worker's", r)
	}
}

func TestStepsAreKeptAcrossAttempts(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	id := b.accept()
	first := b.claim(id)
	b.must(b.s.SaveStep(b.ctx, id, first.Fence, "one", json.RawMessage(`{"n": 1}`), nil))
	b.end(first, store.Outcome{State: growth.JobRetrying, RunAt: time.Now()})
	second := b.claim(id)
	if got := string(second.Steps["one"]); got != `{"n": 1}` {
		t.Errorf("step of the first attempt = %q", got)
	}
	if second.Job.Attempts != 2 {
		t.Errorf("attempts = %d; want 2", second.Job.Attempts)
	}
}

// The answer to a commit can be lost on the way; whoever tries again must find the step saved, and not a conflict.
func TestStepSavedTwiceIsSavedOnce(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	id := b.accept()
	c := b.claim(id)
	for range 2 {
		if err := b.s.SaveStep(b.ctx, id, c.Fence, "one", json.RawMessage(`1`), nil); err != nil {
			t.Fatalf("save step: %v", err)
		}
	}
	if n := b.count(`SELECT count(*) FROM job_steps`); n != 1 {
		t.Errorf("%d steps; want 1", n)
	}
}

// asynq's recoverer may be faster than the sweep: what the dead worker had in flight is unknown all the same.
func TestTakeoverMarksTheCallsOfTheDeadWorker(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	id := b.accept()
	c := b.claim(id)
	b.must(b.s.StartCall(b.ctx, started(b, id), c.Fence))
	b.expire(id)
	b.claim(id)
	if got := b.job(id).Calls[0].Status; got != growth.CallUnknown {
		t.Errorf("call of the dead worker is %s; want unknown", got)
	}
}

func TestTakeoverKeepsTheBoundOfAttempts(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	id := b.accept(func(j *store.NewJob) { j.Options.MaxAttempts = 1 })
	b.claim(id)
	b.expire(id)
	if c, ok, err := b.s.Claim(b.ctx, id, 0, "worker", lease); err != nil || ok {
		t.Errorf("attempt %d of 1 was begun (%v)", c.Job.Attempts, err)
	}
}
