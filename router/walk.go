package router

import (
	"context"
	"errors"
	"time"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router/quota"
)

// Why a candidate was not called; these stand where a called one has its failure code.
const (
	skipNotConfigured = "not_configured"
	skipPrivacy       = "privacy"
	skipModelGone     = "model_gone"
	skipBreaker       = "breaker_open"
	skipResting       = "cooling_down"
	skipDeadline      = "deadline"
	skipPaid          = "paid_denied"
	skipExcepted      = "excepted"
)

// longestRest bounds how long a model that is unwell is left alone on its own word.
const longestRest = 10 * time.Minute

var noMoney = decimal.Zero

// walker is one walk over the candidates of a route.
type walker struct {
	id     growth.WalkID
	r      *Router
	route  Route
	req    Request
	ledger Ledger
	calls  []growth.Call
	cost   growth.Money
	waits  []wait // why candidates could not be had now
	last   error  // the last failure
	at     int    // the candidate that is being tried
	begun  bool   // a part of an answer was passed on: no other candidate may answer any more
	passed string // the models of the present family that were passed by, and why
	turn   string // this walk's ticket for the lines of free tiers
	barred *barred
	grant  quota.Grant           // of the call that is being made
	spent  *growth.BudgetRefusal // the budget that has turned candidates away
}

type wait struct {
	until  time.Time
	reason growth.WaitReason
}

func (r *Router) walk(ctx context.Context, route Route, req Request, began time.Time) (Answer, error) {
	w := &walker{
		id: growth.WalkID(growth.NewID()), r: r, route: route, req: req, ledger: req.Ledger, cost: growth.USD(noMoney, growth.CostReported),
	}
	if w.ledger == nil {
		w.ledger = r.cfg.Ledger
	}
	for i, t := range r.plan(route) {
		w.at = i
		a, done, err := w.candidate(ctx, t)
		if err != nil {
			return Answer{}, w.end(err)
		}
		if done {
			a.Walk, a.FallbackAttempts, a.Calls, a.Cost, a.Latency = w.id, i, w.calls, w.cost, time.Since(began)
			a.CallID = w.calls[len(w.calls)-1].ID
			return a, nil
		}
	}
	if a, done, err := w.lastResort(ctx); done || err != nil {
		if err != nil {
			return Answer{}, w.end(err)
		}
		a.FallbackAttempts, a.Calls, a.Cost, a.Latency = len(route.Candidates)-1, w.calls, w.cost, time.Since(began)
		return a, nil
	}
	return Answer{}, w.exhausted(ctx)
}

// candidate tries one candidate with as many of its slugs as turn out to be gone. An error ends the walk.
func (w *walker) candidate(ctx context.Context, c turn) (a Answer, done bool, err error) {
	w.last, w.passed = nil, ""
	p := w.r.providers[c.Provider]
	switch {
	case p == nil || !p.Configured():
		w.skip(ctx, c.Provider, c.first(), skipNotConfigured, "")
		return a, false, nil
	case !allowed(p, w.req.Privacy):
		w.skip(ctx, c.Provider, c.first(), skipPrivacy, "the privacy class "+string(w.req.Privacy)+" forbids this provider")
		return a, false, nil
	case len(c.models) == 0:
		w.skip(ctx, c.Provider, c.first(), skipPaid, "the route allows no paid model, and this family has no free one")
		return a, false, nil
	}
	if c.models = w.others(c.models); len(c.models) == 0 {
		w.skip(ctx, c.Provider, c.first(), skipExcepted, "the caller asks for another model than "+w.req.Except)
		return a, false, nil
	}
	for _, slug := range c.models {
		if state, _ := w.r.catalogue.state(c.Provider, slug); w.req.Force == nil && state != ModelServed && state != ModelAssumed {
			w.pass(slug, string(state))
			continue
		}
		a, done, err = w.model(ctx, p, slug)
		if done || err != nil || growth.CodeOf(w.last) != growth.ModelGone {
			return a, done, err
		}
		w.pass(slug, string(ModelGone))
	}
	if w.last == nil || growth.CodeOf(w.last) != growth.ModelGone {
		w.skip(ctx, c.Provider, c.first(), skipModelGone, "the provider serves no model of the family "+c.Family+": "+w.passed)
	}
	return a, false, nil
}

// pass notes why a model of a family was not the one to ask.
func (w *walker) pass(slug, why string) {
	if w.passed != "" {
		w.passed += ", "
	}
	w.passed += slug + " (" + why + ")"
}

func allowed(p Provider, class growth.PrivacyClass) bool {
	switch class {
	case growth.PrivacyLocalOnly:
		return p.Local()
	case growth.PrivacyZeroRetention:
		return p.Local() || p.ZeroRetention()
	case growth.PrivacyStandard, "":
		return true
	}
	return false // a class that this program does not know fails closed
}

