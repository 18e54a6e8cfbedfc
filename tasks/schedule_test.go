package tasks_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/tasks"
)

// clock is the time of every scheduler of a test.
type clock struct{ at atomic.Int64 }

func clockAt(t testing.TB, s string) *clock {
	t.Helper()
	c := &clock{}
	c.set(stamp(t, s))
	return c
}

func (c *clock) set(at time.Time)        { c.at.Store(at.UnixNano()) }
func (c *clock) forward(d time.Duration) { c.at.Add(int64(d)) }
func (c *clock) now() time.Time          { return time.Unix(0, c.at.Load()).UTC() }

func stamp(t testing.TB, s string) time.Time {
	t.Helper()
	at, err := time.Parse("2006-01-02 15:04", s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func (p *plant) scheduler(c *clock) *tasks.Scheduler {
	return &tasks.Scheduler{Store: p.s, Log: zerolog.Nop(), Now: c.now}
}

// schedules stores a schedule of content jobs, as the API would.
func (p *plant) schedules(c *clock, change func(*growth.Schedule)) growth.Schedule {
	p.t.Helper()
	s := growth.Schedule{
		Name: growth.NewID(), Cron: "0 * * * *", Zone: "UTC", Type: growth.JobContentGeneration, Input: json.RawMessage(`{"topic":"x"}`),
		Enabled: true, CreatedBy: "test",
	}
	var err error
	s.Options, err = tasks.FillOptions(s.Type, s.Options)
	p.must(err)
	if change != nil {
		change(&s)
	}
	s, err = tasks.FillSchedule(s)
	p.must(err)
	s, err = tasks.ArmSchedule(s, c.now())
	p.must(err)
	s, err = p.sc.CreateSchedule(p.t.Context(), s)
	p.must(err)
	return s
}

// told lists what was made of a schedule's times, oldest first, as "04 09:00 enqueued".
func (p *plant) told(s growth.Schedule) []string {
	p.t.Helper()
	ticks, err := p.sc.Ticks(p.t.Context(), s.ID, 1000)
	p.must(err)
	out := []string{}
	for i := range ticks {
		k := ticks[len(ticks)-1-i]
		line := k.At.Format("02 15:04 ") + string(k.State)
		if k.Until != nil {
			line += " until " + k.Until.Format("02 15:04")
		}
		out = append(out, line)
	}
	return out
}

// endsJobs ends what the schedule made, as a worker would.
func (p *plant) endsJobs() {
	p.t.Helper()
	p.exec(`UPDATE jobs SET state = 'succeeded', finished_at = now() WHERE workspace_id = $1`, p.ws.ID)
}

// wantOnce checks that each tick has a job of its own, and that there are no others.
func (p *plant) wantOnce(s growth.Schedule, want int) {
	p.t.Helper()
	ticks := p.count(`SELECT count(*) FROM schedule_ticks WHERE schedule_id = $1 AND state = 'enqueued'`, s.ID)
	named := p.count(`SELECT count(DISTINCT job_id) FROM schedule_ticks k JOIN jobs j ON j.id = k.job_id WHERE k.schedule_id = $1`, s.ID)
	jobs := p.count(`SELECT count(*) FROM jobs WHERE trace_id = $1`, "schedule-"+string(s.ID))
	if ticks != want || named != want || jobs != want {
		p.t.Errorf("%s: %d ticks, %d of them with a job of their own, %d jobs; want %d of each", s.Cron, ticks, named, jobs, want)
	}
}

// A day around each kind of change, with three schedulers that look at once and are cut off at any moment.
func TestEachTickMakesItsJobOnce(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, zone, from string
		hours            int
		want             map[string]int // by expression
	}{
		{"the clock goes forward", "America/Toronto", "2027-03-14 04:30", 25, map[string]int{
			"30 2 * * *": 1, "0 9 * * *": 1, "*/30 * * * *": 50, "0 2,3 * * *": 1, "15 */2 * * *": 12 + 1,
		}},
		{"the clock goes back", "America/Toronto", "2027-11-07 03:30", 25, map[string]int{
			"30 1 * * *": 1, "0 9 * * *": 1, "*/30 * * * *": 50, "15 1-2 * * *": 2, "*/20 1 * * *": 3,
		}},
		{"no change", "Asia/Kolkata", "2027-03-14 18:20", 24, map[string]int{"30 2 * * *": 1, "*/30 * * * *": 48}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p := newPlant(t)
			c := clockAt(t, tc.from)
			made := map[string]growth.Schedule{}
			for cron := range tc.want {
				made[cron] = p.schedules(c, func(s *growth.Schedule) {
					s.Cron, s.Zone, s.Overlap, s.CatchUp.Policy = cron, tc.zone, growth.OverlapAllow, growth.CatchUpAll
				})
			}
			for range tc.hours * 6 {
				c.forward(10 * time.Minute)
				p.threeLook(c)
			}
			for cron, s := range made {
				p.wantOnce(s, tc.want[cron])
			}
		})
	}
}

