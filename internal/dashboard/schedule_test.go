package dashboard_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/dashboard"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/tasks"
)

func (d seed) schedule(name string, now time.Time) growth.Schedule {
	d.t.Helper()
	s, err := tasks.FillSchedule(growth.Schedule{
		Name: name, Cron: "30 2 * * *", Zone: "America/Toronto", Type: growth.JobContentGeneration, Input: json.RawMessage(`{"topic":"x"}`),
		Options: growth.JobOptions{Priority: growth.PriorityNormal, MaxAttempts: 5, TimeoutS: 300}, Enabled: true, CreatedBy: "test",
	})
	d.must(err)
	s, err = tasks.ArmSchedule(s, now)
	d.must(err)
	s, err = d.s.In(d.ws.ID).CreateSchedule(d.t.Context(), s)
	d.must(err)
	return s
}

func TestSchedulesAreShownAndSetOff(t *testing.T) {
	t.Parallel()
	db := testenv.Store(t)
	d := seed{t, db, workspace(t, db, "Schedules")}
	now := time.Date(2027, 3, 13, 12, 0, 0, 0, time.UTC)
	site := serve(t, dashboard.Config{Store: db, Workspace: d.ws.Slug, Now: func() time.Time { return now }})
	site.page("/schedules", "There are no schedules here yet")
	s := d.schedule("monday <posts>", now)
	site.page("/schedules", "monday &lt;posts&gt;", "30 2 * * *", "America/Toronto", "2027-03-14 03:00 -04:00", "the clock skips the time itself", "Content generation")
	site.page("/schedules?lang=fr", "Horaires", "l’horloge saute l’heure même", "Lancer maintenant")
	path := "/schedules/" + string(s.ID)
	for _, tc := range []struct {
		verb   string
		status int
		shows  string
	}{
		{"run", 303, "job made"}, {"run", 409, ""}, {"disable", 303, "disabled"}, {"disable", 303, "disabled"}, {"enable", 303, "enabled"}, {"explode", 404, ""},
	} {
		a := site.post(path+"/"+tc.verb, url.Values{"x": {"y"}})
		if a.status != tc.status {
			t.Errorf("%s = %d, want %d: %s", tc.verb, a.status, tc.status, a.body)
		}
		if tc.shows != "" {
			site.page(a.header.Get("Location")+"&lang=en", tc.shows)
		}
	}
	ticks, err := db.In(d.ws.ID).Ticks(t.Context(), s.ID, 10)
	if err != nil || len(ticks) != 1 || ticks[0].Detail != "local user" {
		t.Errorf("ticks = %+v, %v", ticks, err)
	}
	other := seed{t, db, workspace(t, db, "Other")}.schedule("theirs", now)
	if a := site.post("/schedules/"+string(other.ID)+"/run", url.Values{"x": {"y"}}); a.status != http.StatusNotFound {
		t.Errorf("another workspace's schedule = %d", a.status)
	}
	if page := site.page("/schedules"); strings.Contains(page, "theirs") {
		t.Error("another workspace's schedule is shown")
	}
}
