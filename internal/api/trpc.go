package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/analytics"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/store"
)

// trpcMaxBatch is how many calls one request may carry.
const trpcMaxBatch = 50

// procedure is one call that clients of the replaced system make.
type procedure struct {
	mutation bool
	both     bool // a query that old flows also POST
	scope    auth.Scope
	run      func(a *api, ctx context.Context, input json.RawMessage) (any, error)
}

func procedures() map[string]procedure {
	return map[string]procedure{
		"llm.complete":                      {mutation: true, scope: auth.ScopeEnqueue, run: (*api).trpcComplete},
		"llmAnalytics.summary":              {scope: auth.ScopeRead, run: (*api).trpcSummary},
		"llmAnalytics.forecast":             {scope: auth.ScopeRead, run: (*api).trpcForecast},
		"llmAnalytics.cacheMetrics":         {scope: auth.ScopeRead, run: (*api).trpcCacheMetrics},
		"llmAnalytics.cacheInvalidate":      {mutation: true, scope: auth.ScopeAdmin, run: (*api).trpcCacheInvalidate},
		"llmAnalytics.circuitBreakerStatus": {scope: auth.ScopeRead, run: (*api).trpcBreakers},
		"llmAnalytics.circuitBreakerReset":  {mutation: true, scope: auth.ScopeAdmin, run: (*api).trpcBreakerReset},
		"leads.listByCampaign":              {both: true, scope: auth.ScopeRead, run: (*api).trpcLeads},
		"contents.create":                   {mutation: true, scope: auth.ScopeEnqueue, run: (*api).trpcCreateContent},
	}
}

// trpcError is the error envelope; Code must be a JSON number or the clients do not understand it.
type trpcError struct {
	Message string        `json:"message"`
	Code    int           `json:"code"`
	Data    trpcErrorData `json:"data"`
}

type trpcErrorData struct {
	Code       string        `json:"code"`
	HTTPStatus int           `json:"httpStatus"`
	Path       string        `json:"path,omitempty"`
	RetryAfter int           `json:"retryAfterMs,omitempty"`
	Calls      []growth.Call `json:"calls,omitempty"`
}

// trpcCodes are tRPC's names and JSON-RPC numbers by HTTP status.
var trpcCodes = map[int]struct {
	name   string
	number int
}{
	400: {"BAD_REQUEST", -32600}, 401: {"UNAUTHORIZED", -32001}, 402: {"PAYMENT_REQUIRED", -32002}, 403: {"FORBIDDEN", -32003},
	404: {"NOT_FOUND", -32004}, 405: {"METHOD_NOT_SUPPORTED", -32005}, 408: {"TIMEOUT", -32008}, 409: {"CONFLICT", -32009},
	413: {"PAYLOAD_TOO_LARGE", -32013}, 415: {"UNSUPPORTED_MEDIA_TYPE", -32015}, 429: {"TOO_MANY_REQUESTS", -32029},
	499: {"CLIENT_CLOSED_REQUEST", -32099}, 500: {"INTERNAL_SERVER_ERROR", -32603}, 503: {"SERVICE_UNAVAILABLE", -32603}, 504: {"GATEWAY_TIMEOUT", -32603},
}

type envelope struct {
	Result *struct {
		Data any `json:"data"`
	} `json:"result,omitempty"`
	Error  *trpcError `json:"error,omitempty"`
	status int
	retry  int
}

func trpcFault(path string, p *Problem) envelope {
	status := p.Status
	if status == http.StatusUnprocessableEntity {
		status = http.StatusBadRequest // tRPC reports a bad input so
	}
	c, ok := trpcCodes[status]
	if !ok {
		status, c = 500, trpcCodes[500]
	}
	return envelope{status: status, retry: p.retryAfter, Error: &trpcError{
		Message: p.Message, Code: c.number,
		Data: trpcErrorData{Code: c.name, HTTPStatus: status, Path: path, RetryAfter: p.retryAfter * 1000, Calls: p.Calls},
	}}
}

