package tasks

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

// How often the reconciler looks, and how old a hand-over must be before Redis is asked about it.
const (
	sweepEvery   = 2 * time.Second
	compareEvery = 5 * time.Second
	strandedAge  = 5 * time.Second
	purgeEvery   = 10 * time.Minute
	maxCallTime  = 15 * time.Minute // no direct call may be open for longer
)

// Reconciler mends what neither asynq nor a worker can: jobs whose worker went silent, and hand-overs that Redis lost.
// Every process may run one; they share the work by locking rows.
type Reconciler struct {
	Store     *store.Store
	Redis     redis.UniversalClient
	Relay     *Relay
	Cache     Forgetter // is told again of leads that went while it was away; nil: it is not
	Log       zerolog.Logger
	Retention time.Duration // of finished jobs and events; 0: 90 days
	Leads     *Importer     // erases leads that their workspaces keep no longer; nil: another process does
}

// Run mends until ctx ends.
func (r *Reconciler) Run(ctx context.Context) {
	sweep, compare, purge := time.NewTicker(sweepEvery), time.NewTicker(compareEvery), time.NewTicker(purgeEvery)
	defer sweep.Stop()
	defer compare.Stop()
	defer purge.Stop()
	milestones := time.NewTicker(milestoneEvery)
	defer milestones.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-sweep.C:
			err = r.Sweep(ctx)
		case <-compare.C:
			err = errors.Join(r.Compare(ctx, strandedAge), r.ForgetDues(ctx, dueAge), r.finishBatches(ctx), r.Unstick(ctx), r.endCalls(ctx))
		case <-purge.C:
			err = r.purge(ctx)
		case <-milestones.C:
			err = r.Milestones(ctx, campaignQuiet)
		}
		if err != nil && ctx.Err() == nil {
			r.Log.Warn().Err(err).Msg("reconciler pass failed")
		}
	}
}

// Sweep takes back the jobs of silent workers.
func (r *Reconciler) Sweep(ctx context.Context) error {
	n, err := r.Store.SweepLeases(ctx)
	if err != nil {
		return err
	}
	if n != (store.Rescued{}) {
		r.Log.Warn().Int("requeued", n.Requeued).Int("failed", n.Failed).Int("unknown", n.Unknown).Msg("took jobs back from silent workers")
		r.Relay.Wake()
	}
	return nil
}

// Compare asks Redis about every hand-over older than age that nobody runs, and hands over anew those that it does not
// hold. When Redis cannot be asked, nothing is touched: not knowing is not losing.
func (r *Reconciler) Compare(ctx context.Context, age time.Duration) error {
	if err := r.registerQueues(ctx); err != nil {
		return nil //nolint:nilerr // Redis is down: there is nothing to compare with
	}
	var after growth.JobID
	for {
		batch, err := r.Store.Stranded(ctx, age, after, 1000)
		if err != nil || len(batch) == 0 {
			return err
		}
		after = batch[len(batch)-1].ID
		lost, err := r.lost(ctx, batch)
		if err != nil {
			return nil //nolint:nilerr // as above
		}
		if len(lost) > 0 {
			n, err := r.Store.Redispatch(ctx, lost)
			if err != nil {
				return err
			}
			r.Log.Warn().Int64("jobs", n).Msg("redis had lost jobs; handing them over again")
			r.Relay.Wake()
		}
	}
}

// registerQueues writes the set of queue names again: asynq's client writes each once in its life, so after a FLUSHALL
// the dashboard would show no queue.
func (r *Reconciler) registerQueues(ctx context.Context) error {
	var lanes []any
	for _, l := range Lanes() {
		lanes = append(lanes, l)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return r.Redis.SAdd(ctx, "asynq:queues", lanes...).Err()
}

// lost returns those that Redis does not hold as pending, scheduled or in retry. A task that Redis calls active while
// no worker has claimed its row for this long has lost its worker.
func (r *Reconciler) lost(ctx context.Context, batch []store.Dispatched) ([]store.Dispatched, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmds := make([]*redis.StringCmd, len(batch))
	_, err := r.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, d := range batch {
			cmds[i] = p.HGet(ctx, "asynq:{"+d.Lane+"}:t:"+taskID(d.ID, d.Epoch), "state")
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, err
	}
	var out []store.Dispatched
	for i, c := range cmds {
		state, err := c.Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return nil, err
		}
		switch state {
		case "pending", "scheduled", "retry":
		default:
			out = append(out, batch[i])
		}
	}
	return out, nil
}

// finishBatches tells of the campaigns' runs that are over.
func (r *Reconciler) finishBatches(ctx context.Context) error {
	_, err := r.Store.FinishBatches(ctx)
	return err
}

// endCalls ends the calls that nobody will end any more: what they cost is unknown.
func (r *Reconciler) endCalls(ctx context.Context) error {
	_, err := r.Store.OrphanCalls(ctx, maxCallTime)
	return err
}

func (r *Reconciler) purge(ctx context.Context) error {
	retention := r.Retention
	if retention == 0 {
		retention = 90 * 24 * time.Hour
	}
	if err := r.Store.UnplanContents(ctx); err != nil {
		return err
	}
	if _, err := r.Store.Purge(ctx, retention); err != nil || r.Leads == nil {
		return err
	}
	n, err := r.Leads.Retain(ctx, time.Now())
	if n > 0 {
		r.Log.Info().Int("leads", n).Msg("erased leads past their retention")
	}
	return err
}

// Lanes lists every asynq queue.
func Lanes() []string {
	var out []string
	for _, q := range growth.Queues() {
		for _, p := range []growth.Priority{growth.PriorityHigh, growth.PriorityNormal, growth.PriorityLow} {
			out = append(out, growth.Lane(q, p))
		}
	}
	return out
}
