package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/lib/pq"

	growth "github.com/zakibelm/astrogrowth"
)

// Due is what has to be done about a schedule whose time has come.
type Due struct {
	Run         []time.Time // ticks that enqueue a job, oldest first
	MissedFrom  time.Time   // the first tick that is let go; zero: none is
	MissedUntil time.Time   // the tick before which they end; zero: they are the last
	Next        time.Time   // zero: nothing will come due
}

// Ticked is what was done about a schedule.
type Ticked struct {
	Schedule growth.Schedule
	Enqueued int
	Skipped  int
	Missed   bool
}

// TickSchedule takes the schedule that has been due for longest, unless another process has it, and does what plan says
// of it: ticks, jobs and the next time are one commit, so that each tick makes its job once whatever is killed. at is
// the time that it is; zero: the database's clock, which is the same for all. Schedules in except are left alone. found
// is false when nothing is due; the schedule is named beside an error.
func (s *Store) TickSchedule(ctx context.Context, at time.Time, except []growth.ScheduleID, plan func(s growth.Schedule, now time.Time) (Due, error)) (done Ticked, found bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		var r struct {
			scheduleRow
			Now time.Time `db:"now"`
		}
		err := tx.tx.GetContext(ctx, &r, `
			SELECT `+scheduleColumns+`, coalesce($1::timestamptz, now()) AS now FROM schedules
			WHERE enabled AND next_tick <= coalesce($1::timestamptz, now()) AND id <> ALL ($2::uuid[])
			ORDER BY next_tick, id LIMIT 1 FOR UPDATE SKIP LOCKED`, orClock(at), pq.Array(texts(except)))
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return wrap("due schedule", err)
		}
		found, done.Schedule = true, growth.Schedule{ID: r.ID, Workspace: r.Workspace, Name: r.Name}
		if done.Schedule, err = r.schedule(); err != nil {
			return err
		}
		due, err := plan(done.Schedule, r.Now.UTC())
		if err != nil {
			return err
		}
		return tx.tick(ctx, due, &done)
	})
	return done, found, err
}

// texts is never nil: a null array would be unequal to nothing.
func texts(ids []growth.ScheduleID) []string {
	out := make([]string, 0, len(ids))
	for _, id := range ids {
		out = append(out, string(id))
	}
	return out
}

// orClock leaves it to the statement what a zero time means.
func orClock(at time.Time) any {
	if at.IsZero() {
		return nil
	}
	return at.UTC()
}

func (tx *Tx) tick(ctx context.Context, due Due, done *Ticked) error {
	s := done.Schedule
	last := due.MissedFrom
	if !due.MissedFrom.IsZero() {
		done.Missed = true
		if _, err := tx.tx.ExecContext(ctx, `
			INSERT INTO schedule_ticks (workspace_id, schedule_id, tick, state, until) VALUES ($1, $2, $3, 'missed', $4)
			ON CONFLICT DO NOTHING`, s.Workspace, s.ID, due.MissedFrom.UTC(), orClock(due.MissedUntil)); err != nil {
			return wrap("missed ticks", err)
		}
	}
	for _, at := range due.Run {
		last = at
		state, err := tx.enqueueTick(ctx, s, at)
		if err != nil {
			return err
		}
		switch state {
		case growth.TickEnqueued:
			done.Enqueued++
		case growth.TickSkipped:
			done.Skipped++
		case growth.TickMissed:
		}
	}
	_, err := tx.tx.ExecContext(ctx, `
		UPDATE schedules SET last_tick = coalesce($2, last_tick), next_tick = $3 WHERE id = $1`, s.ID, orClock(last), orClock(due.Next))
	return wrap("next tick", err)
}

// enqueueTick accepts the job of one tick. A tick that is there already has made its job, and nothing is done.
func (tx *Tx) enqueueTick(ctx context.Context, s growth.Schedule, at time.Time) (growth.TickState, error) {
	var one int
	err := tx.tx.GetContext(ctx, &one, `
		INSERT INTO schedule_ticks (workspace_id, schedule_id, tick, state) VALUES ($1, $2, $3, 'enqueued')
		ON CONFLICT DO NOTHING RETURNING 1`, s.Workspace, s.ID, at.UTC())
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", wrap("tick", err)
	}
	out, err := tx.accept(ctx, s.Workspace, []NewJob{jobOf(s)})
	if err != nil {
		return "", err
	}
	state, detail := growth.TickEnqueued, ""
	if out[0].Existing {
		state, detail = growth.TickSkipped, "the schedule's job before had not ended"
	}
	_, err = tx.tx.ExecContext(ctx, `
		UPDATE schedule_ticks SET state = $3, job_id = $4, detail = $5 WHERE schedule_id = $1 AND tick = $2 AND NOT manual`,
		s.ID, at.UTC(), state, out[0].ID, detail)
	return state, wrap("tick", err)
}

// jobOf is the job that a schedule makes. Under OverlapSkip the jobs of a schedule share a unique key, of which the
// table allows one unfinished job.
func jobOf(s growth.Schedule) NewJob {
	j := NewJob{Type: s.Type, Input: s.Input, Options: s.Options, LeadID: s.LeadID, TraceID: "schedule-" + string(s.ID)}
	if s.Overlap == growth.OverlapSkip {
		j.UniqueKey = "schedule " + string(s.ID)
	}
	return j
}

