package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

// started is the row of a call that is about to be made.
func started(b *bed, job growth.JobID) growth.Call {
	return growth.Call{
		ID: growth.CallID(growth.NewID()), Workspace: b.ws.ID, JobID: job, Step: "extract", Task: growth.TaskQualification,
		Provider: "openrouter", Model: "m", Status: growth.CallStarted, Cost: growth.UnknownMoney("USD"),
		StartedAt: time.Now().UTC().Truncate(time.Millisecond), WalkID: growth.WalkID(growth.NewID()),
	}
}

// ended is how a started call came out.
func ended(c growth.Call, usd string) growth.Call {
	c.Status, c.Decision = growth.CallOK, growth.DecisionAnswered
	c.Usage = growth.Usage{PromptTokens: 10, CompletionTokens: 5, TotalTokens: 15}
	c.LatencyMS, c.Generation = 12, "gen-1"
	if usd != "" {
		c.Cost = growth.USD(decimal.RequireFromString(usd), growth.CostReported)
	}
	return c
}

var sameMoney = cmp.Comparer(func(a, b decimal.Decimal) bool { return a.Equal(b) })

func TestLedgerKeepsACallFromStartToEnd(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	id := b.accept()
	c := b.claim(id)
	call := started(b, id)
	b.must(b.s.StartCall(b.ctx, call, c.Fence))
	if got := b.job(id); got.Calls[0].Status != growth.CallStarted || got.Cost.USD != nil {
		t.Errorf("while in flight: %s, cost %v; want started and unknown", got.Calls[0].Status, got.Cost.USD)
	}
	want := ended(call, "0.000012345678")
	b.must(b.s.SaveStep(b.ctx, id, c.Fence, "extract", json.RawMessage(`1`), []growth.Call{want}))
	got := b.job(id)
	want.Workspace = ""
	if diff := cmp.Diff([]growth.Call{want}, got.Calls, sameMoney); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if !got.Cost.USD.Equal(decimal.RequireFromString("0.000012345678")) || got.Cost.Provenance != growth.CostReported {
		t.Errorf("cost = %+v", got.Cost)
	}
}

func TestUnknownCostIsNull(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	id := b.accept()
	c := b.claim(id)
	known, unknown := ended(started(b, id), "0.5"), ended(started(b, id), "")
	b.must(b.s.SaveStep(b.ctx, id, c.Fence, "one", json.RawMessage(`1`), []growth.Call{known, unknown}))
	if n := b.count(`SELECT count(*) FROM calls WHERE cost_usd IS NULL AND provenance = 'unknown'`); n != 1 {
		t.Errorf("%d unknown costs; want 1", n)
	}
	if j := b.job(id); j.Cost.Amount != nil || j.Cost.Provenance != growth.CostUnknown {
		t.Errorf("cost of the job = %+v; a sum with an unknown part is unknown", j.Cost)
	}
	costs, err := b.sc.CostOfJobs(b.ctx, []growth.JobID{id})
	b.must(err)
	if costs[id].USD != nil {
		t.Errorf("cost in the list = %+v; want unknown", costs[id])
	}
	tally, err := b.sc.TallyCalls(b.ctx, time.Now().Add(-time.Hour))
	b.must(err)
	if len(tally) != 1 || tally[0].Unknown != 1 || !tally[0].CostUSD.Equal(decimal.RequireFromString("0.5")) {
		t.Errorf("tally = %+v; want half a dollar and one unknown", tally)
	}
}

// saveCall writes a ledger row whoever owns the job.
func saveCall(b *bed, c growth.Call, fence int64) error {
	return b.s.InTx(b.ctx, func(tx *store.Tx) error { return tx.SaveCalls(b.ctx, []growth.Call{c}, fence) })
}

// A worker that has lost its job must not spend money on it, nor leave a row that nobody will end.
func TestWorkerThatLostItsJobStartsNoCall(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	id := b.accept()
	c := b.claim(id)
	b.expire(id)
	b.sweep()
	if err := b.s.StartCall(b.ctx, started(b, id), c.Fence); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("err = %v, want ErrLeaseLost", err)
	}
	if n := b.count(`SELECT count(*) FROM calls`); n != 0 {
		t.Errorf("%d rows, want none", n)
	}
}

