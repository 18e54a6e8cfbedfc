package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

func keyed(key, body string) func(*store.NewJob) {
	return func(j *store.NewJob) { j.IdempotencyKey, j.BodyHash = key, store.HashBody([]byte(body)) }
}

func unique(key string) func(*store.NewJob) { return func(j *store.NewJob) { j.UniqueKey = key } }

func TestAcceptKeepsWhatItWasGiven(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	campaign, err := b.sc.EnsureCampaign(b.ctx, "spring")
	b.must(err)
	id := b.accept(func(j *store.NewJob) {
		j.Input, j.TraceID = json.RawMessage(`{"lead_id": "l"}`), "trace-7"
		j.Options = growth.JobOptions{
			Priority: growth.PriorityHigh, MaxAttempts: 7, TimeoutS: 42, CallbackURL: "https://example.com/hook",
			Metadata: json.RawMessage(`{"n": 1}`), CampaignID: campaign.ID,
		}
	})
	j := b.job(id)
	if diff := cmp.Diff(growth.Job{
		ID: id, Workspace: b.ws.ID, Type: growth.JobLeadQualification, State: growth.JobQueued, Priority: growth.PriorityHigh,
		MaxAttempts: 7, Input: json.RawMessage(`{"lead_id": "l"}`), Metadata: json.RawMessage(`{"n": 1}`), CampaignID: &campaign.ID,
		CallbackURL: "https://example.com/hook", TraceID: "trace-7", Calls: []growth.Call{},
		Cost: j.Cost, RunAt: j.RunAt, CreatedAt: j.CreatedAt, UpdatedAt: j.UpdatedAt,
	}, j); diff != "" {
		t.Errorf("job (-want +got):\n%s", diff)
	}
	if !j.Cost.USD.IsZero() || j.Cost.Provenance != growth.CostReported {
		t.Errorf("a job without a call cost %+v; want a known nothing", j.Cost)
	}
}

func TestIdempotencyKeyAnswersWithItsFirstJob(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	first := b.accept(keyed("k", "body"))
	again, err := b.sc.Accept(b.ctx, []store.NewJob{newJob(keyed("k", "body"))})
	b.must(err)
	if diff := cmp.Diff([]store.Accepted{{ID: first, Replayed: true}}, again); diff != "" {
		t.Errorf("second answer (-want +got):\n%s", diff)
	}
	if n := b.count(`SELECT count(*) FROM jobs`); n != 1 {
		t.Errorf("%d jobs; want 1", n)
	}
	if other := b.neighbour().accept(keyed("k", "body")); other == first {
		t.Error("a key of one workspace answered another one")
	}
}

func TestIdempotencyKeyWithAnotherBodyIsRefusedWhole(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.accept(keyed("k", "body"))
	_, err := b.sc.Accept(b.ctx, []store.NewJob{newJob(), newJob(keyed("k", "other"))})
	wantCode(t, err, growth.Invalid)
	if n := b.count(`SELECT count(*) FROM jobs`); n != 1 {
		t.Errorf("%d jobs; want 1: a refused batch leaves nothing", n)
	}
}

func TestIdempotencyKeyExpires(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	first := b.accept(keyed("k", "body"))
	b.exec(`UPDATE idempotency_keys SET expires_at = now() - interval '1 second'`)
	second := b.accept(keyed("k", "another body"))
	if second == first {
		t.Error("an expired key still answered with its first job")
	}
	if third := b.accept(keyed("k", "another body")); third != second {
		t.Errorf("the renewed key answered with %s; want %s", third, second)
	}
}

func TestTwentyRequestsUnderOneKeyMakeOneJob(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	ids, replayed := atOnce(t, 20, func(ctx context.Context) (growth.JobID, bool, error) {
		out, err := b.sc.Accept(ctx, []store.NewJob{newJob(keyed("k", "body"))})
		if err != nil {
			return "", false, err
		}
		return out[0].ID, out[0].Replayed, nil
	})
	if len(slices.Compact(slices.Sorted(slices.Values(ids)))) != 1 || replayed != 19 {
		t.Errorf("%d replayed, ids %v; want 19 and one id", replayed, ids)
	}
	if n := b.count(`SELECT count(*) FROM jobs`); n != 1 {
		t.Errorf("%d jobs; want 1", n)
	}
}

// atOnce calls f n times at once and counts how often it said yes.
func atOnce(t *testing.T, n int, f func(context.Context) (growth.JobID, bool, error)) (ids []growth.JobID, yes int) {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	start := make(chan struct{})
	for range n {
		wg.Go(func() {
			<-start
			id, said, err := f(t.Context())
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("one of %d: %v", n, err)
			}
			ids = append(ids, id)
			if said {
				yes++
			}
		})
	}
	close(start)
	wg.Wait()
	return ids, yes
}

