package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/api"
)

// asks makes a direct call and wants an answer.
func (f *face) asks(text, options string, headers ...string) api.Completion {
	f.t.Helper()
	body := fmt.Sprintf(`{"task_type":"simple","messages":[{"role":"user","content":%q}],"options":{%s}}`, text, options)
	a := f.call(http.MethodPost, "/v1/llm/complete", body, headers...)
	var c api.Completion
	if err := json.Unmarshal(a.body, &c); err != nil || a.status != http.StatusOK {
		f.t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	return c
}

func (f *face) invalidated(body string, headers ...string) float64 {
	f.t.Helper()
	n, ok := f.call(http.MethodPost, "/v1/cache/invalidate", body, headers...).json(f.t)["invalidated"].(float64)
	if !ok {
		f.t.Fatalf("%s was not taken", body)
	}
	return n
}

func TestDirectCallsComeFromTheCache(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	first := f.asks("What is the capital of Canada?", "")
	for want, c := range map[string]api.Completion{
		"no": first, "exact": f.asks("What is the capital of Canada?", ""), "near": f.asks("what is the  capital of canada", ""),
	} {
		if c.Cached != want || c.Content != first.Content || c.CallID != first.CallID || c.CallID == "" {
			t.Errorf("cached %s, call %s: %q; want %s of %s", c.Cached, c.CallID, c.Content, want, first.CallID)
		}
	}
	if c := f.asks("What is the capital of Canada?", `"bypass_cache":true`); c.Cached != "no" || c.CallID == first.CallID {
		t.Errorf("a bypass is cached %s", c.Cached)
	}
	if c := f.asks("What is the capital of China?", ""); c.Cached != "no" {
		t.Errorf("another question is cached %s", c.Cached)
	}
}

func TestCacheReport(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	const paid = `"force_provider":"openrouter","force_model":"openai/gpt-4o-mini"`
	c := f.asks("What is the capital of Canada?", paid)
	f.asks("what is the capital of Canada", paid)
	f.asks("What is the capital of Canada?", paid)
	var r api.CacheReport
	end := time.After(time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for r.Total.Hits < 2 {
		if err := json.Unmarshal(f.call(http.MethodGet, "/v1/analytics/cache?days=1", "").body, &r); err != nil {
			t.Fatal(err)
		}
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("report %+v", r)
		}
	}
	u := r.Total
	if u.Hits != 2 || u.NearHits != 1 || u.Misses != 1 || u.BytesServed != int64(2*len(c.Content)) || u.UnknownSavings != 0 {
		t.Errorf("total %+v", u)
	}
	if want := c.Cost.Amount.Add(*c.Cost.Amount); !u.Saved.Equal(want) || want.IsZero() || r.Currency != "CAD" {
		t.Errorf("saved %s %s; want twice %s", u.Saved, r.Currency, c.Cost.Amount)
	}
	if r.Held == nil || r.Held.Entries != 1 || r.Held.Bytes == 0 || len(r.Daily) != 1 || r.TaskTypes[growth.TaskSimple] == nil {
		t.Errorf("report %+v, held %+v", r, r.Held)
	}
}

func TestInvalidateOverHTTP(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body string
		n    float64
	}{
		"all":             {`{}`, 1},
		"task type":       {`{"task_type":"simple"}`, 1},
		"another type":    {`{"task_type":"analysis"}`, 0},
		"pattern":         {`{"pattern":"llm:cache:simple:*"}`, 1},
		"another pattern": {`{"pattern":"llm:cache:analysis:*"}`, 0},
		"another model":   {`{"model":"nobody/none"}`, 0},
		"everywhere":      {`{"all_workspaces":true}`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFace(t, nil)
			c := f.asks("Say something", "")
			if n := f.invalidated(tc.body); n != tc.n {
				t.Errorf("%v invalidated; want %v", n, tc.n)
			}
			again := f.asks("Say something", "")
			if gone := again.Cached == "no"; gone != (tc.n == 1) {
				t.Errorf("afterwards it is cached %s", again.Cached)
			}
			if tc.n == 0 {
				if n := f.invalidated(fmt.Sprintf(`{"model":%q}`, c.Provider+"/"+c.Model)); n != 1 {
					t.Errorf("by its model: %v", n)
				}
			}
		})
	}
}

func TestInvalidateRefusesWhatDoesNotGoTogether(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	const id = "0190a000-0000-7000-8000-000000000001"
	for _, body := range []string{
		`{"pattern":"poetry"}`, `{"pattern":"simple","task_type":"analysis"}`, `{"call_id":"` + id + `","job_id":"` + id + `"}`,
		`{"lead_id":"` + id + `","task_type":"simple"}`, `{"call_id":"x"}`,
	} {
		if a := f.call(http.MethodPost, "/v1/cache/invalidate", body); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	if a := f.call(http.MethodPost, "/v1/cache/invalidate", `{"all_workspaces":true}`, "X-API-Key", f.key(f.ws.ID, "admin")); a.status != http.StatusForbidden {
		t.Errorf("a key of one workspace reaches all: %d", a.status)
	}
}

func TestWrongAnswerLeavesTheCache(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	wrong, right := f.asks("Say something", ""), f.asks("Say another thing", "")
	other, err := f.s.EnsureWorkspace(t.Context(), "other", "Other")
	if err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{"call_id":%q,"wrong_answer":true,"message":"no"}`, wrong.CallID)
	if a := f.call(http.MethodPost, "/v1/feedback", body, "X-API-Key", f.key(other.ID, "admin")); a.status != http.StatusNotFound {
		t.Errorf("another workspace: %d %s", a.status, a.body)
	}
	if c := f.asks("Say something", ""); c.Cached != "exact" {
		t.Error("another workspace took it out")
	}
	end := time.After(time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	n := 0.0
	for {
		a := f.call(http.MethodPost, "/v1/feedback", body)
		if a.status == http.StatusCreated {
			invalidated, _ := a.json(t)["invalidated"].(float64)
			n += invalidated
			break
		}
		if a.status == http.StatusNotFound { // the row of the call is on its way
			n = 1
		}
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	if c := f.asks("Say something", ""); c.Cached != "no" || n != 1 {
		t.Errorf("cached %s after %v were taken out", c.Cached, n)
	}
	if c := f.asks("Say another thing", ""); c.Cached != "exact" || c.CallID != right.CallID {
		t.Errorf("the right answer is cached %s", c.Cached)
	}
	for _, body := range []string{`{"wrong_answer":true}`, fmt.Sprintf(`{"call_id":%q,"job_id":%q,"wrong_answer":true}`, wrong.CallID, wrong.CallID)} {
		if a := f.call(http.MethodPost, "/v1/feedback", body); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", body, a.status)
		}
	}
}

func TestCacheDoesNotCrossWorkspaces(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	other, err := f.s.EnsureWorkspace(t.Context(), "other", "Other")
	if err != nil {
		t.Fatal(err)
	}
	theirs := f.key(other.ID, "admin")
	f.asks("Say something", "")
	if c := f.asks("Say something", "", "X-API-Key", theirs); c.Cached != "no" {
		t.Errorf("another workspace is answered %s", c.Cached)
	}
	if n := f.invalidated(`{}`, "X-API-Key", theirs); n != 1 {
		t.Errorf("it invalidated %v; want its own one", n)
	}
	if c := f.asks("Say something", ""); c.Cached != "exact" {
		t.Error("another workspace's invalidation reached ours")
	}
}
