package store

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

type workspaceRow struct {
	ID        growth.WorkspaceID `db:"id"`
	Slug      string             `db:"slug"`
	Name      string             `db:"name"`
	Settings  []byte             `db:"settings"`
	CreatedAt time.Time          `db:"created_at"`
}

func (r workspaceRow) workspace() (growth.Workspace, error) {
	w := growth.Workspace{ID: r.ID, Slug: r.Slug, Name: r.Name, CreatedAt: r.CreatedAt.UTC()}
	if err := json.Unmarshal(r.Settings, &w.Settings); err != nil {
		return w, wrap("workspace settings", err)
	}
	return w, nil
}

// maxWorkspaces bounds what one installation holds: what goes over all of them reads them whole.
const maxWorkspaces = 10_000

// EnsureWorkspace returns the workspace with this slug and makes it when there is none; where there are 10,000 already it
// returns a Conflict error.
func (s *Store) EnsureWorkspace(ctx context.Context, slug, name string) (growth.Workspace, error) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails, by its documentation
	if _, err := s.db.ExecContext(ctx, `
		INSERT INTO workspaces (id, slug, name, secret) SELECT $1, $2, $3, $4 WHERE (SELECT count(*) FROM workspaces) < $5
		ON CONFLICT (slug) DO NOTHING`, growth.NewID(), slug, name, secret, maxWorkspaces); err != nil {
		return growth.Workspace{}, wrap("ensure workspace", err)
	}
	w, err := s.WorkspaceBySlug(ctx, slug)
	if growth.CodeOf(err) == growth.NotFound {
		return w, growth.Errorf(growth.Conflict, "store.EnsureWorkspace", "an installation holds at most %d workspaces", maxWorkspaces)
	}
	return w, err
}

// WorkspaceBySlug returns the workspace with this slug, or a NotFound error.
func (s *Store) WorkspaceBySlug(ctx context.Context, slug string) (growth.Workspace, error) {
	var r workspaceRow
	if err := s.db.GetContext(ctx, &r, `
		SELECT id, slug, name, settings, created_at FROM workspaces WHERE slug = $1`, slug); err != nil {
		return growth.Workspace{}, wrap("workspace", err)
	}
	return r.workspace()
}

// Workspace returns the workspace itself.
func (sc Scoped) Workspace(ctx context.Context) (growth.Workspace, error) {
	var r workspaceRow
	if err := sc.s.db.GetContext(ctx, &r, `
		SELECT id, slug, name, settings, created_at FROM workspaces WHERE id = $1`, sc.ws); err != nil {
		return growth.Workspace{}, wrap("workspace", err)
	}
	return r.workspace()
}

// Workspaces lists every workspace of the agency, by slug.
func (s *Store) Workspaces(ctx context.Context) ([]growth.Workspace, error) {
	var rows []workspaceRow
	if err := s.db.SelectContext(ctx, &rows, `
		SELECT id, slug, name, settings, created_at FROM workspaces ORDER BY slug LIMIT $1`, maxWorkspaces); err != nil {
		return nil, wrap("workspaces", err)
	}
	out := make([]growth.Workspace, 0, len(rows))
	for _, r := range rows {
		w, err := r.workspace()
		if err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	return out, nil
}

// SetSettings replaces the workspace's settings.
func (sc Scoped) SetSettings(ctx context.Context, settings growth.WorkspaceSettings) error {
	b, err := json.Marshal(settings)
	if err != nil {
		return wrap("set settings", err)
	}
	_, err = sc.s.db.ExecContext(ctx, `UPDATE workspaces SET settings = $2 WHERE id = $1`, sc.ws, b)
	return wrap("set settings", err)
}

// CallbackSecrets returns what signs this workspace's callbacks now: the newest secret, and for a while those before.
func (sc Scoped) CallbackSecrets(ctx context.Context) ([][]byte, error) {
	var r signingRow
	if err := sc.s.db.GetContext(ctx, &r, signingSecrets, sc.ws); err != nil {
		return nil, wrap("callback secrets", err)
	}
	former, err := formerSecrets(r.Former)
	out := [][]byte{r.Now}
	for _, f := range former {
		out = append(out, f.Secret)
	}
	return out, err
}

type signingRow struct {
	Now    []byte `db:"now"`
	Former []byte `db:"signing_former"`
}

const signingSecrets = `SELECT coalesce(signing_secret, secret) AS now, signing_former FROM workspaces WHERE id = $1` //nolint:gosec // names columns and holds none of them

// RotateCallbackSecret signs callbacks with a new secret from now on, and until then with the one before too, as with
// those that an earlier rotation left longer.
func (sc Scoped) RotateCallbackSecret(ctx context.Context, secret []byte, until time.Time) error {
	return sc.s.InTx(ctx, func(tx *Tx) error {
		var r signingRow
		if err := tx.tx.GetContext(ctx, &r, signingSecrets+` FOR NO KEY UPDATE`, sc.ws); err != nil {
			return wrap("rotate callback secret", err)
		}
		former, err := replaced(r.Former, r.Now, until)
		if err != nil {
			return err
		}
		_, err = tx.tx.ExecContext(ctx, `UPDATE workspaces SET signing_former = $3, signing_secret = $2 WHERE id = $1`, sc.ws, secret, former)
		return wrap("rotate callback secret", err)
	})
}

// CallbackSecret returns the 32 bytes that are the workspace's own and never change: digests are bound to them, and
// callbacks are signed with them until the first rotation.
func (sc Scoped) CallbackSecret(ctx context.Context) ([]byte, error) {
	var b []byte
	err := sc.s.db.GetContext(ctx, &b, `SELECT secret FROM workspaces WHERE id = $1`, sc.ws)
	return b, wrap("callback secret", err)
}
