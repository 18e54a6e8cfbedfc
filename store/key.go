package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/lib/pq"

	growth "github.com/zakibelm/astrogrowth"
)

// AdminKeyName is the name of the key that stands in the configuration of the installation, and of no other.
const AdminKeyName = "ADMIN_API_KEY"

// Reach says whose keys are meant.
type Reach string

// What a caller may reach: a key of one workspace never reaches the agency's.
const (
	ReachWorkspace Reach = "workspace" // the keys of the workspace alone
	ReachAgency    Reach = "agency"    // those of the agency too, which work in every workspace
)

// reachable limits a statement to the keys that are meant; its arguments $1 and $2 are the workspace and the reach.
const reachable = `(workspace_id = $1 OR workspace_id IS NULL AND $2 = 'agency')`

// Key is an API key as the store knows it: its hash, never the key itself.
type Key struct {
	ID        string             `db:"id" json:"id"`
	Workspace growth.WorkspaceID `db:"workspace_id" json:"-"` // empty: an agency key
	Agency    bool               `json:"agency,omitempty" doc:"Works in every workspace"`
	Name      string             `db:"name" json:"name"`
	Prefix    string             `db:"prefix" json:"prefix"`
	Scopes    []string           `json:"scopes"`
	ExpiresAt *time.Time         `json:"expires_at"`
	LastUsed  *time.Time         `json:"last_used_at" doc:"To the minute: a call within a minute of the one noted is not noted"`
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
		ID: r.ID, Workspace: growth.WorkspaceID(r.Workspace.String), Agency: !r.Workspace.Valid, Name: r.Name, Prefix: r.Prefix, Scopes: r.Scopes,
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

// SetAdminKey makes the key of the configuration the only one of its name: one that was configured before ends now. A key
// that ended so begins again when it is configured again; one that a person revoked stays revoked, which ok says.
func (s *Store) SetAdminKey(ctx context.Context, k Key, hash []byte) (ended int64, ok bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		if err := tx.tx.GetContext(ctx, &ok, `
			INSERT INTO api_keys (id, name, prefix, hash, scopes) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (hash) DO UPDATE SET name = excluded.name, expires_at = NULL
			RETURNING revoked_at IS NULL`, growth.NewID(), AdminKeyName, k.Prefix, hash, pq.Array(k.Scopes)); err != nil {
			return err
		}
		res, err := tx.tx.ExecContext(ctx, `
			UPDATE api_keys SET expires_at = now()
			WHERE workspace_id IS NULL AND name = $1 AND hash <> $2 AND (expires_at IS NULL OR expires_at > now())`, AdminKeyName, hash)
		if err != nil {
			return err
		}
		ended, err = res.RowsAffected()
		return err
	})
	return ended, ok, wrap("admin key", err)
}

// someKey is whether a caller could have a key that works.
const someKey = `EXISTS (SELECT FROM api_keys WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()))`

// AnyKey says whether there is a key that works, of whomever.
func (s *Store) AnyKey(ctx context.Context) (bool, error) {
	var some bool
	err := s.db.GetContext(ctx, &some, `SELECT `+someKey)
	return some, wrap("any key", err)
}

// AddFirstKey stores a key of the agency where no key works, and says whether it did: of processes that start together,
// one makes the first key.
func (s *Store) AddFirstKey(ctx context.Context, k Key, hash []byte) (made bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.tx.ExecContext(ctx, `LOCK TABLE api_keys IN SHARE ROW EXCLUSIVE MODE`); err != nil {
			return err
		}
		res, err := tx.tx.ExecContext(ctx, `
			INSERT INTO api_keys (id, name, prefix, hash, scopes) SELECT $1, $2, $3, $4, $5 WHERE NOT `+someKey,
			growth.NewID(), k.Name, k.Prefix, hash, pq.Array(k.Scopes))
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		made = n == 1
		return err
	})
	return made, wrap("first key", err)
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

// Keys lists the keys within reach that are not revoked, newest first. An expired one is among them: it can be rotated.
func (sc Scoped) Keys(ctx context.Context, reach Reach, p Page) ([]Key, error) {
	var rows []keyRow
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT `+keyColumns+` FROM api_keys
		WHERE `+reachable+` AND revoked_at IS NULL AND id < $3 ORDER BY id DESC LIMIT $4`, sc.ws, reach, p.before(), p.limit()); err != nil {
		return nil, wrap("keys", err)
	}
	out := make([]Key, 0, len(rows))
	for _, r := range rows {
		out = append(out, r.key())
	}
	return out, nil
}

// RotateKey makes a key that may do what another may, and lets the other end after grace, if it would not end before.
// The new one has no end of its own. The key of the configuration is exchanged there.
func (sc Scoped) RotateKey(ctx context.Context, reach Reach, id string, grace time.Duration, prefix string, hash []byte) (Key, error) {
	const op = "store.RotateKey"
	var r keyRow
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		var old keyRow
		err := tx.tx.GetContext(ctx, &old, `
			UPDATE api_keys SET expires_at = least(expires_at, now() + $4 * interval '1 millisecond')
			WHERE `+reachable+` AND id = $3 AND revoked_at IS NULL RETURNING `+keyColumns, sc.ws, reach, id, grace.Milliseconds())
		if errors.Is(err, sql.ErrNoRows) {
			return growth.Errorf(growth.NotFound, op, "there is no such key in this workspace")
		}
		if err != nil {
			return wrap("rotate key", err)
		}
		if !old.Workspace.Valid && old.Name == AdminKeyName {
			return growth.Errorf(growth.Conflict, op, "this key is that of the setting ADMIN_API_KEY: set another there and start the enqueuer again, which ends this one")
		}
		return tx.tx.GetContext(ctx, &r, `
			INSERT INTO api_keys (id, workspace_id, name, prefix, hash, scopes, rotated_from)
			VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING `+keyColumns,
			growth.NewID(), old.Workspace, old.Name, prefix, hash, old.Scopes, old.ID)
	})
	return r.key(), wrap("rotate key", err)
}

// RevokeKey ends a key within reach.
func (sc Scoped) RevokeKey(ctx context.Context, reach Reach, id string) error {
	res, err := sc.s.db.ExecContext(ctx, `
		UPDATE api_keys SET revoked_at = now() WHERE `+reachable+` AND id = $3 AND revoked_at IS NULL`, sc.ws, reach, id)
	if err != nil {
		return wrap("revoke key", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return growth.Errorf(growth.NotFound, "store.RevokeKey", "there is no such key in this workspace")
	}
	return nil
}
