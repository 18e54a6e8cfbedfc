package store

import (
	"context"
	"encoding/json"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// Rubric is one version of a workspace's own rubric, as it was written.
type Rubric struct {
	ID        string    `db:"id"`
	Name      string    `db:"name"`
	Version   string    `db:"version"`
	Source    string    `db:"source"` // YAML
	CreatedBy string    `db:"created_by"`
	CreatedAt time.Time `db:"created_at"`
}

// Ref names the version: name@version.
func (r Rubric) Ref() string { return r.Name + "@" + r.Version }

// maxRubrics is how many versions of rubrics a workspace can have: jobs name them, so none is ever deleted.
const maxRubrics = 1000

// AddRubric keeps a new version. The same text again gives what is there; another text under the same version is a
// Conflict, because scores say by which version they were made.
func (sc Scoped) AddRubric(ctx context.Context, r Rubric) (Rubric, error) {
	const op = "store.AddRubric"
	var out Rubric
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		if err := tx.lockNames(ctx, sc.ws, []string{"rubric"}); err != nil {
			return err
		}
		err := tx.tx.GetContext(ctx, &out, `
			SELECT id, name, version, source, created_by, created_at FROM rubrics
			WHERE workspace_id = $1 AND name = $2 AND version = $3`, sc.ws, r.Name, r.Version)
		switch {
		case err == nil && out.Source == r.Source:
			return nil
		case err == nil:
			return &growth.Error{
				Code: growth.Conflict, Op: op, Field: "version",
				Message: "the version " + r.Ref() + " exists with another text, and a version does not change; give the new text a new version",
			}
		case !none(err):
			return wrap("add rubric", err)
		}
		var n int
		if err := tx.tx.GetContext(ctx, &n, `SELECT count(*) FROM rubrics WHERE workspace_id = $1`, sc.ws); err != nil {
			return wrap("add rubric", err)
		}
		if n >= maxRubrics {
			return growth.Errorf(growth.Conflict, op, "a workspace can have %d versions of rubrics", maxRubrics)
		}
		return wrap("add rubric", tx.tx.GetContext(ctx, &out, `
			INSERT INTO rubrics (id, workspace_id, name, version, source, created_by) VALUES ($1, $2, $3, $4, $5, $6)
			RETURNING id, name, version, source, created_by, created_at`, growth.NewID(), sc.ws, r.Name, r.Version, r.Source, r.CreatedBy))
	})
	out.CreatedAt = out.CreatedAt.UTC()
	return out, err
}

// Rubric finds a version by name@version, and by a name alone its newest one.
func (sc Scoped) Rubric(ctx context.Context, ref string) (Rubric, error) {
	var r Rubric
	err := sc.s.db.GetContext(ctx, &r, `
		SELECT id, name, version, source, created_by, created_at FROM rubrics
		WHERE workspace_id = $1 AND (name || '@' || version = $2 OR name = $2) ORDER BY id DESC LIMIT 1`, sc.ws, ref)
	if none(err) {
		return r, growth.Errorf(growth.NotFound, "store.Rubric", "there is no rubric %q in this workspace; see /v1/rubrics", ref)
	}
	r.CreatedAt = r.CreatedAt.UTC()
	return r, wrap("rubric", err)
}

// Rubrics lists the workspace's own versions, newest first.
func (sc Scoped) Rubrics(ctx context.Context, p Page) ([]Rubric, error) {
	out := []Rubric{}
	if err := sc.s.db.SelectContext(ctx, &out, `
		SELECT id, name, version, source, created_by, created_at FROM rubrics WHERE workspace_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3`,
		sc.ws, p.before(), p.limit()); err != nil {
		return nil, wrap("rubrics", err)
	}
	for i := range out {
		out[i].CreatedAt = out[i].CreatedAt.UTC()
	}
	return out, nil
}

// UseRubric makes a rubric that of the workspace, and leaves its other settings as they are.
func (sc Scoped) UseRubric(ctx context.Context, ref string) error {
	b, err := json.Marshal(ref)
	if err != nil {
		return wrap("use rubric", err)
	}
	_, err = sc.s.db.ExecContext(ctx, `UPDATE workspaces SET settings = jsonb_set(settings, '{rubric}', $2) WHERE id = $1`, sc.ws, b)
	return wrap("use rubric", err)
}
