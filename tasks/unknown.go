package tasks

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/events"
	"github.com/zakibelm/astrogrowth/store"
)

// How often costs that nobody knows are looked for, and how many are asked about at once.
const (
	unknownEvery = 5 * time.Second
	unknownBatch = 20
	askTimeout   = 20 * time.Second
)

// CostTeller is a provider that can be asked afterwards what a request has cost, by its own id of it. NotFound: not
// yet, or never.
type CostTeller interface {
	Name() string
	Cost(ctx context.Context, generation string) (decimal.Decimal, error)
}

// Bookkeeper finds out what calls of unknown cost have cost, and raises an alert for those that stay unknown. Every
// process may run one; they share the work by locking rows.
type Bookkeeper struct {
	Store   *store.Store
	Redis   redis.UniversalClient // to tell listeners of alerts; nil: they find out when they look
	Tellers []CostTeller
	Log     zerolog.Logger
}

// Run works until ctx ends.
func (b *Bookkeeper) Run(ctx context.Context) {
	tick := time.NewTicker(unknownEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := errors.Join(b.Ask(ctx), b.Alert(ctx)); err != nil && ctx.Err() == nil {
				b.Log.Warn().Err(err).Msg("unknown costs not looked into")
			}
		}
	}
}

// Ask asks once about each call of unknown cost that is due.
func (b *Bookkeeper) Ask(ctx context.Context) error {
	for _, teller := range b.Tellers {
		due, err := b.Store.TakeUnpriced(ctx, teller.Name(), unknownBatch)
		if err != nil {
			return err
		}
		for _, call := range due {
			if err := b.ask(ctx, teller, call); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *Bookkeeper) ask(ctx context.Context, teller CostTeller, call store.Unpriced) error {
	short, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	usd, err := teller.Cost(short, call.Generation)
	if err != nil {
		b.Log.Debug().Err(err).Str("call", string(call.ID)).Msg("cost not told yet")
		return nil // it is due again after a pause
	}
	_, err = b.Store.In(call.Workspace).SettleCall(ctx, call.ID, growth.USD(usd, growth.CostReported), teller.Name())
	if growth.CodeOf(err) == growth.Conflict {
		return nil // somebody was faster
	}
	return err
}

// Alert makes the events of costs that are unknown.
func (b *Bookkeeper) Alert(ctx context.Context) error {
	told, err := b.Store.AlertUnknownCosts(ctx)
	if err != nil || b.Redis == nil {
		return err
	}
	for _, ws := range told {
		// A notice that is lost only makes a listener late.
		_ = events.Publish(ctx, b.Redis, events.Notice{Workspace: ws, Type: "cost.unknown"})
	}
	return nil
}
