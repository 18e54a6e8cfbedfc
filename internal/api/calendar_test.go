package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/api"
	"github.com/zakibelm/astrogrowth/internal/testenv"
)

// account makes a LinkedIn account of the default workspace.
func (f *face) account(name string) growth.AccountID {
	f.t.Helper()
	a, err := f.s.In(f.ws.ID).PutAccount(f.t.Context(), growth.Account{URN: "urn:li:person:" + name, Name: name, Simulated: true},
		func(growth.AccountID) (string, error) { return "sealed", nil })
	if err != nil {
		f.t.Fatal(err)
	}
	return a.ID
}

// publishes enqueues a post and returns its job.
func (f *face) publishes(rest string) api.JobView {
	f.t.Helper()
	a := f.call(http.MethodPost, "/v1/jobs/linkedin-publish", `{"text":"Bonjour",`+rest+`}`)
	var j api.JobView
	if a.status != http.StatusAccepted || json.Unmarshal(a.body, &j) != nil {
		f.t.Fatalf("%s = %d %s", rest, a.status, a.body)
	}
	return j
}

// change is the next time at which the clock of a zone jumps forward, or back.
func change(t *testing.T, zone string, forward bool) time.Time {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	for at := time.Now().AddDate(0, 0, 2).In(loc); ; {
		_, end := at.ZoneBounds()
		_, before := end.Add(-time.Second).Zone()
		_, after := end.In(loc).Zone()
		if (after > before) == forward {
			return end.In(loc)
		}
		at = end.In(loc)
	}
}

const wall = "2006-01-02T15:04"

func TestPostsLandWhereTheClockSays(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	for _, zone := range []string{"America/Toronto", "America/St_Johns", "Europe/Paris"} {
		gap, fold := change(t, zone, true), change(t, zone, false)
		for _, tc := range []struct {
			name, local, change string
			at                  time.Time
		}{
			// Half an hour into the hour that the clock leaves out: what it would have shown.
			{"skipped", wallAfter(gap, 30*time.Minute), "skipped", gap},
			// Half an hour before the clock goes back: it shows the same again half an hour after.
			{"repeated", fold.Add(-30 * time.Minute).Format(wall), "repeated", fold.Add(-30 * time.Minute)},
			{"plain", fold.AddDate(0, 0, 1).Format(wall), "", fold.AddDate(0, 0, 1)},
		} {
			f.lands(zone, tc.local, tc.change, tc.at)
		}
	}
	plain := change(t, "America/Toronto", true)
	regina := time.Date(plain.Year(), plain.Month(), plain.Day(), 2, 30, 0, 0, time.FixedZone("", -6*3600))
	f.lands("America/Regina", regina.Format(wall), "", regina)
}

// wallAfter is what the clock would show so long after a change that it does not make.
func wallAfter(change time.Time, d time.Duration) string {
	before := change.Add(-time.Second)
	shown := time.Date(before.Year(), before.Month(), before.Day(), before.Hour(), before.Minute(), before.Second(), 0, time.UTC)
	return shown.Add(time.Second + d).Format(wall)
}

// lands checks where a reading of a zone's clock puts a post.
func (f *face) lands(zone, local, change string, at time.Time) {
	f.t.Helper()
	j := f.publishes(fmt.Sprintf(`"publish_at":%q,"zone":%q`, local, zone))
	if j.State != growth.JobScheduled || j.PostTime == nil || !j.RunAt.Equal(at) || !j.PostTime.At.Equal(at) || j.PostTime.Change != change || j.PostTime.Zone != zone {
		f.t.Errorf("%s in %s: due %v, time %+v; want %v %s", local, zone, j.RunAt, j.PostTime, at.UTC(), change)
	}
}

// july is a day ahead, without a change of the clock near it.
var july = fmt.Sprintf("%d-07-01", time.Now().Year()+1)

