package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/lib/pq"

	growth "github.com/zakibelm/astrogrowth"
)

// maxBrands bounds the brand kits of one workspace.
const maxBrands = 200

type brandRow struct {
	ID         growth.BrandID `db:"id"`
	Name       string         `db:"name"`
	Kit        []byte         `db:"kit"`
	TrustAfter int            `db:"trust_after"`
	Default    bool           `db:"is_default"`
	Trusted    int            `db:"trusted"`
}

// brandColumns counts what people approved beside the kit.
const brandColumns = `id, name, kit, trust_after, is_default, (
	SELECT count(*) FROM (SELECT DISTINCT content_id FROM content_decisions d
		WHERE d.workspace_id = brands.workspace_id AND d.brand_id = brands.id AND d.decision = 'approved' AND NOT d.machine LIMIT 1000) AS t) AS trusted`

func (r brandRow) brand() (growth.Brand, error) {
	var b growth.Brand
	if err := json.Unmarshal(r.Kit, &b); err != nil {
		return b, wrap("read brand", err)
	}
	b.ID, b.Name, b.TrustAfter, b.Default, b.Trusted = r.ID, r.Name, &r.TrustAfter, r.Default, r.Trusted
	return b, nil
}

// CreateBrand stores a brand kit. The first one of a workspace, and one that says so, is the default.
func (sc Scoped) CreateBrand(ctx context.Context, b growth.Brand) (growth.Brand, error) {
	b.ID = growth.BrandID(growth.NewID())
	kit, err := json.Marshal(b.Kit())
	if err != nil {
		return b, wrap("create brand", err)
	}
	err = sc.s.InTx(ctx, func(tx *Tx) error {
		// One at a time: two first brands would both be the default.
		if _, err := tx.tx.ExecContext(ctx, `SELECT 1 FROM workspaces WHERE id = $1 FOR NO KEY UPDATE`, sc.ws); err != nil {
			return wrap("create brand", err)
		}
		var n int
		if err := tx.tx.GetContext(ctx, &n, `SELECT count(*) FROM brands WHERE workspace_id = $1`, sc.ws); err != nil {
			return wrap("create brand", err)
		}
		if n >= maxBrands {
			return growth.Errorf(growth.Conflict, "store.CreateBrand", "a workspace has at most %d brands: delete one first", maxBrands)
		}
		b.Default = b.Default || n == 0
		if err := tx.onlyDefault(ctx, sc.ws, b); err != nil {
			return err
		}
		_, err := tx.tx.ExecContext(ctx, `
			INSERT INTO brands (id, workspace_id, name, kit, trust_after, is_default) VALUES ($1, $2, $3, $4, coalesce($5, 5), $6)`,
			b.ID, sc.ws, b.Name, kit, b.TrustAfter, b.Default)
		return brandTaken(err)
	})
	if err != nil {
		return b, err
	}
	return sc.Brand(ctx, b.ID)
}

// onlyDefault takes the default away from the others when b claims it.
func (tx *Tx) onlyDefault(ctx context.Context, ws growth.WorkspaceID, b growth.Brand) error {
	if !b.Default {
		return nil
	}
	_, err := tx.tx.ExecContext(ctx, `UPDATE brands SET is_default = false WHERE workspace_id = $1 AND is_default AND id <> $2`, ws, b.ID)
	return wrap("default brand", err)
}

func brandTaken(err error) error {
	if e, ok := errors.AsType[*pq.Error](err); ok && e.Constraint == "brands_name" {
		return growth.Errorf(growth.Conflict, "store.brand", "the workspace has a brand of this name already")
	}
	return wrap("save brand", err)
}

// Brand returns one brand kit with the number of its posts that people approved.
func (sc Scoped) Brand(ctx context.Context, id growth.BrandID) (growth.Brand, error) {
	return brandFrom(ctx, sc.s.db, sc.ws, id)
}

func brandFrom(ctx context.Context, db getter, ws growth.WorkspaceID, id growth.BrandID) (growth.Brand, error) {
	var r brandRow
	err := db.GetContext(ctx, &r, `SELECT `+brandColumns+` FROM brands WHERE id = $1 AND workspace_id = $2`, id, ws)
	if errors.Is(err, sql.ErrNoRows) {
		return growth.Brand{}, growth.Errorf(growth.NotFound, "store.Brand", "there is no brand %s in this workspace", id)
	}
	if err != nil {
		return growth.Brand{}, wrap("brand", err)
	}
	return r.brand()
}

// DefaultBrand returns the kit for jobs that name none; found is false when the workspace has no brand kit.
func (sc Scoped) DefaultBrand(ctx context.Context) (b growth.Brand, found bool, err error) {
	var r brandRow
	err = sc.s.db.GetContext(ctx, &r, `SELECT `+brandColumns+` FROM brands WHERE workspace_id = $1 AND is_default`, sc.ws)
	if errors.Is(err, sql.ErrNoRows) {
		return b, false, nil
	}
	if err != nil {
		return b, false, wrap("default brand", err)
	}
	b, err = r.brand()
	return b, err == nil, err
}

// Brands lists the workspace's brand kits, newest first.
func (sc Scoped) Brands(ctx context.Context, p Page) ([]growth.Brand, error) {
	var rows []brandRow
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT `+brandColumns+` FROM brands WHERE workspace_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3`, sc.ws, p.before(), p.limit()); err != nil {
		return nil, wrap("brands", err)
	}
	out := make([]growth.Brand, 0, len(rows))
	for _, r := range rows {
		b, err := r.brand()
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

// UpdateBrand changes a brand kit under a lock. The default can be given to a brand and not taken from one.
func (sc Scoped) UpdateBrand(ctx context.Context, id growth.BrandID, change func(*growth.Brand) error) (growth.Brand, error) {
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.tx.ExecContext(ctx, `SELECT 1 FROM workspaces WHERE id = $1 FOR NO KEY UPDATE`, sc.ws); err != nil {
			return wrap("update brand", err)
		}
		b, err := brandFrom(ctx, tx.tx, sc.ws, id)
		if err != nil {
			return err
		}
		was := b.Default
		if err := change(&b); err != nil {
			return err
		}
		b.Default = b.Default || was
		if err := tx.onlyDefault(ctx, sc.ws, b); err != nil {
			return err
		}
		kit, err := json.Marshal(b.Kit())
		if err != nil {
			return wrap("update brand", err)
		}
		_, err = tx.tx.ExecContext(ctx, `
			UPDATE brands SET name = $3, kit = $4, trust_after = coalesce($5, trust_after), is_default = $6, updated_at = now()
			WHERE id = $1 AND workspace_id = $2`, id, sc.ws, b.Name, kit, b.TrustAfter, b.Default)
		return brandTaken(err)
	})
	if err != nil {
		return growth.Brand{}, err
	}
	return sc.Brand(ctx, id)
}

// DeleteBrand removes a brand kit; its contents stay. The default goes only when it is the last one.
func (sc Scoped) DeleteBrand(ctx context.Context, id growth.BrandID) error {
	b, err := sc.Brand(ctx, id)
	if err != nil {
		return err
	}
	res, err := sc.s.db.ExecContext(ctx, `
		DELETE FROM brands WHERE id = $1 AND workspace_id = $2
		  AND (NOT is_default OR NOT EXISTS (SELECT 1 FROM brands o WHERE o.workspace_id = $2 AND o.id <> $1))`, id, sc.ws)
	if err != nil {
		return wrap("delete brand", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return growth.Errorf(growth.Conflict, "store.DeleteBrand", "%q is the workspace's default brand: make another one the default first", b.Name)
	}
	return nil
}
