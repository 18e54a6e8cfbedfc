package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const scheduleID = "01990000-0000-7000-8000-00000000000c"

func scheduleJSON(rest string) string {
	return `{"id":"` + scheduleID + `","name":"monday posts","cron":"0 9 * * 1","zone":"America/Toronto","type":"content-generation",` +
		`"input":{"topic":"x"},"options":{},"enabled":true,"overlap":"skip","catch_up":{"policy":"last","within_s":86400,"limit":10},` +
		`"next_tick":"2026-11-30T14:00:00Z","last_tick":null` + rest + `}`
}

func TestSchedulesList(t *testing.T) {
	t.Parallel()
	url := serve(t, map[string]string{
		"GET /v1/schedules?limit=50": `{"data":[` + scheduleJSON("") + `,` + scheduleJSON(`,"enabled":false,"next_tick":null,"problem":"zone: there is no zone"`) +
			`],"next_cursor":"` + scheduleID + `"}`,
		"GET /v1/schedules?limit=2": `{"data":[],"next_cursor":null}`,
	})
	got := runCLI(t, nil, "schedules", "list", "--url", url)
	want := `NAME          CRON       ZONE             TYPE                NEXT (UTC)           LAST DUE (UTC)  NOTE
monday posts  0 9 * * 1  America/Toronto  content-generation  2026-11-30 14:00:00  -               
monday posts  0 9 * * 1  America/Toronto  content-generation  -                    -               stopped: zone: there is no zone
There are more: add --cursor 01990000-0000-7000-8000-00000000000c
`
	if diff := cmp.Diff(want, got.out); diff != "" || got.code != exitDone {
		t.Errorf("code %d, list (-want +got):\n%s%s", got.code, diff, got.err)
	}
	if none := runCLI(t, nil, "schedules", "list", "--url", url, "--limit", "2"); none.out != "No schedules.\n" {
		t.Errorf("none: %d %q %q", none.code, none.out, none.err)
	}
}

func TestSchedulesShowByName(t *testing.T) {
	t.Parallel()
	detail := scheduleJSON(`,"options":{"campaign_id":"` + campaignID + `","priority":"high","timeout_s":300,"max_attempts":5,"callback_url":"https://n8n.example.com/x"},"next_runs":[{"at":"2027-03-14T07:00:00Z","local":"2027-03-14T03:00:00-04:00","clock_change":"skipped"},{"at":"2027-03-15T06:30:00Z","local":"2027-03-15T02:30:00-04:00"}],
		"ticks":[{"at":"2026-11-23T14:00:00Z","state":"enqueued","job_id":"` + jobID + `"},{"at":"2026-11-20T10:00:00Z","state":"enqueued","manual":true,"detail":"Ana","job_id":"` + otherID + `"},
		{"at":"2026-11-02T14:00:00Z","state":"missed","until":"2026-11-23T14:00:00Z"}]`)
	url := serve(t, map[string]string{
		"GET /v1/schedules?name=monday+posts": `{"data":[` + scheduleJSON("") + `]}`,
		"GET /v1/schedules?name=other":        `{"data":[]}`,
		"GET /v1/schedules/" + scheduleID:     detail,
	})
	got := runCLI(t, nil, "schedules", "show", "monday posts", "--url", url)
	want := `id       01990000-0000-7000-8000-00000000000c
name     monday posts
when     0 9 * * 1 in America/Toronto
makes    content-generation {"topic":"x"}
with     campaign 01990000-0000-7000-8000-000000000001, priority high, callback https://n8n.example.com/x
late     the newest time that was missed, if no older than 1 day
overlap  skip
state    enabled
next     2027-03-14 07:00:00 UTC, 2027-03-14 03:00 -04:00 there (the clock skips the time itself)
         2027-03-15 06:30:00 UTC, 2027-03-15 02:30 -04:00 there
last     2026-11-23 14:00:00 UTC enqueued 01990000-0000-7000-8000-00000000000a
         2026-11-20 10:00:00 UTC enqueued by hand (Ana) 01990000-0000-7000-8000-00000000000b
         2026-11-02 14:00:00 UTC missed, with all before 2026-11-23 14:00:00
`
	if diff := cmp.Diff(want, got.out); diff != "" || got.code != exitDone {
		t.Errorf("code %d, schedule (-want +got):\n%s%s", got.code, diff, got.err)
	}
	wantContains(t, "JSON", runCLI(t, nil, "schedules", "show", scheduleID, "--json", "--url", url).out, `"clock_change": "skipped"`)
	other := runCLI(t, nil, "schedules", "show", "other", "--url", url)
	if other.code != exitNothing {
		t.Errorf("code = %d, want %d", other.code, exitNothing)
	}
	wantContains(t, "error", other.err, `there is no schedule "other"`)
}

