package router_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/router/budget"
	"github.com/zakibelm/astrogrowth/store"
)

// priced lets the providers a (paid), b (of unknown price) and c (free) name their prices.
func (ch *chain) priced(t *testing.T) {
	t.Helper()
	paid := providers.Price{Prompt: decimal.NewFromInt(1), Completion: decimal.NewFromInt(10)}
	ch.a.served = []providers.Model{{ID: "1", PriceKnown: true, Price: paid}}
	ch.b.served = []providers.Model{{ID: "1"}}
	ch.c.served = []providers.Model{{ID: "1", PriceKnown: true}}
	for name, err := range ch.LearnCatalogues(t.Context()) {
		t.Fatalf("%s: %v", name, err)
	}
}

// funded is a chain with a ledger and one budget.
type funded struct {
	*chain
	s      *store.Store
	keeper *budget.Keeper
	ws     growth.WorkspaceID
	budget growth.Budget
}

func newFunded(t *testing.T, limit string, policy growth.BudgetPolicy) *funded {
	t.Helper()
	s := testenv.Store(t)
	f := &funded{s: s, ws: testenv.Workspace(t, s).ID}
	f.keeper = budget.New(budget.Config{Redis: testenv.RedisClient(t), Book: s})
	s.OnCalls(f.keeper.Committed)
	ledger := store.NewLedgerWriter(s, zerolog.Nop())
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{}, 2)
	go func() { ledger.Run(ctx); done <- struct{}{} }()
	go func() { f.keeper.Run(ctx); done <- struct{}{} }()
	t.Cleanup(func() { stop(); <-done; <-done })
	f.chain = newChain(t, func(c *router.Config) { c.Ledger, c.Budget = ledger, f.keeper })
	f.priced(t)
	var err error
	f.budget, err = s.In(f.ws).AddBudget(t.Context(), growth.Budget{
		Name: "Ads", Period: growth.BudgetMonth, LimitUSD: decimal.RequireFromString(limit), Policy: policy,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.keeper.Changed(t.Context(), f.ws); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *funded) asks(r *router.Request) { r.Workspace = f.ws }

func (f *funded) status(ctx context.Context, t *testing.T) growth.BudgetStatus {
	t.Helper()
	got, err := f.s.In(f.ws).BudgetStatus(ctx, f.budget.ID, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return got[0]
}

func TestBudgetPaysForACall(t *testing.T) {
	t.Parallel()
	f := newFunded(t, "1", growth.BudgetStop)
	var during growth.BudgetStatus
	f.a.will(func(ctx context.Context, req providers.Request) (providers.Response, error) {
		during = f.status(ctx, t)
		return says("4")(ctx, req)
	})
	a := f.gets(t, f.asks)
	// 64 and 16 tokens around 8 bytes at 1 USD, 100 tokens of an answer at 10 USD a million.
	want := decimal.RequireFromString("0.001088")
	if a.Calls[0].Reserved == nil || !a.Calls[0].Reserved.Equal(want) || !during.ReservedUSD.Equal(want) {
		t.Errorf("reserved %v, in the ledger during the call %s; want %s", a.Calls[0].Reserved, during.ReservedUSD, want)
	}
	eventually(t, "the books agree with what was spent", func() bool {
		s := f.status(t.Context(), t)
		return s.ReservedUSD.IsZero() && s.SpentUSD.Equal(*a.Cost.USD)
	})
}

func TestPolicyAtTheLimit(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		policy growth.BudgetPolicy
		free   bool // a free candidate answers
		trail  []string
		reason growth.WaitReason
		final  bool
	}{
		{growth.BudgetFreeOnly, true, []string{"a/1 skipped budget", "b/1 skipped budget", "c/1 answered"}, "", false},
		{growth.BudgetFreeOnly, false, []string{"a/1 skipped budget", "b/1 skipped budget", "c/1 skipped not_configured"}, growth.WaitBudget, false},
		{growth.BudgetWait, true, []string{"a/1 skipped budget"}, growth.WaitBudget, false},
		{growth.BudgetStop, true, []string{"a/1 skipped budget"}, "", true},
	} {
		name := string(tc.policy)
		if !tc.free {
			name += " without a free one"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFunded(t, "0.001", tc.policy)
			f.c.off = !tc.free
			a, err := f.Complete(t.Context(), ask(f.asks))
			if len(f.a.requests())+len(f.b.requests()) != 0 {
				t.Error("a paid candidate was asked")
			}
			if err == nil {
				if diff := cmp.Diff(tc.trail, trail(a.Calls)); diff != "" {
					t.Errorf("walk (-want +got):\n%s", diff)
				}
				return
			}
			e, ok := errors.AsType[*router.ChainError](err)
			if !ok {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.trail, trail(e.Calls)); diff != "" {
				t.Errorf("walk (-want +got):\n%s", diff)
			}
			_, end := growth.BudgetMonth.Window(time.Now())
			if e.Reason != tc.reason || e.Final != tc.final || growth.CodeOf(err) != growth.Exhausted || e.Budget == nil || e.Budget.Name != "Ads" || !e.Budget.FreesAt.Equal(end) {
				t.Errorf("end = %+v, budget %+v", e, e.Budget)
			}
			if d := growth.RetryAfterOf(err) - time.Until(end); d < -time.Minute || d > time.Minute {
				t.Errorf("retry after %v", growth.RetryAfterOf(err))
			}
		})
	}
}

