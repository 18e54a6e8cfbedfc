package store_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/store"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// lease is longer than any test.
const lease = time.Minute

// bed is what a test lies in: a store of its own with one workspace.
type bed struct {
	tb  testing.TB
	ctx context.Context
	s   *store.Store
	db  *sql.DB
	ws  growth.Workspace
	sc  store.Scoped
}

func newBed(tb testing.TB) *bed {
	tb.Helper()
	s := testenv.Store(tb)
	ws := testenv.Workspace(tb, s)
	return &bed{tb: tb, ctx: tb.Context(), s: s, db: testenv.SQL(tb, s), ws: ws, sc: s.In(ws.ID)}
}

// neighbour is the same store as another workspace has it.
func (b *bed) neighbour() *bed {
	b.tb.Helper()
	ws := testenv.Workspace(b.tb, b.s)
	return &bed{tb: b.tb, ctx: b.ctx, s: b.s, db: b.db, ws: ws, sc: b.s.In(ws.ID)}
}

func (b *bed) must(err error) {
	b.tb.Helper()
	if err != nil {
		b.tb.Fatal(err)
	}
}

// exec changes rows behind the store's back.
func (b *bed) exec(query string, args ...any) {
	b.tb.Helper()
	if _, err := b.db.ExecContext(b.ctx, query, args...); err != nil {
		b.tb.Fatalf("%s: %v", query, err)
	}
}

// count asks for one number.
func (b *bed) count(query string, args ...any) int {
	b.tb.Helper()
	var n int
	if err := b.db.QueryRowContext(b.ctx, query, args...).Scan(&n); err != nil {
		b.tb.Fatalf("%s: %v", query, err)
	}
	return n
}

// newJob is a job with the defaults filled in, as the queue does.
func newJob(change ...func(*store.NewJob)) store.NewJob {
	j := store.NewJob{
		Type: growth.JobLeadQualification, Input: json.RawMessage(`{"lead_id":"x"}`), TraceID: "trace",
		Options: growth.JobOptions{Priority: growth.PriorityNormal, MaxAttempts: 3, TimeoutS: 60},
	}
	for _, f := range change {
		f(&j)
	}
	return j
}

// accept accepts one job.
func (b *bed) accept(change ...func(*store.NewJob)) growth.JobID {
	b.tb.Helper()
	out, err := b.sc.Accept(b.ctx, []store.NewJob{newJob(change...)})
	b.must(err)
	return out[0].ID
}

// job reads a job as the API would.
func (b *bed) job(id growth.JobID) growth.Job {
	b.tb.Helper()
	j, err := b.sc.Job(b.ctx, id)
	b.must(err)
	return j
}

// row is what of a job the API does not show.
type row struct {
	State      growth.JobState
	Epoch      int
	Fence      int64
	Attempts   int
	Dispatched bool
	Leased     bool
	Finished   bool
}

func (b *bed) row(id growth.JobID) row {
	b.tb.Helper()
	var r row
	err := b.db.QueryRowContext(b.ctx, `
		SELECT state, epoch, fence, attempts, dispatched_at IS NOT NULL, lease_until IS NOT NULL, finished_at IS NOT NULL
		FROM jobs WHERE id = $1`, id).Scan(&r.State, &r.Epoch, &r.Fence, &r.Attempts, &r.Dispatched, &r.Leased, &r.Finished)
	b.must(err)
	return r
}

// claim takes a job in its present epoch.
func (b *bed) claim(id growth.JobID) store.Claimed {
	b.tb.Helper()
	c, ok, err := b.s.Claim(b.ctx, id, b.row(id).Epoch, "worker", lease)
	b.must(err)
	if !ok {
		b.tb.Fatalf("job %s cannot be claimed: %+v", id, b.row(id))
	}
	return c
}

// expire lets the lease of a running job run out.
func (b *bed) expire(id growth.JobID) {
	b.tb.Helper()
	b.exec(`UPDATE jobs SET lease_until = now() - interval '1 second' WHERE id = $1`, id)
}

// room is a share that lets n tasks into each lane.
func room(n int) func(string) store.Share {
	return func(string) store.Share { return store.Share{Pending: n, Active: n, Unsettled: n} }
}

// handOver hands over everything that is due and has room, as a relay whose Redis takes all.
func (b *bed) handOver(window int) []store.Handover {
	b.tb.Helper()
	var out []store.Handover
	_, err := b.s.HandOver(b.ctx, room(window), func(due []store.Handover) []bool {
		out = append(out, due...)
		return all(len(due))
	})
	b.must(err)
	return out
}

func all(n int) []bool {
	out := make([]bool, n)
	for i := range out {
		out[i] = true
	}
	return out
}

// events lists the types of what happened to a job.
func (b *bed) events(id growth.JobID) []string {
	b.tb.Helper()
	list, err := b.sc.Events(b.ctx, 0, id, 100)
	b.must(err)
	out := []string{}
	for _, e := range list {
		out = append(out, e.Type)
	}
	return out
}

func wantCode(tb testing.TB, err error, want growth.Code) {
	tb.Helper()
	if err == nil {
		tb.Fatalf("no error; want %v", want)
	}
	if e, ok := errors.AsType[*growth.Error](err); !ok || e.Code != want {
		tb.Fatalf("error = %v (%v); want %v", err, growth.CodeOf(err), want)
	}
}

func wantLost(tb testing.TB, err error) {
	tb.Helper()
	if !errors.Is(err, store.ErrLeaseLost) {
		tb.Fatalf("error = %v; want ErrLeaseLost", err)
	}
}
