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
	BrandID     sql.NullString       `db:"brand_id"`
	AccountID   sql.NullString       `db:"account_id"`
	Media       pq.StringArray       `db:"media"`
	ScoreParts  []byte               `db:"score_parts"`
	Prompt      string               `db:"prompt_version"`
	Model       string               `db:"model"`
	JudgeModel  string               `db:"judge_model"`
	Audit       growth.AuditState    `db:"audit"`
	ApprovedBy  sql.NullString       `db:"approved_by"`
	Reason      sql.NullString       `db:"reject_reason"`
	Simulated   bool                 `db:"simulated"`
	CreatedAt   time.Time            `db:"created_at"`
	UpdatedAt   time.Time            `db:"updated_at"`
}

const contentColumns = `id, number, job_id, lead_id, campaign_id, variant, version, title, body, hashtags, image_prompt,
	language, score, checks, status, hash, brand_id, account_id, media, score_parts, prompt_version, model, judge_model, audit,
	approved_by, reject_reason, simulated, created_at, updated_at`

func (r contentRow) content() (growth.Content, error) {
	c := growth.Content{
		ID: r.ID, Variant: r.Variant, Version: r.Version, Title: r.Title, Body: r.Body, Hashtags: r.Hashtags,
		ImagePrompt: r.ImagePrompt, Language: r.Language, Score: r.Score, Status: r.Status, Hash: r.Hash,
		Media: r.Media, PromptVersion: r.Prompt, Model: r.Model, JudgeModel: r.JudgeModel, Audit: r.Audit,
		ApprovedBy: r.ApprovedBy.String, RejectReason: r.Reason.String,
		Simulated: r.Simulated, CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
	if c.Hashtags == nil {
		c.Hashtags = []string{}
	}
	if c.Media == nil {
		c.Media = []string{}
	}
	c.JobID, c.LeadID, c.CampaignID = idOf[growth.JobID](r.JobID), idOf[growth.LeadID](r.LeadID), idOf[growth.CampaignID](r.CampaignID)
	c.BrandID, c.AccountID = idOf[growth.BrandID](r.BrandID), idOf[growth.AccountID](r.AccountID)
	if err := json.Unmarshal(r.ScoreParts, &c.ScoreParts); err != nil {
		return c, wrap("read content", err)
	}
	return c, wrap("read content", json.Unmarshal(r.Checks, &c.Checks))
}

// idOf gives the id in a column that may be NULL.
func idOf[ID ~string](s sql.NullString) *ID {
	if !s.Valid {
		return nil
	}
	id := ID(s.String)
	return &id
}

// SaveContent writes a new piece of content with its first version. by names who wrote it. Content that is born
// approved carries the approval of its own hash.
func (tx *Tx) SaveContent(ctx context.Context, ws growth.WorkspaceID, c growth.Content, by string) (number int64, err error) {
	checks, err := json.Marshal(c.Checks)
	if err != nil {
		return 0, wrap("save content", err)
	}
	parts, err := json.Marshal(c.ScoreParts)
	if err != nil {
		return 0, wrap("save content", err)
	}
	var approved, approver sql.NullString
	if c.Status == growth.ContentApproved {
		approved, approver = nullString(c.Hash), nullString(by)
	}
	var row struct {
		Number int64 `db:"number"`
		New    bool  `db:"new"`
	}
	err = tx.tx.GetContext(ctx, &row, `
		INSERT INTO contents (id, workspace_id, job_id, lead_id, campaign_id, variant, title, body, hashtags, image_prompt,
			language, score, checks, status, hash, approved_hash, approved_by, simulated,
			brand_id, account_id, media, score_parts, prompt_version, model, judge_model, audit, sketch)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27)
		ON CONFLICT (job_id, variant) DO UPDATE SET updated_at = contents.updated_at
		RETURNING number, id = $1 AS new`,
		c.ID, ws, c.JobID, c.LeadID, c.CampaignID, c.Variant, c.Title, c.Body, pq.Array(c.Hashtags), c.ImagePrompt, c.Language,
		c.Score, checks, string(c.Status), c.Hash, approved, approver, c.Simulated,
		c.BrandID, c.AccountID, pq.Array(notNil(c.Media)), parts, c.PromptVersion, c.Model, c.JudgeModel, string(c.Audit), c.Sketch)
	if err != nil {
		return 0, wrap("save content", err)
	}
	if !row.New {
		return row.Number, nil
	}
	if c.Status == growth.ContentApproved {
		if err := tx.saveDecision(ctx, ws, c.ID, Verdict{Approve: true, By: by, Machine: by == ByMachine}); err != nil {
			return 0, err
		}
	}
	return row.Number, tx.saveVersion(ctx, c, by, nil)
}

// notNil is a list for a column that is never NULL.
func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
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

// resumePublishing wakes the publish jobs that waited for a decision on a piece of content. Those that are held wait for a
// word about their time.
func (tx *Tx) resumePublishing(ctx context.Context, ws growth.WorkspaceID, id growth.ContentID) error {
	_, err := tx.tx.ExecContext(ctx, `
		UPDATE jobs SET state = 'queued', run_at = now(), epoch = epoch + 1, dispatched_at = NULL, updated_at = now()
		WHERE workspace_id = $1 AND type = 'linkedin-publish' AND state = 'waiting' AND waiting_reason = 'approval'
		  AND nullif(input->>'content_id', '')::uuid = $2
		  AND NOT EXISTS (SELECT 1 FROM post_times t WHERE t.job_id = jobs.id AND t.verdict = 'held')`, ws, string(id))
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
