package router_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/store"
)

// Everything that goes wrong with a price: failures before and after the work, answers that are paid for and useless,
// answers without a count, and those that never come.
func pricedTrouble(t *testing.T, sim *simulator.Server) {
	t.Helper()
	rate := func(r float64) *float64 { return &r }
	for _, provider := range []string{simulator.OpenRouter, simulator.HuggingFace, simulator.Ollama} {
		for _, f := range []simulator.Fault{
			{Kind: "429", Rate: rate(0.02), Params: simulator.FaultParams{RetryAfter: 0.02, Hint: simulator.HintMillis}},
			{Kind: "500", Rate: rate(0.02)},
			{Kind: simulator.KindReset, Rate: rate(0.01)},
			{Kind: simulator.KindTimeout, Rate: rate(0.002)},
			{Kind: simulator.KindCutJSON, Rate: rate(0.02)},
			{Kind: simulator.KindEmpty, Rate: rate(0.02)},
			{Kind: simulator.KindErrorIn200, Rate: rate(0.02)},
			{Kind: simulator.KindMissingUsage, Rate: rate(0.05)},
			{Kind: simulator.KindInvalidAnswer, Rate: rate(0.03), Params: simulator.FaultParams{Hint: simulator.HintProse}},
			{Kind: simulator.KindKeepAlive, Rate: rate(0.02)},
		} {
			f.Provider = provider
			if _, err := sim.SetFault(f); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// mixed is the n-th of a day's calls: every task type, with and without a schema, some with a long prompt of the house
// that a host has in memory from the second time on.
func mixed(n int, ws growth.WorkspaceID) router.Request {
	tasks := growth.TaskTypes()
	req := router.Request{
		Task: tasks[n%len(tasks)], Workspace: ws, RequestID: fmt.Sprintf("call-%d", n),
		Messages: []growth.Message{{Role: "user", Content: fmt.Sprintf("What is %d+%d?", n, n%7)}},
	}
	if n%3 == 0 {
		house := strings.Repeat("You write for the house of "+string(req.Task)+". ", 20)
		req.Messages = append([]growth.Message{{Role: "system", Content: house}}, req.Messages...)
	}
	if n%4 == 0 {
		structured(&req)
	}
	return req
}

// Over 5,000 calls the ledger and the simulator's own book agree on every row whose cost is reported or priced, and
// every difference is a row that says that its cost is unknown. The simulator prices by a file of its own.
func TestLedgerAgreesWithTheProvidersBook(t *testing.T) {
	t.Parallel()
	calls := testenv.Volume(5000)
	sim := simulator.New(simulator.Config{Seed: 11})
	web := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	srv := httptest.NewServer(sim)
	t.Cleanup(func() { sim.Close(); web.CloseIdleConnections(); srv.Close() })
	s := testenv.Store(t)
	ws := testenv.Workspace(t, s).ID
	or := providers.NewOpenRouter(providers.Settings{BaseURL: srv.URL + "/openrouter/api/v1", Key: "k", HTTP: web})
	routes, err := router.ParseRoutes(router.DefaultRoutes)
	if err != nil {
		t.Fatal(err)
	}
	for task, r := range routes {
		r.CallTimeout = 500 * time.Millisecond
		routes[task] = r
	}
	ledger := store.NewLedgerWriter(s, zerolog.Nop())
	r := router.New(router.Config{Routes: routes, Ledger: ledger, Providers: []router.Provider{
		or,
		providers.NewHuggingFace(providers.Settings{BaseURL: srv.URL + "/huggingface/v1", Key: "k", HTTP: web}),
		providers.NewOllama(providers.Settings{BaseURL: srv.URL + "/ollama", HTTP: web, MaxInFlight: 4}),
	}})
	for name, err := range r.LearnCatalogues(t.Context()) {
		t.Fatalf("models of %s: %v", name, err)
	}
	pricedTrouble(t, sim)

	ctx, stop := context.WithCancel(context.Background())
	var writer, callers sync.WaitGroup
	writer.Go(func() { ledger.Run(ctx) })
	for c := range 8 {
		callers.Go(func() {
			for n := c; n < calls; n += 8 {
				if n%3 == 1 {
					for _, err := range r.Stream(t.Context(), mixed(n, ws)) {
						if err != nil {
							break // a broken one has nothing more to say
						}
					}
					continue
				}
				_, _ = r.Complete(t.Context(), mixed(n, ws)) // what came of it is in the ledger
			}
		})
	}
	callers.Wait()
	stop()
	writer.Wait()

	rows := ledgerRows(t, s, ws)
	entries := map[string]simulator.Entry{} // what was charged, by the provider's id of the answer
	for _, e := range sim.Entries(0) {
		if e.CostUSD.IsPositive() && e.Generation == "" {
			t.Fatalf("the book charges for an answer without a name: %+v", e)
		}
		if e.Generation != "" {
			entries[e.Provider+e.Generation] = e
		}
	}
	count := map[string]int{}
	ours, theirs, unknown, nameless := decimal.Zero, decimal.Zero, decimal.Zero, 0
	for _, c := range rows {
		e, named := entries[c.Provider+c.Generation]
		count[c.Provider+" "+string(c.Cost.Provenance)]++
		if c.Usage.CachedTokens > 0 {
			count["with cached tokens"]++
		}
		switch {
		case c.Cost.USD == nil && named:
			unknown = unknown.Add(e.CostUSD)
		case c.Cost.USD == nil: // no answer was read: nobody can say
			nameless++
		case named && !c.Cost.USD.Equal(e.CostUSD):
			t.Errorf("%s %s (%s): ours %s, the book's %s", c.Provider, c.Model, c.Cost.Provenance, c.Cost.USD, e.CostUSD)
		case !named && !c.Cost.USD.IsZero():
			t.Errorf("%s %s: ours %s for an answer that the book does not have", c.Provider, c.Model, c.Cost.USD)
		default:
			ours, theirs = ours.Add(*c.Cost.USD), theirs.Add(e.CostUSD)
		}
		if named {
			delete(entries, c.Provider+c.Generation)
		}
	}
	lost, never := decimal.Zero, decimal.Zero
	for _, e := range entries { // answers of which not even the name arrived
		if e.CostUSD.IsPositive() {
			lost = lost.Add(e.CostUSD)
			nameless--
		}
		if e.Provider == simulator.OpenRouter {
			never = never.Add(e.CostUSD)
		}
	}
	if nameless < 0 {
		t.Error("the book charges for more answers without a name here than there are rows of unknown cost")
	}
	all := sim.Totals().All.CostUSD
	t.Logf("%d calls, %d requests: %v; ours %s, the book's %s of %s; unknown here %s, without a name %s", calls, len(rows), count, ours, theirs, all, unknown, lost)
	if !ours.Equal(theirs) || !ours.Add(unknown).Add(lost).Equal(all) || ours.IsZero() {
		t.Errorf("ours %s + unknown %s + lost %s; the book has %s", ours, unknown, lost, all)
	}
	for _, must := range []string{"openrouter reported", "openrouter unknown", "huggingface unknown", "ollama priced", "with cached tokens"} {
		if count[must] == 0 {
			t.Errorf("no row was %s", must)
		}
	}
	settleByGeneration(t, s, ws, or, sim, rows, never)
}

// settleByGeneration asks OpenRouter about each unknown cost that has a name, and finds what the book has but for the
// answers whose names never arrived.
func settleByGeneration(
	t *testing.T, s *store.Store, ws growth.WorkspaceID, or *providers.OpenRouter, sim *simulator.Server, rows []growth.Call, never decimal.Decimal,
) {
	t.Helper()
	sim.ClearFaults("")
	settled := 0
	for _, c := range rows {
		if c.Provider != "openrouter" || c.Cost.USD != nil || c.Generation == "" {
			continue
		}
		g, err := or.Generation(t.Context(), c.Generation)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.In(ws).SettleCall(t.Context(), c.ID, growth.USD(g.CostUSD, growth.CostReported), "openrouter"); err != nil {
			t.Fatal(err)
		}
		settled++
	}
	sum := decimal.Zero
	for _, c := range ledgerRows(t, s, ws) {
		if c.Provider == "openrouter" && c.Cost.USD != nil {
			sum = sum.Add(*c.Cost.USD)
		}
	}
	if want := sim.Totals().Providers[simulator.OpenRouter].CostUSD.Sub(never); settled == 0 || !sum.Equal(want) {
		t.Errorf("after asking about %d costs the ledger has %s; the book %s", settled, sum, want)
	}
}

// ledgerRows reads every request that was sent.
func ledgerRows(t *testing.T, s *store.Store, ws growth.WorkspaceID) []growth.Call {
	t.Helper()
	var out []growth.Call
	page := store.Page{Limit: 200}
	for {
		rows, err := s.In(ws).LedgerRows(t.Context(), store.CallFilter{}, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range rows {
			if c.Decision != growth.DecisionSkipped {
				out = append(out, c)
			}
		}
		if len(rows) < 200 {
			return out
		}
		page.Cursor = string(rows[len(rows)-1].ID)
	}
}
