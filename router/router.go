// Package router is the chain: it takes a request to a language model, walks the candidates of its route once, and
// answers with the text, who gave it, what it cost, and why every other candidate did not. It never retries by itself:
// the queue does. It refuses to know the database and the queue; what it needs of them it declares here.
package router

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router/breaker"
	"github.com/zakibelm/astrogrowth/router/cache"
	"github.com/zakibelm/astrogrowth/router/quota"
)

// Provider is a service that answers chat requests.
type Provider interface {
	Name() string
	Configured() bool    // has what it needs to be called
	Local() bool         // runs on the operator's own machines
	ZeroRetention() bool // can promise to keep nothing
	Complete(ctx context.Context, req providers.Request) (providers.Response, error)
	Models(ctx context.Context) ([]providers.Model, error)
}

// Ledger keeps a row of every request to a provider.
type Ledger interface {
	// Start must have committed the row, or have taken it over for certain, when it returns: the request is sent next.
	Start(ctx context.Context, c growth.Call) error
	// End takes over the end of a call. It does not fail and does not wait for a disk.
	End(ctx context.Context, c growth.Call)
}

// Cache keeps finished answers; see package router/cache.
type Cache interface {
	Get(ctx context.Context, k cache.Key) (cache.Entry, bool)
	Put(ctx context.Context, k cache.Key, e cache.Entry, ttl time.Duration)
}

// Stats hears what the cache did.
type Stats interface {
	Hit(ws growth.WorkspaceID, task growth.TaskType, saved growth.Money)
	Miss(ws growth.WorkspaceID, task growth.TaskType)
}

// Config is what a router stands on. Ledger is required; Cache and Stats may be nil.
type Config struct {
	Routes    Routes
	Providers []Provider
	Breakers  *breaker.Set
	Cooldowns *quota.Cooldowns
	Ledger    Ledger
	Cache     Cache
	Stats     Stats
	CacheTTL  time.Duration // longest life of a direct call's answer; 0: the route's
}

// Router walks the routes. It is safe for use by many goroutines.
type Router struct {
	cfg       Config
	routes    atomic.Pointer[Routes]
	providers map[string]Provider
	catalogue catalogue
	flights   singleflight.Group
	costs     chan openCost
}

// New makes a router.
func New(cfg Config) *Router {
	r := &Router{cfg: cfg, providers: map[string]Provider{}, costs: make(chan openCost, maxOpenCosts)}
	r.routes.Store(&cfg.Routes)
	for _, p := range cfg.Providers {
		r.providers[p.Name()] = p
	}
	if cfg.Cooldowns == nil {
		r.cfg.Cooldowns = &quota.Cooldowns{}
	}
	if cfg.Breakers == nil {
		r.cfg.Breakers = breaker.New(breaker.Settings{}, "", cfg.Routes.BreakerNames()...)
	}
	return r
}

// Sampling overrides the route's own; the zero value leaves everything to the route.
type Sampling struct {
	Temperature *float64
	TopP        *float64
	MaxTokens   int
	Stop        []string
}

// CachePolicy says whether an answer may come from the cache and go into it.
type CachePolicy uint8

// The cache policies.
const (
	CacheNone  CachePolicy = iota // neither looked up nor kept
	CacheExact                    // the same request, byte for byte
	CacheFresh                    // not looked up, but kept: bypass_cache
)

// Request is one call of the chain.
type Request struct {
	Task       growth.TaskType
	Workspace  growth.WorkspaceID
	Job        growth.JobID // empty: a direct call
	Step       string
	Messages   []growth.Message
	Sampling   Sampling
	Schema     json.RawMessage // JSON Schema that the answer must fit; nil: free text
	SchemaName string
	Privacy    growth.PrivacyClass
	Accept     func(text string) error // turns an answer down before it is kept or returned; nil: any answer
	Cache      CachePolicy
	Scope      string        // further words of the cache key: prompt version, rubric
	Force      *growth.Call  // Provider and Model of the only candidate; nil: the route's
	Timeout    time.Duration // for the whole walk; 0: the route's
	Ledger     Ledger        // nil: the router's own
	RequestID  string
	KeepAlive  time.Duration // for Stream: an empty chunk comes whenever nothing else came for so long; 0: none does

	via sender // another way to ask than by Complete; nil: none
}

