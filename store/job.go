package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/lib/pq"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
)

// NewJob is a job that is about to be accepted.
type NewJob struct {
	ID             growth.JobID // empty: a new one
	Type           growth.JobType
	Input          json.RawMessage
	Options        growth.JobOptions // every default filled in
	IdempotencyKey string            // empty: none
	BodyHash       []byte            // of the request body, to tell a repeated request from another under the same key
	UniqueKey      string            // empty: none; else at most one unfinished job of this type has it
	LeadID         growth.LeadID
	TraceID        string
	KeyID          string // the API key that asks; empty: none
	Post           *PostWish
}

// Accepted is what became of one NewJob.
type Accepted struct {
	ID       growth.JobID
	Replayed bool // the key had been used with the same body: ID is the first job
	Existing bool // an unfinished job has the same unique key: ID is that job
}

// IdempotencyTTL is how long an idempotency key answers with its first job.
const IdempotencyTTL = 24 * time.Hour

type jobRow struct {
	ID            growth.JobID       `db:"id"`
	Workspace     growth.WorkspaceID `db:"workspace_id"`
	Type          growth.JobType     `db:"type"`
	State         growth.JobState    `db:"state"`
	Priority      growth.Priority    `db:"priority"`
	Attempts      int                `db:"attempts"`
	MaxAttempts   int                `db:"max_attempts"`
	Input         []byte             `db:"input"`
	Result        []byte             `db:"result"`
	ErrorCode     sql.NullString     `db:"error_code"`
	ErrorMessage  sql.NullString     `db:"error_message"`
	WaitingReason sql.NullString     `db:"waiting_reason"`
	WaitingUntil  sql.NullTime       `db:"waiting_until"`
	Metadata      []byte             `db:"metadata"`
	CampaignID    sql.NullString     `db:"campaign_id"`
	CallbackURL   sql.NullString     `db:"callback_url"`
	KeyID         sql.NullString     `db:"key_id"`
	TraceID       string             `db:"trace_id"`
	Simulated     bool               `db:"simulated"`
	RunAt         pgTime             `db:"run_at"`
	CreatedAt     time.Time          `db:"created_at"`
	UpdatedAt     time.Time          `db:"updated_at"`
}

const jobColumns = `id, workspace_id, type, state, priority, attempts, max_attempts, input, result, error_code,
	error_message, waiting_reason, waiting_until, metadata, campaign_id, callback_url, trace_id, simulated, run_at,
	created_at, updated_at, key_id`

func (r jobRow) job() growth.Job {
	j := growth.Job{
		ID: r.ID, Workspace: r.Workspace, Type: r.Type, State: r.State, Priority: r.Priority, Attempts: r.Attempts,
		MaxAttempts: r.MaxAttempts, Input: r.Input, Result: r.Result, Metadata: r.Metadata, CallbackURL: r.CallbackURL.String,
		TraceID: r.TraceID, KeyID: r.KeyID.String, Simulated: r.Simulated, RunAt: r.RunAt.Time, CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
	if r.ErrorCode.Valid {
		code := growth.ParseCode(r.ErrorCode.String)
		j.Error = &growth.JobError{Code: code, Message: r.ErrorMessage.String, Retryable: code.Retryable()}
	}
	if r.WaitingReason.Valid && r.State == growth.JobWaiting {
		j.Waiting = &growth.Waiting{Reason: growth.WaitReason(r.WaitingReason.String)}
		if r.WaitingUntil.Valid {
			until := r.WaitingUntil.Time.UTC()
			j.Waiting.Until = &until
		}
	}
	if r.CampaignID.Valid {
		id := growth.CampaignID(r.CampaignID.String)
		j.CampaignID = &id
	}
	return j
}

// pgTime reads a timestamptz that may be infinity, which the driver hands over as text.
type pgTime struct{ time.Time }

// Scan implements sql.Scanner; infinity becomes the zero time.
func (t *pgTime) Scan(src any) error {
	if at, ok := src.(time.Time); ok {
		t.Time = at.UTC()
		return nil
	}
	t.Time = time.Time{}
	return nil
}

// Accept commits new jobs together with their idempotency keys: from its return on they are never lost. The answer has
// one element for each job, in order. A key that was used with another body fails the whole call with Conflict.
func (sc Scoped) Accept(ctx context.Context, jobs []NewJob) ([]Accepted, error) {
	if _, err := sc.s.statements.get(ctx, insertJobsQuery); err != nil { //nolint:sqlclosecheck // kept
		return nil, wrap("accept", err)
	}
	var out []Accepted
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		var err error
		out, err = tx.accept(ctx, sc.ws, jobs)
		return err
	})
	return out, err
}

