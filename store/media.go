package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// MaxMediaBytes is what the pictures of one workspace may measure together.
const MaxMediaBytes = 500 << 20

type mediaRow struct {
	ID        growth.MediaID `db:"id"`
	Type      string         `db:"type"`
	Bytes     int            `db:"bytes"`
	Width     int            `db:"width"`
	Height    int            `db:"height"`
	Frames    int            `db:"frames"`
	AltText   string         `db:"alt_text"`
	CreatedAt time.Time      `db:"created_at"`
}

const mediaColumns = `id, type, octet_length(data) AS bytes, width, height, frames, alt_text, created_at`

func (r mediaRow) media(ws growth.WorkspaceID) growth.Media {
	return growth.Media{
		ID: r.ID, Workspace: ws, Type: r.Type, Bytes: r.Bytes, Width: r.Width, Height: r.Height, Frames: r.Frames, AltText: r.AltText,
		CreatedAt: r.CreatedAt.UTC(),
	}
}

// PutMedia keeps a picture under the id that its content has. One that is there already is found again.
func (sc Scoped) PutMedia(ctx context.Context, m growth.Media, data []byte) (growth.Media, error) {
	m.ID = growth.MediaIDOf(sc.ws, m.AltText, data)
	var r mediaRow
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(hashtextextended($1, 3))`, string(sc.ws)); err != nil {
			return wrap("put media", err)
		}
		var held int64
		if err := tx.tx.GetContext(ctx, &held, `
			SELECT coalesce(sum(octet_length(data)), 0) FROM media WHERE workspace_id = $1 AND id <> $2`, sc.ws, m.ID); err != nil {
			return wrap("put media", err)
		}
		if most := cmp.Or(sc.s.maxMedia, MaxMediaBytes); held+int64(len(data)) > most {
			return growth.Errorf(growth.Conflict, "store.PutMedia", "the workspace's pictures measure %d MiB already, at most %d are kept: delete some", held>>20, most>>20)
		}
		err := tx.tx.GetContext(ctx, &r, `
			INSERT INTO media (id, workspace_id, type, data, width, height, frames, alt_text) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (id) DO UPDATE SET used_at = now()
			RETURNING `+mediaColumns, m.ID, sc.ws, m.Type, data, m.Width, m.Height, m.Frames, m.AltText)
		return wrap("put media", err)
	})
	return r.media(sc.ws), err
}

// Media returns one picture's description.
func (sc Scoped) Media(ctx context.Context, id growth.MediaID) (growth.Media, error) {
	var r mediaRow
	err := sc.s.db.GetContext(ctx, &r, `SELECT `+mediaColumns+` FROM media WHERE id = $1 AND workspace_id = $2`, id, sc.ws)
	if errors.Is(err, sql.ErrNoRows) {
		return growth.Media{}, noMedia(id)
	}
	return r.media(sc.ws), wrap("media", err)
}

// MediaData returns a picture's bytes and notes that it was used. Bytes that are not those of its id are a Conflict:
// they were changed behind everybody's back, and nobody has approved them.
func (sc Scoped) MediaData(ctx context.Context, id growth.MediaID) (growth.Media, []byte, error) {
	var r struct {
		mediaRow
		Data []byte `db:"data"`
	}
	err := sc.s.db.GetContext(ctx, &r, `
		UPDATE media SET used_at = now() WHERE id = $1 AND workspace_id = $2 RETURNING `+mediaColumns+`, data`, id, sc.ws)
	if errors.Is(err, sql.ErrNoRows) {
		return growth.Media{}, nil, noMedia(id)
	}
	if err != nil {
		return growth.Media{}, nil, wrap("media", err)
	}
	if growth.MediaIDOf(sc.ws, r.AltText, r.Data) != id {
		return growth.Media{}, nil, growth.Errorf(growth.Conflict, "store.MediaData", "the picture %s is not the one that its id stands for", id)
	}
	return r.media(sc.ws), r.Data, nil
}

// MediaList lists pictures by their ids.
func (sc Scoped) MediaList(ctx context.Context, p Page) ([]growth.Media, error) {
	var rows []mediaRow
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT `+mediaColumns+` FROM media WHERE workspace_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3`, sc.ws, p.before(), p.limit()); err != nil {
		return nil, wrap("media", err)
	}
	out := make([]growth.Media, 0, len(rows))
	for _, r := range rows {
		out = append(out, r.media(sc.ws))
	}
	return out, nil
}

// DeleteMedia forgets a picture that no post waits for.
func (sc Scoped) DeleteMedia(ctx context.Context, id growth.MediaID) error {
	if _, err := sc.Media(ctx, id); err != nil {
		return err
	}
	res, err := sc.s.db.ExecContext(ctx, `
		DELETE FROM media m WHERE id = $1 AND workspace_id = $2 AND NOT EXISTS (
			SELECT 1 FROM jobs j WHERE j.workspace_id = m.workspace_id AND j.type = 'linkedin-publish'
				AND j.state NOT IN ('succeeded', 'failed', 'canceled') AND strpos(lower(j.input::text), m.id::text) > 0)
				AND NOT EXISTS (SELECT 1 FROM contents c WHERE c.workspace_id = m.workspace_id AND m.id::text = ANY (c.media)
					AND c.status NOT IN ('published', 'rejected'))`, id, sc.ws)
	if err != nil {
		return wrap("delete media", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return growth.Errorf(growth.Conflict, "store.DeleteMedia", "a text or a post that was not made yet needs the picture: take it out there first")
	}
	return nil
}

func noMedia(id growth.MediaID) error {
	return growth.Errorf(growth.NotFound, "store.Media", "there is no picture %s in this workspace", id)
}