// trpc serves /api/trpc/…: single calls and batches, as tRPC 11 answers them. Every answer is JSON in the envelope.
func (a *api) trpc(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	batch := r.URL.Query().Get("batch") == "1"
	names := []string{strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/api/trpc"), "/")}
	if batch {
		names = strings.Split(names[0], ",")
	}
	if len(names) > trpcMaxBatch {
		problem := newProblem(400, "Batch call exceeds maximum size of "+strconv.Itoa(trpcMaxBatch))
		writeEnvelopes(w, r, []envelope{trpcFault(names[0], problem)}, false)
		return
	}
	principal, err := a.principal(r.Context(), r.Header.Get("Authorization"), r.Header.Get("X-API-Key"), r.Header.Get("X-Workspace"))
	err = a.admit(r.Context(), principal, err, false, w.Header().Set)
	var inputs []json.RawMessage
	if err == nil { // of a stranger nothing is read
		var problem *Problem
		if inputs, problem = a.trpcInputs(w, r, names, batch); problem != nil {
			writeEnvelopes(w, r, []envelope{trpcFault(names[0], problem)}, false)
			return
		}
	}
	out := make([]envelope, len(names))
	for i, name := range names {
		if err != nil {
			out[i] = trpcFault(name, problemOf(err))
			continue
		}
		ctx := context.WithValue(r.Context(), principalKey{}, principal)
		out[i] = a.trpcCall(ctx, r.Method, name, inputs[i])
	}
	writeEnvelopes(w, r, out, batch)
}

func (a *api) trpcCall(ctx context.Context, method, name string, input json.RawMessage) (e envelope) {
	defer func() {
		if p := recover(); p != nil {
			a.report(ctx, fmt.Errorf("panic in %s: %v", name, p))
			e = trpcFault(name, newProblem(500, "a fault of ours; it has been reported"))
		}
	}()
	proc, ok := procedures()[name]
	switch {
	case !ok:
		return trpcFault(name, newProblem(404, `No procedure found on path "`+name+`"`))
	case method == http.MethodGet && proc.mutation, method == http.MethodPost && !proc.mutation && !proc.both, method != http.MethodGet && method != http.MethodPost:
		kind := "query"
		if proc.mutation {
			kind = "mutation"
		}
		return trpcFault(name, newProblem(405, "Unsupported "+method+"-request to "+kind+` procedure at path "`+name+`"`))
	case !who(ctx).May(proc.scope):
		return trpcFault(name, newProblem(403, "this call needs a key with the scope "+string(proc.scope)))
	}
	var data any
	run := func() (err error) { data, err = proc.run(a, ctx, input); return err }
	var err error
	if proc.mutation && audits(method, proc.scope) {
		if fault := a.audited(ctx, "trpc-"+name, "", func() int {
			if err = run(); err != nil {
				return problemOf(err).Status
			}
			return http.StatusOK
		}); fault != nil {
			err = fault
		}
	} else {
		n := &action{api: a, operation: "trpc-" + name}
		ctx = context.WithValue(ctx, actionKey{}, n)
		err = run()
		defer func() { n.end(ctx, e.status) }()
	}
	if err != nil {
		p := problemOf(err)
		if p.Status == 500 {
			a.report(ctx, err)
		}
		return trpcFault(name, p)
	}
	return envelope{status: 200, Result: &struct {
		Data any `json:"data"`
	}{data}}
}

func (a *api) report(ctx context.Context, err error) {
	if a.Report != nil {
		a.Report(ctx, err)
	}
	a.Log.Error().Err(err).Msg("call failed")
}

// trpcInputs reads the input of every call of a request.
func (a *api) trpcInputs(w http.ResponseWriter, r *http.Request, names []string, batch bool) ([]json.RawMessage, *Problem) {
	raw := json.RawMessage(r.URL.Query().Get("input"))
	if r.Method == http.MethodPost {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return nil, newProblem(413, "the body is larger than 10 MiB")
		}
		if err != nil {
			return nil, newProblem(408, "the body did not arrive whole")
		}
		raw = body
	} else if len(raw) == 0 && !batch {
		raw = inputFromQuery(r.URL.Query())
	}
	if len(strings.TrimSpace(string(raw))) == 0 {
		raw = json.RawMessage("{}")
	}
	if !json.Valid(raw) {
		return nil, newProblem(400, "the input is not JSON")
	}
	if !batch {
		return []json.RawMessage{unwrap(raw)}, nil
	}
	var byIndex map[string]json.RawMessage
	if err := json.Unmarshal(raw, &byIndex); err != nil {
		return nil, newProblem(400, `"input" needs to be an object when doing a batch call`)
	}
	out := make([]json.RawMessage, len(names))
	for i := range names {
		out[i] = unwrap(byIndex[strconv.Itoa(i)])
	}
	return out, nil
}

// inputFromQuery lets plain curl write ?days=7 instead of an encoded input.
func inputFromQuery(q url.Values) json.RawMessage {
	m := map[string]any{}
	for k, v := range q {
		if k == "batch" {
			continue
		}
		m[k] = v[0]
		if n, err := strconv.Atoi(v[0]); err == nil {
			m[k] = n
		}
	}
	b, err := json.Marshal(m)
	if err != nil {
		return json.RawMessage("{}")
	}
	return b
}

// unwrap takes an input out of the wrapping that clients with a transformer put around it.
func unwrap(raw json.RawMessage) json.RawMessage {
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil {
		return raw
	}
	keys := slices.Sorted(maps.Keys(m))
	if slices.Equal(keys, []string{"json"}) || slices.Equal(keys, []string{"json", "meta"}) {
		return m["json"]
	}
	return raw
}

