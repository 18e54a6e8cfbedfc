package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/lib/pq"

	growth "github.com/zakibelm/astrogrowth"
)

// GoldenSet is a number of leads with what people found in them, to hold models against.
type GoldenSet struct {
	ID        string    `db:"id" json:"id"`
	Name      string    `db:"name" json:"name"`
	Rubric    string    `db:"rubric" json:"rubric" doc:"name@version"`
	Language  string    `db:"language" json:"language"`
	Leads     int       `db:"leads" json:"leads"`
	CreatedBy string    `db:"created_by" json:"created_by"`
	CreatedAt time.Time `db:"created_at" json:"created_at"`
}

// GoldenLead is one lead of a golden set.
type GoldenLead struct {
	Lead     growth.Lead `json:"lead"`
	Expected Expected    `json:"expected"`
	Keys     []LeadKey   `json:"-"` // by which erasing the lead finds it here; only their digests are kept
}

// Expected is what people found in a lead.
type Expected struct {
	Levels map[string]string `json:"levels" doc:"Level by criterion of the rubric; unknown: the lead does not say"`
	Score  *int              `json:"score,omitempty" minimum:"0" maximum:"100"`
	Grade  string            `json:"grade,omitempty" pattern:"^[ABC][123]$"`
}

const goldenColumns = `id, name, rubric, language, (SELECT count(*) FROM golden_leads l WHERE l.set_id = s.id) AS leads, created_by, created_at`

// maxGoldenSets is how many golden sets a workspace can have.
const maxGoldenSets = 100

// AddGoldenSet keeps a golden set with its leads.
func (sc Scoped) AddGoldenSet(ctx context.Context, set GoldenSet, leads []GoldenLead) (GoldenSet, error) {
	const op = "store.AddGoldenSet"
	var out GoldenSet
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		if err := tx.lockNames(ctx, sc.ws, []string{"golden"}); err != nil {
			return err
		}
		var n int
		if err := tx.tx.GetContext(ctx, &n, `SELECT count(*) FROM golden_sets WHERE workspace_id = $1`, sc.ws); err != nil {
			return wrap("add golden set", err)
		}
		if n >= maxGoldenSets {
			return growth.Errorf(growth.Conflict, op, "a workspace can have %d golden sets; delete one", maxGoldenSets)
		}
		set.ID = growth.NewID()
		_, err := tx.tx.ExecContext(ctx, `
			INSERT INTO golden_sets (id, workspace_id, name, rubric, language, created_by) VALUES ($1, $2, $3, $4, $5, $6)`,
			set.ID, sc.ws, set.Name, set.Rubric, set.Language, set.CreatedBy)
		if violates(err, "golden_sets_name") {
			return &growth.Error{Code: growth.Conflict, Op: op, Field: "name", Message: "another golden set of this workspace has this name"}
		}
		if err != nil {
			return wrap("add golden set", err)
		}
		for i, l := range leads {
			if err := tx.addGoldenLead(ctx, sc.ws, set.ID, i, l); err != nil {
				return err
			}
		}
		return wrap("add golden set", tx.tx.GetContext(ctx, &out, `SELECT `+goldenColumns+` FROM golden_sets s WHERE id = $1 AND workspace_id = $2`, set.ID, sc.ws))
	})
	out.CreatedAt = out.CreatedAt.UTC()
	return out, err
}

func (tx *Tx) addGoldenLead(ctx context.Context, ws growth.WorkspaceID, set string, i int, l GoldenLead) error {
	lead, err := json.Marshal(l.Lead)
	if err != nil {
		return wrap("add golden lead", err)
	}
	expected, err := json.Marshal(l.Expected)
	if err != nil {
		return wrap("add golden lead", err)
	}
	kinds, values := make([]string, len(l.Keys)), make([]string, len(l.Keys))
	for i, k := range l.Keys {
		kinds[i], values[i] = k.Kind, k.Value
	}
	_, err = tx.tx.ExecContext(ctx, `
		INSERT INTO golden_leads (set_id, position, lead, expected, hashes)
		SELECT $2, $3, $4, $5, ARRAY(SELECT sha256(w.secret || convert_to(k.kind || E'\x1f' || k.value, 'UTF8'))
			FROM unnest($6::text[], $7::text[]) AS k (kind, value)) FROM workspaces w WHERE w.id = $1`,
		ws, set, i, lead, expected, pq.Array(kinds), pq.Array(values))
	return wrap("add golden lead", err)
}

// GoldenSets lists the golden sets, newest first.
func (sc Scoped) GoldenSets(ctx context.Context, p Page) ([]GoldenSet, error) {
	out := []GoldenSet{}
	err := sc.s.db.SelectContext(ctx, &out, `
		SELECT `+goldenColumns+` FROM golden_sets s WHERE workspace_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3`, sc.ws, p.before(), p.limit())
	for i := range out {
		out[i].CreatedAt = out[i].CreatedAt.UTC()
	}
	return out, wrap("golden sets", err)
}

// GoldenSet returns a golden set with its leads, in order.
func (sc Scoped) GoldenSet(ctx context.Context, id string) (GoldenSet, []GoldenLead, error) {
	var set GoldenSet
	err := sc.s.db.GetContext(ctx, &set, `SELECT `+goldenColumns+` FROM golden_sets s WHERE workspace_id = $1 AND id = $2`, sc.ws, id)
	if none(err) {
		return set, nil, growth.Errorf(growth.NotFound, "store.GoldenSet", "there is no golden set %s in this workspace", id)
	}
	if err != nil {
		return set, nil, wrap("golden set", err)
	}
	set.CreatedAt = set.CreatedAt.UTC()
	var rows []struct {
		Lead     []byte `db:"lead"`
		Expected []byte `db:"expected"`
	}
	if err := sc.s.db.SelectContext(ctx, &rows, `SELECT lead, expected FROM golden_leads WHERE set_id = $1 ORDER BY position`, id); err != nil {
		return set, nil, wrap("golden leads", err)
	}
	out := make([]GoldenLead, len(rows))
	for i, r := range rows {
		if err := json.Unmarshal(r.Lead, &out[i].Lead); err != nil {
			return set, nil, wrap("golden leads", err)
		}
		if err := json.Unmarshal(r.Expected, &out[i].Expected); err != nil {
			return set, nil, wrap("golden leads", err)
		}
	}
	return set, out, nil
}

// DeleteGoldenSet deletes a golden set; the jobs that ran over it stay.
func (sc Scoped) DeleteGoldenSet(ctx context.Context, id string) error {
	res, err := sc.s.db.ExecContext(ctx, `DELETE FROM golden_sets WHERE workspace_id = $1 AND id = $2`, sc.ws, id)
	if err != nil {
		return wrap("delete golden set", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return growth.Errorf(growth.NotFound, "store.DeleteGoldenSet", "there is no golden set %s in this workspace", id)
	}
	return nil
}
