package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/lib/pq"

	growth "github.com/zakibelm/astrogrowth"
)

// LeadKey is one of the ways to recognise a lead; equal keys mean the same lead.
type LeadKey struct {
	Kind, Value string
	Sure        bool // names one person or one business by itself
}

// SavedLead is a lead as the store knows it.
type SavedLead struct {
	Lead        growth.Lead        `json:"lead"`
	Number      int64              `json:"number"`
	CampaignID  *growth.CampaignID `json:"campaign_id"`
	Score       *int               `json:"score"`
	Grade       string             `json:"grade"`
	Priority    string             `json:"priority"`
	NextAction  string             `json:"next_action" doc:"call, email, nurture, research, disqualify or review; empty: not scored yet"`
	Overridden  bool               `json:"overridden" doc:"A person set the score, and with it grade, priority and next action"`
	MergedInto  growth.LeadID      `json:"merged_into,omitempty" doc:"The lead that was asked for went into this one, whose id is this"`
	Fingerprint string             `json:"-"` // of what the score rests on; empty: never scored
	CreatedAt   time.Time          `json:"created_at"`
	UpdatedAt   time.Time          `json:"updated_at"`
}

type leadRow struct {
	ID          growth.LeadID  `db:"id"`
	Number      int64          `db:"number"`
	CampaignID  sql.NullString `db:"campaign_id"`
	Data        []byte         `db:"data"`
	Fingerprint string         `db:"fingerprint"`
	Score       sql.NullInt64  `db:"score"`
	Grade       string         `db:"grade"`
	Priority    string         `db:"priority"`
	NextAction  string         `db:"next_action"`
	Overridden  bool           `db:"overridden"`
	CreatedAt   time.Time      `db:"created_at"`
	UpdatedAt   time.Time      `db:"updated_at"`
}

const leadColumns = `id, number, campaign_id, data, fingerprint, score, grade, priority, next_action, overridden, created_at, updated_at`

