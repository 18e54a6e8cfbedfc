package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

// schedule stores a schedule that is due at nine on 4 January 2027.
func (b *bed) schedule(change ...func(*growth.Schedule)) growth.Schedule {
	b.tb.Helper()
	s, err := b.sc.CreateSchedule(b.ctx, newSchedule(change...))
	b.must(err)
	return s
}

var nine = time.Date(2027, 1, 4, 9, 0, 0, 0, time.UTC)

func newSchedule(change ...func(*growth.Schedule)) growth.Schedule {
	at := nine
	s := growth.Schedule{
		Name: growth.NewID(), Cron: "0 9 * * *", Zone: "UTC", Type: growth.JobContentGeneration, Input: json.RawMessage(`{"topic":"x"}`),
		Options: growth.JobOptions{Priority: growth.PriorityLow, MaxAttempts: 3, TimeoutS: 60}, Enabled: true, Overlap: growth.OverlapSkip,
		CatchUp: growth.CatchUp{Policy: growth.CatchUpLast, WithinS: 60, Limit: 1}, NextTick: &at, CreatedBy: "test",
	}
	for _, f := range change {
		f(&s)
	}
	return s
}

// tick does what is due at nine, and has the next time a day later.
func (b *bed) tick() (store.Ticked, bool) {
	b.tb.Helper()
	done, found, err := b.s.TickSchedule(b.ctx, nine, nil, func(_ growth.Schedule, now time.Time) (store.Due, error) {
		return store.Due{Run: []time.Time{nine}, Next: now.AddDate(0, 0, 1)}, nil
	})
	b.must(err)
	return done, found
}

func TestScheduleIsKeptAsItWasGiven(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	campaign, err := b.sc.EnsureCampaign(b.ctx, "spring")
	b.must(err)
	lead := b.put(named("Chez A", "a.ca"))[0].Lead.ID
	end := nine.AddDate(1, 0, 0)
	s := b.schedule(func(s *growth.Schedule) {
		s.LeadID, s.EndsAt, s.Options.CampaignID, s.Options.Metadata = lead, &end, campaign.ID, json.RawMessage(`{"a":1}`)
	})
	got, err := b.sc.Schedule(b.ctx, s.ID)
	b.must(err)
	if got.LeadID != lead || !got.EndsAt.Equal(end) || got.Options.CampaignID != campaign.ID || string(got.Options.Metadata) != `{"a": 1}` ||
		got.Options.Priority != growth.PriorityLow || !got.NextTick.Equal(nine) || got.CatchUp.WithinS != 60 {
		t.Errorf("schedule = %+v", got)
	}
	done, found := b.tick()
	if !found || done.Enqueued != 1 {
		t.Fatalf("ticked = %+v, %v", done, found)
	}
	ticks, err := b.sc.Ticks(b.ctx, s.ID, 10)
	b.must(err)
	j := b.job(*ticks[0].JobID)
	if j.Priority != growth.PriorityLow || j.MaxAttempts != 3 || *j.CampaignID != campaign.ID || string(j.Input) != `{"topic": "x"}` || j.State != growth.JobQueued {
		t.Errorf("its job = %+v", j)
	}
	if _, found = b.tick(); found {
		t.Error("it was due twice")
	}
	// What a schedule points at may go: the campaign alone, the lead with the schedule.
	b.exec(`DELETE FROM campaigns WHERE id = $1`, campaign.ID)
	if got, err = b.sc.Schedule(b.ctx, s.ID); err != nil || got.Options.CampaignID != "" {
		t.Errorf("without its campaign: %+v, %v", got.Options, err)
	}
	b.exec(`DELETE FROM leads WHERE id = $1`, lead)
	_, err = b.sc.Schedule(b.ctx, s.ID)
	wantCode(t, err, growth.NotFound)
}

func TestScheduleFaults(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.schedule()
	_, err := b.sc.CreateSchedule(b.ctx, newSchedule(func(n *growth.Schedule) { n.Name = s.Name }))
	wantCode(t, err, growth.Conflict)
	if _, err = b.neighbour().sc.CreateSchedule(b.ctx, newSchedule(func(n *growth.Schedule) { n.Name = s.Name })); err != nil {
		t.Errorf("the same name in another workspace: %v", err)
	}
	_, err = b.sc.CreateSchedule(b.ctx, newSchedule(func(n *growth.Schedule) { n.Options.CampaignID = growth.CampaignID(growth.NewID()) }))
	wantCode(t, err, growth.Invalid)
	wantCode(t, b.sc.DeleteSchedule(b.ctx, growth.ScheduleID(growth.NewID())), growth.NotFound)
	refused := errors.New("refused")
	if _, err = b.sc.UpdateSchedule(b.ctx, s.ID, func(n *growth.Schedule) error { n.Name = "other"; return refused }); !errors.Is(err, refused) {
		t.Errorf("a change that is refused: %v", err)
	}
	if got, err := b.sc.Schedule(b.ctx, s.ID); err != nil || got.Name != s.Name {
		t.Errorf("after it: %q, %v", got.Name, err)
	}
	b.exec(`INSERT INTO schedules (id, workspace_id, name, cron, zone, type, input, options, overlap, catch_up, catch_up_within, catch_up_limit, created_by)
		SELECT gen_random_uuid(), $1, 'n' || n, '', '', '', '{}', '{}', 'skip', 'none', 0, 0, '' FROM generate_series(2, $2) n`, b.ws.ID, store.MaxSchedules)
	_, err = b.sc.CreateSchedule(b.ctx, newSchedule())
	wantCode(t, err, growth.Conflict)
}

