package budget_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/router/budget"
	"github.com/zakibelm/astrogrowth/tasks"
)

// between runs what a test has to do at two moments of a rebuild, and notes the command that took its lock.
type between struct {
	budget.Book
	looked, read func()
	once         sync.Once
	lock         []any
}

// Tally implements budget.Book.
func (b *between) Tally(ctx context.Context, ws growth.WorkspaceID, at ...time.Time) (growth.BudgetTally, error) {
	t, err := b.Book.Tally(ctx, ws, at...)
	b.read()
	return t, err
}

func (b *between) DialHook(next redis.DialHook) redis.DialHook { return next }

func (b *between) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// ProcessHook implements redis.Hook: a rebuild asks by HEXISTS whether there is a state.
func (b *between) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		switch cmd.Name() {
		case "hexists":
			b.once.Do(b.looked)
		case "set":
			b.lock = cmd.Args()
		}
		return err
	}
}

// While one process rebuilds, another one must not be given money that the first one's state then knows nothing of:
// it reserves after the first has seen that there is no state, and writes its row after the first has read the ledger.
func TestRebuildForgetsNothingThatWasConfirmed(t *testing.T) {
	t.Parallel()
	url := testenv.Redis(t)
	client := func() redis.UniversalClient {
		rdb, err := tasks.Redis(url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = rdb.Close() })
		return rdb
	}
	l := newTill(t, func(c *budget.Config) { c.Redis = client() })
	l.limit("1")
	rival, confirmed := l.spend("0.6"), false
	var held budget.Reservation
	slow := &between{Book: l.s}
	slow.looked = func() {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		held, _ = l.Reserve(ctx, rival) // refused when the rebuild keeps everybody out
	}
	slow.read = func() {
		if held.Covered() {
			l.writes(rival, growth.CallStarted, "")
			confirmed = l.Confirm(t.Context(), held) == nil
		}
	}
	rdb := client()
	rdb.AddHook(slow)
	k := budget.New(budget.Config{Redis: rdb, Book: slow})
	_, err := k.Reserve(t.Context(), l.spend("0.6"))
	if confirmed && err == nil {
		t.Error("two calls of 0.6 were given money out of 1")
	}
	if !confirmed && err != nil {
		t.Errorf("nobody was given money: %v", err)
	}
}

// A rebuild counts every row of the ledger, also that of a call whose money another call was given while the row was
// being written: the state was lost once before that, and once after it. That its row is counted does not mean that the
// call may be sent.
func TestConfirmRefusesACallThatWasOutrunThoughItsRowIsCounted(t *testing.T) {
	t.Parallel()
	for name, loses := range map[string]func(l *till) error{
		"Redis forgets":      func(l *till) error { return l.rdb.FlushDB(l.t.Context()).Err() },
		"an audit throws it": func(l *till) error { return l.Rebuild(l.t.Context(), l.ws.ID) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newTill(t)
			l.limit("1")
			slow, rival := l.spend("0.6"), l.spend("0.7")
			held := l.takes(slow)
			l.must(loses(l))
			taken := l.takes(rival) // of a state that does not know of the slow call
			l.writes(rival, growth.CallStarted, "")
			l.must(l.Confirm(t.Context(), taken))
			l.writes(slow, growth.CallStarted, "")
			l.must(loses(l))

			refusal, refused := errors.AsType[*budget.RefusalError](l.Confirm(t.Context(), held))
			if !refused {
				t.Fatal("calls of 0.6 and 0.7 may be sent out of 1")
			}
			if refusal.Kind != budget.LimitReached || !refusal.Passing || !refusal.Held.Equal(dollars("1.3")) || !refusal.Estimate.Equal(dollars("0.6")) {
				t.Errorf("refusal = %+v; want one that passes when the rival's 0.7 end", refusal)
			}
			// What was turned away ends, and the money is the rival's alone.
			l.writes(slow, "", "0")
			l.must(l.Settle(t.Context(), held, new(dollars("0"))))
			l.must(l.Confirm(t.Context(), taken))
			if r := l.refuses(l.spend("0.4")); !r.Held.Equal(dollars("0.7")) {
				t.Errorf("held %s; want the rival's 0.7, once", r.Held)
			}
			l.takes(l.spend("0.3"))
		})
	}
}

