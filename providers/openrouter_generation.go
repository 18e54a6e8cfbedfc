package providers

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
)

// Generation is OpenRouter's own account of one request, which outlives a stream that was cut.
type Generation struct {
	Model        string
	CostUSD      *decimal.Decimal // nil: not said
	Usage        growth.Usage
	UsageKnown   bool
	FinishReason string
	Canceled     bool
}

// Generation looks up what a request has cost. Its account is stored a moment after the request has ended; until then,
// and for an id that nobody knows, the error's code is NotFound.
func (o *OpenRouter) Generation(ctx context.Context, id string) (Generation, error) {
	const op = "openrouter.Generation"
	if id == "" {
		return Generation{}, growth.InvalidField(op, "id", "an id is needed")
	}
	var data struct {
		Model      word            `json:"model"`
		TotalCost  json.RawMessage `json:"total_cost"`
		Prompt     number          `json:"native_tokens_prompt"`
		Completion number          `json:"native_tokens_completion"`
		Reasoning  number          `json:"native_tokens_reasoning"`
		Cached     number          `json:"native_tokens_cached"`
		Finish     word            `json:"finish_reason"`
		Canceled   bool            `json:"cancelled"`
		BYOK       bool            `json:"is_byok"`
	}
	if err := o.lookUp(ctx, op, "/generation?id="+url.QueryEscape(id), &data); err != nil {
		return Generation{}, err
	}
	g := Generation{
		Model: string(data.Model), CostUSD: amount(data.TotalCost), UsageKnown: data.Prompt.known || data.Completion.known,
		FinishReason: finishReasons[string(data.Finish)], Canceled: data.Canceled,
		Usage: growth.Usage{
			PromptTokens: data.Prompt.count(), CompletionTokens: data.Completion.count(),
			TotalTokens:  data.Prompt.count() + data.Completion.count(),
			CachedTokens: min(data.Cached.count(), data.Prompt.count()), ReasoningTokens: min(data.Reasoning.count(), data.Completion.count()),
		},
	}
	if data.BYOK {
		g.CostUSD = nil // the fee alone would look like the whole
	}
	return g, nil
}

// lookUp reads the data of one of the side endpoints.
func (o *OpenRouter) lookUp(ctx context.Context, op, path string, data any) error {
	if !o.Configured() {
		return notConfigured(op)
	}
	r, err := o.wire.send(ctx, message{method: http.MethodGet, path: path, limit: 1 << 20})
	switch {
	case err != nil:
	case r.status == http.StatusNotFound:
		err = &growth.Error{Code: growth.NotFound, Message: "the provider knows nothing of it, or not yet"}
	case !r.ok():
		err = statusFault(r, o.wire.now())
	default:
		envelope := struct {
			Data any `json:"data"`
		}{data}
		if json.Unmarshal(r.body, &envelope) != nil {
			err = broken.fault("the answer is not readable")
		}
	}
	return o.wire.seal(op, err, nil)
}
