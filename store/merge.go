package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/lib/pq"

	growth "github.com/zakibelm/astrogrowth"
)

// MergedInto says into which lead another one went; empty: it was not merged.
func (sc Scoped) MergedInto(ctx context.Context, from growth.LeadID) (growth.LeadID, error) {
	var into growth.LeadID
	err := sc.s.db.GetContext(ctx, &into, `SELECT into_id FROM lead_merges WHERE workspace_id = $1 AND from_id = $2`, sc.ws, from)
	if none(err) {
		return "", nil
	}
	return into, wrap("merged into", err)
}

// MergedFrom lists the leads that went into another one.
func (sc Scoped) MergedFrom(ctx context.Context, into growth.LeadID) ([]growth.LeadID, error) {
	out := []growth.LeadID{}
	err := sc.s.db.SelectContext(ctx, &out, `SELECT from_id FROM lead_merges WHERE workspace_id = $1 AND into_id = $2 ORDER BY from_id`, sc.ws, into)
	return out, wrap("merged from", err)
}

func (sc Scoped) mergedLead(ctx context.Context, into growth.LeadID, err error) (SavedLead, error) {
	if err != nil {
		return SavedLead{}, err
	}
	l, err := sc.Lead(ctx, into)
	l.MergedInto = into
	return l, err
}

// Merge asks that one lead goes into another.
type Merge struct {
	From, Into growth.LeadID
	By         string
}

// MergeLeads puts one lead into another in one commit: what the other lacks, its keys, scores, reviews, transfers, history,
// and whatever names it. A person's score stays in force, else the newest. Who asks for the first by its id gets the other from then on. Merging again changes nothing.
func (sc Scoped) MergeLeads(ctx context.Context, m Merge, merge func(into, from growth.Lead) growth.Lead, keys func(growth.Lead) []LeadKey) (SavedLead, error) {
	const op = "store.MergeLeads"
	if m.From == m.Into {
		return SavedLead{}, growth.InvalidField(op, "into", "name another lead than the one that is merged")
	}
	gone, err := sc.MergedInto(ctx, m.From)
	switch {
	case err != nil:
		return SavedLead{}, err
	case gone == m.Into:
		return sc.Lead(ctx, m.Into)
	case gone != "":
		return SavedLead{}, growth.Errorf(growth.Conflict, op, "this lead was merged into %s already", gone)
	}
	var out SavedLead
	err = sc.s.InTx(ctx, func(tx *Tx) error {
		from, into, err := tx.mergePair(ctx, sc.ws, m)
		if err != nil {
			return err
		}
		if err := tx.actAs(ctx, m.By); err != nil {
			return err
		}
		if err := tx.moveTo(ctx, sc.ws, m); err != nil {
			return err
		}
		lead := merge(into.Lead, from.Lead)
		lead.ID = m.Into
		out, err = tx.replaceLead(ctx, sc.ws, lead, keys(lead))
		return err
	})
	return out, err
}

// mergePair locks both leads, in one order everywhere.
func (tx *Tx) mergePair(ctx context.Context, ws growth.WorkspaceID, m Merge) (from, into SavedLead, err error) {
	var rows []leadRow
	if err := tx.tx.SelectContext(ctx, &rows, `
		SELECT `+leadColumns+` FROM leads WHERE workspace_id = $1 AND id = ANY($2::uuid[]) ORDER BY id FOR UPDATE`,
		ws, pq.Array([]string{string(m.From), string(m.Into)})); err != nil {
		return from, into, wrap("merge leads", err)
	}
	for _, r := range rows {
		l, err := r.lead()
		if err != nil {
			return from, into, err
		}
		if r.ID == m.From {
			from = l
		} else {
			into = l
		}
	}
	const op = "store.MergeLeads"
	switch {
	case from.Lead.ID == "":
		err = growth.Errorf(growth.NotFound, op, "there is no lead %s in this workspace", m.From)
	case into.Lead.ID == "":
		err = growth.InvalidField(op, "into", "there is no such lead in this workspace")
	}
	return from, into, err
}

// actAs says for whom the changes of this transaction are made; the history of leads keeps it.
func (tx *Tx) actAs(ctx context.Context, who string) error {
	_, err := tx.tx.ExecContext(ctx, `SELECT set_config('astrogrowth.actor', $1, true)`, who)
	return wrap("act as", err)
}

