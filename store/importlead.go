package store

import (
	"context"
	"encoding/json"

	"github.com/lib/pq"

	growth "github.com/zakibelm/astrogrowth"
)

// ImportedLead is what became of one lead of an import.
type ImportedLead struct {
	SavedLead
	Refused bool // it was erased once; nothing was stored
}

// ImportLeads stores the next leads of an import in one commit, as PutLeads does, and remembers what it did to each. Taking
// in the same leads again, after a kill, changes nothing.
func (sc Scoped) ImportLeads(ctx context.Context, id growth.ImportID, puts []LeadPut, same func(old, update growth.Lead) bool,
	merge func(old, update growth.Lead) growth.Lead,
) ([]ImportedLead, error) {
	if _, err := sc.Import(ctx, id); err != nil {
		return nil, err
	}
	var out []ImportedLead
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		if err := tx.lockKeys(ctx, sc.ws, puts); err != nil {
			return err
		}
		refused, err := tx.buried(ctx, sc.ws, puts)
		if err != nil {
			return err
		}
		known, err := tx.candidatesOf(ctx, sc.ws, puts)
		if err != nil {
			return err
		}
		if err := tx.actAs(ctx, "import "+string(id)); err != nil {
			return err
		}
		b := importBatch{}
		out = make([]ImportedLead, len(puts))
		for i, p := range puts {
			if out[i].Refused = refused[i]; !refused[i] {
				if err := b.add(i, p, known, same, merge); err != nil {
					return err
				}
			}
		}
		return tx.writeBatch(ctx, sc.ws, id, &b, out)
	})
	return out, err
}

// importBatch is what is written at once: each lead one time, whatever stands for it.
type importBatch struct {
	ids       []string
	data      [][]byte
	campaigns []string
	before    [][]byte // nil: new
	at        map[string][]int
	place     map[string]int
	keys      struct{ kinds, values, leads []string }
}

func (b *importBatch) add(i int, p LeadPut, known *knownLeads, same func(old, update growth.Lead) bool, merge func(old, update growth.Lead) growth.Lead) error {
	lead, old := p.Lead, known.find(p, same)
	if old != nil {
		lead = merge(old.Lead, lead)
		lead.ID = old.Lead.ID
	} else {
		lead.ID = growth.LeadID(growth.NewID())
	}
	data, err := json.Marshal(lead)
	if err != nil {
		return wrap("write lead", err)
	}
	if b.place == nil {
		b.place, b.at = map[string]int{}, map[string][]int{}
	}
	id := string(lead.ID)
	b.at[id] = append(b.at[id], i)
	if n, twice := b.place[id]; twice {
		b.data[n] = withoutNUL(data)
	} else {
		var before []byte
		if old != nil {
			if before, err = json.Marshal(old.Lead); err != nil {
				return wrap("write lead", err)
			}
		}
		b.place[id] = len(b.ids)
		b.ids, b.data, b.before = append(b.ids, id), append(b.data, withoutNUL(data)), append(b.before, before)
		b.campaigns = append(b.campaigns, string(p.Campaign))
	}
	if old != nil {
		old.Lead = lead
	}
	for _, k := range p.Keys {
		b.keys.kinds, b.keys.values, b.keys.leads = append(b.keys.kinds, k.Kind), append(b.keys.values, k.Value), append(b.keys.leads, id)
	}
	return nil
}

func (tx *Tx) writeBatch(ctx context.Context, ws growth.WorkspaceID, id growth.ImportID, b *importBatch, out []ImportedLead) error {
	if len(b.ids) == 0 {
		return nil
	}
	var rows []leadRow
	if err := tx.tx.SelectContext(ctx, &rows, `
		INSERT INTO leads (id, workspace_id, campaign_id, data)
		SELECT id, $1, nullif(campaign, '')::uuid, data FROM unnest($2::uuid[], $3::text[], $4::jsonb[]) AS g (id, campaign, data)
		ON CONFLICT (id) DO UPDATE SET data = excluded.data, campaign_id = coalesce(excluded.campaign_id, leads.campaign_id),
			updated_at = CASE WHEN leads.data = excluded.data THEN leads.updated_at ELSE now() END
		RETURNING `+leadColumns, ws, pq.Array(b.ids), pq.Array(b.campaigns), pq.Array(jsonTexts(b.data))); err != nil {
		return acceptFault(err)
	}
	for _, r := range rows {
		saved, err := r.lead()
		if err != nil {
			return err
		}
		for _, i := range b.at[string(r.ID)] {
			out[i].SavedLead = saved
		}
	}
	if _, err := tx.tx.ExecContext(ctx, `
		INSERT INTO lead_keys (workspace_id, kind, value, lead_id)
		SELECT DISTINCT $1::uuid, kind, value, lead FROM unnest($2::text[], $3::text[], $4::uuid[]) AS k (kind, value, lead)
		ON CONFLICT DO NOTHING`, ws, pq.Array(b.keys.kinds), pq.Array(b.keys.values), pq.Array(b.keys.leads)); err != nil {
		return wrap("write lead keys", err)
	}
	return tx.remember(ctx, ws, id, b)
}

