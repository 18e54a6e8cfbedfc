package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// getter reads one row, in a transaction or outside.
type getter interface {
	GetContext(ctx context.Context, dest any, query string, args ...any) error
}

// postingPlan reads an account's plan; an account without one has the default, which has no slots and no zone.
func postingPlan(ctx context.Context, q getter, ws growth.WorkspaceID, id growth.AccountID) (growth.PostingPlan, error) {
	var r struct {
		Zone    string            `db:"zone"`
		Slots   []byte            `db:"slots"`
		Late    growth.LatePolicy `db:"late"`
		Minutes int               `db:"late_minutes"`
		PerHour int               `db:"catch_up_per_hour"`
	}
	err := q.GetContext(ctx, &r, `
		SELECT zone, slots, late, late_minutes, catch_up_per_hour FROM posting_plans WHERE account_id = $1 AND workspace_id = $2`, id, ws)
	if none(err) {
		return growth.DefaultPlan(id), nil
	}
	if err != nil {
		return growth.PostingPlan{}, wrap("posting plan", err)
	}
	p := growth.PostingPlan{AccountID: id, Zone: r.Zone, Late: r.Late, LateMinutes: r.Minutes, CatchUpPerHour: r.PerHour}
	return p, wrap("posting plan", json.Unmarshal(r.Slots, &p.Slots))
}

// PostingPlan returns the plan of an account.
func (sc Scoped) PostingPlan(ctx context.Context, id growth.AccountID) (growth.PostingPlan, error) {
	return postingPlan(ctx, sc.s.db, sc.ws, id)
}

