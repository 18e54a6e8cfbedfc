package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// SaveStep keeps a step's result and the ends of the calls that it made, in one commit.
func (s *Store) SaveStep(ctx context.Context, id growth.JobID, fence int64, name string, result json.RawMessage, calls []growth.Call) error {
	return s.InTx(ctx, func(tx *Tx) error {
		if err := tx.fenced(ctx, id, fence); err != nil {
			return err
		}
		if err := tx.saveStep(ctx, id, fence, name, result); err != nil {
			return err
		}
		return tx.SaveCalls(ctx, calls, fence)
	})
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
