package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
	"github.com/zakibelm/astrogrowth/store"
)

const campaignID = "01990000-0000-7000-8000-000000000001"

// fakeAPI answers as the API does to what an import asks, and keeps what it was sent. A lead that comes again is
// unchanged.
type fakeAPI struct {
	t   *testing.T
	url string
	// erased says which leads do not come back; nil: none.
	erased func(growth.Lead) bool
	// step is how many leads are taken in at once; 0: 500.
	step int
	// stumbles is how many steps find the database away first.
	stumbles int
	// ends says in which state each accepted job is seen; default: succeeded.
	ends growth.JobState

	mu        sync.Mutex
	leads     map[string]bool
	campaigns []string
	steps     []int // leads in each
	imports   []*fakeImport
	accepted  int
	headers   http.Header
}

// fakeImport is a file that was uploaded.
type fakeImport struct {
	importView
	leads []growth.Lead
	bad   []lead.Row
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
	mux.HandleFunc("POST /v1/imports", f.postImport)
	mux.HandleFunc("GET /v1/imports/{id}", f.withImport(func(*fakeImport) {}))
	mux.HandleFunc("POST /v1/imports/{id}/run", f.withImport(f.runImport))
	mux.HandleFunc("POST /v1/imports/{id}/undo", f.withImport(f.undoImport))
	mux.HandleFunc("GET /v1/imports/{id}/bad-rows.csv", f.getBadRows)
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

func (f *fakeAPI) postImport(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		f.t.Errorf("upload: %v", err)
	}
	q := r.URL.Query()
	delimiter, err := lead.ParseDelimiter(q.Get("delimiter"))
	if err != nil {
		f.t.Errorf("upload: %v", err)
	}
	header, err := lead.ParseHeading(q.Get("header"))
	if err != nil {
		f.t.Errorf("upload: %v", err)
	}
	dates, err := lead.ParseDateOrder(q.Get("dates"))
	if err != nil {
		f.t.Errorf("upload: %v", err)
	}
	stated := lead.Stated{Delimiter: delimiter, Mapping: q.Get("map"), Header: header, Dates: dates}
	if e := q.Get("encoding"); e != "" {
		if stated.Encoding, err = lead.ParseEncoding(e); err != nil {
			f.t.Errorf("upload: %v", err)
		}
	}
	plan, err := lead.NewPlan(func() (io.Reader, error) { return bytes.NewReader(data), nil }, stated)
	if err != nil {
		f.t.Errorf("upload: %v", err)
	}
	in, anonymous := &fakeImport{}, 0
	t, err := plan.Scan(r.Context(), bytes.NewReader(data), lead.Sinks{
		Leads: func(ls []growth.Lead) error {
			in.leads = append(in.leads, ls...)
			for _, l := range ls {
				if len(lead.Keys(l)) == 0 {
					anonymous++
				}
			}
			return nil
		},
		Bad: func(row lead.Row) error { in.bad = append(in.bad, row); return nil },
	})
	if err != nil {
		f.t.Errorf("upload: %v", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	in.ID = growth.ImportID(fmt.Sprintf("01990000-0000-7000-8000-%012d", len(f.imports)+1))
	in.FileName, in.State, in.Doubts = q.Get("file_name"), store.ImportPreviewed, plan.Doubts()
	in.Counts = store.ImportCounts{Rows: t.Rows, Bad: t.Bad, Leads: t.Leads, Duplicates: t.Repeated, NoIdentity: anonymous}
	in.FileHash = string(data)
	if slices.ContainsFunc(f.imports, func(b *fakeImport) bool { return b.FileHash == in.FileHash && b.State == store.ImportDone }) {
		in.Doubts = append(in.Doubts, "this very file was imported on 2026-01-02")
	}
	f.imports = append(f.imports, in)
	f.answer(w, 201, in.importView)
}

// withImport finds the import that is asked for.
func (f *fakeAPI) withImport(do func(*fakeImport)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		i := slices.IndexFunc(f.imports, func(in *fakeImport) bool { return string(in.ID) == r.PathValue("id") })
		switch {
		case i < 0:
			f.answer(w, 404, fault{Message: "there is no such import", Code: "not_found"})
		case r.Method == http.MethodPost && f.stumbles > 0:
			f.stumbles--
			f.answer(w, 503, fault{Message: "the database cannot be reached", Code: "unavailable"})
		default:
			do(f.imports[i])
			f.answer(w, 200, f.imports[i].importView)
		}
	}
}

func (f *fakeAPI) runImport(in *fakeImport) {
	id := growth.CampaignID(campaignID)
	in.State, in.CampaignID = store.ImportRunning, &id
	left := in.leads[in.Position:]
	left = left[:min(len(left), cmp.Or(f.step, 500))]
	f.steps = append(f.steps, len(left))
	for _, l := range left {
		key := l.BusinessName + "|" + l.Address + "|" + l.Email
		switch {
		case f.erased != nil && f.erased(l):
			in.Refused++
		case f.leads[key]:
			in.Updated++
			in.Unchanged++
		default:
			f.leads[key] = true
			in.Created++
			in.Jobs++
			f.accepted++
		}
	}
	if in.Position += len(left); in.Position == len(in.leads) {
		in.State = store.ImportDone
	}
}

// undoImport needs two steps.
func (f *fakeAPI) undoImport(in *fakeImport) {
	if in.State != store.ImportUndoing {
		in.State = store.ImportUndoing
		return
	}
	in.State, in.Erased, in.Kept = store.ImportUndone, in.Created-1, 1
	in.KeptLeads = []store.KeptLead{{LeadID: "l1", Why: "it was changed since"}}
}

func (f *fakeAPI) getBadRows(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	for _, in := range f.imports {
		if string(in.ID) != r.PathValue("id") {
			continue
		}
		for _, row := range in.bad {
			if _, err := fmt.Fprintf(w, "%d,%q\n", row.Line, row.Bad); err != nil {
				f.t.Errorf("bad rows: %v", err)
			}
		}
	}
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
