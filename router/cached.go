package router

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/router/cache"
)

// CachePolicy says whether an answer may come from the cache and go into it.
type CachePolicy uint8

// The cache policies.
const (
	CacheNone      CachePolicy = iota // neither looked up nor kept
	CacheExact                        // the same request, byte for byte
	CacheFresh                        // not looked up, but kept where CacheExact looks
	CacheNear                         // the same, or, for task types that allow it, a request in prose that differs in nothing that counts
	CacheNearFresh                    // not looked up, but kept where CacheNear looks: bypass_cache
)

// DirectCache is the policy of every direct call, whichever face it comes in by.
func DirectCache(bypass bool) CachePolicy {
	if bypass {
		return CacheNearFresh
	}
	return CacheNear
}

func (p CachePolicy) looks() bool { return p == CacheExact || p == CacheNear }

// near says whether requests of a task type may be answered by one that is only nearly the same. Not leads and drafts:
// what they say is data.
func (p CachePolicy) near(task growth.TaskType) bool {
	if p != CacheNear && p != CacheNearFresh {
		return false
	}
	switch task {
	case growth.TaskVerification, growth.TaskAnalysis, growth.TaskSimple:
		return true
	case growth.TaskQualification, growth.TaskContent:
	}
	return false
}

// CachedAs says how an answer came out of the cache.
type CachedAs = growth.CachedAs

// The ways in which an answer can be cached.
const (
	CachedNo    = growth.CachedNo
	CachedExact = growth.CachedExact
	CachedNear  = growth.CachedNear
)

// passedOverTTL is the longest life of an answer that was reached past a candidate that could not be had at the moment:
// long enough for a burst, and short enough for the better model to speak again soon after it is back.
const passedOverTTL = 5 * time.Minute

// recall answers from this process's memory, before anything is made ready for more.
func (r *Router) recall(ctx context.Context, key cache.Key, req Request, began time.Time) (Answer, bool) {
	if !req.Cache.looks() {
		return Answer{}, false
	}
	e, ok := r.cfg.Cache.Peek(key)
	if !ok || !suits(req, e.Text) {
		return Answer{}, false
	}
	return r.hit(ctx, key, req, e, began), true
}

// suits says whether a text that answered the same request before is an answer to this one.
func suits(req Request, text string) bool { return req.Accept == nil || req.Accept(text) == nil }

func (r *Router) cached(ctx context.Context, route Route, req Request, key cache.Key, began time.Time) (Answer, error) {
	if req.Cache.near(req.Task) && route.Cache != CacheRuleExact {
		key = nearKey(key, route, req)
	}
	e, ok := r.cfg.Cache.Get(ctx, key)
	if !req.Cache.looks() {
		a, err := r.walk(ctx, route, req, began)
		return r.keep(ctx, key, route, req, e.Seen, a, err)
	}
	if ok && suits(req, e.Text) {
		return r.hit(ctx, key, req, e, began), nil
	}
	return r.together(ctx, route, req, key, began)
}

// together makes equal requests that are in flight at once in this process once. The flight belongs to the first
// caller's context; when that caller leaves, the others make their own walk.
func (r *Router) together(ctx context.Context, route Route, req Request, key cache.Key, began time.Time) (Answer, error) {
	var ran atomic.Bool
	name := key.Name()
	flight := r.flights.DoChan(string(name[:]), func() (v any, err error) {
		defer func() { // a panic in the flight's own goroutine would end the process
			if p := recover(); p != nil {
				err = &growth.Error{Code: growth.Internal, Op: "router.Complete", Err: fmt.Errorf("panic in a call: %v", p)}
			}
		}()
		ran.Store(true)
		return r.alone(ctx, route, req, key, began)
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
	f, _ := res.Val.(flown)
	switch {
	case ran.Load():
		return f.answer, res.Err
	case res.Err == nil && suits(req, f.answer.Text):
		return r.hit(ctx, key, req, f.entry, began), nil
	case res.Err == nil: // it suits the other one's question, and not this one's
		return r.walk(ctx, route, req, began)
	case ctx.Err() == nil && itsOwn(res.Err):
		return r.walk(ctx, route, req, began)
	}
	return f.answer, res.Err
}

// itsOwn says whether the end of a flight concerns its first caller alone: it left, it met a fault of ours, its budget is
// spent, and another caller's may not be, or its stream broke off, of which the others have heard nothing.
func itsOwn(err error) bool {
	if code := growth.CodeOf(err); code == growth.Canceled || code == growth.Internal {
		return true
	}
	chain, ok := errors.AsType[*ChainError](err)
	return ok && (chain.Budget != nil || chain.Broken)
}

// flown is what a flight gives to those who waited for it.
type flown struct {
	answer Answer
	entry  cache.Entry
}

// alone makes a request that no other worker is making: it waits for theirs while there is time for a walk of its own.
// Between the look-up before and this moment an equal one may have ended, so the wait begins with another look.
func (r *Router) alone(ctx context.Context, route Route, req Request, key cache.Key, began time.Time) (flown, error) {
	e, found, release := r.cfg.Cache.Await(ctx, key, patience(ctx))
	defer release()
	if found && suits(req, e.Text) {
		return flown{r.hit(ctx, key, req, e, began), e}, nil
	}
	if r.cfg.Stats != nil {
		r.cfg.Stats.Miss(req.Workspace, req.Task)
	}
	a, err := r.walk(ctx, route, req, began)
	a, err = r.keep(ctx, key, route, req, e.Seen, a, err)
	e = entryOf(a)
	e.Exact = key.Exact
	return flown{a, e}, err
}

// patience is how long a caller waits for another worker's answer: half of its time, the rest is for its own.
func patience(ctx context.Context) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		return time.Minute
	}
	return time.Until(end) / 2
}

