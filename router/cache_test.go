package router_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/router/cache"
)

func TestCacheAnswersTheSameRequest(t *testing.T) {
	t.Parallel()
	ch := newChain(t, withCache(t))
	first := ch.gets(t, cached)
	second := ch.gets(t, cached)
	if first.Cached != router.CachedNo || second.Cached != router.CachedExact || second.Text != first.Text || second.Model != first.Model {
		t.Errorf("first %+v, second %+v", first, second)
	}
	if !second.Cost.USD.IsZero() || second.Cost.Provenance != growth.CostReported || len(ch.a.requests()) != 1 {
		t.Errorf("cost %+v, %d requests; a kept answer costs nothing", second.Cost, len(ch.a.requests()))
	}
	if ch.stats.hits != 1 || ch.stats.misses != 1 || !ch.stats.saved.Equal(decimal.RequireFromString("0.01")) {
		t.Errorf("stats: %d hits, %d misses, saved %s", ch.stats.hits, ch.stats.misses, ch.stats.saved)
	}
}

func TestCacheTellsRequestsApart(t *testing.T) {
	t.Parallel()
	warm := 0.9
	for name, change := range map[string]func(*router.Request){
		"another workspace": func(r *router.Request) { r.Workspace = theirs },
		"another task":      func(r *router.Request) { r.Task = growth.TaskAnalysis },
		"another message":   func(r *router.Request) { r.Messages = []growth.Message{{Role: "user", Content: "2+3?"}} },
		"another role":      func(r *router.Request) { r.Messages = []growth.Message{{Role: "system", Content: "2+2?"}} },
		"a temperature":     func(r *router.Request) { r.Sampling.Temperature = &warm },
		"a token limit":     func(r *router.Request) { r.Sampling.MaxTokens = 5 },
		"a stop word":       func(r *router.Request) { r.Sampling.Stop = []string{"x"} },
		"a privacy class":   func(r *router.Request) { r.Privacy = growth.PrivacyLocalOnly },
		"another scope":     func(r *router.Request) { r.Scope = "prompt.v2" },
		"a forced provider": func(r *router.Request) { r.Force = &growth.Call{Provider: "b"} },
		"a schema":          func(r *router.Request) { r.Schema = []byte(`{"type":"string"}`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ch := newChain(t, withCache(t))
			for _, f := range []*fake{ch.a, ch.b, ch.c} {
				f.will(says(`"x"`))
			}
			ch.gets(t, cached)
			if got := ch.gets(t, cached, change); got.Cached != router.CachedNo {
				t.Errorf("answered from the cache: %+v", got)
			}
		})
	}
}

func TestCacheIsLeftAloneWhenNotWanted(t *testing.T) {
	t.Parallel()
	ch := newChain(t, withCache(t))
	ch.gets(t) // CacheNone keeps nothing
	if got := ch.gets(t, cached); got.Cached != router.CachedNo {
		t.Error("an answer that was not to be kept was kept")
	}
	ch.a.will(says("fresher"))
	if got := ch.gets(t, func(r *router.Request) { r.Cache = router.CacheFresh }); got.Text != "fresher" {
		t.Errorf("bypass gave %q", got.Text)
	}
	if got := ch.gets(t, cached); got.Text != "fresher" || got.Cached != router.CachedExact {
		t.Errorf("after a bypass: %q, cached %s; want the fresh answer kept", got.Text, got.Cached)
	}
}

// A worse model's answer must not stand in for the better one after that has recovered.
func TestCacheKeepsOnlyWhatTheFirstChoiceWouldSay(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		fail func(ch *chain)
		kept bool
	}{
		{"after a failure", func(ch *chain) { ch.a.will(fails(growth.Unavailable)) }, false},
		{"after a rest", func(ch *chain) { ch.a.will(fails(growth.Throttled, after(time.Hour))) }, false},
		{"cut short", func(ch *chain) { ch.a.will(cut("2+2 is")) }, false},
		{"the first is not configured", func(ch *chain) { ch.a.off = true }, true},
		{"a slug is gone", func(ch *chain) { ch.a.will(inOrder(fails(growth.ModelGone), says("from a"))) }, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			ch := newChain(t, withCache(t))
			tc.fail(ch)
			ch.gets(t, cached)
			if got := ch.gets(t, cached).Cached == router.CachedExact; got != tc.kept {
				t.Errorf("kept = %v; want %v", got, tc.kept)
			}
		})
	}
}

