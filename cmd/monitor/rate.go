package main

import (
	"context"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"github.com/zakibelm/astrogrowth/internal/config"
	"github.com/zakibelm/astrogrowth/store"
)

const rateAge = 30 * time.Second // how long a rate is believed before the store is asked again

// rates knows what a US dollar buys: what the store says, else what the configuration says.
type rates struct {
	cfg   config.Config
	store *store.Store

	mu   sync.Mutex
	kept map[string]keptRate
}

type keptRate struct {
	rate  decimal.Decimal
	known bool
	at    time.Time
}

func newRates(cfg config.Config, db *store.Store) *rates {
	return &rates{cfg: cfg, store: db, kept: map[string]keptRate{}}
}

// rate reports false for a currency that neither of the two knows.
func (r *rates) rate(ctx context.Context, currency string) (decimal.Decimal, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k, ok := r.kept[currency]; ok && time.Since(k.at) < rateAge {
		return k.rate, k.known
	}
	k := keptRate{at: time.Now()}
	rate, _, err := r.store.Rate(ctx, currency)
	if err == nil {
		k.rate, k.known = rate, true
	} else {
		k.rate, k.known = r.configured(currency)
	}
	r.kept[currency] = k
	return k.rate, k.known
}

func (r *rates) configured(currency string) (decimal.Decimal, bool) {
	switch currency {
	case "USD":
		return decimal.NewFromInt(1), true
	case "CAD":
		return r.cfg.FXUSDCAD, true
	}
	return decimal.Decimal{}, false
}
