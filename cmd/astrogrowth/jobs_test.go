package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	jobID   = "01990000-0000-7000-8000-00000000000a"
	otherID = "01990000-0000-7000-8000-00000000000b"
)

func jobJSON(id, state, rest string) string {
	return `{"id":"` + id + `","type":"lead-qualification","state":"` + state + `","priority":"normal","attempts":1,"max_attempts":5,` +
		`"cost":{"amount":"0.0014","currency":"CAD","usd":"0.001","provenance":"reported"},"created_at":"2026-11-23T10:00:00Z",` +
		`"updated_at":"2026-11-23T10:00:02Z"` + rest + `}`
}

// serve answers each path with its body; the value may begin with a status and a blank.
func serve(t *testing.T, answers map[string]string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := answers[r.Method+" "+r.URL.String()]
		switch {
		case !ok:
			t.Errorf("unexpected request: %s %s", r.Method, r.URL)
			w.WriteHeader(http.StatusTeapot)
			return
		case strings.HasPrefix(body, "409 "):
			w.WriteHeader(http.StatusConflict)
			body = body[4:]
		}
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestJobsList(t *testing.T) {
	t.Parallel()
	list := `{"data":[` +
		jobJSON(jobID, "succeeded", `,"result":{"score":71,"priority":"high"}`) + `,` +
		jobJSON(otherID, "waiting", `,"waiting":{"reason":"rate_limited","until":"2026-11-23T11:00:00Z"}`) + `,` +
		jobJSON(otherID, "failed", `,"error":{"code":"refused","message":"every candidate refused","retryable":false}`) + `,` +
		jobJSON(otherID, "succeeded", `,"result":{"score":0,"disqualifiers":["The business is closed (Fermé)"]}`) +
		`],"next_cursor":"` + otherID + `"}`
	url := serve(t, map[string]string{
		"GET /v1/jobs?limit=50": list,
		"GET /v1/jobs?campaign_id=c&limit=2&q=bistro&state=failed": `{"data":[],"next_cursor":null}`,
	})
	got := runCLI(t, nil, "jobs", "list", "--url", url)
	want := `ID                                    TYPE                STATE      ATTEMPTS  CREATED              NOTE
01990000-0000-7000-8000-00000000000a  lead-qualification  succeeded  1 of 5    2026-11-23 10:00:00  score 71, high
01990000-0000-7000-8000-00000000000b  lead-qualification  waiting    1 of 5    2026-11-23 10:00:00  waits for rate_limited until 2026-11-23 11:00:00
01990000-0000-7000-8000-00000000000b  lead-qualification  failed     1 of 5    2026-11-23 10:00:00  refused: every candidate refused
01990000-0000-7000-8000-00000000000b  lead-qualification  succeeded  1 of 5    2026-11-23 10:00:00  disqualified: The business is closed (Fermé)
There are more: add --cursor 01990000-0000-7000-8000-00000000000b
`
	if diff := cmp.Diff(want, got.out); diff != "" || got.code != exitDone {
		t.Errorf("code %d, list (-want +got):\n%s%s", got.code, diff, got.err)
	}
	none := runCLI(t, nil, "jobs", "list", "--url", url, "--campaign", "c", "--state", "failed", "--query", "bistro", "--limit", "2")
	if none.out != "No jobs.\n" || none.code != exitDone {
		t.Errorf("filtered: %d %q %q", none.code, none.out, none.err)
	}
}

func TestJobsShowExplainsTheChain(t *testing.T) {
	t.Parallel()
	job := jobJSON(jobID, "succeeded", `,"simulated":true,"result":{"score":71},"calls":[
		{"step":"extract","provider":"openrouter","model":"a/b:free","decision":"failed","code":"unavailable","detail":"502","latency_ms":1500,"cost":{"amount":null,"currency":"CAD","usd":null,"provenance":"unknown"}},
		{"step":"extract","provider":"huggingface","model":"c/d","decision":"skipped","code":"breaker_open","cost":{"amount":null,"currency":"CAD","usd":null,"provenance":"unknown"}},
		{"step":"extract","provider":"ollama","model":"llama3.2:3b","decision":"answered","latency_ms":40,"cost":{"amount":"0","currency":"CAD","usd":"0","provenance":"priced"}}]`)
	url := serve(t, map[string]string{"GET /v1/jobs/" + jobID: job})
	got := runCLI(t, nil, "jobs", "show", jobID, "--url", url)
	want := `id         01990000-0000-7000-8000-00000000000a
type       lead-qualification
state      succeeded
attempts   1 of 5
created    2026-11-23 10:00:00
updated    2026-11-23 10:00:02
note       score 71
cost       0.0014 CAD
simulated  yes: the built-in simulator had a hand in it

calls
STEP     PROVIDER     MODEL        DECISION  WHY               TOOK  COST
extract  openrouter   a/b:free     failed    unavailable: 502  1.5s  unknown
extract  huggingface  c/d          skipped   breaker_open      -     -
extract  ollama       llama3.2:3b  answered  -                 40ms  0 CAD

result
{
  "score": 71
}
`
	if diff := cmp.Diff(want, got.out); diff != "" || got.code != exitDone {
		t.Errorf("code %d, job (-want +got):\n%s%s", got.code, diff, got.err)
	}
	asJSON := runCLI(t, nil, "jobs", "show", jobID, "--url", url, "--json")
	wantContains(t, "JSON", asJSON.out, `"decision": "skipped"`)
}

func TestJobsRefusals(t *testing.T) {
	t.Parallel()
	url := serve(t, map[string]string{
		"POST /v1/jobs/" + jobID + "/cancel": `409 {"message":"the job has ended already: it is succeeded","code":"conflict"}`,
	})
	for _, tc := range []struct {
		name string
		args []string
		want string
	}{
		{"no id", []string{"show"}, "ID is missing"},
		{"a bad id", []string{"cancel", "12"}, `"12" is no id of a job`},
		{"wrong state", []string{"cancel", jobID}, "the job has ended already: it is succeeded"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := runCLI(t, nil, append([]string{"jobs", "--url", url}, tc.args...)...)
			if got.code != exitNothing {
				t.Errorf("code = %d, want %d", got.code, exitNothing)
			}
			wantContains(t, "error", got.err, tc.want)
		})
	}
}

func TestJobsRetryWaitsForTheEnd(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		end  string
		code int
	}{{"succeeded", exitDone}, {"failed", exitPartial}} {
		t.Run(tc.end, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			mux := http.NewServeMux()
			mux.HandleFunc("POST /v1/jobs/"+jobID+"/retry", func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte(jobJSON(jobID, "queued", "")))
			})
			mux.HandleFunc("GET /v1/jobs/"+jobID, func(w http.ResponseWriter, r *http.Request) {
				state := "running"
				if asked.Add(1) == 2 {
					state = tc.end
				}
				if r.URL.Query().Get("wait") != "30s" {
					t.Errorf("query = %q", r.URL.RawQuery)
				}
				_, _ = w.Write([]byte(jobJSON(jobID, state, "")))
			})
			server := httptest.NewServer(mux)
			defer server.Close()
			got := runCLI(t, nil, "jobs", "retry", strings.ToUpper(jobID), "--wait", "--url", server.URL)
			if got.code != tc.code || asked.Load() != 2 {
				t.Errorf("code = %d, want %d; asked %d times; %s", got.code, tc.code, asked.Load(), got.err)
			}
			wantContains(t, "output", got.out, "state     "+tc.end)
		})
	}
}
