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

// SaveStep keeps a step's result and the ends of the calls that it made, in one commit.
func (s *Store) SaveStep(ctx context.Context, id growth.JobID, fence int64, name string, result json.RawMessage, calls []growth.Call) error {
	err := s.InTx(ctx, func(tx *Tx) error {
		if err := tx.fenced(ctx, id, fence); err != nil {
			return err
		}
		if err := tx.saveStep(ctx, id, fence, name, result); err != nil {
			return err
		}
		return tx.SaveCalls(ctx, calls, fence)
	})
	if err == nil {
		s.committed(calls)
	}
	return err
}

// saveStep keeps a result; one that is there already stays, as after a commit whose answer was lost.
func (tx *Tx) saveStep(ctx context.Context, id growth.JobID, fence int64, name string, result json.RawMessage) error {
	_, err := tx.tx.ExecContext(ctx, `
		INSERT INTO job_steps (job_id, name, result, fence) VALUES ($1, $2, $3, $4)
		ON CONFLICT (job_id, name) DO NOTHING`, id, name, withoutNUL(result), fence)
	return wrap("save step", err)
}

// Outcome is how one attempt of a job ended.
type Outcome struct {
	State     growth.JobState // succeeded, failed, canceled, retrying, waiting, or queued (handed back unfinished)
	Result    json.RawMessage
	Err       *growth.JobError
	Waiting   growth.WaitReason
	RunAt     time.Time // when to go on, for retrying, waiting and queued; zero: when a person decides
	Refund    bool      // the attempt does not count
	Redeliver bool      // the relay hands the job over anew; else asynq still holds it
	Simulated bool
	Steps     map[string]json.RawMessage       // results that could not be kept when they were made
	Calls     []growth.Call                    // ends of calls that no step has kept
	Events    []NewEvent                       // what happened, beside the job's own end
	Save      func(context.Context, *Tx) error // rows that belong to the result
}

// Finish commits the end of an attempt: state, result, the rows that belong to it, events, and the callback, all or
// nothing. It returns ErrLeaseLost when the fence is not the job's any more.
func (s *Store) Finish(ctx context.Context, job growth.Job, fence int64, o Outcome) error {
	err := s.finish(ctx, job, fence, o)
	if err == nil {
		s.committed(o.Calls)
	}
	return err
}

func (s *Store) finish(ctx context.Context, job growth.Job, fence int64, o Outcome) error {
	return s.InTx(ctx, func(tx *Tx) error {
		if err := tx.fenced(ctx, job.ID, fence); err != nil {
			return err
		}
		if o.Save != nil {
			if err := o.Save(ctx, tx); err != nil {
				return err
			}
		}
		for name, result := range o.Steps {
			if err := tx.saveStep(ctx, job.ID, fence, name, result); err != nil {
				return err
			}
		}
		if err := tx.SaveCalls(ctx, o.Calls, fence); err != nil {
			return err
		}
		// A start whose commit was answered by a broken connection was never followed by a request, nor by an end.
		if o.State != growth.JobSucceeded {
			if err := tx.orphanCalls(ctx, job.ID); err != nil {
				return err
			}
		}
		state, err := tx.finishJob(ctx, job, o)
		if err != nil {
			return err
		}
		for _, e := range o.Events {
			if err := tx.AddEvent(ctx, job.Workspace, job.ID, e); err != nil {
				return err
			}
		}
		if state.Final() && job.Type != growth.JobCallback {
			return tx.finished(ctx, job.Workspace, job.ID, "job."+string(state))
		}
		return nil
	})
}

