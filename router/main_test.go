package router_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/shopspring/decimal"
	"go.uber.org/goleak"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/router/breaker"
	"github.com/zakibelm/astrogrowth/router/cache"
	"github.com/zakibelm/astrogrowth/router/quota"
)

func TestMain(m *testing.M) {
	callerMain() // when this is a process that a test has started
	upstreamMain()
	goleak.VerifyTestMain(testenv.Around(m))
}

// answerer says what a model answers.
type answerer func(ctx context.Context, req providers.Request) (providers.Response, error)

// fake is a provider whose models answer as the test says.
type fake struct {
	name               string
	off, local, zeroed bool
	served             []providers.Model

	mu     sync.Mutex
	answer answerer
	sent   []providers.Request
}

func (f *fake) Name() string        { return f.name }
func (f *fake) Configured() bool    { return !f.off }
func (f *fake) Local() bool         { return f.local }
func (f *fake) ZeroRetention() bool { return f.zeroed }

func (f *fake) Models(context.Context) ([]providers.Model, error) { return f.served, nil }

func (f *fake) Complete(ctx context.Context, req providers.Request) (providers.Response, error) {
	f.mu.Lock()
	f.sent = append(f.sent, req)
	answer := f.answer
	f.mu.Unlock()
	return answer(ctx, req)
}

// will changes what the provider answers.
func (f *fake) will(a answerer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = a
}

func (f *fake) requests() []providers.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]providers.Request(nil), f.sent...)
}

// says answers with a text that cost a cent.
func says(text string) answerer {
	return func(_ context.Context, req providers.Request) (providers.Response, error) {
		return answered(req.Model, text), nil
	}
}

func answered(model, text string) providers.Response {
	cent := decimal.RequireFromString("0.01")
	return providers.Response{
		Text: text, Model: model, FinishReason: "stop", UsageKnown: true, CostUSD: &cent, Generation: "gen-1",
		Usage: growth.Usage{PromptTokens: 10, CompletionTokens: 5, TotalTokens: 15},
	}
}

// fails answers with a fault.
func fails(code growth.Code, change ...func(*growth.Error)) answerer {
	return func(context.Context, providers.Request) (providers.Response, error) {
		e := &growth.Error{Code: code, Op: "fake.Complete", Message: "the fake fails as " + code.String(), Scope: growth.ScopeModel, Err: errors.New("prompt and key hunter2")}
		for _, f := range change {
			f(e)
		}
		return providers.Response{}, e
	}
}

func after(d time.Duration) func(*growth.Error) { return func(e *growth.Error) { e.RetryAfter = d } }

func scope(s growth.FaultScope) func(*growth.Error) { return func(e *growth.Error) { e.Scope = s } }

// inOrder answers the first request with the first, and so on; the last one stays.
func inOrder(list ...answerer) answerer {
	var mu sync.Mutex
	n := 0
	return func(ctx context.Context, req providers.Request) (providers.Response, error) {
		mu.Lock()
		a := list[min(n, len(list)-1)]
		n++
		mu.Unlock()
		return a(ctx, req)
	}
}

// book is a ledger in memory.
type book struct {
	mu      sync.Mutex
	started []growth.Call
	ended   []growth.Call
	down    error
}

func (b *book) Start(_ context.Context, c growth.Call) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.started = append(b.started, c)
	return b.down
}

func (b *book) End(_ context.Context, c growth.Call) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = append(b.ended, c)
}

func (b *book) rows() []growth.Call {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]growth.Call(nil), b.ended...)
}

// counted is what the cache did.
type counted struct {
	mu           sync.Mutex
	hits, misses int
	near         int // of the hits
	saved        decimal.Decimal
}

func (c *counted) Hit(_ growth.WorkspaceID, _ growth.TaskType, hit growth.CacheHit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hits++
	if hit.As == growth.CachedNear {
		c.near++
	}
	if hit.Saved.USD != nil {
		c.saved = c.saved.Add(*hit.Saved.USD)
	}
}

