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

type contentRow struct {
	ID          growth.ContentID     `db:"id"`
	Number      int64                `db:"number"`
	JobID       sql.NullString       `db:"job_id"`
	LeadID      sql.NullString       `db:"lead_id"`
	CampaignID  sql.NullString       `db:"campaign_id"`
	Variant     int                  `db:"variant"`
	Version     int                  `db:"version"`
	Title       string               `db:"title"`
	Body        string               `db:"body"`
	Hashtags    pq.StringArray       `db:"hashtags"`
	ImagePrompt string               `db:"image_prompt"`
	Language    string               `db:"language"`
	Score       int                  `db:"score"`
	Checks      []byte               `db:"checks"`
	Status      growth.ContentStatus `db:"status"`
	Hash        string               `db:"hash"`
	Simulated   bool                 `db:"simulated"`
	CreatedAt   time.Time            `db:"created_at"`
	UpdatedAt   time.Time            `db:"updated_at"`
}

const contentColumns = `id, number, job_id, lead_id, campaign_id, variant, version, title, body, hashtags, image_prompt,
	language, score, checks, status, hash, simulated, created_at, updated_at`

func (r contentRow) content() (growth.Content, error) {
	c := growth.Content{
		ID: r.ID, Variant: r.Variant, Version: r.Version, Title: r.Title, Body: r.Body, Hashtags: r.Hashtags,
		ImagePrompt: r.ImagePrompt, Language: r.Language, Score: r.Score, Status: r.Status, Hash: r.Hash,
		Simulated: r.Simulated, CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
	if c.Hashtags == nil {
		c.Hashtags = []string{}
	}
	if r.JobID.Valid {
		id := growth.JobID(r.JobID.String)
		c.JobID = &id
	}
	if r.LeadID.Valid {
		id := growth.LeadID(r.LeadID.String)
		c.LeadID = &id
	}
	if r.CampaignID.Valid {
		id := growth.CampaignID(r.CampaignID.String)
		c.CampaignID = &id
	}
	return c, wrap("read content", json.Unmarshal(r.Checks, &c.Checks))
}

// SaveContent writes a new piece of content with its first version. by names who wrote it. Content that is born
// approved carries the approval of its own hash.
func (tx *Tx) SaveContent(ctx context.Context, ws growth.WorkspaceID, c growth.Content, by string) (number int64, err error) {
	checks, err := json.Marshal(c.Checks)
	if err != nil {
		return 0, wrap("save content", err)
	}
	var approved, approver sql.NullString
	if c.Status == growth.ContentApproved {
		approved, approver = nullString(c.Hash), nullString(by)
	}
	err = tx.tx.GetContext(ctx, &number, `
		INSERT INTO contents (id, workspace_id, job_id, lead_id, campaign_id, variant, title, body, hashtags, image_prompt,
			language, score, checks, status, hash, approved_hash, approved_by, simulated)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
		ON CONFLICT (job_id, variant) DO UPDATE SET updated_at = contents.updated_at
		RETURNING number`,
		c.ID, ws, c.JobID, c.LeadID, c.CampaignID, c.Variant, c.Title, c.Body, pq.Array(c.Hashtags), c.ImagePrompt, c.Language,
		c.Score, checks, string(c.Status), c.Hash, approved, approver, c.Simulated)
	if err != nil {
		return 0, wrap("save content", err)
	}
	return number, tx.saveVersion(ctx, c, by)
}

func (tx *Tx) saveVersion(ctx context.Context, c growth.Content, by string) error {
	_, err := tx.tx.ExecContext(ctx, `
		INSERT INTO content_versions (content_id, version, title, body, hashtags, hash, edited_by)
		SELECT id, $2, $3, $4, $5, $6, $7 FROM contents WHERE id = $1
		ON CONFLICT DO NOTHING`, c.ID, max(c.Version, 1), c.Title, c.Body, pq.Array(c.Hashtags), c.Hash, by)
	return wrap("save version", err)
}

// CreateContent stores a piece of content that did not come from a job, and returns it with its number.
func (sc Scoped) CreateContent(ctx context.Context, c growth.Content, by string) (growth.Content, int64, error) {
	var number int64
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		var err error
		number, err = tx.SaveContent(ctx, sc.ws, c, by)
		return err
	})
	if err != nil {
		return c, 0, err
	}
	c, err = sc.Content(ctx, c.ID)
	return c, number, err
}

// Content returns one piece of content.
func (sc Scoped) Content(ctx context.Context, id growth.ContentID) (growth.Content, error) {
	var r contentRow
	err := sc.s.db.GetContext(ctx, &r, `SELECT `+contentColumns+` FROM contents WHERE id = $1 AND workspace_id = $2`, id, sc.ws)
	if errors.Is(err, sql.ErrNoRows) {
		return growth.Content{}, growth.Errorf(growth.NotFound, "store.Content", "there is no content %s in this workspace", id)
	}
	if err != nil {
		return growth.Content{}, wrap("content", err)
	}
	return r.content()
}

