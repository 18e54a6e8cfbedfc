package dashboard

import (
	"context"
	"net/http"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/internal/timetable"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

// How much of the future and the past of a schedule its card shows.
const (
	cardRuns  = 3
	cardTicks = 3
)

// schedulesPage is the list of schedules.
type schedulesPage struct {
	Schedules []ScheduleCard
	Next      growth.ScheduleID
	First     bool
}

// ScheduleCard is a schedule with its next times and its last ones.
type ScheduleCard struct {
	growth.Schedule

	Runs  []timetable.Occurrence
	Ticks []growth.Tick
}

// scheduleStates are the words for how a schedule stands.
var scheduleStates = []string{"enabled", "disabled", "stopped", "ended"}

// State says how the schedule stands, as one of scheduleStates.
func (c ScheduleCard) State() string {
	switch {
	case c.Problem != "":
		return "stopped"
	case !c.Enabled:
		return "disabled"
	case c.NextTick == nil:
		return "ended"
	}
	return "enabled"
}

func (d *Dashboard) listSchedules(w http.ResponseWriter, r *http.Request, v *visitor) error {
	cursor, err := cursorOf(r.URL.Query().Get("cursor"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
	defer cancel()
	list, err := d.scoped(v).Schedules(ctx, "", store.Page{Limit: listLimit, Cursor: cursor})
	if err != nil {
		return err
	}
	ids := make([]growth.ScheduleID, len(list))
	for i, s := range list {
		ids[i] = s.ID
	}
	ticks, err := d.scoped(v).TicksOf(ctx, ids, cardTicks)
	if err != nil {
		return err
	}
	data := schedulesPage{First: cursor == ""}
	for _, s := range list {
		data.Schedules = append(data.Schedules, ScheduleCard{Schedule: s, Runs: tasks.UpcomingRuns(s, d.cfg.Now(), cardRuns), Ticks: ticks[s.ID]})
	}
	if len(list) == listLimit {
		data.Next = list[len(list)-1].ID
	}
	p := d.newPage(w, r, v, "schedules", "schedules.title")
	p.Data = data
	return d.pages.write(w, http.StatusOK, p)
}

func (d *Dashboard) runSchedule(w http.ResponseWriter, r *http.Request, v *visitor) error {
	return d.doSchedule(w, r, v, "run", func(sc store.Scoped, id growth.ScheduleID) error {
		_, err := sc.RunSchedule(r.Context(), id, v.Name, "", func(growth.Schedule) error { return nil })
		return err
	})
}

func (d *Dashboard) enableSchedule(w http.ResponseWriter, r *http.Request, v *visitor) error {
	return d.doSchedule(w, r, v, "enable", d.switchSchedule(r.Context(), true))
}

func (d *Dashboard) disableSchedule(w http.ResponseWriter, r *http.Request, v *visitor) error {
	return d.doSchedule(w, r, v, "disable", d.switchSchedule(r.Context(), false))
}

func (d *Dashboard) switchSchedule(ctx context.Context, on bool) func(store.Scoped, growth.ScheduleID) error {
	return func(sc store.Scoped, id growth.ScheduleID) error {
		_, err := sc.UpdateSchedule(ctx, id, func(s *growth.Schedule) error {
			if s.Enabled == on {
				return nil // a second click
			}
			var err error
			s.Enabled = on
			*s, err = tasks.ArmSchedule(*s, d.cfg.Now())
			return err
		})
		return err
	}
}

// doSchedule carries out what a person wants of a schedule. An admin may have it do whatever it does.
func (d *Dashboard) doSchedule(w http.ResponseWriter, r *http.Request, v *visitor, done string, do func(store.Scoped, growth.ScheduleID) error) error {
	id := r.PathValue("id")
	switch {
	case !v.May(auth.ScopeAdmin):
		return growth.Errorf(growth.Forbidden, "dashboard.doSchedule", "your key lacks the scope admin")
	case !growth.ValidID(id):
		return growth.Errorf(growth.NotFound, "dashboard.doSchedule", "there is no such schedule")
	}
	if err := do(d.scoped(v), growth.ScheduleID(id)); err != nil {
		return err
	}
	http.Redirect(w, r, "/schedules?done="+done, http.StatusSeeOther)
	return nil
}
