package router

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router/quota"
)

// FreeTier says what a route does when the free tier of a candidate has nothing to give now.
type FreeTier string

// The rules of free tiers. With Pace a job waits for its turn and a direct call does when its turn is soon; with Spill
// the next candidate is asked at once.
const (
	Pace  FreeTier = "pace"
	Spill FreeTier = "spill"
)

func (f FreeTier) valid() bool { return f == "" || f == Pace || f == Spill }

// Quota returns the router's free tiers.
func (r *Router) Quota() *quota.Pools { return r.cfg.Quota }

const skipQuota = "quota"

const (
	// A direct call waits for its turn for so long, and for a turn that comes later it goes to the next candidate: its
	// caller is a person, or a program that may have given up by then.
	directPatience = 10 * time.Second
	// A job waits so long in the worker, which costs a place there, and else in the queue, which looks once a second.
	jobPatience = 3 * time.Second
)

// restNames are the names by whose rest a model is barred. A job that keeps its turn is not turned away by the rest of
// the whole tier: the line takes that into account, and gives each job a moment of its own.
func (w *walker) restNames(p Provider, slug string) []string {
	names := []string{p.Name(), p.Name() + "/" + slug}
	switch pool := w.r.cfg.Quota.Of(p.Name(), slug); {
	case pool == "":
		return append(names, paidPart(p))
	case !w.inLine():
		return append(names, pool)
	}
	return names
}

// paidPart names what of a provider costs money: when credit is spent, its free tier still answers.
func paidPart(p Provider) string { return p.Name() + ":paid" }

func (w *walker) inLine() bool { return w.route.FreeTier != Spill && w.req.Job != "" }

// allowance takes one call out of the free tier that a model draws on, if it draws on one, and waits for its turn by the
// route's rule. When it is not ok the candidate is skipped; an error ends the walk, because its turn is to be waited for.
func (w *walker) allowance(ctx context.Context, p Provider, slug string) (ok bool, err error) {
	how, patience := quota.NoWait, time.Duration(0)
	switch {
	case w.inLine():
		how, patience = quota.InLine, jobPatience
	case w.route.FreeTier != Spill:
		how, patience = quota.Shortly, directPatience
	}
	g := w.take(ctx, p, slug, how, patience)
	switch {
	case g.OK:
		return true, nil
	case ctx.Err() != nil:
		w.skip(ctx, p.Name(), slug, skipDeadline, "")
		return false, w.ended(ctx)
	}
	w.waits = append(w.waits, wait{g.Until, waitFor(g.Code)})
	w.skip(ctx, p.Name(), slug, skipQuota, fmt.Sprintf("until %s, %d ahead", g.Until.UTC().Format(time.RFC3339), g.Ahead))
	if how == quota.InLine {
		return false, w.exhausted(ctx)
	}
	return false, nil
}

// counted is call with its end told to the free tier that it drew on.
func (w *walker) counted(ctx context.Context, p Provider, slug string, messages []growth.Message) (Answer, error) {
	began, g := time.Now(), w.grant
	w.grant = quota.Grant{}
	a, err := w.call(ctx, p, slug, messages)
	if _, unsent := errors.AsType[*ledgerError](err); unsent {
		w.r.cfg.Quota.Back(ctx, g)
		return a, err
	}
	w.r.cfg.Quota.Done(ctx, g, time.Since(began))
	return a, err
}

// another takes one more call for asking the same model again; it is false when that is not to be had soon.
func (w *walker) another(ctx context.Context, p Provider, slug string) bool {
	if w.route.FreeTier == Spill {
		return w.take(ctx, p, slug, quota.NoWait, 0).OK
	}
	return w.take(ctx, p, slug, quota.Shortly, jobPatience).OK
}