// CachedAs says how an answer came out of the cache.
type CachedAs string

// The ways in which an answer can be cached.
const (
	CachedNo    CachedAs = "no"
	CachedExact CachedAs = "exact"
)

// Answer is what the chain gives.
type Answer struct {
	Text             string
	Provider         string
	Model            string
	FinishReason     string
	Usage            growth.Usage
	Cost             growth.Money // of this call with all its failed candidates; a cached answer costs nothing
	Cached           CachedAs
	Simulated        bool
	Latency          time.Duration
	FallbackAttempts int           // candidates before the one that answered
	Calls            []growth.Call // every candidate of the walk, in order
}

// ChainError is the end of a walk that gave no answer.
type ChainError struct {
	Fault  *growth.Error
	Reason growth.WaitReason // what it would be worth waiting for; empty: nothing
	Calls  []growth.Call
	Broken bool // the last call failed when a part of its answer had been passed on
}

// Error is the fault's text.
func (e *ChainError) Error() string { return e.Fault.Error() }

// Unwrap gives the coded error.
func (e *ChainError) Unwrap() error { return e.Fault }

// Complete walks the route of req once.
func (r *Router) Complete(ctx context.Context, req Request) (Answer, error) {
	began := time.Now()
	route, err := r.route(req)
	if err != nil {
		return Answer{}, err
	}
	timeout := route.Timeout
	if req.Timeout > 0 {
		timeout = req.Timeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if req.Cache == CacheNone || r.cfg.Cache == nil {
		return r.walk(ctx, route, req, began)
	}
	return r.cached(ctx, route, req, began)
}

// Routes returns the routes that are in force.
func (r *Router) Routes() Routes { return *r.routes.Load() }

// Breakers returns the router's breakers.
func (r *Router) Breakers() *breaker.Set { return r.cfg.Breakers }

func (r *Router) route(req Request) (Route, error) {
	route, ok := r.Routes()[req.Task]
	if !ok {
		return route, growth.InvalidField("router.Complete", "task_type", "use one of %v", growth.TaskTypes())
	}
	if len(req.Messages) == 0 {
		return route, growth.InvalidField("router.Complete", "messages", "give at least one message")
	}
	if req.Force == nil {
		return route, nil
	}
	var only []Candidate
	for _, c := range route.Candidates {
		if req.Force.Provider == "" || c.Provider == req.Force.Provider {
			only = append(only, c)
		}
	}
	if req.Force.Provider != "" && r.providers[req.Force.Provider] == nil {
		return route, growth.InvalidField("router.Complete", "options.force_provider", "there is no provider %q", req.Force.Provider)
	}
	if req.Force.Model != "" {
		provider := req.Force.Provider
		if provider == "" && len(only) > 0 {
			provider = only[0].Provider
		}
		only = []Candidate{{Family: "forced", Provider: provider, Slugs: []string{req.Force.Model}}}
	}
	if len(only) == 0 {
		return route, growth.InvalidField("router.Complete", "options.force_provider", "provider %q has no model on this route; name one with force_model", req.Force.Provider)
	}
	route.Candidates = only
	return route, nil
}

// keyed is everything in a request that can change its answer.
type keyed struct {
	Messages []growth.Message
	Sampling Sampling
	Schema   json.RawMessage
	Privacy  growth.PrivacyClass
	Scope    string
	Provider string
	Model    string
}

func (r *Router) cached(ctx context.Context, route Route, req Request, began time.Time) (Answer, error) {
	k := keyed{Messages: req.Messages, Sampling: req.Sampling, Schema: req.Schema, Privacy: req.Privacy, Scope: req.Scope}
	if req.Force != nil {
		k.Provider, k.Model = req.Force.Provider, req.Force.Model
	}
	key, err := cache.NewKey(req.Workspace, req.Task, k)
	if err != nil {
		return Answer{}, growth.Errorf(growth.Invalid, "router.Complete", "the request cannot be encoded")
	}
	if req.Cache == CacheFresh {
		a, err := r.walk(ctx, route, req, began)
		return r.keep(ctx, key, route, a, err)
	}
	if e, ok := r.cfg.Cache.Get(ctx, key); ok && (req.Accept == nil || req.Accept(e.Text) == nil) {
		return r.hit(req, e, began), nil
	}
	// Equal requests in flight at once in this process are made once. The flight belongs to the first caller's context;
	// when that caller leaves, the others make their own walk.
	var ran atomic.Bool
	flight := r.flights.DoChan(key.Digest, func() (v any, err error) {
		defer func() { // a panic in the flight's own goroutine would end the process
			if p := recover(); p != nil {
				err = &growth.Error{Code: growth.Internal, Op: "router.Complete", Err: fmt.Errorf("panic in a call: %v", p)}
			}
		}()
		ran.Store(true)
		// Between this caller's look-up and its flight an equal one may have ended: look once more before paying.
		if e, ok := r.cfg.Cache.Get(ctx, key); ok && (req.Accept == nil || req.Accept(e.Text) == nil) {
			return r.hit(req, e, began), nil
		}
		if r.cfg.Stats != nil {
			r.cfg.Stats.Miss(req.Workspace, req.Task)
		}
		a, err := r.walk(ctx, route, req, began)
		return r.keep(ctx, key, route, a, err)
	})
	var res singleflight.Result
	select {
	case res = <-flight:
	case <-ctx.Done():
		if !ran.Load() { // somebody else's flight may take longer than this caller can wait
			w := &walker{}
			return Answer{}, w.end(w.ended(ctx))
		}
		res = <-flight // our own: it ends with our context
	}
	a, _ := res.Val.(Answer)
	err = res.Err
	switch {
	case ran.Load():
		return a, err
	case err == nil:
		return r.hit(req, entryOf(a), began), nil
	case ctx.Err() == nil && (growth.CodeOf(err) == growth.Canceled || growth.CodeOf(err) == growth.Internal || brokeOff(err)): // its own trouble
		return r.walk(ctx, route, req, began)
	}
	return a, err
}

func (r *Router) hit(req Request, e cache.Entry, began time.Time) Answer {
	if r.cfg.Stats != nil {
		r.cfg.Stats.Hit(req.Workspace, req.Task, e.Cost)
	}
	return Answer{
		Text: e.Text, Provider: e.Provider, Model: e.Model, FinishReason: e.FinishReason, Usage: e.Usage,
		Cost: growth.USD(noMoney, growth.CostReported), Cached: CachedExact, Simulated: e.Simulated, Latency: time.Since(began),
	}
}

func entryOf(a Answer) cache.Entry {
	return cache.Entry{
		Text: a.Text, Provider: a.Provider, Model: a.Model, FinishReason: a.FinishReason, Usage: a.Usage, Cost: a.Cost,
		Simulated: a.Simulated, At: time.Now().UTC(),
	}
}

// keep puts an answer into the cache unless it was cut, or reached only because other candidates failed in this call:
// a worse model's answer must not stand in for the better one after that has recovered.
func (r *Router) keep(ctx context.Context, key cache.Key, route Route, a Answer, err error) (Answer, error) {
	if err != nil || a.FinishReason == "length" {
		return a, err
	}
	for _, c := range a.Calls {
		if c.Decision == growth.DecisionFailed && c.Code != growth.ModelGone.String() {
			return a, nil
		}
		if c.Decision == growth.DecisionSkipped && c.Code != skipNotConfigured && c.Code != skipPrivacy && c.Code != skipModelGone {
			return a, nil
		}
	}
	ttl := route.CacheTTL
	if r.cfg.CacheTTL > 0 {
		ttl = min(ttl, r.cfg.CacheTTL)
	}
	r.cfg.Cache.Put(ctx, key, entryOf(a), ttl)
	return a, nil
}

// String names a candidate as logs and pages do.
func (c Candidate) String() string { return fmt.Sprintf("%s (%s)", c.Family, c.Provider) }
