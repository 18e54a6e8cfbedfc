package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/internal/timetable"
	"github.com/zakibelm/astrogrowth/tasks"
)

// How much of its future and its past a schedule shows.
const (
	shownRuns  = 5
	shownTicks = 20
)

func (a *api) schedules(h huma.API) {
	create := op(http.MethodPost, "/v1/schedules", "schedules", "Make a schedule", auth.ScopeEnqueue, 201)
	create.Description = "Enqueues the same job at the times of a cron expression in a zone. A time that a change of the clock skips comes " +
		"at the first instant after the gap, a repeated one the first time only; an expression for every hour counts time that passes. " +
		"The job is checked now. `maintenance` takes the scope `admin`, and posting a text the scope `approve`."
	register(h, create, a.postSchedule)
	register(h, op(http.MethodGet, "/v1/schedules", "schedules", "List schedules, newest first", auth.ScopeRead, 200), a.listSchedules)
	register(h, op(http.MethodGet, "/v1/schedules/{id}", "schedules", "Read a schedule, its next times and what was made of the last", auth.ScopeRead, 200), a.getSchedule)
	patch := op(http.MethodPatch, "/v1/schedules/{id}", "schedules", "Change a schedule", auth.ScopeEnqueue, 200)
	patch.Description = "What is left out stays. New times count from now; `job` is replaced as a whole."
	register(h, patch, a.patchSchedule)
	register(h, op(http.MethodDelete, "/v1/schedules/{id}", "schedules", "Delete a schedule; the jobs that it made stay", auth.ScopeEnqueue, 204), a.deleteSchedule)
	register(h, op(http.MethodPost, "/v1/schedules/{id}/run", "schedules", "Make the schedule's job now", auth.ScopeEnqueue, 202), a.runSchedule)
	register(h, op(http.MethodPost, "/v1/schedules/{id}/enable", "schedules", "Let a schedule come due again, from now on", auth.ScopeEnqueue, 200), a.enableSchedule)
	register(h, op(http.MethodPost, "/v1/schedules/{id}/disable", "schedules", "Let a schedule rest", auth.ScopeEnqueue, 200), a.disableSchedule)
}

// ScheduleView is a schedule with the places where more can be done with it. Where its jobs call back to is not shown:
// such an address may hold a secret.
type ScheduleView struct {
	growth.Schedule
	Callback bool              `json:"callback" doc:"Its jobs call back when they end"`
	Links    map[string]string `json:"links"`
}

// NextRun is a time at which a schedule will come due.
type NextRun struct {
	At     time.Time `json:"at"`
	Local  string    `json:"local" doc:"The same instant as the clock of the schedule's zone shows it" example:"2027-03-14T03:00:00-04:00"`
	Change string    `json:"clock_change,omitempty" enum:"skipped,repeated" doc:"skipped: the clock jumps over the time, so it comes after the gap; repeated: the clock shows it twice, and the first counts"`
}

// ScheduleDetail is a schedule with its future and its past.
type ScheduleDetail struct {
	ScheduleView
	NextRuns []NextRun     `json:"next_runs" doc:"The next 5; none while it is disabled"`
	Ticks    []growth.Tick `json:"ticks" doc:"What was made of the last 20 times, newest first"`
}

type scheduleOutput struct{ Body ScheduleDetail }

func scheduleView(s growth.Schedule) ScheduleView {
	v := ScheduleView{Schedule: s, Callback: s.Options.CallbackURL != ""}
	v.Options.CallbackURL = ""
	self := "/v1/schedules/" + string(s.ID)
	v.Links = map[string]string{"self": self, "run": self + "/run", "enable": self + "/enable", "disable": self + "/disable"}
	return v
}

func (a *api) scheduleDetail(ctx context.Context, s growth.Schedule) (*scheduleOutput, error) {
	out := ScheduleDetail{ScheduleView: scheduleView(s), NextRuns: []NextRun{}}
	for _, o := range tasks.UpcomingRuns(s, time.Now(), shownRuns) {
		out.NextRuns = append(out.NextRuns, nextRun(o))
	}
	var err error
	out.Ticks, err = a.Store.In(who(ctx).Workspace).Ticks(ctx, s.ID, shownTicks)
	return &scheduleOutput{out}, err
}

func nextRun(o timetable.Occurrence) NextRun {
	return NextRun{At: o.At.UTC(), Local: o.At.Format(time.RFC3339), Change: string(o.Change)}
}

