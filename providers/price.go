package providers

import (
	_ "embed"
	"encoding/json"
	"strings"
	"sync"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
)

// PriceVersion names the price list in the binary; it is stored beside a cost that was reckoned with it.
const PriceVersion = "2026-08-21"

// Price is what a model costs, in US dollars per million tokens.
type Price struct {
	Prompt     decimal.Decimal  `json:"prompt"`
	Completion decimal.Decimal  `json:"completion"`
	Cached     *decimal.Decimal `json:"cached,omitempty"` // nil: cached tokens cost what the others do
	Long       *LongPrice       `json:"long,omitempty"`
}

// LongPrice replaces a Price when the prompt has more than Above tokens.
type LongPrice struct {
	Above      int             `json:"above"`
	Prompt     decimal.Decimal `json:"prompt"`
	Completion decimal.Decimal `json:"completion"`
}

// Cost is the exact price of a call in US dollars. Cached tokens are a part of the prompt and reasoning tokens of the
// completion, so neither is counted twice.
func (p Price) Cost(u growth.Usage) decimal.Decimal {
	prompt, completion, cached := p.Prompt, p.Completion, p.Prompt
	if p.Cached != nil {
		cached = *p.Cached
	}
	if p.Long != nil && u.PromptTokens > p.Long.Above {
		prompt, completion = p.Long.Prompt, p.Long.Completion
		cached = prompt // the list has no cached price of its own for long prompts; the dearer one is the safe side
	}
	hit := min(max(u.CachedTokens, 0), u.PromptTokens)
	return tokens(u.PromptTokens - hit).Mul(prompt).
		Add(tokens(hit).Mul(cached)).
		Add(tokens(u.CompletionTokens).Mul(completion)).
		Shift(-6)
}

func tokens(n int) decimal.Decimal { return decimal.NewFromInt(int64(n)) }

func (p Price) equal(o Price) bool {
	if !p.Prompt.Equal(o.Prompt) || !p.Completion.Equal(o.Completion) || (p.Cached == nil) != (o.Cached == nil) {
		return false
	}
	return p.Cached == nil || p.Cached.Equal(*o.Cached)
}

//go:embed prices.json
var priceFile []byte

type priceList struct {
	Version string                      `json:"version"`
	Models  map[string]map[string]Price `json:"models"` // by provider, then slug; "*" stands for every other slug
}

var prices = sync.OnceValue(func() priceList {
	var list priceList
	if err := json.Unmarshal(priceFile, &list); err != nil {
		return priceList{} // a test holds the file to its form; without it every price is unknown, never zero
	}
	return list
})

// PriceOf looks a model's price up in the list that ships with the program. False means that nobody here knows it,
// which is not the same as free.
func PriceOf(provider, model string) (Price, bool) {
	if provider == "openrouter" && strings.HasSuffix(model, ":free") {
		return Price{}, true
	}
	models := prices().Models[provider]
	if p, ok := models[model]; ok {
		return p, true
	}
	p, ok := models["*"]
	return p, ok
}