// take asks for a call until it is granted, the next turn is too far away, or the walk's time is up.
func (w *walker) take(ctx context.Context, p Provider, slug string, how quota.Wait, patience time.Duration) quota.Grant {
	pool := w.r.cfg.Quota.Of(p.Name(), slug)
	if pool == "" {
		return quota.Grant{OK: true}
	}
	if deadline, ok := ctx.Deadline(); ok {
		patience = min(patience, time.Until(deadline))
	}
	end := time.Now().Add(patience)
	req := quota.Request{Provider: p.Name(), Slug: slug, Ticket: w.ticket(), Wait: how}
	for {
		req.Horizon = time.Until(end)
		g := w.r.cfg.Quota.Take(ctx, req)
		if until, code, resting := w.r.cfg.Cooldowns.Resting(pool); g.OK && resting { // Redis does not know of it
			w.r.cfg.Quota.Back(ctx, g)
			g = quota.Grant{Until: until, Code: code}
		}
		if w.grant = g; g.OK || g.Until.After(end) {
			return g
		}
		if !waitUntil(ctx, g.Until) {
			w.r.cfg.Quota.Leave(ctx, p.Name(), slug, req.Ticket)
			return g
		}
	}
}

func waitUntil(ctx context.Context, at time.Time) bool {
	t := time.NewTimer(time.Until(at))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// ticket is this walk's name in a line: a job's stays the same from attempt to attempt.
func (w *walker) ticket() string {
	if w.turn == "" {
		w.turn = growth.NewID()
		if w.req.Job != "" {
			w.turn = string(w.req.Job) + "/" + w.req.Step
		}
	}
	return w.turn
}

func waitFor(code growth.Code) growth.WaitReason {
	if code == growth.Exhausted {
		return growth.WaitQuota
	}
	return growth.WaitRateLimited
}

// refusal says what rests after a 429 or a 402, and for how long; 0 leaves that to the cool-downs. What was said of the
// free tier concerns all its models and none of the others; credit that is spent concerns those that cost money.
func (w *walker) refusal(ctx context.Context, p Provider, full string, err error) (name string, d time.Duration) {
	code, d := growth.CodeOf(err), growth.RetryAfterOf(err)
	pool := w.r.cfg.Quota.Of(p.Name(), strings.TrimPrefix(full, p.Name()+"/"))
	tier, said := providers.TierOf(err)
	switch {
	case said && pool != "":
		return pool, w.r.cfg.Quota.Correct(ctx, pool, quota.Refusal{Code: code, Wait: d, Limit: tier.Limit})
	case code != growth.Exhausted:
		return full, d
	case pool == "" && w.r.cfg.Quota.Serves(p.Name()):
		return paidPart(p), d
	}
	return p.Name(), d // credit and daily allowances are the account's
}

// barred is the last candidate that only its breaker kept from being called.
type barred struct {
	p    Provider
	slug string
}

func (w *walker) bar(ctx context.Context, p Provider, slug, name string, until time.Time) {
	w.barred = &barred{p, slug}
	w.waits = append(w.waits, wait{until, growth.WaitBreakersOpen})
	w.skip(ctx, p.Name(), slug, skipBreaker, name+" until "+until.UTC().Format(time.RFC3339))
}

// lastResort lets the last candidate be asked once, for one caller of all, when nothing but breakers stands between the
// call and an answer. When that fails too the call waits for the breakers as it would have without.
func (w *walker) lastResort(ctx context.Context) (a Answer, done bool, err error) {
	if w.barred == nil || !w.onlyBreakers(ctx) {
		return a, false, nil
	}
	p, slug := w.barred.p, w.barred.slug
	report, ok := w.r.cfg.Breakers.Probe(p.Name(), p.Name()+"/"+slug) //nolint:contextcheck // the lease of a probe is the process's
	if !ok {
		return a, false, nil
	}
	if !w.another(ctx, p, slug) {
		report("", true)
		return a, false, nil
	}
	open, _ := errors.AsType[*ChainError](w.exhausted(ctx))
	a, done, err = w.ask(ctx, p, slug, report)
	if !done && err == nil {
		open.Calls = w.calls
		return a, false, open
	}
	return a, done, err
}

// onlyBreakers says whether nothing but breakers, and no lack of time, keeps the call from an answer.
func (w *walker) onlyBreakers(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	for _, c := range w.calls {
		switch c.Code {
		case skipBreaker, skipNotConfigured, skipPrivacy, skipModelGone:
		default:
			return false
		}
	}
	return true
}