type postScheduleInput struct {
	Body struct {
		Name     string         `json:"name" minLength:"1" maxLength:"100" doc:"Unique in the workspace"`
		Cron     string         `json:"cron" minLength:"1" maxLength:"200" example:"0 9 * * 1-5" doc:"minute hour day month weekday, or @hourly, @daily, @weekly, @monthly, @yearly"`
		Zone     string         `json:"zone" minLength:"1" maxLength:"64" example:"America/Toronto" doc:"IANA name"`
		Job      ScheduledJob   `json:"job"`
		Enabled  *bool          `json:"enabled,omitempty" doc:"Default: true"`
		Overlap  growth.Overlap `json:"overlap,omitempty" enum:"skip,allow" doc:"What a time does while the job before has not ended. Default: skip; allow with catch_up all"`
		CatchUp  *CatchUpBody   `json:"catch_up,omitempty"`
		StartsAt *time.Time     `json:"starts_at,omitempty"`
		EndsAt   *time.Time     `json:"ends_at,omitempty"`
	}
}

// CatchUpBody says what becomes of times that nobody was there for.
type CatchUpBody struct {
	Policy  growth.CatchUpPolicy `json:"policy" enum:"none,last,all" doc:"none: let them go; last: do the newest; all: do each. Default: last"`
	WithinS int                  `json:"within_s,omitempty" minimum:"1" maximum:"604800" doc:"Times that are later than this are let go; default 86400"`
	Limit   int                  `json:"limit,omitempty" minimum:"1" maximum:"100" doc:"Of all: no more than this many, the newest; default 10"`
}

func (b *CatchUpBody) catchUp() growth.CatchUp {
	if b == nil {
		return growth.CatchUp{}
	}
	return growth.CatchUp{Policy: b.Policy, WithinS: b.WithinS, Limit: b.Limit}
}

func (a *api) postSchedule(ctx context.Context, in *postScheduleInput) (*scheduleOutput, error) {
	b := in.Body
	s, err := tasks.FillSchedule(growth.Schedule{
		Name: b.Name, Cron: b.Cron, Zone: b.Zone, Enabled: b.Enabled == nil || *b.Enabled, Overlap: b.Overlap, CatchUp: b.CatchUp.catchUp(),
		StartsAt: b.StartsAt, EndsAt: b.EndsAt, CreatedBy: who(ctx).Name,
	})
	if err != nil {
		return nil, err
	}
	if s, err = tasks.ArmSchedule(s, time.Now()); err != nil {
		return nil, err
	}
	work, err := a.readWork(ctx, b.Job) // last: it may store a lead
	if err != nil {
		return nil, err
	}
	s, err = a.Store.In(who(ctx).Workspace).CreateSchedule(ctx, work.of(s))
	if err != nil {
		return nil, err
	}
	return a.scheduleDetail(ctx, s)
}

type listSchedulesInput struct {
	PageParams
	Name string `query:"name" maxLength:"100" doc:"The one with this name"`
}

func (a *api) listSchedules(ctx context.Context, in *listSchedulesInput) (*struct{ Body List[ScheduleView] }, error) {
	p, err := in.page()
	if err != nil {
		return nil, err
	}
	list, err := a.Store.In(who(ctx).Workspace).Schedules(ctx, in.Name, p)
	if err != nil {
		return nil, err
	}
	views := make([]ScheduleView, 0, len(list))
	for _, s := range list {
		views = append(views, scheduleView(s))
	}
	return &struct{ Body List[ScheduleView] }{listOf(views, in.Limit, func(v ScheduleView) string { return string(v.ID) })}, nil
}

func (a *api) getSchedule(ctx context.Context, in *IDInput) (*scheduleOutput, error) {
	s, err := a.Store.In(who(ctx).Workspace).Schedule(ctx, growth.ScheduleID(in.ID))
	if err != nil {
		return nil, err
	}
	return a.scheduleDetail(ctx, s)
}