// nothing is the cost of an answer that was there already.
var nothing = growth.USD(noMoney, growth.CostReported)

func (r *Router) hit(ctx context.Context, key cache.Key, req Request, e cache.Entry, began time.Time) Answer {
	as := e.As(key)
	if r.cfg.Stats != nil {
		r.cfg.Stats.Hit(req.Workspace, req.Task, growth.CacheHit{As: as, Saved: e.Cost, Bytes: len(e.Text), Age: max(began.Sub(e.At), 0)})
	}
	if req.Job != "" || req.Lead != "" {
		r.cfg.Cache.Link(ctx, key, req.Job, req.Lead)
	}
	return Answer{
		Text: e.Text, Provider: e.Provider, Model: e.Model, FinishReason: e.FinishReason, Usage: e.Usage, Cost: nothing, Cached: as,
		Simulated: e.Simulated, Latency: time.Since(began), CallID: e.Call, FallbackAttempts: e.Fallbacks,
	}
}

func entryOf(a Answer) cache.Entry {
	return cache.Entry{
		Text: a.Text, Provider: a.Provider, Model: a.Model, FinishReason: a.FinishReason, Usage: a.Usage, Cost: a.Cost,
		Simulated: a.Simulated, Fallbacks: a.FallbackAttempts, Call: a.CallID, At: time.Now().UTC(),
	}
}

// keep puts an answer into the cache if it may stand in for the answers to come.
func (r *Router) keep(ctx context.Context, key cache.Key, route Route, req Request, seen int64, a Answer, err error) (Answer, error) {
	if err != nil || !finished(a) {
		return a, err
	}
	ttl, ok := r.life(route, req, a)
	if !ok {
		return a, nil
	}
	e := entryOf(a)
	e.Seen, e.Job, e.Lead = seen, req.Job, req.Lead
	r.cfg.Cache.Put(ctx, key, e, ttl)
	return a, nil
}

// finished says whether the model came to its end by itself; hosts that give no reason say so of every answer.
func finished(a Answer) bool { return a.FinishReason == "stop" || a.FinishReason == "" }

// life is how long an answer may be kept. One that was reached only because other candidates failed in this call is not
// kept: a worse model's answer must not stand in for the better one's. A first try of the same model that had to be asked
// again is no other candidate.
func (r *Router) life(route Route, req Request, a Answer) (time.Duration, bool) {
	ttl := route.CacheTTL
	if req.Job == "" && r.cfg.CacheTTL > 0 {
		ttl = min(ttl, r.cfg.CacheTTL)
	}
	for _, c := range a.Calls {
		same := c.Provider == a.Provider && c.Model == a.Model
		if c.Decision == growth.DecisionFailed && c.Code != growth.ModelGone.String() && !same {
			return 0, false
		}
		if c.Decision == growth.DecisionSkipped && c.Code != skipNotConfigured && c.Code != skipPrivacy && c.Code != skipModelGone && c.Code != skipPaid && c.Code != skipExcepted {
			ttl = min(ttl, passedOverTTL)
		}
	}
	return ttl, ttl > 0
}
