package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/lib/pq"

	growth "github.com/zakibelm/astrogrowth"
)

// maxVersions bounds how often a text can be edited.
const maxVersions = 1000

// EditContent replaces the text, its media and its account. c.Version is the version that was read: an edit of a text
// that was edited meanwhile is a Conflict. Whatever was approved before, the new text has to be approved again.
func (sc Scoped) EditContent(ctx context.Context, c growth.Content, by string) (growth.Content, error) {
	return sc.edit(ctx, c, by, nil)
}

// RestoreContent is EditContent with the text of an earlier version, which the new one names.
func (sc Scoped) RestoreContent(ctx context.Context, c growth.Content, from int, by string) (growth.Content, error) {
	return sc.edit(ctx, c, by, &from)
}

func (sc Scoped) edit(ctx context.Context, c growth.Content, by string, from *int) (growth.Content, error) {
	if _, err := sc.Content(ctx, c.ID); err != nil {
		return c, err
	}
	checks, err := json.Marshal(c.Checks)
	if err != nil {
		return c, wrap("edit content", err)
	}
	parts, err := json.Marshal(c.ScoreParts)
	if err != nil {
		return c, wrap("edit content", err)
	}
	err = sc.s.InTx(ctx, func(tx *Tx) error {
		err := tx.tx.GetContext(ctx, &c.Version, `
			UPDATE contents SET title = $3, body = $4, hashtags = $5, hash = $6, score = $7, checks = $8, version = version + 1,
				account_id = $9, media = $10, image_prompt = $11, score_parts = $12, sketch = $13,
				approved_hash = CASE WHEN hash = $6 THEN approved_hash END, approved_by = CASE WHEN hash = $6 THEN approved_by END,
				audit = CASE WHEN hash <> $6 AND audit = 'open' THEN 'overturned' ELSE audit END,
				updated_at = now(), status = CASE WHEN hash = $6 THEN status ELSE 'in_review' END
			WHERE id = $1 AND workspace_id = $2 AND version = $14 AND version < $15
			  AND status IN ('draft', 'in_review', 'approved', 'rejected', 'scheduled', 'failed')
			RETURNING version`, c.ID, sc.ws, c.Title, c.Body, pq.Array(c.Hashtags), c.Hash, c.Score, checks,
			c.AccountID, pq.Array(notNil(c.Media)), c.ImagePrompt, parts, c.Sketch, c.Version, maxVersions)
		if errors.Is(err, sql.ErrNoRows) {
			return tx.whyNotEdited(ctx, sc.ws, c)
		}
		if err != nil {
			return wrap("edit content", err)
		}
		return tx.saveVersion(ctx, c, by, from)
	})
	if err != nil {
		return c, err
	}
	return sc.Content(ctx, c.ID)
}

// whyNotEdited says which of the conditions of an edit does not hold.
func (tx *Tx) whyNotEdited(ctx context.Context, ws growth.WorkspaceID, c growth.Content) error {
	const op = "store.EditContent"
	var now struct {
		Version int                  `db:"version"`
		Status  growth.ContentStatus `db:"status"`
	}
	if err := tx.tx.GetContext(ctx, &now, `SELECT version, status FROM contents WHERE id = $1 AND workspace_id = $2`, c.ID, ws); err != nil {
		return wrap("edit content", err)
	}
	switch {
	case now.Version != c.Version:
		return growth.Errorf(growth.Conflict, op, "the content was edited meanwhile: it stands at version %d", now.Version)
	case now.Version >= maxVersions:
		return growth.Errorf(growth.Conflict, op, "a content has at most %d versions", maxVersions)
	}
	return growth.Errorf(growth.Conflict, op, "the content is %s: content that is being published, or was, cannot be edited", now.Status)
}

func (tx *Tx) saveVersion(ctx context.Context, c growth.Content, by string, from *int) error {
	_, err := tx.tx.ExecContext(ctx, `
		INSERT INTO content_versions (content_id, version, title, body, hashtags, hash, edited_by, account_id, media, image_prompt, restored_from)
		SELECT id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11 FROM contents WHERE id = $1
		ON CONFLICT DO NOTHING`, c.ID, max(c.Version, 1), c.Title, c.Body, pq.Array(c.Hashtags), c.Hash, by,
		c.AccountID, pq.Array(notNil(c.Media)), c.ImagePrompt, from)
	return wrap("save version", err)
}

type versionRow struct {
	Version     int            `db:"version"`
	Title       string         `db:"title"`
	Body        string         `db:"body"`
	Hashtags    pq.StringArray `db:"hashtags"`
	ImagePrompt string         `db:"image_prompt"`
	AccountID   sql.NullString `db:"account_id"`
	Media       pq.StringArray `db:"media"`
	Hash        string         `db:"hash"`
	EditedBy    string         `db:"edited_by"`
	From        *int           `db:"restored_from"`
	CreatedAt   time.Time      `db:"created_at"`
}

func (r versionRow) version() growth.ContentVersion {
	return growth.ContentVersion{
		Version: r.Version, Title: r.Title, Body: r.Body, Hashtags: notNil(r.Hashtags), ImagePrompt: r.ImagePrompt,
		AccountID: idOf[growth.AccountID](r.AccountID), Media: notNil(r.Media), Hash: r.Hash, EditedBy: r.EditedBy, RestoredFrom: r.From,
		CreatedAt: r.CreatedAt.UTC(),
	}
}

// ContentVersions lists the versions of a content below a number, newest first; 0: from the newest.
func (sc Scoped) ContentVersions(ctx context.Context, id growth.ContentID, below, limit int) ([]growth.ContentVersion, error) {
	if _, err := sc.Content(ctx, id); err != nil {
		return nil, err
	}
	var rows []versionRow
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT v.version, v.title, v.body, v.hashtags, v.image_prompt, v.account_id, v.media, v.hash, v.edited_by, v.restored_from, v.created_at
		FROM content_versions v JOIN contents c ON c.id = v.content_id
		WHERE c.id = $1 AND c.workspace_id = $2 AND ($3 = 0 OR v.version < $3) ORDER BY v.version DESC LIMIT $4`, id, sc.ws, below, limit); err != nil {
		return nil, wrap("content versions", err)
	}
	out := make([]growth.ContentVersion, 0, len(rows))
	for _, r := range rows {
		out = append(out, r.version())
	}
	return out, nil
}

// ContentVersion returns one version of a content.
func (sc Scoped) ContentVersion(ctx context.Context, id growth.ContentID, n int) (growth.ContentVersion, error) {
	var r versionRow
	err := sc.s.db.GetContext(ctx, &r, `
		SELECT v.version, v.title, v.body, v.hashtags, v.image_prompt, v.account_id, v.media, v.hash, v.edited_by, v.restored_from, v.created_at
		FROM content_versions v JOIN contents c ON c.id = v.content_id
		WHERE c.id = $1 AND c.workspace_id = $2 AND v.version = $3`, id, sc.ws, n)
	if errors.Is(err, sql.ErrNoRows) {
		return growth.ContentVersion{}, growth.Errorf(growth.NotFound, "store.ContentVersion", "there is no version %d of a content %s in this workspace", n, id)
	}
	return r.version(), wrap("content version", err)
}
