package providers_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/providers"
)

func TestOpenRouterAccount(t *testing.T) {
	t.Parallel()
	sim := simulator.New(simulator.Config{Seed: 1})
	srv := httptest.NewServer(sim)
	t.Cleanup(func() { sim.Close(); srv.Close() })
	for key, free := range map[string]bool{"sim-free-x": true, "sim-key": false} {
		p := providers.NewOpenRouter(providers.Settings{BaseURL: srv.URL + "/openrouter/api/v1", Key: key, HTTP: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}})
		if a, err := p.Account(t.Context()); err != nil || a.FreeTier != free || a.Remaining != nil {
			t.Errorf("%s: %+v, %v; want free tier %v", key, a, err, free)
		}
	}
	p := providers.NewOpenRouter(providers.Settings{BaseURL: srv.URL + "/openrouter/api/v1", Key: "sim-revoked"})
	if _, err := p.Account(t.Context()); growth.CodeOf(err) != growth.KeyRejected {
		t.Errorf("a dead key: %v", err)
	}
	if _, err := providers.NewOpenRouter(providers.Settings{}).Account(t.Context()); growth.CodeOf(err) != growth.KeyRejected {
		t.Errorf("no key: %v", err)
	}
}

func TestOpenRouterAccountThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, body := range []string{``, `null`, `{}`, `{"data":{}}`, `{"data":{"is_free_tier":"yes"}}`, `<html>`} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
		p := providers.NewOpenRouter(providers.Settings{BaseURL: srv.URL, Key: "k"})
		if a, err := p.Account(t.Context()); growth.CodeOf(err) != growth.Malformed {
			t.Errorf("%q: %+v, %v", body, a, err)
		}
		srv.Close()
	}
}

// The refusal for the free tier's sake is told from that of a busy host, and names the limit.
func TestTierOf(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, body, limit string
		code              growth.Code
		want              providers.Tier
		ok                bool
	}{
		{"minute", `{"error":{"code":429,"message":"Rate limit exceeded: free-models-per-min. "}}`, "20", growth.Throttled, providers.Tier{Limit: 20}, true},
		{"day", `{"error":{"code":429,"message":"Rate limit exceeded: free-models-per-day-high-balance. "}}`, "1000", growth.Exhausted, providers.Tier{Limit: 1000}, true},
		{"day, limit not said", `{"error":{"code":429,"message":"Rate limit exceeded: free-models-per-day"}}`, "", growth.Exhausted, providers.Tier{}, true},
		{"limit quoted in the body", `{"error":{"code":429,"message":"Rate limit exceeded: free-models-per-min","metadata":{"headers":{"X-RateLimit-Limit":"20"}}}}`, "", growth.Throttled, providers.Tier{Limit: 20}, true},
		{"a busy host", `{"error":{"code":429,"message":"Provider returned error","metadata":{"raw":"m:free is temporarily rate-limited upstream."}}}`, "20", growth.Throttled, providers.Tier{}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if tc.limit != "" {
					w.Header().Set("X-RateLimit-Limit", tc.limit)
				}
				w.WriteHeader(429)
				_, _ = w.Write([]byte(tc.body))
			}))
			defer srv.Close()
			p := providers.NewOpenRouter(providers.Settings{BaseURL: srv.URL, Key: "k"})
			_, err := p.Complete(t.Context(), providers.Request{Model: "m:free", Messages: []growth.Message{{Role: "user", Content: "x"}}})
			got, ok := providers.TierOf(err)
			if got != tc.want || ok != tc.ok || growth.CodeOf(err) != tc.code {
				t.Errorf("%+v, %v, code %v; want %+v, %v, %v", got, ok, growth.CodeOf(err), tc.want, tc.ok, tc.code)
			}
		})
	}
}