func (tx *Tx) accept(ctx context.Context, ws growth.WorkspaceID, jobs []NewJob) ([]Accepted, error) {
	out := make([]Accepted, len(jobs))
	for i := range jobs {
		if jobs[i].ID == "" {
			jobs[i].ID = growth.JobID(growth.NewID())
		}
		out[i].ID = jobs[i].ID
	}
	if err := tx.lockJobKeys(ctx, ws, jobs); err != nil {
		return nil, err
	}
	if err := tx.takeSlots(ctx, ws, jobs); err != nil {
		return nil, err
	}
	if err := tx.refuseClosed(ctx, ws, jobs); err != nil {
		return nil, err
	}
	if err := tx.insertJobs(ctx, ws, jobs, out); err != nil {
		return nil, err
	}
	if err := tx.savePostTimes(ctx, ws, jobs, out); err != nil {
		return nil, err
	}
	return out, tx.claimKeys(ctx, ws, jobs, out)
}

// lockJobKeys takes the keys of a batch in one order everywhere, so that two batches cannot wait for each other.
func (tx *Tx) lockJobKeys(ctx context.Context, ws growth.WorkspaceID, jobs []NewJob) error {
	var names []string
	for _, j := range jobs {
		if j.UniqueKey != "" {
			names = append(names, "unique\x1f"+string(j.Type)+"\x1f"+j.UniqueKey)
		}
		if j.IdempotencyKey != "" {
			names = append(names, "idempotency\x1f"+j.IdempotencyKey)
		}
	}
	return tx.lockNames(ctx, ws, names)
}

// insertJobs writes all rows in one statement; the arrays keep its text the same for every batch size.
func (tx *Tx) insertJobs(ctx context.Context, ws growth.WorkspaceID, jobs []NewJob, out []Accepted) error {
	n := len(jobs)
	ids, types, lanes, prios, states := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	inputs, metas, callbacks, campaigns := make([]string, n), make([]sql.NullString, n), make([]sql.NullString, n), make([]sql.NullString, n)
	uniques, leads, traces := make([]sql.NullString, n), make([]sql.NullString, n), make([]string, n)
	keys := make([]sql.NullString, n)
	maxes, timeouts, runs := make([]int64, n), make([]int64, n), make([]string, n)
	now := time.Now().UTC()
	for i, j := range jobs {
		o := j.Options
		runAt, state := now, growth.JobQueued
		if o.RunAt != nil && o.RunAt.After(now) {
			runAt, state = o.RunAt.UTC(), growth.JobScheduled
		}
		ids[i], types[i], prios[i], states[i] = string(j.ID), string(j.Type), string(o.Priority), string(state)
		lanes[i] = growth.Lane(j.Type.Queue(), o.Priority)
		inputs[i], metas[i] = string(j.Input), nullString(string(o.Metadata))
		callbacks[i], campaigns[i] = nullString(o.CallbackURL), nullString(string(o.CampaignID))
		uniques[i], leads[i], traces[i] = nullString(j.UniqueKey), nullString(string(j.LeadID)), j.TraceID
		keys[i] = nullString(j.KeyID)
		maxes[i], timeouts[i], runs[i] = int64(o.MaxAttempts), int64(o.TimeoutS), runAt.Format(time.RFC3339Nano)
	}
	var fresh []growth.JobID
	err := tx.query(ctx, &fresh, insertJobsQuery,
		ws, pq.Array(ids), pq.Array(types), pq.Array(lanes), pq.Array(prios), pq.Array(states), pq.Array(inputs),
		pq.Array(metas), pq.Array(callbacks), pq.Array(campaigns), pq.Array(uniques), pq.Array(leads), pq.Array(traces),
		pq.Array(maxes), pq.Array(timeouts), pq.Array(runs), pq.Array(keys))
	if err != nil {
		return acceptFault(err)
	}
	inserted := make(map[growth.JobID]bool, len(fresh))
	for _, id := range fresh {
		inserted[id] = true
	}
	return tx.findExisting(ctx, ws, jobs, out, inserted)
}