// Contents lists content, newest first; an empty status lists all.
func (sc Scoped) Contents(ctx context.Context, status growth.ContentStatus, p Page) ([]growth.Content, error) {
	var rows []contentRow
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT `+contentColumns+` FROM contents WHERE workspace_id = $1 AND id < $2 AND ($3 = '' OR status = $3)
		ORDER BY id DESC LIMIT $4`, sc.ws, p.before(), string(status), p.limit()); err != nil {
		return nil, wrap("contents", err)
	}
	out := make([]growth.Content, 0, len(rows))
	for _, r := range rows {
		c, err := r.content()
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// RecentBodies returns the texts of the workspace's newest content, against which new text is compared.
func (sc Scoped) RecentBodies(ctx context.Context, n int) ([]string, error) {
	out := []string{}
	err := sc.s.db.SelectContext(ctx, &out, `
		SELECT body FROM contents WHERE workspace_id = $1 AND status NOT IN ('rejected', 'failed') ORDER BY id DESC LIMIT $2`, sc.ws, n)
	return out, wrap("recent bodies", err)
}

// ApproveContent approves the text that has this hash. The approval of a text that was edited meanwhile is a Conflict:
// nobody approves what they have not seen.
func (sc Scoped) ApproveContent(ctx context.Context, id growth.ContentID, hash, by string) (growth.Content, error) {
	return sc.decide(ctx, id, `
		UPDATE contents SET status = 'approved', approved_hash = hash, approved_by = $4, reject_reason = NULL, updated_at = now()
		WHERE id = $1 AND workspace_id = $2 AND ($3 = '' OR hash = $3) AND status IN ('draft', 'in_review', 'rejected', 'approved')`,
		"content.approved", hash, by)
}

// RejectContent turns a text down, with the reason.
func (sc Scoped) RejectContent(ctx context.Context, id growth.ContentID, hash, reason string) (growth.Content, error) {
	return sc.decide(ctx, id, `
		UPDATE contents SET status = 'rejected', approved_hash = NULL, reject_reason = $4, updated_at = now()
		WHERE id = $1 AND workspace_id = $2 AND ($3 = '' OR hash = $3) AND status IN ('draft', 'in_review', 'approved', 'rejected', 'scheduled')`,
		"content.rejected", hash, reason)
}

func (sc Scoped) decide(ctx context.Context, id growth.ContentID, query, event, hash, word string) (growth.Content, error) {
	before, err := sc.Content(ctx, id)
	if err != nil {
		return before, err
	}
	err = sc.s.InTx(ctx, func(tx *Tx) error {
		res, err := tx.tx.ExecContext(ctx, query, id, sc.ws, hash, word)
		if err != nil {
			return wrap("decide", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return growth.Errorf(growth.Conflict, "store.decide", "the content is %s and its hash is %s: read it again before you decide", before.Status, before.Hash)
		}
		if err := tx.contentPlanned(ctx, sc.ws, id, ""); err != nil {
			return err
		}
		if err := tx.resumePublishing(ctx, sc.ws, id); err != nil {
			return err
		}
		data, err := json.Marshal(map[string]any{"content_id": id})
		if err != nil {
			return wrap("decide", err)
		}
		return tx.AddEvent(ctx, sc.ws, "", NewEvent{Type: event, Data: data})
	})
	if err != nil {
		return before, err
	}
	return sc.Content(ctx, id)
}

// resumePublishing wakes the publish jobs that waited for a decision on a piece of content.
func (tx *Tx) resumePublishing(ctx context.Context, ws growth.WorkspaceID, id growth.ContentID) error {
	_, err := tx.tx.ExecContext(ctx, `
		UPDATE jobs SET state = 'queued', run_at = now(), epoch = epoch + 1, dispatched_at = NULL, updated_at = now()
		WHERE workspace_id = $1 AND type = 'linkedin-publish' AND state = 'waiting' AND waiting_reason = 'approval'
		  AND input->>'content_id' = $2`, ws, string(id))
	return wrap("resume publishing", err)
}

// ContentHash returns the hash of the present text and whether exactly that text is approved.
func (sc Scoped) ContentHash(ctx context.Context, id growth.ContentID) (hash string, approved bool, err error) {
	var r struct {
		Hash     string `db:"hash"`
		Approved bool   `db:"approved"`
	}
	err = sc.s.db.GetContext(ctx, &r, `
		SELECT hash, coalesce(approved_hash = hash, false) AND status NOT IN ('rejected', 'draft', 'in_review') AS approved
		FROM contents WHERE id = $1 AND workspace_id = $2`, id, sc.ws)
	return r.Hash, r.Approved, wrap("content hash", err)
}

// EditContent replaces the text. Whatever was approved before, the new text has to be approved again.
func (sc Scoped) EditContent(ctx context.Context, c growth.Content, by string) (growth.Content, error) {
	if _, err := sc.Content(ctx, c.ID); err != nil {
		return c, err
	}
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		checks, err := json.Marshal(c.Checks)
		if err != nil {
			return wrap("edit content", err)
		}
		err = tx.tx.GetContext(ctx, &c.Version, `
			UPDATE contents SET title = $3, body = $4, hashtags = $5, hash = $6, score = $7, checks = $8, version = version + 1,
				approved_hash = CASE WHEN hash = $6 THEN approved_hash END, approved_by = CASE WHEN hash = $6 THEN approved_by END,
				updated_at = now(), status = CASE WHEN hash = $6 THEN status ELSE 'in_review' END
			WHERE id = $1 AND workspace_id = $2 AND status IN ('draft', 'in_review', 'approved', 'rejected', 'scheduled')
			RETURNING version`, c.ID, sc.ws, c.Title, c.Body, pq.Array(c.Hashtags), c.Hash, c.Score, checks)
		if errors.Is(err, sql.ErrNoRows) {
			return growth.Errorf(growth.Conflict, "store.EditContent", "content that is being published, or was, cannot be edited")
		}
		if err != nil {
			return wrap("edit content", err)
		}
		return tx.saveVersion(ctx, c, by)
	})
	if err != nil {
		return c, err
	}
	return sc.Content(ctx, c.ID)
}
