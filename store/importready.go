package store

import (
	"context"
	"encoding/json"

	growth "github.com/zakibelm/astrogrowth"
)

// ReadyImports tells of the imports whose leads all have the score that the import asked for, or never will: one event
// each, in the commit that notes it.
func (s *Store) ReadyImports(ctx context.Context) ([]Completed, error) {
	var done []Completed
	err := s.InTx(ctx, func(tx *Tx) error {
		var rows []struct {
			ID        growth.ImportID    `db:"id"`
			Workspace growth.WorkspaceID `db:"workspace_id"`
			Campaign  *growth.CampaignID `db:"campaign_id"`
			Counts    []byte             `db:"counts"`
		}
		if err := tx.tx.SelectContext(ctx, &rows, `
			WITH due AS (
				SELECT i.id FROM imports i
				WHERE i.ready_at IS NULL AND i.state = 'done' AND NOT EXISTS (
					SELECT 1 FROM import_leads m JOIN jobs j ON j.lead_id = m.lead_id
					WHERE m.import_id = i.id AND j.type = 'lead-qualification' AND j.state NOT IN ('succeeded', 'failed', 'canceled'))
				ORDER BY i.id LIMIT 20 FOR UPDATE OF i SKIP LOCKED
			)
			UPDATE imports SET ready_at = now() FROM due WHERE imports.id = due.id
			RETURNING imports.id, imports.workspace_id, imports.campaign_id, coalesce((SELECT jsonb_object_agg(priority, n) FROM (
				SELECT coalesce(nullif(l.priority, ''), 'unscored') AS priority, count(*) AS n
				FROM import_leads m JOIN leads l ON l.id = m.lead_id WHERE m.import_id = imports.id GROUP BY 1) AS p), '{}') AS counts`); err != nil {
			return wrap("ready imports", err)
		}
		for _, r := range rows {
			data, err := json.Marshal(map[string]any{"import_id": r.ID, "campaign_id": r.Campaign, "leads": json.RawMessage(r.Counts)})
			if err != nil {
				return wrap("ready imports", err)
			}
			if err := tx.AddEvent(ctx, r.Workspace, "", NewEvent{Type: "leads.ready", Data: data}); err != nil {
				return err
			}
			done = append(done, Completed{Workspace: r.Workspace, Event: "leads.ready"})
		}
		return nil
	})
	return done, err
}
