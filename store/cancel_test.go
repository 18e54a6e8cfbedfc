package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

func TestCancel(t *testing.T) {
	t.Parallel()
	later := time.Now().Add(time.Hour)
	for _, tc := range []struct {
		name    string
		prepare func(b *bed, id growth.JobID)
		want    growth.JobState // empty: a conflict
		after   growth.JobState
	}{
		{"queued", func(*bed, growth.JobID) {}, growth.JobCanceled, growth.JobCanceled},
		{"handed over", func(b *bed, _ growth.JobID) { b.handOver(10) }, growth.JobCanceled, growth.JobCanceled},
		{"scheduled", func(b *bed, id growth.JobID) {
			b.exec(`UPDATE jobs SET state = 'scheduled', run_at = $2 WHERE id = $1`, id, later)
		}, growth.JobCanceled, growth.JobCanceled},
		{"running", func(b *bed, id growth.JobID) { b.claim(id) }, growth.JobRunning, growth.JobRunning},
		{"retrying", func(b *bed, id growth.JobID) {
			b.end(b.claim(id), store.Outcome{State: growth.JobRetrying, RunAt: later})
		}, growth.JobCanceled, growth.JobCanceled},
		{"waiting for quota", func(b *bed, id growth.JobID) {
			b.end(b.claim(id), store.Outcome{State: growth.JobWaiting, Waiting: growth.WaitQuota, RunAt: later})
		}, growth.JobCanceled, growth.JobCanceled},
		{"waiting for a person", func(b *bed, id growth.JobID) {
			b.end(b.claim(id), store.Outcome{State: growth.JobWaiting, Waiting: growth.WaitApproval})
		}, growth.JobCanceled, growth.JobCanceled},
		{"outcome unknown", func(b *bed, id growth.JobID) {
			b.end(b.claim(id), store.Outcome{State: growth.JobWaiting, Waiting: growth.WaitOutcomeUnknown})
		}, "", growth.JobWaiting},
		{"succeeded", func(b *bed, id growth.JobID) { b.end(b.claim(id), store.Outcome{State: growth.JobSucceeded}) }, "", growth.JobSucceeded},
		{"canceled", func(b *bed, id growth.JobID) { b.cancel(id) }, "", growth.JobCanceled},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			id := b.accept()
			tc.prepare(b, id)
			got, err := b.sc.CancelJob(b.ctx, id)
			if tc.want == "" {
				wantCode(t, err, growth.Conflict)
			} else {
				b.must(err)
			}
			if got != tc.want || b.row(id).State != tc.after {
				t.Errorf("answer %q, row %s; want %q, %s", got, b.row(id).State, tc.want, tc.after)
			}
		})
	}
}

// Whatever the running attempt wanted next, a job that was asked to stop ends there, unless its work is done or nobody
// knows what it did.
func TestCancelWhileRunningDecidesAtTheEnd(t *testing.T) {
	t.Parallel()
	later := time.Now().Add(time.Hour)
	for _, tc := range []struct {
		name    string
		outcome store.Outcome
		want    growth.JobState
		events  []string
	}{
		{"done", store.Outcome{State: growth.JobSucceeded}, growth.JobSucceeded, []string{"job.succeeded"}},
		{"failed", store.Outcome{State: growth.JobFailed}, growth.JobFailed, []string{"job.failed"}},
		{"retrying", store.Outcome{State: growth.JobRetrying, RunAt: later}, growth.JobCanceled, []string{"job.canceled"}},
		{"waiting", store.Outcome{State: growth.JobWaiting, Waiting: growth.WaitQuota, RunAt: later}, growth.JobCanceled, []string{"job.canceled"}},
		{"handed back", store.Outcome{State: growth.JobQueued, RunAt: later, Redeliver: true, Refund: true}, growth.JobCanceled, []string{"job.canceled"}},
		{"outcome unknown", store.Outcome{State: growth.JobWaiting, Waiting: growth.WaitOutcomeUnknown}, growth.JobWaiting, []string{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			id := b.accept()
			c := b.claim(id)
			b.cancel(id)
			b.end(c, tc.outcome)
			r := b.row(id)
			if r.State != tc.want || r.Finished != tc.want.Final() {
				t.Errorf("row = %+v; want %s", r, tc.want)
			}
			if diff := cmp.Diff(tc.events, b.events(id)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if got := b.handOver(10); len(got) != 0 {
				t.Errorf("handed over %+v", got)
			}
		})
	}
}
