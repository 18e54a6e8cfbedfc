package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/api"
)

// weekly is the body of a schedule; rest is added to it, and job is what it makes.
func weekly(name, job, rest string) string {
	return `{"name":"` + name + `","cron":"30 2 * * *","zone":"America/Toronto","job":` + job + rest + `}`
}

const someContent = `{"type":"content-generation","topic":"terrasses","variants":2,"priority":"low"}`

// schedule makes a schedule that must be taken.
func (f *face) schedule(body string, headers ...string) api.ScheduleDetail {
	f.t.Helper()
	return f.detail(http.MethodPost, "/v1/schedules", body, http.StatusCreated, headers...)
}

func (f *face) detail(method, path, body string, status int, headers ...string) api.ScheduleDetail {
	f.t.Helper()
	a := f.call(method, path, body, headers...)
	if a.status != status {
		f.t.Fatalf("%s %s = %d %s, want %d", method, path, a.status, a.body, status)
	}
	var out api.ScheduleDetail
	if err := json.Unmarshal(a.body, &out); err != nil {
		f.t.Fatal(err)
	}
	return out
}

func TestScheduleFromItsMakingToItsEnd(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	s := f.schedule(weekly("terrasses", someContent, `,"catch_up":{"policy":"all","limit":3}`))
	if !s.Enabled || s.Overlap != growth.OverlapAllow || s.CatchUp != (growth.CatchUp{Policy: growth.CatchUpAll, WithinS: 86400, Limit: 3}) ||
		s.Options.Priority != growth.PriorityLow || s.Options.MaxAttempts != 5 || s.CreatedBy != "local" || len(s.Ticks) != 0 {
		t.Errorf("made %+v", s)
	}
	path := "/v1/schedules/" + string(s.ID)
	if got := f.detail(http.MethodGet, path, "", 200); len(got.NextRuns) != 5 || !got.NextRuns[0].At.Equal(*got.NextTick) || !got.NextRuns[0].At.After(time.Now()) {
		t.Errorf("its next runs = %+v, next tick %v", got.NextRuns, got.NextTick)
	}
	f.listed("/v1/schedules", 1)
	f.listed("/v1/schedules?name=terrasses", 1)
	f.listed("/v1/schedules?name=other", 0)

	patched := f.detail(http.MethodPatch, path, `{"name":"posts","cron":"@hourly","job":{"type":"content-generation","brief":"b"}}`, 200)
	if patched.Name != "posts" || patched.Zone != "America/Toronto" || !patched.NextTick.Before(time.Now().Add(time.Hour)) || !strings.Contains(string(patched.Input), `"brief"`) {
		t.Errorf("patched %+v", patched)
	}
	if off := f.detail(http.MethodPost, path+"/disable", "", 200); off.Enabled || off.NextTick != nil || len(off.NextRuns) != 0 {
		t.Errorf("disabled: %+v", off)
	}
	if on := f.detail(http.MethodPost, path+"/enable", "", 200); !on.Enabled || on.NextTick == nil || len(on.NextRuns) != 5 {
		t.Errorf("enabled: %+v", on)
	}
	if a := f.call(http.MethodDelete, path, ""); a.status != http.StatusNoContent {
		t.Errorf("delete = %d %s", a.status, a.body)
	}
	if a := f.call(http.MethodGet, path, ""); a.status != http.StatusNotFound {
		t.Errorf("after it: %d %s", a.status, a.body)
	}
}

// listed checks how many schedules a path lists.
func (f *face) listed(path string, want int) {
	f.t.Helper()
	var out api.List[api.ScheduleView]
	if a := f.call(http.MethodGet, path, ""); json.Unmarshal(a.body, &out) != nil || len(out.Data) != want {
		f.t.Errorf("GET %s = %d %s, want %d schedules", path, a.status, a.body, want)
	}
}

func TestRunNowMakesTheJob(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	s := f.schedule(weekly("terrasses", someContent, `,"enabled":false`))
	run := "/v1/schedules/" + string(s.ID) + "/run"
	first := f.call(http.MethodPost, run, "", "Idempotency-Key", "k")
	if j := first.json(t); first.status != http.StatusAccepted || j["type"] != "content-generation" || j["priority"] != "low" {
		t.Fatalf("run = %d %s", first.status, first.body)
	}
	again := f.call(http.MethodPost, run, "", "Idempotency-Key", "k")
	if again.json(t)["id"] != first.json(t)["id"] || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the same key = %d %s", again.status, again.body)
	}
	if a := f.call(http.MethodPost, run, ""); a.status != http.StatusConflict {
		t.Errorf("while its job has not ended: %d %s", a.status, a.body)
	}
	got := f.detail(http.MethodGet, "/v1/schedules/"+string(s.ID), "", 200)
	if len(got.Ticks) != 1 || !got.Ticks[0].Manual || string(*got.Ticks[0].JobID) != first.json(t)["id"] || got.NextTick != nil {
		t.Errorf("ticks = %+v, next %v", got.Ticks, got.NextTick)
	}
}

