package budget_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/router/budget"
	"github.com/zakibelm/astrogrowth/tasks"
)

// between runs what a test has to do at two moments of a rebuild.
type between struct {
	budget.Book
	looked, read func()
	once         sync.Once
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
		if cmd.Name() == "hexists" {
			b.once.Do(b.looked)
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
