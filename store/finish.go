package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"strings"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

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

	// Conclude is Save for a result, or events, that are known only in the commit: it writes them into the outcome.
	Conclude func(context.Context, *Tx, *Outcome) error
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
	if o.Save == nil && o.Conclude == nil && job.CallbackURL == "" { // nothing but the job's own rows: shares a statement with others
		state, err := s.finishes.do(ctx, ending{job: job, fence: &fence, Outcome: o})
		if err == nil && state == "" {
			return ErrLeaseLost
		}
		return wrap("finish", err)
	}
	if _, err := s.statements.get(ctx, finishQuery); err != nil { //nolint:sqlclosecheck // kept
		return wrap("finish", err)
	}
	return s.InTx(ctx, func(tx *Tx) error {
		if err := tx.fenced(ctx, job.ID, fence); err != nil {
			return err
		}
		if o.Save != nil {
			if err := o.Save(ctx, tx); err != nil {
				return err
			}
		}
		if o.Conclude != nil {
			if err := o.Conclude(ctx, tx, &o); err != nil {
				return err
			}
		}
		state, err := tx.finishJob(ctx, ending{job: job, fence: &fence, Outcome: o})
		if err != nil || !state.Final() {
			return err
		}
		return tx.callBack(ctx, job.Workspace, job.ID)
	})
}

// ending is the end of one attempt.
type ending struct {
	job   growth.Job
	fence *int64 // nil: the caller holds the row's lock, and its state is any but a final one
	Outcome
}

// endingRecord is an ending as finishQuery reads it.
type endingRecord struct {
	ID        growth.JobID      `json:"id"`
	Fence     *int64            `json:"fence"`
	State     growth.JobState   `json:"state"`
	Result    json.RawMessage   `json:"result,omitempty"`
	Code      *string           `json:"code"`
	Message   *string           `json:"message"`
	Waiting   growth.WaitReason `json:"waiting"`
	RunAt     string            `json:"run_at"`
	Refund    bool              `json:"refund"`
	Redeliver bool              `json:"redeliver"`
	Simulated bool              `json:"simulated"`
}

func (e ending) record() endingRecord {
	r := endingRecord{
		ID: e.job.ID, Fence: e.fence, State: e.State, Result: withoutNUL(e.Result), Waiting: e.Waiting, RunAt: "infinity",
		Refund: e.Refund, Redeliver: e.Redeliver, Simulated: e.Simulated,
	}
	if e.Err != nil {
		code, message := e.Err.Code.String(), e.Err.Message
		r.Code, r.Message = &code, &message
	}
	if !e.RunAt.IsZero() {
		r.RunAt = e.RunAt.UTC().Format(time.RFC3339Nano)
	}
	return r
}

// eventRecord is an event of a job as finishQuery reads it.
type eventRecord struct {
	ID    growth.JobID    `json:"id"`
	Fence int64           `json:"fence"`
	Type  string          `json:"type"`
	Data  json.RawMessage `json:"data"`
}

// held is the fence that the caller's rows carry.
func (e ending) held() int64 {
	if e.fence == nil {
		return 0
	}
	return *e.fence
}

// finishAll writes the ends of attempts, and returns each job's state now: somebody may have asked one to stop in the
// meantime, and then it ends here instead of going on later. The state of a job that the caller does not own is empty,
// also when its owner's end is in the same group. The rows are locked in the order of their ids.
func finishAll(ctx context.Context, q querier, es []ending) ([]growth.JobState, error) {
	var (
		calls  []callRecord
		steps  []stepRecord
		events []eventRecord
		ends   = make([]endingRecord, len(es))
	)
	for i, e := range slices.SortedFunc(slices.Values(es), func(a, b ending) int { return strings.Compare(string(a.job.ID), string(b.job.ID)) }) {
		fence := e.held()
		ends[i] = e.record()
		calls = append(calls, callRecords(e.Calls, fence)...)
		for name, result := range e.Steps {
			steps = append(steps, stepRecord{ID: e.job.ID, Fence: fence, Name: name, Result: withoutNUL(result)})
		}
		for _, v := range e.Events {
			events = append(events, eventRecord{ID: e.job.ID, Fence: e.held(), Type: v.Type, Data: withoutNUL(v.Data)})
		}
	}
	var rows []struct {
		ID    growth.JobID    `db:"id"`
		Held  int64           `db:"held"`
		State growth.JobState `db:"state"`
	}
	args, err := records(calls, steps, ends, events)
	if err != nil {
		return nil, err
	}
	if err := q.query(ctx, &rows, finishQuery, args...); err != nil {
		return nil, wrap("finish job", err)
	}
	states := make(map[hold]growth.JobState, len(rows))
	for _, r := range rows {
		states[hold{r.ID, r.Held}] = r.State
	}
	out := make([]growth.JobState, len(es))
	for i, e := range es {
		out[i] = states[hold{e.job.ID, e.held()}]
	}
	return out, nil
}