// SetPostingPlan replaces the plan of an account. Posts that have a time keep it.
func (sc Scoped) SetPostingPlan(ctx context.Context, p growth.PostingPlan) error {
	slots, err := json.Marshal(p.Slots)
	if err != nil {
		return wrap("set posting plan", err)
	}
	res, err := sc.s.db.ExecContext(ctx, `
		INSERT INTO posting_plans (account_id, workspace_id, zone, slots, late, late_minutes, catch_up_per_hour)
		SELECT id, workspace_id, $3, $4, $5, $6, $7 FROM linkedin_accounts WHERE id = $1 AND workspace_id = $2
		ON CONFLICT (account_id) DO UPDATE SET zone = excluded.zone, slots = excluded.slots, late = excluded.late,
			late_minutes = excluded.late_minutes, catch_up_per_hour = excluded.catch_up_per_hour, updated_at = now()`,
		p.AccountID, sc.ws, p.Zone, slots, string(p.Late), p.LateMinutes, p.CatchUpPerHour)
	if err != nil {
		return wrap("set posting plan", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return growth.Errorf(growth.NotFound, "store.SetPostingPlan", "there is no LinkedIn account %s in this workspace", p.AccountID)
	}
	return nil
}

// Planned is one entry of the calendar: a post with its time, and what has become of it.
type Planned struct {
	growth.PostTime
	State       growth.JobState
	Waiting     growth.WaitReason
	Until       *time.Time
	ContentID   growth.ContentID
	Content     growth.ContentStatus
	Title       string
	Text        string
	Hashtags    []string
	Account     string
	Publication growth.PublicationState
	SentAt      *time.Time
	MovedFrom   *time.Time
	URL         string
	Message     string
}

type plannedRow struct {
	postTimeRow
	State       growth.JobState         `db:"state"`
	Waiting     growth.WaitReason       `db:"waiting"`
	Until       pgTime                  `db:"until"`
	ContentID   growth.ContentID        `db:"content_id"`
	Content     growth.ContentStatus    `db:"content_status"`
	Title       string                  `db:"title"`
	Text        string                  `db:"text"`
	Hashtags    []byte                  `db:"hashtags"`
	Account     string                  `db:"account"`
	Publication growth.PublicationState `db:"publication"`
	SentAt      sql.NullTime            `db:"sent_at"`
	MovedFrom   sql.NullTime            `db:"moved_from"`
	URL         string                  `db:"url"`
	Message     string                  `db:"message"`
}

func (r plannedRow) planned() (Planned, error) {
	p := Planned{
		PostTime: r.postTime(), State: r.State, Waiting: r.Waiting, ContentID: r.ContentID, Content: r.Content, Title: r.Title,
		Text: r.Text, Account: r.Account, Publication: r.Publication, URL: r.URL, Message: r.Message,
	}
	if !r.Until.IsZero() {
		p.Until = &r.Until.Time
	}
	for _, t := range []struct {
		from sql.NullTime
		to   **time.Time
	}{{r.SentAt, &p.SentAt}, {r.MovedFrom, &p.MovedFrom}} {
		if t.from.Valid {
			at := t.from.Time.UTC()
			*t.to = &at
		}
	}
	return p, wrap("calendar", json.Unmarshal(r.Hashtags, &p.Hashtags))
}

// plannedSelect reads what stands in due, a set of rows like post_times, with the post of each.
const plannedSelect = `
		SELECT t.job_id, t.workspace_id, t.account_id, t.source, t.local, t.zone, t.at, t.clock_change, t.verdict, t.released_at, t.moved_from,
			j.state, CASE WHEN j.state = 'waiting' THEN coalesce(j.waiting_reason, '') ELSE '' END AS waiting, j.waiting_until AS until,
			coalesce(c.id::text, '') AS content_id, coalesce(c.status, '') AS content_status, coalesce(c.title, '') AS title,
			coalesce(c.body, j.input->>'text', '') AS text, coalesce(to_jsonb(c.hashtags), '[]') AS hashtags,
			coalesce(a.name, '') AS account, coalesce(p.state, '') AS publication, p.sent_at, coalesce(p.url, '') AS url,
			coalesce(j.error_message, '') AS message
		FROM due t JOIN jobs j ON j.id = t.job_id AND j.workspace_id = $1
		LEFT JOIN linkedin_accounts a ON a.id = t.account_id AND a.workspace_id = $1
		LEFT JOIN publications p ON p.job_id = t.job_id AND p.workspace_id = $1
		LEFT JOIN contents c ON c.workspace_id = $1 AND c.id = nullif(j.input->>'content_id', '')::uuid
		ORDER BY t.at, t.job_id LIMIT 2000`

// Calendar lists the posts whose time lies between two instants, in their order, at most 2,000; account may be empty for
// all. Posts that went out without a planned time stand at the moment of their sending.
func (sc Scoped) Calendar(ctx context.Context, from, to time.Time, account growth.AccountID) ([]Planned, error) {
	return sc.planned(ctx, `
		WITH due AS (
			SELECT t.job_id, t.workspace_id, t.account_id, t.source, t.local, t.zone, t.at, t.clock_change, t.verdict, t.released_at, t.moved_from
			FROM post_times t
			WHERE t.workspace_id = $1 AND t.at >= $2 AND t.at < $3 AND ($4 = '' OR t.account_id = nullif($4, '')::uuid)
			UNION ALL
			SELECT p.job_id, p.workspace_id, p.account_id, 'instant', p.sent_at AT TIME ZONE 'UTC', 'UTC', p.sent_at, '', '', NULL, NULL
			FROM linkedin_accounts a JOIN publications p ON p.account_id = a.id AND p.sent_at >= $2 AND p.sent_at < $3
			WHERE a.workspace_id = $1 AND ($4 = '' OR a.id = nullif($4, '')::uuid)
			  AND NOT EXISTS (SELECT 1 FROM post_times t WHERE t.job_id = p.job_id))`+plannedSelect, sc.ws, from, to, string(account))
}

// MovedPosts lists the posts that missed a time between two instants and were given another.
func (sc Scoped) MovedPosts(ctx context.Context, from, to time.Time) ([]Planned, error) {
	return sc.planned(ctx, `
		WITH due AS (
			SELECT t.job_id, t.workspace_id, t.account_id, t.source, t.local, t.zone, t.at, t.clock_change, t.verdict, t.released_at, t.moved_from
			FROM post_times t WHERE t.workspace_id = $1 AND t.moved_from >= $2 AND t.moved_from < $3)`+plannedSelect, sc.ws, from, to)
}

func (sc Scoped) planned(ctx context.Context, query string, args ...any) ([]Planned, error) {
	var rows []plannedRow
	if err := sc.s.db.SelectContext(ctx, &rows, query, args...); err != nil {
		return nil, wrap("calendar", err)
	}
	out := make([]Planned, 0, len(rows))
	for _, r := range rows {
		p, err := r.planned()
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}