func TestUniqueKeyHoldsUntilTheJobEnds(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	first := b.accept(unique("lead-1"))
	out, err := b.sc.Accept(b.ctx, []store.NewJob{newJob(unique("lead-1")), newJob(unique("lead-2")), newJob(unique("lead-2"))})
	b.must(err)
	if out[0] != (store.Accepted{ID: first, Existing: true}) {
		t.Errorf("the same work again: %+v; want the unfinished job %s", out[0], first)
	}
	if out[1].Existing || out[2] != (store.Accepted{ID: out[1].ID, Existing: true}) {
		t.Errorf("twice the same work in a batch: %+v", out[1:])
	}
	content := b.accept(unique("lead-1"), func(j *store.NewJob) { j.Type = growth.JobContentGeneration })
	if content == first {
		t.Error("the key of one type answered for another")
	}
	_, err = b.sc.CancelJob(b.ctx, first)
	b.must(err)
	if next := b.accept(unique("lead-1")); next == first {
		t.Error("an ended job still holds its unique key")
	}
}

func TestTwentyRequestsOfOneUniqueKeyMakeOneJob(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	_, existing := atOnce(t, 20, func(ctx context.Context) (growth.JobID, bool, error) {
		out, err := b.sc.Accept(ctx, []store.NewJob{newJob(unique("lead-1"))})
		if err != nil {
			return "", false, err
		}
		return out[0].ID, out[0].Existing, nil
	})
	if n := b.count(`SELECT count(*) FROM jobs`); n != 1 || existing != 19 {
		t.Errorf("%d jobs, %d pointed at it; want 1 and 19", n, existing)
	}
}

// Two imports of the same rows in another order take the same locks in another order.
func TestBatchesInOppositeOrderDoNotBarEachOther(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	const rows, rounds = 200, 10
	for round := range rounds {
		var wg sync.WaitGroup
		for _, reverse := range []bool{false, true} {
			wg.Go(func() {
				jobs := make([]store.NewJob, rows)
				for i := range jobs {
					key := fmt.Sprintf("%d-%d", round, i)
					jobs[i] = newJob(unique(key), keyed(key, key))
				}
				if reverse {
					slices.Reverse(jobs)
				}
				if _, err := b.sc.Accept(t.Context(), jobs); err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			})
		}
		wg.Wait()
	}
	if n := b.count(`SELECT count(*) FROM jobs`); n != rows*rounds {
		t.Errorf("%d jobs; want %d", n, rows*rounds)
	}
}

func TestAcceptRefusesWhatDoesNotBelongToTheWorkspace(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	foreign, err := b.neighbour().sc.EnsureCampaign(b.ctx, "theirs")
	b.must(err)
	for name, id := range map[string]growth.CampaignID{"no campaign": growth.CampaignID(growth.NewID()), "another workspace's": foreign.ID} {
		_, err := b.sc.Accept(b.ctx, []store.NewJob{newJob(func(j *store.NewJob) { j.Options.CampaignID = id })})
		e, ok := errors.AsType[*growth.Error](err)
		if !ok || e.Code != growth.Invalid || e.Field != "campaign_id" {
			t.Errorf("%s: error = %v; want invalid campaign_id", name, err)
		}
	}
	if n := b.count(`SELECT count(*) FROM jobs`); n != 0 {
		t.Errorf("%d jobs; want none", n)
	}
}

// Postgres stores no NUL character, and JSON can spell one. It is the sender's fault, not ours.
func TestAcceptCallsANulCharacterInvalid(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	_, err := b.sc.Accept(b.ctx, []store.NewJob{newJob(func(j *store.NewJob) { j.Options.Metadata = json.RawMessage(`{"a":"\u0000"}`) })})
	wantCode(t, err, growth.Invalid)
}

func TestScheduledJobsAreHandedOverWhenDue(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	in := func(d time.Duration) func(*store.NewJob) {
		at := time.Now().Add(d)
		return func(j *store.NewJob) { j.Options.RunAt = &at }
	}
	later, past := b.accept(in(30*time.Minute)), b.accept(in(-time.Hour))
	if s := b.row(later).State; s != growth.JobScheduled {
		t.Errorf("state of the later job = %s; want scheduled", s)
	}
	var took []growth.JobID
	round, err := b.s.HandOver(b.ctx, room(10), func(due []store.Handover) []bool {
		for _, d := range due {
			took = append(took, d.ID)
		}
		return all(len(due))
	})
	b.must(err)
	if diff := cmp.Diff([]growth.JobID{past}, took); diff != "" {
		t.Errorf("handed over (-want +got):\n%s", diff)
	}
	if d := time.Until(round.Next); d < 29*time.Minute || d > 30*time.Minute {
		t.Errorf("next is due in %v; want half an hour", d)
	}
	b.exec(`UPDATE jobs SET run_at = now() WHERE id = $1`, later)
	if got := b.handOver(10); len(got) != 1 || got[0].ID != later {
		t.Errorf("handed over %+v; want the later job", got)
	}
	if r := b.row(later); r.State != growth.JobQueued || !r.Dispatched {
		t.Errorf("row = %+v; want queued and dispatched", r)
	}
}
