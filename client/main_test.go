package client_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/hibiken/asynq"
	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/client"
	"github.com/zakibelm/astrogrowth/internal/api"
	"github.com/zakibelm/astrogrowth/internal/events"
	"github.com/zakibelm/astrogrowth/internal/linkedin"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/router/cache"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// lasting is a test that an Example can have: what fails panics, and what is to be undone is undone by undo.
type lasting struct {
	testing.TB

	undone []func()
}

func (l *lasting) Helper()                         {}
func (l *lasting) Name() string                    { return "Example" }
func (l *lasting) Context() context.Context        { return context.Background() }
func (l *lasting) Cleanup(f func())                { l.undone = append(l.undone, f) }
func (l *lasting) Fatal(args ...any)               { panic(fmt.Sprint(args...)) }
func (l *lasting) Fatalf(text string, args ...any) { panic(fmt.Sprintf(text, args...)) }
func (l *lasting) Logf(string, ...any)             {}

func (l *lasting) undo() {
	for _, f := range slices.Backward(l.undone) {
		f()
	}
}

// demo is a client of a whole server for an Example: API, worker, stores, and the simulator in the place of providers.
func demo() (c *client.Client, done func()) {
	l := &lasting{}
	return newServer(l).client, l.undo
}

// server is the product, without its dashboards.
type server struct {
	tb     testing.TB
	s      *store.Store
	ws     growth.Workspace
	web    *httptest.Server
	client *client.Client
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func newServer(tb testing.TB) *server {
	tb.Helper()
	s, rdb := testenv.Store(tb), testenv.RedisClient(tb)
	ws, err := s.EnsureWorkspace(tb.Context(), growth.DefaultWorkspace, "Default")
	must(tb, err)
	sim := httptest.NewServer(simulator.New(simulator.Config{Seed: 7}))
	tb.Cleanup(sim.Close)
	kept, err := cache.New(rdb)
	must(tb, err)
	tb.Cleanup(kept.Close)
	routes, err := router.ParseRoutes(router.DefaultRoutes)
	must(tb, err)
	ledger, stats := store.NewLedgerWriter(s, zerolog.Nop()), store.NewCacheStats(s, zerolog.Nop())
	chain := router.New(router.Config{
		Routes: routes, Ledger: ledger, Cache: kept, Stats: stats,
		Providers: []router.Provider{providers.NewOpenRouter(providers.Settings{BaseURL: sim.URL + "/openrouter/api/v1", Key: "sim-key"})},
	})
	relay := tasks.NewRelay(s, rdb, zerolog.Nop())
	bus, feed := &events.Bus{}, events.NewFeed(s, zerolog.Nop())
	bus.Tell(feed.Wake)
	ctx, cancel := context.WithCancel(context.Background())
	var beside sync.WaitGroup
	for _, run := range []func(context.Context){ledger.Run, stats.Run, relay.Run, feed.Run, func(ctx context.Context) { bus.Run(ctx, rdb) }} {
		beside.Go(func() { run(ctx) })
	}
	tb.Cleanup(func() {
		cancel()
		beside.Wait()
	})
	runner := tasks.NewRunner(ctx, s, relay, "test", zerolog.Nop(), func(context.Context, error) {})
	runner.Notify(rdb)
	tasks.AddWorker(runner, tasks.QualifyWorker{Store: s, Chain: chain})
	tasks.AddWorker(runner, tasks.ContentWorker{Store: s, Chain: chain})
	for _, queue := range []string{growth.JobLeadQualification.Queue(), growth.JobContentGeneration.Queue()} {
		g := tasks.Group{Queue: queue, Concurrency: 2}
		runner.Share(g)
		q := tasks.Server(rdb, g, zerolog.Nop())
		must(tb, q.Start(asynq.HandlerFunc(runner.Handle)))
		tb.Cleanup(q.Shutdown)
	}
	web := httptest.NewServer(api.New(api.Config{
		Store: s, Queue: tasks.NewQueue(s, relay), Router: chain, Cache: kept, Bus: bus, Feed: feed, Log: zerolog.Nop(), Currency: "CAD",
		Rate:     func(context.Context) (decimal.Decimal, error) { return decimal.RequireFromString("1.4"), nil },
		Seal:     func(b []byte, owner string) string { return owner + string(b) },
		LinkedIn: linkedin.New(linkedin.Settings{APIURL: sim.URL + "/linkedin"}), PublicURL: "http://localhost:3000", Version: "test", Simulated: true,
	}))
	tb.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
	})
	return &server{tb: tb, s: s, ws: ws, web: web, client: client.New(client.Config{URL: web.URL})}
}
