package budget_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/router/budget"
	"github.com/zakibelm/astrogrowth/store"
)

func TestReservationsNeverPassTheLimit(t *testing.T) {
	t.Parallel()
	l := newTill(t)
	l.limit("1")
	first := l.takes(l.spend("0.6"))
	l.takes(l.spend("0.4"))
	r := l.refuses(l.spend("0.000000001"))
	if !r.Passing || !r.Held.Equal(dollars("1")) || !r.Spent.IsZero() || time.Until(r.Until) > time.Minute {
		t.Errorf("refusal = %+v; want one that passes when the calls in flight end", r)
	}
	cost := dollars("0.1")
	l.must(l.Settle(t.Context(), first, &cost))
	l.must(l.Settle(t.Context(), first, &cost)) // twice is once
	l.takes(l.spend("0.5"))
	l.turnsAway(l.spend("0.000000001"))
}

// Whatever the sizes, the sums are exact: one billionth more than the limit is refused, the limit itself is not.
func TestAmountsAreExactAtTheEdges(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ limit, held, fits, passes string }{
		{"1", "0.999999999", "0.000000001", "0.000000002"},
		{"0.000000001", "", "0.000000001", "0.000000002"},
		{"1000000", "999999.999999998", "0.000000002", "0.000000003"},
		{"1000000", "", "1000000", "1000000.000000001"},
		{"0.3", "0.1", "0.2", "0.200000001"},
		{"1", "", "0.9999999990001", "1.0000000000001"}, // less than a billionth counts as a whole one
		{"1", "", "1", "123456789012345678901234567890"},
	} {
		t.Run(tc.limit+" "+tc.fits, func(t *testing.T) {
			t.Parallel()
			l := newTill(t)
			l.limit(tc.limit)
			if tc.held != "" {
				l.takes(l.spend(tc.held))
			}
			l.turnsAway(l.spend(tc.passes))
			l.takes(l.spend(tc.fits))
		})
	}
}

func TestEveryBudgetThatCoversACallIsTakenFromOrNone(t *testing.T) {
	t.Parallel()
	l := newTill(t)
	campaign, err := l.s.In(l.ws.ID).EnsureCampaign(t.Context(), "spring")
	l.must(err)
	key, err := l.s.AddKey(t.Context(), store.Key{Workspace: l.ws.ID, Name: "k", Scopes: []string{"enqueue"}}, []byte("h"))
	l.must(err)
	l.limit("1", func(b *growth.Budget) { b.Name = "all" })
	l.limit("0.5", func(b *growth.Budget) { b.Name, b.Campaign, b.Policy = "campaign", campaign.ID, growth.BudgetWait })
	l.limit("0.4", func(b *growth.Budget) { b.Name, b.Key, b.Policy = "key", key.ID, growth.BudgetFreeOnly })
	l.limit("0.3", func(b *growth.Budget) { b.Name, b.Task, b.Period = "task", growth.TaskContent, growth.BudgetDay })
	inCampaign := func(s *budget.Spend) { s.Campaign = campaign.ID }
	byKey := func(s *budget.Spend) { s.Key = key.ID }

	l.takes(l.spend("0.45", inCampaign))
	if r := l.refuses(l.spend("0.1", inCampaign, byKey)); r.Budget.Name != "campaign" {
		t.Errorf("%q refused; want the campaign's", r.Budget.Name)
	}
	l.takes(l.spend("0.4", byKey)) // the refused call has taken nothing from it
	r := l.refuses(l.spend("0.2", inCampaign, byKey))
	if r.Budget.Name != "all" || r.Budget.Policy != growth.BudgetStop {
		t.Errorf("%q refused; want the strictest of the three", r.Budget.Name)
	}
	l.takes(l.spend("0.15")) // none but "all"
	l.turnsAway(l.spend("0.01"))
}

func TestWindowsEndInUTC(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 23, 59, 59, 0, time.UTC)
	l := newTill(t, func(c *budget.Config) { c.Now = func() time.Time { return now } })
	l.limit("1", func(b *growth.Budget) { b.Period = growth.BudgetDay })
	l.limit("1")
	late := l.spend("0.9", func(s *budget.Spend) { s.At = now.In(time.FixedZone("west", -8*3600)) })
	held := l.takes(late)
	if r := l.refuses(l.spend("1.5", func(s *budget.Spend) { s.At = now })); !r.Until.Equal(time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("it frees at %v", r.Until)
	}
	next := func(s *budget.Spend) { s.At = now.Add(time.Second) }
	tomorrow := l.spend("1", next)
	l.takes(tomorrow)
	cost := dollars("0.9")
	l.must(l.Settle(t.Context(), held, &cost)) // belongs to the window in which it began
	l.turnsAway(l.spend("0.000000001", next))
	l.turnsAway(l.spend("0.2", func(s *budget.Spend) { s.At = now }))
}