// moveTo moves all that hangs on the one lead to the other, and deletes the one. An import that brought either is not
// undone for it any more: what it brought cannot be told from the rest.
func (tx *Tx) moveTo(ctx context.Context, ws growth.WorkspaceID, m Merge) error {
	for _, q := range []string{
		// A person's score outlives the merge; of two, the one that was given last. Reviews have not moved yet.
		`UPDATE leads l SET score = f.score, grade = f.grade, priority = f.priority, next_action = f.next_action, fingerprint = f.fingerprint, overridden = f.overridden
			FROM leads f WHERE l.workspace_id = $1 AND l.id = $3 AND f.id = $2 AND f.workspace_id = $1
			AND (l.score IS NULL OR f.overridden AND (NOT l.overridden
				OR (SELECT max(id::text) FROM lead_reviews WHERE lead_id = f.id AND kind = 'override')
					> (SELECT max(id::text) FROM lead_reviews WHERE lead_id = l.id AND kind = 'override')))`,
		`INSERT INTO lead_keys (workspace_id, kind, value, lead_id)
			SELECT workspace_id, kind, value, $3::uuid FROM lead_keys WHERE workspace_id = $1 AND lead_id = $2 ON CONFLICT DO NOTHING`,
		`INSERT INTO import_leads (import_id, lead_id, before, after, kept, created_at)
			SELECT m.import_id, $3::uuid, m.before, '', m.kept, m.created_at FROM import_leads m JOIN leads l ON l.id = m.lead_id
			WHERE l.workspace_id = $1 AND m.lead_id = $2 ON CONFLICT DO NOTHING`,
		`UPDATE import_leads SET after = '' FROM leads l WHERE l.id = lead_id AND l.workspace_id = $1 AND lead_id = $3 AND $2::uuid IS NOT NULL`,
		`UPDATE qualifications SET lead_id = $3, result = jsonb_set(result, '{lead_id}', to_jsonb($3::uuid::text)) WHERE workspace_id = $1 AND lead_id = $2`,
		// The explanation shows the newest score that no person made: it is the one in force, where no person's is.
		`UPDATE leads l SET fingerprint = q.fingerprint, score = CASE WHEN l.overridden THEN l.score ELSE q.score END,
			grade = CASE WHEN l.overridden THEN l.grade ELSE coalesce(q.result ->> 'grade', '') END,
			priority = CASE WHEN l.overridden THEN l.priority ELSE coalesce(q.result ->> 'priority', '') END,
			next_action = CASE WHEN l.overridden THEN l.next_action ELSE coalesce(q.result ->> 'next_action', '') END
			FROM (SELECT fingerprint, score, result FROM qualifications WHERE workspace_id = $1 AND lead_id = $3 ORDER BY created_at DESC LIMIT 1) AS q
			WHERE l.workspace_id = $1 AND l.id = $3 AND $2::uuid IS NOT NULL`,
		`UPDATE transfers SET lead_id = $3 WHERE workspace_id = $1 AND lead_id = $2`,
		`UPDATE webhook_deliveries SET lead_id = $3 WHERE workspace_id = $1 AND lead_id = $2`,
		`UPDATE subscription_deliveries SET event_lead_id = $3::text WHERE workspace_id = $1 AND event_lead_id = $2::text`,
		`UPDATE lead_reviews SET lead_id = $3 WHERE workspace_id = $1 AND lead_id = $2`,
		`UPDATE lead_changes SET lead_id = $3 WHERE workspace_id = $1 AND lead_id = $2`,
		`UPDATE contents SET lead_id = $3 WHERE workspace_id = $1 AND lead_id = $2`,
		`UPDATE schedules SET lead_id = $3, input = jsonb_set(input, '{lead_id}', to_jsonb($3::uuid::text)) WHERE workspace_id = $1 AND lead_id = $2`,
		`UPDATE jobs SET lead_id = $3, input = CASE WHEN input ? 'lead_id' THEN jsonb_set(input, '{lead_id}', to_jsonb($3::uuid::text)) ELSE input END
			WHERE workspace_id = $1 AND lead_id = $2`,
		`UPDATE events SET data = jsonb_set(data, '{lead_id}', to_jsonb($3::text)) WHERE workspace_id = $1 AND data ->> 'lead_id' = $2::text`,
		`UPDATE leads l SET campaign_id = f.campaign_id
			FROM leads f WHERE l.workspace_id = $1 AND l.id = $3 AND l.campaign_id IS NULL AND f.id = $2 AND f.workspace_id = $1`,
		`UPDATE lead_merges SET into_id = $3 WHERE workspace_id = $1 AND into_id = $2`,
		`DELETE FROM leads WHERE workspace_id = $1 AND id = $2 AND $3::uuid IS NOT NULL`,
	} {
		if _, err := tx.tx.ExecContext(ctx, q, ws, m.From, m.Into); err != nil {
			return wrap("merge leads", err)
		}
	}
	if _, err := tx.tx.ExecContext(ctx, `
		INSERT INTO lead_merges (from_id, into_id, workspace_id, merged_by) VALUES ($1, $2, $3, $4)`, m.From, m.Into, ws, m.By); err != nil {
		return wrap("merge leads", err)
	}
	data, err := json.Marshal(map[string]any{"lead_id": m.Into, "merged_id": m.From})
	if err != nil {
		return wrap("merge leads", err)
	}
	return tx.AddEvent(ctx, ws, "", NewEvent{Type: "lead.merged", Data: data})
}

