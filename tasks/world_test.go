package tasks_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
)

// world is the outside world: the simulator behind real HTTP.
type world struct {
	t   *testing.T
	sim *simulator.Server
	url string
	web *http.Client
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, sim: simulator.New(simulator.Config{Seed: 7}), web: &http.Client{Transport: &http.Transport{}}}
	srv := httptest.NewServer(w.sim)
	t.Cleanup(func() { w.sim.Close(); w.web.CloseIdleConnections(); srv.Close() })
	w.url = srv.URL
	return w
}

// chain is the router over the simulated providers, with the built-in routes and without a cache.
func (w *world) chain(change ...func(*router.Config)) *router.Router {
	w.t.Helper()
	routes, err := router.ParseRoutes(router.DefaultRoutes)
	if err != nil {
		w.t.Fatal(err)
	}
	cfg := router.Config{Routes: routes, Providers: []router.Provider{
		providers.NewOpenRouter(providers.Settings{BaseURL: w.url + "/openrouter/api/v1", Key: "sim-key", HTTP: w.web}),
		providers.NewHuggingFace(providers.Settings{BaseURL: w.url + "/huggingface/v1", Key: "sim-key", HTTP: w.web}),
		providers.NewOllama(providers.Settings{BaseURL: w.url + "/ollama", HTTP: w.web}),
	}}
	for _, f := range change {
		f(&cfg)
	}
	r := router.New(cfg)
	for name, err := range r.LearnCatalogues(w.t.Context()) {
		w.t.Fatalf("models of %s: %v", name, err)
	}
	return r
}

// fails makes providers fail until the faults are cleared.
func (w *world) fails(kind string, params simulator.FaultParams, names ...string) {
	w.t.Helper()
	for _, n := range names {
		if _, err := w.sim.SetFault(simulator.Fault{Provider: n, Kind: kind, Params: params}); err != nil {
			w.t.Fatal(err)
		}
	}
}

var everyModel = []string{simulator.OpenRouter, simulator.HuggingFace, simulator.Ollama}

// get reads what the simulator tells of itself.
func (w *world) get(path string, into any) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.url+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := w.web.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		w.t.Fatal(err)
	}
}

// requests counts what a provider was sent.
func (w *world) requests(provider string) int {
	w.t.Helper()
	var book struct{ Totals simulator.Totals }
	w.get("/_book", &book)
	return int(book.Totals.Providers[provider].Requests)
}

func (w *world) posts() []simulator.Post {
	w.t.Helper()
	var list struct{ Posts []simulator.Post }
	w.get("/_control/posts", &list)
	return list.Posts
}

// listens makes the simulator keep what it is sent; what it returns reads it.
func (w *world) listens() func() []string {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPut, w.url+"/_control/bodies", bytes.NewReader([]byte(`{"keep":100}`)))
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := w.web.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return func() []string {
		var list struct{ Bodies []simulator.Body }
		w.get("/_control/bodies", &list)
		var out []string
		for _, b := range list.Bodies {
			out = append(out, b.Body)
		}
		return out
	}
}

// decisions says what the chain did with each candidate of a job, as "provider: decision".
func decisions(calls []growth.Call) []string {
	var out []string
	for _, c := range calls {
		out = append(out, c.Provider+": "+string(c.Decision))
	}
	return out
}