func TestAPersonRunsASchedule(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.schedule(func(s *growth.Schedule) { s.Enabled = false })
	fine := func(growth.Schedule) error { return nil }
	first, err := b.sc.RunSchedule(b.ctx, s.ID, "Ana", "key", fine)
	b.must(err)
	again, err := b.sc.RunSchedule(b.ctx, s.ID, "Ana", "key", fine)
	b.must(err)
	if again.ID != first.ID || !again.Replayed {
		t.Errorf("the same key gave %+v, first %+v", again, first)
	}
	_, err = b.sc.RunSchedule(b.ctx, s.ID, "Ana", "", fine)
	wantCode(t, err, growth.Conflict) // the first has not ended
	_, err = b.sc.RunSchedule(b.ctx, s.ID, "Ana", "", func(growth.Schedule) error { return growth.Errorf(growth.Forbidden, "", "no") })
	wantCode(t, err, growth.Forbidden)
	b.exec(`UPDATE jobs SET state = 'succeeded' WHERE id = $1`, first.ID)
	second, err := b.sc.RunSchedule(b.ctx, s.ID, "Ben", "", fine)
	b.must(err)
	ticks, err := b.sc.Ticks(b.ctx, s.ID, 10)
	b.must(err)
	if len(ticks) != 2 || !ticks[0].Manual || *ticks[0].JobID != second.ID || ticks[0].Detail != "Ben" || ticks[1].Detail != "Ana" {
		t.Errorf("ticks = %+v", ticks)
	}
}

// A tick that is there already has made its job, even if the schedule were to come due for it again.
func TestTickThatIsThereMakesNothing(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.schedule(func(s *growth.Schedule) { s.Overlap = growth.OverlapAllow })
	b.tick()
	b.exec(`UPDATE schedules SET next_tick = $2 WHERE id = $1`, s.ID, nine)
	if done, found := b.tick(); !found || done.Enqueued != 0 {
		t.Errorf("ticked = %+v, %v", done, found)
	}
	if n := b.count(`SELECT count(*) FROM jobs`); n != 1 {
		t.Errorf("%d jobs, want 1", n)
	}
}

func TestSchedulesTakeTurnsAndCanBeLeftOut(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	later := nine.Add(time.Minute)
	second := b.schedule(func(s *growth.Schedule) { s.NextTick = &later })
	first := b.schedule()
	var seen []growth.ScheduleID
	see := func(s growth.Schedule, _ time.Time) (store.Due, error) {
		seen = append(seen, s.ID)
		return store.Due{}, errors.New("not now")
	}
	for _, except := range [][]growth.ScheduleID{nil, {first.ID}, {first.ID, second.ID}} {
		_, found, _ := b.s.TickSchedule(b.ctx, later, except, see)
		if want := len(except) < 2; found != want {
			t.Errorf("without %v: found %v, want %v", except, found, want)
		}
	}
	if fmt.Sprint(seen) != fmt.Sprint([]growth.ScheduleID{first.ID, second.ID}) {
		t.Errorf("seen %v, want %v and %v", seen, first.ID, second.ID)
	}
	wait, found, err := b.s.UntilTick(b.ctx, nine.Add(-time.Hour))
	if err != nil || !found || wait != time.Hour {
		t.Errorf("until the next = %v, %v, %v", wait, found, err)
	}
}

func TestOldTicksAreForgotten(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.schedule()
	b.tick()
	b.exec(`INSERT INTO schedule_ticks (workspace_id, schedule_id, tick, state, created_at)
		SELECT $1, $2, now() - n * interval '1 minute', 'missed', now() - interval '31 days' FROM generate_series(1, 5001) n`, b.ws.ID, s.ID)
	for i, want := range []int64{5000, 1, 0} {
		if n, err := b.s.PurgeTicks(b.ctx, 30*24*time.Hour); err != nil || n != want {
			t.Errorf("purge %d forgot %d, %v; want %d", i, n, err, want)
		}
	}
	if n := b.count(`SELECT count(*) FROM schedule_ticks`); n != 1 {
		t.Errorf("%d ticks are left, want 1", n)
	}
}

func TestStopLeavesAChangedScheduleAlone(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	read := b.schedule()
	mended, err := b.sc.UpdateSchedule(b.ctx, read.ID, func(s *growth.Schedule) error { s.Zone = "Europe/Paris"; return nil })
	b.must(err)
	b.must(b.s.StopSchedule(b.ctx, read, "no such zone"))
	got, err := b.sc.Schedule(b.ctx, read.ID)
	b.must(err)
	if !got.Enabled {
		t.Error("a schedule that was mended meanwhile was stopped")
	}
	b.must(b.s.StopSchedule(b.ctx, mended, "no such zone"))
	if got, err = b.sc.Schedule(b.ctx, read.ID); err != nil || got.Enabled || got.NextTick != nil || got.Problem != "no such zone" {
		t.Errorf("stopped: %+v, %v", got, err)
	}
}
