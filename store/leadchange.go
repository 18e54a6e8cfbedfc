package store

import (
	"context"
	"encoding/json"

	"github.com/lib/pq"

	growth "github.com/zakibelm/astrogrowth"
)

// ChangeLead replaces a lead by what change makes of it, with the keys by which it is recognised from then on as well. It
// is a Conflict when that makes it an erased lead.
func (sc Scoped) ChangeLead(ctx context.Context, id growth.LeadID, change func(old growth.Lead) (growth.Lead, []LeadKey, error)) (SavedLead, error) {
	var out SavedLead
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		var r leadRow
		err := tx.tx.GetContext(ctx, &r, `SELECT `+leadColumns+` FROM leads WHERE id = $1 AND workspace_id = $2 FOR UPDATE`, id, sc.ws)
		if none(err) {
			return growth.Errorf(growth.NotFound, "store.ChangeLead", "there is no lead %s in this workspace", id)
		}
		if err != nil {
			return wrap("change lead", err)
		}
		old, err := r.lead()
		if err != nil {
			return err
		}
		lead, keys, err := change(old.Lead)
		if err != nil {
			return err
		}
		if err := tx.refuseErased(ctx, sc.ws, []LeadPut{{Keys: keys}}); err != nil {
			return err
		}
		if err := tx.actAs(ctx, sc.by); err != nil {
			return err
		}
		lead.ID = id
		out, err = tx.replaceLead(ctx, sc.ws, lead, keys)
		return err
	})
	return out, err
}

func (tx *Tx) replaceLead(ctx context.Context, ws growth.WorkspaceID, lead growth.Lead, keys []LeadKey) (SavedLead, error) {
	data, err := json.Marshal(lead)
	if err != nil {
		return SavedLead{}, wrap("change lead", err)
	}
	var r leadRow
	if err := tx.tx.GetContext(ctx, &r, `
		UPDATE leads SET data = $3, updated_at = now() WHERE id = $1 AND workspace_id = $2 RETURNING `+leadColumns, lead.ID, ws, data); err != nil {
		return SavedLead{}, wrap("change lead", err)
	}
	kinds, values := make([]string, len(keys)), make([]string, len(keys))
	for i, k := range keys {
		kinds[i], values[i] = k.Kind, k.Value
	}
	if _, err := tx.tx.ExecContext(ctx, `
		INSERT INTO lead_keys (workspace_id, kind, value, lead_id)
		SELECT $1, kind, value, $4 FROM unnest($2::text[], $3::text[]) AS k (kind, value)
		ON CONFLICT DO NOTHING`, ws, pq.Array(kinds), pq.Array(values), lead.ID); err != nil {
		return SavedLead{}, wrap("change lead", err)
	}
	return r.lead()
}
