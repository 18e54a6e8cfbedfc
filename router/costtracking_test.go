package router_test

import (
	"context"
	"testing"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
)

// paid gives the route one candidate whose price is on the built-in list.
func paid(c *router.Config) {
	r := c.Routes[growth.TaskSimple]
	r.Candidates = []router.Candidate{
		{Family: "first", Provider: "openrouter", Slugs: []string{"openai/gpt-4o-mini"}}, {Family: "second", Provider: "b", Slugs: []string{"1"}},
	}
	c.Routes[growth.TaskSimple] = r
}

func TestCostTrackingByWhatIsKnown(t *testing.T) {
	t.Parallel()
	price, ok := providers.PriceOf("openrouter", "openai/gpt-4o-mini")
	if !ok {
		t.Fatal("the price list has no openai/gpt-4o-mini")
	}
	usage := growth.Usage{PromptTokens: 1000, CompletionTokens: 500, TotalTokens: 1500}
	half := decimal.RequireFromString("0.5")
	for _, tc := range []struct {
		name string
		resp providers.Response
		want growth.Money
	}{
		{"the provider says", providers.Response{Usage: usage, UsageKnown: true, CostUSD: &half}, growth.USD(half, growth.CostReported)},
		{"tokens times price", providers.Response{Usage: usage, UsageKnown: true}, growth.USD(price.Cost(usage), growth.CostPriced)},
		{"nobody counted", providers.Response{}, growth.UnknownMoney("USD")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := &fake{name: "openrouter", answer: func(_ context.Context, req providers.Request) (providers.Response, error) {
				r := tc.resp
				r.Text, r.FinishReason, r.Model = "4", "stop", req.Model
				return r, nil
			}}
			ch := newChain(t, paid, func(c *router.Config) { c.Providers = append(c.Providers, f) })
			got := ch.gets(t)
			for _, m := range []growth.Money{got.Cost, got.Calls[0].Cost, ch.book.rows()[0].Cost} {
				if !sameMoney(m, tc.want) {
					t.Errorf("cost = %+v; want %+v", m, tc.want)
				}
			}
			if got.Usage != tc.resp.Usage {
				t.Errorf("usage = %+v", got.Usage)
			}
		})
	}
}

func sameMoney(a, b growth.Money) bool {
	if (a.USD == nil) != (b.USD == nil) || a.Provenance != b.Provenance {
		return false
	}
	return a.USD == nil || a.USD.Equal(*b.USD)
}

// An answer costs what every failed try before it cost, and is unknown when one of them is.
func TestCostTrackingCountsTheFailedTries(t *testing.T) {
	t.Parallel()
	dear := func(_ context.Context, req providers.Request) (providers.Response, error) {
		r := answered(req.Model, "")
		r.Text = ""
		return r, &growth.Error{Code: growth.Malformed, Scope: growth.ScopeModel}
	}
	for _, tc := range []struct {
		name string
		a    answerer
		want string // empty: unknown
	}{
		{"it charged", dear, "0.02"},
		{"it refused at the door", fails(growth.Throttled), "0.01"},
		{"it broke off", fails(growth.Unavailable), ""},
		{"it was asked twice", says("not a number"), "0.03"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			ch := newChain(t)
			ch.a.will(tc.a)
			ch.b.will(says(`{"n":4}`))
			got := ch.gets(t, structured).Cost
			switch {
			case tc.want == "" && got.USD != nil:
				t.Errorf("cost = %s; a sum with an unknown part is unknown", got.USD)
			case tc.want != "" && (got.USD == nil || !got.USD.Equal(decimal.RequireFromString(tc.want))):
				t.Errorf("cost = %v; want %s", got.USD, tc.want)
			}
		})
	}
}

func TestCostTrackingWritesARowBeforeAndAfterEachCall(t *testing.T) {
	t.Parallel()
	ch := newChain(t)
	before := 0
	ch.a.will(func(context.Context, providers.Request) (providers.Response, error) {
		ch.book.mu.Lock()
		defer ch.book.mu.Unlock()
		before = len(ch.book.started)
		return providers.Response{}, &growth.Error{Code: growth.Unavailable, Message: "down"}
	})
	ch.c.off = true
	ch.gets(t, func(r *router.Request) { r.Job, r.Step = "0190a000-0000-7000-8000-00000000000a", "draft" })
	if before != 1 {
		t.Fatalf("%d rows stood when the request was sent; want 1", before)
	}
	rows := ch.book.rows()
	if len(rows) != 2 || rows[0].ID != ch.book.started[0].ID || rows[1].ID != ch.book.started[1].ID {
		t.Fatalf("rows = %+v", rows)
	}
	if s := ch.book.started[0]; s.Status != growth.CallStarted || s.Cost.USD != nil || s.Workspace != ours || s.Step != "draft" || s.JobID == "" {
		t.Errorf("started = %+v; want an unknown cost of our workspace's job", s)
	}
	if rows[0].Status != growth.CallFailed || rows[0].Detail != "down" || rows[1].Status != growth.CallOK || rows[1].Generation != "gen-1" {
		t.Errorf("ends = %+v", rows)
	}
}

func TestCostTrackingNotesWhatWasSkippedAndWhy(t *testing.T) {
	t.Parallel()
	ch := newChain(t)
	ch.gets(t, func(r *router.Request) { r.Privacy = growth.PrivacyLocalOnly })
	rows := ch.book.rows()
	if len(rows) != 3 || rows[0].Code != "privacy" || rows[0].Decision != growth.DecisionSkipped || rows[0].Status != "" || !rows[0].Cost.USD.IsZero() {
		t.Errorf("rows = %+v", rows)
	}
	if len(ch.book.started) != 1 {
		t.Errorf("%d calls were started; want 1", len(ch.book.started))
	}
}

func TestCostTrackingGoesToTheJobsOwnLedger(t *testing.T) {
	t.Parallel()
	ch, own := newChain(t), &book{}
	ch.gets(t, func(r *router.Request) { r.Ledger = own })
	if len(own.rows()) != 1 || len(ch.book.rows()) != 0 {
		t.Errorf("%d rows in the job's ledger, %d in the router's", len(own.rows()), len(ch.book.rows()))
	}
}
