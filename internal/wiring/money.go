package wiring

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/events"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/router/budget"
	"github.com/zakibelm/astrogrowth/tasks"
)

// budgets makes the keeper of the budgets and lets it hear of every ledger row that is committed.
func (b *Base) budgets() *budget.Keeper {
	k := budget.New(budget.Config{
		Redis: b.Redis, Book: b.Store, Log: b.Log,
		Notify: func(ctx context.Context, ws growth.WorkspaceID) {
			// A notice that is lost only makes a listener late.
			_ = events.Publish(ctx, b.Redis, events.Notice{Workspace: ws, Type: "budget.threshold"})
		},
	})
	b.Store.OnCalls(k.Committed)
	return k
}

// prices reads the operator's list of prices and what was kept of the providers' own.
func (b *Base) prices(ctx context.Context) (router.Prices, error) {
	var out router.Prices
	if name := b.Config.PricesFile; name != "" {
		src, err := os.ReadFile(name) //nolint:gosec // G304: the operator names the file
		if err != nil {
			return out, fmt.Errorf("PRICES_FILE: %w", err)
		}
		if out.Override, err = providers.ReadPrices(src); err != nil {
			return out, fmt.Errorf("PRICES_FILE: %w", err)
		}
	}
	kept, err := b.Store.Prices(ctx)
	if err != nil {
		return out, err
	}
	list := &providers.PriceList{Models: map[string]map[string]providers.Price{}}
	var newest time.Time
	for _, p := range kept {
		var price providers.Price
		if json.Unmarshal(p.Price, &price) != nil {
			continue // written by a newer program: as good as not kept
		}
		if list.Models[p.Provider] == nil {
			list.Models[p.Provider] = map[string]providers.Price{}
		}
		list.Models[p.Provider][p.Model] = price
		if p.ReadAt.After(newest) {
			newest = p.ReadAt
		}
	}
	list.Version = newest.UTC().Format(time.RFC3339)
	out.Kept = list
	return out, nil
}

// priceEvery is how often a newly read list of prices is looked for, in memory.
const priceEvery = 10 * time.Second

// keepPrices writes the prices that the providers' lists name to the database whenever one was read, until ctx ends.
func (c *Chain) keepPrices(ctx context.Context) {
	saved := map[string]time.Time{}
	tick := time.NewTicker(priceEvery)
	defer tick.Stop()
	for {
		for provider, live := range c.Router.LivePrices() {
			if !live.At.After(saved[provider]) {
				continue
			}
			if err := c.savePrices(ctx, provider, live); err != nil {
				c.base.Log.Warn().Err(err).Str("provider", provider).Msg("prices not kept")
				continue
			}
			saved[provider] = live.At
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// SyncPrices asks every provider for its models now, keeps their prices, and says how many each names.
func (c *Chain) SyncPrices(ctx context.Context) (map[string]int, error) {
	faults := c.Router.LearnCatalogues(ctx)
	for _, provider := range slices.Sorted(maps.Keys(faults)) {
		return nil, &growth.Error{Code: growth.Unavailable, Op: "wiring.SyncPrices", Message: "the list of models of " + provider + " cannot be read", Err: faults[provider]}
	}
	out := map[string]int{}
	for provider, live := range c.Router.LivePrices() {
		if err := c.savePrices(ctx, provider, live); err != nil {
			return out, err
		}
		out[provider] = len(live.Models)
	}
	return out, nil
}

func (c *Chain) savePrices(ctx context.Context, provider string, live router.LivePrices) error {
	rows := make(map[string]json.RawMessage, len(live.Models))
	for slug, p := range live.Models {
		b, err := json.Marshal(p)
		if err != nil {
			return fmt.Errorf("encode price: %w", err)
		}
		rows[slug] = b
	}
	// To the second, as the rows of the ledger name it.
	n, err := c.base.Store.SavePrices(ctx, provider, live.At.Truncate(time.Second), rows)
	if n > 0 {
		c.base.Log.Info().Str("provider", provider).Int64("models", n).Msg("prices changed")
	}
	return err
}

// teller asks OpenRouter what a request has cost.
type teller struct{ *providers.OpenRouter }

// Cost is the cost of a request by its id.
func (t teller) Cost(ctx context.Context, generation string) (decimal.Decimal, error) {
	g, err := t.Generation(ctx, generation)
	return g.CostUSD, err
}

// Bookkeeper makes what finds out about costs that nobody reported.
func (b *Base) Bookkeeper() *tasks.Bookkeeper {
	k := &tasks.Bookkeeper{Store: b.Store, Redis: b.Redis, Log: b.Log}
	for _, p := range Providers(b.Config) {
		if or, ok := p.(*providers.OpenRouter); ok && or.Configured() {
			k.Tellers = append(k.Tellers, teller{or})
		}
	}
	return k
}
