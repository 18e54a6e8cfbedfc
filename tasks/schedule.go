package tasks

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/timetable"
	"github.com/zakibelm/astrogrowth/store"
)

// Bounds and defaults of a schedule.
const (
	MaxScheduleName      = 100
	DefaultCatchUpWithin = 24 * 3600 // seconds
	MaxCatchUpWithin     = 7 * 24 * 3600
	DefaultCatchUpLimit  = 10
	MaxCatchUpLimit      = 100
)

// FillSchedule puts the defaults in and refuses what is out of range.
func FillSchedule(s growth.Schedule) (growth.Schedule, error) {
	const op = "tasks.FillSchedule"
	if s.Name == "" || len(s.Name) > MaxScheduleName {
		return s, growth.InvalidField(op, "name", "give a name of at most %d characters", MaxScheduleName)
	}
	if s.StartsAt != nil && s.EndsAt != nil && s.EndsAt.Before(*s.StartsAt) {
		return s, growth.InvalidField(op, "ends_at", "the end lies before the start")
	}
	if _, err := timetable.Parse(s.Cron, s.Zone); err != nil {
		return s, err
	}
	var err error
	if s.CatchUp, err = fillCatchUp(s.CatchUp); err != nil {
		return s, err
	}
	s.Overlap, err = fillOverlap(s.Overlap, s.CatchUp.Policy)
	return s, err
}

// ArmSchedule says when a schedule comes due next as seen from now, or that it does not. Times between the last look and
// now are given up: nobody changes a schedule's times, or enables it, in order to have its past.
func ArmSchedule(s growth.Schedule, now time.Time) (growth.Schedule, error) {
	s.NextTick = nil
	if !s.Enabled {
		return s, nil
	}
	tt, err := timetable.Parse(s.Cron, s.Zone)
	if err != nil {
		return s, err
	}
	next := tt.Upcoming(from(s, now), end(s), 1)
	if len(next) == 0 {
		return s, growth.InvalidField("tasks.ArmSchedule", "ends_at", "no time of the schedule lies between now and its end")
	}
	at := next[0].At.UTC()
	s.NextTick, s.Problem = &at, ""
	return s, nil
}

func fillCatchUp(c growth.CatchUp) (growth.CatchUp, error) {
	const op = "tasks.fillCatchUp"
	switch c.Policy {
	case "":
		c.Policy = growth.CatchUpLast
	case growth.CatchUpNone, growth.CatchUpLast, growth.CatchUpAll:
	default:
		return c, growth.InvalidField(op, "catch_up.policy", "use none, last or all")
	}
	if c.WithinS == 0 {
		c.WithinS = DefaultCatchUpWithin
	}
	if c.Limit == 0 {
		c.Limit = DefaultCatchUpLimit
	}
	switch {
	case c.WithinS < 0 || c.WithinS > MaxCatchUpWithin:
		return c, growth.InvalidField(op, "catch_up.within_s", "use 1 to %d seconds", MaxCatchUpWithin)
	case c.Limit < 0 || c.Limit > MaxCatchUpLimit:
		return c, growth.InvalidField(op, "catch_up.limit", "use 1 to %d", MaxCatchUpLimit)
	}
	return c, nil
}

// fillOverlap lets jobs overlap where each late tick is to make its own: they come at the same moment.
func fillOverlap(o growth.Overlap, p growth.CatchUpPolicy) (growth.Overlap, error) {
	const op = "tasks.fillOverlap"
	switch {
	case o == "" && p == growth.CatchUpAll:
		return growth.OverlapAllow, nil
	case o == "":
		return growth.OverlapSkip, nil
	case o != growth.OverlapSkip && o != growth.OverlapAllow:
		return o, growth.InvalidField(op, "overlap", "use skip or allow")
	case o == growth.OverlapSkip && p == growth.CatchUpAll:
		return o, growth.InvalidField(op, "overlap", "use allow: catch_up all makes several jobs at once, and skip would drop all but one")
	}
	return o, nil
}

// from is the instant behind which a schedule's times count.
func from(s growth.Schedule, now time.Time) time.Time {
	if s.StartsAt != nil && s.StartsAt.After(now) {
		return s.StartsAt.Add(-time.Nanosecond)
	}
	return now
}

func end(s growth.Schedule) time.Time {
	if s.EndsAt == nil {
		return time.Time{}
	}
	return *s.EndsAt
}

