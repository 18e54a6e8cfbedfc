package store

import (
	"context"
	"time"

	"github.com/lib/pq"

	growth "github.com/zakibelm/astrogrowth"
)

// StaleLeads lists leads that the workspace keeps no longer: nothing happened to them and nobody spoke about their score for
// so many days, or their consent has ended so many days ago. One whose contest nobody has answered waits for the answer,
// unless its consent has ended.
func (sc Scoped) StaleLeads(ctx context.Context, r growth.LeadRetention, now time.Time, limit int) ([]growth.LeadID, error) {
	out := []growth.LeadID{}
	err := sc.s.db.SelectContext(ctx, &out, `
		SELECT id FROM leads l WHERE workspace_id = $1 AND (
			$2 > 0 AND updated_at < $4::timestamptz - $2 * interval '1 day'
				AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.lead_id = l.id AND j.state NOT IN ('succeeded', 'failed', 'canceled'))
				AND NOT EXISTS (SELECT 1 FROM lead_reviews r WHERE r.lead_id = l.id AND (r.created_at >= $4::timestamptz - $2 * interval '1 day'
					OR r.kind = 'contest' AND NOT EXISTS (SELECT 1 FROM lead_reviews a WHERE a.lead_id = r.lead_id AND a.id > r.id AND a.kind <> 'contest')))
			OR $3 > 0 AND (
				(data -> 'consent' ->> 'withdrawn_at')::timestamptz < $4::timestamptz - $3 * interval '1 day'
				OR (data -> 'consent' ->> 'expires_at')::timestamptz < $4::timestamptz - $3 * interval '1 day'
					AND NOT coalesce(data -> 'consent' ->> 'basis', '') = ANY($5::text[])))
		ORDER BY id LIMIT $6`, sc.ws, r.IdleDays, r.AfterConsentDays, now, pq.Array(growth.OtherBases()), limit)
	return out, wrap("stale leads", err)
}

// DropLead is EraseLead for a lead that nobody asked to be forgotten: it leaves a receipt and no tombstone, so that it can
// come back by itself. One that withdrew its consent leaves a tombstone.
func (sc Scoped) DropLead(ctx context.Context, id growth.LeadID, why string, files []growth.ImportID) (Erasure, error) {
	saved, err := sc.Lead(ctx, id)
	if err != nil {
		return Erasure{}, err
	}
	if saved.Lead.Consent.State(time.Now()) == growth.ConsentWithdrawn {
		return sc.EraseLead(ctx, id, why, files)
	}
	return sc.eraseLead(ctx, id, why, files, false)
}
