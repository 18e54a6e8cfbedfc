package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const contentJSON = `{"id":"` + jobID + `","status":"approved","score":97,"hash":"h1","title":"Une terrasse","created_at":"2026-11-23T10:00:00Z",` +
	`"checks":[{"rule":"length","ok":true},{"rule":"numbers","ok":false,"detail":"18 $ is in no source"}],"preview":{"text":"Une terrasse\n\nPleine."}}`

func TestContents(t *testing.T) {
	t.Parallel()
	url := serve(t, map[string]string{
		"GET /v1/contents?limit=50&status=in_review": `{"data":[` + contentJSON + `],"next_cursor":"c1"}`,
		"GET /v1/contents/" + jobID:                  contentJSON,
		"POST /v1/contents/" + jobID + "/approve":    contentJSON,
		"POST /v1/contents/" + otherID + "/approve":  `409 {"code":"conflict","message":"the text was edited since"}`,
		"GET /v1/contents?limit=50":                  `{"data":[],"next_cursor":null}`,
	})
	list := runCLI(t, nil, "contents", "list", "--status", "in_review", "--url", url)
	want := `ID                                    STATUS    SCORE  CREATED              TITLE
01990000-0000-7000-8000-00000000000a  approved  97     2026-11-23 10:00:00  Une terrasse
There are more: add --cursor c1
`
	if diff := cmp.Diff(want, list.out); diff != "" || list.code != exitDone {
		t.Errorf("list: %d %s\n%s", list.code, list.err, diff)
	}
	if none := runCLI(t, nil, "contents", "list", "--url", url); none.out != "No texts.\n" {
		t.Errorf("no texts: %+v", none)
	}
	wantContains(t, "show", runCLI(t, nil, "contents", "show", jobID, "--url", url).out, "hash    h1", "check   numbers: 18 $ is in no source", "Une terrasse\n\nPleine.")
	if got := runCLI(t, nil, "contents", "approve", jobID, "--hash", "h1", "--url", url); got.code != exitDone {
		t.Errorf("approve: %+v", got)
	}
	stale := runCLI(t, nil, "contents", "approve", otherID, "--hash", "h1", "--url", url)
	if stale.code != exitNothing || !strings.Contains(stale.err, "edited since") {
		t.Errorf("stale: %+v", stale)
	}
	for _, args := range [][]string{{"approve", jobID}, {"reject", jobID}, {"show", "12"}} {
		if got := runCLI(t, nil, append([]string{"contents", "--url", url}, args...)...); got.code != exitNothing || got.err == "" {
			t.Errorf("%v: %+v", args, got)
		}
	}
}

func TestApprovalTellsOfHeldPosts(t *testing.T) {
	t.Parallel()
	var sent map[string]string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
			t.Errorf("body: %v", err)
		}
		_, _ = w.Write([]byte(strings.TrimSuffix(contentJSON, "}") + `,"held":[{"job_id":"` + otherID + `","account":"Marie","planned_for":"2026-11-23T09:00:00Z","reason":"its time passed"}]}`))
	}))
	t.Cleanup(server.Close)
	got := runCLI(t, nil, "contents", "approve", jobID, "--hash", "h1", "--late", "ask", "--url", server.URL)
	wantContains(t, "approve", got.out, "2026-11-23 09:00:00 by Marie waits", otherID, "its time passed")
	if sent["hash"] != "h1" || sent["late"] != "ask" {
		t.Errorf("sent %v", sent)
	}
	if wrong := runCLI(t, nil, "contents", "approve", jobID, "--hash", "h1", "--late", "drop", "--url", server.URL); wrong.code != exitNothing || !strings.Contains(wrong.err, "ask, publish or next_slot") {
		t.Errorf("another word: %+v", wrong)
	}
}

func TestLeads(t *testing.T) {
	t.Parallel()
	lead := `{"lead":{"id":"` + jobID + `","business_name":"Café du Parc","city":"Laval"},"score":71,"grade":"A2","priority":"high"}`
	url := serve(t, map[string]string{
		"GET /v1/leads?limit=50&priority=high": `{"data":[` + lead + `],"next_cursor":null}`,
		"GET /v1/leads/" + jobID:               lead,
	})
	got := runCLI(t, nil, "leads", "list", "--priority", "high", "--url", url)
	wantContains(t, "list", got.out, "Café du Parc  Laval  71     A2     high")
	wantContains(t, "show", runCLI(t, nil, "leads", "show", jobID, "--url", url).out, "score  71 A2 high", `"business_name": "Café du Parc"`)
}

func TestCalendar(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/calendar" || r.URL.Query().Get("to") == "" {
			t.Errorf("%s", r.URL)
		}
		_, _ = w.Write([]byte(`{"data":[{"job_id":"` + jobID + `","at":"2026-12-01T14:00:00Z","account":"Zoé","state":"waiting","waiting":{"reason":"approval"},"text":"Bonjour"}],` +
			`"free_slots":[{"at":"2026-12-02T14:00:00Z"}]}`))
	}))
	t.Cleanup(server.Close)
	got := runCLI(t, nil, "calendar", "--url", server.URL)
	wantContains(t, "calendar", got.out, "2026-12-01 14:00:00  Zoé      waiting: approval  "+jobID+"  Bonjour", "1 slot free.")
	if bad := runCLI(t, nil, "calendar", "--days", "101"); bad.code != exitNothing {
		t.Errorf("101 days: %+v", bad)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	key := `{"id":"` + jobID + `","name":"n8n","prefix":"ag_live_ab","scopes":["enqueue","read"],"expires_at":null,"last_used_at":null}`
	var calls []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		calls = append(calls, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+string(body)))
		switch r.Method {
		case http.MethodGet:
			_, _ = w.Write([]byte(`{"data":[` + key + `]}`))
		case http.MethodPost:
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte(strings.Replace(key, `"name"`, `"key":"ag_live_secret","name"`, 1)))
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	t.Cleanup(server.Close)
	run := func(args ...string) outcome {
		calls = nil
		return runCLI(t, nil, append(append([]string{"keys"}, args...), "--url", server.URL)...)
	}
	wantContains(t, "list", run("list").out, "n8n   ag_live_ab  enqueue,read  -        -")
	if got := run("create", "n8n"); !strings.HasPrefix(got.out, "ag_live_secret\n") {
		t.Errorf("create: %+v", got)
	}
	wantContains(t, "rotate", run("rotate", jobID).out, "ag_live_secret\n", "24h0m0s more", "keys revoke "+jobID)
	for flag, seconds := range map[string]string{"--grace=1h": "3600", "--grace=0s": "0", "--revoke": "0"} {
		if run("rotate", jobID, flag); len(calls) != 2 || calls[1] != "POST /v1/keys/"+jobID+`/rotate {"grace_s":`+seconds+"}" {
			t.Errorf("rotate %s: %v", flag, calls)
		}
	}
	for _, args := range [][]string{{"create", "n8n", "--days", "-3"}, {"create", "n8n", "--days", "0"}, {"rotate", jobID, "--grace", "-1s"}, {"rotate", jobID, "--grace", "721h"}} {
		if got := run(args...); got.code != exitNothing || len(calls) != 0 {
			t.Errorf("%v: %+v %v", args, got, calls)
		}
	}
	if got := run("revoke", jobID); got.code != exitDone || got.out != "Revoked: \"n8n\".\n" {
		t.Errorf("revoke: %+v", got)
	}
	if got := run("revoke", otherID); got.code != exitNothing || len(calls) != 1 {
		t.Errorf("revoke of a key that is not there: %+v %v", got, calls)
	}
}
