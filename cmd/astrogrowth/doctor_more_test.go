package main

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/config"
	"github.com/zakibelm/astrogrowth/router"
)

// provider is a server that takes one key and no other.
func provider(t *testing.T, key string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+key {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error":{"code":401,"message":"No auth credentials found"}}`)
			return
		}
		_, _ = io.WriteString(w, `{"data":{"is_free_tier":true,"limit_remaining":null}}`)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestDoctorAsksEachProviderWhetherItTakesTheKey(t *testing.T) {
	t.Parallel()
	url := provider(t, "right")
	ollama := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"models":[{"name":"llama3.2:3b"}]}`)
	}))
	t.Cleanup(ollama.Close)
	for _, tc := range []struct{ name, key, status, detail, mend string }{
		{"keys that work", "right", checkOK, "takes the", ""},
		{"keys that do not", "wrong", checkFail, "turns the key down", "put a"},
	} {
		cfg := config.Config{
			Simulator: "auto", OpenRouterBaseURL: url, OpenRouterAPIKey: config.NewSecret(tc.key), OllamaURL: ollama.URL,
			HuggingFaceBaseURL: url + "/v1", HuggingFaceToken: config.NewSecret(tc.key),
		}
		got := doctor{cfg: cfg}.providers(t.Context())
		for _, f := range got[:2] {
			if f.Status != tc.status || !strings.Contains(f.Detail, tc.detail) || !strings.Contains(f.Mend, tc.mend) || strings.Contains(f.Detail, tc.key) {
				t.Errorf("%s: %+v", tc.name, f)
			}
		}
		if f := got[2]; f.Status != checkOK || !strings.Contains(f.Detail, "1 model") {
			t.Errorf("ollama: %+v", f)
		}
	}
	silent := doctor{cfg: config.Config{OllamaURL: deadAddress(t), OpenRouterBaseURL: "http://h", HuggingFaceBaseURL: "http://h"}}
	if f := silent.providers(t.Context()); f[2].Status != checkFail || !strings.Contains(f[2].Mend, "OLLAMA_URL") || f[0].Status != checkWarn {
		t.Errorf("nobody there: %+v", f)
	}
}

func TestDoctorTellsAPortOfOursThatHangsFromAStrangers(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0") // nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	d := doctor{cfg: config.Config{BindAddr: "127.0.0.1"}, http: &http.Client{Timeout: 300 * time.Millisecond}}
	at, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatal("no TCP")
	}
	out, ours := d.port(t.Context(), portUse{"worker", "WORKER_PORT", at.Port})
	if ours || out[0].Status != checkFail || !strings.Contains(out[0].Detail, "the worker that hangs, or another program") || strings.HasPrefix(out[0].Mend, "stop that one") {
		t.Errorf("%+v", out)
	}
}

func TestDoctorOnDataDir(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "shut"), 0o500); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ path, status, detail string }{
		{dir, checkOK, "can be written"},
		{filepath.Join(dir, "a", "b"), checkOK, "can be made"},
		{filepath.Join(dir, "file"), checkFail, "is no directory"},
		{filepath.Join(dir, "file", "below"), checkFail, "is no directory"},
		{filepath.Join(dir, "shut", "below"), checkFail, "may not be written"},
	} {
		if strings.Contains(tc.path, "shut") && os.Geteuid() == 0 {
			continue // root may
		}
		f := doctor{cfg: config.Config{DataDir: tc.path}}.directory()
		if f.Status != tc.status || !strings.Contains(f.Detail, tc.detail) || (f.Status == checkFail) != strings.Contains(f.Mend, "DATA_DIR") {
			t.Errorf("%s: %+v, want %s %q", tc.path, f, tc.status, tc.detail)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "a")); err == nil {
		t.Error("the doctor made a directory")
	}
}

// apiWith is an API that answers these paths, and runs with the simulator or without.
func apiWith(t *testing.T, simulated bool, answers map[string]string) *knownAPI {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, answers[r.URL.Path]) }))
	t.Cleanup(s.Close)
	return &knownAPI{client: newClient(s.URL, "", ""), who: me{Simulated: simulated}}
}

func TestDoctorOnAccountsOfTheOtherLinkedIn(t *testing.T) {
	t.Parallel()
	account := func(id, name string, simulated bool) map[string]any {
		return map[string]any{"id": id, "name": name, "status": growth.AccountActive, "simulated": simulated}
	}
	sim, actual := account(jobID, "Member", true), account(otherID, "Zoé", false)
	for _, tc := range []struct {
		name      string
		simulated bool
		accounts  []map[string]any
		want      []string // status and a part of the detail or the remedy
	}{
		{"the simulator's own", true, []map[string]any{sim}, []string{checkOK, "active"}},
		{"a simulated one alone", false, []map[string]any{sim}, []string{checkFail, "cannot post to the real LinkedIn"}},
		{"beside a real one", false, []map[string]any{sim, actual}, []string{checkWarn, "/" + jobID + "/disconnect", checkOK, "active"}},
		{"a real one at the simulator", true, []map[string]any{actual}, []string{checkFail, "SIMULATOR"}},
		{"none", false, nil, []string{checkWarn, "LINKEDIN_CLIENT_ID"}},
	} {
		b, err := json.Marshal(map[string]any{"data": tc.accounts})
		if err != nil {
			t.Fatal(err)
		}
		got := doctor{}.accounts(t.Context(), apiWith(t, tc.simulated, map[string]string{"/v1/linkedin/accounts": string(b)}))
		if len(got) != len(tc.want)/2 {
			t.Errorf("%s: %+v", tc.name, got)
			continue
		}
		for i, f := range got {
			if f.Status != tc.want[2*i] || !strings.Contains(f.Detail+f.Mend, tc.want[2*i+1]) {
				t.Errorf("%s: %+v, want %v", tc.name, f, tc.want[2*i:2*i+2])
			}
		}
	}
}

func TestDoctorOnOpenBreakers(t *testing.T) {
	t.Parallel()
	api := apiWith(t, false, map[string]string{"/v1/analytics/breakers": `{"openrouter":{"state":"OPEN","next_attempt_time":"2026-11-26T10:00:00Z"},"ollama":{"state":"CLOSED"}}`})
	got, open := doctor{}.breakers(t.Context(), api)
	if len(got) != 1 || got[0].Name != "breaker openrouter" || got[0].Status != checkWarn || !strings.Contains(got[0].Detail, "10:00:00 UTC") {
		t.Errorf("%+v", got)
	}
	route := router.ResolvedRoute{Task: "simple", Candidates: []router.Resolution{{Provider: "openrouter", Model: "m", Status: "listed"}}}
	if f := routeFinding(route, open); f.Status != checkFail || !strings.Contains(f.Detail, "breaker of every candidate is open") {
		t.Errorf("a route that is barred: %+v", f)
	}
	route.Candidates = append(route.Candidates, router.Resolution{Provider: "ollama", Model: "m", Status: "listed"})
	if f := routeFinding(route, open); f.Status != checkOK {
		t.Errorf("a route with another candidate: %+v", f)
	}
}

func TestDoctorSaysThatTheAPIHasAnotherConfiguration(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			_, _ = io.WriteString(w, `{"status":"ready","program":"enqueuer"}`)
			return
		}
		_, _ = io.WriteString(w, `{"workspace":"default","scopes":["admin"],"simulated":true}`)
	}))
	t.Cleanup(s.Close)
	d := doctor{cfg: config.Config{Simulator: "off"}, http: &http.Client{}}
	out, _ := d.api(t.Context(), surroundings{environ: map[string]string{}}, &apiFlags{url: s.URL})
	if f := out[len(out)-1]; f.Status != checkWarn || !strings.Contains(f.Detail, "it uses the simulator, and the configuration here does not use it") {
		t.Errorf("%+v", out)
	}
}
