// Command enqueuer is the HTTP face of AstroGrowth: it accepts jobs, answers direct calls, and shows what became of them.
package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/api"
	"github.com/zakibelm/astrogrowth/internal/daemon"
	"github.com/zakibelm/astrogrowth/internal/events"
	"github.com/zakibelm/astrogrowth/internal/limit"
	"github.com/zakibelm/astrogrowth/internal/wiring"
	"github.com/zakibelm/astrogrowth/tasks"
)

func main() { os.Exit(wiring.Main(os.Stderr, run)) }

func run(ctx context.Context) error {
	b, err := wiring.Open(ctx, "enqueuer")
	if err != nil {
		return err
	}
	defer b.Close()
	if err := prepare(ctx, b); err != nil {
		return err
	}
	chain, err := b.Chain(ctx)
	if err != nil {
		return err
	}
	chain.Warm(ctx, 2*time.Second)
	relay := tasks.NewRelay(b.Store, b.Redis, b.Log)
	bus, feed := &events.Bus{}, events.NewFeed(b.Store, b.Log)
	bus.Tell(feed.Wake)
	intake := tasks.NewIntake(b.Store, relay, b.Log)
	handler := api.New(api.Config{
		Open: b.Keyring.Open, Arrived: intake.Wake,
		Store: b.Store, Queue: tasks.NewQueue(b.Store, relay), Router: chain.Router, Cache: chain.Cache, Bus: bus, Feed: feed, Log: b.Log,
		Budgets:      chain.Budget.Changed,
		ResetBreaker: func(ctx context.Context, name string) error { return chain.Router.Breakers().Reset(ctx, b.Redis, name) },
		Currency:     b.Config.Currency, Rate: b.Rate(), Seal: b.Keyring.Seal, LinkedIn: b.LinkedIn(), Unpublish: b.Unpublish, Fetch: b.PictureClient(), RequireKeys: b.Config.KeysRequired(),
		AllowHosts: callbackHosts(b), CORSOrigins: b.Config.CORSOrigins, PublicURL: b.Config.AppURL, EmbedModel: b.EmbedModel(), Simulated: b.Config.SimulatorWanted(), Version: wiring.Version(), Report: b.Report,
		Accounts: b.Accounts(relay.Wake), ConnectURL: b.Config.LinkedInRedirectURI,
		Limiter: limit.New(b.Redis, "api"), PerHour: b.Config.APIRequestsPerHour,
	})
	// The jobs that a server still accepts while it drains are handed over by what runs beside it, so that goes last.
	beside, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { chain.Run(beside) })
	wg.Go(func() { relay.Run(beside) })
	wg.Go(func() { bus.Run(beside, b.Redis) })
	wg.Go(func() { feed.Run(beside) })
	scheduler := &tasks.Scheduler{Store: b.Store, Relay: relay, Log: b.Log}
	wg.Go(func() { scheduler.Run(beside) })
	wg.Go(func() { intake.Run(beside) })
	err = serve(ctx, b, handler)
	stop()
	wg.Wait()
	return err
}

func serve(ctx context.Context, b *wiring.Base, handler http.Handler) error {
	mux := http.NewServeMux()
	b.Health.Mount(mux)
	mux.Handle("/", handler)
	return daemon.Serve(ctx, daemon.Server{
		Addr: b.Config.Addr(b.Config.Port), Handler: daemon.KnowClient(b.Config.TrustedProxies.Contains)(daemon.Middleware(b.Log, b.Health.Registry())(mux)), Log: b.Log, Name: "enqueuer",
		Variable: "PORT", Health: b.Health,
	})
}

// callbackHosts are the hosts that callbacks may reach in private networks: those that are named, and this machine
// itself in the embedded default.
func callbackHosts(b *wiring.Base) []string {
	hosts := append([]string(nil), b.Config.CallbackHosts...)
	if !b.Config.KeysRequired() {
		hosts = append(hosts, "localhost", "127.0.0.1", "::1")
	}
	return hosts
}

// prepare makes what every installation begins with: the first workspace, the admin key, the rate, and, where LinkedIn
// is simulated, an account to publish with.
func prepare(ctx context.Context, b *wiring.Base) error {
	ws, err := b.Store.EnsureWorkspace(ctx, growth.DefaultWorkspace, "Default")
	if err != nil {
		return err
	}
	if err := b.SaveRate(ctx); err != nil {
		return err
	}
	if err := firstKey(ctx, b.Store, b.Log, b.Config.AdminAPIKey.Reveal(), b.Config.KeysRequired(), terminal()); err != nil {
		return err
	}
	if !b.Config.SimulatorWanted() {
		return nil
	}
	return simulatedAccount(ctx, b, ws)
}

// simulatedAccount connects a member of the simulated LinkedIn. The simulator may still be starting.
func simulatedAccount(ctx context.Context, b *wiring.Base, ws growth.Workspace) error {
	sc := b.Store.In(ws.ID)
	accounts, err := sc.Accounts(ctx)
	if err != nil || slices.ContainsFunc(accounts, func(a growth.Account) bool { return a.Simulated }) {
		return err
	}
	for tries := 0; ; tries++ {
		_, err = api.ConnectAccount(ctx, sc, b.LinkedIn(), b.Keyring.Seal, "sim-member-"+string(ws.ID), nil, true)
		if err == nil {
			return nil
		}
		if tries == 50 || ctx.Err() != nil {
			return errors.Join(errors.New("the simulator does not answer at "+b.Config.SimulatorURL), err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
