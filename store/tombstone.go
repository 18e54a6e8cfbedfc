package store

import (
	"context"

	"github.com/lib/pq"

	growth "github.com/zakibelm/astrogrowth"
)

// buriedAtOnce bounds what one look for erased leads compares.
const buriedAtOnce = 500

// Buried gives the places of those leads that stand for one that was erased and is not taken in again.
func (sc Scoped) Buried(ctx context.Context, puts []LeadPut) (map[int]bool, error) {
	out := map[int]bool{}
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		var erased bool
		if err := tx.tx.GetContext(ctx, &erased, `SELECT EXISTS (SELECT 1 FROM tombstones WHERE workspace_id = $1)`, sc.ws); err != nil || !erased {
			return wrap("look for erased leads", err)
		}
		for from := 0; from < len(puts); from += buriedAtOnce {
			hits, err := tx.buried(ctx, sc.ws, puts[from:min(from+buriedAtOnce, len(puts))])
			if err != nil {
				return err
			}
			for i := range hits {
				out[from+i] = true
			}
		}
		return nil
	})
	return out, err
}

// LiftTombstones lets erased leads be taken in again: those that one of the keys names, or the one whose id it was. The
// receipts keep who wanted it, and why. It is NotFound when no tombstone stands there.
func (sc Scoped) LiftTombstones(ctx context.Context, id growth.LeadID, keys []LeadKey, l Lift) ([]Erasure, error) {
	kinds, values := make([]string, len(keys)), make([]string, len(keys))
	for i, k := range keys {
		kinds[i], values[i] = k.Kind, k.Value
	}
	var rows []erasureRow
	if err := sc.s.db.SelectContext(ctx, &rows, `
		WITH named AS (
			SELECT t.lead_id FROM tombstones t JOIN workspaces w ON w.id = t.workspace_id
				JOIN unnest($3::text[], $4::text[]) AS k (kind, value)
				ON t.kind = k.kind AND t.hash = sha256(w.secret || convert_to(k.kind || E'\x1f' || k.value, 'UTF8'))
			WHERE t.workspace_id = $1
			UNION
			SELECT t.lead_id FROM tombstones t WHERE t.workspace_id = $1 AND t.lead_id = nullif($2, '')::uuid
		), gone AS (
			DELETE FROM tombstones t USING named WHERE t.workspace_id = $1 AND t.lead_id = named.lead_id RETURNING t.lead_id
		)
		UPDATE erasures SET lifted_at = now(), lifted_by = $5, lift_reason = $6
		WHERE workspace_id = $1 AND lead_id IN (SELECT lead_id FROM gone)
		RETURNING `+erasureColumns, sc.ws, string(id), pq.Array(kinds), pq.Array(values), l.By, l.Reason); err != nil {
		return nil, wrap("lift tombstones", err)
	}
	if len(rows) == 0 {
		return nil, growth.Errorf(growth.NotFound, "store.LiftTombstones", "no erased lead of this workspace is kept out by that")
	}
	out := make([]Erasure, 0, len(rows))
	for _, r := range rows {
		e, err := r.erasure()
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}
