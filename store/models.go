package store

import (
	"context"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// ModelBook keeps the providers' lists of models and what was noticed about models. sources names, for each provider,
// the address behind it: what one address serves says nothing about another.
type ModelBook struct {
	store   *Store
	sources map[string]string
}

// ModelBook returns the book of the providers at these sources.
func (s *Store) ModelBook(sources map[string]string) *ModelBook {
	return &ModelBook{store: s, sources: sources}
}

// Lists returns the last list of every provider of this book.
func (b *ModelBook) Lists(ctx context.Context) ([]growth.ModelList, error) {
	var rows []struct {
		Provider string    `db:"provider"`
		Source   string    `db:"source"`
		Models   []byte    `db:"models"`
		ReadAt   time.Time `db:"read_at"`
	}
	if err := b.store.db.SelectContext(ctx, &rows, `
		SELECT provider, source, models, read_at FROM model_lists ORDER BY provider, source LIMIT 200`); err != nil {
		return nil, wrap("model lists", err)
	}
	var out []growth.ModelList
	for _, r := range rows {
		if b.sources[r.Provider] == r.Source {
			out = append(out, growth.ModelList{Provider: r.Provider, ReadAt: r.ReadAt.UTC(), Models: r.Models})
		}
	}
	return out, nil
}

// SaveList keeps a list unless a newer one is there. A model that it names and that was called gone before it was read
// is back.
func (b *ModelBook) SaveList(ctx context.Context, l growth.ModelList) error {
	return b.store.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.tx.ExecContext(ctx, `
			INSERT INTO model_lists AS m (provider, source, models, read_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (provider, source) DO UPDATE SET models = excluded.models, read_at = excluded.read_at
			WHERE m.read_at < excluded.read_at`, l.Provider, b.sources[l.Provider], []byte(l.Models), l.ReadAt); err != nil {
			return wrap("save model list", err)
		}
		_, err := tx.tx.ExecContext(ctx, `
			DELETE FROM model_notices WHERE provider = $1 AND source = $2 AND kind = 'gone' AND noticed_at < $4
				AND model IN (SELECT m ->> 'ID' FROM jsonb_array_elements($3::jsonb) m)`,
			l.Provider, b.sources[l.Provider], []byte(l.Models), l.ReadAt)
		return wrap("models that are back", err)
	})
}

// Gone lists the models that some process found gone.
func (b *ModelBook) Gone(ctx context.Context) ([]growth.ModelNotice, error) {
	var rows []struct {
		Provider string    `db:"provider"`
		Source   string    `db:"source"`
		Model    string    `db:"model"`
		At       time.Time `db:"noticed_at"`
	}
	if err := b.store.db.SelectContext(ctx, &rows, `
		SELECT provider, source, model, noticed_at FROM model_notices WHERE kind = 'gone' ORDER BY noticed_at DESC LIMIT 2000`); err != nil {
		return nil, wrap("models that are gone", err)
	}
	var out []growth.ModelNotice
	for _, r := range rows {
		if b.sources[r.Provider] == r.Source {
			out = append(out, growth.ModelNotice{Kind: growth.NoticeGone, Provider: r.Provider, Model: r.Model, At: r.At.UTC()})
		}
	}
	return out, nil
}

// Note records a notice, and says whether it is the first of its kind: then it is an event of every workspace too.
func (b *ModelBook) Note(ctx context.Context, n growth.ModelNotice) (first bool, err error) {
	var told int64
	err = b.store.db.GetContext(ctx, &told, `
		WITH n AS (
			INSERT INTO model_notices (kind, provider, source, model, expires_at, noticed_at)
			VALUES ($1, $2, $3, $4, coalesce($5, 'infinity'::timestamptz), $6)
			ON CONFLICT DO NOTHING RETURNING kind, provider, model, expires_at
		), e AS (
			INSERT INTO events (workspace_id, type, data)
			SELECT w.id, 'model.' || n.kind, jsonb_strip_nulls(jsonb_build_object('provider', n.provider, 'model', n.model,
				'expires_at', CASE WHEN isfinite(n.expires_at) THEN to_char(n.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') END))
			FROM n, workspaces w
		)
		SELECT count(*) FROM n`, n.Kind, n.Provider, b.sources[n.Provider], n.Model, n.Expires, n.At)
	return told > 0, wrap("model notice", err)
}