func TestCacheEntryThatIsNotAcceptedAnyMoreIsAskedForAnew(t *testing.T) {
	t.Parallel()
	ch := newChain(t, withCache(t))
	ch.gets(t, cached)
	ch.a.will(says("better"))
	got := ch.gets(t, cached, func(r *router.Request) {
		r.Accept = func(text string) error {
			if text != "better" {
				return context.Canceled
			}
			return nil
		}
	})
	if got.Text != "better" || got.Cached != router.CachedNo {
		t.Errorf("answer %q, cached %s", got.Text, got.Cached)
	}
}

// shelf is a cache in memory, for tests in a bubble, which Redis cannot enter.
type shelf struct{ kept sync.Map }

func (s *shelf) Get(_ context.Context, k cache.Key) (cache.Entry, bool) {
	v, ok := s.kept.Load(k)
	if !ok {
		return cache.Entry{}, false
	}
	e, ok := v.(cache.Entry)
	return e, ok
}

func (s *shelf) Put(_ context.Context, k cache.Key, e cache.Entry, _ time.Duration) {
	s.kept.Store(k, e)
}

func (s *shelf) Peek(k cache.Key) (cache.Entry, bool) { return s.Get(context.Background(), k) }

func (s *shelf) Await(ctx context.Context, k cache.Key, _ time.Duration) (cache.Entry, bool, func()) {
	e, ok := s.Get(ctx, k)
	return e, ok, func() {}
}

func (s *shelf) Link(context.Context, cache.Key, growth.JobID, growth.LeadID) {}

func TestCacheMakesEqualRequestsOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ch := newChain(t, func(c *router.Config) { c.Cache = &shelf{} })
		release := make(chan struct{})
		ch.a.will(func(_ context.Context, req providers.Request) (providers.Response, error) {
			<-release
			return answered(req.Model, "once"), nil
		})
		var wg sync.WaitGroup
		answers := make(chan router.Answer, 10)
		for range 10 {
			wg.Go(func() {
				a, err := ch.Complete(t.Context(), ask(cached))
				if err != nil {
					t.Error(err)
				}
				answers <- a
			})
		}
		synctest.Wait() // all ten wait for the one
		close(release)
		wg.Wait()
		close(answers)
		paid := 0
		for a := range answers {
			if a.Text != "once" {
				t.Errorf("answer %q", a.Text)
			}
			if !a.Cost.USD.IsZero() {
				paid++
			}
		}
		if n := len(ch.a.requests()); n != 1 || paid != 1 {
			t.Errorf("%d requests, %d answers with a cost; want one of each", n, paid)
		}
	})
}

func TestCacheLetsAWaiterLeave(t *testing.T) {
	t.Parallel()
	ch := newChain(t, withCache(t))
	began, release := make(chan struct{}), make(chan struct{})
	ch.a.will(func(_ context.Context, req providers.Request) (providers.Response, error) {
		close(began)
		<-release
		return answered(req.Model, "late"), nil
	})
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = ch.Complete(t.Context(), ask(cached)) })
	defer wg.Wait()
	defer close(release)
	<-began
	ctx, leave := context.WithCancel(t.Context())
	leave()
	left := make(chan error, 1)
	go func() {
		_, err := ch.Complete(ctx, ask(cached))
		left <- err
	}()
	select {
	case err := <-left:
		if growth.CodeOf(err) != growth.Canceled {
			t.Errorf("error = %v; want canceled", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("a caller who has left still waits for another one's request")
		<-release
	}
}

// When the one whose request it was leaves, the others ask for themselves.
func TestCacheFlightOutlivesItsFirstCaller(t *testing.T) {
	t.Parallel()
	ch := newChain(t, withCache(t))
	began := make(chan struct{})
	ch.a.will(inOrder(func(ctx context.Context, req providers.Request) (providers.Response, error) {
		close(began)
		return hangs(ctx, req)
	}, says("for the others")))
	ctx, leave := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = ch.Complete(ctx, ask(cached)) })
	<-began
	wg.Go(func() {
		if got, err := ch.Complete(t.Context(), ask(cached)); err != nil || got.Text != "for the others" {
			t.Errorf("answer %q, %v", got.Text, err)
		}
	})
	leave()
	wg.Wait()
}

func TestCacheThatIsDownIsAMiss(t *testing.T) {
	t.Parallel()
	ch := newChain(t, withDeadCache(t))
	for range 2 {
		if got := ch.gets(t, cached); got.Text != "from a" || got.Cached != router.CachedNo {
			t.Errorf("answer %q, cached %s", got.Text, got.Cached)
		}
	}
}