// UpcomingRuns are the next n times of a schedule that is enabled, as seen from now.
func UpcomingRuns(s growth.Schedule, now time.Time, n int) []timetable.Occurrence {
	tt, err := timetable.Parse(s.Cron, s.Zone)
	if err != nil || !s.Enabled {
		return []timetable.Occurrence{}
	}
	return tt.Upcoming(from(s, now), end(s), n)
}

// How often a scheduler looks without anything being due, for schedules that another process made; and for how long ticks
// are remembered.
const (
	schedulerIdle = 5 * time.Second
	ticksKept     = 30 * 24 * time.Hour
	forgetEvery   = time.Hour
)

// Scheduler enqueues the jobs of schedules when they are due. Every process may run one: a tick is a row, and its job is
// made in the commit that writes the row, so that it happens once whoever looks and whatever is killed.
type Scheduler struct {
	Store *store.Store
	Relay *Relay // nil: another process's relay hands the jobs over
	Log   zerolog.Logger
	Now   func() time.Time // nil: the database's clock, which is the same for every scheduler

	forgotten time.Time
}

// Run enqueues until ctx ends.
func (s *Scheduler) Run(ctx context.Context) {
	failed := 0
	for {
		pause := schedulerIdle
		err := s.Pass(ctx)
		if err == nil {
			pause, err = s.pause(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			failed = 0
		default:
			failed++
			if failed == 1 || failed%60 == 0 {
				s.Log.Warn().Err(err).Int("times", failed).Msg("schedules could not be looked at")
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// pause is how long there is nothing to do.
func (s *Scheduler) pause(ctx context.Context) (time.Duration, error) {
	if time.Since(s.forgotten) > forgetEvery {
		if _, err := s.Store.PurgeTicks(ctx, ticksKept); err != nil {
			return schedulerIdle, err
		}
		s.forgotten = time.Now()
	}
	wait, found, err := s.Store.UntilTick(ctx, s.now())
	if err != nil || !found {
		return schedulerIdle, err
	}
	return min(max(wait, 0)+time.Millisecond, schedulerIdle), nil
}

func (s *Scheduler) now() time.Time {
	if s.Now == nil {
		return time.Time{}
	}
	return s.Now()
}

// Pass does what is due. A schedule that cannot be done keeps none of the others from being done; an error means that
// the database cannot be asked.
func (s *Scheduler) Pass(ctx context.Context) error {
	var except []growth.ScheduleID
	for {
		done, found, err := s.Store.TickSchedule(ctx, s.now(), except, plan)
		switch {
		case err != nil && (!found || growth.CodeOf(err) == growth.Unavailable || ctx.Err() != nil):
			return err
		case err != nil:
			except = append(except, done.Schedule.ID)
			if err := s.faulty(ctx, done.Schedule, err); err != nil {
				return err
			}
		case !found:
			return nil
		default:
			s.told(done)
		}
	}
}

// plan says what has to be done about a schedule that is due.
func plan(s growth.Schedule, now time.Time) (store.Due, error) {
	tt, err := timetable.Parse(s.Cron, s.Zone)
	if err != nil {
		return store.Due{}, err
	}
	within, limit := s.CatchUp.Window()
	return store.Due(tt.Due(*s.NextTick, now, end(s), within, limit)), nil
}

// faulty stops a schedule that only its owner can mend; a fault of ours is tried again in the next pass.
func (s *Scheduler) faulty(ctx context.Context, sch growth.Schedule, err error) error {
	code := growth.CodeOf(err)
	s.Log.Error().Err(err).Str("schedule_id", string(sch.ID)).Str("code", code.String()).Msg("schedule failed")
	if code.Retryable() {
		return nil
	}
	return s.Store.StopSchedule(ctx, sch, faultOf(err).Message)
}

func (s *Scheduler) told(done store.Ticked) {
	level := zerolog.InfoLevel
	if done.Missed || done.Skipped > 0 {
		level = zerolog.WarnLevel
	}
	s.Log.WithLevel(level).Str("schedule_id", string(done.Schedule.ID)).Str("type", string(done.Schedule.Type)).
		Int("enqueued", done.Enqueued).Int("skipped", done.Skipped).Bool("missed", done.Missed).Msg("schedule was due")
	if done.Enqueued > 0 && s.Relay != nil {
		s.Relay.Wake()
	}
}
