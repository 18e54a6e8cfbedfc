package api_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/api"
	"github.com/zakibelm/astrogrowth/internal/auth"
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

// face is the API over a store of its own and the simulator. No worker runs: jobs stay where they were accepted.
type face struct {
	t   testing.TB
	s   *store.Store
	ws  growth.Workspace
	url string
}

func newFace(t testing.TB, change func(*api.Config)) *face {
	t.Helper()
	s := testenv.Store(t)
	ws, err := s.EnsureWorkspace(t.Context(), growth.DefaultWorkspace, "Default")
	if err != nil {
		t.Fatal(err)
	}
	sim := httptest.NewServer(simulator.New(simulator.Config{}))
	t.Cleanup(sim.Close)
	rdb := testenv.RedisClient(t)
	kept, err := cache.New(rdb, cache.Settings{Patience: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kept.Close)
	routes, err := router.ParseRoutes(router.DefaultRoutes)
	if err != nil {
		t.Fatal(err)
	}
	ledger, stats := store.NewLedgerWriter(s, zerolog.Nop()), store.NewCacheStats(s, zerolog.Nop())
	rt := router.New(router.Config{
		Routes: routes, Ledger: ledger, Cache: kept, Stats: stats,
		Providers: []router.Provider{providers.NewOpenRouter(providers.Settings{BaseURL: sim.URL + "/openrouter/api/v1", Key: "sim-key"})},
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var beside sync.WaitGroup
	beside.Go(func() { ledger.Run(ctx) })
	beside.Go(func() { stats.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		beside.Wait()
	})
	cfg := api.Config{
		Store: s, Queue: tasks.NewQueue(s, nil), Router: rt, Cache: kept, Bus: &events.Bus{}, Log: zerolog.Nop(), Currency: "CAD",
		Rate:         func(context.Context) (decimal.Decimal, error) { return decimal.RequireFromString("1.4"), nil },
		ResetBreaker: func(ctx context.Context, name string) error { return rt.Breakers().Reset(ctx, rdb, name) },
		Seal:         func(b []byte, owner string) string { return owner + hex.EncodeToString(b) },
		Open: func(envelope, owner string) ([]byte, error) {
			plain, ok := strings.CutPrefix(envelope, owner)
			if !ok {
				return nil, errors.New("it does not open")
			}
			return hex.DecodeString(plain)
		},
		LinkedIn: linkedin.New(linkedin.Settings{APIURL: sim.URL + "/linkedin"}), Simulated: true, PublicURL: "http://localhost:3000", Version: "test",
	}
	cfg.Fetch = tasks.FetchClient(nil)
	cfg.Unpublish = func(ctx context.Context, sc store.Scoped, id growth.PublicationID) (growth.Publication, error) {
		open := func(envelope, owner string) ([]byte, error) { return []byte(strings.TrimPrefix(envelope, owner)), nil }
		return tasks.Unpublish(ctx, sc, linkedin.New(linkedin.Settings{APIURL: sim.URL + "/linkedin"}), open, true, id)
	}
	if change != nil {
		change(&cfg)
	}
	srv := httptest.NewServer(api.New(cfg))
	t.Cleanup(srv.Close)
	return &face{t: t, s: s, ws: ws, url: srv.URL}
}

// key makes a key of a workspace with scopes.
func (f *face) key(ws growth.WorkspaceID, scopes ...string) string {
	f.t.Helper()
	k := auth.NewKey()
	if _, err := f.s.AddKey(f.t.Context(), store.Key{Workspace: ws, Name: "test", Prefix: auth.Prefix(k), Scopes: scopes}, auth.Hash(k)); err != nil {
		f.t.Fatal(err)
	}
	return k
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) json(t testing.TB) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal(a.body, &out); err != nil {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	return out
}

// call makes a request; headers come in pairs.
func (f *face) call(method, path, body string, headers ...string) answer {
	f.t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(f.t.Context(), method, f.url+path, r)
	if err != nil {
		f.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := (&http.Client{}).Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, bytes.TrimSpace(b)}
}