// SchedulePatch is what of a schedule changes.
type SchedulePatch struct {
	Name     *string         `json:"name,omitempty" minLength:"1" maxLength:"100"`
	Cron     *string         `json:"cron,omitempty" minLength:"1" maxLength:"200"`
	Zone     *string         `json:"zone,omitempty" minLength:"1" maxLength:"64"`
	Job      *ScheduledJob   `json:"job,omitempty"`
	Enabled  *bool           `json:"enabled,omitempty"`
	Overlap  *growth.Overlap `json:"overlap,omitempty" enum:"skip,allow"`
	CatchUp  *CatchUpBody    `json:"catch_up,omitempty"`
	StartsAt *time.Time      `json:"starts_at,omitempty"`
	EndsAt   *time.Time      `json:"ends_at,omitempty"`
}

type patchScheduleInput struct {
	IDInput
	Body SchedulePatch
}

func (a *api) patchSchedule(ctx context.Context, in *patchScheduleInput) (*scheduleOutput, error) {
	sc := a.Store.In(who(ctx).Workspace)
	if _, err := sc.Schedule(ctx, growth.ScheduleID(in.ID)); err != nil {
		return nil, err
	}
	var work *scheduledWork
	if in.Body.Job != nil {
		w, err := a.readWork(ctx, *in.Body.Job)
		if err != nil {
			return nil, err
		}
		work = &w
	}
	s, err := sc.UpdateSchedule(ctx, growth.ScheduleID(in.ID), func(s *growth.Schedule) error {
		if work != nil {
			*s = work.of(*s)
		}
		return a.applyPatch(ctx, in.Body, s)
	})
	if err != nil {
		return nil, err
	}
	return a.scheduleDetail(ctx, s)
}

// applyPatch changes what the patch names. Whoever changes a schedule answers for all that it does from then on.
func (a *api) applyPatch(ctx context.Context, p SchedulePatch, s *growth.Schedule) error {
	set(&s.Name, p.Name)
	set(&s.Cron, p.Cron)
	set(&s.Zone, p.Zone)
	set(&s.Overlap, p.Overlap)
	set(&s.Enabled, p.Enabled)
	if p.CatchUp != nil {
		s.CatchUp = p.CatchUp.catchUp()
		if p.Overlap == nil && s.CatchUp.Policy == growth.CatchUpAll {
			s.Overlap = growth.OverlapAllow
		}
	}
	if p.StartsAt != nil {
		s.StartsAt = p.StartsAt
	}
	if p.EndsAt != nil {
		s.EndsAt = p.EndsAt
	}
	var err error
	if *s, err = tasks.FillSchedule(*s); err != nil {
		return err
	}
	if p.Cron != nil || p.Zone != nil || p.Enabled != nil || p.StartsAt != nil || p.EndsAt != nil {
		if *s, err = tasks.ArmSchedule(*s, time.Now()); err != nil {
			return err
		}
	}
	return mayRun(ctx, *s)
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

func (a *api) deleteSchedule(ctx context.Context, in *IDInput) (*struct{}, error) {
	return nil, a.Store.In(who(ctx).Workspace).DeleteSchedule(ctx, growth.ScheduleID(in.ID))
}

type runScheduleInput struct {
	IDInput
	KeyHeader
}

func (a *api) runSchedule(ctx context.Context, in *runScheduleInput) (*acceptedOutput, error) {
	got, err := a.Store.In(who(ctx).Workspace).RunSchedule(ctx, growth.ScheduleID(in.ID), who(ctx).Name, in.Key,
		func(s growth.Schedule) error { return mayRun(ctx, s) })
	if err != nil {
		return nil, err
	}
	a.Queue.Wake()
	return a.accepted(ctx, got)
}

func (a *api) enableSchedule(ctx context.Context, in *IDInput) (*scheduleOutput, error) {
	return a.switchSchedule(ctx, in.ID, true)
}

func (a *api) disableSchedule(ctx context.Context, in *IDInput) (*scheduleOutput, error) {
	return a.switchSchedule(ctx, in.ID, false)
}

func (a *api) switchSchedule(ctx context.Context, id string, on bool) (*scheduleOutput, error) {
	s, err := a.Store.In(who(ctx).Workspace).UpdateSchedule(ctx, growth.ScheduleID(id), func(s *growth.Schedule) error {
		if s.Enabled == on {
			return nil // as it stands, with what is due just now
		}
		var err error
		s.Enabled = on
		if *s, err = tasks.ArmSchedule(*s, time.Now()); err != nil || !on {
			return err
		}
		return mayRun(ctx, *s)
	})
	if err != nil {
		return nil, err
	}
	return a.scheduleDetail(ctx, s)
}
