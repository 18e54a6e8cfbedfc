package providers

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
)

// GenerationCost is what OpenRouter says of a request afterwards, also when its answer was cut or never read.
type GenerationCost struct {
	CostUSD decimal.Decimal
	Usage   growth.Usage // by the model's own count, the one that is billed
}

// Generation asks what a request has cost, by the id that OpenRouter gave it. OpenRouter knows it a moment after the
// end of the answer; until then, and for an id that it never gave, the error is NotFound.
func (o *OpenRouter) Generation(ctx context.Context, id string) (GenerationCost, error) {
	const op = "openrouter.Generation"
	if !o.Configured() {
		return GenerationCost{}, notConfigured(op)
	}
	r, err := o.wire.send(ctx, message{method: http.MethodGet, path: "/generation?id=" + url.QueryEscape(id), limit: maxAnswer})
	switch {
	case err != nil:
		return GenerationCost{}, o.wire.seal(op, err, nil)
	case r.status == http.StatusNotFound:
		return GenerationCost{}, growth.Errorf(growth.NotFound, op, "the provider does not know this request")
	case !r.ok():
		return GenerationCost{}, o.wire.seal(op, statusFault(r, o.wire.now()), nil)
	}
	var answer struct {
		Data struct {
			Total      json.RawMessage `json:"total_cost"`
			Upstream   json.RawMessage `json:"upstream_inference_cost"`
			BYOK       bool            `json:"is_byok"`
			Prompt     number          `json:"native_tokens_prompt"`
			Completion number          `json:"native_tokens_completion"`
			Reasoning  number          `json:"native_tokens_reasoning"`
			Cached     number          `json:"native_tokens_cached"`
		} `json:"data"`
	}
	if json.Unmarshal(r.body, &answer) != nil {
		return GenerationCost{}, o.wire.seal(op, broken.fault("the answer is not readable"), nil)
	}
	d := answer.Data
	// With a key of the owner's own at the upstream the total is the router's fee alone, as in an answer's usage.
	cost := chatUsage{Cost: d.Total, BYOK: d.BYOK}
	cost.CostDetails.Upstream = d.Upstream
	usd := cost.cost()
	if usd == nil {
		return GenerationCost{}, growth.Errorf(growth.NotFound, op, "the provider names no cost for this request")
	}
	return GenerationCost{CostUSD: *usd, Usage: growth.Usage{
		PromptTokens: d.Prompt.count(), CompletionTokens: d.Completion.count(), TotalTokens: d.Prompt.count() + d.Completion.count(),
		CachedTokens: min(d.Cached.count(), d.Prompt.count()), ReasoningTokens: min(d.Reasoning.count(), d.Completion.count()),
	}}, nil
}
