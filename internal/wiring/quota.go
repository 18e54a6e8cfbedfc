package wiring

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router/quota"
)

// What OpenRouter allows on its free models, to everybody and by what the account has bought.
const (
	freePool         = "openrouter:free"
	freePerMinute    = 20
	freePerDay       = 50
	boughtPerDay     = 1000
	accountEvery     = time.Hour
	accountRetryWait = time.Minute
)

// pools are the free tiers of the configured accounts. The simulator has none unless the variables say so: what is
// tried out is not to be slow.
func (b *Base) pools() *quota.Pools {
	cfg := b.Config
	key := cfg.OpenRouterAPIKey.Reveal()
	l := quota.Limits{Calls: cfg.FreePerMinute, Daily: cfg.FreePerDay, Window: cfg.FreeWindow.Duration()}
	if cfg.SimulatorWanted() {
		key = simulatorKey
		l.Calls, l.Daily = max(l.Calls, 0), max(l.Daily, 0)
	}
	if l.Calls < 0 {
		l.Calls = freePerMinute
	}
	if l.Daily < 0 {
		l.Daily = freePerDay // until the account has been asked
	}
	sum := sha256.Sum256([]byte(key))
	return quota.NewPools(b.Redis, b.Process(), quota.Pool{
		Name: freePool, Account: hex.EncodeToString(sum[:6]), Provider: "openrouter", Limits: l, Holds: isFree,
	})
}

func isFree(slug string) bool { return strings.HasSuffix(slug, ":free") || slug == "openrouter/free" }

// accountant is a provider that can be asked about the account behind its key.
type accountant interface {
	Configured() bool
	Account(ctx context.Context) (providers.Account, error)
}

// watchAccount keeps the daily limit of the free tier at what the account has, until ctx ends. A limit that is
// configured stays as it is.
func (c *Chain) watchAccount(ctx context.Context) {
	cfg := c.base.Config
	if c.account == nil || !c.account.Configured() || cfg.FreePerDay >= 0 || cfg.SimulatorWanted() {
		return
	}
	for {
		next := accountEvery
		if err := c.askAccount(ctx); err != nil && ctx.Err() == nil {
			c.base.Log.Warn().Err(err).Msg("account of the free tier not read")
			next = accountRetryWait
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(next):
		}
	}
}

func (c *Chain) askAccount(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	a, err := c.account.Account(ctx)
	if err != nil {
		return err
	}
	daily := boughtPerDay
	if a.FreeTier {
		daily = freePerDay
	}
	c.pools.SetDaily(freePool, daily)
	return nil
}
