package store_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

// A reader that goes by the order of events misses none, although ids are handed out before transactions end.
func TestEventsOfSlowTransactionsAreNotPassed(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	start, err := b.s.EventHorizon(b.ctx)
	b.must(err)
	read := func(at growth.EventCursor) []growth.Event {
		out, err := b.sc.EventsAfter(b.ctx, at, "", 10)
		b.must(err)
		all, err := b.s.EventsAfter(b.ctx, map[growth.WorkspaceID]growth.EventCursor{b.ws.ID: at}, 10)
		b.must(err)
		if len(all) < len(out) { // it reads later, and may be shown more
			t.Fatalf("one reader sees %d events, the other %d", len(out), len(all))
		}
		return out
	}
	add := func(kind string) func(context.Context, *store.Tx) error {
		return func(ctx context.Context, tx *store.Tx) error {
			return tx.AddEvent(ctx, b.ws.ID, "", store.NewEvent{Type: kind, Data: []byte("{}")})
		}
	}
	err = b.s.InTx(b.ctx, func(slow *store.Tx) error {
		b.must(add("slow")(b.ctx, slow))
		b.must(b.s.InTx(b.ctx, func(tx *store.Tx) error { return add("quick")(b.ctx, tx) }))
		if early := read(start); len(early) != 0 {
			t.Errorf("%d events are shown while an earlier one may still come", len(early))
		}
		return nil
	})
	b.must(err)
	both := eventually(t, 2, func() []growth.Event { return read(start) })
	if len(both) != 2 || both[0].Type != "slow" || !both[1].Cursor.After(both[0].Cursor) {
		t.Fatalf("events %+v", both)
	}
	if rest := read(both[0].Cursor); len(rest) != 1 || rest[0].Type != "quick" {
		t.Errorf("behind the first: %+v", rest)
	}
	if rest := read(both[1].Cursor); len(rest) != 0 {
		t.Errorf("behind the last: %+v", rest)
	}
}

// A database that was restored has events of another server's transactions.
func TestEventsOfARestoredDatabaseComeFirst(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	add := func(kind string) {
		b.must(b.s.InTx(b.ctx, func(tx *store.Tx) error {
			return tx.AddEvent(b.ctx, b.ws.ID, "", store.NewEvent{Type: kind, Data: []byte("{}")})
		}))
	}
	add("old")
	b.exec(`UPDATE events SET tx = '9000000000000'`)
	kept := growth.EventCursor{Tx: 9000000000000, ID: 1 << 40} // what a client had before the restore
	b.must(b.s.Reorder(b.ctx))
	add("new")
	read := func(at growth.EventCursor) func() []growth.Event {
		return func() []growth.Event {
			out, err := b.sc.EventsAfter(b.ctx, at, "", 10)
			b.must(err)
			return out
		}
	}
	all := eventually(t, 2, read(growth.EventCursor{}))
	if len(all) != 2 || all[0].Type != "old" || all[1].Type != "new" {
		t.Errorf("events %+v", all)
	}
	rest := eventually(t, 1, read(kept))
	if len(rest) != 1 || rest[0].Type != "new" {
		t.Errorf("for the client of before: %+v", rest)
	}
}

// eventually reads until so many events are there: transactions of the server's other databases hold events back too.
func eventually(t *testing.T, n int, read func() []growth.Event) (out []growth.Event) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if out = read(); len(out) >= n {
			return out
		}
		runtime.Gosched()
	}
	return out
}
