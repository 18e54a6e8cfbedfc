package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// member is who an author's calls count against: the member who connected a page last, or the author.
const member = `coalesce((SELECT a.member_urn FROM linkedin_accounts a WHERE a.urn = $1 AND a.member_urn <> '' ORDER BY a.token_at DESC LIMIT 1), $1)`

// SpendLinkedInCall counts a call in an author's name as LinkedIn does: against the day of the member whose token it is,
// from midnight to midnight in UTC, whichever workspace makes it; all pages of a member share one day. When the day is
// spent the call is Throttled until the next, and is not counted.
func (s *Store) SpendLinkedInCall(ctx context.Context, author string, perDay int) error {
	var calls int
	err := s.db.GetContext(ctx, &calls, `
		INSERT INTO linkedin_calls (member, day, calls) VALUES (`+member+`, (now() AT TIME ZONE 'UTC')::date, 1)
		ON CONFLICT (member, day) DO UPDATE SET calls = linkedin_calls.calls + 1 WHERE linkedin_calls.calls < $2
		RETURNING calls`, author, perDay)
	if !errors.Is(err, sql.ErrNoRows) {
		return wrap("spend call", err)
	}
	var seconds float64
	if err := s.db.GetContext(ctx, &seconds, `
		SELECT extract(epoch FROM date_trunc('day', t) + interval '1 day' - t)::float8 FROM (SELECT now() AT TIME ZONE 'UTC' AS t) AS x`); err != nil {
		return wrap("spend call", err)
	}
	return &growth.Error{
		Code: growth.Throttled, Op: "store.SpendLinkedInCall", Message: "the account's calls to LinkedIn of this day are spent",
		RetryAfter: time.Duration(seconds * float64(time.Second)),
	}
}

// LinkedInCalls is how many calls were counted against the present day of an author's member.
func (s *Store) LinkedInCalls(ctx context.Context, author string) (int, error) {
	var calls int
	err := s.db.GetContext(ctx, &calls, `
		SELECT coalesce(sum(calls), 0) FROM linkedin_calls WHERE member = `+member+` AND day = (now() AT TIME ZONE 'UTC')::date`, author)
	return calls, wrap("count calls", err)
}

// versionPause is how long everybody leaves a version alone that LinkedIn has turned down; then one job tries it.
const versionPause = 15 * time.Minute

// StopLinkedInVersion notes that LinkedIn turned a version down. The first note of a stop is an event in every workspace
// that has an account, and is told by first.
func (s *Store) StopLinkedInVersion(ctx context.Context, version string) (first bool, err error) {
	data, err := json.Marshal(map[string]any{"version": version})
	if err != nil {
		return false, wrap("stop version", err)
	}
	err = s.InTx(ctx, func(tx *Tx) error {
		if err := tx.tx.GetContext(ctx, &first, `
			INSERT INTO linkedin_stops (version) VALUES ($1)
			ON CONFLICT (version) DO UPDATE SET seen_at = now() RETURNING since = seen_at`, version); err != nil || !first {
			return wrap("stop version", err)
		}
		var all []growth.WorkspaceID
		if err := tx.tx.SelectContext(ctx, &all, `SELECT DISTINCT workspace_id FROM linkedin_accounts ORDER BY workspace_id`); err != nil {
			return wrap("stop version", err)
		}
		for _, ws := range all {
			if err := tx.AddEvent(ctx, ws, "", NewEvent{Type: "linkedin.version_retired", Data: data}); err != nil {
				return err
			}
		}
		return nil
	})
	return first, err
}

// LinkedInVersionWait says how long a version that LinkedIn turned down is to be left alone; 0: it may be used. Once the
// pause is over, one caller is let through to try it, and the pause begins anew for the others.
func (s *Store) LinkedInVersionWait(ctx context.Context, version string) (time.Duration, error) {
	var seconds sql.NullFloat64
	err := s.db.GetContext(ctx, &seconds, `
		WITH tried AS (
			UPDATE linkedin_stops SET seen_at = now() WHERE version = $1 AND seen_at <= now() - $2 * interval '1 second' RETURNING version
		)
		SELECT CASE WHEN EXISTS (SELECT 1 FROM tried) THEN NULL
			ELSE (SELECT extract(epoch FROM seen_at - now())::float8 + $2 FROM linkedin_stops WHERE version = $1) END`, version, versionPause.Seconds())
	if err != nil || !seconds.Valid {
		return 0, wrap("version", err)
	}
	return max(time.Duration(seconds.Float64*float64(time.Second)), time.Second), nil
}

// ResumeLinkedInVersion takes a stop back: LinkedIn has taken the version. Jobs that wait for it go on.
func (s *Store) ResumeLinkedInVersion(ctx context.Context, version string) error {
	return s.InTx(ctx, func(tx *Tx) error {
		res, err := tx.tx.ExecContext(ctx, `DELETE FROM linkedin_stops WHERE version = $1`, version)
		if err != nil {
			return wrap("resume version", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return wrap("resume version", err)
		}
		_, err = tx.tx.ExecContext(ctx, `
			UPDATE jobs SET state = 'queued', run_at = now(), epoch = epoch + 1, dispatched_at = NULL, updated_at = now()
			WHERE type = 'linkedin-publish' AND state = 'waiting' AND waiting_reason = 'api_version'`)
		return wrap("resume jobs", err)
	})
}

// StoppedLinkedInVersion says since when LinkedIn has turned a version down, nil when it has not.
func (s *Store) StoppedLinkedInVersion(ctx context.Context, version string) (*time.Time, error) {
	var since time.Time
	err := s.db.GetContext(ctx, &since, `SELECT since FROM linkedin_stops WHERE version = $1`, version)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	since = since.UTC()
	return &since, wrap("version", err)
}

// WarnLinkedInVersion tells every workspace that has an account that the end of a version is near, once a day however
// many programs notice it.
func (s *Store) WarnLinkedInVersion(ctx context.Context, version, text string) error {
	data, err := json.Marshal(map[string]any{"version": version, "message": text})
	if err != nil {
		return wrap("warn of version", err)
	}
	return s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('linkedin version', 4))`); err != nil {
			return wrap("warn of version", err)
		}
		var all []growth.WorkspaceID
		if err := tx.tx.SelectContext(ctx, &all, `
			SELECT DISTINCT a.workspace_id FROM linkedin_accounts a WHERE NOT EXISTS (
				SELECT 1 FROM events e WHERE e.workspace_id = a.workspace_id AND e.type = 'linkedin.version_ends'
					AND e.created_at > now() - interval '23 hours')
			ORDER BY a.workspace_id`); err != nil {
			return wrap("warn of version", err)
		}
		for _, ws := range all {
			if err := tx.AddEvent(ctx, ws, "", NewEvent{Type: "linkedin.version_ends", Data: data}); err != nil {
				return err
			}
		}
		return nil
	})
}
