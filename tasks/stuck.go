package tasks

import (
	"context"
	"errors"
)

// Unstick frees what nobody else would: jobs that wait for what has come already, and posts whose attempt ended without
// a word about them.
func (r *Reconciler) Unstick(ctx context.Context) error {
	woken, wakeErr := r.Store.WakeWaiting(ctx)
	stuck, stuckErr := r.Store.SettleStuck(ctx)
	if woken > 0 {
		r.Log.Info().Int64("jobs", woken).Msg("woke posts whose approval or account had come")
		r.Relay.Wake()
	}
	if stuck > 0 {
		r.Log.Warn().Int("publications", stuck).Msg("posts were left in flight by an attempt that had ended: a person has to look")
	}
	return errors.Join(wakeErr, stuckErr)
}