const insertJobsQuery = `
		INSERT INTO jobs (id, workspace_id, type, lane, priority, state, input, metadata, callback_url, campaign_id,
			unique_key, lead_id, trace_id, max_attempts, timeout_s, run_at, key_id)
		SELECT id, $1, type, lane, priority, state, input, metadata, callback_url, campaign_id,
			unique_key, lead_id, trace_id, max_attempts, timeout_s, run_at, key_id
		FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::jsonb[], $8::jsonb[], $9::text[],
			$10::uuid[], $11::text[], $12::uuid[], $13::text[], $14::int[], $15::int[], $16::timestamptz[], $17::uuid[])
			AS t (id, type, lane, priority, state, input, metadata, callback_url, campaign_id,
			unique_key, lead_id, trace_id, max_attempts, timeout_s, run_at, key_id)
		ON CONFLICT DO NOTHING
		RETURNING id`

func acceptFault(err error) error {
	if violates(err, "jobs_campaign") || violates(err, "leads_campaign") || violates(err, "contents_campaign") || violates(err, "imports_campaign") {
		return growth.InvalidField("store.accept", "campaign_id", "there is no such campaign in this workspace")
	}
	return wrap("accept", err)
}

// findExisting points the jobs that were not inserted at the unfinished ones that have their unique key.
func (tx *Tx) findExisting(ctx context.Context, ws growth.WorkspaceID, jobs []NewJob, out []Accepted, inserted map[growth.JobID]bool) error {
	for i, j := range jobs {
		if inserted[j.ID] {
			continue
		}
		err := tx.tx.GetContext(ctx, &out[i].ID, `
			SELECT id FROM jobs WHERE workspace_id = $1 AND type = $2 AND unique_key = $3
			ORDER BY id DESC LIMIT 1`, ws, j.Type, j.UniqueKey)
		if err != nil {
			return wrap("find existing job", err)
		}
		out[i].Existing = true
	}
	return nil
}

// claimKeys takes the idempotency keys. A concurrent request under the same key makes this one wait on the row until
// the first is committed, so two jobs under one key are impossible.
func (tx *Tx) claimKeys(ctx context.Context, ws growth.WorkspaceID, jobs []NewJob, out []Accepted) error {
	for i, j := range jobs {
		if j.IdempotencyKey == "" {
			continue
		}
		var first struct {
			JobID    growth.JobID `db:"job_id"`
			BodyHash []byte       `db:"body_hash"`
		}
		err := tx.tx.GetContext(ctx, &first, `
			INSERT INTO idempotency_keys AS k (workspace_id, key, body_hash, job_id, expires_at)
			VALUES ($1, $2, $3, $4, now() + $5 * interval '1 second')
			ON CONFLICT (workspace_id, key) DO UPDATE SET
				body_hash  = CASE WHEN k.expires_at < now() THEN excluded.body_hash ELSE k.body_hash END,
				job_id     = CASE WHEN k.expires_at < now() THEN excluded.job_id ELSE k.job_id END,
				expires_at = CASE WHEN k.expires_at < now() THEN excluded.expires_at ELSE k.expires_at END
			RETURNING job_id, body_hash`, ws, j.IdempotencyKey, j.BodyHash, out[i].ID, IdempotencyTTL.Seconds())
		if err != nil {
			return wrap("idempotency key", err)
		}
		if string(first.BodyHash) != string(j.BodyHash) {
			return errKeyReused()
		}
		if first.JobID != out[i].ID {
			if !out[i].Existing {
				if _, err := tx.tx.ExecContext(ctx, `DELETE FROM jobs WHERE id = $1 AND workspace_id = $2`, out[i].ID, ws); err != nil {
					return wrap("replayed job", err)
				}
			}
			out[i] = Accepted{ID: first.JobID, Replayed: true}
		}
	}
	return nil
}

