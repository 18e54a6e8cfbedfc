package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/lib/pq"

	growth "github.com/zakibelm/astrogrowth"
)

// Handover is a job that is due to be handed to Redis.
type Handover struct {
	ID          growth.JobID       `db:"id"`
	Workspace   growth.WorkspaceID `db:"workspace_id"`
	Type        growth.JobType     `db:"type"`
	Lane        string             `db:"lane"`
	Epoch       int                `db:"epoch"`
	Attempts    int                `db:"attempts"`
	MaxAttempts int                `db:"max_attempts"`
	TimeoutS    int                `db:"timeout_s"`
	TraceID     string             `db:"trace_id"`
}

// HandOver locks jobs that are due and not in Redis, hands them to send, and marks those that send says it took. Each
// workspace has at most window unfinished tasks of a lane in Redis, and every workspace gets its share of each round,
// so one client's backlog does not stand before another's job. A crash between send and commit is harmless: the task id
// makes the second hand-over a conflict. It returns how many were marked and when the next job is due (zero: none).
func (s *Store) HandOver(ctx context.Context, window int, send func([]Handover) []bool) (marked int, next time.Time, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		var due []Handover
		if err := tx.tx.SelectContext(ctx, &due, handOverQuery, window); err != nil {
			return wrap("hand over", err)
		}
		taken := send(due)
		ids := make([]string, 0, len(due))
		for i, d := range due {
			if taken[i] {
				ids = append(ids, string(d.ID))
			}
		}
		marked = len(ids)
		if marked == 0 {
			return nil
		}
		_, err := tx.tx.ExecContext(ctx, `
			UPDATE jobs SET dispatched_at = now(), state = CASE WHEN state = 'scheduled' THEN 'queued' ELSE state END
			WHERE id = ANY($1::uuid[])`, pq.Array(ids))
		return wrap("mark handed over", err)
	})
	if err != nil {
		return 0, time.Time{}, err
	}
	var soonest sql.NullTime
	err = s.db.GetContext(ctx, &soonest, `
		SELECT min(run_at) FROM jobs
		WHERE dispatched_at IS NULL AND state IN ('scheduled', 'queued', 'retrying', 'waiting')
		  AND run_at < now() + interval '1 hour' AND run_at > now()`)
	return marked, soonest.Time, wrap("next due", err)
}

// handOverQuery finds the groups (lane, workspace) by skipping through the index instead of reading the backlog, then
// takes from each what its window leaves free.
const handOverQuery = `
	WITH RECURSIVE groups AS (
		(SELECT lane, workspace_id FROM jobs
		 WHERE dispatched_at IS NULL AND state IN ('scheduled', 'queued', 'retrying', 'waiting')
		 ORDER BY lane, workspace_id LIMIT 1)
		UNION ALL
		SELECT n.lane, n.workspace_id FROM groups g, LATERAL (
			SELECT lane, workspace_id FROM jobs
			WHERE dispatched_at IS NULL AND state IN ('scheduled', 'queued', 'retrying', 'waiting')
			  AND (lane, workspace_id) > (g.lane, g.workspace_id)
			ORDER BY lane, workspace_id LIMIT 1) n
	), load AS (
		SELECT lane, workspace_id, count(*) AS n FROM jobs
		WHERE dispatched_at IS NOT NULL AND state IN ('queued', 'running', 'retrying', 'waiting')
		GROUP BY lane, workspace_id
	)
	SELECT j.id, j.workspace_id, j.type, j.lane, j.epoch, j.attempts, j.max_attempts, j.timeout_s, j.trace_id
	FROM groups g LEFT JOIN load l USING (lane, workspace_id), LATERAL (
		SELECT id, workspace_id, type, lane, epoch, attempts, max_attempts, timeout_s, trace_id FROM jobs
		WHERE dispatched_at IS NULL AND state IN ('scheduled', 'queued', 'retrying', 'waiting')
		  AND lane = g.lane AND workspace_id = g.workspace_id AND run_at <= now()
		ORDER BY run_at, id LIMIT greatest(0, $1 - coalesce(l.n, 0))
		FOR UPDATE SKIP LOCKED) j
	WHERE NOT EXISTS (SELECT 1 FROM pauses p
		WHERE p.queue = split_part(g.lane, ':', 1) AND (p.workspace_id IS NULL OR p.workspace_id = g.workspace_id))`
