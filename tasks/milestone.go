package tasks

import (
	"context"
	"time"

	"github.com/zakibelm/astrogrowth/internal/events"
	"github.com/zakibelm/astrogrowth/store"
)

// How often it is looked whether something is complete, and for how long an open campaign must have been quiet: jobs
// that come one by one must not complete it again and again.
const (
	milestoneEvery = 5 * time.Second
	campaignQuiet  = 30 * time.Second
)

// Milestones tells what has come to its end as a whole, each once: imports whose leads are scored, and campaigns whose
// jobs have ended.
func (r *Reconciler) Milestones(ctx context.Context, quiet time.Duration) error {
	ready, err := r.Store.ReadyImports(ctx)
	if err != nil {
		return err
	}
	ended, err := r.Store.ConsentsEnded(ctx, time.Now())
	if err != nil {
		return err
	}
	completed, err := r.Store.CompleteCampaigns(ctx, quiet)
	if err != nil {
		return err
	}
	for _, c := range append(append(ready, ended...), completed...) {
		r.Log.Info().Str("workspace_id", string(c.Workspace)).Str("event", c.Event).Msg("milestone")
		r.tell(ctx, c)
	}
	return nil
}

// tell lets live listeners look at once; who misses it looks again by itself.
func (r *Reconciler) tell(ctx context.Context, c store.Completed) {
	if r.Redis == nil {
		return
	}
	_ = events.Publish(context.WithoutCancel(ctx), r.Redis, events.Notice{Workspace: c.Workspace, Type: c.Event})
}
