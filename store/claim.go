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

// claimRequest is a delivery that a worker wants to take up.
type claimRequest struct {
	id     growth.JobID
	epoch  int
	worker string
	lease  time.Duration
}

// Claim takes a job for a worker. ok is false when there is nothing to do: the job is taken, has ended, or the delivery
// belongs to an older hand-over. An error is not an answer: the caller must try again.
func (s *Store) Claim(ctx context.Context, id growth.JobID, epoch int, worker string, lease time.Duration) (c Claimed, ok bool, err error) {
	got, err := s.claims.do(ctx, claimRequest{id, epoch, worker, lease})
	if err != nil || got == nil {
		return Claimed{}, false, wrap("claim", err)
	}
	return *got, true, nil
}

// claimedRow is what the claim returns of a job.
type claimedRow struct {
	jobRow
	Fence    int64          `db:"fence"`
	Epoch    int            `db:"epoch"`
	TimeoutS int            `db:"timeout_s"`
	LeadID   sql.NullString `db:"lead_id"`
}

func (r claimedRow) claimed() *Claimed {
	return &Claimed{
		Job: r.job(), Fence: r.Fence, Epoch: r.Epoch, LeadID: growth.LeadID(r.LeadID.String),
		Timeout: time.Duration(r.TimeoutS) * time.Second, Steps: map[string]json.RawMessage{},
	}
}

// claimAll claims for many deliveries at once. Of two deliveries of one job one gets it.
func (s *Store) claimAll(ctx context.Context, qs []claimRequest) ([]*Claimed, error) {
	ids, epochs, workers, leases := make([]string, len(qs)), make([]int64, len(qs)), make([]string, len(qs)), make([]int64, len(qs))
	for i, q := range qs {
		ids[i], epochs[i], workers[i], leases[i] = string(q.id), int64(q.epoch), q.worker, q.lease.Milliseconds()
	}
	var rows []claimedRow
	if err := s.query(ctx, &rows, claimQuery, pq.Array(ids), pq.Array(epochs), pq.Array(workers), pq.Array(leases)); err != nil {
		return nil, wrap("claim", err)
	}
	byID := make(map[growth.JobID]*Claimed, len(rows))
	for _, r := range rows {
		byID[r.ID] = r.claimed()
	}
	if err := s.keptSteps(ctx, byID); err != nil {
		return nil, err
	}
	out := make([]*Claimed, len(qs))
	for i, q := range qs {
		if c := byID[q.id]; c != nil && c.Epoch == q.epoch {
			out[i] = c
			delete(byID, q.id)
		}
	}
	return out, nil
}

const claimQuery = `
	WITH want AS MATERIALIZED (
		SELECT DISTINCT ON (id, epoch) id, epoch, worker, lease
		FROM unnest($1::uuid[], $2::int[], $3::text[], $4::bigint[]) AS w (id, epoch, worker, lease)
	), old AS (
		SELECT j.id AS old_id, j.state AS old_state, w.worker AS new_worker, w.lease FROM want w JOIN jobs j ON j.id = w.id AND j.epoch = w.epoch
		WHERE NOT j.cancel_requested
		  AND NOT EXISTS (SELECT 1 FROM pauses p
			WHERE p.queue = split_part(j.lane, ':', 1) AND (p.workspace_id IS NULL OR p.workspace_id = j.workspace_id))
		  AND (j.state IN ('queued', 'scheduled', 'retrying') OR (j.state = 'waiting' AND j.run_at <= now() + interval '1 second')
		       OR (j.state = 'running' AND j.lease_until < now() AND j.attempts < j.max_attempts
		           AND NOT EXISTS (SELECT 1 FROM publications p WHERE p.job_id = j.id AND p.state = 'publishing')))
		ORDER BY j.id FOR NO KEY UPDATE OF j
	), orphans AS (
		UPDATE calls SET status = 'unknown', code = 'worker_lost' FROM old
		WHERE calls.job_id = old_id AND old_state = 'running' AND calls.status = 'started'
	)
	UPDATE jobs SET state = 'running', fence = fence + 1, attempts = attempts + 1, worker = new_worker,
		lease_until = now() + lease * interval '1 millisecond', dispatched_at = coalesce(dispatched_at, now()),
		waiting_reason = NULL, waiting_until = NULL, updated_at = now()
	FROM old WHERE id = old_id
	RETURNING ` + jobColumns + `, fence, epoch, timeout_s, lead_id`

// keptSteps reads the results of earlier attempts, by a statement of its own: it must see what a worker whose lease had
// ended committed while the claim waited for the row.
func (s *Store) keptSteps(ctx context.Context, claimed map[growth.JobID]*Claimed) error {
	var again []string
	for id, c := range claimed {
		if c.Fence > 1 {
			again = append(again, string(id))
		}
	}
	if len(again) == 0 {
		return nil
	}
	var rows []struct {
		JobID  growth.JobID    `db:"job_id"`
		Name   string          `db:"name"`
		Result json.RawMessage `db:"result"`
	}
	err := s.query(ctx, &rows, `SELECT job_id, name, result FROM job_steps WHERE job_id = ANY($1::uuid[])`, pq.Array(again))
	for _, r := range rows {
		claimed[r.JobID].Steps[r.Name] = r.Result
	}
	return wrap("read steps", err)
}

// hold is a worker's hold on a job.
type hold struct {
	id    growth.JobID
	fence int64
}

// beat is one heartbeat.
type beat struct {
	id    growth.JobID
	fence int64
	lease time.Duration
}

// beaten says what became of a heartbeat.
type beaten struct{ owned, cancel bool }

// Heartbeat extends the lease. It returns ErrLeaseLost when the fence is not the job's any more, and says whether
// somebody asked the job to stop.
func (s *Store) Heartbeat(ctx context.Context, id growth.JobID, fence int64, lease time.Duration) (cancel bool, err error) {
	got, err := s.beats.do(ctx, beat{id, fence, lease})
	if err == nil && !got.owned {
		return false, ErrLeaseLost
	}
	return got.cancel, wrap("heartbeat", err)
}

func (s *Store) beatAll(ctx context.Context, qs []beat) ([]beaten, error) {
	ids, fences, leases := make([]string, len(qs)), make([]int64, len(qs)), make([]int64, len(qs))
	for i, q := range qs {
		ids[i], fences[i], leases[i] = string(q.id), q.fence, q.lease.Milliseconds()
	}
	var rows []struct {
		ID     growth.JobID `db:"id"`
		Fence  int64        `db:"fence"`
		Cancel bool         `db:"cancel_requested"`
	}
	if err := s.query(ctx, &rows, `
		UPDATE jobs SET lease_until = now() + b.lease * interval '1 millisecond'
		FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS b (id, fence, lease)
		WHERE jobs.id = b.id AND jobs.fence = b.fence AND jobs.state || '' = 'running'
		RETURNING jobs.id, jobs.fence, jobs.cancel_requested`, pq.Array(ids), pq.Array(fences), pq.Array(leases)); err != nil {
		return nil, wrap("heartbeat", err)
	}
	owned := make(map[hold]beaten, len(rows))
	for _, r := range rows {
		owned[hold{r.ID, r.Fence}] = beaten{owned: true, cancel: r.Cancel}
	}
	out := make([]beaten, len(qs))
	for i, q := range qs {
		out[i] = owned[hold{q.id, q.fence}]
	}
	return out, nil
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
