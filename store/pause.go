package store

import (
	"context"
	"strings"

	"github.com/lib/pq"

	growth "github.com/zakibelm/astrogrowth"
)

// QueueState is a queue as one workspace sees it.
type QueueState struct {
	Queue     string         `json:"queue"`
	Jobs      map[string]int `json:"jobs"`       // the workspace's unfinished jobs by state
	Paused    bool           `json:"paused"`     // for this workspace
	PausedAll bool           `json:"paused_all"` // for every workspace
}

// Pause stops a queue for the workspace; pausing twice changes nothing. Jobs are accepted all the same; those that run
// end.
func (sc Scoped) Pause(ctx context.Context, queue, by string) error {
	_, err := sc.s.db.ExecContext(ctx, `
		INSERT INTO pauses (queue, workspace_id, paused_by) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, queue, sc.ws, by)
	return wrap("pause", err)
}

// Resume lets a queue go on for the workspace.
func (sc Scoped) Resume(ctx context.Context, queue string) error {
	return sc.s.resume(ctx, queue, sc.ws)
}

// resume lifts a pause, of every workspace's when ws is empty, and puts the jobs that Redis delivered during it, for
// nobody to claim, back into the outbox.
func (s *Store) resume(ctx context.Context, queue string, ws growth.WorkspaceID) error {
	return s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.tx.ExecContext(ctx, `
			DELETE FROM pauses WHERE queue = $1 AND workspace_id IS NOT DISTINCT FROM nullif($2, '')::uuid`, queue, string(ws)); err != nil {
			return wrap("resume", err)
		}
		_, err := tx.tx.ExecContext(ctx, `
			UPDATE jobs SET epoch = epoch + 1, dispatched_at = NULL, updated_at = now()
			WHERE dispatched_at IS NOT NULL AND state IN ('queued', 'waiting') AND split_part(lane, ':', 1) = $1 AND isfinite(run_at)
			  AND ($2 = '' OR workspace_id = nullif($2, '')::uuid)
			  AND NOT EXISTS (SELECT 1 FROM pauses p WHERE p.queue = $1 AND (p.workspace_id IS NULL OR p.workspace_id = jobs.workspace_id))`,
			queue, string(ws))
		return wrap("resume", err)
	})
}

// PauseAll stops a queue for every workspace.
func (s *Store) PauseAll(ctx context.Context, queue, by string) error {
	_, err := s.db.ExecContext(ctx, `
		INSERT INTO pauses (queue, workspace_id, paused_by) VALUES ($1, NULL, $2) ON CONFLICT DO NOTHING`, queue, by)
	return wrap("pause all", err)
}

// ResumeAll lifts what PauseAll did; workspaces that paused the queue themselves stay paused.
func (s *Store) ResumeAll(ctx context.Context, queue string) error {
	return s.resume(ctx, queue, "")
}

// QueueStates lists the queues with the workspace's unfinished jobs.
func (sc Scoped) QueueStates(ctx context.Context) ([]QueueState, error) {
	var counts []struct {
		Lane  string `db:"lane"`
		State string `db:"state"`
		N     int    `db:"n"`
	}
	if err := sc.s.db.SelectContext(ctx, &counts, `
		SELECT lane, state, count(*) AS n FROM jobs
		WHERE workspace_id = $1 AND state NOT IN ('succeeded', 'failed', 'canceled') GROUP BY lane, state`, sc.ws); err != nil {
		return nil, wrap("queue states", err)
	}
	var pauses []struct {
		Queue string `db:"queue"`
		All   bool   `db:"all"`
	}
	if err := sc.s.db.SelectContext(ctx, &pauses, `
		SELECT queue, workspace_id IS NULL AS all FROM pauses WHERE workspace_id IS NULL OR workspace_id = $1`, sc.ws); err != nil {
		return nil, wrap("queue states", err)
	}
	byName := map[string]*QueueState{}
	out := make([]QueueState, 0, len(growth.Queues()))
	for _, q := range growth.Queues() {
		out = append(out, QueueState{Queue: q, Jobs: map[string]int{}})
	}
	for i := range out {
		byName[out[i].Queue] = &out[i]
	}
	for _, c := range counts {
		queue, _, _ := strings.Cut(c.Lane, ":")
		if q := byName[queue]; q != nil {
			q.Jobs[c.State] += c.N
		}
	}
	for _, p := range pauses {
		if q := byName[p.Queue]; q != nil {
			q.Paused, q.PausedAll = q.Paused || !p.All, q.PausedAll || p.All
		}
	}
	return out, nil
}

// RetryAll gives every failed job that a filter finds a new run of attempts, at most limit of them, newest first. Jobs
// whose post may have been made are left alone, and so are those whose work another unfinished job does.
func (sc Scoped) RetryAll(ctx context.Context, f JobFilter, limit int) (int64, error) {
	jobs, err := sc.Jobs(ctx, f, Page{Limit: min(limit, 200)})
	if err != nil {
		return 0, err
	}
	ids := make([]string, 0, len(jobs))
	for _, j := range jobs {
		ids = append(ids, string(j.ID))
	}
	res, err := sc.s.db.ExecContext(ctx, `
		UPDATE jobs SET state = 'queued', attempts = 0, epoch = epoch + 1, dispatched_at = NULL, run_at = now(),
			cancel_requested = false, error_code = NULL, error_message = NULL, finished_at = NULL, updated_at = now()
		WHERE id = ANY($1::uuid[]) AND workspace_id = $2 AND state = 'failed'
		  AND NOT EXISTS (SELECT 1 FROM publications p WHERE p.job_id = jobs.id AND p.state <> 'ready')
		  AND NOT EXISTS (SELECT 1 FROM jobs o WHERE o.workspace_id = jobs.workspace_id AND o.type = jobs.type
			AND o.unique_key = jobs.unique_key AND o.id <> jobs.id AND o.state NOT IN ('succeeded', 'failed', 'canceled'))`,
		pq.Array(ids), sc.ws)
	if err != nil {
		return 0, wrap("retry all", err)
	}
	n, err := res.RowsAffected()
	return n, wrap("retry all", err)
}
