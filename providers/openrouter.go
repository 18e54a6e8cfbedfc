package providers

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// OpenRouter is the client for openrouter.ai.
type OpenRouter struct{ *Compatible }

// NewOpenRouter returns a client for OpenRouter. It needs a key.
func NewOpenRouter(s Settings) *OpenRouter {
	return &OpenRouter{NewCompatible(CompatibleConfig{
		Name:          "openrouter",
		BaseURL:       "https://openrouter.ai/api/v1",
		Settings:      s,
		Headers:       map[string]string{"HTTP-Referer": s.AppURL, "X-OpenRouter-Title": s.AppName},
		IDHeader:      "X-Generation-Id",
		Adapt:         openRouterPreferences,
		Catalogue:     openRouterModel,
		Embeds:        true,
		ZeroRetention: true,
	})}
}

// openRouterPreferences steers OpenRouter's choice of host. Without require_parameters a host that knows no schemas
// ignores the one it is sent.
func openRouterPreferences(req Request, body map[string]any) {
	preferences := map[string]any{}
	if req.Schema != nil {
		preferences["require_parameters"] = true
	}
	if req.ZeroRetention {
		preferences["data_collection"] = "deny"
		preferences["zdr"] = true
	}
	if len(preferences) > 0 {
		body["provider"] = preferences
	}
}

func openRouterModel(entry json.RawMessage) []Model {
	var m struct {
		ID         word   `json:"id"`
		Canonical  word   `json:"canonical_slug"`
		Context    number `json:"context_length"`
		Expires    word   `json:"expiration_date"`
		Parameters []word `json:"supported_parameters"`
		Pricing    struct {
			Prompt     json.RawMessage `json:"prompt"`
			Completion json.RawMessage `json:"completion"`
			Cached     json.RawMessage `json:"input_cache_read"`
			Request    json.RawMessage `json:"request"`
		} `json:"pricing"`
	}
	_ = json.Unmarshal(entry, &m) // a member of an unexpected type leaves the others read
	if m.ID == "" {
		return nil
	}
	price, known := pricePerToken(m.Pricing.Prompt, m.Pricing.Completion, m.Pricing.Cached)
	if fee := amount(m.Pricing.Request); fee != nil && fee.IsPositive() {
		price.Request = fee
	}
	return []Model{{
		ID: string(m.ID), Canonical: string(m.Canonical), ContextLength: m.Context.count(),
		Price: price, PriceKnown: known, Expires: moment(string(m.Expires)),
		Structured: slices.Contains(m.Parameters, "structured_outputs"),
	}}
}

// pricePerToken turns prices per token into prices per million. A price of -1 stands for "it depends", so it is none.
func pricePerToken(prompt, completion, cached json.RawMessage) (Price, bool) {
	in, out := amount(prompt), amount(completion)
	if in == nil || out == nil {
		return Price{}, false
	}
	p := Price{Prompt: in.Shift(6), Completion: out.Shift(6)}
	if c := amount(cached); c != nil {
		p.Cached = new(decimal.Decimal)
		*p.Cached = c.Shift(6)
	}
	return p, true
}

// moment reads a date or an instant, zero when it is neither.
func moment(text string) time.Time {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}
