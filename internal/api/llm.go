package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/internal/daemon"
	"github.com/zakibelm/astrogrowth/router"
)

// CompleteOptions tune one direct call; the zero value leaves everything to the route.
type CompleteOptions struct {
	Temperature   *float64 `json:"temperature,omitempty" minimum:"0" maximum:"2"`
	MaxTokens     int      `json:"max_tokens,omitempty" minimum:"1" maximum:"32000"`
	TopP          *float64 `json:"top_p,omitempty" minimum:"0" maximum:"1"`
	BypassCache   bool     `json:"bypass_cache,omitempty"`
	ForceProvider string   `json:"force_provider,omitempty"`
	ForceModel    string   `json:"force_model,omitempty"`
	TimeoutS      int      `json:"timeout_s,omitempty" minimum:"1" maximum:"600"`
}

// CompleteBody is a direct call of the chain.
type CompleteBody struct {
	TaskType growth.TaskType  `json:"task_type" enum:"qualification,content_generation,verification,analysis,simple"`
	Messages []growth.Message `json:"messages" minItems:"1" maxItems:"200"`
	Schema   json.RawMessage  `json:"schema,omitempty" doc:"JSON Schema that the answer must fit"`
	Options  CompleteOptions  `json:"options,omitzero"`
}

// Completion is the answer of the chain.
type Completion struct {
	Content          string        `json:"content"`
	Provider         string        `json:"provider"`
	Model            string        `json:"model"`
	Usage            growth.Usage  `json:"usage"`
	Cost             growth.Money  `json:"cost"`
	Cached           string        `json:"cached" enum:"no,exact,near,semantic"`
	CallID           growth.CallID `json:"call_id,omitempty" doc:"The call that made this answer, perhaps for an earlier request; name it in POST /v1/feedback"`
	Simulated        bool          `json:"simulated"`
	FinishReason     string        `json:"finish_reason"`
	LatencyMS        int64         `json:"latency_ms"`
	FallbackAttempts int           `json:"fallback_attempts"`
	Calls            []growth.Call `json:"calls"`
	WalkID           growth.WalkID `json:"walk_id,omitempty" doc:"Groups the calls; see /v1/walks/{id}. Absent in an answer from the cache"`
}

func (a *api) llm(h huma.API) {
	o := op(http.MethodPost, "/v1/llm/complete", "llm", "Ask the chain without a job", auth.ScopeEnqueue, 200)
	o.Errors = append(o.Errors, 402, 504)
	register(h, o, func(ctx context.Context, in *struct{ Body CompleteBody }) (*struct{ Body Completion }, error) {
		c, err := a.complete(ctx, in.Body)
		return &struct{ Body Completion }{c}, err
	})
	a.llmBatch(h)
}

// complete serves the REST call and the tRPC call alike.
func (a *api) complete(ctx context.Context, b CompleteBody) (Completion, error) {
	req, err := a.request(ctx, b)
	if err != nil {
		return Completion{}, err
	}
	ans, err := a.Router.Complete(ctx, req)
	if err != nil {
		return Completion{}, a.inCurrency(ctx, err)
	}
	return a.completion(ctx, ans), nil
}

// request puts a direct call into the router's words.
func (a *api) request(ctx context.Context, b CompleteBody) (router.Request, error) {
	req := router.Request{
		Task: b.TaskType, Workspace: who(ctx).Workspace, Key: who(ctx).KeyID, Messages: b.Messages, Cache: router.DirectCache(b.Options.BypassCache), Schema: b.Schema, SchemaName: "answer",
		Sampling:  router.Sampling{Temperature: b.Options.Temperature, TopP: b.Options.TopP, MaxTokens: b.Options.MaxTokens},
		Timeout:   time.Duration(b.Options.TimeoutS) * time.Second,
		RequestID: daemon.RequestID(ctx),
	}
	if b.Options.ForceProvider != "" || b.Options.ForceModel != "" {
		req.Force = &growth.Call{Provider: b.Options.ForceProvider, Model: b.Options.ForceModel}
	}
	if len(b.Schema) > 0 {
		if _, err := router.CompileSchema(b.Schema); err != nil {
			return req, err
		}
	}
	ws, err := a.Store.In(req.Workspace).Workspace(ctx)
	req.Privacy = ws.Settings.Privacy
	return req, err
}

// completion shows an answer.
func (a *api) completion(ctx context.Context, ans router.Answer) Completion {
	rate, err := a.Rate(ctx)
	if err != nil {
		rate = decimal.Decimal{}
	}
	out := Completion{
		Content: ans.Text, Provider: ans.Provider, Model: ans.Model, Usage: ans.Usage, Cost: a.money(ans.Cost, rate), Cached: string(ans.Cached), CallID: ans.CallID,
		Simulated: ans.Simulated, FinishReason: ans.FinishReason, LatencyMS: ans.Latency.Milliseconds(), FallbackAttempts: ans.FallbackAttempts,
		Calls: []growth.Call{}, WalkID: ans.Walk,
	}
	for _, c := range ans.Calls {
		c.Cost = a.money(c.Cost, rate)
		out.Calls = append(out.Calls, c)
	}
	return out
}