func (c *counted) Miss(growth.WorkspaceID, growth.TaskType) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.misses++
}

// chain is a router over three fakes, each with one family of two models: a/1, a/2, b/1, b/2, c/1, c/2.
type chain struct {
	*router.Router
	a, b, c   *fake
	book      *book
	stats     *counted
	cooldowns *quota.Cooldowns
}

// newChain makes a router without a cache; change shapes its configuration.
func newChain(t testing.TB, change ...func(*router.Config)) *chain {
	t.Helper()
	ch := &chain{
		a: &fake{name: "a", answer: says("from a")}, b: &fake{name: "b", answer: says("from b")},
		c: &fake{name: "c", answer: says("from c"), local: true}, book: &book{}, stats: &counted{},
		cooldowns: &quota.Cooldowns{},
	}
	routes := router.Routes{}
	for _, task := range growth.TaskTypes() {
		r := router.Route{MaxTokens: 100, CallTimeout: 5 * time.Second, Timeout: 10 * time.Second, CacheTTL: time.Hour}
		for _, p := range []string{"a", "b", "c"} {
			r.Candidates = append(r.Candidates, router.Candidate{Family: "family " + p, Provider: p, Slugs: []string{"1", "2"}})
		}
		routes[task] = r
	}
	cfg := router.Config{
		Routes: routes, Providers: []router.Provider{ch.a, ch.b, ch.c}, Ledger: ch.book, Stats: ch.stats,
		Breakers: breaker.New(breaker.Settings{}, t.Name(), routes.BreakerNames()...), Cooldowns: ch.cooldowns,
	}
	for _, f := range change {
		f(&cfg)
	}
	ch.Router = router.New(cfg)
	return ch
}

// withCache gives the router a cache over a Redis of its own.
func withCache(t testing.TB) func(*router.Config) {
	t.Helper()
	return over(newCache(t, testenv.RedisClient(t)))
}

func over(kept *cache.Cache) func(*router.Config) {
	return func(c *router.Config) { c.Cache = kept }
}

func newCache(t testing.TB, rdb redis.UniversalClient, s ...cache.Settings) *cache.Cache {
	t.Helper()
	kept, err := cache.New(rdb, append([]cache.Settings{{Patience: 10 * time.Second}}, s...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kept.Close)
	return kept
}

const (
	ours   growth.WorkspaceID = "0190a000-0000-7000-8000-000000000001"
	theirs growth.WorkspaceID = "0190a000-0000-7000-8000-000000000002"
)

// ask is a plain question.
func ask(change ...func(*router.Request)) router.Request {
	req := router.Request{Task: growth.TaskSimple, Workspace: ours, Messages: []growth.Message{{Role: "user", Content: "2+2?"}}}
	for _, f := range change {
		f(&req)
	}
	return req
}

func cached(r *router.Request) { r.Cache = router.CacheExact }

// gets asks and wants an answer.
func (ch *chain) gets(t testing.TB, change ...func(*router.Request)) router.Answer {
	t.Helper()
	a, err := ch.Complete(t.Context(), ask(change...))
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	return a
}

// refuses asks and wants a failure.
func (ch *chain) refuses(t testing.TB, change ...func(*router.Request)) *router.ChainError {
	t.Helper()
	a, err := ch.Complete(t.Context(), ask(change...))
	e, ok := errors.AsType[*router.ChainError](err)
	if !ok {
		t.Fatalf("answer %q, error %v; want a chain that ends", a.Text, err)
	}
	return e
}

// trail is a walk as "provider/model decision code".
func trail(calls []growth.Call) []string {
	out := []string{}
	for _, c := range calls {
		s := fmt.Sprintf("%s/%s %s", c.Provider, c.Model, c.Decision)
		if c.Code != "" {
			s += " " + c.Code
		}
		out = append(out, s)
	}
	return out
}
