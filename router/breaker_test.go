package router_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/router/breaker"
	"github.com/zakibelm/astrogrowth/router/cache"
)

// withDeadCache gives the router a cache whose Redis is down.
func withDeadCache(t testing.TB) func(*router.Config) {
	t.Helper()
	rdb := redis.NewClient(&redis.Options{
		Addr: "none", MaxRetries: -1, DialerRetries: 1, Dialer: nowhere,
	})
	kept, err := cache.New(rdb, cache.Settings{Patience: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kept.Close(); _ = rdb.Close() })
	return func(c *router.Config) { c.Cache = kept }
}

// breakers are a set with these settings, for the routes of a chain.
func breakers(s breaker.Settings) func(*router.Config) {
	return func(c *router.Config) { c.Breakers = breaker.New(s, "test", c.Routes.BreakerNames()...) }
}

func TestBreakerOpensAndTheChainGoesRound(t *testing.T) {
	t.Parallel()
	ch := newChain(t, breakers(breaker.Settings{Failures: 3}))
	ch.a.will(fails(growth.Unavailable))
	for range 3 {
		ch.gets(t)
	}
	got := ch.gets(t)
	if diff := cmp.Diff([]string{"a/1 skipped breaker_open", "b/1 answered"}, trail(got.Calls)); diff != "" {
		t.Errorf("walk (-want +got):\n%s", diff)
	}
	if n := len(ch.a.requests()); n != 3 {
		t.Errorf("%d requests to the broken model; want 3", n)
	}
	if s := ch.Breakers().Status(); s["a/1"].State != breaker.Open || s["a"].State != breaker.Closed || s["a/2"].State != breaker.Closed {
		t.Errorf("a/1 %s, a %s, a/2 %s; want the model alone open", s["a/1"].State, s["a"].State, s["a/2"].State)
	}
}

func TestBreakerOfTheProviderBarsAllItsModels(t *testing.T) {
	t.Parallel()
	ch := newChain(t, breakers(breaker.Settings{Failures: 2}))
	ch.a.will(fails(growth.KeyRejected, scope(growth.ScopeProvider)))
	ch.gets(t)
	ch.gets(t)
	forced := func(r *router.Request) { r.Force = &growth.Call{Provider: "a", Model: "2"} }
	e := ch.refuses(t, forced) // nobody else can be asked, so one call is tried
	if diff := cmp.Diff([]string{"a/2 skipped breaker_open", "a/2 failed key_rejected"}, trail(e.Calls)); diff != "" || e.Reason != growth.WaitBreakersOpen {
		t.Errorf("reason %q, walk (-want +got):\n%s", e.Reason, diff)
	}
	e = ch.refuses(t, forced)
	if diff := cmp.Diff([]string{"a/2 skipped breaker_open"}, trail(e.Calls)); diff != "" || e.Reason != growth.WaitBreakersOpen {
		t.Errorf("reason %q, walk (-want +got):\n%s", e.Reason, diff)
	}
	if d := e.Fault.RetryAfter; d < 50*time.Second || d > 70*time.Second {
		t.Errorf("retry after %v; want the rest of the minute", d)
	}
}

// What was wrong with a request, or with an answer's words, says nothing about the provider's health.
func TestBreakerCountsOnlyWhatSpeaksAgainstAProvider(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]answerer{
		"turned down here": says("not a number"),
		"refused":          fails(growth.Refused, scope(growth.ScopeNone)),
		"too long":         fails(growth.TooLong, scope(growth.ScopeNone)),
		"throttled":        fails(growth.Throttled, scope(growth.ScopeNone), after(time.Nanosecond)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ch := newChain(t, breakers(breaker.Settings{Failures: 2}))
			ch.a.will(a)
			ch.b.will(says(`{"n":4}`))
			for range 5 {
				ch.gets(t, structured)
			}
			if s := ch.Breakers().Status(); s["a/1"].State != breaker.Closed || s["a"].State != breaker.Closed || s["a/1"].Failures != 0 {
				t.Errorf("a/1 %+v, a %+v; want closed", s["a/1"], s["a"])
			}
		})
	}
}