// Replayed finds the job that was accepted under an idempotency key. The same key with another body is refused.
func (sc Scoped) Replayed(ctx context.Context, key string, bodyHash []byte) (id growth.JobID, found bool, err error) {
	var first struct {
		JobID    growth.JobID `db:"job_id"`
		BodyHash []byte       `db:"body_hash"`
	}
	err = sc.s.db.GetContext(ctx, &first, `
		SELECT job_id, body_hash FROM idempotency_keys WHERE workspace_id = $1 AND key = $2 AND expires_at > now()`, sc.ws, key)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	if err == nil && string(first.BodyHash) != string(bodyHash) {
		err = errKeyReused()
	}
	return first.JobID, err == nil, wrap("replayed", err)
}

func errKeyReused() error {
	return growth.InvalidField("store.accept", "Idempotency-Key", "this key was used with another body within the last 24 hours; use a new key")
}

// HashBody is the digest under which an idempotency key remembers a request body.
func HashBody(b []byte) []byte {
	h := sha256.Sum256(b)
	return h[:]
}

// Job returns one job with its calls and its cost.
func (sc Scoped) Job(ctx context.Context, id growth.JobID) (growth.Job, error) {
	var r jobRow
	err := sc.s.db.GetContext(ctx, &r, `SELECT `+jobColumns+` FROM jobs WHERE id = $1 AND workspace_id = $2`, id, sc.ws)
	if errors.Is(err, sql.ErrNoRows) {
		return growth.Job{}, growth.Errorf(growth.NotFound, "store.Job", "there is no job %s in this workspace", id)
	}
	if err != nil {
		return growth.Job{}, wrap("job", err)
	}
	j := r.job()
	if j.Calls, err = sc.CallsOfJob(ctx, id); err != nil {
		return growth.Job{}, err
	}
	j.Cost = costOf(j.Calls)
	if j.Type != growth.JobLinkedInPublish {
		return j, nil
	}
	t, found, err := sc.PostTime(ctx, id)
	if found {
		j.PostTime = &t
	}
	return j, err
}

// costOf sums the requests of a job; a job without a request cost nothing, and that is known.
func costOf(calls []growth.Call) growth.Money {
	sum := growth.USD(zero, growth.CostReported)
	for _, c := range calls {
		if c.Decision == growth.DecisionSkipped {
			continue
		}
		sum = sum.Add(c.Cost)
	}
	return sum
}

// JobFilter narrows a list of jobs; the zero value lists every job that a user made.
type JobFilter struct {
	Type     growth.JobType
	State    growth.JobState
	Campaign growth.CampaignID
	LeadID   growth.LeadID
	Query    string // part of the input's text or the beginning of an id
}