func (r leadRow) lead() (SavedLead, error) {
	l := SavedLead{
		Number: r.Number, Grade: r.Grade, Priority: r.Priority, NextAction: r.NextAction, Overridden: r.Overridden, Fingerprint: r.Fingerprint,
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
	if err := json.Unmarshal(r.Data, &l.Lead); err != nil {
		return l, wrap("read lead", err)
	}
	l.Lead.ID = r.ID
	if r.CampaignID.Valid {
		id := growth.CampaignID(r.CampaignID.String)
		l.CampaignID = &id
	}
	if r.Score.Valid {
		score := int(r.Score.Int64)
		l.Score = &score
	}
	return l, nil
}

// LeadPut is a lead that is about to be stored, with the keys by which it is recognised.
type LeadPut struct {
	Lead     growth.Lead
	Keys     []LeadKey
	Campaign growth.CampaignID
}

// PutLeads stores leads in one commit, recognising those that are there already: a lead that shares a key is a candidate,
// and same decides. Fields that new data leaves empty keep what they had; merge does that. It returns the leads as stored, in order.
func (sc Scoped) PutLeads(ctx context.Context, puts []LeadPut, same func(old, update growth.Lead) bool,
	merge func(old, update growth.Lead) growth.Lead,
) ([]SavedLead, error) {
	out := make([]SavedLead, len(puts))
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		if err := tx.lockKeys(ctx, sc.ws, puts); err != nil {
			return err
		}
		if err := tx.refuseErased(ctx, sc.ws, puts); err != nil {
			return err
		}
		if sc.by != "" {
			if err := tx.actAs(ctx, sc.by); err != nil {
				return err
			}
		}
		for i, p := range puts {
			var err error
			if out[i], err = tx.putLead(ctx, sc.ws, p, same, merge); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// lockKeys keeps two requests with the same new lead from making two. The locks are taken in one order everywhere, so
// that two batches cannot wait for each other.
func (tx *Tx) lockKeys(ctx context.Context, ws growth.WorkspaceID, puts []LeadPut) error {
	var names []string
	for _, p := range puts {
		for _, k := range p.Keys {
			names = append(names, "lead\x1f"+k.Kind+"\x1f"+k.Value)
		}
	}
	return tx.lockNames(ctx, ws, names)
}

func (tx *Tx) putLead(ctx context.Context, ws growth.WorkspaceID, p LeadPut, same func(old, update growth.Lead) bool,
	merge func(old, update growth.Lead) growth.Lead,
) (SavedLead, error) {
	lead, known := p.Lead, false
	candidates, err := tx.candidates(ctx, ws, p.Keys)
	if err != nil {
		return SavedLead{}, err
	}
	for _, old := range candidates {
		if same(old.Lead, lead) {
			lead, known = merge(old.Lead, lead), true
			lead.ID = old.Lead.ID
			break
		}
	}
	if !known {
		lead.ID = growth.LeadID(growth.NewID())
	}
	data, err := json.Marshal(lead)
	if err != nil {
		return SavedLead{}, wrap("write lead", err)
	}
	var r leadRow
	if err := tx.tx.GetContext(ctx, &r, `
		INSERT INTO leads (id, workspace_id, campaign_id, data) VALUES ($1, $2, nullif($3, '')::uuid, $4)
		ON CONFLICT (id) DO UPDATE SET data = excluded.data, campaign_id = coalesce(excluded.campaign_id, leads.campaign_id),
			updated_at = CASE WHEN leads.data = excluded.data THEN leads.updated_at ELSE now() END
		RETURNING `+leadColumns, lead.ID, ws, string(p.Campaign), data); err != nil {
		return SavedLead{}, acceptFault(err)
	}
	kinds, values := make([]string, len(p.Keys)), make([]string, len(p.Keys))
	for i, k := range p.Keys {
		kinds[i], values[i] = k.Kind, k.Value
	}
	if _, err := tx.tx.ExecContext(ctx, `
		INSERT INTO lead_keys (workspace_id, kind, value, lead_id)
		SELECT $1, kind, value, $4 FROM unnest($2::text[], $3::text[]) AS k (kind, value)
		ON CONFLICT DO NOTHING`, ws, pq.Array(kinds), pq.Array(values), lead.ID); err != nil {
		return SavedLead{}, wrap("write lead keys", err)
	}
	return r.lead()
}

// candidates are the leads that share a key, and their rows are locked.
func (tx *Tx) candidates(ctx context.Context, ws growth.WorkspaceID, keys []LeadKey) ([]SavedLead, error) {
	kinds, values := make([]string, len(keys)), make([]string, len(keys))
	for i, k := range keys {
		kinds[i], values[i] = k.Kind, k.Value
	}
	var rows []leadRow
	if err := tx.tx.SelectContext(ctx, &rows, `
		SELECT `+leadColumns+` FROM leads WHERE workspace_id = $1 AND id IN (
			SELECT lk.lead_id FROM lead_keys lk JOIN unnest($2::text[], $3::text[]) AS k (kind, value) USING (kind, value)
			WHERE lk.workspace_id = $1)
		ORDER BY id LIMIT 50 FOR UPDATE`, ws, pq.Array(kinds), pq.Array(values)); err != nil {
		return nil, wrap("recognise lead", err)
	}
	out := make([]SavedLead, 0, len(rows))
	for _, r := range rows {
		l, err := r.lead()
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

// Lead returns one lead. One that was merged into another is that other, which says so.
func (sc Scoped) Lead(ctx context.Context, id growth.LeadID) (SavedLead, error) {
	var r leadRow
	err := sc.s.db.GetContext(ctx, &r, `SELECT `+leadColumns+` FROM leads WHERE id = $1 AND workspace_id = $2`, id, sc.ws)
	if errors.Is(err, sql.ErrNoRows) {
		if into, err := sc.MergedInto(ctx, id); err != nil || into != "" {
			return sc.mergedLead(ctx, into, err)
		}
		return SavedLead{}, growth.Errorf(growth.NotFound, "store.Lead", "there is no lead %s in this workspace", id)
	}
	if err != nil {
		return SavedLead{}, wrap("lead", err)
	}
	return r.lead()
}

// LeadFilter narrows a list of leads; the zero value lists all. Texts match whatever their case.
type LeadFilter struct {
	Campaign growth.CampaignID
	Import   growth.ImportID
	Priority string // or unscored
	Grade    string // or its first letter
	Action   string // next_action
	MinScore int
	City     string
	Type     string // business_type
	Source   string
	Email    string
	External string // external_id, exactly
	Query    string // words that each stand in the lead's text
	Consent  growth.ConsentState
	Unused   bool // only leads that have no text, and no job at work on one
}

// Leads lists leads, newest first.
func (sc Scoped) Leads(ctx context.Context, f LeadFilter, p Page) ([]SavedLead, error) {
	var rows []leadRow
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT `+leadColumns+` FROM leads
		WHERE workspace_id = $1 AND id < $2 AND ($3 = '' OR campaign_id = nullif($3, '')::uuid)
		  AND ($4 = '' OR priority = CASE $4 WHEN 'unscored' THEN '' ELSE $4 END)
		  AND ($5 = '' OR starts_with(grade, $5)) AND ($6 = 0 OR score >= $6)
		  AND ($7 = '' OR lower(data ->> 'city') = lower($7)) AND ($8 = '' OR lower(data ->> 'business_type') = lower($8))
		  AND ($9 = '' OR lower(data ->> 'source') = lower($9)) AND ($10 = '' OR lower(data ->> 'email') = lower($10))
		  AND ($11 = '' OR data ->> 'external_id' = $11)
		  AND ($12 = '' OR EXISTS (SELECT 1 FROM import_leads m WHERE m.lead_id = leads.id AND m.import_id = nullif($12, '')::uuid))
		  AND NOT EXISTS (SELECT 1 FROM unnest($13::text[]) AS word WHERE strpos(lower(data::text), word) = 0)
		  AND ($15 = '' OR $15 = CASE
			WHEN data -> 'consent' IS NULL THEN 'none'
			WHEN (data -> 'consent' ->> 'withdrawn_at')::timestamptz <= now() THEN 'withdrawn'
			WHEN (data -> 'consent' ->> 'expires_at')::timestamptz <= now() AND NOT coalesce(data -> 'consent' ->> 'basis', '') = ANY($16::text[]) THEN 'expired'
			ELSE 'valid' END)
		  AND (NOT $17 OR NOT EXISTS (SELECT 1 FROM contents c WHERE c.lead_id = leads.id AND c.workspace_id = $1)
			AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.lead_id = leads.id AND j.workspace_id = $1 AND j.type = 'content-generation'
				AND j.state NOT IN ('succeeded', 'failed', 'canceled')))
		  AND ($18 = '' OR next_action = $18)
		ORDER BY id DESC LIMIT $14`, sc.ws, p.before(), string(f.Campaign), f.Priority, f.Grade, f.MinScore, f.City, f.Type, f.Source,
		f.Email, f.External, string(f.Import), pq.Array(strings.Fields(strings.ToLower(f.Query))), p.limit(),
		string(f.Consent), pq.Array(growth.OtherBases()), f.Unused, f.Action); err != nil {
		return nil, wrap("leads", err)
	}
	out := make([]SavedLead, 0, len(rows))
	for _, r := range rows {
		l, err := r.lead()
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

// CountLeads counts the workspace's leads by priority; leads without a score are under "".
func (sc Scoped) CountLeads(ctx context.Context) (map[string]int, error) {
	var rows []struct {
		Priority string `db:"priority"`
		N        int    `db:"n"`
	}
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT priority, count(*) AS n FROM leads WHERE workspace_id = $1 GROUP BY priority`, sc.ws); err != nil {
		return nil, wrap("count leads", err)
	}
	out := make(map[string]int, len(rows))
	for _, r := range rows {
		out[r.Priority] = r.N
	}
	return out, nil
}

// SaveQualification keeps a score with what it rests on; a second call for the same job changes nothing.
func (tx *Tx) SaveQualification(ctx context.Context, job growth.Job, q growth.Qualification, fingerprint string) error {
	result, err := json.Marshal(q)
	if err != nil {
		return wrap("save qualification", err)
	}
	if _, err := tx.tx.ExecContext(ctx, `
		INSERT INTO qualifications (id, workspace_id, lead_id, job_id, fingerprint, score, result)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (job_id) DO NOTHING`,
		growth.NewID(), job.Workspace, q.LeadID, job.ID, fingerprint, q.Score, result); err != nil {
		return wrap("save qualification", err)
	}
	_, err = tx.tx.ExecContext(ctx, `
		UPDATE leads SET fingerprint = $6, updated_at = now(),
			score = CASE WHEN overridden THEN score ELSE $3 END, grade = CASE WHEN overridden THEN grade ELSE $4 END,
			priority = CASE WHEN overridden THEN priority ELSE $5 END, next_action = CASE WHEN overridden THEN next_action ELSE $7 END
		WHERE id = $1 AND workspace_id = $2`, q.LeadID, job.Workspace, q.Score, q.Grade, q.Priority, fingerprint, q.NextAction)
	return wrap("save score", err)
}

// LatestQualification returns the newest score of a lead that rests on this fingerprint; ok is false when there is none.
func (sc Scoped) LatestQualification(ctx context.Context, lead growth.LeadID, fingerprint string) (q growth.Qualification, ok bool, err error) {
	var b []byte
	err = sc.s.db.GetContext(ctx, &b, `
		SELECT result FROM qualifications WHERE workspace_id = $1 AND lead_id = $2 AND fingerprint = $3
		ORDER BY created_at DESC LIMIT 1`, sc.ws, lead, fingerprint)
	if errors.Is(err, sql.ErrNoRows) {
		return q, false, nil
	}
	if err != nil {
		return q, false, wrap("latest qualification", err)
	}
	return q, true, wrap("latest qualification", json.Unmarshal(b, &q))
}

// KeptQualification is one score of a lead as it was written down.
type KeptQualification struct {
	ID     string          `db:"id"`
	Result json.RawMessage `db:"result"`
}

// Qualifications lists the scores of a lead, newest first.
func (sc Scoped) Qualifications(ctx context.Context, lead growth.LeadID, p Page) ([]KeptQualification, error) {
	rows := []KeptQualification{}
	err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT id, result FROM qualifications WHERE workspace_id = $1 AND lead_id = $2 AND id < $3 ORDER BY id DESC LIMIT $4`,
		sc.ws, lead, p.before(), p.limit())
	return rows, wrap("qualifications", err)
}

// AddTransfers records which fields of a lead went to which provider.
func (tx *Tx) AddTransfers(ctx context.Context, job growth.Job, lead growth.LeadID, calls []growth.Call, fields []string) error {
	for _, c := range calls {
		if c.Decision == growth.DecisionSkipped {
			continue
		}
		if _, err := tx.tx.ExecContext(ctx, `
			INSERT INTO transfers (workspace_id, lead_id, job_id, provider, model, fields) VALUES ($1, $2, $3, $4, $5, $6)`,
			job.Workspace, lead, job.ID, c.Provider, c.Model, pq.Array(fields)); err != nil {
			return wrap("add transfer", err)
		}
	}
	return nil
}

// LeadByRef finds a lead by its id or by its number, as older clients name it.
func (sc Scoped) LeadByRef(ctx context.Context, ref string) (SavedLead, error) {
	var r leadRow
	err := sc.s.db.GetContext(ctx, &r, `
		SELECT `+leadColumns+` FROM leads WHERE workspace_id = $1 AND (id::text = $2 OR number::text = $2)`, sc.ws, ref)
	if errors.Is(err, sql.ErrNoRows) {
		return SavedLead{}, growth.Errorf(growth.NotFound, "store.LeadByRef", "there is no such lead in this workspace")
	}
	if err != nil {
		return SavedLead{}, wrap("lead", err)
	}
	return r.lead()
}
