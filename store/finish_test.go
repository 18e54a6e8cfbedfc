package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/store"
)

func TestFinish(t *testing.T) {
	t.Parallel()
	soon := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
	for _, tc := range []struct {
		name    string
		outcome store.Outcome
		want    row
		waiting *growth.Waiting
		fault   *growth.JobError
		runAt   time.Time
		events  []string
	}{
		{
			name: "succeeded", outcome: store.Outcome{State: growth.JobSucceeded, Result: json.RawMessage(`{"a": 1}`)},
			want: row{State: growth.JobSucceeded, Fence: 1, Attempts: 1, Dispatched: true, Finished: true}, events: []string{"job.succeeded"},
		},
		{
			name:    "failed",
			outcome: store.Outcome{State: growth.JobFailed, Err: &growth.JobError{Code: growth.Invalid, Message: "no"}},
			want:    row{State: growth.JobFailed, Fence: 1, Attempts: 1, Dispatched: true, Finished: true},
			fault:   &growth.JobError{Code: growth.Invalid, Message: "no"}, events: []string{"job.failed"},
		},
		{
			name: "canceled", outcome: store.Outcome{State: growth.JobCanceled},
			want: row{State: growth.JobCanceled, Fence: 1, Attempts: 1, Dispatched: true, Finished: true}, events: []string{"job.canceled"},
		},
		{
			name:    "retrying by asynq",
			outcome: store.Outcome{State: growth.JobRetrying, RunAt: soon, Err: &growth.JobError{Code: growth.Unavailable, Message: "down"}},
			want:    row{State: growth.JobRetrying, Fence: 1, Attempts: 1, Dispatched: true},
			fault:   &growth.JobError{Code: growth.Unavailable, Message: "down", Retryable: true}, runAt: soon, events: []string{},
		},
		{
			name:    "retrying by the relay",
			outcome: store.Outcome{State: growth.JobRetrying, RunAt: soon, Redeliver: true},
			want:    row{State: growth.JobRetrying, Epoch: 1, Fence: 1, Attempts: 1}, runAt: soon, events: []string{},
		},
		{
			name:    "waiting until a time",
			outcome: store.Outcome{State: growth.JobWaiting, Waiting: growth.WaitQuota, RunAt: soon, Refund: true},
			want:    row{State: growth.JobWaiting, Fence: 1, Dispatched: true}, runAt: soon,
			waiting: &growth.Waiting{Reason: growth.WaitQuota, Until: &soon}, events: []string{},
		},
		{
			name:    "waiting for a person",
			outcome: store.Outcome{State: growth.JobWaiting, Waiting: growth.WaitApproval, Refund: true, Redeliver: true},
			want:    row{State: growth.JobWaiting, Epoch: 1, Fence: 1},
			waiting: &growth.Waiting{Reason: growth.WaitApproval}, events: []string{},
		},
		{
			name:    "handed back",
			outcome: store.Outcome{State: growth.JobQueued, RunAt: soon, Refund: true, Redeliver: true},
			want:    row{State: growth.JobQueued, Epoch: 1, Fence: 1}, runAt: soon, events: []string{},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			id := b.accept()
			b.end(b.claim(id), tc.outcome)
			if diff := cmp.Diff(tc.want, b.row(id)); diff != "" {
				t.Errorf("row (-want +got):\n%s", diff)
			}
			j := b.job(id)
			if diff := cmp.Diff(tc.waiting, j.Waiting); diff != "" {
				t.Errorf("waiting (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.fault, j.Error); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(string(tc.outcome.Result), string(j.Result)); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			if !tc.runAt.IsZero() && !j.RunAt.Equal(tc.runAt) {
				t.Errorf("run_at = %v; want %v", j.RunAt, tc.runAt)
			}
			if diff := cmp.Diff(tc.events, b.events(id)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFinishIsOneCommit(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	id := b.accept()
	c := b.claim(id)
	broken := errors.New("the rows of the result cannot be written")
	err := b.s.Finish(b.ctx, c.Job, c.Fence, store.Outcome{
		State: growth.JobSucceeded, Calls: []growth.Call{started(b, id)}, Events: []store.NewEvent{{Type: "x", Data: json.RawMessage(`{}`)}},
		Save: func(context.Context, *store.Tx) error { return broken },
	})
	if !errors.Is(err, broken) {
		t.Fatalf("error = %v; want the one of Save", err)
	}
	if r := b.row(id); r.State != growth.JobRunning {
		t.Errorf("state = %s; want running", r.State)
	}
	if n := b.count(`SELECT (SELECT count(*) FROM calls) + (SELECT count(*) FROM events)`); n != 0 {
		t.Errorf("%d rows of a result that was not saved", n)
	}
}

func TestFinishTwiceIsDiscarded(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	id := b.accept()
	c := b.claim(id)
	b.end(c, store.Outcome{State: growth.JobSucceeded, Result: json.RawMessage(`1`)})
	wantLost(t, b.s.Finish(b.ctx, c.Job, c.Fence, store.Outcome{State: growth.JobFailed}))
	if j := b.job(id); j.State != growth.JobSucceeded || string(j.Result) != "1" {
		t.Errorf("job = %s %s; want the first end", j.State, j.Result)
	}
}

func TestEndOfAJobEnqueuesItsCallback(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		end  func(b *bed, id growth.JobID)
	}{
		{"succeeded", func(b *bed, id growth.JobID) { b.end(b.claim(id), store.Outcome{State: growth.JobSucceeded}) }},
		{"failed", func(b *bed, id growth.JobID) { b.end(b.claim(id), store.Outcome{State: growth.JobFailed}) }},
		{"canceled while queued", func(b *bed, id growth.JobID) { b.cancel(id) }},
		{"canceled while running", func(b *bed, id growth.JobID) {
			c := b.claim(id)
			b.cancel(id)
			b.end(c, store.Outcome{State: growth.JobRetrying, RunAt: time.Now()})
		}},
		{"worker died on its last attempt", func(b *bed, id growth.JobID) {
			b.exec(`UPDATE jobs SET max_attempts = 1`)
			b.claim(id)
			b.expire(id)
			b.sweep()
		}},
		{"worker of a canceled job died", func(b *bed, id growth.JobID) { b.claim(id); b.cancel(id); b.expire(id); b.sweep() }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			id := b.accept(func(j *store.NewJob) { j.Options.CallbackURL = "https://example.com/hook" })
			tc.end(b, id)
			if s := b.row(id).State; !s.Final() {
				t.Fatalf("state = %s; want an end", s)
			}
			list, err := b.sc.Jobs(b.ctx, store.JobFilter{Type: growth.JobCallback}, store.Page{})
			b.must(err)
			if len(list) != 1 {
				t.Fatalf("%d callbacks; want 1", len(list))
			}
			var in struct {
				JobID growth.JobID `json:"job_id"`
				URL   string       `json:"url"`
			}
			b.must(json.Unmarshal(list[0].Input, &in))
			if in.JobID != id || in.URL != "https://example.com/hook" {
				t.Errorf("callback = %+v", in)
			}
		})
	}
}

func TestCallbackHasNoCallback(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	id := b.accept(func(j *store.NewJob) { j.Type, j.Options.CallbackURL = growth.JobCallback, "https://example.com" })
	b.end(b.claim(id), store.Outcome{State: growth.JobSucceeded})
	if n := b.count(`SELECT count(*) FROM jobs`); n != 1 {
		t.Errorf("%d jobs; a callback made another one", n)
	}
}

func TestRetryJobGivesANewRunOfAttempts(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	id := b.accept(unique("u"))
	wantCode(t, b.sc.RetryJob(b.ctx, id), growth.Conflict)
	b.end(b.claim(id), store.Outcome{State: growth.JobFailed, Err: &growth.JobError{Code: growth.Refused, Message: "no"}})
	b.must(b.sc.RetryJob(b.ctx, id))
	if diff := cmp.Diff(row{State: growth.JobQueued, Epoch: 1, Fence: 1}, b.row(id)); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
	if j := b.job(id); j.Error != nil {
		t.Errorf("error = %+v; want none", j.Error)
	}
	if got := b.handOver(10); len(got) != 1 || got[0].Epoch != 1 {
		t.Errorf("handed over %+v; want epoch 1", got)
	}
	b.end(b.claim(id), store.Outcome{State: growth.JobFailed})
	b.accept(unique("u"))
	wantCode(t, b.sc.RetryJob(b.ctx, id), growth.Conflict)
}

func TestPurgeDropsWhatIsPastItsRetention(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	old, young := b.accept(keyed("k", "x")), b.accept()
	unfinished := b.accept()
	for _, id := range []growth.JobID{old, young} {
		b.end(b.claim(id), store.Outcome{State: growth.JobSucceeded})
	}
	b.exec(`UPDATE jobs SET finished_at = now() - interval '91 days' WHERE id = $1`, old)
	b.exec(`UPDATE events SET created_at = now() - interval '91 days' WHERE job_id = $1`, old)
	n, err := b.s.Purge(b.ctx, 90*24*time.Hour)
	b.must(err)
	_, err = b.sc.Job(b.ctx, old)
	wantCode(t, err, growth.NotFound)
	b.job(young)
	b.job(unfinished)
	if n != 2 || b.count(`SELECT count(*) FROM events`) != 1 {
		t.Errorf("purged %d rows; want the job and its event", n)
	}
}

// Two holds on one job can end in one statement: the late one writes nothing, whatever the owner's end does beside it.
func TestLateFinishBesideTheOwners(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	for range 30 {
		id := b.accept()
		late := b.claim(id)
		b.expire(id)
		owner := b.claim(id)
		var wg sync.WaitGroup
		var lateErr, ownErr error
		wg.Go(func() {
			lateErr = b.s.Finish(b.ctx, late.Job, late.Fence, store.Outcome{
				State: growth.JobSucceeded, Steps: map[string]json.RawMessage{"late": json.RawMessage(`1`)},
				Events: []store.NewEvent{{Type: "late", Data: json.RawMessage(`{}`)}},
			})
		})
		wg.Go(func() { ownErr = b.s.Finish(b.ctx, owner.Job, owner.Fence, store.Outcome{State: growth.JobSucceeded}) })
		wg.Wait()
		if !errors.Is(lateErr, store.ErrLeaseLost) || ownErr != nil {
			t.Fatalf("late: %v, owner: %v", lateErr, ownErr)
		}
	}
	if n := b.count(`SELECT (SELECT count(*) FROM job_steps) + (SELECT count(*) FROM events WHERE type = 'late')`); n != 0 {
		t.Errorf("the late ones wrote %d rows", n)
	}
}

// A step may have no result worth a word: null is one like any other.
func TestStepWithoutAResultIsKept(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	id := b.accept()
	c := b.claim(id)
	b.must(b.s.SaveStep(b.ctx, id, c.Fence, "nothing", json.RawMessage(`null`), nil))
	b.end(c, store.Outcome{State: growth.JobRetrying, RunAt: time.Now()})
	if got, kept := b.claim(id).Steps["nothing"]; !kept || string(got) != "null" {
		t.Errorf("step = %q, %v", got, kept)
	}
}

// The first transactions of a process come all at once after a start with a backlog: none may wait for a connection
// that another one holds while it waits too.
func TestFirstFinishesDoNotStarveThePool(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	const n = 40
	claims := make([]store.Claimed, n)
	for i := range claims {
		claims[i] = b.claim(b.accept())
	}
	fresh, err := store.Open(b.ctx, testenv.Address(t, b.s), store.Options{MaxConns: 4})
	b.must(err)
	t.Cleanup(func() { _ = fresh.Close() })
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i, c := range claims {
		wg.Go(func() {
			errs[i] = fresh.Finish(ctx, c.Job, c.Fence, store.Outcome{
				State: growth.JobSucceeded, Save: func(context.Context, *store.Tx) error { return nil },
			})
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// Heartbeats and steps of the same jobs lock them in one order.
func TestBeatsAndStepsDoNotDeadlock(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	const n = 60
	var wg sync.WaitGroup
	for range n {
		c := b.claim(b.accept())
		wg.Go(func() {
			for range 15 {
				if _, err := b.s.Heartbeat(b.ctx, c.Job.ID, c.Fence, lease); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for i := range 15 {
				if err := b.s.SaveStep(b.ctx, c.Job.ID, c.Fence, strconv.Itoa(i), json.RawMessage(`1`), nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if k := b.count(`SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`); k != 0 {
		t.Errorf("%d deadlocks", k)
	}
}