// A step that was done and could not be kept in time is kept with the end of its attempt.
func TestEndOfAnAttemptKeepsWhatAStepCouldNot(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	id := b.accept()
	c := b.claim(id)
	b.must(b.s.Finish(b.ctx, c.Job, c.Fence, store.Outcome{
		State: growth.JobQueued, RunAt: time.Now().Add(-time.Second), Redeliver: true, Steps: map[string]json.RawMessage{"draft": json.RawMessage(`{"a":1}`)},
	}))
	again, ok, err := b.s.Claim(b.ctx, id, c.Epoch+1, "w", time.Minute)
	b.must(err)
	if !ok || string(again.Steps["draft"]) != `{"a": 1}` {
		t.Errorf("claimed %v with the steps %s", ok, again.Steps)
	}
}

func TestDatabaseRefusesACostOfNobodyKnowsWhere(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.must(b.s.StartCall(b.ctx, started(b, ""), 0))
	for _, set := range []string{`cost_usd = 0`, `provenance = 'reported'`} {
		if _, err := b.db.ExecContext(b.ctx, `UPDATE calls SET `+set); err == nil {
			t.Errorf("%s was accepted", set)
		}
	}
}

func TestEndOfACallWinsOverTheSweepAndIsFinal(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	id := b.accept()
	c := b.claim(id)
	call := started(b, id)
	b.must(b.s.StartCall(b.ctx, call, c.Fence))
	b.expire(id)
	b.sweep()
	b.must(saveCall(b, ended(call, "1"), c.Fence))
	if got := b.job(id).Calls[0]; got.Status != growth.CallOK || !got.Cost.USD.Equal(decimal.New(1, 0)) {
		t.Errorf("call = %s %v; want the better knowledge", got.Status, got.Cost.USD)
	}
	b.must(saveCall(b, call, c.Fence))
	if got := b.job(id).Calls[0]; got.Status != growth.CallOK {
		t.Errorf("an ended call became %s", got.Status)
	}
}

func TestCallsThatNobodyMakesAnyMoreBecomeUnknown(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	c := b.claim(b.accept())
	direct, fresh, running, behind, late := started(b, ""), started(b, ""), started(b, c.Job.ID), started(b, c.Job.ID), started(b, c.Job.ID)
	for _, old := range []*growth.Call{&direct, &running} {
		old.StartedAt = old.StartedAt.Add(-time.Hour)
	}
	behind.StartedAt, fresh.StartedAt = behind.StartedAt.Add(-2*time.Minute), fresh.StartedAt.Add(-2*time.Minute)
	b.must(saveCall(b, direct, 0))
	b.must(saveCall(b, fresh, 0))
	b.must(saveCall(b, running, c.Fence))
	b.must(saveCall(b, behind, c.Fence-1)) // of an attempt that had ended
	b.must(saveCall(b, late, c.Fence-1))   // so is this, but its end may be on its way
	n, err := b.s.OrphanCalls(b.ctx, 15*time.Minute)
	b.must(err)
	if k := b.count(`SELECT count(*) FROM calls WHERE status = 'unknown' AND id IN ($1, $2)`, direct.ID, behind.ID); n != 2 || k != 2 {
		t.Errorf("%d orphaned, %d of them as they should; want the old direct call and the one of the attempt that ended", n, k)
	}
}

// writing runs a ledger writer; what it returns ends it and waits for its last write.
func writing(t *testing.T, w *store.LedgerWriter) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { w.Run(ctx) })
	stop = func() { cancel(); wg.Wait() }
	t.Cleanup(stop)
	return stop
}

func TestLedgerWriterWritesEveryCallBeforeItEnds(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	w := store.NewLedgerWriter(b.s, zerolog.Nop())
	stop := writing(t, w)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 50 {
				c := started(b, "")
				if err := w.Start(t.Context(), c); err != nil {
					t.Error(err)
				}
				w.End(t.Context(), ended(c, "0.001"))
			}
		})
	}
	wg.Wait()
	stop()
	if n := b.count(`SELECT count(*) FROM calls WHERE status = 'ok' AND cost_usd = 0.001`); n != 1000 {
		t.Errorf("%d ended calls; want 1000", n)
	}
}

func TestLedgerWriterSurvivesTheLossOfItsConnections(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	w := store.NewLedgerWriter(b.s, zerolog.Nop())
	stop := writing(t, w)
	for i := range 200 {
		w.End(b.ctx, ended(started(b, ""), ""))
		if i%50 == 25 {
			b.exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		}
	}
	stop()
	if n := b.count(`SELECT count(*) FROM calls`); n != 200 {
		t.Errorf("%d calls; want 200", n)
	}
}

