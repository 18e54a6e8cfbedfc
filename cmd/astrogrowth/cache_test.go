package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCacheStats(t *testing.T) {
	t.Parallel()
	use := `"hits":9,"near_hits":2,"misses":3,"hit_rate":0.75,"bytes_served":20000,"avg_age_s":61.5,"saved":"0.0123","unknown_savings":1`
	report := `{"currency":"CAD","total":{` + use + `},"task_types":{"simple":{` + use + `}},"daily":[{"date":"2026-11-23",` + use + `}],"held":{"entries":2,"bytes":900}}`
	url := serve(t, map[string]string{"GET /v1/analytics/cache?days=7": report, "GET /v1/analytics/cache?days=1": `{"currency":"CAD","held":null}`})
	got := runCLI(t, nil, "cache", "stats", "--url", url)
	want := `            HITS  OF THEM NEAR  MISSES  RATE  SERVED  AGE   SAVED CAD  UNKNOWN
2026-11-23  9     2             3       75 %  20 kB   1m1s  0.0123     1
simple      9     2             3       75 %  20 kB   1m1s  0.0123     1
all         9     2             3       75 %  20 kB   1m1s  0.0123     1
It holds 2 answers in 900 B.
`
	if diff := cmp.Diff(want, got.out); diff != "" || got.code != exitDone {
		t.Errorf("exit %d %s (-want +got):\n%s", got.code, got.err, diff)
	}
	if got := runCLI(t, nil, "cache", "stats", "--days", "1", "--url", url); !strings.Contains(got.out, "Redis cannot be reached") {
		t.Errorf("without Redis: %s", got.out)
	}
}

func TestCacheInvalidateSendsWhatIsNamed(t *testing.T) {
	t.Parallel()
	var sent string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		b, _ := json.Marshal(body)
		sent = r.URL.Path + " " + string(b)
		_, _ = w.Write([]byte(`{"invalidated":3}`))
	}))
	t.Cleanup(server.Close)
	for want, args := range map[string][]string{
		`{}`: nil, `{"pattern":"llm:cache:simple:*"}`: {"llm:cache:simple:*"}, `{"model":"a/b","task_type":"simple"}`: {"--model", "a/b", "--task", "simple"},
		`{"call_id":"c"}`: {"--call", "c"}, `{"all_workspaces":true}`: {"--all-workspaces"},
	} {
		got := runCLI(t, nil, append([]string{"cache", "invalidate", "--url", server.URL}, args...)...)
		if sent != "/v1/cache/invalidate "+want || got.out != "3 answers forgotten.\n" || got.code != exitDone {
			t.Errorf("%v: sent %s, exit %d, %q %q", args, sent, got.code, got.out, got.err)
		}
	}
	if got := runCLI(t, nil, "cache", "invalidate", "a", "b"); got.code != exitNothing {
		t.Errorf("two patterns: exit %d", got.code)
	}
}

// answering is a chain that keeps what it was asked, and cannot answer "fail" and refuses "forbid".
func answering(t *testing.T) string {
	t.Helper()
	var mu sync.Mutex
	kept := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Messages []struct {
				Content string `json:"content"`
			} `json:"messages"`
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || len(body.Messages) != 1 {
			t.Errorf("body: %v", err)
			return
		}
		text := body.Messages[0].Content
		mu.Lock()
		defer mu.Unlock()
		switch {
		case text == "fail":
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(`{"code":"unavailable","message":"no candidate answered"}`))
		case text == "forbid":
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"code":"forbidden","message":"this call needs another key"}`))
		case kept[text]:
			_, _ = w.Write([]byte(`{"cached":"exact"}`))
		default:
			kept[text] = true
			_, _ = w.Write([]byte(`{"cached":"no"}`))
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestCacheWarm(t *testing.T) {
	t.Parallel()
	ask := func(text string) string {
		return `{"task_type":"simple","messages":[{"role":"user","content":"` + text + `"}]}` + "\n"
	}
	for name, tc := range map[string]struct {
		file string
		code int
		out  string
		err  string
	}{
		"all asked":     {ask("a") + "\n" + ask("b") + ask("a"), exitDone, "3 requests asked: 2 new, 1 kept already, 0 failed.", ""},
		"one fails":     {ask("a") + ask("fail") + ask("b"), exitPartial, "3 requests asked: 2 new, 0 kept already, 1 failed.", ":2: no candidate answered"},
		"a broken line": {"{\n" + ask("a"), exitPartial, "2 requests asked: 1 new, 0 kept already, 1 failed.", ":1: the line is not JSON"},
		"not allowed":   {ask("forbid") + ask("a"), exitNothing, "1 request asked: 0 new, 0 kept already, 1 failed.", "this call needs another key"},
		"nobody there":  {strings.Repeat(ask("fail"), 9), exitNothing, "5 requests asked: 0 new, 0 kept already, 5 failed.", "no candidate answered"},
		"empty":         {"\n\n", exitNothing, "0 requests asked", "holds no request"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "requests.jsonl")
			if err := os.WriteFile(file, []byte(tc.file), 0o600); err != nil {
				t.Fatal(err)
			}
			got := runCLI(t, nil, "cache", "warm", "--url", answering(t), file)
			if got.code != tc.code || !strings.Contains(got.out, tc.out) || !strings.Contains(got.err, tc.err) {
				t.Errorf("exit %d; want %d\n%s%s", got.code, tc.code, got.out, got.err)
			}
		})
	}
	if got := runCLI(t, nil, "cache", "warm", filepath.Join(t.TempDir(), "none")); got.code != exitNothing {
		t.Errorf("no file: exit %d", got.code)
	}
}