func TestBreakerWithAllOpenIsWorthWaitingFor(t *testing.T) {
	t.Parallel()
	ch := newChain(t, breakers(breaker.Settings{Failures: 1}))
	for _, f := range []*fake{ch.a, ch.b, ch.c} {
		f.will(fails(growth.Unavailable))
	}
	if e := ch.refuses(t); e.Reason != "" {
		t.Errorf("reason %q; real failures use up an attempt", e.Reason)
	}
	if e := ch.refuses(t); e.Reason != growth.WaitBreakersOpen || len(ch.a.requests()) != 1 {
		t.Errorf("reason %q, %d requests; want to wait for the breakers", e.Reason, len(ch.a.requests()))
	}
}

// When only breakers stand in the way, the last candidate is asked once; if it answers, so does the chain.
func TestBreakerLastCandidateIsTriedOnceWhenAllAreOpen(t *testing.T) {
	t.Parallel()
	ch := newChain(t, breakers(breaker.Settings{Failures: 1}))
	for _, f := range []*fake{ch.a, ch.b, ch.c} {
		f.will(fails(growth.Unavailable))
	}
	_ = ch.refuses(t)
	ch.c.will(says("from c"))
	got := ch.gets(t)
	want := []string{"a/1 skipped breaker_open", "b/1 skipped breaker_open", "c/1 skipped breaker_open", "c/1 answered"}
	if diff := cmp.Diff(want, trail(got.Calls)); diff != "" || got.FallbackAttempts != 2 {
		t.Errorf("fallbacks %d, walk (-want +got):\n%s", got.FallbackAttempts, diff)
	}
	if n := len(ch.a.requests()) + len(ch.b.requests()); n != 2 {
		t.Errorf("the others were asked %d times; want once each, before they opened", n)
	}
}

func TestBreakerLastCandidateIsTriedByOneCallerOfMany(t *testing.T) {
	t.Parallel()
	ch := newChain(t, breakers(breaker.Settings{Failures: 1}))
	for _, f := range []*fake{ch.a, ch.b, ch.c} {
		f.will(fails(growth.Unavailable))
	}
	_ = ch.refuses(t)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			_, err := ch.Complete(t.Context(), ask())
			if e, ok := errors.AsType[*router.ChainError](err); !ok || e.Reason != growth.WaitBreakersOpen || e.Fault.RetryAfter < time.Second {
				t.Errorf("%v; want to wait for the breakers", err)
			}
		})
	}
	wg.Wait()
	if n := len(ch.c.requests()); n != 2 {
		t.Errorf("the last candidate was asked %d times; want once to open it and once in vain", n)
	}
}

// What rests is not barred by breakers only: it has said itself when it can be asked.
func TestBreakerLastCandidateIsLeftAloneWhenAnotherRests(t *testing.T) {
	t.Parallel()
	ch := newChain(t, breakers(breaker.Settings{Failures: 1}))
	ch.a.will(fails(growth.Throttled, after(time.Hour), scope(growth.ScopeNone)))
	ch.b.will(fails(growth.Unavailable))
	ch.c.will(fails(growth.Unavailable))
	_, _ = ch.refuses(t), ch.refuses(t)
	if n := len(ch.c.requests()); n != 1 {
		t.Errorf("the last candidate was asked %d times; want once", n)
	}
}

func TestBreakerResetLetsTheNextCallThrough(t *testing.T) {
	t.Parallel()
	ch := newChain(t, breakers(breaker.Settings{Failures: 1}))
	ch.a.will(inOrder(fails(growth.Unavailable), says("from a")))
	ch.gets(t)
	ch.Breakers().Force("a/1", time.Time{})
	if got := ch.gets(t); got.Text != "from a" {
		t.Errorf("answer %q; want the first candidate's", got.Text)
	}
}

func nowhere(context.Context, string, string) (net.Conn, error) { return nil, errors.New("down") }
