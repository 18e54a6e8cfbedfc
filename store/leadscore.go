package store

import (
	"context"
	"encoding/json"

	"github.com/lib/pq"

	growth "github.com/zakibelm/astrogrowth"
)

// ScoredByRules finds those of the leads whose newest score was made without a model, though no gate turned them down,
// and fewer than most times for what it rests on.
func (sc Scoped) ScoredByRules(ctx context.Context, leads []growth.LeadID, most int) (map[growth.LeadID]bool, error) {
	var found []growth.LeadID
	if err := sc.s.db.SelectContext(ctx, &found, `
		SELECT l.id FROM leads l, LATERAL (
			SELECT q.fingerprint, q.result FROM qualifications q WHERE q.lead_id = l.id ORDER BY q.created_at DESC LIMIT 1) AS newest
		WHERE l.workspace_id = $1 AND l.id = ANY($2::uuid[]) AND newest.result ->> 'scored_by' = 'rules'
		  AND jsonb_array_length(coalesce(nullif(newest.result -> 'disqualifiers', 'null'), '[]')) = 0
		  AND (SELECT count(*) FROM qualifications q WHERE q.lead_id = l.id AND q.fingerprint = newest.fingerprint) < $3`,
		sc.ws, pq.Array(leads), most); err != nil {
		return nil, wrap("scored by rules", err)
	}
	return leadSet(found), nil
}

// ScoredBySimulator finds those of the leads in whose newest score the simulator had a hand.
func (sc Scoped) ScoredBySimulator(ctx context.Context, leads []growth.LeadID) (map[growth.LeadID]bool, error) {
	var found []growth.LeadID
	if err := sc.s.db.SelectContext(ctx, &found, `
		SELECT l.id FROM leads l, LATERAL (
			SELECT q.result FROM qualifications q WHERE q.lead_id = l.id ORDER BY q.created_at DESC LIMIT 1) AS newest
		WHERE l.workspace_id = $1 AND l.id = ANY($2::uuid[]) AND newest.result -> 'simulated' = 'true'`,
		sc.ws, pq.Array(leads)); err != nil {
		return nil, wrap("scored by simulator", err)
	}
	return leadSet(found), nil
}

func leadSet(found []growth.LeadID) map[growth.LeadID]bool {
	out := make(map[growth.LeadID]bool, len(found))
	for _, id := range found {
		out[id] = true
	}
	return out
}

// ScoredWith gives what the jobs of the leads' newest scores were given. A lead whose job is gone is not in it.
func (sc Scoped) ScoredWith(ctx context.Context, leads []growth.LeadID) (map[growth.LeadID]json.RawMessage, error) {
	ids := make([]string, len(leads))
	for i, id := range leads {
		ids[i] = string(id)
	}
	var rows []struct {
		ID    growth.LeadID `db:"id"`
		Input []byte        `db:"input"`
	}
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT l.id, j.input FROM leads l, LATERAL (
			SELECT q.job_id FROM qualifications q WHERE q.lead_id = l.id ORDER BY q.created_at DESC LIMIT 1) AS newest
			JOIN jobs j ON j.id = newest.job_id
		WHERE l.workspace_id = $1 AND l.id = ANY($2::uuid[])`, sc.ws, pq.Array(ids)); err != nil {
		return nil, wrap("scored with", err)
	}
	out := make(map[growth.LeadID]json.RawMessage, len(rows))
	for _, r := range rows {
		out[r.ID] = r.Input
	}
	return out, nil
}
