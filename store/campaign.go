package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
)

// Campaign is a named batch of work.
type Campaign struct {
	ID          growth.CampaignID `db:"id" json:"id"`
	Number      int64             `db:"number" json:"number"`
	Name        string            `db:"name" json:"name"`
	Status      string            `db:"status" json:"status" enum:"open,closed" doc:"closed: it takes no more jobs"`
	CompletedAt *time.Time        `db:"completed_at" json:"completed_at" doc:"When all its jobs had ended, for the first time since it was opened"`
	ClosedAt    *time.Time        `db:"closed_at" json:"closed_at"`
	CreatedAt   time.Time         `db:"created_at" json:"created_at"`
	UpdatedAt   time.Time         `db:"updated_at" json:"updated_at"`
}

const campaignColumns = `id, number, name, status, completed_at, closed_at, created_at, updated_at`

func (c Campaign) inUTC() Campaign {
	c.CreatedAt, c.UpdatedAt = c.CreatedAt.UTC(), c.UpdatedAt.UTC()
	for _, t := range []*time.Time{c.CompletedAt, c.ClosedAt} {
		if t != nil {
			*t = t.UTC()
		}
	}
	return c
}

// EnsureCampaign returns the campaign with this name and makes it when there is none.
func (sc Scoped) EnsureCampaign(ctx context.Context, name string) (Campaign, error) {
	var c Campaign
	err := sc.s.db.GetContext(ctx, &c, `
		INSERT INTO campaigns (id, workspace_id, name) VALUES ($1, $2, $3)
		ON CONFLICT (workspace_id, name) DO UPDATE SET name = excluded.name
		RETURNING `+campaignColumns, growth.NewID(), sc.ws, name)
	return c.inUTC(), wrap("ensure campaign", err)
}

// Campaigns lists the workspace's campaigns, newest first.
func (sc Scoped) Campaigns(ctx context.Context, p Page) ([]Campaign, error) {
	out := []Campaign{}
	err := sc.s.db.SelectContext(ctx, &out, `
		SELECT `+campaignColumns+` FROM campaigns WHERE workspace_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3`,
		sc.ws, p.before(), p.limit())
	for i := range out {
		out[i] = out[i].inUTC()
	}
	return out, wrap("campaigns", err)
}

// CampaignByRef finds a campaign by its id or by its number, as older clients name it.
func (sc Scoped) CampaignByRef(ctx context.Context, ref string) (Campaign, error) {
	var c Campaign
	err := sc.s.db.GetContext(ctx, &c, `
		SELECT `+campaignColumns+` FROM campaigns WHERE workspace_id = $1 AND (id::text = $2 OR number::text = $2)`, sc.ws, ref)
	if errors.Is(err, sql.ErrNoRows) {
		return c, growth.Errorf(growth.NotFound, "store.CampaignByRef", "there is no such campaign in this workspace")
	}
	return c.inUTC(), wrap("campaign", err)
}

// Progress is how far a campaign's jobs are. CostUSD is without the calls whose cost is unknown.
type Progress struct {
	Total        int
	ByState      map[growth.JobState]int
	ByPriority   map[string]int // of its leads
	Disqualified int            // leads that a gate put out of the question
	CostUSD      decimal.Decimal
	Unknown      int // calls whose cost is unknown
}

// CampaignProgress counts a campaign's jobs, leads and costs.
func (sc Scoped) CampaignProgress(ctx context.Context, id growth.CampaignID) (Progress, error) {
	p := Progress{ByState: map[growth.JobState]int{}, ByPriority: map[string]int{}}
	if _, err := sc.CampaignByRef(ctx, string(id)); err != nil {
		return p, err
	}
	var jobs []struct {
		State growth.JobState `db:"state"`
		N     int             `db:"n"`
		Gated int             `db:"gated"`
	}
	if err := sc.s.db.SelectContext(ctx, &jobs, `
		SELECT state, count(*) AS n,
			count(DISTINCT lead_id) FILTER (WHERE jsonb_array_length(coalesce(nullif(result->'disqualifiers', 'null'), '[]')) > 0) AS gated
		FROM jobs WHERE campaign_id = $1 AND workspace_id = $2 GROUP BY state`, id, sc.ws); err != nil {
		return p, wrap("campaign jobs", err)
	}
	for _, j := range jobs {
		p.ByState[j.State], p.Total, p.Disqualified = j.N, p.Total+j.N, p.Disqualified+j.Gated
	}
	var leads []struct {
		Priority string `db:"priority"`
		N        int    `db:"n"`
	}
	if err := sc.s.db.SelectContext(ctx, &leads, `
		SELECT coalesce(nullif(priority, ''), 'unscored') AS priority, count(*) AS n
		FROM leads WHERE campaign_id = $1 AND workspace_id = $2 GROUP BY 1`, id, sc.ws); err != nil {
		return p, wrap("campaign leads", err)
	}
	for _, l := range leads {
		p.ByPriority[l.Priority] = l.N
	}
	var cost struct {
		USD     decimal.Decimal `db:"usd"`
		Unknown int             `db:"unknown"`
	}
	err := sc.s.db.GetContext(ctx, &cost, `
		SELECT coalesce(sum(c.cost_usd), 0) AS usd, count(*) FILTER (WHERE c.cost_usd IS NULL AND c.status <> 'started') AS unknown
		FROM calls c JOIN jobs j ON j.id = c.job_id
		WHERE j.campaign_id = $1 AND j.workspace_id = $2 AND c.status <> 'skipped'`, id, sc.ws)
	p.CostUSD, p.Unknown = cost.USD, cost.Unknown
	return p, wrap("campaign cost", err)
}
