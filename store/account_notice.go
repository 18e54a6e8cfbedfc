package store

import (
	"context"
	"database/sql"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// EndingAccounts lists the active accounts of every workspace whose token, or refresh token, ends within ahead.
func (s *Store) EndingAccounts(ctx context.Context, ahead time.Duration, after growth.AccountID, limit int) ([]growth.Account, error) {
	if after == "" {
		after = "00000000-0000-0000-0000-000000000000"
	}
	var rows []accountRow
	if err := s.db.SelectContext(ctx, &rows, `
		SELECT `+accountColumns+` FROM linkedin_accounts
		WHERE status = 'active' AND id > $2 AND least(expires_at, refresh_expires_at) <= now() + $1 * interval '1 millisecond'
		ORDER BY id LIMIT $3`, ahead.Milliseconds(), after, limit); err != nil {
		return nil, wrap("ending accounts", err)
	}
	out := make([]growth.Account, 0, len(rows))
	for _, r := range rows {
		out = append(out, r.account())
	}
	return out, nil
}

// NoticeEnd records that the end of an account's access was told so many days ahead, together with the event that tells
// it: once for each number of days and end, however many processes look. With 0 days the access has ended, and the
// account has to be connected again.
func (s *Store) NoticeEnd(ctx context.Context, a growth.Account, end time.Time, days int, e NewEvent) (bool, error) {
	told := false
	err := s.InTx(ctx, func(tx *Tx) error {
		res, err := tx.tx.ExecContext(ctx, `
			UPDATE linkedin_accounts SET noticed_end = $3, noticed_days = $4,
				status = CASE WHEN $4 = 0 THEN 'reconnect' ELSE status END, updated_at = now()
			WHERE id = $1 AND workspace_id = $2 AND status = 'active' AND token_at = $5
			  AND (noticed_end IS DISTINCT FROM $3 OR noticed_days > $4)`, a.ID, a.Workspace, end, days, a.TokenAt)
		if err != nil {
			return wrap("notice end", err)
		}
		n, err := res.RowsAffected()
		if err != nil || n == 0 {
			return wrap("notice end", err)
		}
		told = true
		return tx.AddEvent(ctx, a.Workspace, "", e)
	})
	return told && err == nil, err
}

// PostsAtStake lists the publish jobs of an account that are to run at or after a time, or wait for a person, and says
// how many there are.
func (sc Scoped) PostsAtStake(ctx context.Context, id growth.AccountID, from time.Time, limit int) ([]growth.StakedPost, int, error) {
	var rows []struct {
		JobID     growth.JobID   `db:"id"`
		RunAt     sql.NullTime   `db:"run_at"`
		ContentID sql.NullString `db:"content_id"`
		Total     int            `db:"total"`
	}
	// A job that names no account means that of its content, else that of its time, else the only one that there is.
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT j.id, nullif(j.run_at, 'infinity') AS run_at, nullif(j.input->>'content_id', '') AS content_id, count(*) OVER () AS total
		FROM jobs j LEFT JOIN publications p ON p.job_id = j.id
		WHERE j.workspace_id = $1 AND j.type = 'linkedin-publish' AND j.state IN ('scheduled', 'queued', 'retrying', 'waiting')
		  AND coalesce(p.state, 'ready') = 'ready' AND j.run_at >= $3
		  AND coalesce(p.account_id::text, nullif(lower(j.input->>'account_id'), ''),
			(SELECT c.account_id::text FROM contents c WHERE c.workspace_id = $1 AND c.id = nullif(j.input->>'content_id', '')::uuid),
			(SELECT t.account_id::text FROM post_times t WHERE t.job_id = j.id), (
			SELECT min(a.id::text) FROM linkedin_accounts a WHERE a.workspace_id = $1 HAVING count(*) = 1)) = $2
		ORDER BY j.run_at, j.id LIMIT $4`, sc.ws, string(id), from, limit); err != nil {
		return nil, 0, wrap("posts at stake", err)
	}
	out, total := make([]growth.StakedPost, 0, len(rows)), 0
	for _, r := range rows {
		p := growth.StakedPost{JobID: r.JobID, RunAt: timeOf(r.RunAt)}
		if r.ContentID.Valid {
			c := growth.ContentID(r.ContentID.String)
			p.ContentID = &c
		}
		total = r.Total
		out = append(out, p)
	}
	return out, total, nil
}
