package store

import (
	"context"
	"encoding/json"

	"github.com/lib/pq"

	growth "github.com/zakibelm/astrogrowth"
)

// lookBack is how long before a job began to wait what it waits for may have come: longer than any attempt of a publish
// job. It also bounds how often a job is woken that finds the same again.
const lookBack = "2 minutes"

// WakeWaiting wakes publish jobs that wait for what has come already. A person may approve a text, or connect an account,
// between a worker's look and the commit with which its job begins to wait; nobody else would tell that job. Held posts
// wait for a word about their time, and stay.
func (s *Store) WakeWaiting(ctx context.Context) (int64, error) {
	res, err := s.db.ExecContext(ctx, `
		WITH waiting AS (
			SELECT j.id, j.workspace_id, j.waiting_reason, j.updated_at, nullif(j.input->>'content_id', '')::uuid AS content,
				coalesce(nullif(j.input->>'account_id', '')::uuid, (SELECT c.account_id FROM contents c
					WHERE c.id = nullif(j.input->>'content_id', '')::uuid AND c.workspace_id = j.workspace_id)) AS account
			FROM jobs j
			WHERE j.lane = ANY ($1) AND j.dispatched_at IS NULL AND j.state = 'waiting' AND j.run_at = 'infinity'
			  AND j.waiting_reason IN ('approval', 'reconnect')
			  AND NOT EXISTS (SELECT 1 FROM post_times t WHERE t.job_id = j.id AND t.verdict = 'held')
		), ripe AS (
			SELECT w.id FROM waiting w WHERE CASE w.waiting_reason
				WHEN 'approval' THEN w.content IS NOT NULL AND NOT EXISTS (
					SELECT 1 FROM contents c WHERE c.id = w.content AND c.workspace_id = w.workspace_id AND (
						c.status IN ('draft', 'in_review') OR c.approved_hash IS DISTINCT FROM c.hash AND c.status <> 'rejected'
						OR c.updated_at < w.updated_at - interval '`+lookBack+`'))
				ELSE EXISTS (
					SELECT 1 FROM linkedin_accounts a WHERE a.workspace_id = w.workspace_id AND (w.account IS NULL OR a.id = w.account)
					  AND a.status = 'active' AND (a.expires_at IS NULL OR a.expires_at > now())
					  AND a.updated_at > w.updated_at - interval '`+lookBack+`')
			END
		), locked AS (
			SELECT id FROM jobs WHERE id IN (SELECT id FROM ripe) AND state = 'waiting' AND run_at = 'infinity' ORDER BY id FOR UPDATE SKIP LOCKED
		)
		UPDATE jobs SET state = 'queued', run_at = now(), epoch = epoch + 1, dispatched_at = NULL, updated_at = now()
		FROM locked WHERE jobs.id = locked.id`, pq.Array(publishLanes()))
	if err != nil {
		return 0, wrap("wake waiting", err)
	}
	n, err := res.RowsAffected()
	return n, wrap("wake waiting", err)
}

func publishLanes() []string {
	queue := growth.JobLinkedInPublish.Queue()
	return []string{queue, growth.Lane(queue, growth.PriorityHigh), growth.Lane(queue, growth.PriorityLow)}
}

// SettleStuck gives publications to a person that were claimed and whose job does not run any more: an attempt ended
// after the claim without a word about the outcome, because the answer to the claim's commit was lost, or the program
// broke. The job waits again, whatever it had become.
func (s *Store) SettleStuck(ctx context.Context) (int, error) {
	n := 0
	err := s.InTx(ctx, func(tx *Tx) error {
		var stuck []struct {
			ID        growth.JobID       `db:"id"`
			Workspace growth.WorkspaceID `db:"workspace_id"`
		}
		if err := tx.tx.SelectContext(ctx, &stuck, `
			SELECT j.id, j.workspace_id FROM publications p JOIN jobs j ON j.id = p.job_id
			WHERE p.state = 'publishing' AND j.state <> 'running' AND p.updated_at < now() - interval '1 minute'
			ORDER BY j.id LIMIT 100 FOR UPDATE OF j SKIP LOCKED`); err != nil {
			return wrap("settle stuck", err)
		}
		for _, j := range stuck {
			if err := tx.settleStuck(ctx, growth.Job{ID: j.ID, Workspace: j.Workspace}); err != nil {
				return err
			}
		}
		n = len(stuck)
		return nil
	})
	return n, err
}

func (tx *Tx) settleStuck(ctx context.Context, job growth.Job) error {
	const why = "the attempt ended while the post was being sent; look on LinkedIn whether it is there"
	if err := tx.SettlePublication(ctx, job.ID, growth.Publication{State: growth.PublicationUnknown, Error: why}); err != nil {
		return err
	}
	if _, err := tx.tx.ExecContext(ctx, `
		UPDATE jobs SET state = 'waiting', waiting_reason = 'outcome_unknown', waiting_until = NULL, run_at = 'infinity', finished_at = NULL,
			error_code = $2, error_message = $3, epoch = epoch + 1, dispatched_at = NULL, updated_at = now()
		WHERE id = $1`, job.ID, growth.Uncertain.String(), why); err != nil {
		return wrap("settle stuck", err)
	}
	data, err := json.Marshal(map[string]any{"job_id": job.ID})
	if err != nil {
		return wrap("settle stuck", err)
	}
	return tx.AddEvent(ctx, job.Workspace, job.ID, NewEvent{Type: "post.unknown", Data: data})
}

// UnplanContents shows contents as approved again whose planned post failed or was canceled on its way.
func (s *Store) UnplanContents(ctx context.Context) error {
	_, err := s.db.ExecContext(ctx, `
		UPDATE contents c SET status = 'approved', updated_at = now()
		WHERE c.status = 'scheduled' AND c.updated_at < now() - interval '1 minute' AND NOT EXISTS (
			SELECT 1 FROM post_times t JOIN jobs j ON j.id = t.job_id
			WHERE t.workspace_id = c.workspace_id AND j.state NOT IN ('succeeded', 'failed', 'canceled')
			  AND nullif(j.input->>'content_id', '')::uuid = c.id)`)
	return wrap("unplan contents", err)
}
