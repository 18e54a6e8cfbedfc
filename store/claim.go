package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// ErrLeaseLost is returned when a worker writes with a fence that is not the job's any more: another worker has the
// job, or it has ended. Whatever the worker did since then must be discarded.
var ErrLeaseLost = errors.New("the lease of this job was lost")

// Claimed is a job that a worker owns until its lease ends.
type Claimed struct {
	Job     growth.Job
	Fence   int64
	Epoch   int
	LeadID  growth.LeadID
	Timeout time.Duration
	Steps   map[string]json.RawMessage // results of the steps that were finished before
}

// Claim takes a job for a worker. ok is false when there is nothing to do: the job is taken, has ended, or the delivery
// belongs to an older hand-over. An error is not an answer: the caller must try again.
func (s *Store) Claim(ctx context.Context, id growth.JobID, epoch int, worker string, lease time.Duration) (c Claimed, ok bool, err error) {
	var r struct {
		jobRow
		Fence    int64          `db:"fence"`
		TimeoutS int            `db:"timeout_s"`
		LeadID   sql.NullString `db:"lead_id"`
		Steps    []byte         `db:"steps"`
	}
	err = s.db.GetContext(ctx, &r, `
		WITH old AS (
			SELECT id AS old_id, state AS old_state FROM jobs
			WHERE id = $1 AND epoch = $2 AND NOT cancel_requested
			  AND NOT EXISTS (SELECT 1 FROM pauses p
				WHERE p.queue = split_part(lane, ':', 1) AND (p.workspace_id IS NULL OR p.workspace_id = jobs.workspace_id))
			  AND (state IN ('queued', 'scheduled', 'retrying') OR (state = 'waiting' AND run_at <= now() + interval '1 second')
			       OR (state = 'running' AND lease_until < now() AND attempts < max_attempts
			           AND NOT EXISTS (SELECT 1 FROM publications p WHERE p.job_id = jobs.id AND p.state = 'publishing')))
			FOR UPDATE
		), orphans AS (
			UPDATE calls SET status = 'unknown', code = 'worker_lost' FROM old
			WHERE calls.job_id = old_id AND old_state = 'running' AND calls.status = 'started'
		)
		UPDATE jobs SET state = 'running', fence = fence + 1, attempts = attempts + 1, worker = $3,
			lease_until = now() + $4 * interval '1 millisecond', dispatched_at = coalesce(dispatched_at, now()),
			waiting_reason = NULL, waiting_until = NULL, updated_at = now()
		FROM old WHERE id = old_id
		RETURNING `+jobColumns+`, fence, timeout_s, lead_id,
			(SELECT jsonb_object_agg(name, result) FROM job_steps WHERE job_id = jobs.id) AS steps`,
		id, epoch, worker, lease.Milliseconds())
	if errors.Is(err, sql.ErrNoRows) {
		return Claimed{}, false, nil
	}
	if err != nil {
		return Claimed{}, false, wrap("claim", err)
	}
	c = Claimed{
		Job: r.job(), Fence: r.Fence, Epoch: epoch, LeadID: growth.LeadID(r.LeadID.String),
		Timeout: time.Duration(r.TimeoutS) * time.Second, Steps: map[string]json.RawMessage{},
	}
	if len(r.Steps) > 0 {
		if err := json.Unmarshal(r.Steps, &c.Steps); err != nil {
			return Claimed{}, false, wrap("read steps", err)
		}
	}
	return c, true, nil
}

// Heartbeat extends the lease. It returns ErrLeaseLost when the fence is not the job's any more, and says whether
// somebody asked the job to stop.
func (s *Store) Heartbeat(ctx context.Context, id growth.JobID, fence int64, lease time.Duration) (cancel bool, err error) {
	err = s.db.GetContext(ctx, &cancel, `
		UPDATE jobs SET lease_until = now() + $3 * interval '1 millisecond'
		WHERE id = $1 AND fence = $2 AND state = 'running'
		RETURNING cancel_requested`, id, fence, lease.Milliseconds())
	if errors.Is(err, sql.ErrNoRows) {
		return false, ErrLeaseLost
	}
	return cancel, wrap("heartbeat", err)
}

// fenced locks the job's row and checks that the caller still owns it.
func (tx *Tx) fenced(ctx context.Context, id growth.JobID, fence int64) error {
	var one int
	err := tx.tx.GetContext(ctx, &one, `SELECT 1 FROM jobs WHERE id = $1 AND fence = $2 AND state = 'running' FOR UPDATE`, id, fence)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrLeaseLost
	}
	return wrap("check fence", err)
}
