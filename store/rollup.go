package store

import (
	"context"
	"time"

	"github.com/lib/pq"

	growth "github.com/zakibelm/astrogrowth"
)

// The life of the sums of days.
const (
	sumsKept   = 400         // days back
	daySettles = time.Hour   // after the end of a day before it is summed up
	dayMarked  = time.Minute // before it is summed up: longer than any transaction that changed its calls before the mark was there
	sumsAtOnce = 50          // days of one pass
)

// SumUp sums up days of the ledger that are over, so that nobody has to count them again. It is made for being called every
// minute: a pass marks days, and a later one sums them up. It returns how many it summed up.
func (s *Store) SumUp(ctx context.Context, now time.Time) (int, error) {
	// A day with a call in flight waits for its end.
	if _, err := s.db.ExecContext(ctx, `
		INSERT INTO ledger_days (workspace_id, day, marked_at)
		SELECT w.id, g::date, $1 FROM workspaces w,
			LATERAL (SELECT min(started_at) AS first FROM calls c WHERE c.workspace_id = w.id) f,
			generate_series(greatest(date_trunc('day', f.first AT TIME ZONE 'UTC'), date_trunc('day', $1::timestamptz AT TIME ZONE 'UTC') - $2 * interval '1 day'),
				$1::timestamptz AT TIME ZONE 'UTC' - interval '1 day' - $3 * interval '1 second', interval '1 day') AS g
		WHERE NOT EXISTS (SELECT 1 FROM ledger_days d WHERE d.workspace_id = w.id AND d.day = g::date)
			AND NOT EXISTS (SELECT 1 FROM calls c WHERE c.workspace_id = w.id AND c.status = 'started'
				AND c.started_at >= g AT TIME ZONE 'UTC' AND c.started_at < (g + interval '1 day') AT TIME ZONE 'UTC')
		ORDER BY g DESC LIMIT $4
		ON CONFLICT DO NOTHING`, now.UTC(), sumsKept, daySettles.Seconds(), sumsAtOnce); err != nil {
		return 0, wrap("mark days", err)
	}
	var due []markedDay
	if err := s.db.SelectContext(ctx, &due, `
		SELECT workspace_id, day, marked_at FROM ledger_days WHERE NOT ready AND marked_at <= $1 ORDER BY marked_at, day DESC LIMIT $2`,
		now.UTC().Add(-dayMarked), sumsAtOnce); err != nil {
		return 0, wrap("marked days", err)
	}
	n := 0
	for _, d := range due {
		done, err := s.sumUp(ctx, d)
		if err != nil {
			return n, err
		}
		if done {
			n++
		}
	}
	return n, nil
}

type markedDay struct {
	Workspace growth.WorkspaceID `db:"workspace_id"`
	Day       time.Time          `db:"day"`
	Marked    time.Time          `db:"marked_at"`
}

// sumUp writes the sums of one day. Who changes a call of the day meanwhile takes the mark away, and then nothing is
// written.
func (s *Store) sumUp(ctx context.Context, d markedDay) (done bool, err error) {
	from := pq.StringArray{d.Day.UTC().Format(time.RFC3339)}
	to := pq.StringArray{d.Day.UTC().AddDate(0, 0, 1).Format(time.RFC3339)}
	tx, err := s.db.BeginTxx(ctx, nil)
	if err != nil {
		return false, wrap("sum up", err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	for _, q := range []string{
		`DELETE FROM ledger_sums WHERE workspace_id = $1 AND day = ($2::date[])[1] AND $3::text[] IS NOT NULL`,
		`DELETE FROM ledger_latencies WHERE workspace_id = $1 AND day = ($2::date[])[1] AND $3::text[] IS NOT NULL`,
		`DELETE FROM ledger_health WHERE workspace_id = $1 AND day = ($2::date[])[1] AND $3::text[] IS NOT NULL`,
		`INSERT INTO ledger_sums (workspace_id, day, provider, model, task_type, campaign_id, purpose, waste, calls, failed, answered, unknown,
			simulated, prompt_tokens, completion_tokens, latency_ms, cost_usd, reported_usd, priced_usd, settled_usd, last_ok)
		SELECT $1::uuid, x.* FROM (` + ledgerUses + `) x`,
		`INSERT INTO ledger_latencies (workspace_id, day, provider, model, task_type, campaign_id, ms, calls)
		SELECT $1::uuid, x.* FROM (` + ledgerLatencies + `) x`,
		`INSERT INTO ledger_health (workspace_id, day, minutes, up_minutes, failovers, failovers_ok)
		SELECT $1::uuid, x.* FROM (` + ledgerHealth + `) x`,
	} {
		if _, err := tx.ExecContext(ctx, q, d.Workspace, from, to); err != nil {
			return false, wrap("sum up", err)
		}
	}
	res, err := tx.ExecContext(ctx, `
		UPDATE ledger_days SET ready = true WHERE workspace_id = $1 AND day = $2::date AND marked_at = $3 AND NOT ready`,
		d.Workspace, d.Day.UTC().Format(time.DateOnly), d.Marked)
	if err != nil {
		return false, wrap("sum up", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return false, wrap("sum up", err)
	}
	return true, wrap("sum up", tx.Commit())
}
