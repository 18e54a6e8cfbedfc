package budget_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"
	"go.uber.org/goleak"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/router/budget"
	"github.com/zakibelm/astrogrowth/store"
)

func TestMain(m *testing.M) {
	if work := os.Getenv(childVar); work != "" {
		os.Exit(child(work))
	}
	goleak.VerifyTestMain(testenv.Around(m))
}

// till is a workspace with a ledger, a Redis of its own, and a keeper.
type till struct {
	*budget.Keeper
	t    testing.TB
	s    *store.Store
	ws   growth.Workspace
	rdb  redis.UniversalClient
	book *book
}

// book is the store, until the test lets it fail.
type book struct {
	*store.Store

	mu   sync.Mutex
	down error
}

func (b *book) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = err
}

// Tally implements budget.Book.
func (b *book) Tally(ctx context.Context, ws growth.WorkspaceID, at ...time.Time) (growth.BudgetTally, error) {
	b.mu.Lock()
	err := b.down
	b.mu.Unlock()
	if err != nil {
		return growth.BudgetTally{}, err
	}
	return b.Store.Tally(ctx, ws, at...)
}

func newTill(t testing.TB, change ...func(*budget.Config)) *till {
	t.Helper()
	s, rdb := testenv.Store(t), testenv.RedisClient(t)
	b := &book{Store: s}
	cfg := budget.Config{Redis: rdb, Book: b, Log: zerolog.Nop(), Audit: time.Hour}
	for _, f := range change {
		f(&cfg)
	}
	return &till{t: t, s: s, ws: testenv.Workspace(t, s), rdb: rdb, book: b, Keeper: budget.New(cfg)}
}

// runs lets the keeper work in the background until the test ends.
func (l *till) runs() *till {
	l.t.Helper()
	l.s.OnCalls(l.Committed)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { l.Run(ctx) })
	l.t.Cleanup(func() { cancel(); wg.Wait() })
	return l
}

// limit makes a budget.
func (l *till) limit(usd string, change ...func(*growth.Budget)) growth.Budget {
	l.t.Helper()
	b := growth.Budget{Name: growth.NewID(), Period: growth.BudgetMonth, LimitUSD: dollars(usd), Policy: growth.BudgetStop}
	for _, f := range change {
		f(&b)
	}
	b, err := l.s.In(l.ws.ID).AddBudget(l.t.Context(), b)
	l.must(err)
	l.must(l.Changed(l.t.Context(), l.ws.ID))
	return b
}

func (l *till) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// spend is a call that may cost an estimate; an empty one is unknown.
func (l *till) spend(estimate string, change ...func(*budget.Spend)) budget.Spend {
	s := budget.Spend{Workspace: l.ws.ID, Task: growth.TaskSimple, CallID: growth.CallID(growth.NewID()), At: time.Now().UTC()}
	if estimate != "" {
		d := dollars(estimate)
		s.Estimate = &d
	}
	for _, f := range change {
		f(&s)
	}
	return s
}

// takes reserves and wants it held.
func (l *till) takes(s budget.Spend) budget.Reservation {
	l.t.Helper()
	r, err := l.Reserve(l.t.Context(), s)
	l.must(err)
	if !r.Covered() {
		l.t.Fatal("nothing is held")
	}
	return r
}

// refuses reserves and wants a refusal.
func (l *till) refuses(s budget.Spend) *budget.RefusalError {
	l.t.Helper()
	r, err := l.Reserve(l.t.Context(), s)
	refusal, ok := errors.AsType[*budget.RefusalError](err)
	if !ok {
		l.t.Fatalf("reservation %+v, error %v; want a refusal", r, err)
	}
	return refusal
}

// turnsAway is refuses for whom the reasons do not matter.
func (l *till) turnsAway(s budget.Spend) {
	l.t.Helper()
	_ = l.refuses(s)
}

// row is the ledger's row of a call; cost "" is unknown.
func row(s budget.Spend, status growth.CallStatus, cost string) growth.Call {
	c := growth.Call{
		ID: s.CallID, Workspace: s.Workspace, Campaign: s.Campaign, Key: s.Key, Task: s.Task, Provider: "openrouter", Model: "m",
		Status: status, Reserved: s.Estimate, Cost: growth.UnknownMoney("USD"), StartedAt: s.At,
	}
	if cost != "" {
		c.Cost = growth.USD(dollars(cost), growth.CostReported)
	}
	return c
}

// writes commits the row of a call.
func (l *till) writes(s budget.Spend, status growth.CallStatus, cost string) {
	l.t.Helper()
	l.must(l.s.InTx(l.t.Context(), func(tx *store.Tx) error {
		return tx.SaveCalls(l.t.Context(), []growth.Call{row(s, status, cost)}, 0)
	}))
}

// status is where the only budget stands by the ledger.
func (l *till) status(b growth.Budget) growth.BudgetStatus {
	l.t.Helper()
	all, err := l.s.In(l.ws.ID).BudgetStatus(l.t.Context(), b.ID, time.Now())
	l.must(err)
	return all[0]
}

// events counts the events of a type.
func (l *till) events(kind string) int {
	l.t.Helper()
	var n int
	l.must(testenv.SQL(l.t, l.s).QueryRowContext(l.t.Context(), `SELECT count(*) FROM events WHERE type = $1`, kind).Scan(&n))
	return n
}

func dollars(s string) decimal.Decimal { return decimal.RequireFromString(s) }

// eventually waits for something that another goroutine or process does.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick, end := time.NewTicker(5*time.Millisecond), time.After(20*time.Second)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("it never came about: %s", what)
		}
	}
}

func forContent(b *growth.Budget) { b.Task = growth.TaskContent }