// model tries one model unless a breaker, a rest or the deadline bars it.
func (w *walker) model(ctx context.Context, p Provider, slug string) (a Answer, done bool, err error) {
	w.last = nil
	full := p.Name() + "/" + slug
	if until, code, ok := w.r.cfg.Cooldowns.Resting(w.restNames(p, slug)...); ok {
		reason := growth.WaitRateLimited
		if code == growth.Exhausted {
			reason = growth.WaitQuota
		}
		w.waits = append(w.waits, wait{until, reason})
		w.skip(ctx, p.Name(), slug, skipResting, "until "+until.UTC().Format(time.RFC3339))
		return a, false, nil
	}
	if ctx.Err() != nil {
		w.skip(ctx, p.Name(), slug, skipDeadline, "")
		return a, false, w.ended(ctx)
	}
	if name, until, barred := w.r.cfg.Breakers.Barred(p.Name(), full); barred {
		w.bar(ctx, p, slug, name, until)
		return a, false, nil
	}
	if ok, err := w.allowance(ctx, p, slug); !ok {
		return a, false, err
	}
	report, name, until := w.r.cfg.Breakers.Allow(p.Name(), full) //nolint:contextcheck // the lease of a probe is the process's
	if report == nil {
		w.r.cfg.Quota.Back(ctx, w.grant)
		w.bar(ctx, p, slug, name, until)
		return a, false, nil
	}
	return w.ask(ctx, p, slug, report)
}

// ask sends the request to a model that may be called, and reports to its breakers.
func (w *walker) ask(ctx context.Context, p Provider, slug string, report func(failed string, excluded bool)) (a Answer, done bool, err error) {
	full := p.Name() + "/" + slug
	a, err = w.counted(ctx, p, slug, w.req.Messages)
	if refused, ok := errors.AsType[*refusedAnswerError](err); ok && ctx.Err() == nil && w.another(ctx, p, slug) {
		a, err = w.counted(ctx, p, slug, withFault(w.req.Messages, refused)) // asked once more, with the fault named
	}
	report(w.blame(p, full, err))
	if held, ok := errors.AsType[*overBudgetError](err); ok {
		return a, false, w.overBudget(ctx, p, slug, held)
	}
	if book, ok := errors.AsType[*ledgerError](err); ok {
		return a, false, book.err
	}
	return w.judge(ctx, p, full, a, err)
}

// ledgerError is a request that could not be written down, and so was not sent. It is no fault of the candidate's, and
// the next one could not be written down either: it ends the walk.
type ledgerError struct{ err error }

func (e *ledgerError) Error() string { return e.err.Error() }

func (e *ledgerError) Unwrap() error { return e.err }

// blame says which breaker a failure counts against, and whether it counts at all.
func (w *walker) blame(p Provider, full string, err error) (failed string, excluded bool) {
	if err == nil {
		return "", false
	}
	e, ok := errors.AsType[*growth.Error](err)
	switch {
	case !ok || !speaks(e.Code):
		return "", true
	case e.Scope == growth.ScopeProvider:
		return p.Name(), true
	case e.Scope == growth.ScopeModel:
		return full, true
	}
	return "", true
}

// speaks says whether a fault may count against a breaker at all, whatever a provider's client says of its scope. Quota,
// policy and the request's own faults never do: the next request may fare well.
func speaks(code growth.Code) bool {
	switch code {
	case growth.KeyRejected, growth.Unavailable, growth.Malformed:
		return true
	case growth.Internal, growth.Invalid, growth.TooLarge, growth.NotFound, growth.Conflict, growth.Forbidden, growth.Unauthorized,
		growth.TooLong, growth.Refused, growth.Uncertain, growth.Throttled, growth.Exhausted, growth.ModelGone, growth.Canceled:
	}
	return false
}

// judge turns the end of a call into the next move.
func (w *walker) judge(ctx context.Context, p Provider, full string, a Answer, err error) (Answer, bool, error) {
	if err == nil {
		return a, true, nil
	}
	w.last = err
	switch code := growth.CodeOf(err); code {
	case growth.Canceled, growth.Invalid, growth.TooLarge:
		w.stop()
		return a, false, err
	case growth.Throttled, growth.Exhausted:
		name, d := w.refusal(ctx, p, full, err)
		w.r.cfg.Cooldowns.Rest(name, code, d)
		until, _, _ := w.r.cfg.Cooldowns.Resting(name)
		reason := growth.WaitRateLimited
		if code == growth.Exhausted {
			reason = growth.WaitQuota
		}
		w.waits = append(w.waits, wait{until, reason})
	case growth.Unavailable:
		if d := min(growth.RetryAfterOf(err), longestRest); d > 0 { // a 503 that says when to come back
			w.r.cfg.Cooldowns.Rest(full, growth.Throttled, d)
			w.waits = append(w.waits, wait{time.Now().Add(d), growth.WaitRateLimited})
		}
	case growth.ModelGone:
		w.r.takeOut(p.Name(), full[len(p.Name())+1:])
	case growth.Internal, growth.NotFound, growth.Conflict, growth.Forbidden, growth.Unauthorized, growth.TooLong,
		growth.KeyRejected, growth.Refused, growth.Uncertain, growth.Malformed:
	}
	if w.begun {
		w.stop()
		return a, false, err
	}
	if ctx.Err() != nil {
		return a, false, w.ended(ctx)
	}
	return a, false, nil
}

