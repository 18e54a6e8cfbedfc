package store

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/lib/pq"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
)

// The states of a campaign. A closed one takes no more jobs.
const (
	CampaignOpen   = "open"
	CampaignClosed = "closed"
)

// CampaignCounts is what stands in a campaign. CostUSD is without the calls whose cost is unknown.
type CampaignCounts struct {
	Jobs      map[growth.JobType]map[growth.JobState]int
	Leads     map[string]int // by priority; those without a score are under unscored
	Contents  map[growth.ContentStatus]int
	Published int // posts that are on LinkedIn
	CostUSD   decimal.Decimal
	Calls     int
	Unknown   int // calls whose cost is unknown
	Budgets   []CampaignBudget
}

// CampaignBudget is a budget that holds for the campaign's jobs alone.
type CampaignBudget struct {
	ID   growth.BudgetID `db:"id" json:"id"`
	Name string          `db:"name" json:"name"`
}

// Campaign returns one campaign.
func (sc Scoped) Campaign(ctx context.Context, id growth.CampaignID) (Campaign, error) {
	return sc.CampaignByRef(ctx, string(id))
}

// CountCampaign counts what stands in a campaign.
func (sc Scoped) CountCampaign(ctx context.Context, id growth.CampaignID) (CampaignCounts, error) {
	out := CampaignCounts{
		Jobs: map[growth.JobType]map[growth.JobState]int{}, Leads: map[string]int{}, Contents: map[growth.ContentStatus]int{},
		Budgets: []CampaignBudget{},
	}
	if _, err := sc.Campaign(ctx, id); err != nil {
		return out, err
	}
	var rows []struct {
		Of   string `db:"of"`
		Kind string `db:"kind"`
		Word string `db:"word"`
		N    int    `db:"n"`
	}
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT 'job' AS of, type AS kind, state AS word, count(*) AS n FROM jobs WHERE campaign_id = $1 AND workspace_id = $2 GROUP BY type, state
		UNION ALL
		SELECT 'lead', '', coalesce(nullif(priority, ''), 'unscored'), count(*) FROM leads WHERE campaign_id = $1 AND workspace_id = $2 GROUP BY 3
		UNION ALL
		SELECT 'content', '', status, count(*) FROM contents WHERE campaign_id = $1 AND workspace_id = $2 GROUP BY status
		UNION ALL
		SELECT 'published', '', '', count(*) FROM publications p JOIN jobs j ON j.id = p.job_id
			WHERE j.campaign_id = $1 AND j.workspace_id = $2 AND p.state = 'published'`, id, sc.ws); err != nil {
		return out, wrap("count campaign", err)
	}
	for _, r := range rows {
		switch r.Of {
		case "job":
			kind := growth.JobType(r.Kind)
			if out.Jobs[kind] == nil {
				out.Jobs[kind] = map[growth.JobState]int{}
			}
			out.Jobs[kind][growth.JobState(r.Word)] = r.N
		case "lead":
			out.Leads[r.Word] = r.N
		case "content":
			out.Contents[growth.ContentStatus(r.Word)] = r.N
		default:
			out.Published = r.N
		}
	}
	if err := sc.costOfCampaign(ctx, id, &out); err != nil {
		return out, err
	}
	err := sc.s.db.SelectContext(ctx, &out.Budgets, `
		SELECT id, name FROM budgets WHERE workspace_id = $1 AND campaign_id = $2 ORDER BY id LIMIT 100`, sc.ws, id)
	return out, wrap("budgets of campaign", err)
}

func (sc Scoped) costOfCampaign(ctx context.Context, id growth.CampaignID, out *CampaignCounts) error {
	var cost struct {
		USD     decimal.Decimal `db:"usd"`
		Calls   int             `db:"calls"`
		Unknown int             `db:"unknown"`
	}
	err := sc.s.db.GetContext(ctx, &cost, `
		SELECT coalesce(sum(c.cost_usd), 0) AS usd, count(*) AS calls,
			count(*) FILTER (WHERE c.cost_usd IS NULL AND c.status <> 'started') AS unknown
		FROM calls c JOIN jobs j ON j.id = c.job_id
		WHERE j.campaign_id = $1 AND j.workspace_id = $2 AND c.status <> 'skipped'`, id, sc.ws)
	out.CostUSD, out.Calls, out.Unknown = cost.USD, cost.Calls, cost.Unknown
	return wrap("cost of campaign", err)
}

// CampaignChange is what of a campaign changes; nil leaves a thing as it is.
type CampaignChange struct {
	Name   *string
	Status *string
	Budget *growth.BudgetID // that holds for the campaign's jobs alone from now on
}

// ChangeCampaign changes a campaign. Closing one whose jobs have all ended completes it; opening one lets it be completed
// once more.
func (sc Scoped) ChangeCampaign(ctx context.Context, id growth.CampaignID, c CampaignChange) (Campaign, error) {
	var out Campaign
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		err := tx.tx.GetContext(ctx, &out, `
			UPDATE campaigns AS c SET name = coalesce($3, name), updated_at = now(), status = coalesce($4, status),
				closed_at = CASE WHEN coalesce($4, status) = 'open' THEN NULL ELSE coalesce(closed_at, now()) END,
				completed_at = CASE WHEN $4 = 'open' THEN NULL ELSE completed_at END
			WHERE id = $1 AND workspace_id = $2 RETURNING `+campaignColumns, id, sc.ws, c.Name, c.Status)
		switch {
		case none(err):
			return growth.Errorf(growth.NotFound, "store.ChangeCampaign", "there is no campaign %s in this workspace", id)
		case violates(err, "campaigns_name"):
			return &growth.Error{Code: growth.Conflict, Op: "store.ChangeCampaign", Field: "name", Message: "another campaign of this workspace has this name"}
		case err != nil:
			return wrap("change campaign", err)
		}
		if c.Budget != nil {
			return tx.bindBudget(ctx, sc.ws, *c.Budget, id)
		}
		return nil
	})
	return out.inUTC(), err
}

func (tx *Tx) bindBudget(ctx context.Context, ws growth.WorkspaceID, budget growth.BudgetID, id growth.CampaignID) error {
	if err := tx.budgetsChanged(ctx, ws); err != nil {
		return err
	}
	res, err := tx.tx.ExecContext(ctx, `UPDATE budgets SET campaign_id = $3, updated_at = now() WHERE id = $1 AND workspace_id = $2`, budget, ws, id)
	if err != nil {
		return wrap("bind budget", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return growth.InvalidField("store.ChangeCampaign", "budget_id", "there is no such budget in this workspace; see /v1/budgets")
	}
	return tx.wakeBudgetWaiters(ctx, ws)
}

// refuseClosed is a Conflict when a job would go to a campaign that takes no more. It holds the campaigns until the jobs
// are committed, so that none is closed in between.
func (tx *Tx) refuseClosed(ctx context.Context, ws growth.WorkspaceID, jobs []NewJob) error {
	var ids []string
	for _, j := range jobs {
		if c := string(j.Options.CampaignID); c != "" && !slices.Contains(ids, c) {
			ids = append(ids, c)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	var states []string
	if err := tx.tx.SelectContext(ctx, &states, `
		SELECT status FROM campaigns WHERE workspace_id = $1 AND id = ANY($2::uuid[]) ORDER BY id FOR SHARE`, ws, pq.Array(ids)); err != nil {
		return wrap("campaigns of jobs", err)
	}
	if slices.Contains(states, CampaignClosed) {
		return &growth.Error{Code: growth.Conflict, Op: "store.accept", Field: "campaign_id", Message: "this campaign is closed and takes no more jobs; open it, or use another"}
	}
	return nil
}

// Completed is a campaign, or an import, about which something was told now for the first time.
type Completed struct {
	Workspace growth.WorkspaceID `db:"workspace_id"`
	Event     string             `db:"-"`
}

// CompleteCampaigns tells of the campaigns whose jobs have all ended: one event each, in the commit that notes it, so that
// it comes once however many processes look. One that is open must have been quiet for a while, and no import may be on
// its way into it: more jobs are about to come.
func (s *Store) CompleteCampaigns(ctx context.Context, quiet time.Duration) ([]Completed, error) {
	var done []Completed
	err := s.InTx(ctx, func(tx *Tx) error {
		var rows []struct {
			ID        growth.CampaignID  `db:"id"`
			Workspace growth.WorkspaceID `db:"workspace_id"`
			Counts    []byte             `db:"counts"`
		}
		if err := tx.tx.SelectContext(ctx, &rows, `
			WITH due AS (
				SELECT c.id FROM campaigns c
				WHERE c.completed_at IS NULL
				  AND EXISTS (SELECT 1 FROM jobs j WHERE j.campaign_id = c.id)
				  AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.campaign_id = c.id AND j.state NOT IN ('succeeded', 'failed', 'canceled'))
				  AND (c.status = 'closed' OR NOT EXISTS (SELECT 1 FROM jobs j WHERE j.campaign_id = c.id
						AND greatest(j.created_at, j.finished_at) > now() - $1 * interval '1 millisecond')
					AND NOT EXISTS (SELECT 1 FROM imports i WHERE i.campaign_id = c.id AND i.state = 'running'
						AND i.updated_at > now() - interval '1 day'))
				ORDER BY c.id LIMIT 100 FOR UPDATE OF c SKIP LOCKED
			)
			UPDATE campaigns SET completed_at = now() FROM due WHERE campaigns.id = due.id
			RETURNING campaigns.id, campaigns.workspace_id, (SELECT jsonb_object_agg(state, n) FROM (
				SELECT state, count(*) AS n FROM jobs j WHERE j.campaign_id = campaigns.id GROUP BY state) AS s) AS counts`, quiet.Milliseconds()); err != nil {
			return wrap("complete campaigns", err)
		}
		for _, r := range rows {
			data, err := json.Marshal(map[string]any{"campaign_id": r.ID, "jobs": json.RawMessage(r.Counts)})
			if err != nil {
				return wrap("complete campaigns", err)
			}
			if err := tx.AddEvent(ctx, r.Workspace, "", NewEvent{Type: "campaign.completed", Data: data}); err != nil {
				return err
			}
			done = append(done, Completed{Workspace: r.Workspace, Event: "campaign.completed"})
		}
		return nil
	})
	return done, err
}

// ClosedCampaigns says which of the campaigns take no more jobs.
func (sc Scoped) ClosedCampaigns(ctx context.Context, ids []growth.CampaignID) (map[growth.CampaignID]bool, error) {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = string(id)
	}
	var closed []growth.CampaignID
	if err := sc.s.db.SelectContext(ctx, &closed, `
		SELECT id FROM campaigns WHERE workspace_id = $1 AND id = ANY($2::uuid[]) AND status = 'closed'`, sc.ws, pq.Array(names)); err != nil {
		return nil, wrap("closed campaigns", err)
	}
	out := make(map[growth.CampaignID]bool, len(closed))
	for _, id := range closed {
		out[id] = true
	}
	return out, nil
}
