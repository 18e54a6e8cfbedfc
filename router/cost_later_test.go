package router_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
)

// teller is a provider that tells costs afterwards, as the test says.
type teller struct {
	*fake
	tell func(id string) (providers.Generation, error)
}

func (f teller) Generation(_ context.Context, id string) (providers.Generation, error) {
	return f.tell(id)
}

// stubbornBook writes a learnt cost only at the nth time.
type stubbornBook struct {
	book
	at     int
	learnt []growth.Call
}

func (b *stubbornBook) LearnCost(_ context.Context, c growth.Call) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.learnt = append(b.learnt, c)
	return len(b.learnt) >= b.at, nil
}

func (b *stubbornBook) calls() []growth.Call {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]growth.Call(nil), b.learnt...)
}

// cutOff is a failure that may have cost money, with the id by which that can be asked.
func cutOff(_ context.Context, req providers.Request) (providers.Response, error) {
	return providers.Response{Model: req.Model, Generation: "gen-7"}, &growth.Error{Code: growth.Malformed, Scope: growth.ScopeModel, Message: "cut"}
}

func TestCostIsAskedForUntilItIsKnownAndWritten(t *testing.T) {
	t.Parallel()
	dime := decimal.RequireFromString("0.1")
	notYet := func(n int) func(string) (providers.Generation, error) {
		return func(id string) (providers.Generation, error) {
			if n--; n >= 0 || id != "gen-7" {
				return providers.Generation{}, growth.Errorf(growth.NotFound, "t", "not yet")
			}
			return providers.Generation{CostUSD: &dime, UsageKnown: true, Usage: growth.Usage{PromptTokens: 3}}, nil
		}
	}
	for name, tc := range map[string]struct {
		tell    func(string) (providers.Generation, error)
		at      int
		written int
		took    time.Duration
	}{
		"at once":                   {notYet(0), 1, 1, 500 * time.Millisecond},
		"when the provider knows":   {notYet(2), 1, 1, 12500 * time.Millisecond},
		"when the row is there":     {notYet(1), 2, 2, 12500 * time.Millisecond},
		"never: it is not said":     {func(string) (providers.Generation, error) { return providers.Generation{}, nil }, 1, 0, 500 * time.Millisecond},
		"never: the key is refused": {func(string) (providers.Generation, error) { return providers.Generation{}, errors.New("x") }, 1, 0, 102500 * time.Millisecond},
		"never: nobody knows it":    {notYet(99), 1, 0, 102500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := &stubbornBook{at: tc.at}
				ch := newChain(t, func(c *router.Config) {
					c.Ledger = b
					c.Providers[0] = teller{&fake{name: "a", answer: cutOff}, tc.tell}
				})
				ch.gets(t)
				ctx, cancel := context.WithCancel(t.Context())
				var wg sync.WaitGroup
				wg.Go(func() { ch.LearnCosts(ctx, zerolog.Nop()) })
				time.Sleep(tc.took - time.Millisecond)
				synctest.Wait()
				before := len(b.calls())
				time.Sleep(2 * time.Millisecond)
				synctest.Wait()
				if tc.written > 0 && before != tc.written-1 || len(b.calls()) != tc.written {
					t.Errorf("%d tries to write before %v, %d after; want %d", before, tc.took, len(b.calls()), tc.written)
				}
				for _, c := range b.calls() {
					if c.ID != b.rows()[0].ID || !c.Cost.USD.Equal(dime) || c.Cost.Provenance != growth.CostReported || c.Usage.PromptTokens != 3 {
						t.Errorf("learnt %+v", c)
					}
				}
				cancel()
				wg.Wait()
			})
		})
	}
}

// Nobody is asked about a call that was free, priced, or turned away.
func TestCostThatIsKnownIsNotAskedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &stubbornBook{at: 1}
		ch := newChain(t, func(c *router.Config) {
			c.Ledger = b
			c.Providers[0] = teller{&fake{name: "a", answer: inOrder(says("x"), fails(growth.Throttled))}, func(string) (providers.Generation, error) {
				t.Error("asked")
				return providers.Generation{}, nil
			}}
		})
		ch.gets(t)
		ch.gets(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		ch.LearnCosts(ctx, zerolog.Nop())
	})
}
