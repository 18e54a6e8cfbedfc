package main

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
)

const campaignID = "01990000-0000-7000-8000-000000000001"

// fakeAPI answers as the API does to what an import asks, and keeps what it was sent. A lead that comes again is
// unchanged.
type fakeAPI struct {
	t   *testing.T
	url string
	// decide overrides the status of a lead; nil or "": accepted or unchanged.
	decide func(growth.Lead) batchItem
	// ends says in which state each accepted job is seen; default: succeeded.
	ends growth.JobState

	mu        sync.Mutex
	leads     map[string]bool
	campaigns []string
	batches   []int
	accepted  int
	headers   http.Header
}

func newFakeAPI(t *testing.T) *fakeAPI {
	t.Helper()
	f := &fakeAPI{t: t, leads: map[string]bool{}, ends: growth.JobSucceeded}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/me", func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.headers = r.Header.Clone()
		f.mu.Unlock()
		f.answer(w, 200, me{Workspace: "default", Scopes: []string{"admin"}, Simulated: true})
	})
	mux.HandleFunc("POST /v1/campaigns", f.postCampaign)
	mux.HandleFunc("GET /v1/campaigns/{id}/progress", f.getProgress)
	mux.HandleFunc("POST /v1/jobs/batch", f.postBatch)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

func (f *fakeAPI) answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		f.t.Errorf("answer: %v", err)
	}
}

func (f *fakeAPI) postCampaign(w http.ResponseWriter, r *http.Request) {
	var in campaign
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		f.t.Errorf("campaign: %v", err)
	}
	f.mu.Lock()
	f.campaigns = append(f.campaigns, in.Name)
	f.mu.Unlock()
	f.answer(w, 200, campaign{ID: campaignID, Name: in.Name})
}

func (f *fakeAPI) getProgress(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("id") != campaignID {
		f.answer(w, 404, fault{Message: "there is no such campaign", Code: "not_found"})
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer(w, 200, map[string]any{
		"total": f.accepted, "by_state": map[growth.JobState]int{f.ends: f.accepted},
		"by_priority": map[string]int{"high": 1, "medium": 2, "low": 3}, "disqualified": 1,
		"cost":          map[string]any{"amount": "0.0014", "currency": "CAD", "usd": "0.001", "provenance": "reported"},
		"unknown_costs": 0,
	})
}

func (f *fakeAPI) postBatch(w http.ResponseWriter, r *http.Request) {
	if r.URL.RawQuery != "on_unchanged=skip" {
		f.t.Errorf("query = %q", r.URL.RawQuery)
	}
	var jobs []batchJob
	if err := json.NewDecoder(r.Body).Decode(&jobs); err != nil {
		f.t.Errorf("batch: %v", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.batches = append(f.batches, len(jobs))
	out := batchResult{}
	for i, j := range jobs {
		if j.Type != growth.JobLeadQualification || j.Campaign != campaignID {
			f.t.Errorf("job %d: type %q, campaign %q", i, j.Type, j.Campaign)
		}
		out.Data = append(out.Data, f.take(i, j.Lead))
	}
	f.answer(w, 202, out)
}

func (f *fakeAPI) take(i int, l growth.Lead) batchItem {
	key := l.BusinessName + "|" + l.Address + "|" + l.Email
	item := batchItem{Index: i, Status: "accepted"}
	if f.leads[key] {
		item.Status = "unchanged"
	}
	if f.decide != nil {
		if d := f.decide(l); d.Status != "" {
			item = batchItem{Index: i, Status: d.Status, Error: d.Error}
		}
	}
	if item.Status == "accepted" {
		f.leads[key] = true
		f.accepted++
	}
	return item
}

// outcome is how a run of the program ended.
type outcome struct {
	code     int
	out, err string
}

// runCLI runs the program as main does, with an environment of its own and nobody at the terminal.
func runCLI(t *testing.T, environ map[string]string, args ...string) outcome {
	t.Helper()
	return runWith(t.Context(), t, environ, args...)
}

func runWith(ctx context.Context, t *testing.T, environ map[string]string, args ...string) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	env := map[string]string{"DATA_DIR": t.TempDir()}
	maps.Copy(env, environ)
	root := newRoot(surroundings{environ: env}) //nolint:contextcheck // cobra hands the context to the commands
	root.SetArgs(args)
	root.SetIn(strings.NewReader(""))
	root.SetOut(&out)
	root.SetErr(&errs)
	return outcome{code: execute(ctx, root), out: out.String(), err: errs.String()}
}

// file writes a file of a test's own.
func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// testFile gives the path of a file of the shared test data, or skips the test where the data is absent.
func testFile(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("ASTROGROWTH_TESTDATA")
	if dir == "" {
		t.Skip("set ASTROGROWTH_TESTDATA to the folder of test data to run this test")
	}
	return filepath.Join(dir, name)
}

func wantContains(t *testing.T, what, got string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(got, p) {
			t.Errorf("%s lacks %q:\n%s", what, p, got)
		}
	}
}