func writeEnvelopes(w http.ResponseWriter, r *http.Request, out []envelope, batch bool) {
	status, retry := out[0].status, 0
	for _, e := range out {
		retry = max(retry, e.retry)
		if e.status != status {
			status = http.StatusMultiStatus
		}
	}
	// A client that reads lines reads them from a success alone; each line says of itself how it went.
	lined := batch && r.Header.Get("trpc-accept") == "application/jsonl"
	if lined && status >= http.StatusMultipleChoices {
		status = http.StatusMultiStatus
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Vary", "trpc-accept, accept")
	if retry > 0 {
		h.Set("Retry-After", strconv.Itoa(retry))
	}
	w.WriteHeader(status)
	switch {
	case lined:
		lines := map[string][]any{} // one line in which nothing is deferred
		for i, e := range out {
			lines[strconv.Itoa(i)] = []any{[]any{e}}
		}
		writeJSON(w, lines)
	case batch:
		writeJSON(w, out)
	default:
		writeJSON(w, out[0])
	}
}

func decode[T any](input json.RawMessage) (T, error) {
	var v T
	if len(input) == 0 || string(input) == "null" {
		return v, nil
	}
	if err := json.Unmarshal(input, &v); err != nil {
		if t, ok := err.(*json.UnmarshalTypeError); ok { //nolint:errorlint // json returns it bare
			return v, growth.InvalidField("api.trpc", first(t.Field, "input"), "use a value of the type %s", jsonType(t.Type.Kind().String()))
		}
		return v, growth.InvalidField("api.trpc", "input", "cannot be read")
	}
	return v, nil
}

func (a *api) trpcComplete(ctx context.Context, input json.RawMessage) (any, error) {
	in, err := decode[struct {
		TaskType growth.TaskType  `json:"taskType"`
		Messages []growth.Message `json:"messages"`
		Options  struct {
			Temperature   *float64 `json:"temperature"`
			MaxTokens     int      `json:"maxTokens"`
			TopP          *float64 `json:"topP"`
			BypassCache   bool     `json:"bypassCache"`
			ForceProvider string   `json:"forceProvider"`
			ForceModel    string   `json:"forceModel"`
		} `json:"options"`
	}](input)
	if err != nil {
		return nil, err
	}
	if !in.TaskType.Valid() {
		return nil, growth.InvalidField("api.trpc", "taskType", "use one of %v", growth.TaskTypes())
	}
	o := in.Options
	c, err := a.complete(ctx, CompleteBody{TaskType: in.TaskType, Messages: in.Messages, Options: CompleteOptions{
		Temperature: o.Temperature, MaxTokens: o.MaxTokens, TopP: o.TopP, BypassCache: o.BypassCache, ForceProvider: o.ForceProvider, ForceModel: o.ForceModel,
	}})
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"content": c.Content, "model": c.Model, "provider": c.Provider,
		"usage": map[string]int{"promptTokens": c.Usage.PromptTokens, "completionTokens": c.Usage.CompletionTokens, "totalTokens": c.Usage.TotalTokens},
		"metadata": map[string]any{
			"taskType": in.TaskType, "latencyMs": c.LatencyMS, "cached": c.Cached != "no", "fallbackAttempts": c.FallbackAttempts,
			"timestamp": time.Now().UTC(), "simulated": c.Simulated,
		},
	}, nil
}

// trpcMoney is an amount as a JSON number; null is one that nobody knows.
func trpcMoney(d *decimal.Decimal) any {
	if d == nil {
		return nil
	}
	return d.InexactFloat64()
}

func trpcUsage(u *analytics.Activity) map[string]any {
	return map[string]any{
		"calls": u.Calls, "tokens": u.Tokens, "estimatedCostCAD": trpcMoney(u.Cost), "unknownCosts": u.UnknownCosts, "avgLatencyMs": u.AvgLatencyMS, "errorRate": u.ErrorRate,
	}
}