// threeLook has three schedulers look at once; most of the looks are cut off, each as a killed process would be.
func (p *plant) threeLook(c *clock) {
	p.t.Helper()
	var wg sync.WaitGroup
	for range 3 {
		s := p.scheduler(c)
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(p.t.Context(), time.Duration(rand.IntN(4000))*time.Microsecond)
			defer cancel()
			_ = s.Pass(ctx)
			if err := s.Pass(p.t.Context()); err != nil {
				p.t.Error(err)
			}
		})
	}
	wg.Wait()
	// A look that was cut off may hold its row a moment longer, and the others pass over it: the next look gets it.
	eventually(p.t, "nothing is due any more", func() bool {
		p.must(p.scheduler(c).Pass(p.t.Context()))
		wait, found, err := p.s.UntilTick(p.t.Context(), c.now())
		p.must(err)
		return !found || wait > 0
	})
}

// A kill between the work and the commit is a commit that never comes: then there is neither tick nor job, and the next
// look makes both.
func TestACommitThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	c := clockAt(t, "2027-01-04 08:59")
	s := p.schedules(c, nil)
	p.exec(`CREATE FUNCTION no_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '57P01'; END $$`)
	p.exec(`CREATE CONSTRAINT TRIGGER no_commit AFTER INSERT ON schedule_ticks DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION no_commit()`)
	heal := func() {
		if _, err := testenv.SQL(t, p.s).ExecContext(context.WithoutCancel(t.Context()), `DROP FUNCTION IF EXISTS no_commit() CASCADE`); err != nil {
			t.Error(err) // the database serves other tests after this one
		}
	}
	t.Cleanup(heal)
	c.forward(time.Minute)
	if err := p.scheduler(c).Pass(t.Context()); growth.CodeOf(err) != growth.Unavailable || err == nil {
		t.Errorf("Pass = %v, want the commit's fault", err)
	}
	p.wantOnce(s, 0)
	heal()
	p.must(p.scheduler(c).Pass(t.Context()))
	p.wantOnce(s, 1)
	p.must(p.scheduler(c).Pass(t.Context()))
	p.wantOnce(s, 1)
}

