package store

import (
	"context"
	"time"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
)

// DueJobs counts, by type, the jobs that lie ahead between two instants.
func (sc Scoped) DueJobs(ctx context.Context, from, to time.Time) (map[growth.JobType]int, error) {
	var rows []struct {
		Type growth.JobType `db:"type"`
		N    int            `db:"n"`
	}
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT type, count(*) AS n FROM jobs
		WHERE workspace_id = $1 AND state IN ('scheduled', 'queued', 'retrying', 'waiting') AND run_at >= $2 AND run_at < $3
		  AND type NOT IN ('callback', 'maintenance')
		GROUP BY type`, sc.ws, from, to); err != nil {
		return nil, wrap("due jobs", err)
	}
	out := map[growth.JobType]int{}
	for _, r := range rows {
		out[r.Type] = r.N
	}
	return out, nil
}

// UnitCost is what a job of one type has cost.
type UnitCost struct {
	Type    growth.JobType   `db:"type"`
	Jobs    int              `db:"jobs"`    // that ended well
	USD     *decimal.Decimal `db:"usd"`     // of one, on average over those whose cost is known; nil: of none
	Unknown int              `db:"unknown"` // jobs with a call whose cost nobody knows
}

// UnitCosts says what one job of each type has cost on average since an instant.
func (sc Scoped) UnitCosts(ctx context.Context, since time.Time) (map[growth.JobType]UnitCost, error) {
	var rows []UnitCost
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT type, count(*) AS jobs, avg(usd) FILTER (WHERE NOT unknown) AS usd, count(*) FILTER (WHERE unknown) AS unknown
		FROM (
			SELECT j.type, coalesce(sum(c.cost_usd), 0) AS usd, coalesce(bool_or(c.cost_usd IS NULL AND c.status <> 'skipped'), false) AS unknown
			FROM jobs j LEFT JOIN calls c ON c.job_id = j.id AND c.workspace_id = $1
			WHERE j.workspace_id = $1 AND j.state = 'succeeded' AND j.finished_at > $2 AND j.type NOT IN ('callback', 'maintenance')
			GROUP BY j.id) AS each
		GROUP BY type`, sc.ws, since); err != nil {
		return nil, wrap("unit costs", err)
	}
	out := map[growth.JobType]UnitCost{}
	for _, r := range rows {
		if r.USD != nil {
			d := r.USD.Round(12)
			r.USD = &d
		}
		out[r.Type] = r
	}
	return out, nil
}

// EnabledSchedules lists the schedules of the workspace that come due by themselves, at most 1,000.
func (sc Scoped) EnabledSchedules(ctx context.Context) ([]growth.Schedule, error) {
	var out []growth.Schedule
	p := Page{Limit: 200}
	for len(out) < 1000 {
		page, err := sc.Schedules(ctx, "", p)
		if err != nil {
			return nil, err
		}
		for _, s := range page {
			if s.Enabled {
				out = append(out, s)
			}
		}
		if len(page) < 200 {
			break
		}
		p.Cursor = string(page[len(page)-1].ID)
	}
	return out, nil
}
