package tasks

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/analytics"
	"github.com/zakibelm/astrogrowth/internal/events"
)

// How often somebody looks for what is wrong, and for how long one look may take.
const (
	watchEvery   = time.Minute
	watchLooks   = 10 * time.Second // how often a process asks whether it is its turn
	watchTimeout = 5 * time.Minute
)

// Watcher looks every minute for what is wrong in each workspace, opens and resolves the alerts, and sums up days of the
// ledger that are over. Every process may run one: they take turns.
type Watcher struct {
	Desk  analytics.Desk
	Redis redis.UniversalClient // to tell listeners of alerts; nil: they find out when they look
	Log   zerolog.Logger
}

// Run watches until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	tick := time.NewTicker(watchLooks)
	defer tick.Stop()
	for {
		if err := w.Pass(ctx); err != nil && ctx.Err() == nil {
			w.Log.Warn().Err(err).Msg("alerts not looked into")
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Pass does what is due, when it is this process's turn.
func (w *Watcher) Pass(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	mine, err := w.Desk.Store.TakeTurn(ctx, "watch", watchEvery)
	if err != nil || !mine {
		return err
	}
	now := time.Now()
	if n, err := w.Desk.Store.SumUp(ctx, now); err != nil {
		w.Log.Warn().Err(err).Msg("days of the ledger not summed up") // they are counted instead
	} else if n > 0 {
		w.Log.Info().Int("days", n).Msg("days of the ledger summed up")
	}
	return w.Look(ctx, now)
}

// Look opens and resolves the alerts of every workspace. One that cannot be looked into keeps its alerts as they are.
func (w *Watcher) Look(ctx context.Context, now time.Time) error {
	all, err := w.Desk.Store.Workspaces(ctx)
	if err != nil {
		return err
	}
	for _, ws := range all {
		if err := w.look(ctx, ws.ID, now); err != nil {
			w.Log.Warn().Err(err).Str("workspace", string(ws.ID)).Msg("workspace not looked into")
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

func (w *Watcher) look(ctx context.Context, ws growth.WorkspaceID, now time.Time) error {
	found, err := w.Desk.Alerts(ctx, ws)
	if err != nil {
		return err
	}
	told, err := w.Desk.Store.In(ws).SetAlerts(ctx, found, now)
	if err != nil || w.Redis == nil {
		return err
	}
	for _, kind := range told {
		// A notice that is lost only makes a listener late.
		_ = events.Publish(ctx, w.Redis, events.Notice{Workspace: ws, Type: kind})
	}
	return nil
}
