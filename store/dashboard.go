package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/lib/pq"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
)

// ChainHealth measures how well the chain of providers served a workspace.
type ChainHealth struct {
	Answered    int64           `db:"answered"`      // requests that a provider answered to our satisfaction
	Minutes     int64           `db:"minutes"`       // minutes in which the chain had something to do
	UpMinutes   int64           `db:"up_minutes"`    // those in which, or in the one after which, it answered
	Failovers   int64           `db:"failovers"`     // walks in which a candidate failed or was barred by its breaker
	FailoversOK int64           `db:"failovers_ok"`  // those that another candidate answered
	CostUSD     decimal.Decimal `db:"cost_usd"`      // what all requests cost, as far as it is known
	Unknown     int64           `db:"unknown_costs"` // requests whose cost is not known
}

// ChainHealth returns the health of the chain since a moment. A minute without an answer that is followed by one with an
// answer counts as up: the walk went over the minute's end. Rows from before walks had ids are grouped by the job's attempt
// and step, and such rows of direct calls, which nothing groups, are no walk.
func (sc Scoped) ChainHealth(ctx context.Context, since time.Time) (ChainHealth, error) {
	var h ChainHealth
	err := sc.s.db.GetContext(ctx, &h, `
		WITH c AS MATERIALIZED (
			SELECT id, coalesce(walk_id::text, job_id || ' ' || fence || ' ' || step) AS walk, provider || '/' || model AS who, date_trunc('minute', started_at) AS minute,
				status <> 'skipped' AS sent, status <> 'skipped' AND cost_usd IS NULL AS unknown,
				CASE WHEN status = 'skipped' THEN 0 ELSE cost_usd END AS cost_usd, decision = 'answered' AS answered,
				decision = 'failed' AND code <> 'canceled' OR decision = 'skipped' AND code = 'breaker_open' AS lost
			FROM calls WHERE workspace_id = $1 AND started_at >= $2 AND status <> 'started'
		), m AS (
			SELECT minute, bool_or(answered) AS up FROM c WHERE answered OR lost GROUP BY minute
		), w AS (
			SELECT (array_agg(who ORDER BY id) FILTER (WHERE lost))[1] AS lost, (array_agg(who ORDER BY id) FILTER (WHERE answered))[1] AS won
			FROM c WHERE walk IS NOT NULL GROUP BY walk
		), f AS (
			SELECT count(*) AS failovers, count(won) AS failovers_ok FROM w WHERE lost IS NOT NULL AND won IS DISTINCT FROM lost
		), u AS (
			SELECT count(*) AS minutes,
				count(*) FILTER (WHERE up OR EXISTS (SELECT 1 FROM m n WHERE n.minute = m.minute + interval '1 minute' AND n.up)) AS up_minutes
			FROM m
		)
		SELECT f.failovers, f.failovers_ok, u.minutes, u.up_minutes, s.*
		FROM f, u, (SELECT count(*) FILTER (WHERE answered) AS answered, coalesce(sum(cost_usd), 0) AS cost_usd,
			count(*) FILTER (WHERE unknown) AS unknown_costs FROM c) s`, sc.ws, since)
	return h, wrap("chain health", err)
}

