package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/lib/pq"

	growth "github.com/zakibelm/astrogrowth"
)

// Erasure is the receipt of an erased lead: how much was there, and nothing of what.
type Erasure struct {
	ID       growth.ErasureID `json:"id"`
	LeadID   growth.LeadID    `json:"lead_id"`
	AskedBy  string           `json:"asked_by" doc:"The API key's id; empty: this machine's own user"`
	Counts   ErasedCounts     `json:"counts"`
	CacheAt  *time.Time       `json:"cache_at" doc:"When the cache had forgotten it; null: not yet, ask again"`
	ErasedAt time.Time        `json:"erased_at"`
	Lifted   *Lift            `json:"lifted" doc:"null: the lead is not taken in again"`
}

// Lift says who let an erased lead be taken in again, and why.
type Lift struct {
	At     time.Time `json:"at"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
}

// ErasedCounts says how many rows of each kind went with a lead.
type ErasedCounts struct {
	Jobs           int `json:"jobs"`
	Qualifications int `json:"qualifications"`
	Transfers      int `json:"transfers"`
	Events         int `json:"events"`
	Feedback       int `json:"feedback"`
	Contents       int `json:"contents" doc:"Texts that named the lead and that nobody had published"`
	Detached       int `json:"contents_detached" doc:"Texts that no longer say for whom they were made"`
	Golden         int `json:"golden_leads,omitempty" doc:"Of golden sets"`
	Files          int `json:"files" doc:"Uploaded files that held the lead"`
	Deliveries     int `json:"webhook_deliveries" doc:"Messages in which the lead stood, that came in by webhook"`
	Told           int `json:"subscription_deliveries" doc:"Messages about the lead to subscriptions"`
}

type erasureRow struct {
	ID      growth.ErasureID `db:"id"`
	LeadID  growth.LeadID    `db:"lead_id"`
	AskedBy string           `db:"asked_by"`
	Counts  []byte           `db:"counts"`
	CacheAt *time.Time       `db:"cache_at"`
	At      time.Time        `db:"created_at"`

	LiftedAt   *time.Time `db:"lifted_at"`
	LiftedBy   string     `db:"lifted_by"`
	LiftReason string     `db:"lift_reason"`
}

const erasureColumns = `id, lead_id, asked_by, counts, cache_at, created_at, lifted_at, lifted_by, lift_reason`

func (r erasureRow) erasure() (Erasure, error) {
	e := Erasure{ID: r.ID, LeadID: r.LeadID, AskedBy: r.AskedBy, CacheAt: r.CacheAt, ErasedAt: r.At.UTC()}
	if r.LiftedAt != nil {
		e.Lifted = &Lift{At: r.LiftedAt.UTC(), By: r.LiftedBy, Reason: r.LiftReason}
	}
	return e, wrap("read erasure", json.Unmarshal(r.Counts, &e.Counts))
}

// EraseLead takes a lead out of every table, and leaves a receipt and the digests by which it is recognised and not
// taken in again. files are the imports whose uploaded files hold it; they lose them. Erasing it again gives the first
// receipt. Rows of the ledger stay: they say what was spent, and of whom they say nothing.
func (sc Scoped) EraseLead(ctx context.Context, id growth.LeadID, askedBy string, files []growth.ImportID) (Erasure, error) {
	return sc.eraseLead(ctx, id, askedBy, files, true)
}

// eraseLead is EraseLead; bury says whether a tombstone keeps the lead out, in the same commit.
func (sc Scoped) eraseLead(ctx context.Context, id growth.LeadID, askedBy string, files []growth.ImportID, bury bool) (Erasure, error) {
	if e, err := sc.Erasure(ctx, id); err == nil || growth.CodeOf(err) != growth.NotFound {
		return e, err
	}
	keys, err := sc.KeysOfLead(ctx, id)
	if err != nil {
		return Erasure{}, err
	}
	var e Erasure
	err = sc.s.InTx(ctx, func(tx *Tx) error {
		if err := tx.lockKeys(ctx, sc.ws, []LeadPut{{Keys: keys}}); err != nil {
			return err
		}
		if bury {
			if err := tx.bury(ctx, sc.ws, id); err != nil {
				return err
			}
		}
		counts, gone, err := tx.eraseLeads(ctx, sc.ws, []string{string(id)})
		if err != nil {
			return err
		}
		if gone == 0 {
			return growth.Errorf(growth.NotFound, "store.EraseLead", "there is no lead %s in this workspace", id)
		}
		if counts.Files, err = tx.dropFiles(ctx, sc.ws, files); err != nil {
			return err
		}
		e, err = tx.addErasure(ctx, sc.ws, id, askedBy, counts)
		return err
	})
	return e, err
}

// Erasure is the receipt of a lead that was erased.
func (sc Scoped) Erasure(ctx context.Context, id growth.LeadID) (Erasure, error) {
	var r erasureRow
	err := sc.s.db.GetContext(ctx, &r, `
		SELECT `+erasureColumns+` FROM erasures WHERE workspace_id = $1 AND lead_id = $2`, sc.ws, id)
	if none(err) {
		return Erasure{}, growth.Errorf(growth.NotFound, "store.Erasure", "no lead %s was erased in this workspace", id)
	}
	if err != nil {
		return Erasure{}, wrap("erasure", err)
	}
	return r.erasure()
}

// Erasures lists the receipts, newest first.
func (sc Scoped) Erasures(ctx context.Context, p Page) ([]Erasure, error) {
	var rows []erasureRow
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT `+erasureColumns+` FROM erasures
		WHERE workspace_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3`, sc.ws, p.before(), p.limit()); err != nil {
		return nil, wrap("erasures", err)
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

// CacheForgotLead completes a receipt: the cache holds nothing of the lead any more.
func (sc Scoped) CacheForgotLead(ctx context.Context, id growth.LeadID) (Erasure, error) {
	if err := sc.CacheForgot(ctx, []growth.LeadID{id}); err != nil {
		return Erasure{}, err
	}
	return sc.Erasure(ctx, id)
}

// KeysOfLead gives every key under which a lead was ever recognised.
func (sc Scoped) KeysOfLead(ctx context.Context, id growth.LeadID) ([]LeadKey, error) {
	var rows []struct {
		Kind  string `db:"kind"`
		Value string `db:"value"`
	}
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT kind, value FROM lead_keys WHERE workspace_id = $1 AND lead_id = $2 ORDER BY kind, value`, sc.ws, id); err != nil {
		return nil, wrap("keys of lead", err)
	}
	out := make([]LeadKey, len(rows))
	for i, r := range rows {
		out[i] = LeadKey{Kind: r.Kind, Value: r.Value}
	}
	return out, nil
}

// bury keeps the digests of a lead's keys. The workspace's secret is part of them: a list of addresses cannot be tried
// against them by somebody who has the table alone.
func (tx *Tx) bury(ctx context.Context, ws growth.WorkspaceID, id growth.LeadID) error {
	_, err := tx.tx.ExecContext(ctx, `
		INSERT INTO tombstones (workspace_id, kind, hash, lead_id)
		SELECT k.workspace_id, k.kind, sha256(w.secret || convert_to(k.kind || E'\x1f' || k.value, 'UTF8')), k.lead_id
		FROM lead_keys k JOIN workspaces w ON w.id = k.workspace_id
		WHERE k.workspace_id = $1 AND k.lead_id = $2
		ON CONFLICT DO NOTHING`, ws, id)
	return wrap("bury lead", err)
}

func (tx *Tx) addErasure(ctx context.Context, ws growth.WorkspaceID, id growth.LeadID, by string, c ErasedCounts) (Erasure, error) {
	counts, err := json.Marshal(c)
	if err != nil {
		return Erasure{}, wrap("add erasure", err)
	}
	var r erasureRow
	if err := tx.tx.GetContext(ctx, &r, `
		INSERT INTO erasures (id, workspace_id, lead_id, asked_by, counts) VALUES ($1, $2, $3, $4, $5)
		RETURNING `+erasureColumns, growth.NewID(), ws, id, by, counts); err != nil {
		return Erasure{}, wrap("add erasure", err)
	}
	return r.erasure()
}

// named are the texts of the workspace that may name a lead by what only it has.
const named = `
	SELECT c.id, EXISTS (
		SELECT 1 FROM leads l, jsonb_each_text(l.data) AS f
		WHERE l.id = c.lead_id AND f.key IN ('email', 'phone', 'contact_name', 'linkedin_url', 'address') AND length(f.value) > 3
		  AND (strpos(lower(c.title || ' ' || c.body), lower(f.value)) > 0 OR EXISTS (
			SELECT 1 FROM content_versions v WHERE v.content_id = c.id AND strpos(lower(v.title || ' ' || v.body), lower(f.value)) > 0))
		) AND c.status NOT IN ('publishing', 'published', 'unknown') AS goes
	FROM contents c WHERE c.workspace_id = $1 AND c.lead_id = ANY($2::uuid[])`

// eraseLeads deletes leads with all that was made of them, and says how many there were. Jobs that have posted something
// stay, without what they were given: the post is public, and its row keeps it from being posted twice.
func (tx *Tx) eraseLeads(ctx context.Context, ws growth.WorkspaceID, ids []string) (c ErasedCounts, gone int, err error) {
	leads := pq.Array(ids)
	var jobs []string
	if err := tx.tx.SelectContext(ctx, &jobs, `
		SELECT id FROM jobs WHERE workspace_id = $1 AND lead_id = ANY($2::uuid[]) ORDER BY id FOR UPDATE`, ws, leads); err != nil {
		return c, 0, wrap("erase lead", err)
	}
	// A post that is being claimed holds its job: what the statements below see of it comes after that claim.
	if _, err := tx.tx.ExecContext(ctx, `
		SELECT j.id FROM jobs j JOIN publications p ON p.job_id = j.id JOIN contents c ON c.id = p.content_id
		WHERE c.workspace_id = $1 AND c.lead_id = ANY($2::uuid[]) AND j.workspace_id = $1 ORDER BY j.id FOR UPDATE OF j`, ws, leads); err != nil {
		return c, 0, wrap("erase lead", err)
	}
	for _, q := range []struct {
		n    *int
		sql  string
		args []any
	}{
		{&c.Deliveries, forgetDeliveries, []any{ws, leads}},
		{&c.Told, `DELETE FROM subscription_deliveries WHERE workspace_id = $1
			AND (event_job_id = ANY($3::uuid[]) OR event_lead_id = ANY($2::text[]))`, []any{ws, leads, pq.Array(jobs)}},
		{&c.Qualifications, `DELETE FROM qualifications WHERE workspace_id = $1 AND lead_id = ANY($2::uuid[])`, []any{ws, leads}},
		{&c.Golden, `DELETE FROM golden_leads g USING golden_sets s WHERE s.id = g.set_id AND s.workspace_id = $1 AND g.hashes && ARRAY(
			SELECT sha256(w.secret || convert_to(k.kind || E'\x1f' || k.value, 'UTF8')) FROM lead_keys k JOIN workspaces w ON w.id = k.workspace_id
			WHERE k.workspace_id = $1 AND k.lead_id = ANY($2::uuid[]))`, []any{ws, leads}},
		{&c.Transfers, `DELETE FROM transfers WHERE workspace_id = $1 AND lead_id = ANY($2::uuid[])`, []any{ws, leads}},
		{&c.Events, `DELETE FROM events WHERE workspace_id = $1 AND (job_id = ANY($3::uuid[]) OR data ->> 'lead_id' = ANY($2::text[]))`, []any{ws, leads, pq.Array(jobs)}},
		{&c.Feedback, `DELETE FROM feedback WHERE workspace_id = $1 AND (job_id = ANY($2::uuid[]) OR call_id IN (
			SELECT id FROM calls WHERE job_id = ANY($2::uuid[])))`, []any{ws, pq.Array(jobs)}},
		{nil, `UPDATE calls SET detail = '' WHERE workspace_id = $1 AND job_id = ANY($2::uuid[]) AND detail <> ''`, []any{ws, pq.Array(jobs)}},
		{nil, `DELETE FROM jobs WHERE workspace_id = $1 AND id IN (
			SELECT p.job_id FROM publications p JOIN (` + named + `) AS n ON n.id = p.content_id
			WHERE n.goes AND p.state IN ('ready', 'rejected'))`, []any{ws, leads}},
		{&c.Contents, `DELETE FROM contents WHERE workspace_id = $1 AND id IN (SELECT id FROM (` + named + `) AS n WHERE goes)`, []any{ws, leads}},
		{&c.Detached, `UPDATE contents SET lead_id = NULL WHERE workspace_id = $1 AND lead_id = ANY($2::uuid[])`, []any{ws, leads}},
		{nil, `UPDATE jobs SET lead_id = NULL, metadata = NULL, input = '{}', result = NULL WHERE workspace_id = $1 AND id = ANY($2::uuid[])
			AND EXISTS (SELECT 1 FROM publications p WHERE p.job_id = jobs.id)`, []any{ws, pq.Array(jobs)}},
		{&c.Jobs, `DELETE FROM jobs WHERE workspace_id = $1 AND id = ANY($2::uuid[])
			AND NOT EXISTS (SELECT 1 FROM publications p WHERE p.job_id = jobs.id)`, []any{ws, pq.Array(jobs)}},
		{nil, `INSERT INTO cache_dues (workspace_id, lead_id) SELECT $1, id FROM leads WHERE workspace_id = $1 AND id = ANY($2::uuid[])
			ON CONFLICT DO NOTHING`, []any{ws, leads}},
		{&gone, `DELETE FROM leads WHERE workspace_id = $1 AND id = ANY($2::uuid[])`, []any{ws, leads}},
	} {
		res, err := tx.tx.ExecContext(ctx, q.sql, q.args...)
		if err != nil {
			return c, 0, wrap("erase lead", err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return c, 0, wrap("erase lead", err)
		}
		if q.n != nil {
			*q.n = int(n)
		}
	}
	return c, gone, nil
}

// buried gives the places of those puts that stand for an erased lead. A sure key tells by itself. Others do unless the
// put has a sure key of a kind that the erased lead had too, with another value: a company's people share its address.
func (tx *Tx) buried(ctx context.Context, ws growth.WorkspaceID, puts []LeadPut) (map[int]bool, error) {
	var at []int64
	var kinds, values []string
	var sure []bool
	for i, p := range puts {
		for _, k := range p.Keys {
			at, kinds, values, sure = append(at, int64(i)), append(kinds, k.Kind), append(values, k.Value), append(sure, k.Sure)
		}
	}
	var hits []int
	if err := tx.tx.SelectContext(ctx, &hits, `
		WITH given AS (
			SELECT g.at, g.kind, g.sure, sha256(w.secret || convert_to(g.kind || E'\x1f' || g.value, 'UTF8')) AS hash
			FROM unnest($2::int[], $3::text[], $4::text[], $5::bool[]) AS g (at, kind, value, sure), workspaces w WHERE w.id = $1
		)
		SELECT DISTINCT g.at FROM given g JOIN tombstones t ON t.workspace_id = $1 AND t.kind = g.kind AND t.hash = g.hash
		WHERE g.sure OR NOT EXISTS (
			SELECT 1 FROM given o JOIN tombstones other ON other.lead_id = t.lead_id AND other.kind = o.kind
			WHERE o.at = g.at AND o.sure)`,
		ws, pq.Array(at), pq.Array(kinds), pq.Array(values), pq.Array(sure)); err != nil {
		return nil, wrap("look for erased leads", err)
	}
	out := make(map[int]bool, len(hits))
	for _, i := range hits {
		out[i] = true
	}
	return out, nil
}

// refuseErased is for who brings leads one by one, or wants all of them or none.
func (tx *Tx) refuseErased(ctx context.Context, ws growth.WorkspaceID, puts []LeadPut) error {
	hits, err := tx.buried(ctx, ws, puts)
	if err != nil || len(hits) == 0 {
		return err
	}
	return growth.Errorf(growth.Conflict, "store.PutLeads", "this lead was erased and is not taken in again")
}