// LeadEntry is one thing that happened to a lead.
type LeadEntry struct {
	Kind string          `json:"kind" enum:"created,imported,changed,qualified,contested,overridden,upheld,lifted,merged,transferred"`
	At   time.Time       `json:"at"`
	By   string          `json:"by,omitempty"`
	Data json.RawMessage `json:"data"`
	Key  string          `json:"-"` // of its place in the list
}

// LeadHistory lists what happened to a lead, newest first, behind an entry's Key. It goes when the lead goes.
func (sc Scoped) LeadHistory(ctx context.Context, id growth.LeadID, behind string, limit int) ([]LeadEntry, error) {
	var rows []struct {
		Kind string    `db:"kind"`
		At   time.Time `db:"at"`
		By   string    `db:"by"`
		Data []byte    `db:"data"`
		Key  string    `db:"key"`
	}
	if err := sc.s.db.SelectContext(ctx, &rows, `
		WITH told AS (
			SELECT 'created' AS kind, created_at AS at, '' AS by, '{}'::jsonb AS data, '' AS ref FROM leads WHERE id = $2 AND workspace_id = $1
			UNION ALL
			SELECT 'imported', m.created_at, i.created_by, jsonb_build_object('import_id', i.id, 'file_name', i.file_name, 'brought', m.before IS NULL), i.id::text
				FROM import_leads m JOIN imports i ON i.id = m.import_id WHERE m.lead_id = $2 AND i.workspace_id = $1
			UNION ALL
			SELECT 'changed', created_at, changed_by, jsonb_build_object('fields', fields), id::text FROM lead_changes WHERE lead_id = $2 AND workspace_id = $1
			UNION ALL
			SELECT 'qualified', created_at, '', jsonb_build_object('job_id', job_id, 'score', score, 'grade', result -> 'grade', 'priority', result -> 'priority',
				'rubric', result -> 'rubric', 'scored_by', result -> 'scored_by', 'model', result -> 'model'), id::text
				FROM qualifications WHERE lead_id = $2 AND workspace_id = $1
			UNION ALL
			SELECT CASE kind WHEN 'contest' THEN 'contested' WHEN 'override' THEN 'overridden' ELSE kind END, created_at, said_by,
				jsonb_build_object('message', message, 'score_before', score_before, 'score', score), id::text FROM lead_reviews WHERE lead_id = $2 AND workspace_id = $1
			UNION ALL
			SELECT 'merged', created_at, merged_by, jsonb_build_object('merged_id', from_id), from_id::text FROM lead_merges WHERE into_id = $2 AND workspace_id = $1
			UNION ALL
			SELECT 'transferred', created_at, '', jsonb_build_object('job_id', job_id, 'provider', provider, 'model', model, 'fields', to_jsonb(fields)),
				job_id::text || provider || model FROM transfers WHERE lead_id = $2 AND workspace_id = $1
		)
		SELECT kind, at, by, data, key FROM (
			SELECT kind, at, by, data, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') || ' ' || kind || ' ' || ref AS key FROM told) AS t
		WHERE $3 = '' OR key COLLATE "C" < $3 COLLATE "C"
		ORDER BY key COLLATE "C" DESC LIMIT $4`, sc.ws, id, behind, limit); err != nil {
		return nil, wrap("history of lead", err)
	}
	out := make([]LeadEntry, len(rows))
	for i, r := range rows {
		out[i] = LeadEntry{Kind: r.Kind, At: r.At.UTC(), By: r.By, Data: r.Data, Key: r.Key}
	}
	return out, nil
}
