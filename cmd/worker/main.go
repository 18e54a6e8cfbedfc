// Command worker runs the jobs: it takes them from the queue, does their steps, and writes what came of them.
package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/daemon"
	"github.com/zakibelm/astrogrowth/internal/wiring"
	"github.com/zakibelm/astrogrowth/tasks"
)

func main() { os.Exit(wiring.Main(os.Stderr, run)) }

func run(ctx context.Context) error {
	b, err := wiring.Open(ctx, "worker")
	if err != nil {
		return err
	}
	defer b.Close()
	chain, err := b.Chain(ctx)
	if err != nil {
		return err
	}
	b.Health.Check("redis", 2*time.Second, func(ctx context.Context) error { return b.Redis.Ping(ctx).Err() })
	relay := tasks.NewRelay(b.Store, b.Redis, b.Log)
	reconciler := &tasks.Reconciler{
		Store: b.Store, Redis: b.Redis, Relay: relay, Cache: chain.Cache, Log: b.Log, Retention: time.Duration(b.Config.RetentionDays) * 24 * time.Hour,
		Leads: &tasks.Importer{Store: b.Store, Cache: chain.Cache},
	}
	if err := putInOrder(ctx, b); err != nil {
		return err
	}
	// Running jobs are told to stop first; what they need to write their end with runs on until they have.
	beside, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { chain.Run(beside) })
	wg.Go(func() { relay.Run(beside) })
	wg.Go(func() { reconciler.Run(beside) })
	scheduler := &tasks.Scheduler{Store: b.Store, Relay: relay, Log: b.Log}
	wg.Go(func() { scheduler.Run(beside) })
	wg.Go(func() { tasks.NewIntake(b.Store, relay, b.Log).Run(beside) })
	dispatcher := &tasks.Dispatcher{Store: b.Store, Relay: relay, Log: b.Log, Pages: wiring.JobPages(b.Config)}
	wg.Go(func() { dispatcher.Run(beside) })
	wg.Go(func() { b.Bookkeeper().Run(beside) })
	accounts := b.Accounts(relay.Wake)
	wg.Go(func() { accounts.Run(beside) })
	wg.Go(func() { b.Watcher().Run(beside) })
	wg.Go(func() { b.Aftercare(relay.Wake).Run(beside) })
	wg.Go(func() { b.WatchLinkedInVersion(beside) })
	// Which models are served is known before the first job asks; a provider that does not answer is not waited for long.
	chain.Warm(ctx, 5*time.Second)
	err = work(ctx, b, chain, relay, accounts)
	stop()
	wg.Wait()
	return err
}

// putInOrder mends what another server, or an earlier program, has written: the order of events after a restore, and the
// instants of planned posts after a change of their zones' rules.
func putInOrder(ctx context.Context, b *wiring.Base) error {
	if err := b.Store.Reorder(ctx); err != nil {
		return err
	}
	moved, err := tasks.ReclockPosts(ctx, b.Store)
	if moved > 0 {
		b.Log.Info().Int("moved", moved).Msg("planned posts follow the new rules of their zones")
	}
	return err
}

// work runs one asynq server per queue until ctx ends.
func work(ctx context.Context, b *wiring.Base, chain *wiring.Chain, relay *tasks.Relay, accounts *tasks.Accounts) error {
	runner := tasks.NewRunner(ctx, b.Store, relay, b.Process(), b.Log, b.Report)
	runner.Notify(b.Redis)
	register(ctx, runner, b, chain, tasks.NewQueue(b.Store, relay), accounts)
	var servers []*asynq.Server
	said := wiring.Sparing(b.Log) // each server has a dozen loops, and all complain of a Redis that is away
	defer func() {
		var wg sync.WaitGroup
		for _, s := range servers {
			wg.Go(s.Shutdown)
		}
		wg.Wait()
	}()
	for _, g := range groups(b.Config.WorkerConcurrency) {
		runner.Share(g)
		s := tasks.Server(b.Redis, g, said)
		if err := s.Start(asynq.HandlerFunc(runner.Handle)); err != nil {
			return errors.Join(errors.New("REDIS_URL: the queue cannot be reached"), err)
		}
		servers = append(servers, s)
		stopPulling := context.AfterFunc(ctx, s.Stop)
		defer stopPulling()
	}
	mux := http.NewServeMux()
	b.Health.Mount(mux)
	return daemon.Serve(ctx, daemon.Server{
		Addr: b.Config.Addr(b.Config.WorkerPort), Handler: daemon.Middleware(b.Log, b.Health.Registry())(mux), Log: b.Log, Name: "worker",
		Variable: "WORKER_PORT", Health: b.Health,
	})
}

// groups gives each queue its own share, so that slow callbacks do not stand in the way of leads.
func groups(concurrency int) []tasks.Group {
	return []tasks.Group{
		{Queue: growth.JobLeadQualification.Queue(), Concurrency: concurrency},
		{Queue: growth.JobContentGeneration.Queue(), Concurrency: max(concurrency/4, 2)},
		{Queue: growth.JobLinkedInPublish.Queue(), Concurrency: max(concurrency/4, 2)},
		{Queue: growth.JobCallback.Queue(), Concurrency: callbackSlots(concurrency)},
		{Queue: growth.JobMaintenance.Queue(), Concurrency: 1},
	}
}

// callbackSlots is how many messages this process sends at once.
func callbackSlots(concurrency int) int { return max(concurrency/2, 2) }

func register(ctx context.Context, r *tasks.Runner, b *wiring.Base, chain *wiring.Chain, queue *tasks.Queue, accounts *tasks.Accounts) {
	cfg := b.Config
	tasks.AddWorker(r, tasks.QualifyWorker{Store: b.Store, Chain: chain.Router, Live: !cfg.SimulatorWanted()})
	tasks.AddWorker(r, tasks.AgreementWorker{Store: b.Store, Chain: chain.Router})
	tasks.AddWorker(r, tasks.ContentWorker{Store: b.Store, Chain: chain.Router})
	tasks.AddWorker(r, b.PublishWorker(accounts))
	tasks.AddWorker(r, tasks.MaintenanceWorker{
		Store: b.Store, Queue: queue, Retention: time.Duration(cfg.RetentionDays) * 24 * time.Hour, Accounts: accounts,
		Prices: chain.SyncPrices, Live: !cfg.SimulatorWanted(),
	})
	hosts := append([]string(nil), cfg.CallbackHosts...)
	if !cfg.KeysRequired() {
		hosts = append(hosts, "localhost", "127.0.0.1", "::1")
	}
	rate := b.Rate()
	tasks.AddWorker(r, tasks.CallbackWorker{
		Store: b.Store, Client: tasks.CallbackClient(hosts), Open: b.Keyring.Open, Pace: tasks.NewReceivers(callbackSlots(cfg.WorkerConcurrency)),
		Show: func(j growth.Job) growth.Job {
			if r, err := rate(context.WithoutCancel(ctx)); err == nil && !r.Equal(decimal.Zero) {
				j.Cost = j.Cost.In(cfg.Currency, r)
			}
			return j
		},
	})
}