func (a *api) trpcSummary(ctx context.Context, input json.RawMessage) (any, error) {
	in, err := decode[struct {
		Days *int `json:"days"`
	}](input)
	if err != nil {
		return nil, err
	}
	days := 7
	if in.Days != nil {
		days = *in.Days
	}
	if days < 1 || days > 366 {
		return nil, growth.InvalidField("api.trpc", "days", "use 1 to 366")
	}
	s, err := a.desk().Canadian().Summary(ctx, who(ctx).Workspace, store.Since(time.Now(), days))
	if err != nil {
		return nil, err
	}
	providers, models, tasks := map[string]any{}, map[string]any{}, map[string]any{}
	for name, u := range s.Providers {
		providers[name] = trpcUsage(u)
	}
	for name, u := range s.Models {
		m := trpcUsage(u)
		m["provider"] = u.Provider
		delete(m, "errorRate")
		models[name] = m
	}
	for task, u := range s.TaskTypes {
		tasks[string(task)] = map[string]any{"calls": u.Calls, "tokens": u.Tokens, "estimatedCostCAD": trpcMoney(u.Cost), "unknownCosts": u.UnknownCosts, "topModels": topModels(s.ByTask[task])}
	}
	daily := []any{}
	for _, d := range s.Daily {
		daily = append(daily, map[string]any{
			"date": d.Date, "calls": d.Calls, "tokens": d.Tokens, "estimatedCostCAD": trpcMoney(d.Cost), "unknownCosts": d.UnknownCosts, "cacheHits": d.CacheHits, "cacheMisses": d.CacheMisses,
		})
	}
	return map[string]any{
		"totalCalls": s.Total.Calls, "totalTokens": s.Total.Tokens, "totalCostCAD": trpcMoney(s.Total.Cost), "unknownCosts": s.Total.UnknownCosts, "totalSavingsCAD": s.Cache.Saved.InexactFloat64(),
		"providers": providers, "models": models, "taskTypes": tasks, "dailyUsage": daily,
		"cacheMetrics":         map[string]any{"hits": s.Cache.Hits, "misses": s.Cache.Misses, "hitRate": s.Cache.HitRate, "savingsCAD": s.Cache.Saved.InexactFloat64()},
		"circuitBreakerStatus": a.trpcBreakerMap(), "simulated": s.Simulated,
	}, nil
}

func topModels(calls analytics.ModelCalls) []map[string]any {
	names := slices.Collect(maps.Keys(calls))
	slices.SortFunc(names, func(x, y string) int {
		if calls[x] != calls[y] {
			return int(calls[y] - calls[x])
		}
		return strings.Compare(x, y)
	})
	out := []map[string]any{}
	for _, n := range names[:min(len(names), 5)] {
		out = append(out, map[string]any{"model": n, "calls": calls[n]})
	}
	return out
}

func (a *api) trpcForecast(ctx context.Context, input json.RawMessage) (any, error) {
	in, err := decode[struct {
		Horizon *int `json:"horizonDays"`
	}](input)
	if err != nil {
		return nil, err
	}
	horizon := 30
	if in.Horizon != nil {
		horizon = *in.Horizon
	}
	if horizon < 1 || horizon > 366 {
		return nil, growth.InvalidField("api.trpc", "horizonDays", "use 1 to 366")
	}
	f, err := a.desk().Canadian().Forecast(ctx, who(ctx).Workspace, horizon)
	if err != nil {
		return nil, err
	}
	daily := []any{}
	for i, d := range f.Daily {
		daily = append(daily, map[string]any{"day": i + 1, "date": d.Date, "estimatedCostCAD": d.Expected.InexactFloat64()})
	}
	return map[string]any{
		"currentMonthlyCAD": f.SpentMonth.InexactFloat64(), "projectedMonthlyCAD": f.Expected.InexactFloat64() / float64(horizon) * 30, "dailyForecast": daily,
	}, nil
}

func (a *api) trpcCacheMetrics(ctx context.Context, _ json.RawMessage) (any, error) {
	s, err := a.desk().Summary(ctx, who(ctx).Workspace, store.Since(time.Now(), 30))
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"hits": s.Cache.Hits, "misses": s.Cache.Misses, "hitRate": s.Cache.HitRate, "estimatedSavingsUSD": s.SavedUSD.InexactFloat64(), "simulated": s.Simulated,
	}, nil
}

func (a *api) trpcCacheInvalidate(ctx context.Context, input json.RawMessage) (any, error) {
	in, err := decode[struct {
		Pattern string `json:"pattern"`
	}](input)
	if err != nil {
		return nil, err
	}
	n, err := a.Cache.Invalidate(ctx, who(ctx).Workspace, in.Pattern)
	return map[string]int{"invalidated": n}, err
}

func (a *api) trpcBreakerMap() map[string]any {
	out := map[string]any{}
	for name, b := range a.breakers() {
		var next any
		if b.NextAttemptTime != nil {
			next = b.NextAttemptTime.UnixMilli()
		}
		out[name] = map[string]any{"state": b.State, "failureCount": b.FailureCount, "successCount": b.SuccessCount, "nextAttemptTime": next}
	}
	return out
}

func (a *api) trpcBreakers(context.Context, json.RawMessage) (any, error) {
	return a.trpcBreakerMap(), nil
}

func (a *api) trpcBreakerReset(ctx context.Context, input json.RawMessage) (any, error) {
	in, err := decode[struct {
		Provider string `json:"provider"`
	}](input)
	if err != nil {
		return nil, err
	}
	return map[string]bool{"success": true}, a.resetBreaker(ctx, in.Provider)
}