// A free candidate that fails may be back in a minute: nobody is told to wait for the end of the month.
func TestBudgetDoesNotHoldUpAFreeCandidate(t *testing.T) {
	t.Parallel()
	f := newFunded(t, "0.001", growth.BudgetFreeOnly)
	f.c.will(fails(growth.Unavailable))
	e := f.refuses(t, f.asks)
	if e.Reason != "" || growth.RetryAfterOf(e) > time.Minute || growth.CodeOf(e) != growth.Unavailable {
		t.Errorf("end = %v, reason %q, after %v", e, e.Reason, growth.RetryAfterOf(e))
	}
}

// A request that was answered and turned down is paid for, and asking once more needs money of its own.
func TestAskingAgainNeedsMoneyToo(t *testing.T) {
	t.Parallel()
	f := newFunded(t, "0.002", growth.BudgetFreeOnly)
	f.a.will(says("not a number"))
	f.c.will(says(`{"n":4}`))
	a := f.gets(t, f.asks, structured)
	want := []string{"a/1 failed malformed", "a/1 skipped budget", "b/1 skipped budget", "c/1 answered"}
	if diff := cmp.Diff(want, trail(a.Calls)); diff != "" {
		t.Errorf("walk (-want +got):\n%s", diff)
	}
}

func TestUnreadableBudgetLeavesTheFreeCandidates(t *testing.T) {
	t.Parallel()
	f := newFunded(t, "1", growth.BudgetStop)
	rdb := testenv.RedisClient(t)
	_ = rdb.Close()
	blind := budget.New(budget.Config{Redis: rdb, Book: f.s})
	ch := newChain(t, func(c *router.Config) { c.Budget = blind })
	ch.priced(t)
	a := ch.gets(t, f.asks)
	if diff := cmp.Diff([]string{"a/1 skipped budget", "b/1 skipped budget", "c/1 answered"}, trail(a.Calls)); diff != "" {
		t.Errorf("walk (-want +got):\n%s", diff)
	}
	if !strings.Contains(a.Calls[0].Detail+a.Calls[1].Detail, "cannot be read") {
		t.Errorf("details %q, %q", a.Calls[0].Detail, a.Calls[1].Detail)
	}
}

// lossy loses the state between the commit of a row and the call.
type lossy struct {
	router.Budget
	refusal error
}

func (l *lossy) Confirm(context.Context, budget.Reservation) error { return l.refusal }