func TestUnknownPriceIsRefusedUnderABudgetAlone(t *testing.T) {
	t.Parallel()
	l := newTill(t)
	if r, err := l.Reserve(t.Context(), l.spend("")); err != nil || r.Covered() {
		t.Errorf("without a budget: %+v, %v", r, err)
	}
	l.limit("1")
	if r := l.refuses(l.spend("")); r.Kind != budget.UnknownPrice || !r.Until.IsZero() {
		t.Errorf("refusal = %+v", r)
	}
}

func TestNoBudgetNoRedis(t *testing.T) {
	t.Parallel()
	l := newTill(t)
	other := testWorkspace(l)
	l.limit("1", forContent)
	l.must(l.rdb.Close())
	for name, s := range map[string]budget.Spend{"another workspace": l.spend("1", func(s *budget.Spend) { s.Workspace = other }), "another task": l.spend("1")} {
		if l.Applies(s) {
			t.Errorf("a budget covers a call of %s", name)
		}
		if r, err := l.Reserve(t.Context(), s); err != nil || r.Covered() {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

func testWorkspace(l *till) growth.WorkspaceID {
	w, err := l.s.EnsureWorkspace(l.t.Context(), "w-"+growth.NewID(), "other")
	l.must(err)
	return w.ID
}

// What cannot be read allows nothing.
func TestHardLimitFailsClosed(t *testing.T) {
	t.Parallel()
	t.Run("Redis is down", func(t *testing.T) {
		t.Parallel()
		l := newTill(t)
		l.limit("1")
		l.takes(l.spend("0.1"))
		l.must(l.rdb.Close())
		if r := l.refuses(l.spend("0.1")); r.Kind != budget.Unreadable || !r.Until.After(time.Now()) {
			t.Errorf("refusal = %+v", r)
		}
	})
	t.Run("the state is lost and the ledger cannot be read", func(t *testing.T) {
		t.Parallel()
		l := newTill(t)
		l.limit("1")
		l.book.fail(errors.New("down"))
		if r := l.refuses(l.spend("0.1")); r.Kind != budget.Unreadable || r.Err == nil {
			t.Errorf("refusal = %+v", r)
		}
		l.book.fail(nil)
		l.takes(l.spend("0.1"))
	})
}

// The state is the ledger's: whatever Redis loses, it comes back as it was.
func TestStateIsRebuiltFromTheLedger(t *testing.T) {
	t.Parallel()
	l := newTill(t)
	b := l.limit("1")
	spent, flying, unknown := l.spend("0.3"), l.spend("0.2"), l.spend("0.25")
	for _, s := range []budget.Spend{spent, flying, unknown} {
		l.takes(s)
		l.writes(s, growth.CallStarted, "")
	}
	l.writes(spent, growth.CallOK, "0.1234567891")
	l.writes(unknown, growth.CallUnknown, "")
	for _, loss := range []string{"FLUSHDB", "a rebuild at any time"} {
		if loss == "FLUSHDB" {
			l.must(l.rdb.FlushDB(t.Context()).Err())
		} else {
			l.must(l.Rebuild(t.Context(), l.ws.ID))
		}
		r := l.refuses(l.spend("0.7"))
		if !r.Spent.Equal(dollars("0.12345679")) || !r.Held.Equal(dollars("0.45")) || r.Budget.ID != b.ID {
			t.Errorf("after %s: spent %s, held %s", loss, r.Spent, r.Held)
		}
	}
	// The reservations go on living: both ways of an end find them.
	cost := dollars("0.05")
	l.must(l.Settle(t.Context(), l.takes(flying), &cost))
	l.must(l.Settle(t.Context(), l.takes(unknown), &cost))
	if r := l.refuses(l.spend("0.8")); !r.Spent.Equal(dollars("0.22345679")) || !r.Held.IsZero() {
		t.Errorf("after settling: spent %s, held %s", r.Spent, r.Held)
	}
}

// Between a reservation and the commit of its row the state may be lost. Then the money is not held any more.
func TestConfirmFindsAReservationThatWasLost(t *testing.T) {
	t.Parallel()
	l := newTill(t)
	l.limit("1")
	s := l.spend("0.6")
	held := l.takes(s)
	l.must(l.Confirm(t.Context(), held))
	l.must(l.rdb.FlushDB(t.Context()).Err())
	rival := l.takes(l.spend("0.6")) // rebuilds; the row of s is not written yet
	err := l.Confirm(t.Context(), held)
	if _, ok := errors.AsType[*budget.RefusalError](err); !ok {
		t.Errorf("confirmed (%v) although another call has the money", err)
	}
	l.must(l.Settle(t.Context(), rival, new(dollars("0"))))
	l.must(l.Confirm(t.Context(), held))
	if r := l.refuses(l.spend("0.6")); !r.Held.Equal(dollars("0.6")) {
		t.Errorf("held %s; want the call's own 0.6, once", r.Held)
	}
}

func TestUnknownCostStaysCountedAtItsEstimate(t *testing.T) {
	t.Parallel()
	l := newTill(t).runs()
	b := l.limit("1")
	s := l.spend("0.6")
	l.takes(s)
	l.writes(s, growth.CallStarted, "")
	l.writes(s, growth.CallFailed, "")
	l.Committed([]growth.Call{row(s, growth.CallFailed, "")})
	// Not passing: the money comes back with no end of a call.
	eventually(t, "it counts as unknown", func() bool { return !l.refuses(l.spend("0.6")).Passing })
	if got := l.status(b); got.UnknownCalls != 1 || !got.UnknownUSD.Equal(dollars("0.6")) {
		t.Errorf("status = %+v", got)
	}
	_, err := l.s.In(l.ws.ID).SettleCall(t.Context(), s.CallID, growth.USD(dollars("0.1"), growth.CostSettled), "me")
	l.must(err)
	eventually(t, "a person's word frees the rest", func() bool {
		_, err := l.Reserve(t.Context(), l.spend("0.9"))
		return err == nil
	})
}

// A new budget counts what was spent before it, in every process at once.
func TestChangesOfBudgetsHoldForEveryProcess(t *testing.T) {
	t.Parallel()
	l := newTill(t).runs()
	before := l.spend("0.5")
	l.writes(before, growth.CallOK, "0.5")
	elsewhere := budget.New(budget.Config{Redis: l.rdb, Book: l.s})
	l.must(elsewhere.Load(t.Context()))
	b, err := l.s.In(l.ws.ID).AddBudget(t.Context(), growth.Budget{Name: "m", Period: growth.BudgetMonth, LimitUSD: dollars("1"), Policy: growth.BudgetStop})
	l.must(err)
	l.must(elsewhere.Changed(t.Context(), l.ws.ID)) // the process that made it
	began := time.Now()
	eventually(t, "the other process hears of it", func() bool { return l.Applies(l.spend("1")) })
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v", took)
	}
	l.turnsAway(l.spend("0.500000001"))
	more := dollars("2")
	_, err = l.s.In(l.ws.ID).ChangeBudget(t.Context(), b.ID, store.BudgetChange{LimitUSD: &more})
	l.must(err)
	// Nobody told this process: the state that another one has made says so.
	if _, err := elsewhere.Reserve(t.Context(), l.spend("0.9")); err == nil {
		t.Error("a process that holds the old limit was given more")
	}
	l.must(elsewhere.Changed(t.Context(), l.ws.ID))
	if _, err := elsewhere.Reserve(t.Context(), l.spend("0.9")); err != nil {
		t.Error(err)
	}
	l.takes(l.spend("0.5")) // and its own list is old no more
	l.must(l.s.In(l.ws.ID).DeleteBudget(t.Context(), b.ID))
	l.must(elsewhere.Changed(t.Context(), l.ws.ID))
	eventually(t, "the budget is gone", func() bool { return !l.Applies(l.spend("9")) })
}

func TestAuditMendsWhatTheStateHasWrong(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(l *till, state string) error{
		"a settlement was lost": func(l *till, _ string) error {
			s := l.spend("0.4")
			l.takes(s)
			l.writes(s, growth.CallOK, "0.1")
			return nil
		},
		"a process died before it wrote its row": func(l *till, _ string) error {
			l.takes(l.spend("0.4"))
			l.writes(l.spend("0.1"), growth.CallOK, "0.1")
			return nil
		},
		"a failover forgot a part": func(l *till, state string) error {
			l.writes(l.spend("0.1"), growth.CallOK, "0.1")
			all, err := l.rdb.HKeys(l.t.Context(), state).Result()
			for _, field := range all {
				if strings.HasPrefix(field, "s:") {
					err = errors.Join(err, l.rdb.HSet(l.t.Context(), state, field, 7).Err())
				}
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newTill(t)
			l.limit("1")
			l.must(l.Settle(t.Context(), l.takes(l.spend("0.5")), new(dollars("0"))))
			l.must(harm(l, "astrogrowth:budget:{"+string(l.ws.ID)+"}"))
			l.must(l.Audit(t.Context()))
			l.must(l.Audit(t.Context()))
			if r := l.refuses(l.spend("1")); !r.Spent.Equal(dollars("0.1")) || !r.Held.IsZero() {
				t.Errorf("spent %s, held %s; want 0.1 and nothing", r.Spent, r.Held)
			}
			l.takes(l.spend("0.9"))
		})
	}
}

func TestAlertsOncePerCrossingAndWindow(t *testing.T) {
	t.Parallel()
	told := make(chan growth.WorkspaceID, 64)
	l := newTill(t, func(c *budget.Config) {
		c.Notify = func(_ context.Context, ws growth.WorkspaceID) { told <- ws }
	}).runs()
	l.limit("1")
	second := budget.New(budget.Config{Redis: l.rdb, Book: l.s, Notify: func(_ context.Context, ws growth.WorkspaceID) { told <- ws }})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { second.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })

	spend := func(k *budget.Keeper, usd string) {
		s := l.spend(usd)
		r, err := k.Reserve(t.Context(), s)
		l.must(err)
		l.writes(s, growth.CallOK, usd)
		l.must(k.Settle(t.Context(), r, new(dollars(usd))))
	}
	steps := []struct {
		usd  string
		want int
	}{{"0.49", 0}, {"0.01", 1}, {"0.29", 1}, {"0.02", 2}, {"0.1", 2}}
	for i, step := range steps {
		for _, k := range []*budget.Keeper{l.Keeper, second}[i%2:][:1] {
			spend(k, step.usd)
		}
		eventually(t, fmt.Sprintf("%d alerts after step %d", step.want, i), func() bool { return l.events("budget.threshold") == step.want })
	}
	for range 20 { // both turn calls away, again and again
		l.turnsAway(l.spend("0.2"))
		_, err := second.Reserve(t.Context(), l.spend("0.2"))
		if err == nil {
			t.Fatal("the second gave what is not there")
		}
	}
	eventually(t, "the limit is told", func() bool { return l.events("budget.threshold") == 3 })
	l.must(l.rdb.FlushDB(t.Context()).Err())
	l.turnsAway(l.spend("0.2"))
	l.must(l.Audit(t.Context()))
	l.must(second.Audit(t.Context()))
	again := budget.New(budget.Config{Redis: l.rdb, Book: l.s}) // a process that remembers nothing
	l.must(again.Audit(t.Context()))
	if n := l.events("budget.threshold"); n != 3 || len(told) != 3 {
		t.Errorf("%d events, %d notices; want 3 of each, one a threshold", n, len(told))
	}
}

// The same scripts on a cluster: every key of a workspace lies in one slot.
func TestKeysOfAWorkspaceShareASlot(t *testing.T) {
	t.Parallel()
	l := newTill(t)
	l.limit("1")
	seen := map[string]bool{}
	hook := &keysSeen{into: seen}
	l.rdb.AddHook(hook)
	l.must(l.Settle(t.Context(), l.takes(l.spend("0.5")), new(dollars("0.1"))))
	l.must(l.Audit(t.Context()))
	tag := "{" + string(l.ws.ID) + "}"
	if len(seen) < 3 {
		t.Fatalf("only %v seen", seen)
	}
	for key := range seen {
		if !strings.HasPrefix(key, "astrogrowth:budget:"+tag) {
			t.Errorf("key %q has no hash tag", key)
		}
	}
}

// keysSeen notes the keys of all commands.
type keysSeen struct {
	mu   sync.Mutex
	into map[string]bool
}

func (h *keysSeen) note(cmd redis.Cmder) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range cmd.Args() {
		if s, ok := a.(string); ok && strings.HasPrefix(s, "astrogrowth:") {
			h.into[s] = true
		}
	}
}

func (h *keysSeen) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *keysSeen) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { h.note(cmd); return next(ctx, cmd) }
}

func (h *keysSeen) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		for _, c := range cmds {
			h.note(c)
		}
		return next(ctx, cmds)
	}
}
