package router

import (
	"time"

	"github.com/zakibelm/astrogrowth/providers"
)

// Prices are lists of prices beside the providers' live ones and the one that ships with the program. The zero value
// has none.
type Prices struct {
	Override *providers.PriceList // the operator's: wins over every other
	Kept     *providers.PriceList // what the live lists said when they could last be read: for when they cannot
}

// price is a model's price and the name of the list that it stands in: the operator's list, the provider's live one,
// the one that was kept, the one in the program.
func (r *Router) price(provider, slug string) (price providers.Price, list string, ok bool) {
	if p, ok := r.cfg.Prices.Override.Of(provider, slug); ok {
		return p, "file " + r.cfg.Prices.Override.Version, true
	}
	if m, at, known := r.catalogue.model(provider, slug); known && m.PriceKnown {
		return m.Price, "live " + at.UTC().Format(time.RFC3339), true
	}
	if p, ok := r.cfg.Prices.Kept.Of(provider, slug); ok {
		return p, "kept " + r.cfg.Prices.Kept.Version, true
	}
	price, ok = providers.PriceOf(provider, slug)
	return price, providers.PriceVersion, ok
}

// LivePrices are the prices that a provider's list named when it was read.
type LivePrices struct {
	At     time.Time
	Models map[string]providers.Price
}

// LivePrices gives, by provider, what the live lists say now.
func (r *Router) LivePrices() map[string]LivePrices {
	r.catalogue.mu.RLock()
	defer r.catalogue.mu.RUnlock()
	out := map[string]LivePrices{}
	for provider, list := range r.catalogue.lists {
		l := LivePrices{At: list.at, Models: map[string]providers.Price{}}
		for slug, m := range list.models {
			if m.PriceKnown {
				l.Models[slug] = m.Price
			}
		}
		out[provider] = l
	}
	return out
}