func TestTimesOfAPostThatCannotBe(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	for _, tc := range []struct{ rest, says string }{
		{`"publish_at":"tomorrow","zone":"America/Toronto"`, "publish_at"},
		{`"publish_at":"` + july + `T09:00"`, "zone"},
		{`"publish_at":"` + july + `T09:00","zone":"Mars"`, "zone"},
		{`"publish_at":"2020-07-01T09:00:00Z"`, "has passed"},
		{`"publish_at":"2097-07-01T09:00:00Z"`, "two years"},
		{`"slot":"next"`, "account_id"},
		{`"slot":"last"`, "slot"},
		{`"slot":"next","publish_at":"` + july + `T09:00:00Z"`, "slot"},
		{`"zone":"Europe/Paris"`, "publish_at"},
		{`"publish_at":"` + july + `T09:00:00Z","run_at":"` + july + `T09:00:00Z"`, "run_at"},
		{`"account_id":"` + growth.NewID() + `","slot":"next"`, "account_id"},
	} {
		a := f.call(http.MethodPost, "/v1/jobs/linkedin-publish", `{"text":"Bonjour",`+tc.rest+`}`)
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(string(a.body), tc.says) {
			t.Errorf("%s: %d %s; want 422 that says %q", tc.rest, a.status, a.body, tc.says)
		}
	}
	id := f.account("without a plan")
	if a := f.call(http.MethodPost, "/v1/jobs/linkedin-publish", `{"text":"Bonjour","slot":"next"}`); a.status != http.StatusUnprocessableEntity || !strings.Contains(string(a.body), string(id)+"/plan") {
		t.Errorf("a slot without a plan: %d %s", a.status, a.body)
	}
}