// send makes one request in the way that the caller chose.
func (w *walker) send(ctx context.Context, p Provider, req providers.Request) (providers.Response, error) {
	if w.req.via != nil {
		return w.req.via(ctx, w, p, req)
	}
	ctx, cancel := context.WithTimeout(ctx, w.route.CallTimeout)
	defer cancel()
	return p.Complete(ctx, req)
}

// stop marks the last call as the one that ended the walk.
func (w *walker) stop() {
	if n := len(w.calls); n > 0 {
		w.calls[n-1].Decision = growth.DecisionStopped
	}
}

// call sends one request and writes its two ledger entries.
func (w *walker) call(ctx context.Context, p Provider, slug string, messages []growth.Message) (Answer, error) {
	row := growth.Call{
		ID: growth.CallID(growth.NewID()), Workspace: w.req.Workspace, JobID: w.req.Job, Step: w.req.Step, Task: w.req.Task,
		Provider: p.Name(), Model: slug, Status: growth.CallStarted, Cost: growth.UnknownMoney("USD"), StartedAt: time.Now().UTC(),
		WalkID: w.id, Campaign: w.req.Campaign, Key: w.req.Key,
	}
	wanted := w.request(p.Name(), slug, messages)
	if err := w.start(ctx, &row, wanted); err != nil {
		return Answer{}, err
	}
	resp, err := w.send(ctx, p, wanted)
	row.LatencyMS = time.Since(row.StartedAt).Milliseconds()
	row.Usage, row.Generation, row.Simulated = resp.Usage, resp.Generation, resp.Simulated
	row.Cost, row.Prices = w.r.costOf(p.Name(), slug, resp, err)
	text := resp.Text
	if err == nil {
		text, err = w.accept(resp, wanted.MaxTokens)
	}
	row.Status, row.Decision = growth.CallOK, growth.DecisionAnswered
	if w.passed != "" {
		row.Detail = "in place of " + w.passed
	}
	if err != nil {
		row.Status, row.Decision, row.Code = growth.CallFailed, growth.DecisionFailed, growth.CodeOf(err).String()
		row.Detail = detail(err)
	}
	w.cost = w.cost.Add(row.Cost)
	w.calls = append(w.calls, row)
	w.ledger.End(ctx, row)
	return Answer{
		Text: text, Provider: p.Name(), Model: slug, FinishReason: resp.FinishReason, Usage: resp.Usage, Cached: CachedNo, Simulated: resp.Simulated,
	}, err
}

func (w *walker) request(provider, slug string, messages []growth.Message) providers.Request {
	s := w.req.Sampling
	out := providers.Request{
		Model: slug, Messages: messages, Temperature: w.route.Temperature, TopP: w.route.TopP, MaxTokens: w.route.MaxTokens, Stop: w.route.Stop,
		Schema: w.req.Schema, SchemaName: w.req.SchemaName, ZeroRetention: w.req.Privacy == growth.PrivacyZeroRetention, RequestID: w.req.RequestID,
	}
	if w.req.Schema != nil && !w.r.catalogue.structured(provider, slug) {
		out.Schema, out.Messages = nil, withSchema(messages, w.req.Schema)
	}
	if s.Temperature != nil {
		out.Temperature = s.Temperature
	}
	if s.TopP != nil {
		out.TopP = s.TopP
	}
	if s.Stop != nil {
		out.Stop = s.Stop
	}
	if s.MaxTokens > 0 {
		out.MaxTokens = s.MaxTokens
	}
	return out
}

// costOf is what a request cost: what the provider reported, else tokens times price, else unknown; and the name of the
// price list that was used. A request that was turned down before any work cost nothing.
func (r *Router) costOf(provider, slug string, resp providers.Response, err error) (growth.Money, string) {
	if resp.CostUSD != nil {
		return growth.USD(*resp.CostUSD, growth.CostReported), ""
	}
	price, list, ok := r.price(provider, slug)
	switch {
	case ok && free(price), err != nil && !resp.UsageKnown && turnedAway(growth.CodeOf(err), resp):
		return growth.USD(noMoney, growth.CostPriced), list
	case !ok || !resp.UsageKnown:
		return growth.UnknownMoney("USD"), ""
	}
	return growth.USD(price.Cost(resp.Usage), growth.CostPriced), list
}

