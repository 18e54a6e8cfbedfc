package store

import (
	"context"
	"time"

	"github.com/lib/pq"

	growth "github.com/zakibelm/astrogrowth"
)

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
	o := Outcome{State: growth.JobQueued, RunAt: time.Now().Add(-time.Second), Redeliver: true}
	state, err := tx.finishJob(ctx, ending{job: job, Outcome: o})
	if err != nil || !state.Final() {
		return err
	}
	return tx.callBack(ctx, job.Workspace, job.ID)
}

func (tx *Tx) workerLost(ctx context.Context, job growth.Job) error {
	fault := &growth.JobError{Code: growth.Internal, Message: "the worker died on every attempt", Retryable: true}
	if _, err := tx.finishJob(ctx, ending{job: job, Outcome: Outcome{State: growth.JobFailed, Err: fault}}); err != nil {
		return err
	}
	return tx.callBack(ctx, job.Workspace, job.ID)
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
		WITH found AS (
			SELECT j.id FROM jobs j JOIN unnest($1::uuid[], $2::int[]) AS l (id, epoch) ON j.id = l.id AND j.epoch = l.epoch
			WHERE j.state IN ('queued', 'retrying', 'waiting') AND j.dispatched_at IS NOT NULL
			ORDER BY j.id FOR NO KEY UPDATE OF j
		)
		UPDATE jobs SET epoch = jobs.epoch + 1, dispatched_at = NULL, state = 'queued', updated_at = now()
		FROM found WHERE jobs.id = found.id`, pq.Array(ids), pq.Array(epochs))
	if err != nil {
		return 0, wrap("redispatch", err)
	}
	n, err := res.RowsAffected()
	return n, wrap("redispatch", err)
}

// Purge deletes what is past its retention: finished jobs with their steps, spent idempotency keys, old events,
// notices, feedback, pictures that no post waits for, and imports with what it took to undo them.
func (s *Store) Purge(ctx context.Context, retention time.Duration) (int64, error) {
	var total int64
	for _, q := range []string{
		`DELETE FROM jobs WHERE finished_at < now() - $1 * interval '1 second' AND id IN (
			SELECT id FROM jobs WHERE finished_at < now() - $1 * interval '1 second'
				AND NOT EXISTS (SELECT 1 FROM publications p WHERE p.job_id = jobs.id) LIMIT 5000)`,
		`DELETE FROM events WHERE id IN (SELECT id FROM events WHERE created_at < now() - $1 * interval '1 second' LIMIT 5000)`,
		`DELETE FROM alerts WHERE created_at < now() - greatest($1, 3456000) * interval '1 second'`, // a month's must outlive it
		`DELETE FROM alert_states WHERE resolved_at < now() - $1 * interval '1 second'`,
		`DELETE FROM ledger_days WHERE day < now() - greatest($1, 34560000) * interval '1 second'`, // as far back as days are summed up
		`DELETE FROM ledger_sums WHERE day < now() - greatest($1, 34560000) * interval '1 second'`,
		`DELETE FROM ledger_latencies WHERE day < now() - greatest($1, 34560000) * interval '1 second'`,
		`DELETE FROM ledger_health WHERE day < now() - greatest($1, 34560000) * interval '1 second'`,
		`DELETE FROM feedback WHERE id IN (SELECT id FROM feedback WHERE created_at < now() - $1 * interval '1 second' LIMIT 5000)`,
		`DELETE FROM lead_changes WHERE id IN (SELECT id FROM lead_changes WHERE created_at < now() - $1 * interval '1 second' LIMIT 5000)`,
		`DELETE FROM import_parts WHERE created_at < now() - least($1, 86400) * interval '1 second'`, // a day is enough to go on
		`DELETE FROM import_chunks WHERE created_at < now() - least($1, 86400) * interval '1 second'`,
		`DELETE FROM cache_dues WHERE created_at < now() - $1 * interval '1 second'`, // no answer lives as long
		`DELETE FROM import_leads WHERE (import_id, lead_id) IN (
			SELECT import_id, lead_id FROM import_leads WHERE created_at < now() - $1 * interval '1 second' LIMIT 5000)`,
		`DELETE FROM imports WHERE created_at < now() - $1 * interval '1 second'
			AND NOT EXISTS (SELECT 1 FROM import_leads l WHERE l.import_id = imports.id)`,
		`DELETE FROM linkedin_connects WHERE created_at < now() - least($1, 86400) * interval '1 second'`, // they live for minutes
		`DELETE FROM content_batches WHERE finished_at < now() - $1 * interval '1 second'`,                // a topic may come again then
		`DELETE FROM linkedin_calls WHERE day < now() - least($1, 604800) * interval '1 second'`,          // a day is enough to count by
		`DELETE FROM media WHERE id IN (SELECT id FROM media m WHERE used_at < now() - $1 * interval '1 second' AND NOT EXISTS (
			SELECT 1 FROM jobs j WHERE j.workspace_id = m.workspace_id AND j.type = 'linkedin-publish'
				AND j.state NOT IN ('succeeded', 'failed', 'canceled') AND strpos(lower(j.input::text), m.id::text) > 0)
				AND NOT EXISTS (SELECT 1 FROM contents c WHERE c.workspace_id = m.workspace_id AND m.id::text = ANY (c.media)
					AND c.status NOT IN ('published', 'rejected')) LIMIT 500)`,
		`UPDATE webhook_deliveries SET body = NULL, plain = NULL WHERE id IN (SELECT id FROM webhook_deliveries
			WHERE received_at < now() - least($1, 1209600) * interval '1 second' AND body IS NOT NULL AND state <> 'received' LIMIT 5000)`,
		`DELETE FROM webhook_deliveries WHERE id IN (SELECT id FROM webhook_deliveries
			WHERE received_at < now() - greatest($1, 2592000) * interval '1 second' LIMIT 5000)`, // longer than any sender tries again
		`DELETE FROM subscription_deliveries WHERE id IN (SELECT id FROM subscription_deliveries
			WHERE created_at < now() - $1 * interval '1 second' LIMIT 5000)`,
		`DELETE FROM audit_log WHERE id IN (SELECT id FROM audit_log WHERE created_at < now() - greatest($1, 31536000) * interval '1 second' LIMIT 5000)`, // a year at least
		`DELETE FROM model_notices WHERE noticed_at < now() - $1 * interval '1 second'`,
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
