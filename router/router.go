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
	Peek(k cache.Key) (cache.Entry, bool)
	Await(ctx context.Context, k cache.Key, patience time.Duration) (e cache.Entry, found bool, release func())
	Link(ctx context.Context, k cache.Key, job growth.JobID, lead growth.LeadID)
}

// Stats hears what the cache did.
type Stats interface {
	Hit(ws growth.WorkspaceID, task growth.TaskType, hit growth.CacheHit)
	Miss(ws growth.WorkspaceID, task growth.TaskType)
}

// Config is what a router stands on. Ledger is required; Cache and Stats may be nil.
type Config struct {
	Routes    Routes
	Providers []Provider
	Breakers  *breaker.Set
	Cooldowns *quota.Cooldowns
	Quota     *quota.Pools // nil: no free tier has a limit
	Ledger    Ledger
	Cache     Cache
	Stats     Stats
	CacheTTL  time.Duration // longest life of a direct call's answer; 0: the route's
	Models    ModelBook     // nil: what is known of models ends with the process
	Budget    Budget        // nil: nothing is limited
	Prices    Prices        // beside the providers' live lists
}

// Router walks the routes. It is safe for use by many goroutines.
type Router struct {
	cfg       Config
	routes    atomic.Pointer[Routes]
	providers map[string]Provider
	catalogue catalogue
	flights   singleflight.Group
}

// New makes a router.
func New(cfg Config) *Router {
	r := &Router{cfg: cfg, providers: map[string]Provider{}}
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

// Request is one call of the chain.
type Request struct {
	Task       growth.TaskType
	Workspace  growth.WorkspaceID
	Campaign   growth.CampaignID // empty: none
	Key        string            // the API key that asked; empty: none
	Job        growth.JobID      // empty: a direct call
	Lead       growth.LeadID     // whose data the request holds; its erasure takes the answer out of the cache
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
	Except     string        // a model whose Lineage must not answer; empty: none is barred
	Timeout    time.Duration // for the whole walk; 0: the route's
	Ledger     Ledger        // nil: the router's own
	RequestID  string
	KeepAlive  time.Duration // for Stream: an empty chunk comes whenever nothing else came for so long; 0: none does

	via sender // another way to ask than by Complete; nil: none
}

// Answer is what the chain gives.
type Answer struct {
	Walk             growth.WalkID // groups the calls in the ledger; empty for a cached answer
	Text             string
	Provider         string
	Model            string
	FinishReason     string
	Usage            growth.Usage
	Cost             growth.Money // of this call with all its failed candidates; a cached answer costs nothing
	Cached           CachedAs
	Simulated        bool
	Latency          time.Duration
	CallID           growth.CallID // the ledger row of the request that made the text, long ago perhaps
	FallbackAttempts int           // candidates before the one that answered
	Calls            []growth.Call // every candidate of the walk, in order
}

// ChainError is the end of a walk that gave no answer.
type ChainError struct {
	Walk   growth.WalkID // groups the calls in the ledger
	Fault  *growth.Error
	Reason growth.WaitReason     // what it would be worth waiting for; empty: nothing
	Budget *growth.BudgetRefusal // the budget that ended it; nil: none did
	Final  bool                  // neither time nor another attempt helps, by a budget's policy
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
	keep := req.Cache != CacheNone && r.cfg.Cache != nil && route.keeps()
	var key cache.Key
	if keep {
		key = keyOf(route, req)
		if a, ok := r.recall(ctx, key, req, began); ok {
			return a, nil
		}
	}
	timeout := route.Timeout
	if req.Timeout > 0 {
		timeout = req.Timeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if !keep {
		return r.walk(ctx, route, req, began)
	}
	return r.cached(ctx, route, req, key, began)
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

// String names a candidate as logs and pages do.
func (c Candidate) String() string { return fmt.Sprintf("%s (%s)", c.Family, c.Provider) }