// RunSchedule makes a schedule's job now, because a person wants it. The clock's ticks go on as they would have. key
// makes a repeated request the same one; empty: each is a new one. check sees the schedule as it is run.
func (sc Scoped) RunSchedule(ctx context.Context, id growth.ScheduleID, by, key string, check func(growth.Schedule) error) (Accepted, error) {
	var out []Accepted
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		s, err := tx.lockSchedule(ctx, sc.ws, id)
		if err != nil {
			return err
		}
		if err := check(s); err != nil {
			return err
		}
		j := jobOf(s)
		j.IdempotencyKey, j.BodyHash = key, HashBody([]byte("run schedule "+string(id)))
		// Asked first: a job that has not ended is found by its unique key before its idempotency key is looked at.
		first, err := tx.firstUnder(ctx, sc.ws, j)
		if err != nil || first != "" {
			out = []Accepted{{ID: first, Replayed: true}}
			return err
		}
		if out, err = tx.accept(ctx, sc.ws, []NewJob{j}); err != nil {
			return err
		}
		if out[0].Existing {
			return growth.Errorf(growth.Conflict, "store.RunSchedule", "the schedule's job before has not ended: it is %s", out[0].ID)
		}
		_, err = tx.tx.ExecContext(ctx, `
			INSERT INTO schedule_ticks (workspace_id, schedule_id, tick, manual, state, job_id, detail)
			VALUES ($1, $2, clock_timestamp(), true, 'enqueued', $3, $4)`, sc.ws, id, out[0].ID, by)
		return wrap("run schedule", err)
	})
	if err != nil {
		return Accepted{}, err
	}
	return out[0], nil
}

// firstUnder is the job that was accepted under the same key for the same request, or nothing.
func (tx *Tx) firstUnder(ctx context.Context, ws growth.WorkspaceID, j NewJob) (growth.JobID, error) {
	var first growth.JobID
	err := tx.tx.GetContext(ctx, &first, `
		SELECT job_id FROM idempotency_keys
		WHERE workspace_id = $1 AND key = $2 AND body_hash = $3 AND expires_at > now()`, ws, j.IdempotencyKey, j.BodyHash)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return first, wrap("run schedule", err)
}

// Ticks lists what was made of a schedule's times, newest first.
func (sc Scoped) Ticks(ctx context.Context, id growth.ScheduleID, limit int) ([]growth.Tick, error) {
	of, err := sc.TicksOf(ctx, []growth.ScheduleID{id}, limit)
	return append([]growth.Tick{}, of[id]...), err
}

// TicksOf is Ticks for several schedules, with the newest few of each.
func (sc Scoped) TicksOf(ctx context.Context, ids []growth.ScheduleID, limit int) (map[growth.ScheduleID][]growth.Tick, error) {
	var rows []struct {
		Schedule  growth.ScheduleID `db:"schedule_id"`
		At        time.Time         `db:"tick"`
		Manual    bool              `db:"manual"`
		State     growth.TickState  `db:"state"`
		JobID     *growth.JobID     `db:"job_id"`
		Until     *time.Time        `db:"until"`
		Detail    string            `db:"detail"`
		CreatedAt time.Time         `db:"created_at"`
	}
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT t.schedule_id, t.tick, t.manual, t.state, t.job_id, t.until, t.detail, t.created_at
		FROM unnest($1::uuid[]) AS s (id), LATERAL (
			SELECT schedule_id, tick, manual, state, job_id, until, detail, created_at FROM schedule_ticks
			WHERE schedule_id = s.id AND workspace_id = $2 ORDER BY tick DESC LIMIT $3) AS t
		ORDER BY t.schedule_id, t.tick DESC`, pq.Array(texts(ids)), sc.ws, limit); err != nil {
		return nil, wrap("ticks", err)
	}
	out := make(map[growth.ScheduleID][]growth.Tick, len(ids))
	for _, r := range rows {
		out[r.Schedule] = append(out[r.Schedule], growth.Tick{
			At: r.At.UTC(), State: r.State, Manual: r.Manual, JobID: r.JobID, Until: inUTC(r.Until), Detail: r.Detail, CreatedAt: r.CreatedAt.UTC(),
		})
	}
	return out, nil
}

// UntilTick is how long it takes until the next schedule is due; found is false when none will be.
func (s *Store) UntilTick(ctx context.Context, at time.Time) (wait time.Duration, found bool, err error) {
	var seconds sql.NullFloat64
	err = s.db.GetContext(ctx, &seconds, `
		SELECT extract(epoch FROM min(next_tick) - coalesce($1::timestamptz, now())) FROM schedules
		WHERE enabled AND next_tick IS NOT NULL`, orClock(at))
	return time.Duration(seconds.Float64 * float64(time.Second)), seconds.Valid, wrap("until tick", err)
}

// StopSchedule disables a schedule that cannot go on, and keeps the reason where its owner sees it. One that was changed
// since it was read is left alone.
func (s *Store) StopSchedule(ctx context.Context, sch growth.Schedule, problem string) error {
	_, err := s.db.ExecContext(ctx, `
		UPDATE schedules SET enabled = false, next_tick = NULL, problem = $3, updated_at = now()
		WHERE id = $1 AND updated_at = $2`, sch.ID, sch.UpdatedAt, problem)
	return wrap("stop schedule", err)
}

// PurgeTicks forgets ticks of long ago, a bounded number at a time, and says how many.
func (s *Store) PurgeTicks(ctx context.Context, age time.Duration) (int64, error) {
	res, err := s.db.ExecContext(ctx, `
		DELETE FROM schedule_ticks WHERE ctid = ANY (ARRAY(
			SELECT ctid FROM schedule_ticks WHERE created_at < now() - $1 * interval '1 second' ORDER BY created_at LIMIT 5000))`, age.Seconds())
	if err != nil {
		return 0, wrap("purge ticks", err)
	}
	n, err := res.RowsAffected()
	return n, wrap("purge ticks", err)
}