// jobCosts sums the requests of jobs as costOf does. A job without a request is not among them.
func (sc Scoped) jobCosts(ctx context.Context, jobs []growth.JobID) (map[growth.JobID]growth.Money, error) {
	var rows []struct {
		Job      growth.JobID    `db:"job_id"`
		USD      decimal.Decimal `db:"usd"`
		Unknown  bool            `db:"unknown"`
		Reported bool            `db:"reported"`
	}
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT job_id, coalesce(sum(cost_usd), 0) AS usd, bool_or(cost_usd IS NULL) AS unknown, bool_and(provenance = 'reported') AS reported
		FROM calls WHERE workspace_id = $1 AND job_id = ANY($2::uuid[]) AND decision <> 'skipped' GROUP BY job_id`, sc.ws, pq.Array(jobs)); err != nil {
		return nil, wrap("costs of jobs", err)
	}
	out := make(map[growth.JobID]growth.Money, len(rows))
	for _, r := range rows {
		switch {
		case r.Unknown:
			out[r.Job] = growth.UnknownMoney("USD")
		case r.Reported:
			out[r.Job] = growth.USD(r.USD, growth.CostReported)
		default:
			out[r.Job] = growth.USD(r.USD, growth.CostPriced)
		}
	}
	return out, nil
}

// Jobs lists jobs, newest first, with their cost and without their calls.
func (sc Scoped) Jobs(ctx context.Context, f JobFilter, p Page) ([]growth.Job, error) {
	var rows []jobRow
	err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT `+jobColumns+` FROM jobs
		WHERE workspace_id = $1 AND id < $2
		  AND CASE WHEN $3 = '' THEN type NOT IN ('callback', 'maintenance') ELSE type = $3 END
		  AND ($4 = '' OR state = $4)
		  AND ($5 = '' OR campaign_id = nullif($5, '')::uuid)
		  AND ($6 = '' OR lead_id = nullif($6, '')::uuid)
		  AND ($7 = '' OR strpos(lower(input::text), lower($7)) > 0 OR starts_with(id::text, $7))
		ORDER BY id DESC LIMIT $8`,
		sc.ws, p.before(), string(f.Type), string(f.State), string(f.Campaign), string(f.LeadID), f.Query, p.limit())
	if err != nil {
		return nil, wrap("jobs", err)
	}
	out, ids := make([]growth.Job, 0, len(rows)), make([]growth.JobID, 0, len(rows))
	for _, r := range rows {
		j := r.job()
		j.Cost = costOf(nil)
		out, ids = append(out, j), append(ids, j.ID)
	}
	costs, err := sc.jobCosts(ctx, ids)
	for i, j := range out {
		if c, spent := costs[j.ID]; spent {
			out[i].Cost = c
		}
	}
	return out, err
}

