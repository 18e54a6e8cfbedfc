package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// MaxSchedules is how many schedules a workspace may have.
const MaxSchedules = 500

type scheduleRow struct {
	ID            growth.ScheduleID  `db:"id"`
	Workspace     growth.WorkspaceID `db:"workspace_id"`
	Name          string             `db:"name"`
	Cron          string             `db:"cron"`
	Zone          string             `db:"zone"`
	Type          growth.JobType     `db:"type"`
	Input         []byte             `db:"input"`
	Options       []byte             `db:"options"`
	CampaignID    sql.NullString     `db:"campaign_id"`
	LeadID        sql.NullString     `db:"lead_id"`
	Enabled       bool               `db:"enabled"`
	Overlap       growth.Overlap     `db:"overlap"`
	Policy        string             `db:"catch_up"`
	CatchUpWithin int                `db:"catch_up_within"`
	CatchUpLimit  int                `db:"catch_up_limit"`
	StartsAt      *time.Time         `db:"starts_at"`
	EndsAt        *time.Time         `db:"ends_at"`
	LastTick      *time.Time         `db:"last_tick"`
	NextTick      *time.Time         `db:"next_tick"`
	Problem       string             `db:"problem"`
	CreatedBy     string             `db:"created_by"`
	CreatedAt     time.Time          `db:"created_at"`
	UpdatedAt     time.Time          `db:"updated_at"`
}

const scheduleColumns = `id, workspace_id, name, cron, zone, type, input, options, campaign_id, lead_id, enabled, overlap,
	catch_up, catch_up_within, catch_up_limit, starts_at, ends_at, last_tick, next_tick, problem, created_by, created_at, updated_at`

func (r scheduleRow) schedule() (growth.Schedule, error) {
	s := growth.Schedule{
		ID: r.ID, Workspace: r.Workspace, Name: r.Name, Cron: r.Cron, Zone: r.Zone, Type: r.Type, Input: r.Input,
		LeadID: growth.LeadID(r.LeadID.String), Enabled: r.Enabled, Overlap: r.Overlap,
		CatchUp:  growth.CatchUp{Policy: growth.CatchUpPolicy(r.Policy), WithinS: r.CatchUpWithin, Limit: r.CatchUpLimit},
		StartsAt: inUTC(r.StartsAt), EndsAt: inUTC(r.EndsAt), LastTick: inUTC(r.LastTick), NextTick: inUTC(r.NextTick),
		Problem: r.Problem, CreatedBy: r.CreatedBy, CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
	if err := json.Unmarshal(r.Options, &s.Options); err != nil {
		return s, &growth.Error{Code: growth.Internal, Op: "store.schedule", Err: err}
	}
	s.Options.CampaignID = growth.CampaignID(r.CampaignID.String)
	return s, nil
}

func inUTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

// parts are what a schedule's row holds in columns of other forms.
func parts(s growth.Schedule) (options []byte, campaign, lead sql.NullString, err error) {
	o := s.Options
	campaign, lead = nullString(string(o.CampaignID)), nullString(string(s.LeadID))
	o.CampaignID = ""
	if options, err = json.Marshal(o); err != nil {
		err = growth.InvalidField("store.schedule", "metadata", "it is not JSON")
	}
	return options, campaign, lead, err
}

// CreateSchedule stores a schedule. Its name must be new in the workspace.
func (sc Scoped) CreateSchedule(ctx context.Context, s growth.Schedule) (growth.Schedule, error) {
	options, campaign, lead, err := parts(s)
	if err != nil {
		return s, err
	}
	var out growth.Schedule
	err = sc.s.InTx(ctx, func(tx *Tx) error {
		if err := tx.roomForSchedule(ctx, sc.ws); err != nil {
			return err
		}
		var r scheduleRow
		err := tx.tx.GetContext(ctx, &r, `
			INSERT INTO schedules (id, workspace_id, name, cron, zone, type, input, options, campaign_id, lead_id, enabled, overlap,
				catch_up, catch_up_within, catch_up_limit, starts_at, ends_at, next_tick, created_by)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
			RETURNING `+scheduleColumns,
			growth.NewID(), sc.ws, s.Name, s.Cron, s.Zone, s.Type, withoutNUL(s.Input), withoutNUL(options), campaign, lead, s.Enabled,
			s.Overlap, s.CatchUp.Policy, s.CatchUp.WithinS, s.CatchUp.Limit, s.StartsAt, s.EndsAt, s.NextTick, s.CreatedBy)
		if err != nil {
			return scheduleFault(err)
		}
		out, err = r.schedule()
		return err
	})
	return out, err
}

func (tx *Tx) roomForSchedule(ctx context.Context, ws growth.WorkspaceID) error {
	if err := tx.lockNames(ctx, ws, []string{"schedules"}); err != nil {
		return err
	}
	var n int
	if err := tx.tx.GetContext(ctx, &n, `SELECT count(*) FROM schedules WHERE workspace_id = $1`, ws); err != nil {
		return wrap("count schedules", err)
	}
	if n >= MaxSchedules {
		return growth.Errorf(growth.Conflict, "store.CreateSchedule", "this workspace has %d schedules; delete one first", n)
	}
	return nil
}

func scheduleFault(err error) error {
	switch {
	case violates(err, "schedules_name"):
		return &growth.Error{
			Code: growth.Conflict, Op: "store.schedule", Field: "name", Message: "another schedule of this workspace has this name", Err: err,
		}
	case violates(err, "schedules_campaign"):
		return growth.InvalidField("store.schedule", "campaign_id", "there is no such campaign in this workspace")
	}
	return wrap("schedule", err)
}

// Schedule returns one schedule.
func (sc Scoped) Schedule(ctx context.Context, id growth.ScheduleID) (growth.Schedule, error) {
	var r scheduleRow
	err := sc.s.db.GetContext(ctx, &r, `SELECT `+scheduleColumns+` FROM schedules WHERE id = $1 AND workspace_id = $2`, id, sc.ws)
	if err != nil {
		return growth.Schedule{}, noSchedule(err)
	}
	return r.schedule()
}

func noSchedule(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return growth.Errorf(growth.NotFound, "store.Schedule", "there is no such schedule in this workspace")
	}
	return wrap("schedule", err)
}