// One row that the database refuses must not take its group with it.
func TestLedgerWriterLosesNoRowToAnother(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	w := store.NewLedgerWriter(b.s, zerolog.Nop())
	bad := started(b, "")
	bad.Workspace = growth.WorkspaceID(growth.NewID()) // was deleted
	for _, c := range []growth.Call{started(b, ""), bad, started(b, "")} {
		w.End(b.ctx, c) // before Run: one group for certain
	}
	stop := writing(t, w)
	stop()
	if n := b.count(`SELECT count(*) FROM calls`); n != 2 {
		t.Errorf("%d calls; want the 2 good ones", n)
	}
}

func TestLedgerWriterLetsACallerLeave(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	w := store.NewLedgerWriter(b.s, zerolog.Nop()) // nobody writes
	ctx, cancel := context.WithTimeout(b.ctx, 50*time.Millisecond)
	defer cancel()
	var err error
	for range 5000 {
		if err = w.Start(ctx, started(b, "")); err != nil {
			break
		}
	}
	wantCode(t, err, growth.Unavailable)
}

func TestCacheStatsAddUpByDay(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	stats := store.NewCacheStats(b.s, zerolog.Nop())
	for range 2 {
		stats.Hit(b.ws.ID, growth.TaskSimple, growth.CacheHit{
			As: growth.CachedNear, Saved: growth.USD(decimal.RequireFromString("0.25"), growth.CostPriced), Bytes: 100, Age: time.Second,
		})
		stats.Hit(b.ws.ID, growth.TaskSimple, growth.CacheHit{As: growth.CachedExact, Saved: growth.UnknownMoney("USD"), Bytes: 10, Age: 2 * time.Second})
		stats.Miss(b.ws.ID, growth.TaskSimple)
		stats.Miss(b.ws.ID, growth.TaskAnalysis)
		stats.Flush(b.ctx)
	}
	days, err := b.sc.Days(b.ctx, time.Now())
	b.must(err)
	got := fmt.Sprintf("%d hits, %d misses, saved %s", days[0].Hits, days[0].Misses, days[0].SavedUSD)
	if len(days) != 1 || got != "4 hits, 4 misses, saved 0.5" {
		t.Errorf("%d days, today %s", len(days), got)
	}
	counts, err := b.sc.CacheDays(b.ctx, time.Now())
	b.must(err)
	if len(counts) != 2 || counts[0].Task != growth.TaskAnalysis || counts[0].Misses != 2 {
		t.Fatalf("counts = %+v", counts)
	}
	c := counts[1]
	got = fmt.Sprintf("%d hits, %d near, %d bytes, %d ms, %d unknown, saved %s", c.Hits, c.NearHits, c.Bytes, c.AgeMS, c.Unknown, c.SavedUSD)
	if want := "4 hits, 2 near, 220 bytes, 6000 ms, 2 unknown, saved 0.5"; got != want {
		t.Errorf("today %s; want %s", got, want)
	}
}

func TestFeedbackIsAboutACallOrAJobOfTheWorkspace(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	call, job := started(b, ""), b.accept()
	b.must(saveCall(b, call, 0))
	for name, f := range map[string]store.Feedback{"a call": {Call: call.ID, WrongAnswer: true, Message: "no"}, "a job": {Job: job}} {
		if id, err := b.sc.AddFeedback(b.ctx, f); err != nil || id == "" {
			t.Errorf("%s: %q, %v", name, id, err)
		}
	}
	_, err := b.sc.AddFeedback(b.ctx, store.Feedback{Call: growth.CallID(growth.NewID())})
	wantCode(t, err, growth.NotFound)
	b.exec(`UPDATE feedback SET created_at = now() - interval '100 days' WHERE job_id IS NULL`)
	_, err = b.s.Purge(b.ctx, 90*24*time.Hour)
	b.must(err)
	if n := b.count(`SELECT count(*) FROM feedback`); n != 1 {
		t.Errorf("%d left; want the new one", n)
	}
}

func TestCacheStatsKeepWhatCannotBeWritten(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	stats := store.NewCacheStats(b.s, zerolog.Nop())
	stats.Miss(b.ws.ID, growth.TaskSimple)
	gone, cancel := context.WithCancel(b.ctx)
	cancel()
	stats.Flush(gone)
	stats.Flush(b.ctx)
	if n := b.count(`SELECT coalesce(sum(misses), 0)::int FROM cache_days`); n != 1 {
		t.Errorf("%d misses; want 1", n)
	}
}
