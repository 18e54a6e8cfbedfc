package providers

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
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
	Cached     *decimal.Decimal `json:"cached,omitempty"`  // nil: cached tokens cost what the others do
	Request    *decimal.Decimal `json:"request,omitempty"` // for each request, in US dollars, beside its tokens; nil: nothing
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
	cost := tokens(u.PromptTokens - hit).Mul(prompt).
		Add(tokens(hit).Mul(cached)).
		Add(tokens(u.CompletionTokens).Mul(completion)).
		Shift(-6)
	if p.Request != nil {
		return cost.Add(*p.Request)
	}
	return cost
}

func tokens(n int) decimal.Decimal { return decimal.NewFromInt(int64(n)) }

func (p Price) equal(o Price) bool {
	return p.Prompt.Equal(o.Prompt) && p.Completion.Equal(o.Completion) && same(p.Cached, o.Cached) && same(p.Request, o.Request)
}

func same(a, b *decimal.Decimal) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}

//go:embed prices.json
var priceFile []byte

// PriceList is a list of prices with its name. The zero value, and nil, know no price.
type PriceList struct {
	Version string                      `json:"version"`
	Models  map[string]map[string]Price `json:"models"` // by provider, then slug; "*" stands for every other slug
}

// ReadPrices reads a list of the form of the one that ships with the program (prices.json).
func ReadPrices(b []byte) (*PriceList, error) {
	var list struct {
		PriceList
		Currency string `json:"currency"`
		Per      string `json:"per"`
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&list); err != nil {
		return nil, fmt.Errorf("prices: %w", err)
	}
	switch {
	case list.Version == "":
		return nil, errors.New("prices: version is missing: every cost that is reckoned with the list names it")
	case list.Currency != "USD" || list.Per != "million tokens":
		return nil, errors.New(`prices: write "currency": "USD" and "per": "million tokens"; no other unit is known`)
	}
	for provider, models := range list.Models {
		for slug, p := range models {
			if p.negative() {
				return nil, fmt.Errorf("prices: %s/%s: a price is below 0", provider, slug)
			}
		}
	}
	return &list.PriceList, nil
}

func (p Price) negative() bool {
	for _, d := range []*decimal.Decimal{&p.Prompt, &p.Completion, p.Cached, p.Request} {
		if d != nil && d.IsNegative() {
			return true
		}
	}
	return p.Long != nil && (p.Long.Prompt.IsNegative() || p.Long.Completion.IsNegative())
}

// Of looks a model's price up. False means that the list does not know it, which is not the same as free.
func (l *PriceList) Of(provider, model string) (Price, bool) {
	if l == nil {
		return Price{}, false
	}
	models := l.Models[provider]
	if p, ok := models[model]; ok {
		return p, true
	}
	p, ok := models["*"]
	return p, ok
}

// Names says whether the list has a price for this very model, and not only for every other.
func (l *PriceList) Names(provider, model string) bool {
	if l == nil {
		return false
	}
	_, ok := l.Models[provider][model]
	return ok
}

// NamesPrice says whether the list that ships with the program names a model.
func NamesPrice(provider, model string) bool { return prices().Names(provider, model) }

var prices = sync.OnceValue(func() *PriceList {
	list, err := ReadPrices(priceFile)
	if err != nil {
		return nil // a test holds the file to its form; without it every price is unknown, never zero
	}
	return list
})

// PriceOf looks a model's price up in the list that ships with the program. False means that nobody here knows it,
// which is not the same as free.
func PriceOf(provider, model string) (Price, bool) {
	if provider == "openrouter" && strings.HasSuffix(model, ":free") {
		return Price{}, true
	}
	return prices().Of(provider, model)
}
