package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// post is an entry of the calendar of 1 December 2026, at a time of the clock in Toronto.
func post(clock, rest string) string {
	at, err := time.Parse("15:04", clock)
	if err != nil {
		panic(err)
	}
	when := time.Date(2026, 12, 1, at.Hour()+5, at.Minute(), 0, 0, time.UTC).Format(time.RFC3339)
	return `{"job_id":"` + jobID + `","account_id":"` + otherID + `","account":"Ana","at":"` + when + `","state":"scheduled",` + rest + `}`
}

// day serves what a day needs, with these posts planned.
func day(t *testing.T, account string, posts ...string) string {
	t.Helper()
	answers := map[string]string{
		"/v1/calendar":          `{"data":[` + strings.Join(posts, ",") + `]}`,
		"/v1/linkedin/accounts": `{"data":[{"id":"` + otherID + `","urn":"urn:li:person:a","name":"Ana",` + account + `}]}`,
		"/v1/outlook": `{"data":[{"type":"content-generation","due":2,"scheduled":1,"unit_cost":{"amount":"0.01","currency":"CAD","usd":"0.007","provenance":"priced"},
			"cost":{"amount":"0.03","currency":"CAD","usd":"0.021","provenance":"priced"}},
			{"type":"lead-qualification","due":4,"scheduled":0,"unit_cost":{"amount":null,"currency":"CAD","usd":null,"provenance":"unknown"},
			"cost":{"amount":null,"currency":"CAD","usd":null,"provenance":"unknown"}}],"cost":{"amount":null,"currency":"CAD","usd":null,"provenance":"unknown"}}`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if span := r.URL.Query(); r.URL.Path != "/v1/linkedin/accounts" && (span.Get("from") != "2026-12-01T05:00:00Z" || span.Get("to") != "2026-12-02T05:00:00Z") {
			t.Errorf("%s asks for %s", r.URL.Path, r.URL.RawQuery)
		}
		_, _ = w.Write([]byte(answers[r.URL.Path]))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestRehearsalSaysWhatWouldGoOut(t *testing.T) {
	t.Parallel()
	url := day(t, `"status":"active","expires_at":"2026-12-02T00:00:00Z"`,
		post("09:00", `"text":"Une terrasse (vraiment) pleine du lundi au jeudi, et pas un client"`),
		post("09:05", `"text":"Une autre"`),
		post("09:10", `"text":"Une autre"`),
		post("09:20", `"text":"`+strings.Repeat("x", 3001)+`"`),
		post("09:30", `"text":"b","content_id":"`+jobID+`","content_status":"in_review"`),
		strings.Replace(post("10:00", `"text":"c","waiting":{"reason":"approval","until":null},"message":"its time has passed"`), "scheduled", "waiting", 1),
		strings.Replace(post("11:00", `"text":"gone"`), "scheduled", "succeeded", 1),
		post("18:59", `"text":"d"`), post("19:01", `"text":"e"`),
	)
	got := runCLI(t, map[string]string{"LINKEDIN_MIN_POST_INTERVAL_MS": "900000"}, "rehearse", "--day", "2026-12-01", "--zone", "America/Toronto", "--url", url)
	want := `2026-12-01 in America/Toronto, tried on a simulated LinkedIn. Nothing was published.
09:00               Ana                  Une terrasse (vraiment) pleine du lundi …  would go out
09:05               Ana                  Une autre                                  would go out at 1 Dec 09:15, when the account's limits let it
09:10               Ana                  Une autre                                  would not go out: LinkedIn would refuse it: the same text goes out before it
09:20               Ana                  xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…  would not go out: LinkedIn would refuse it: the text has 3001 characters as LinkedIn counts, at most 3000 are allowed
09:30               Ana                  b                                          would not go out: its content is in_review: it has to be approved before
10:00               Ana                  c                                          would not go out: it waits for a person: approval (its time has passed)
18:59               Ana                  d                                          would go out
19:01               Ana                  e                                          would not go out: the account's token expires before, 2026-12-02T00:00:00Z
content-generation  2 due, 1 by schedules  at 0.01 CAD each  0.03 CAD
lead-qualification  4 due, 0 by schedules  at unknown each   unknown
Cost of the day's work: unknown
`
	if diff := cmp.Diff(squeeze(want), squeeze(got.out)); diff != "" || got.code != exitPartial {
		t.Errorf("code %d (-want +got):\n%s%s", got.code, diff, got.err)
	}
}

// squeeze takes the padding of columns out.
func squeeze(s string) string {
	var out []string
	for line := range strings.Lines(s) {
		out = append(out, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(out, "\n")
}

func TestRehearsalOfAnEmptyDayIsWell(t *testing.T) {
	t.Parallel()
	got := runCLI(t, nil, "rehearse", "--day", "2026-12-01", "--zone", "America/Toronto", "--url", day(t, `"status":"active"`))
	if got.code != exitDone || !strings.Contains(got.out, "No post is planned.") {
		t.Errorf("code %d %s %s", got.code, got.out, got.err)
	}
	for _, bad := range [][]string{{"--day", "tomorrow"}, {"--zone", "Mars"}} {
		if got := runCLI(t, nil, append([]string{"rehearse"}, bad...)...); got.code != exitNothing {
			t.Errorf("%v: code %d", bad, got.code)
		}
	}
}

func TestRehearsalNamesADeadAccount(t *testing.T) {
	t.Parallel()
	url := day(t, `"status":"reconnect"`, post("09:00", `"text":"a"`))
	if got := runCLI(t, nil, "rehearse", "--day", "2026-12-01", "--zone", "America/Toronto", "--url", url); got.code != exitPartial || !strings.Contains(got.out, "connected again") {
		t.Errorf("code %d %s", got.code, got.out)
	}
}

func TestTheMachinesZoneHasItsName(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	montreal, err := time.LoadLocation("America/Toronto")
	if err != nil {
		t.Fatal(err)
	}
	if got := (surroundings{}).zoneName(montreal, at); got != "America/Toronto" {
		t.Errorf("named: %q", got)
	}
	if got := (surroundings{environ: map[string]string{}}).zoneName(time.Local, at); got == "Local" || got == "" {
		t.Errorf("the machine's: %q", got)
	}
}