// A client sends a command again when its answer is late, and the first one may still arrive. When it is the one that
// took the lock of a rebuild, and Redis has forgotten everything in between, the rebuild has its lock back, but what it
// has read is old.
func TestRebuildWhoseLockComesBackReplacesNothing(t *testing.T) {
	t.Parallel()
	url := testenv.Redis(t)
	rdb, err := tasks.Redis(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	l := newTill(t, func(c *budget.Config) {
		if c.Redis, err = tasks.Redis(url); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Redis.Close() })
	})
	b := l.limit("1")
	slow, once := &between{Book: l.s, looked: func() {}}, sync.Once{}
	slow.read = func() {
		once.Do(func() {
			l.must(rdb.FlushDB(t.Context()).Err())
			rival := l.spend("0.6")
			held := l.takes(rival)
			l.writes(rival, growth.CallStarted, "")
			l.must(l.Confirm(t.Context(), held))
			l.must(rdb.Do(t.Context(), slow.lock...).Err())
		})
	}
	rdb.AddHook(slow)
	k := budget.New(budget.Config{Redis: rdb, Book: slow})
	_, err = k.Reserve(t.Context(), l.spend("0.6"))
	refusal, refused := errors.AsType[*budget.RefusalError](err)
	if !refused || refusal.Kind != budget.LimitReached || !refusal.Held.Equal(dollars("0.6")) || refusal.Budget.ID != b.ID {
		t.Errorf("%v (%+v); want a refusal for the rival's 0.6", err, refusal)
	}
}

// A failover to a replica that is behind keeps the generation and forgets the last reservations.
func TestConfirmMissesAReservationThatAFailoverForgot(t *testing.T) {
	t.Parallel()
	url := testenv.Redis(t)
	rdb, err := tasks.Redis(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	l := newTill(t, func(c *budget.Config) { c.Redis = rdb })
	l.limit("1")
	l.must(l.Rebuild(t.Context(), l.ws.ID))
	state := "astrogrowth:budget:{" + string(l.ws.ID) + "}"
	replica, err := rdb.Dump(t.Context(), state).Result()
	l.must(err)
	s := l.spend("0.6")
	held := l.takes(s)
	l.writes(s, growth.CallStarted, "")
	l.must(rdb.RestoreReplace(t.Context(), state, time.Hour, replica).Err())
	l.must(l.Confirm(t.Context(), held))
	if r := l.refuses(l.spend("0.6")); !r.Held.Equal(dollars("0.6")) {
		t.Errorf("held %s; want the confirmed call's 0.6", r.Held)
	}
}

// twice sends the command that takes a lock a second time, once, as a client does when the answer is late.
type twice struct {
	between
	sent sync.Once
}

// ProcessHook implements redis.Hook.
func (h *twice) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "set" {
			h.sent.Do(func() { _ = next(ctx, cmd) })
		}
		return next(ctx, cmd)
	}
}

func TestRebuildIsNotLockedOutByItsOwnLock(t *testing.T) {
	t.Parallel()
	rdb, err := tasks.Redis(testenv.Redis(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	l := newTill(t, func(c *budget.Config) { c.Redis = rdb })
	l.limit("1")
	rdb.AddHook(&twice{})
	l.takes(l.spend("0.6"))
}

// A process that ends while its audit rebuilds a state keeps nobody waiting for its lock.
func TestRunLeavesNoRebuildAlone(t *testing.T) {
	t.Parallel()
	l := newTill(t)
	l.limit("1")
	l.takes(l.spend("0.4")) // and no row: the audit finds the two apart
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended, tallies := make(chan struct{}), 0
	slow := &between{Book: l.s}
	slow.read = func() {
		if tallies++; tallies != 3 { // the audit's two looks, and the rebuild
			return
		}
		cancel()
		select {
		case <-ended:
			t.Error("the process has ended before its rebuild")
		case <-time.After(300 * time.Millisecond):
		}
	}
	k := budget.New(budget.Config{Redis: l.rdb, Book: slow, Audit: time.Millisecond})
	go func() { defer close(ended); k.Run(ctx) }()
	<-ended
	if n, err := l.rdb.Exists(t.Context(), "astrogrowth:budget:{"+string(l.ws.ID)+"}:rebuild").Result(); err != nil || n != 0 {
		t.Errorf("%d locks are left (%v)", n, err)
	}
}