func TestReservationThatWasLostSendsNothing(t *testing.T) {
	t.Parallel()
	f := newFunded(t, "1", growth.BudgetFreeOnly)
	ledger := &book{}
	ch := newChain(t, func(c *router.Config) {
		c.Ledger, c.Budget = ledger, &lossy{f.keeper, &budget.RefusalError{Budget: f.budget, Until: time.Now().Add(time.Hour)}}
	})
	ch.priced(t)
	a := ch.gets(t, f.asks)
	if len(ch.a.requests()) != 0 || a.Provider != "c" {
		t.Errorf("answer from %s", a.Provider)
	}
	rows := ledger.rows()
	if rows[0].ID != ledger.started[0].ID || rows[0].Status != "" || rows[0].Decision != growth.DecisionSkipped || !rows[0].Cost.USD.IsZero() {
		t.Errorf("the row of the call that was not sent = %+v", rows[0])
	}
}

// Whatever is asked, an answer never costs more than was held for it.
func TestEstimateIsNeverBelowTheCost(t *testing.T) {
	t.Parallel()
	texts := []string{"", "é", "👩‍🚀👩‍🚀👩‍🚀", strings.Repeat("日本語", 500), strings.Repeat("word ", 3000), "{\"a\":[1,2,3]}"}
	for _, text := range texts {
		f := newFunded(t, "1000", growth.BudgetStop)
		f.a.will(func(_ context.Context, req providers.Request) (providers.Response, error) {
			usage := growth.Usage{CompletionTokens: req.MaxTokens} // at the worst: a token a byte, and the longest answer
			for _, m := range req.Messages {
				usage.PromptTokens += len(m.Content) + 8
			}
			return providers.Response{Text: "4", FinishReason: "stop", UsageKnown: true, Usage: usage}, nil
		})
		a := f.gets(t, f.asks, func(r *router.Request) {
			r.Messages = []growth.Message{{Role: "system", Content: "x"}, {Role: "user", Content: text}}
		})
		if a.Cost.USD.GreaterThan(*a.Calls[0].Reserved) {
			t.Errorf("%d bytes: cost %s, held %s", len(text), a.Cost.USD, a.Calls[0].Reserved)
		}
	}
}

func TestPricesByWhoseWordCounts(t *testing.T) {
	t.Parallel()
	list := func(version, prompt string) *providers.PriceList {
		l, err := providers.ReadPrices([]byte(`{"version":"` + version + `","currency":"USD","per":"million tokens",
			"models":{"a":{"1":{"prompt":"` + prompt + `","completion":"0"}}}}`))
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	for _, tc := range []struct {
		name   string
		prices router.Prices
		live   bool
		want   string
		list   string
	}{
		{"the operator's", router.Prices{Override: list("v1", "5"), Kept: list("v2", "7")}, true, "5", "file v1"},
		{"the live one", router.Prices{Kept: list("v2", "7")}, true, "1", "live "},
		{"the kept one", router.Prices{Kept: list("v2", "7")}, false, "7", "kept v2"},
		{"none", router.Prices{}, false, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			ch := newChain(t, func(c *router.Config) { c.Prices = tc.prices })
			if tc.live {
				ch.priced(t)
			}
			ch.a.will(func(context.Context, providers.Request) (providers.Response, error) {
				return providers.Response{Text: "4", FinishReason: "stop", UsageKnown: true, Usage: growth.Usage{PromptTokens: 1_000_000}}, nil
			})
			c := ch.gets(t).Calls[0]
			switch {
			case tc.want == "" && c.Cost.USD != nil:
				t.Errorf("cost %s", c.Cost.USD)
			case tc.want != "" && (c.Cost.USD == nil || !c.Cost.USD.Equal(decimal.RequireFromString(tc.want)) || !strings.HasPrefix(c.Prices, tc.list)):
				t.Errorf("cost %v by %q; want %s by %q", c.Cost.USD, c.Prices, tc.want, tc.list)
			}
		})
	}
}