// finishJob writes the end of an attempt and returns the state that the job has now: somebody may have asked it to stop
// in the meantime, and then it ends here instead of going on later. A post whose outcome is unknown is never canceled.
func (tx *Tx) finishJob(ctx context.Context, job growth.Job, o Outcome) (growth.JobState, error) {
	var code, message sql.NullString
	if o.Err != nil {
		code, message = nullString(o.Err.Code.String()), nullString(o.Err.Message)
	}
	var runAt any = "infinity"
	if !o.RunAt.IsZero() {
		runAt = o.RunAt.UTC()
	}
	var state growth.JobState
	err := tx.tx.GetContext(ctx, &state, `
		UPDATE jobs SET state = CASE WHEN cancel_requested AND $6 <> 'outcome_unknown'
				AND $2 NOT IN ('succeeded', 'failed', 'canceled') THEN 'canceled' ELSE $2 END,
			result = coalesce($3, result), error_code = $4, error_message = $5, waiting_reason = nullif($6, ''),
			waiting_until = CASE WHEN $2 = 'waiting' AND isfinite($7::timestamptz) THEN $7::timestamptz END,
			run_at = CASE WHEN $2 IN ('succeeded', 'failed', 'canceled') THEN run_at ELSE $7::timestamptz END,
			attempts = attempts - CASE WHEN $8 THEN 1 ELSE 0 END,
			epoch = epoch + CASE WHEN $9 THEN 1 ELSE 0 END,
			dispatched_at = CASE WHEN $9 THEN NULL ELSE dispatched_at END,
			simulated = simulated OR $10, lease_until = NULL, updated_at = now(),
			finished_at = CASE WHEN $2 IN ('succeeded', 'failed', 'canceled')
				OR cancel_requested AND $6 <> 'outcome_unknown' THEN now() END
		WHERE id = $1 RETURNING state`,
		job.ID, string(o.State), nullJSON(o.Result), code, message, string(o.Waiting), runAt, o.Refund, o.Redeliver, o.Simulated)
	return state, wrap("finish job", err)
}

// finished records the end of a job and enqueues its callback when it has one.
func (tx *Tx) finished(ctx context.Context, ws growth.WorkspaceID, id growth.JobID, event string) error {
	data, err := json.Marshal(map[string]any{"job_id": id})
	if err != nil {
		return wrap("finished", err)
	}
	if err := tx.AddEvent(ctx, ws, id, NewEvent{Type: event, Data: data}); err != nil {
		return err
	}
	var url sql.NullString
	if err := tx.tx.GetContext(ctx, &url, `SELECT callback_url FROM jobs WHERE id = $1`, id); err != nil {
		return wrap("callback", err)
	}
	if !url.Valid {
		return nil
	}
	input, err := json.Marshal(map[string]any{"job_id": id, "url": url.String})
	if err != nil {
		return wrap("callback", err)
	}
	_, err = tx.accept(ctx, ws, []NewJob{{
		Type: growth.JobCallback, Input: input, UniqueKey: string(id),
		Options: growth.JobOptions{Priority: growth.PriorityNormal, TimeoutS: 60, MaxAttempts: 15},
	}})
	return err
}

// Rescued counts what a sweep mended.
type Rescued struct {
	Requeued int // went back to the queue
	Failed   int // had used up their attempts
	Unknown  int // were publishing: a person decides
}

