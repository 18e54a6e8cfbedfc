package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/router"
)

// CompleteBatchBody is many direct calls at once.
type CompleteBatchBody struct {
	Requests    []CompleteBody `json:"requests" minItems:"1" maxItems:"100"`
	Concurrency int            `json:"concurrency,omitempty" minimum:"1" maximum:"100" default:"10" doc:"How many are made at a time"`
}

// CompletionResult is what became of one call of a batch: an answer or an error.
type CompletionResult struct {
	Index      int         `json:"index"`
	Completion *Completion `json:"completion,omitempty"`
	Error      *Problem    `json:"error,omitempty"`
}

// CompletionBatch holds the results in the order of the requests.
type CompletionBatch struct {
	Succeeded int                `json:"succeeded"`
	Failed    int                `json:"failed"`
	Data      []CompletionResult `json:"data"`
}

func (a *api) llmBatch(h huma.API) {
	o := op(http.MethodPost, "/v1/llm/batch", "llm", "Ask the chain up to 100 things at once", auth.ScopeEnqueue, 200)
	o.Description = "The results come in the order of the requests, each with an answer or an error of its own: one that fails takes no other along."
	register(h, o, func(ctx context.Context, in *struct{ Body CompleteBatchBody }) (*struct{ Body CompletionBatch }, error) {
		return &struct{ Body CompletionBatch }{a.completeBatch(ctx, in.Body)}, nil
	})
}

func (a *api) completeBatch(ctx context.Context, b CompleteBatchBody) CompletionBatch {
	out := CompletionBatch{Data: make([]CompletionResult, len(b.Requests))}
	var reqs []router.Request
	var places []int
	for i, one := range b.Requests {
		req, err := a.request(ctx, one)
		if err != nil {
			out.Data[i].Error = problemOf(err)
			continue
		}
		reqs, places = append(reqs, req), append(places, i)
	}
	for n, r := range a.Router.CompleteBatch(ctx, reqs, b.Concurrency) {
		if r.Err != nil {
			out.Data[places[n]].Error = problemOf(a.inCurrency(ctx, r.Err))
			continue
		}
		c := a.completion(ctx, r.Answer)
		out.Data[places[n]].Completion = &c
	}
	for i := range out.Data {
		out.Data[i].Index = i
		if out.Data[i].Error != nil {
			out.Failed++
		}
	}
	out.Succeeded = len(out.Data) - out.Failed
	return out
}