// turnedAway says whether a failure proves that no model began to work. Any other failure may have cost money.
func turnedAway(code growth.Code, resp providers.Response) bool {
	if resp.Text != "" {
		return false
	}
	switch code {
	case growth.Throttled, growth.Exhausted, growth.KeyRejected, growth.ModelGone, growth.Invalid, growth.TooLarge, growth.TooLong:
		return true
	case growth.Refused:
		return resp.FinishReason == ""
	case growth.Internal, growth.NotFound, growth.Conflict, growth.Forbidden, growth.Unauthorized, growth.Uncertain,
		growth.Malformed, growth.Unavailable, growth.Canceled:
	}
	return false
}

// detail is the part of a failure that may be shown: never the cause's own text, which may hold a prompt.
func detail(err error) string {
	if e, ok := errors.AsType[*growth.Error](err); ok {
		return e.Message
	}
	return ""
}

func (w *walker) skip(ctx context.Context, provider, slug, code, why string) {
	row := growth.Call{
		ID: growth.CallID(growth.NewID()), Workspace: w.req.Workspace, JobID: w.req.Job, Step: w.req.Step, Task: w.req.Task,
		Provider: provider, Model: slug, Code: code, Detail: why, Decision: growth.DecisionSkipped,
		Cost: growth.USD(noMoney, growth.CostPriced), StartedAt: time.Now().UTC(), WalkID: w.id,
		Campaign: w.req.Campaign, Key: w.req.Key,
	}
	w.calls = append(w.calls, row)
	if code != skipNotConfigured { // says nothing that the configuration does not
		w.ledger.End(ctx, row)
	}
}

// ended explains a walk whose time is up or whose caller left.
func (w *walker) ended(ctx context.Context) error {
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return growth.Errorf(growth.Unavailable, "router.Complete", "no candidate answered within the deadline")
	}
	return &growth.Error{Code: growth.Canceled, Op: "router.Complete", Message: "the caller left", Err: context.Cause(ctx)}
}

func (w *walker) end(err error) error {
	if c, ok := errors.AsType[*ChainError](err); ok {
		c.Walk, c.Calls = w.id, w.calls
		return c
	}
	e, ok := errors.AsType[*growth.Error](err)
	if !ok {
		e = &growth.Error{Code: growth.Internal, Op: "router.Complete", Err: err}
	}
	return &ChainError{Walk: w.id, Fault: e, Calls: w.calls, Broken: w.begun}
}

// exhausted explains a walk in which no candidate answered. When some could not be had now, it says how long to wait
// for the soonest; when every one that was asked refused for the same lasting reason, it says that.
func (w *walker) exhausted(ctx context.Context) error {
	e := &growth.Error{Code: growth.Unavailable, Op: "router.Complete", Message: "no candidate answered"}
	out := &ChainError{Walk: w.id, Fault: e, Calls: w.calls}
	codes := map[growth.Code]int{}
	asked, skipped := 0, 0
	for _, c := range w.calls {
		switch {
		case c.Decision == growth.DecisionFailed:
			asked++
			codes[growth.ParseCode(c.Code)]++
		case c.Code == skipBreaker || c.Code == skipResting || c.Code == skipQuota || c.Code == skipBudget:
			skipped++
		}
	}
	for _, lasting := range []growth.Code{growth.Refused, growth.TooLong, growth.Malformed} {
		if asked > 0 && codes[lasting] == asked && skipped == 0 {
			e.Code, e.Message = lasting, "every candidate that could be asked turned the request down"
			return out
		}
	}
	// Waiting helps only when nothing else went wrong: a real failure uses up an attempt.
	barred := asked == codes[growth.Throttled]+codes[growth.Exhausted]+codes[growth.ModelGone]
	if soonest := w.soonest(barred); !soonest.until.IsZero() {
		e.RetryAfter = max(time.Until(soonest.until), time.Second)
		if barred {
			out.Reason = soonest.reason
			e.Message = "every candidate is resting or barred"
			w.blameBudget(out, soonest)
		}
	}
	if asked == 0 && skipped == 0 {
		e.Message = "no provider of this route is configured, or the privacy class forbids them all"
	}
	if ctx.Err() != nil {
		e.Message = "no candidate answered within the deadline"
	}
	return out
}

func free(p providers.Price) bool {
	return p.Prompt.IsZero() && p.Completion.IsZero() && (p.Request == nil || p.Request.IsZero())
}