// CostOfJobs returns what each of the jobs cost; a job without a request cost nothing, and one with a request whose
// cost nobody knows has an unknown cost.
func (sc Scoped) CostOfJobs(ctx context.Context, ids []growth.JobID) (map[growth.JobID]growth.Money, error) {
	var rows []struct {
		Job      growth.JobID    `db:"job_id"`
		Cost     decimal.Decimal `db:"cost_usd"`
		Unknown  bool            `db:"unknown"`
		Reported bool            `db:"reported"`
	}
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT job_id, coalesce(sum(cost_usd), 0) AS cost_usd, bool_or(cost_usd IS NULL) AS unknown,
			bool_and(provenance = 'reported') AS reported
		FROM calls WHERE workspace_id = $1 AND job_id = ANY($2::uuid[]) AND status <> 'skipped' GROUP BY job_id`,
		sc.ws, pq.Array(ids)); err != nil {
		return nil, wrap("cost of jobs", err)
	}
	out := make(map[growth.JobID]growth.Money, len(ids))
	for _, id := range ids {
		out[id] = growth.USD(zero, growth.CostReported)
	}
	for _, r := range rows {
		switch {
		case r.Unknown:
			out[r.Job] = growth.UnknownMoney("USD")
		case r.Reported:
			out[r.Job] = growth.USD(r.Cost, growth.CostReported)
		default:
			out[r.Job] = growth.USD(r.Cost, growth.CostPriced)
		}
	}
	return out, nil
}

// StepDone is a step of a job that is finished and kept.
type StepDone struct {
	Name string    `db:"name"`
	At   time.Time `db:"created_at"`
}

// StepsOfJob lists the finished steps of a job, oldest first.
func (sc Scoped) StepsOfJob(ctx context.Context, id growth.JobID) ([]StepDone, error) {
	out := []StepDone{}
	err := sc.s.db.SelectContext(ctx, &out, `
		SELECT s.name, s.created_at FROM job_steps s JOIN jobs j ON j.id = s.job_id
		WHERE s.job_id = $1 AND j.workspace_id = $2 ORDER BY s.created_at, s.name`, id, sc.ws)
	return out, wrap("steps of job", err)
}

// Ranked asks for leads by score. The zero value starts at the best.
type Ranked struct {
	Priority string // high, medium, low; "unscored" for those without a score; empty: all
	Query    string // part of the business's name, its type, the contact's name or the city
	Limit    int
	Score    int           // of the last lead of the page before; -1 for a lead without a score
	After    growth.LeadID // the last lead of the page before; empty: from the best
}

// RankedLeads lists leads, the best score first, those without a score last.
func (sc Scoped) RankedLeads(ctx context.Context, r Ranked) ([]SavedLead, error) {
	score, after := int64(1)<<31, string(r.After)
	if after == "" {
		after = Page{}.before()
	} else {
		score = int64(r.Score)
	}
	var rows []leadRow
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT `+leadColumns+` FROM leads
		WHERE workspace_id = $1 AND (coalesce(score, -1), id) < ($2::bigint, $3::uuid)
		  AND ($4 = '' OR $4 = priority OR $4 = 'unscored' AND priority = '')
		  AND ($5 = '' OR strpos(lower(concat_ws(' ', data->>'business_name', data->>'business_type', data->>'contact_name', data->>'city')), lower($5)) > 0)
		ORDER BY coalesce(score, -1) DESC, id DESC LIMIT $6`,
		sc.ws, score, after, r.Priority, r.Query, Page{Limit: r.Limit}.limit()); err != nil {
		return nil, wrap("ranked leads", err)
	}
	out := make([]SavedLead, 0, len(rows))
	for _, row := range rows {
		l, err := row.lead()
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

// Transfer says that fields of a lead went to a provider.
type Transfer struct {
	Job      growth.JobID   `db:"job_id"`
	Provider string         `db:"provider"`
	Model    string         `db:"model"`
	Fields   pq.StringArray `db:"fields"`
	At       time.Time      `db:"created_at"`
}

// TransfersOfLead lists which of a lead's fields went where, newest first.
func (sc Scoped) TransfersOfLead(ctx context.Context, id growth.LeadID) ([]Transfer, error) {
	out := []Transfer{}
	err := sc.s.db.SelectContext(ctx, &out, `
		SELECT job_id, provider, model, fields, created_at FROM transfers
		WHERE workspace_id = $1 AND lead_id = $2 ORDER BY created_at DESC LIMIT 200`, sc.ws, id)
	return out, wrap("transfers of lead", err)
}

// Posted is what a person needs to see of a publication beside its state.
type Posted struct {
	Text    string
	Account string
}

// PostedBy returns the text and the account's name of publications, by id.
func (sc Scoped) PostedBy(ctx context.Context, ids []growth.PublicationID) (map[growth.PublicationID]Posted, error) {
	var rows []struct {
		ID      growth.PublicationID `db:"id"`
		Post    []byte               `db:"post"`
		Account string               `db:"account"`
	}
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT p.id, p.post, a.name AS account FROM publications p JOIN linkedin_accounts a ON a.id = p.account_id
		WHERE p.workspace_id = $1 AND p.id = ANY($2::uuid[])`, sc.ws, pq.Array(ids)); err != nil {
		return nil, wrap("posted by", err)
	}
	out := make(map[growth.PublicationID]Posted, len(rows))
	for _, r := range rows {
		var post growth.Post
		if err := json.Unmarshal(r.Post, &post); err != nil {
			return nil, wrap("posted by", err)
		}
		out[r.ID] = Posted{Text: post.Text, Account: r.Account}
	}
	return out, nil
}

// Attention counts what waits for a person.
type Attention struct {
	Review  int `db:"review" json:"content_in_review"`
	Unknown int `db:"unknown" json:"publications_unknown"`
}

// Attention returns what waits for a person in the workspace.
func (sc Scoped) Attention(ctx context.Context) (Attention, error) {
	var a Attention
	err := sc.s.db.GetContext(ctx, &a, `
		SELECT (SELECT count(*) FROM contents WHERE workspace_id = $1 AND status = 'in_review') AS review,
			(SELECT count(*) FROM publications WHERE workspace_id = $1 AND state = 'unknown') AS unknown`, sc.ws)
	return a, wrap("attention", err)
}

// LiveKey returns a key by its id while it is neither revoked nor expired.
func (s *Store) LiveKey(ctx context.Context, id string) (Key, error) {
	var r keyRow
	err := s.db.GetContext(ctx, &r, `
		SELECT `+keyColumns+` FROM api_keys
		WHERE id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())`, id)
	if errors.Is(err, sql.ErrNoRows) {
		return Key{}, growth.Errorf(growth.Unauthorized, "store.LiveKey", "the API key is unknown, expired or revoked")
	}
	return r.key(), wrap("live key", err)
}
