package router_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
)

// newAcme is all that a provider in OpenAI's shape takes: its name, its address, and what it can do beyond the others.
func newAcme(s providers.Settings) *providers.Compatible {
	return providers.NewCompatible(providers.CompatibleConfig{
		Name: "acme", BaseURL: "https://api.acme.example/v1", Settings: s, Structured: true,
	})
}

// acmeChain has the new provider first, at the simulator, and behind it one that always answers.
func acmeChain(t *testing.T) (*router.Router, *simulator.Server) {
	t.Helper()
	sim, web := simulator.New(simulator.Config{Seed: 5}), &http.Client{Transport: &http.Transport{}}
	srv := httptest.NewServer(sim)
	t.Cleanup(func() { sim.Close(); web.CloseIdleConnections(); srv.Close() })
	r := router.New(router.Config{
		Ledger: &book{},
		Providers: []router.Provider{
			newAcme(providers.Settings{BaseURL: srv.URL + "/huggingface/v1", Key: "k", HTTP: web}),
			&fake{name: "last", answer: says(`{"n":9}`)},
		},
		Routes: router.Routes{growth.TaskSimple: {
			Candidates: []router.Candidate{
				{Family: "acme", Provider: "acme", Slugs: []string{"acme/retired", "openai/gpt-oss-20b"}},
				{Family: "last", Provider: "last", Slugs: []string{"m"}},
			},
			MaxTokens: 100, CallTimeout: 10 * time.Second, Timeout: time.Minute,
		}},
	})
	if faults := r.LearnCatalogues(t.Context()); faults["acme"] != nil {
		t.Fatal(faults)
	}
	return r, sim
}

// A provider of a few lines has what the others have: its list of models decides what a family means, and it is asked for
// a schema in its own way.
func TestProviderOfAFewLinesAnswers(t *testing.T) {
	t.Parallel()
	r, _ := acmeChain(t)
	if got := r.Resolved("")[0].Candidates[0]; got.Model != "openai/gpt-oss-20b" || got.Status != "served" {
		t.Errorf("the family means %+v", got)
	}
	if a, err := r.Complete(t.Context(), ask(structured)); err != nil || a.Provider != "acme" || a.Model != "openai/gpt-oss-20b" || len(a.Calls) != 1 {
		t.Errorf("answer from %s/%s after %v, %v", a.Provider, a.Model, trail(a.Calls), err)
	}
}

// Its faults are told apart as theirs are.
func TestProviderOfAFewLinesFails(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]struct{ code, breaker string }{
		"429": {"throttled", ""}, "401": {"key_rejected", "acme"}, "503": {"unavailable", "acme/openai/gpt-oss-20b"},
		simulator.KindCutJSON: {"malformed", "acme/openai/gpt-oss-20b"},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			r, sim := acmeChain(t)
			if _, err := sim.SetFault(simulator.Fault{Provider: simulator.HuggingFace, Kind: kind}); err != nil {
				t.Fatal(err)
			}
			a, err := r.Complete(t.Context(), ask())
			if err != nil || a.Provider != "last" || a.Calls[0].Code != want.code {
				t.Errorf("answer from %s after %v, %v; want %s", a.Provider, trail(a.Calls), err, want.code)
			}
			for name, s := range r.Breakers().Status() {
				if counted := s.Failures > 0; counted != (name == want.breaker) {
					t.Errorf("breaker %s counts %d failures", name, s.Failures)
				}
			}
		})
	}
}
