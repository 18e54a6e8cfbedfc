package router_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/router/breaker"
)

// simulated is a chain with the built-in routes over real clients and the simulator.
func simulated(t *testing.T) (*router.Router, *simulator.Server, *book) {
	t.Helper()
	sim, web := simulator.New(simulator.Config{Seed: 3}), &http.Client{Transport: &http.Transport{}}
	srv := httptest.NewServer(sim)
	t.Cleanup(func() { sim.Close(); web.CloseIdleConnections(); srv.Close() })
	routes, err := router.ParseRoutes(router.DefaultRoutes)
	if err != nil {
		t.Fatal(err)
	}
	b := &book{}
	r := router.New(router.Config{Routes: routes, Ledger: b, Providers: []router.Provider{
		providers.NewOpenRouter(providers.Settings{BaseURL: srv.URL + "/openrouter/api/v1", Key: "k", HTTP: web}),
		providers.NewHuggingFace(providers.Settings{BaseURL: srv.URL + "/huggingface/v1", Key: "k", HTTP: web}),
		providers.NewOllama(providers.Settings{BaseURL: srv.URL + "/ollama", HTTP: web}),
	}})
	for name, err := range r.LearnCatalogues(t.Context()) {
		t.Fatalf("models of %s: %v", name, err)
	}
	return r, sim, b
}

func TestCompletionAtTheSimulatorForEveryTask(t *testing.T) {
	t.Parallel()
	r, _, b := simulated(t)
	for _, task := range growth.TaskTypes() {
		a, err := r.Complete(t.Context(), ask(func(q *router.Request) { q.Task = task }))
		if err != nil || !strings.Contains(a.Text, "4") || !a.Simulated || a.Cost.USD == nil {
			t.Errorf("%s: %q, simulated %v, cost %v, %v", task, a.Text, a.Simulated, a.Cost.USD, err)
		}
	}
	if n := len(b.rows()); n != len(growth.TaskTypes()) {
		t.Errorf("%d rows; want one a call", n)
	}
}

// Whatever a provider does wrong, the next one answers, and the row says what it was.
func TestFailoverAtTheSimulator(t *testing.T) {
	t.Parallel()
	for kind, code := range map[string]string{
		"429": "throttled", "401": "key_rejected", "402": "exhausted", "500": "unavailable", "503": "unavailable",
		simulator.KindReset: "unavailable", simulator.KindCutJSON: "malformed", simulator.KindHTML: "unavailable",
		simulator.KindEmpty: "malformed", simulator.KindErrorIn200: "unavailable",
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			r, sim, _ := simulated(t)
			if _, err := sim.SetFault(simulator.Fault{Provider: simulator.OpenRouter, Kind: kind}); err != nil {
				t.Fatal(err)
			}
			a, err := r.Complete(t.Context(), ask())
			if err != nil || a.Provider != "huggingface" || a.FallbackAttempts != 1 {
				t.Fatalf("answer from %s after %d, %v", a.Provider, a.FallbackAttempts, err)
			}
			if diff := cmp.Diff(code, a.Calls[0].Code); diff != "" {
				t.Errorf("code (-want +got):\n%s", diff)
			}
		})
	}
}

func TestErrorHandlingAtTheSimulatorWhenAllAreThrottled(t *testing.T) {
	t.Parallel()
	r, sim, _ := simulated(t)
	for i, p := range []string{simulator.OpenRouter, simulator.HuggingFace, simulator.Ollama} {
		f := simulator.Fault{Provider: p, Kind: "429", Params: simulator.FaultParams{RetryAfter: float64(40 - 10*i), Hint: simulator.HintSeconds}}
		if _, err := sim.SetFault(f); err != nil {
			t.Fatal(err)
		}
	}
	_, err := r.Complete(t.Context(), ask())
	if d := growth.RetryAfterOf(err); d < 15*time.Second || d > 20*time.Second {
		t.Errorf("retry after %v (%v); want the soonest, 20 s", d, err)
	}
}

// The ledger adds up to what the simulator would have charged.
func TestCostTrackingAtTheSimulator(t *testing.T) {
	t.Parallel()
	r, _, b := simulated(t)
	spent := decimal.Zero
	for range 5 {
		a, err := r.Complete(t.Context(), ask(func(q *router.Request) { q.Task = growth.TaskContent }))
		if err != nil {
			t.Fatal(err)
		}
		spent = spent.Add(*a.Cost.USD)
	}
	sum := decimal.Zero
	for _, c := range b.rows() {
		if c.Cost.USD == nil || c.Cost.Provenance != growth.CostReported || c.Usage.TotalTokens == 0 {
			t.Fatalf("row = %+v; want a reported cost", c)
		}
		sum = sum.Add(*c.Cost.USD)
	}
	if !sum.Equal(spent) || spent.IsZero() {
		t.Errorf("the ledger has %s, the answers %s", sum, spent)
	}
}

// A queue of our own before Ollama ends with the call's deadline, and the breaker does not count it.
func TestBreakerCountsNoWaitForASlot(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 16)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does a server notice that its client left
		arrived <- struct{}{}
		<-r.Context().Done()
	}))
	web := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(func() { web.CloseIdleConnections(); srv.Close() })
	routes := router.Routes{}
	for _, task := range growth.TaskTypes() {
		routes[task] = router.Route{MaxTokens: 9, CallTimeout: 300 * time.Millisecond, Timeout: time.Second, Candidates: []router.Candidate{{Family: "f", Provider: "ollama", Slugs: []string{"m"}}}}
	}
	ollama := providers.NewOllama(providers.Settings{BaseURL: srv.URL, HTTP: web, MaxInFlight: 1})
	r := router.New(router.Config{Routes: routes, Ledger: &book{}, Providers: []router.Provider{ollama}})
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan struct{})
	go func() {
		defer close(first)
		_, _ = ollama.Complete(ctx, providers.Request{Model: "m", Messages: ask().Messages}) // holds the only slot
	}()
	<-arrived
	for range 6 {
		if _, err := r.Complete(t.Context(), ask()); growth.CodeOf(err) != growth.Unavailable {
			t.Errorf("code = %v; want the deadline", growth.CodeOf(err))
		}
	}
	for name, s := range r.Breakers().Status() {
		if s.Failures != 0 || s.State != breaker.Closed {
			t.Errorf("%s: %+v; want nothing counted", name, s)
		}
	}
	cancel()
	<-first
}
