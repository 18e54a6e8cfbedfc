package store

import (
	"context"
	"encoding/json"

	"github.com/lib/pq"

	growth "github.com/zakibelm/astrogrowth"
)

// KeptLead is a lead that the undoing of an import let be.
type KeptLead struct {
	LeadID growth.LeadID `json:"lead_id"`
	Why    string        `json:"why"`
}

// undone is one lead of an import that is being undone.
type undone struct {
	ID     growth.LeadID `db:"lead_id"`
	Before []byte        `db:"before"`
	Same   bool          `db:"same"`   // nobody has changed it since
	Later  bool          `db:"later"`  // a later import knows it too
	Used   bool          `db:"used"`   // somebody wrote for it
	Judged bool          `db:"judged"` // somebody contested its score, or answered for it
}

// why says what keeps the lead; empty: nothing does.
func (u undone) why() string {
	switch {
	case u.Later:
		return "a later import holds it too"
	case !u.Same:
		return "it was changed since"
	case u.Judged && u.Before == nil:
		return "a person spoke about its score"
	case u.Used && u.Before == nil:
		return "content was made for it"
	}
	return ""
}

// UndoneLeads are the leads at which one step of an undoing came.
type UndoneLeads struct {
	Erased, Restored []growth.LeadID
	Done             bool // none is left
}

// UndoLeads undoes what an import did to its next leads, at most limit, and returns those that it erased or restored. Leads that the import brought go with their scores, unless a person spoke about the score; they leave no tombstone, for nobody asked not to be
// known. Others get back what they were. keys says under which keys a lead is recognised.
func (sc Scoped) UndoLeads(ctx context.Context, id growth.ImportID, limit int, keys func(growth.Lead) []LeadKey) (UndoneLeads, error) {
	var out UndoneLeads
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		rows, err := tx.undoable(ctx, sc.ws, id, limit)
		if err != nil {
			return err
		}
		out.Done = len(rows) < limit
		var gone []string
		kept := 0
		for _, u := range rows {
			switch why := u.why(); {
			case why != "":
				kept++
				err = tx.keep(ctx, id, u.ID, why)
			case u.Before == nil:
				gone, out.Erased = append(gone, string(u.ID)), append(out.Erased, u.ID)
			default:
				out.Restored = append(out.Restored, u.ID)
				err = tx.restore(ctx, sc.ws, id, u, keys)
			}
			if err != nil {
				return err
			}
		}
		if _, _, err := tx.eraseLeads(ctx, sc.ws, gone); err != nil {
			return err
		}
		_, err = tx.tx.ExecContext(ctx, `
			UPDATE imports SET erased = erased + $3, restored = restored + $4, kept = kept + $5, updated_at = now()
			WHERE workspace_id = $1 AND id = $2`, sc.ws, id, len(gone), len(out.Restored), kept)
		return wrap("undo import", err)
	})
	return out, err
}

// undoable locks the next leads before it looks at what hangs on them: what somebody adds in between waits for the lock,
// or is seen.
func (tx *Tx) undoable(ctx context.Context, ws growth.WorkspaceID, id growth.ImportID, limit int) ([]undone, error) {
	var ids []string
	if err := tx.tx.SelectContext(ctx, &ids, `
		SELECT m.lead_id FROM import_leads m JOIN imports i ON i.id = m.import_id AND i.workspace_id = $1 AND i.state = 'undoing'
			JOIN leads l ON l.id = m.lead_id AND l.workspace_id = $1
		WHERE m.import_id = $2 AND m.kept = '' ORDER BY m.lead_id LIMIT $3 FOR UPDATE OF l, m`, ws, id, limit); err != nil {
		return nil, wrap("undo import", err)
	}
	var rows []undone
	err := tx.tx.SelectContext(ctx, &rows, `
		SELECT m.lead_id, m.before, md5(l.data::text) = m.after AS same,
			EXISTS (SELECT 1 FROM import_leads o WHERE o.lead_id = m.lead_id AND o.import_id > m.import_id) AS later,
			EXISTS (SELECT 1 FROM contents c WHERE c.workspace_id = $1 AND c.lead_id = m.lead_id)
				OR EXISTS (SELECT 1 FROM jobs j WHERE j.lead_id = m.lead_id AND j.type = 'content-generation') AS used,
			EXISTS (SELECT 1 FROM lead_reviews r WHERE r.lead_id = m.lead_id) AS judged
		FROM import_leads m JOIN leads l ON l.id = m.lead_id AND l.workspace_id = $1
		WHERE m.import_id = $2 AND m.lead_id = ANY($3::uuid[]) ORDER BY m.lead_id`, ws, id, pq.Array(ids))
	return rows, wrap("undo import", err)
}