func TestSchedulesAddSendsWhatIsSaid(t *testing.T) {
	t.Parallel()
	var sent map[string]any
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodPost || r.URL.Path != "/v1/schedules" || json.Unmarshal(b, &sent) != nil {
			t.Errorf("%s %s %s", r.Method, r.URL, b)
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, scheduleJSON(""))
	}))
	defer server.Close()
	job := file(t, "job.json", `{"type":"content-generation","topic":"x"}`)
	got := runCLI(t, nil, "schedules", "add", "monday posts", "--cron", "0 9 * * 1", "--zone", "America/Toronto", "--job", "@"+job,
		"--catch-up", "none", "--overlap", "allow", "--disabled", "--url", server.URL)
	want := map[string]any{
		"name": "monday posts", "cron": "0 9 * * 1", "zone": "America/Toronto", "enabled": false, "overlap": "allow",
		"catch_up": map[string]any{"policy": "none"}, "job": map[string]any{"type": "content-generation", "topic": "x"},
	}
	if diff := cmp.Diff(want, sent); diff != "" || got.code != exitDone {
		t.Errorf("code %d, sent (-want +got):\n%s%s", got.code, diff, got.err)
	}
	for _, bad := range []string{"", "{", "@" + job + ".none"} {
		if got := runCLI(t, nil, "schedules", "add", "n", "--cron", "@daily", "--zone", "UTC", "--job", bad, "--url", server.URL); got.code != exitNothing {
			t.Errorf("--job %q: code %d, %s", bad, got.code, got.out)
		}
	}
}

func TestSchedulesAddNamesTheFlagThatIsMissing(t *testing.T) {
	t.Parallel()
	for missing, args := range map[string][]string{"--zone": {"--cron", "@daily"}, "--cron": {"--zone", "UTC"}} {
		got := runCLI(t, nil, append([]string{"schedules", "add", "n", "--job", "{}", "--url", deadAddress(t)}, args...)...)
		if got.code != exitNothing {
			t.Errorf("code = %d", got.code)
		}
		wantContains(t, "error", got.err, missing+" is missing")
	}
}

func TestSchedulesDo(t *testing.T) {
	t.Parallel()
	path := "/v1/schedules/" + scheduleID
	url := serve(t, map[string]string{
		"POST " + path + "/run":     jobJSON(jobID, "queued", ""),
		"POST " + path + "/enable":  scheduleJSON(""),
		"POST " + path + "/disable": scheduleJSON(`,"enabled":false`),
		"DELETE " + path:            ``,
	})
	for _, tc := range []struct{ verb, want string }{
		{"run", "state     queued"}, {"enable", "state    enabled"}, {"disable", "state    disabled"}, {"delete", "Deleted."},
	} {
		got := runCLI(t, nil, "schedules", tc.verb, scheduleID, "--url", url)
		if got.code != exitDone {
			t.Errorf("%s: code %d, %s", tc.verb, got.code, got.err)
		}
		wantContains(t, tc.verb, got.out, tc.want)
	}
}
