package wiring

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"github.com/zakibelm/astrogrowth/internal/linkedin"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/router/breaker"
	"github.com/zakibelm/astrogrowth/router/budget"
	"github.com/zakibelm/astrogrowth/router/cache"
	"github.com/zakibelm/astrogrowth/router/quota"
	"github.com/zakibelm/astrogrowth/store"
)

// Chain is the router with what runs beside it.
type Chain struct {
	Router *router.Router
	Cache  *cache.Cache
	Ledger *store.LedgerWriter
	Budget *budget.Keeper
	stats  *store.CacheStats
	base   *Base
	file   routeFile

	pools    *quota.Pools
	rests    *quota.Cooldowns
	breakers *breakerWatch
	account  accountant
}

// Chain builds the router over the configured providers, or over the simulator.
func (b *Base) Chain(ctx context.Context) (*Chain, error) {
	file, routes, err := b.routes()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	prices, err := b.prices(ctx)
	if err != nil {
		return nil, err
	}
	kept, err := cache.New(b.Redis, cache.Settings{Live: !b.Config.SimulatorWanted()})
	if err != nil {
		return nil, err
	}
	b.closers = append(b.closers, func() error { kept.Close(); return nil })
	c := &Chain{Cache: kept, Ledger: store.NewLedgerWriter(b.Store, b.Log), stats: store.NewCacheStats(b.Store, b.Log), base: b, file: file}
	c.Budget = b.budgets()
	c.pools, c.rests = b.pools(), &quota.Cooldowns{}
	all := Providers(b.Config)
	for _, p := range all {
		if a, ok := p.(accountant); ok {
			c.account = a
		}
	}
	c.Router = router.New(router.Config{
		Quota: c.pools, Cooldowns: c.rests, Models: b.Store.ModelBook(sources(b.Config)), Budget: c.Budget, Prices: prices,
		Routes: routes, Providers: all, Ledger: c.Ledger, Cache: kept, Stats: c.stats, CacheTTL: b.Config.CacheTTL.Duration(),
		Breakers: breaker.New(breaker.Settings{
			Failures: b.Config.BreakerThreshold, Timeout: b.Config.BreakerTimeout.Duration(),
		}, b.Process(), routes.BreakerNames()...),
	})
	c.breakers = newBreakerWatch(b, c.Router.Breakers())
	return c, nil
}

// Run keeps the ledger, the statistics, the breakers, the cache and the catalogues going until ctx ends; what waits to
// be written is written before it returns.
func (c *Chain) Run(ctx context.Context) {
	// What the ledger commits last is settled last.
	settling, settled := context.WithCancel(context.WithoutCancel(ctx))
	var after sync.WaitGroup
	after.Go(func() { c.Budget.Run(settling) })
	defer after.Wait()
	defer settled()
	var wg sync.WaitGroup
	wg.Go(func() { c.keepPrices(ctx) })
	wg.Go(func() { c.Ledger.Run(ctx) })
	wg.Go(func() { c.stats.Run(ctx) })
	wg.Go(func() { c.Cache.Listen(ctx) })
	wg.Go(func() { c.Router.Watch(ctx, c.base.Log) })
	wg.Go(func() { c.followRoutes(ctx) })
	wg.Go(func() { c.Router.Breakers().Share(ctx, c.base.Redis, c.breakers.changed) })
	wg.Go(func() { c.breakers.run(ctx) })
	wg.Go(func() { c.rests.Share(ctx, c.base.Redis, c.base.Process()) })
	wg.Go(func() { c.watchAccount(ctx) })
	wg.Wait()
}

// EmbedModel is EMBED_MODEL with its provider; a name without one is a model of Ollama's.
func (b *Base) EmbedModel() string {
	name := b.Config.EmbedModel
	for _, p := range Providers(b.Config) {
		if strings.HasPrefix(name, p.Name()+"/") {
			return name
		}
	}
	return "ollama/" + name
}

// LinkedIn makes the client of LinkedIn, or of the simulator.
func (b *Base) LinkedIn() *linkedin.Client {
	s := linkedin.Settings{APIURL: b.Config.LinkedInAPIURL, Version: b.Config.LinkedInVersion, Spend: func(ctx context.Context, author string) error {
		return b.Store.SpendLinkedInCall(ctx, author, b.Config.LinkedInMaxCalls)
	}}
	if b.Config.SimulatorWanted() {
		s.APIURL = b.Config.SimulatorURL + "/linkedin"
	}
	return linkedin.New(s)
}

// Rate gives the display currency's units for one US dollar: the newest stored rate, read at most once a minute.
func (b *Base) Rate() func(context.Context) (decimal.Decimal, error) {
	var mu sync.Mutex
	var rate decimal.Decimal
	var read time.Time
	return func(ctx context.Context) (decimal.Decimal, error) {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(read) < time.Minute {
			return rate, nil
		}
		r, _, err := b.Store.Rate(ctx, b.Config.Currency)
		if err != nil {
			return rate, err
		}
		rate, read = r, time.Now()
		return rate, nil
	}
}

// SaveRate stores the configured rate of the display currency, when there is one.
func (b *Base) SaveRate(ctx context.Context) error {
	rate, known := b.Config.Rate()
	if known {
		if err := b.Store.SetRate(ctx, b.Config.Currency, rate, "configuration"); err != nil {
			return err
		}
	}
	// Older clients and one of the targets speak of Canadian dollars, whatever the installation shows.
	return b.Store.SetRate(ctx, "CAD", b.Config.FXUSDCAD, "configuration")
}