func TestSchedulesThatAreRefusedNameTheField(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	f.schedule(weekly("taken", someContent, ""))
	for _, tc := range []struct {
		body   string
		status int
		says   string
	}{
		{weekly("taken", someContent, ""), 409, "name"},
		{`{"name":"a","cron":"61 * * * *","zone":"UTC","job":` + someContent + `}`, 422, "cron: "},
		{`{"name":"a","cron":"@daily","zone":"Mars/Olympus","job":` + someContent + `}`, 422, "zone: there is no zone"},
		{`{"name":"a","cron":"@daily","zone":"UTC"}`, 422, "job"},
		{weekly("a", `{"type":"poem"}`, ""), 422, "body.job.type"},
		{weekly("a", `{"type":"content-generation","colour":"red"}`, ""), 422, "job.colour: there is no such field"},
		{weekly("a", `{"type":"content-generation","variants":9,"topic":"x"}`, ""), 422, "job.variants"},
		{weekly("a", `{"type":"lead-qualification"}`, ""), 422, "job.lead"},
		{weekly("a", `{"type":"lead-qualification","lead_id":"`+growth.NewID()+`"}`, ""), 422, "job.lead_id: there is no such lead"},
		{weekly("a", `{"type":"content-generation","topic":"x","run_at":"2027-01-01T00:00:00Z"}`, ""), 422, "job.run_at"},
		{weekly("a", `{"type":"linkedin-publish","text":"x","publish_at":"2027-01-01T00:00:00Z"}`, ""), 422, "job.run_at"},
		{weekly("a", `{"type":"content-generation","topic":"x","idempotency_key":"k"}`, ""), 422, "job.idempotency_key"},
		{weekly("a", `{"type":"content-generation","topic":"x","max_attempts":99}`, ""), 422, "job.max_attempts"},
		{weekly("a", `{"type":"content-generation","topic":"x","callback_url":"http://10.0.0.1/"}`, ""), 422, "job.callback_url"},
		{weekly("a", `{"type":"content-generation","topic":"x","campaign_id":"`+growth.NewID()+`"}`, ""), 422, "campaign_id"},
		{weekly("a", `{"type":"maintenance","kind":"sweep"}`, ""), 422, "job.kind: use one of: accounts, prices, purge, rescore"},
		{weekly("a", someContent, `,"catch_up":{"policy":"all"},"overlap":"skip"`), 422, "overlap: use allow"},
		{weekly("a", someContent, `,"ends_at":"2020-01-01T00:00:00Z"`), 422, "ends_at"},
	} {
		if a := f.call(http.MethodPost, "/v1/schedules", tc.body); a.status != tc.status || !strings.Contains(string(a.body), tc.says) {
			t.Errorf("%s\n= %d %s\nwant %d and %q", tc.body, a.status, a.body, tc.status, tc.says)
		}
	}
	f.listed("/v1/schedules", 1)
}

func TestAScheduleHoldsNoLeadButItsId(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	s := f.schedule(weekly("a", `{"type":"lead-qualification","lead":{"business_name":"Chez A","email":"secret@a.ca"},"callback_url":"https://example.com/secret"}`, ""))
	a := f.call(http.MethodGet, "/v1/schedules/"+string(s.ID), "")
	if strings.Contains(string(a.body), "secret") || !s.Callback || !strings.Contains(string(s.Input), `"lead_id"`) {
		t.Errorf("schedule = %s", a.body)
	}
}