func TestCatchUp(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		catchUp growth.CatchUp
		want    []string
	}{
		{"none", growth.CatchUp{Policy: growth.CatchUpNone}, []string{"04 10:00 missed until 04 14:00", "04 14:00 enqueued"}},
		{"last", growth.CatchUp{Policy: growth.CatchUpLast}, []string{"04 10:00 missed until 04 13:00", "04 13:00 enqueued", "04 14:00 enqueued"}},
		{"last, but it is too late", growth.CatchUp{Policy: growth.CatchUpLast, WithinS: 600}, []string{"04 10:00 missed until 04 14:00", "04 14:00 enqueued"}},
		{"all", growth.CatchUp{Policy: growth.CatchUpAll}, []string{"04 10:00 enqueued", "04 11:00 enqueued", "04 12:00 enqueued", "04 13:00 enqueued", "04 14:00 enqueued"}},
		{"all, at most two", growth.CatchUp{Policy: growth.CatchUpAll, Limit: 2}, []string{"04 10:00 missed until 04 12:00", "04 12:00 enqueued", "04 13:00 enqueued", "04 14:00 enqueued"}},
		{"all of two hours", growth.CatchUp{Policy: growth.CatchUpAll, WithinS: 7200}, []string{"04 10:00 missed until 04 12:00", "04 12:00 enqueued", "04 13:00 enqueued", "04 14:00 enqueued"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p := newPlant(t)
			c := clockAt(t, "2027-01-04 09:30")
			s := p.schedules(c, func(s *growth.Schedule) { s.CatchUp, s.Overlap = tc.catchUp, growth.OverlapAllow })
			c.set(stamp(t, "2027-01-04 13:30"))
			p.threeLook(c)
			c.set(stamp(t, "2027-01-04 14:00"))
			p.threeLook(c)
			if diff := cmp.Diff(tc.want, p.told(s)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTicksAreSkippedWhileTheJobBeforeHasNotEnded(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	p.must(p.sc.Pause(t.Context(), growth.JobContentGeneration.Queue(), "test")) // nothing will run for hours
	c := clockAt(t, "2027-01-04 09:30")
	s := p.schedules(c, nil)
	for range 3 {
		c.forward(time.Hour)
		p.threeLook(c)
	}
	p.endsJobs()
	c.forward(time.Hour)
	p.threeLook(c)
	want := []string{"04 10:00 enqueued", "04 11:00 skipped", "04 12:00 skipped", "04 13:00 enqueued"}
	if diff := cmp.Diff(want, p.told(s)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	ticks, err := p.sc.Ticks(t.Context(), s.ID, 10)
	p.must(err)
	if ticks[2].JobID == nil || *ticks[2].JobID != *ticks[3].JobID {
		t.Errorf("the skipped tick names %v, want the job that stood in its way, %v", ticks[2].JobID, ticks[3].JobID)
	}
}

func TestAScheduleRestsBeforeItsStartAfterItsEndAndWhileDisabled(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	c := clockAt(t, "2027-01-04 09:30")
	start, end := stamp(t, "2027-01-04 12:00"), stamp(t, "2027-01-04 13:00")
	bounded := p.schedules(c, func(s *growth.Schedule) { s.StartsAt, s.EndsAt, s.Overlap = &start, &end, growth.OverlapAllow })
	off := p.schedules(c, func(s *growth.Schedule) { s.Enabled = false })
	for range 8 {
		c.forward(time.Hour)
		p.threeLook(c)
	}
	if diff := cmp.Diff([]string{"04 12:00 enqueued", "04 13:00 enqueued"}, p.told(bounded)); diff != "" {
		t.Errorf("with a start and an end (-want +got):\n%s", diff)
	}
	got, err := p.sc.Schedule(t.Context(), bounded.ID)
	p.must(err)
	if got.NextTick != nil || !got.LastTick.Equal(end) {
		t.Errorf("after its end: next %v, last %v", got.NextTick, got.LastTick)
	}
	if told := p.told(off); len(told) > 0 {
		t.Errorf("while disabled: %v", told)
	}
	_, err = p.sc.UpdateSchedule(t.Context(), off.ID, func(s *growth.Schedule) error {
		s.Enabled = true
		*s, err = tasks.ArmSchedule(*s, c.now())
		return err
	})
	p.must(err)
	c.forward(time.Hour)
	p.threeLook(c)
	if diff := cmp.Diff([]string{"04 18:00 enqueued"}, p.told(off)); diff != "" {
		t.Errorf("enabled again (-want +got):\n%s", diff)
	}
}

// One schedule that cannot be done stops, says why, and keeps no other from being done.
func TestAFaultyScheduleStandsInNobodysWay(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	c := clockAt(t, "2027-01-04 09:30")
	bad, broken, good := p.schedules(c, nil), p.schedules(c, nil), p.schedules(c, nil)
	p.exec(`UPDATE schedules SET zone = 'Mars/Olympus', next_tick = next_tick - interval '1 minute' WHERE id = $1`, bad.ID)
	p.exec(`UPDATE schedules SET options = '"?"', next_tick = next_tick - interval '1 minute' WHERE id = $1`, broken.ID)
	c.forward(time.Hour)
	p.must(p.scheduler(c).Pass(t.Context()))
	p.wantOnce(good, 1)
	got, err := p.sc.Schedule(t.Context(), bad.ID)
	p.must(err)
	if got.Enabled || got.NextTick != nil || !strings.Contains(got.Problem, "Mars/Olympus") {
		t.Errorf("the schedule without a zone: enabled %v, next %v, problem %q", got.Enabled, got.NextTick, got.Problem)
	}
	if n := p.count(`SELECT count(*) FROM schedules WHERE id = $1 AND enabled`, broken.ID); n != 1 {
		t.Error("a fault of ours stopped a schedule for good")
	}
}

func TestSchedulerRunsByItself(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	c := clockAt(t, "2027-01-04 09:30")
	s := p.schedules(c, func(s *growth.Schedule) { s.Type, s.Input = growth.JobMaintenance, json.RawMessage(`{"kind":"purge"}`) })
	tasks.AddWorker(p.runner, tasks.MaintenanceWorker{Store: p.s, Retention: time.Hour})
	p.relays().serves(growth.JobMaintenance)
	old := p.enqueue(tasks.ContentArgs{Topic: "old"}, growth.JobOptions{})
	p.exec(`UPDATE jobs SET state = 'succeeded', finished_at = now() - interval '2 hours' WHERE id = $1`, old)
	c.set(stamp(t, "2027-01-04 09:59").Add(59*time.Second + 900*time.Millisecond)) // it will sleep for 100 ms
	sch := p.scheduler(c)
	sch.Relay = p.relay
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { sch.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	c.set(stamp(t, "2027-01-04 10:00"))
	eventually(t, "the tick made a job", func() bool { return len(p.told(s)) == 1 })
	ticks, err := p.sc.Ticks(t.Context(), s.ID, 1)
	p.must(err)
	j := p.becomes(*ticks[0].JobID, growth.JobSucceeded)
	if string(j.Result) != `{"deleted": 1}` {
		t.Errorf("result = %s", j.Result)
	}
	if n := p.count(`SELECT count(*) FROM jobs WHERE id = $1`, old); n != 0 {
		t.Error("the old job was not purged")
	}
}

func TestSchedulesOutOfRangeAreRefused(t *testing.T) {
	t.Parallel()
	now := stamp(t, "2027-01-04 09:30")
	early, late := now.Add(-time.Hour), now.Add(time.Hour)
	for _, tc := range []struct {
		field  string
		change func(*growth.Schedule)
	}{
		{"name", func(s *growth.Schedule) { s.Name = "" }},
		{"name", func(s *growth.Schedule) { s.Name = strings.Repeat("x", 101) }},
		{"cron", func(s *growth.Schedule) { s.Cron = "@every 5m" }},
		{"zone", func(s *growth.Schedule) { s.Zone = "Mars/Olympus" }},
		{"ends_at", func(s *growth.Schedule) { s.StartsAt, s.EndsAt = &late, &early }},
		{"ends_at", func(s *growth.Schedule) { s.EndsAt = &early }},
		{"catch_up.policy", func(s *growth.Schedule) { s.CatchUp.Policy = "some" }},
		{"catch_up.within_s", func(s *growth.Schedule) { s.CatchUp.WithinS = 7*24*3600 + 1 }},
		{"catch_up.within_s", func(s *growth.Schedule) { s.CatchUp.WithinS = -1 }},
		{"catch_up.limit", func(s *growth.Schedule) { s.CatchUp.Limit = 101 }},
		{"overlap", func(s *growth.Schedule) { s.Overlap = "wait" }},
		{"overlap", func(s *growth.Schedule) { s.Overlap, s.CatchUp.Policy = growth.OverlapSkip, growth.CatchUpAll }},
	} {
		s := growth.Schedule{Name: "n", Cron: "@hourly", Zone: "UTC", Enabled: true}
		tc.change(&s)
		s, err := tasks.FillSchedule(s)
		if err == nil {
			_, err = tasks.ArmSchedule(s, now)
		}
		e, ok := err.(*growth.Error) //nolint:errorlint // both return it bare
		if !ok || e.Field != tc.field || e.Code != growth.Invalid {
			t.Errorf("%+v: %v, want a fault of %s", s, err, tc.field)
		}
	}
	err := tasks.MaintenanceArgs{Kind: "sweep"}.Validate()
	if growth.CodeOf(err) != growth.Invalid || !strings.Contains(fmt.Sprint(err), "purge") {
		t.Errorf("an unknown kind of maintenance: %v", err)
	}
}

func BenchmarkTicks(b *testing.B) {
	p := newPlant(b)
	c := clockAt(b, "2027-01-04 09:30")
	for range 100 {
		p.schedules(c, func(s *growth.Schedule) { s.Overlap = growth.OverlapAllow })
	}
	s := p.scheduler(c)
	for b.Loop() {
		c.forward(time.Hour)
		if err := s.Pass(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/100, "µs/tick")
}
