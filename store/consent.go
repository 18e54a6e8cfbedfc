package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/lib/pq"

	growth "github.com/zakibelm/astrogrowth"
)

// consentToldFor is for how long after its end a consent's end is still told: alerts are remembered for longer.
const consentToldFor = 30 * 24 * time.Hour

// namedEnded is how many leads one event names.
const namedEnded = 100

// ConsentsEnded tells each workspace of the leads whose consent has ended since it was told last: one event for all.
func (s *Store) ConsentsEnded(ctx context.Context, now time.Time) ([]Completed, error) {
	var done []Completed
	err := s.InTx(ctx, func(tx *Tx) error {
		var rows []struct {
			Workspace growth.WorkspaceID `db:"workspace_id"`
			Lead      growth.LeadID      `db:"subject"`
		}
		if err := tx.tx.SelectContext(ctx, &rows, `
			INSERT INTO alerts (workspace_id, kind, subject, since)
			SELECT workspace_id, 'consent', id::text, (data -> 'consent' ->> 'expires_at')::timestamptz FROM leads
			WHERE data -> 'consent' ->> 'expires_at' IS NOT NULL
			  AND (data -> 'consent' ->> 'expires_at')::timestamptz BETWEEN $1::timestamptz - $2 * interval '1 second' AND $1
			  AND NOT coalesce(data -> 'consent' ->> 'basis', '') = ANY($3::text[])
			  AND NOT EXISTS (SELECT 1 FROM alerts a WHERE a.workspace_id = leads.workspace_id AND a.kind = 'consent' AND a.subject = leads.id::text
				AND a.since = (data -> 'consent' ->> 'expires_at')::timestamptz)
			ORDER BY workspace_id, id LIMIT 5000
			ON CONFLICT DO NOTHING RETURNING workspace_id, subject`, now, consentToldFor.Seconds(), pq.Array(growth.OtherBases())); err != nil {
			return wrap("ended consents", err)
		}
		byWorkspace := map[growth.WorkspaceID][]growth.LeadID{}
		for _, r := range rows {
			if byWorkspace[r.Workspace] == nil {
				done = append(done, Completed{Workspace: r.Workspace, Event: "leads.consent_ended"})
			}
			byWorkspace[r.Workspace] = append(byWorkspace[r.Workspace], r.Lead)
		}
		for _, d := range done {
			ids := byWorkspace[d.Workspace]
			data, err := json.Marshal(map[string]any{"count": len(ids), "lead_ids": ids[:min(len(ids), namedEnded)]})
			if err != nil {
				return wrap("ended consents", err)
			}
			if err := tx.AddEvent(ctx, d.Workspace, "", NewEvent{Type: d.Event, Data: data}); err != nil {
				return err
			}
		}
		return nil
	})
	return done, err
}