func (tx *Tx) keep(ctx context.Context, id growth.ImportID, lead growth.LeadID, why string) error {
	_, err := tx.tx.ExecContext(ctx, `UPDATE import_leads SET kept = $3, before = NULL WHERE import_id = $1 AND lead_id = $2`, id, lead, why)
	return wrap("undo import", err)
}

// restore gives a lead back what it was, and takes away the keys that only the import had brought. The next job that
// asks for its score sees that it rests on something else now.
func (tx *Tx) restore(ctx context.Context, ws growth.WorkspaceID, id growth.ImportID, u undone, keys func(growth.Lead) []LeadKey) error {
	var lead growth.Lead
	if err := json.Unmarshal(u.Before, &lead); err != nil {
		return wrap("undo import", err)
	}
	var kinds, values []string
	for _, k := range keys(lead) {
		kinds, values = append(kinds, k.Kind), append(values, k.Value)
	}
	for _, q := range []struct {
		sql  string
		args []any
	}{
		{`UPDATE leads SET data = $3, updated_at = now() WHERE workspace_id = $1 AND id = $2`, []any{ws, u.ID, u.Before}},
		{`DELETE FROM lead_keys WHERE workspace_id = $1 AND lead_id = $2`, []any{ws, u.ID}},
		{
			`INSERT INTO lead_keys (workspace_id, kind, value, lead_id)
			SELECT $1, kind, value, $2 FROM unnest($3::text[], $4::text[]) AS k (kind, value) ON CONFLICT DO NOTHING`,
			[]any{ws, u.ID, pq.Array(kinds), pq.Array(values)},
		},
		{`DELETE FROM import_leads WHERE import_id = $1 AND lead_id = $2`, []any{id, u.ID}},
	} {
		if _, err := tx.tx.ExecContext(ctx, q.sql, q.args...); err != nil {
			return wrap("undo import", err)
		}
	}
	return nil
}

// KeptLeads names the leads that the undoing of an import let be, at most 1,000.
func (sc Scoped) KeptLeads(ctx context.Context, id growth.ImportID) ([]KeptLead, error) {
	var rows []struct {
		ID  growth.LeadID `db:"lead_id"`
		Why string        `db:"kept"`
	}
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT m.lead_id, m.kept FROM import_leads m JOIN imports i ON i.id = m.import_id
		WHERE i.workspace_id = $1 AND m.import_id = $2 AND m.kept <> '' ORDER BY m.lead_id LIMIT 1000`, sc.ws, id); err != nil {
		return nil, wrap("kept leads", err)
	}
	out := make([]KeptLead, len(rows))
	for i, r := range rows {
		out[i] = KeptLead{LeadID: r.ID, Why: r.Why}
	}
	return out, nil
}

// dropFiles lets go of the files of imports and says how many there were.
func (tx *Tx) dropFiles(ctx context.Context, ws growth.WorkspaceID, ids []growth.ImportID) (int, error) {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = string(id)
	}
	var n int
	err := tx.tx.GetContext(ctx, &n, `
		WITH dropped AS (
			DELETE FROM import_parts p USING imports i
			WHERE i.id = p.import_id AND i.workspace_id = $1 AND i.id = ANY($2::uuid[]) RETURNING p.import_id
		), unpacked AS (
			DELETE FROM import_chunks c USING imports i
			WHERE i.id = c.import_id AND i.workspace_id = $1 AND i.id = ANY($2::uuid[])
		)
		SELECT count(DISTINCT import_id) FROM dropped`, ws, pq.Array(names))
	return n, wrap("drop files", err)
}
