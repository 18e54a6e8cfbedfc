package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/router"
)

// simulated gives the environment of an installation that has the simulator for its providers, and no API.
func simulated(t *testing.T) map[string]string {
	t.Helper()
	sim := httptest.NewServer(simulator.New(simulator.Config{}))
	t.Cleanup(sim.Close)
	return map[string]string{"SIMULATOR": "on", "SIMULATOR_URL": sim.URL, "APP_URL": deadAddress(t)}
}

// Without the API the lists are read here; the file itself stays a file that can be read again.
func TestRoutesSaysWhatTheFamiliesMean(t *testing.T) {
	t.Parallel()
	got := runCLI(t, simulated(t), "routes")
	if got.code != exitDone {
		t.Fatalf("code = %d: %s", got.code, got.err)
	}
	wantContains(t, "table", got.out,
		"# What the families mean now, by the providers' lists, read now:", "# qualification (paid: allow)",
		"google/gemma-4-31b-it:free", "served; google/gemini-2.0-flash-exp:free is not listed",
		"anthropic/claude-sonnet-4", "served; paid",
	)
	if _, err := router.ParseRoutes([]byte(got.out)); err != nil {
		t.Errorf("what is printed is no route file: %v", err)
	}
}

func TestRoutesAsJSON(t *testing.T) {
	t.Parallel()
	environ := simulated(t)
	var out struct {
		Valid    bool
		Source   string
		Routes   []router.ResolvedRoute
		Problems []router.RouteProblem
	}
	if got := runCLI(t, environ, "routes", "--json"); got.code != exitDone || json.Unmarshal([]byte(got.out), &out) != nil {
		t.Fatalf("code %d: %s %s", got.code, got.out, got.err)
	}
	if !out.Valid || len(out.Routes) != 5 || out.Routes[0].Candidates[0].Model != "google/gemma-4-31b-it:free" {
		t.Errorf("out = %+v", out)
	}
	environ["ROUTES_FILE"] = file(t, "routes.yaml", "version: 1\nfamilies: {}\nroutes:\n  simple: {candidates: [x]}\n")
	got := runCLI(t, environ, "routes", "--json")
	if err := json.Unmarshal([]byte(got.out), &out); err != nil || got.code != exitPartial || out.Valid {
		t.Fatalf("broken file: code %d, %s", got.code, got.out)
	}
	if p := out.Problems[len(out.Problems)-1]; p.Line != 4 || p.Text == "" {
		t.Errorf("problems = %+v", out.Problems)
	}
}

// The API knows more than a list does: what was found gone since.
func TestRoutesAsksTheAPI(t *testing.T) {
	t.Parallel()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/routes" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(`{"data":[{"task_type":"simple","paid":"deny","candidates":[{"family":"f","provider":"openrouter","model":"b",` +
			`"status":"served","paid":false,"expires":"2027-01-02T00:00:00Z","models":[{"slug":"a","state":"gone","since":"2026-11-01T10:00:00Z"},{"slug":"b","state":"served"}]}]}]}`))
	}))
	t.Cleanup(api.Close)
	got := runCLI(t, map[string]string{"APP_URL": api.URL}, "routes")
	wantContains(t, "table", got.out, "by the API at "+api.URL, "# simple (paid: deny)", "served; ends on 2027-01-02; a is gone since 2026-11-01 10:00:00")
	if strings.Contains(got.out, "read now") {
		t.Error("the lists were read although the API answered")
	}
}

func TestDoctorShowsWhatEachRouteMeans(t *testing.T) {
	t.Parallel()
	_, found := examined(t, simulated(t))
	f := found["route qualification"]
	if f.Status != checkOK || !strings.Contains(f.Detail, "openrouter/google/gemma-4-31b-it:free, then openrouter/nvidia/nemotron-3-super-120b-a12b:free, then huggingface/") {
		t.Errorf("%+v", f)
	}
}

func TestDoctorWarnsOfAModelThatEnds(t *testing.T) {
	t.Parallel()
	environ := simulated(t)
	text := strings.Replace(string(router.DefaultRoutes), `slugs: ["openai/gpt-4o-mini"]`, `slugs: ["google/gemini-2.5-flash"]`, 1)
	environ["ROUTES_FILE"] = file(t, "routes.yaml", text)
	_, found := examined(t, environ)
	if f := found["route analysis"]; f.Status != checkWarn || !strings.Contains(f.Detail, "openrouter/google/gemini-2.5-flash ends on 2026-12-01") {
		t.Errorf("%+v", f)
	}
}
