package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/lib/pq"

	growth "github.com/zakibelm/astrogrowth"
)

// Key is an API key as the store knows it: its hash, never the key itself.
type Key struct {
	ID        string             `db:"id" json:"id"`
	Workspace growth.WorkspaceID `db:"workspace_id" json:"-"` // empty: an agency key
	Name      string             `db:"name" json:"name"`
	Prefix    string             `db:"prefix" json:"prefix"`
	Scopes    []string           `json:"scopes"`
	ExpiresAt *time.Time         `json:"expires_at"`
	LastUsed  *time.Time         `json:"last_used_at"`
	CreatedAt time.Time          `db:"created_at" json:"created_at"`
	Replaces  *string            `json:"rotated_from,omitempty" doc:"The key that this one takes the place of"`
}

type keyRow struct {
	ID        string         `db:"id"`
	Workspace sql.NullString `db:"workspace_id"`
	Name      string         `db:"name"`
	Prefix    string         `db:"prefix"`
	Scopes    pq.StringArray `db:"scopes"`
	ExpiresAt *time.Time     `db:"expires_at"`
	LastUsed  *time.Time     `db:"last_used_at"`
	CreatedAt time.Time      `db:"created_at"`
	Replaces  *string        `db:"rotated_from"`
}

const keyColumns = `id, workspace_id, name, prefix, scopes, expires_at, last_used_at, created_at, rotated_from`

func (r keyRow) key() Key {
	return Key{
		ID: r.ID, Workspace: growth.WorkspaceID(r.Workspace.String), Name: r.Name, Prefix: r.Prefix, Scopes: r.Scopes,
		ExpiresAt: inUTC(r.ExpiresAt), LastUsed: inUTC(r.LastUsed), CreatedAt: r.CreatedAt.UTC(), Replaces: r.Replaces,
	}
}

// AddKey stores a key by its hash; the same hash again changes nothing.
func (s *Store) AddKey(ctx context.Context, k Key, hash []byte) (Key, error) {
	var r keyRow
	err := s.db.GetContext(ctx, &r, `
		INSERT INTO api_keys (id, workspace_id, name, prefix, hash, scopes, expires_at)
		VALUES ($1, nullif($2, '')::uuid, $3, $4, $5, $6, $7)
		ON CONFLICT (hash) DO UPDATE SET name = excluded.name
		RETURNING `+keyColumns, growth.NewID(), string(k.Workspace), k.Name, k.Prefix, hash, pq.Array(k.Scopes), k.ExpiresAt)
	return r.key(), wrap("add key", err)
}

// KeyByHash returns the live key with this hash and notes that it was used (at most once a minute).
func (s *Store) KeyByHash(ctx context.Context, hash []byte) (Key, error) {
	var r keyRow
	err := s.db.GetContext(ctx, &r, `
		SELECT `+keyColumns+` FROM api_keys
		WHERE hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())`, hash)
	if errors.Is(err, sql.ErrNoRows) {
		return Key{}, growth.Errorf(growth.Unauthorized, "store.KeyByHash", "the API key is unknown, expired or revoked")
	}
	if err != nil {
		return Key{}, wrap("key", err)
	}
	if r.LastUsed == nil || time.Since(*r.LastUsed) > time.Minute {
		if _, err := s.db.ExecContext(ctx, `UPDATE api_keys SET last_used_at = now() WHERE id = $1`, r.ID); err != nil {
			return Key{}, wrap("key", err)
		}
	}
	return r.key(), nil
}

// Keys lists the keys of the workspace that are not revoked, newest first. An expired one is among them: it can be
// rotated.
func (sc Scoped) Keys(ctx context.Context, p Page) ([]Key, error) {
	var rows []keyRow
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT `+keyColumns+` FROM api_keys
		WHERE workspace_id = $1 AND revoked_at IS NULL AND id < $2 ORDER BY id DESC LIMIT $3`, sc.ws, p.before(), p.limit()); err != nil {
		return nil, wrap("keys", err)
	}
	out := make([]Key, 0, len(rows))
	for _, r := range rows {
		out = append(out, r.key())
	}
	return out, nil
}

// RotateKey makes a key that may do what another may, and lets the other end after grace, if it would not end before.
// The new one has no end of its own.
func (sc Scoped) RotateKey(ctx context.Context, id string, grace time.Duration, prefix string, hash []byte) (Key, error) {
	var r keyRow
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		var old keyRow
		err := tx.tx.GetContext(ctx, &old, `
			UPDATE api_keys SET expires_at = least(expires_at, now() + $3 * interval '1 millisecond')
			WHERE id = $1 AND workspace_id = $2 AND revoked_at IS NULL RETURNING `+keyColumns, id, sc.ws, grace.Milliseconds())
		if errors.Is(err, sql.ErrNoRows) {
			return growth.Errorf(growth.NotFound, "store.RotateKey", "there is no such key in this workspace")
		}
		if err != nil {
			return wrap("rotate key", err)
		}
		return tx.tx.GetContext(ctx, &r, `
			INSERT INTO api_keys (id, workspace_id, name, prefix, hash, scopes, rotated_from)
			VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING `+keyColumns,
			growth.NewID(), sc.ws, old.Name, prefix, hash, old.Scopes, old.ID)
	})
	return r.key(), wrap("rotate key", err)
}

// RevokeKey ends a key of the workspace.
func (sc Scoped) RevokeKey(ctx context.Context, id string) error {
	res, err := sc.s.db.ExecContext(ctx, `
		UPDATE api_keys SET revoked_at = now() WHERE id = $1 AND workspace_id = $2 AND revoked_at IS NULL`, id, sc.ws)
	if err != nil {
		return wrap("revoke key", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return growth.Errorf(growth.NotFound, "store.RevokeKey", "there is no such key in this workspace")
	}
	return nil
}