// SweepLeases takes back the jobs whose worker went silent. It looks at the lease alone: whether Redis still knows the
// task does not matter, nor whether the outbox mark was ever set. Calls in flight become unknown; a publication in
// flight becomes unknown and waits for a person.
func (s *Store) SweepLeases(ctx context.Context) (Rescued, error) {
	var n Rescued
	err := s.InTx(ctx, func(tx *Tx) error {
		var dead []struct {
			ID          growth.JobID       `db:"id"`
			Workspace   growth.WorkspaceID `db:"workspace_id"`
			Type        growth.JobType     `db:"type"`
			Attempts    int                `db:"attempts"`
			MaxAttempts int                `db:"max_attempts"`
			Publishing  bool               `db:"publishing"`
		}
		if err := tx.tx.SelectContext(ctx, &dead, `
			SELECT id, workspace_id, type, attempts, max_attempts, EXISTS (
				SELECT 1 FROM publications p WHERE p.job_id = jobs.id AND p.state = 'publishing') AS publishing
			FROM jobs WHERE state = 'running' AND lease_until < now()
			ORDER BY lease_until LIMIT 500 FOR UPDATE SKIP LOCKED`); err != nil {
			return wrap("sweep leases", err)
		}
		for _, d := range dead {
			if err := tx.orphanCalls(ctx, d.ID); err != nil {
				return err
			}
			job := growth.Job{ID: d.ID, Workspace: d.Workspace, Type: d.Type}
			var err error
			switch {
			case d.Publishing:
				n.Unknown++
				err = tx.publicationLost(ctx, job)
			case d.Attempts >= d.MaxAttempts:
				n.Failed++
				err = tx.workerLost(ctx, job)
			default:
				n.Requeued++
				err = tx.requeue(ctx, job)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return n, err
}

func (tx *Tx) requeue(ctx context.Context, job growth.Job) error {
	state, err := tx.finishJob(ctx, job, Outcome{State: growth.JobQueued, RunAt: time.Now().Add(-time.Second), Redeliver: true})
	if err != nil || state != growth.JobCanceled {
		return err
	}
	return tx.finished(ctx, job.Workspace, job.ID, "job.canceled")
}

func (tx *Tx) workerLost(ctx context.Context, job growth.Job) error {
	fault := &growth.JobError{Code: growth.Internal, Message: "the worker died on every attempt", Retryable: true}
	if _, err := tx.finishJob(ctx, job, Outcome{State: growth.JobFailed, Err: fault}); err != nil {
		return err
	}
	return tx.finished(ctx, job.Workspace, job.ID, "job.failed")
}

// Dispatched is a job that was handed to Redis and has not been claimed since.
type Dispatched struct {
	ID    growth.JobID `db:"id"`
	Lane  string       `db:"lane"`
	Epoch int          `db:"epoch"`
}

// Stranded lists jobs that were handed over more than age ago and that no worker runs: Redis may have lost them.
func (s *Store) Stranded(ctx context.Context, age time.Duration, after growth.JobID, limit int) ([]Dispatched, error) {
	if after == "" {
		after = "00000000-0000-0000-0000-000000000000"
	}
	var out []Dispatched
	err := s.db.SelectContext(ctx, &out, `
		SELECT id, lane, epoch FROM jobs
		WHERE dispatched_at < now() - $1 * interval '1 millisecond' AND state IN ('queued', 'retrying', 'waiting')
		  AND run_at < now() - $1 * interval '1 millisecond' AND id > $2
		ORDER BY id LIMIT $3`, age.Milliseconds(), after, limit)
	return out, wrap("stranded", err)
}

// Postpone puts a job that was delivered and not claimed back into the outbox, to be handed over after a pause.
func (s *Store) Postpone(ctx context.Context, id growth.JobID, epoch int, pause time.Duration) error {
	_, err := s.db.ExecContext(ctx, `
		UPDATE jobs SET epoch = epoch + 1, dispatched_at = NULL, run_at = greatest(run_at, now() + $3 * interval '1 millisecond'), updated_at = now()
		WHERE id = $1 AND epoch = $2 AND state IN ('queued', 'retrying', 'waiting')`, id, epoch, pause.Milliseconds())
	return wrap("postpone", err)
}

// Redispatch puts jobs back into the outbox under a new epoch, unless something happened to them since they were read.
func (s *Store) Redispatch(ctx context.Context, lost []Dispatched) (int64, error) {
	ids, epochs := make([]string, len(lost)), make([]int64, len(lost))
	for i, d := range lost {
		ids[i], epochs[i] = string(d.ID), int64(d.Epoch)
	}
	res, err := s.db.ExecContext(ctx, `
		UPDATE jobs SET epoch = jobs.epoch + 1, dispatched_at = NULL, state = 'queued', updated_at = now()
		FROM unnest($1::uuid[], $2::int[]) AS l (id, epoch)
		WHERE jobs.id = l.id AND jobs.epoch = l.epoch AND state IN ('queued', 'retrying', 'waiting')
		  AND dispatched_at IS NOT NULL`, pq.Array(ids), pq.Array(epochs))
	if err != nil {
		return 0, wrap("redispatch", err)
	}
	n, err := res.RowsAffected()
	return n, wrap("redispatch", err)
}

// Purge deletes what is past its retention: finished jobs with their steps, spent idempotency keys, old events.
func (s *Store) Purge(ctx context.Context, retention time.Duration) (int64, error) {
	var total int64
	for _, q := range []string{
		`DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE finished_at < now() - $1 * interval '1 second' LIMIT 5000)
			AND NOT EXISTS (SELECT 1 FROM publications p WHERE p.job_id = jobs.id)`,
		`DELETE FROM events WHERE id IN (SELECT id FROM events WHERE created_at < now() - $1 * interval '1 second' LIMIT 5000)`,
		`DELETE FROM alerts WHERE created_at < now() - greatest($1, 3456000) * interval '1 second'`, // a month's must outlive it
	} {
		res, err := s.db.ExecContext(ctx, q, retention.Seconds())
		if err != nil {
			return total, wrap("purge", err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return total, wrap("purge", err)
		}
		total += n
	}
	_, err := s.db.ExecContext(ctx, `DELETE FROM idempotency_keys WHERE expires_at < now()`)
	return total, wrap("purge", err)
}