// remember counts a lead as brought or merged only when the import had not touched it before.
func (tx *Tx) remember(ctx context.Context, ws growth.WorkspaceID, id growth.ImportID, b *importBatch) error {
	_, err := tx.tx.ExecContext(ctx, `
		WITH added AS (
			INSERT INTO import_leads (import_id, lead_id, before, after)
			SELECT $2, l.id, nullif(g.before, '')::jsonb, md5(l.data::text)
			FROM unnest($3::uuid[], $4::text[]) AS g (id, before) JOIN leads l ON l.id = g.id AND l.workspace_id = $1
			ON CONFLICT (import_id, lead_id) DO UPDATE SET after = excluded.after
			RETURNING before IS NULL AS brought, xmax = 0 AS first
		)
		UPDATE imports SET brought = brought + (SELECT count(*) FROM added WHERE first AND brought),
			merged = merged + (SELECT count(*) FROM added WHERE first AND NOT brought)
		WHERE workspace_id = $1 AND id = $2`, ws, id, pq.Array(b.ids), pq.Array(jsonTexts(b.before)))
	return wrap("remember import", err)
}

func jsonTexts(bs [][]byte) []string {
	out := make([]string, len(bs))
	for i, b := range bs {
		out[i] = string(b)
	}
	return out
}

// knownLeads are the leads of the workspace that share a key with one of a batch.
type knownLeads struct {
	byKey map[LeadKey][]*SavedLead
}

func (k *knownLeads) find(p LeadPut, same func(old, update growth.Lead) bool) *SavedLead {
	for _, key := range p.Keys {
		for _, l := range k.byKey[LeadKey{Kind: key.Kind, Value: key.Value}] {
			if same(l.Lead, p.Lead) {
				return l
			}
		}
	}
	return nil
}

// candidatesOf is candidates for many at once. Who shares a key with too many (a company's switchboard) is compared with
// the first 50 of them.
func (tx *Tx) candidatesOf(ctx context.Context, ws growth.WorkspaceID, puts []LeadPut) (*knownLeads, error) {
	var kinds, values []string
	for _, p := range puts {
		for _, k := range p.Keys {
			kinds, values = append(kinds, k.Kind), append(values, k.Value)
		}
	}
	var rows []struct {
		leadRow
		Kind  string `db:"kind"`
		Value string `db:"value"`
	}
	if err := tx.tx.SelectContext(ctx, &rows, `
		SELECT k.kind, k.value, `+leadColumns+`
		FROM (SELECT DISTINCT kind, value FROM unnest($2::text[], $3::text[]) AS g (kind, value)) AS k,
			LATERAL (SELECT lk.lead_id FROM lead_keys lk WHERE lk.workspace_id = $1 AND lk.kind = k.kind AND lk.value = k.value
				ORDER BY lk.lead_id LIMIT 50) AS f
			JOIN leads ON leads.id = f.lead_id AND leads.workspace_id = $1
		ORDER BY id FOR UPDATE OF leads`, ws, pq.Array(kinds), pq.Array(values)); err != nil {
		return nil, wrap("recognise leads", err)
	}
	known, leads := &knownLeads{byKey: map[LeadKey][]*SavedLead{}}, map[growth.LeadID]*SavedLead{}
	for _, r := range rows {
		l, seen := leads[r.ID]
		if !seen {
			saved, err := r.lead()
			if err != nil {
				return nil, err
			}
			l = &saved
			leads[r.ID] = l
		}
		key := LeadKey{Kind: r.Kind, Value: r.Value}
		known.byKey[key] = append(known.byKey[key], l)
	}
	return known, nil
}

// ImportStep is how far one step of an import came.
type ImportStep struct {
	From, To                 int // places in the file's sequence of leads
	Jobs, Unchanged, Refused int
}

// AdvanceImport moves an import on. It is a Conflict when somebody else has moved it.
func (sc Scoped) AdvanceImport(ctx context.Context, id growth.ImportID, s ImportStep) error {
	_, err := sc.changeImport(ctx, id, "somebody else runs this import, or has stopped it", `
		UPDATE imports SET position = $4, jobs = jobs + $5, unchanged = unchanged + $6, refused = refused + $7, updated_at = now()
		WHERE workspace_id = $1 AND id = $2 AND position = $3 AND state = 'running'`, s.From, s.To, s.Jobs, s.Unchanged, s.Refused)
	return err
}