func TestWhoMayHaveAScheduleDoWhat(t *testing.T) {
	t.Parallel()
	f := newFace(t, func(c *api.Config) { c.RequireKeys = true })
	auth := func(scopes ...string) []string { return []string{"X-API-Key", f.key(f.ws.ID, scopes...)} }
	read, enqueue, approve, admin := auth("read"), auth("enqueue", "read"), auth("enqueue", "approve", "read"), auth("admin")
	const text, purge = `{"type":"linkedin-publish","text":"Bonjour"}`, `{"type":"maintenance","kind":"purge"}`
	for _, tc := range []struct {
		job    string
		key    []string
		status int
	}{
		{someContent, read, 403}, {someContent, enqueue, 201}, {text, enqueue, 403}, {text, approve, 201}, {purge, approve, 403}, {purge, admin, 201},
	} {
		if a := f.call(http.MethodPost, "/v1/schedules", weekly(growth.NewID(), tc.job, ""), tc.key...); a.status != tc.status {
			t.Errorf("make %s = %d %s, want %d", tc.job, a.status, a.body, tc.status)
		}
	}
	// What one may not make, one may not set off, change or wake either; one may let it rest.
	for _, s := range []api.ScheduleDetail{f.schedule(weekly("text", text, ""), approve...), f.schedule(weekly("purge", purge, ""), admin...)} {
		path := "/v1/schedules/" + string(s.ID)
		for _, c := range []struct {
			method, path, body string
			status             int
		}{
			{http.MethodPost, path + "/run", "", 403},
			{http.MethodPatch, path, `{"cron":"* * * * *"}`, 403},
			{http.MethodPost, path + "/disable", "", 200},
			{http.MethodPost, path + "/enable", "", 403},
			{http.MethodPatch, path, `{"enabled":true}`, 403},
		} {
			if a := f.call(c.method, c.path, c.body, enqueue...); a.status != c.status {
				t.Errorf("%s %s of %s = %d %s, want %d", c.method, c.path, s.Name, a.status, a.body, c.status)
			}
		}
		if a := f.call(http.MethodPost, path+"/run", "", admin...); a.status != http.StatusAccepted {
			t.Errorf("the admin's run of %s = %d %s", s.Name, a.status, a.body)
		}
	}
}

// A change that does not touch the times keeps what is due: an outage that is about to be caught up is not forgotten.
func TestRenamingKeepsWhatIsDue(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	s := f.schedule(weekly("a", someContent, ""))
	due := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	if _, err := f.s.In(f.ws.ID).UpdateSchedule(t.Context(), s.ID, func(s *growth.Schedule) error { s.NextTick = &due; return nil }); err != nil {
		t.Fatal(err)
	}
	path := "/v1/schedules/" + string(s.ID)
	for _, c := range [][3]string{{http.MethodPatch, path, `{"name":"b","catch_up":{"policy":"none"}}`}, {http.MethodPost, path + "/enable", ""}} {
		if got := f.detail(c[0], c[1], c[2], 200); !got.NextTick.Equal(due) {
			t.Errorf("%s %s: next tick %v, want %v", c[0], c[2], got.NextTick, due)
		}
	}
	if got := f.detail(http.MethodPatch, path, `{"cron":"@daily"}`, 200); !got.NextTick.After(time.Now()) {
		t.Errorf("new times: next tick %v", got.NextTick)
	}
}

// What a person has to vouch for is not run by a key that may only enqueue, because somebody else has planned it.
func TestScheduleIsRunByThoseWhoMayAskForItsJob(t *testing.T) {
	t.Parallel()
	f := newFace(t, func(c *api.Config) { c.RequireKeys = true })
	approver, enqueuer := f.key(f.ws.ID, "enqueue", "approve", "read"), f.key(f.ws.ID, "enqueue", "read")
	for name, job := range map[string]string{
		"a picture":       `{"type":"linkedin-publish","content_id":"` + string(f.keeps("Bonjour.").ID) + `","images":["` + growth.NewID() + `"]}`,
		"a text":          `{"type":"linkedin-publish","text":"Bonjour"}`,
		"a low threshold": `{"type":"content-generation","topic":"x","auto_approve":{"threshold":10}}`,
	} {
		if a := f.call(http.MethodPost, "/v1/schedules", weekly(name, job, ""), "X-API-Key", enqueuer); a.status != http.StatusForbidden {
			t.Errorf("%s made by an enqueuer: %d %s", name, a.status, a.body)
		}
		s := f.schedule(weekly(name, job, ""), "X-API-Key", approver)
		if a := f.call(http.MethodPost, "/v1/schedules/"+string(s.ID)+"/run", "", "X-API-Key", enqueuer); a.status != http.StatusForbidden {
			t.Errorf("%s run by an enqueuer: %d %s", name, a.status, a.body)
		}
		if a := f.call(http.MethodPost, "/v1/schedules/"+string(s.ID)+"/run", "", "X-API-Key", approver); a.status != http.StatusAccepted {
			t.Errorf("%s run by an approver: %d %s", name, a.status, a.body)
		}
	}
}