func TestCalendarFromThePlanToTheMove(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	id := f.account("a")
	plan := `{"zone":"America/Toronto","slots":[{"days":["mon","tue","wed","thu","fri"],"time":"09:00"}]}`
	path := "/v1/linkedin/accounts/" + string(id) + "/plan"
	var view api.PlanView
	if a := f.call(http.MethodPut, path, plan); a.status != http.StatusOK || json.Unmarshal(a.body, &view) != nil || len(view.Next) != 10 || view.Late != growth.LateAsk || view.LateMinutes != 30 || view.CatchUpPerHour != 4 {
		t.Fatalf("plan: %d %s", a.status, a.body)
	}
	first, second := f.publishes(`"slot":"next"`), f.publishes(`"slot":"next","account_id":"`+string(id)+`"`)
	if !first.PostTime.At.Equal(view.Next[0].At) || !second.PostTime.At.Equal(view.Next[1].At) || first.PostTime.Source != growth.PostAtSlot {
		t.Errorf("slots %v and %v, want %v and %v", first.PostTime.At, second.PostTime.At, view.Next[0].At, view.Next[1].At)
	}
	cal := f.calendar("")
	if len(cal.Data) != 2 || cal.Data[0].JobID != first.ID || cal.Data[0].Text != "Bonjour" || len(cal.FreeSlots) == 0 || !cal.FreeSlots[0].At.Equal(view.Next[2].At) {
		t.Errorf("calendar %+v", cal)
	}
	// A wall time without a zone means the plan's.
	move := f.call(http.MethodPatch, "/v1/calendar/"+string(first.ID), `{"publish_at":"`+july+`T09:00"}`)
	var moved api.JobView
	if move.status != http.StatusOK || json.Unmarshal(move.body, &moved) != nil || moved.RunAt.Format(time.RFC3339) != july+"T13:00:00Z" {
		t.Fatalf("move: %d %s", move.status, move.body)
	}
	if third := f.publishes(`"slot":"next"`); !third.PostTime.At.Equal(view.Next[0].At) {
		t.Errorf("the slot that a move left was not taken: %v", third.PostTime.At)
	}
	for body, says := range map[string]string{`{}`: "publish_at", `{"now":true,"slot":"next"}`: "now", `{"publish_at":"x"}`: "publish_at"} {
		if a := f.call(http.MethodPatch, "/v1/calendar/"+string(first.ID), body); a.status != http.StatusUnprocessableEntity || !strings.Contains(string(a.body), says) {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	if a := f.call(http.MethodPatch, "/v1/calendar/"+string(first.ID), `{"now":true}`); a.status != http.StatusOK {
		t.Errorf("now: %d %s", a.status, a.body)
	}
	if a := f.call(http.MethodGet, "/v1/calendar?from="+july+"T00:00:00Z&to=2099-01-01T00:00:00Z", ""); a.status != http.StatusUnprocessableEntity {
		t.Errorf("two years of calendar: %d", a.status)
	}
	if a := f.call(http.MethodPut, path, `{"zone":"America/Toronto","slots":[{"days":["lundi"],"time":"09:00"}]}`); a.status != http.StatusUnprocessableEntity || !strings.Contains(string(a.body), "slots[0].days") {
		t.Errorf("bad day: %d %s", a.status, a.body)
	}
}

func (f *face) calendar(query string) api.Calendar {
	f.t.Helper()
	var out api.Calendar
	if a := f.call(http.MethodGet, "/v1/calendar"+query, ""); a.status != http.StatusOK || json.Unmarshal(a.body, &out) != nil {
		f.t.Fatalf("calendar: %d %s", a.status, a.body)
	}
	return out
}

func TestReportSaysWhatWasHeldBack(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	f.account("a")
	held, undone := f.publishes(`"publish_at":"`+july+`T09:00:00Z"`), f.publishes(`"publish_at":"`+july+`T10:00:00Z"`)
	f.run(`UPDATE post_times SET at = now() - interval '3 hours'`)
	f.run(`UPDATE post_times SET verdict = 'held' WHERE job_id = $1`, held.ID)
	var out api.CalendarReport
	if a := f.call(http.MethodGet, "/v1/calendar/report", ""); a.status != http.StatusOK || json.Unmarshal(a.body, &out) != nil {
		t.Fatalf("report: %d %s", a.status, a.body)
	}
	if len(out.Held) != 1 || out.Held[0].JobID != held.ID || len(out.Undone) != 1 || out.Undone[0].JobID != undone.ID || len(out.Late)+len(out.Moved)+out.OnTime != 0 {
		t.Errorf("report %+v", out)
	}
}

// run changes rows as an outage would have left them.
func (f *face) run(query string, args ...any) {
	f.t.Helper()
	if _, err := testenv.SQL(f.t, f.s).ExecContext(f.t.Context(), query, args...); err != nil {
		f.t.Fatal(err)
	}
}

func TestOutlookPricesWhatLiesAhead(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	for range 2 {
		if a := f.call(http.MethodPost, "/v1/jobs/content-generation", `{"topic":"a","run_at":"`+time.Now().Add(time.Hour).UTC().Format(time.RFC3339)+`"}`); a.status != http.StatusAccepted {
			t.Fatal(string(a.body))
		}
	}
	f.schedule(`{"name":"hourly","cron":"0 * * * *","zone":"UTC","job":{"type":"content-generation","topic":"b"}}`)
	read := func() (o api.WorkAhead, l api.WorkLine) {
		if a := f.call(http.MethodGet, "/v1/outlook?to="+time.Now().Add(24*time.Hour).UTC().Format(time.RFC3339), ""); a.status != http.StatusOK || json.Unmarshal(a.body, &o) != nil || len(o.Data) != 1 {
			t.Fatalf("outlook: %d %s", a.status, a.body)
		}
		return o, o.Data[0]
	}
	o, l := read()
	if l.Due != 2 || l.Scheduled != 24 || l.UnitCost.Amount != nil || o.Cost.Amount != nil {
		t.Errorf("without history: %+v; the cost must be unknown", l)
	}
	// Two jobs that ended at 0.01 and 0.03 USD, and one of unknown cost.
	for i, cost := range []string{"0.01", "0.03", ""} {
		f.run(`INSERT INTO jobs (id, workspace_id, type, lane, priority, state, input, max_attempts, timeout_s, run_at, finished_at)
			VALUES ($1, $2, 'content-generation', 'content', 'normal', 'succeeded', '{}', 5, 300, now(), now())`, jobOf(i), f.ws.ID)
		f.run(`INSERT INTO calls (id, workspace_id, job_id, task_type, provider, model, status, cost_usd, provenance)
			VALUES ($1, $2, $3, 'content_generation', 'openrouter', 'm', 'ok', nullif($4, '')::numeric, CASE WHEN $4 = '' THEN 'unknown' ELSE 'reported' END)`,
			growth.NewID(), f.ws.ID, jobOf(i), cost)
	}
	o, l = read()
	if l.RestsOn != 2 || l.Unknown != 1 || l.UnitCost.USD.String() != "0.02" || o.Cost.USD.String() != "0.52" || o.Cost.Amount.String() != "0.728" {
		t.Errorf("with history: %+v, in all %+v", l, o.Cost)
	}
}

func jobOf(i int) string { return fmt.Sprintf("01990000-0000-7000-8000-00000000000%d", i) }
