// Command monitor serves the dashboard: live figures, jobs, leads, content to review, posts, and asynqmon for the
// queues. It changes nothing but what a person decides on its pages.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/hibiken/asynqmon"

	"github.com/zakibelm/astrogrowth/internal/config"
	"github.com/zakibelm/astrogrowth/internal/daemon"
	"github.com/zakibelm/astrogrowth/internal/dashboard"
	"github.com/zakibelm/astrogrowth/internal/wiring"
	"github.com/zakibelm/astrogrowth/router"
)

const program = "monitor"

func main() { os.Exit(wiring.Main(os.Stderr, run)) }

func run(ctx context.Context) error {
	b, err := wiring.Open(ctx, program)
	if err != nil {
		return err
	}
	defer b.Close()
	return serve(ctx, b, nil)
}

// serve puts the pages, asynqmon and the health endpoints on one port until ctx ends. ready, when not nil, is told the
// address.
func serve(ctx context.Context, b *wiring.Base, ready func(net.Addr)) error {
	queues := asynqmon.New(asynqmon.Options{
		RootPath: "/queues", RedisConnOpt: connection{url: b.Config.RedisURL}, PayloadFormatter: idsOnly{}, ResultFormatter: idsOnly{},
	})
	defer func() { _ = queues.Close() }()
	pages, err := newPages(b, queues)
	if err != nil {
		return err
	}
	b.Health.Check("redis", 0, func(ctx context.Context) error { return b.Redis.Ping(ctx).Err() })
	mux := http.NewServeMux()
	b.Health.Mount(mux)
	mux.Handle("/", pages)
	return daemon.Serve(ctx, daemon.Server{
		Addr: b.Config.Addr(b.Config.MonitorPort), Handler: daemon.KnowClient(b.Config.TrustedProxies.Contains)(daemon.Middleware(b.Log, b.Health.Registry())(mux)), Log: b.Log, Name: program,
		Variable: "MONITOR_PORT", DrainTimeout: 5 * time.Second, Health: b.Health, Ready: ready,
	})
}

func newPages(b *wiring.Base, queues http.Handler) (*dashboard.Dashboard, error) {
	names, err := breakerNames(b.Config.RoutesFile)
	if err != nil {
		return nil, err
	}
	var secret []byte
	if keys := b.Config.SealingKeys(); len(keys) > 0 {
		secret = keys[0]
	}
	return dashboard.New(dashboard.Config{
		Store: b.Store, Breakers: sharedBreakers{b.Redis}, BreakerNames: names, Queues: queues, Currency: b.Config.Currency,
		Rate: newRates(b.Config, b.Store).rate, APIURL: b.Config.AppURL, Simulated: b.Config.SimulatorWanted(),
		RequireLogin: loginRequired(b.Config), AdminKey: b.Config.AdminAPIKey, Secret: secret,
	})
}

// loginRequired says whether visitors must log in: wherever the API asks for keys, as soon as there is an admin key, and
// always in production, because there a proxy may stand before the loopback address.
func loginRequired(cfg config.Config) bool {
	return !cfg.AdminAPIKey.Empty() || cfg.KeysRequired() || cfg.Production()
}

// breakerNames lists the breakers of the routes that are in force.
func breakerNames(file string) ([]string, error) {
	src := router.DefaultRoutes
	if file != "" {
		var err error
		if src, err = os.ReadFile(file); err != nil { //nolint:gosec // G304: the operator names the file
			return nil, fmt.Errorf("ROUTES_FILE: %w", err)
		}
	}
	routes, err := router.ParseRoutes(src)
	if err != nil {
		return nil, err
	}
	return routes.BreakerNames(), nil
}