// Schedules lists schedules, newest first; a name finds the one that has it.
func (sc Scoped) Schedules(ctx context.Context, name string, p Page) ([]growth.Schedule, error) {
	var rows []scheduleRow
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT `+scheduleColumns+` FROM schedules WHERE workspace_id = $1 AND id < $2 AND ($3 = '' OR name = $3)
		ORDER BY id DESC LIMIT $4`, sc.ws, p.before(), name, p.limit()); err != nil {
		return nil, wrap("schedules", err)
	}
	out := make([]growth.Schedule, 0, len(rows))
	for _, r := range rows {
		s, err := r.schedule()
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// UpdateSchedule changes a schedule while no scheduler touches it.
func (sc Scoped) UpdateSchedule(ctx context.Context, id growth.ScheduleID, change func(*growth.Schedule) error) (growth.Schedule, error) {
	var out growth.Schedule
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		s, err := tx.lockSchedule(ctx, sc.ws, id)
		if err != nil {
			return err
		}
		if err := change(&s); err != nil {
			return err
		}
		out, err = tx.writeSchedule(ctx, sc.ws, s)
		return err
	})
	return out, err
}

func (tx *Tx) lockSchedule(ctx context.Context, ws growth.WorkspaceID, id growth.ScheduleID) (growth.Schedule, error) {
	var r scheduleRow
	err := tx.tx.GetContext(ctx, &r, `
		SELECT `+scheduleColumns+` FROM schedules WHERE id = $1 AND workspace_id = $2 FOR UPDATE`, id, ws)
	if err != nil {
		return growth.Schedule{}, noSchedule(err)
	}
	return r.schedule()
}

func (tx *Tx) writeSchedule(ctx context.Context, ws growth.WorkspaceID, s growth.Schedule) (growth.Schedule, error) {
	options, campaign, lead, err := parts(s)
	if err != nil {
		return s, err
	}
	var r scheduleRow
	err = tx.tx.GetContext(ctx, &r, `
		UPDATE schedules SET name = $3, cron = $4, zone = $5, type = $6, input = $7, options = $8, campaign_id = $9, lead_id = $10,
			enabled = $11, overlap = $12, catch_up = $13, catch_up_within = $14, catch_up_limit = $15, starts_at = $16, ends_at = $17,
			next_tick = $18, problem = $19, updated_at = now()
		WHERE id = $1 AND workspace_id = $2
		RETURNING `+scheduleColumns,
		s.ID, ws, s.Name, s.Cron, s.Zone, s.Type, withoutNUL(s.Input), withoutNUL(options), campaign, lead, s.Enabled,
		s.Overlap, s.CatchUp.Policy, s.CatchUp.WithinS, s.CatchUp.Limit, s.StartsAt, s.EndsAt, s.NextTick, s.Problem)
	if err != nil {
		return s, scheduleFault(err)
	}
	return r.schedule()
}

// DeleteSchedule ends a schedule and forgets its ticks. The jobs that it made stay.
func (sc Scoped) DeleteSchedule(ctx context.Context, id growth.ScheduleID) error {
	res, err := sc.s.db.ExecContext(ctx, `DELETE FROM schedules WHERE id = $1 AND workspace_id = $2`, id, sc.ws)
	if err != nil {
		return wrap("delete schedule", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return noSchedule(errors.Join(err, sql.ErrNoRows))
	}
	return nil
}
