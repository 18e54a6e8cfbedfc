package wiring

import (
	"github.com/zakibelm/astrogrowth/internal/analytics"
	"github.com/zakibelm/astrogrowth/tasks"
)

// Watcher makes what looks for things that a person should know of.
func (b *Base) Watcher() *tasks.Watcher {
	return &tasks.Watcher{
		Desk: analytics.Desk{Store: b.Store, Currency: b.Config.Currency, Rate: b.Rate()}, Redis: b.Redis, Log: b.Log,
	}
}
