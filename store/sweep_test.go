package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

func (b *bed) sweep() store.Rescued {
	b.tb.Helper()
	n, err := b.s.SweepLeases(b.ctx)
	b.must(err)
	return n
}

func TestSweepGivesTheJobOfADeadWorkerToAnother(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	id := b.accept()
	b.handOver(10)
	c := b.claim(id)
	b.must(b.s.StartCall(b.ctx, started(b, id), c.Fence))
	if n := b.sweep(); n != (store.Rescued{}) {
		t.Fatalf("a live lease was swept: %+v", n)
	}
	b.expire(id)
	if n := b.sweep(); n != (store.Rescued{Requeued: 1}) {
		t.Fatalf("swept %+v; want one requeued", n)
	}
	if diff := cmp.Diff(row{State: growth.JobQueued, Epoch: 1, Fence: 1, Attempts: 1}, b.row(id)); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
	if got := b.job(id).Calls[0]; got.Status != growth.CallUnknown || got.Code != "worker_lost" || got.Cost.USD != nil {
		t.Errorf("call in flight = %+v; want unknown", got)
	}
	if got := b.handOver(10); len(got) != 1 || got[0].Epoch != 1 || got[0].Attempts != 1 {
		t.Errorf("handed over %+v; want epoch 1 after attempt 1", got)
	}
}

// The trap: a job that was taken before the relay's mark was set runs with an empty mark when its worker dies.
func TestSweepLooksAtTheLeaseAlone(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	id := b.accept()
	b.claim(id)
	b.expire(id)
	b.exec(`UPDATE jobs SET dispatched_at = NULL WHERE id = $1`, id)
	if got := b.handOver(10); len(got) != 0 {
		t.Fatalf("a running job was handed over: %+v", got)
	}
	if n := b.sweep(); n.Requeued != 1 {
		t.Fatalf("swept %+v; want one requeued", n)
	}
	if got := b.handOver(10); len(got) != 1 {
		t.Errorf("handed over %+v; want the job", got)
	}
}

func TestSweepFailsAJobWhoseAttemptsAreUsedUp(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	id := b.accept(func(j *store.NewJob) { j.Options.MaxAttempts = 2 })
	for range 2 {
		b.claim(id)
		b.expire(id)
		b.sweep()
	}
	j := b.job(id)
	if j.State != growth.JobFailed || j.Attempts != 2 || j.Error == nil || j.Error.Code != growth.Internal {
		t.Errorf("job = %s after %d attempts, %+v; want failed", j.State, j.Attempts, j.Error)
	}
	if diff := cmp.Diff([]string{"job.failed"}, b.events(id)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestSweepEndsAJobThatWasAskedToStop(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	id := b.accept()
	b.claim(id)
	b.cancel(id)
	b.expire(id)
	b.sweep()
	if r := b.row(id); r.State != growth.JobCanceled || !r.Finished {
		t.Errorf("row = %+v; want canceled", r)
	}
	if diff := cmp.Diff([]string{"job.canceled"}, b.events(id)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// A post in flight may have been made: no machine sends it again.
func TestSweepLeavesAPostInFlightToAPerson(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*bed, growth.JobID){
		"worker died":               func(*bed, growth.JobID) {},
		"after it was asked to end": func(b *bed, id growth.JobID) { b.cancel(id) },
		"on its last attempt":       func(b *bed, _ growth.JobID) { b.exec(`UPDATE jobs SET max_attempts = 1`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			p := b.publishing()
			prepare(b, p.JobID)
			b.expire(p.JobID)
			if n := b.sweep(); n != (store.Rescued{Unknown: 1}) {
				t.Fatalf("swept %+v; want one unknown", n)
			}
			j := b.job(p.JobID)
			if j.State != growth.JobWaiting || j.Waiting.Reason != growth.WaitOutcomeUnknown || j.Waiting.Until != nil {
				t.Errorf("job = %s %+v; want waiting for a person", j.State, j.Waiting)
			}
			if got := b.publication(p.ID); got.State != growth.PublicationUnknown {
				t.Errorf("publication is %s; want unknown", got.State)
			}
			if got := b.handOver(10); len(got) != 0 {
				t.Errorf("handed over %+v", got)
			}
			if diff := cmp.Diff([]string{"post.unknown"}, b.events(p.JobID)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStrandedNamesWhatRedisMayHaveLost(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	lost, retrying, waitsLong, running, fresh, ended := b.accept(), b.accept(), b.accept(), b.accept(), b.accept(), b.accept()
	b.handOver(10)
	b.end(b.claim(retrying), store.Outcome{State: growth.JobRetrying, RunAt: time.Now().Add(-time.Minute)})
	b.end(b.claim(waitsLong), store.Outcome{State: growth.JobWaiting, Waiting: growth.WaitQuota, RunAt: time.Now().Add(time.Minute)})
	b.claim(running)
	b.end(b.claim(ended), store.Outcome{State: growth.JobSucceeded})
	b.exec(`UPDATE jobs SET dispatched_at = now() - interval '1 minute', run_at = least(run_at, CASE WHEN state = 'waiting' THEN run_at ELSE now() - interval '1 minute' END) WHERE id <> $1`, fresh)
	got, err := b.s.Stranded(b.ctx, 15*time.Second, "", 10)
	b.must(err)
	want := []store.Dispatched{{ID: lost, Lane: "qualification"}, {ID: retrying, Lane: "qualification"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stranded (-want +got):\n%s", diff)
	}
	next, err := b.s.Stranded(b.ctx, 15*time.Second, lost, 10)
	b.must(err)
	if len(next) != 1 || next[0].ID != retrying {
		t.Errorf("after the first: %+v", next)
	}
	_ = running
}

func TestRedispatchSparesWhatHasMovedSince(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	lost, taken, undone, again := b.accept(), b.accept(), b.accept(), b.accept()
	b.handOver(10)
	b.claim(taken)
	b.exec(`UPDATE jobs SET dispatched_at = NULL WHERE id = $1`, undone)
	b.exec(`UPDATE jobs SET epoch = 3 WHERE id = $1`, again)
	n, err := b.s.Redispatch(b.ctx, []store.Dispatched{{ID: lost}, {ID: taken}, {ID: undone}, {ID: again}})
	b.must(err)
	if n != 1 {
		t.Errorf("%d redispatched; want the lost one", n)
	}
	if r := b.row(lost); r.Epoch != 1 || r.Dispatched || r.State != growth.JobQueued {
		t.Errorf("lost = %+v", r)
	}
	if r := b.row(taken); r.Epoch != 0 || r.State != growth.JobRunning {
		t.Errorf("taken = %+v", r)
	}
	if _, ok, err := b.s.Claim(b.ctx, lost, 0, "worker", lease); err != nil || ok {
		t.Errorf("the entry that Redis had lost was claimed after all (%v)", err)
	}
}