// finishQuery ends attempts. A post whose outcome is unknown is never canceled. A start of a call whose commit was
// answered by a broken connection was never followed by a request, nor by an end: it becomes unknown with the attempt.
// What was decided about the time of a post holds for this attempt and for the account's own windows: one that LinkedIn
// turned away is looked at again when it comes back, be it days later.
const finishQuery = `
	WITH ended AS MATERIALIZED (` + callsFrom + `
	), steps AS MATERIALIZED (
		SELECT * FROM json_to_recordset($2::json) AS s (id uuid, fence bigint, name text, result jsonb)
	), want AS MATERIALIZED (
		SELECT * FROM json_to_recordset($3::json) AS w (id uuid, fence bigint, state text, result jsonb, code text, message text,
			waiting text, run_at timestamptz, refund boolean, redeliver boolean, simulated boolean)
	), happened AS MATERIALIZED (
		SELECT * FROM json_to_recordset($4::json) AS h (id uuid, fence bigint, type text, data jsonb)
	), done AS (
		UPDATE jobs SET state = CASE WHEN cancel_requested AND w.waiting <> 'outcome_unknown'
				AND w.state NOT IN ('succeeded', 'failed', 'canceled') THEN 'canceled' ELSE w.state END,
			result = coalesce(w.result, jobs.result), error_code = w.code, error_message = w.message,
			waiting_reason = nullif(w.waiting, ''),
			waiting_until = CASE WHEN w.state = 'waiting' AND isfinite(w.run_at) THEN w.run_at END,
			run_at = CASE WHEN w.state IN ('succeeded', 'failed', 'canceled') THEN jobs.run_at ELSE w.run_at END,
			attempts = attempts - w.refund::int, epoch = epoch + w.redeliver::int,
			dispatched_at = CASE WHEN w.redeliver THEN NULL ELSE dispatched_at END,
			simulated = jobs.simulated OR w.simulated, lease_until = NULL, updated_at = now(),
			finished_at = CASE WHEN w.state IN ('succeeded', 'failed', 'canceled')
				OR cancel_requested AND w.waiting <> 'outcome_unknown' THEN now() END
		FROM want w
		WHERE jobs.id = w.id AND CASE WHEN w.fence IS NULL THEN jobs.state NOT IN ('succeeded', 'failed', 'canceled')
			ELSE jobs.fence = w.fence AND jobs.state = 'running' END
		RETURNING jobs.id, jobs.workspace_id, jobs.type, jobs.state, jobs.waiting_reason, coalesce(w.fence, 0) AS held
	), untimed AS (
		UPDATE post_times SET verdict = '', judged_at = NULL, released_at = NULL FROM done
		WHERE post_times.job_id = done.id AND done.type = 'linkedin-publish' AND verdict IN ('on_time', 'late')
		  AND (done.state = 'retrying' OR done.state = 'waiting' AND done.waiting_reason IN ('rate_limited', 'api_version', 'reconnect'))
	), kept AS (
		INSERT INTO job_steps (job_id, name, result, fence)
		SELECT s.id, s.name, coalesce(s.result, 'null'), s.fence FROM steps s JOIN done ON done.id = s.id AND done.held = s.fence
		ON CONFLICT (job_id, name) DO NOTHING
	), ledger AS (
		INSERT INTO calls (` + callInsertColumns + `) SELECT ` + callRecordColumns + ` FROM ended c JOIN done ON done.id = c.job_id AND done.held = c.fence ` + callConflict + `
	), orphans AS (
		UPDATE calls SET status = 'unknown', code = 'worker_lost' FROM done
		WHERE calls.job_id = done.id AND calls.status = 'started' AND done.state <> 'succeeded'
		  AND calls.id NOT IN (SELECT id FROM ended)
	), told AS (
		INSERT INTO events (workspace_id, type, job_id, data)
		SELECT done.workspace_id, h.type, done.id, h.data FROM happened h JOIN done ON done.id = h.id AND done.held = h.fence
		UNION ALL
		SELECT workspace_id, 'job.' || state, id, jsonb_build_object('job_id', id) FROM done
		WHERE state IN ('succeeded', 'failed', 'canceled') AND type <> 'callback'
	)
	SELECT id, held, state FROM done`

// finishJob writes one end of an attempt inside a transaction and returns the state that the job has now.
func (tx *Tx) finishJob(ctx context.Context, e ending) (growth.JobState, error) {
	states, err := finishAll(ctx, tx, []ending{e})
	if err != nil {
		return "", err
	}
	if states[0] == "" {
		return "", ErrLeaseLost
	}
	return states[0], nil
}

// CallbackAttempts is how often a callback is tried, which takes a little over 24 hours.
const CallbackAttempts = 20

// callBack enqueues the callback of a job that has ended, when it has one.
func (tx *Tx) callBack(ctx context.Context, ws growth.WorkspaceID, id growth.JobID) error {
	var of struct {
		URL  sql.NullString `db:"callback_url"`
		Lead sql.NullString `db:"lead_id"`
	}
	if err := tx.tx.GetContext(ctx, &of, `SELECT callback_url, lead_id FROM jobs WHERE id = $1 AND type <> 'callback'`, id); err != nil && !none(err) {
		return wrap("callback", err)
	}
	if !of.URL.Valid {
		return nil
	}
	input, err := json.Marshal(map[string]any{"job_id": id, "url": of.URL.String})
	if err != nil {
		return wrap("callback", err)
	}
	_, err = tx.accept(ctx, ws, []NewJob{{
		Type: growth.JobCallback, Input: input, UniqueKey: string(id),
		LeadID:  growth.LeadID(of.Lead.String), // an erased lead takes what is being said of it along
		Options: growth.JobOptions{Priority: growth.PriorityNormal, TimeoutS: 60, MaxAttempts: CallbackAttempts},
	}})
	return err
}