// CountJobs counts the workspace's jobs by type and state.
func (sc Scoped) CountJobs(ctx context.Context) (map[growth.JobType]map[growth.JobState]int, error) {
	var rows []struct {
		Type  growth.JobType  `db:"type"`
		State growth.JobState `db:"state"`
		N     int             `db:"n"`
	}
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT type, state, count(*) AS n FROM jobs WHERE workspace_id = $1 GROUP BY type, state`, sc.ws); err != nil {
		return nil, wrap("count jobs", err)
	}
	out := make(map[growth.JobType]map[growth.JobState]int)
	for _, r := range rows {
		if out[r.Type] == nil {
			out[r.Type] = make(map[growth.JobState]int)
		}
		out[r.Type][r.State] = r.N
	}
	return out, nil
}

// CancelJob ends a job that does not run, and asks a running one to stop. It returns the state that the job has now.
func (sc Scoped) CancelJob(ctx context.Context, id growth.JobID) (growth.JobState, error) {
	var state growth.JobState
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		err := tx.tx.GetContext(ctx, &state, `
			UPDATE jobs SET cancel_requested = true, updated_at = now(),
				state = CASE WHEN state = 'running' THEN state ELSE 'canceled' END,
				finished_at = CASE WHEN state = 'running' THEN NULL ELSE now() END
			WHERE id = $1 AND workspace_id = $2 AND state NOT IN ('succeeded', 'failed', 'canceled')
			  AND NOT (state = 'waiting' AND waiting_reason = 'outcome_unknown')
			RETURNING state`, id, sc.ws)
		if err != nil {
			return err
		}
		if state == growth.JobCanceled {
			return tx.canceled(ctx, sc.ws, id)
		}
		return nil
	})
	if errors.Is(err, sql.ErrNoRows) {
		j, err := sc.Job(ctx, id)
		if err != nil {
			return "", err
		}
		if !j.State.Final() {
			return "", growth.Errorf(growth.Conflict, "store.CancelJob", "the outcome of the job's post is unknown: settle its publication first")
		}
		return "", growth.Errorf(growth.Conflict, "store.CancelJob", "the job has ended already: it is %s", j.State)
	}
	return state, wrap("cancel job", err)
}

// canceled records the end of a job that was canceled without running.
func (tx *Tx) canceled(ctx context.Context, ws growth.WorkspaceID, id growth.JobID) error {
	data, err := json.Marshal(map[string]any{"job_id": id})
	if err != nil {
		return wrap("canceled", err)
	}
	if err := tx.contentPlanned(ctx, ws, "", id); err != nil {
		return err
	}
	if err := tx.AddEvent(ctx, ws, id, NewEvent{Type: "job.canceled", Data: data}); err != nil {
		return err
	}
	return tx.callBack(ctx, ws, id)
}

// RetryJob gives a failed or canceled job a new run of attempts. A post that LinkedIn refused may be sent again, since
// somebody asks for it; one that a person dropped, or that may exist, is not.
func (sc Scoped) RetryJob(ctx context.Context, id growth.JobID) error {
	retried := false
	err := sc.s.InTx(ctx, func(tx *Tx) error {
		res, err := tx.tx.ExecContext(ctx, `
			UPDATE jobs SET state = 'queued', attempts = 0, epoch = epoch + 1, dispatched_at = NULL, run_at = now(),
				cancel_requested = false, error_code = NULL, error_message = NULL, finished_at = NULL, updated_at = now()
			WHERE id = $1 AND workspace_id = $2 AND state IN ('failed', 'canceled')
			  AND NOT EXISTS (SELECT 1 FROM publications p WHERE p.job_id = jobs.id
				AND (p.state NOT IN ('ready', 'rejected') OR p.state = 'rejected' AND p.settled_by = 'person'))`,
			id, sc.ws)
		if violates(err, "jobs_unique") {
			return growth.Errorf(growth.Conflict, "store.RetryJob", "another unfinished job does the same work")
		}
		if err != nil {
			return wrap("retry job", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return wrap("retry job", err)
		}
		retried = true
		return tx.readyAgain(ctx, sc.ws, id)
	})
	if err != nil || retried {
		return err
	}
	j, err := sc.Job(ctx, id)
	if err != nil {
		return err
	}
	return growth.Errorf(growth.Conflict, "store.RetryJob", "only a failed or canceled job whose post was certainly not made can be tried again; this one is %s", j.State)
}

// readyAgain makes the refused post of a job, and the content that it was to be, what they were before the refusal.
func (tx *Tx) readyAgain(ctx context.Context, ws growth.WorkspaceID, id growth.JobID) error {
	if _, err := tx.tx.ExecContext(ctx, `
		UPDATE publications SET state = 'ready', error = '', conflicts = 0, sent_at = NULL, updated_at = now()
		WHERE job_id = $1 AND workspace_id = $2 AND state = 'rejected'`, id, ws); err != nil {
		return wrap("retry job", err)
	}
	_, err := tx.tx.ExecContext(ctx, `
		UPDATE contents SET status = 'approved', updated_at = now()
		WHERE workspace_id = $2 AND status = 'failed' AND approved_hash = hash AND id = (
			SELECT content_id FROM publications WHERE job_id = $1 AND workspace_id = $2)`, id, ws)
	return wrap("retry job", err)
}
