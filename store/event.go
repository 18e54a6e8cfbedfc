package store

import (
	"context"
	"encoding/json"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// NewEvent is something that is about to be recorded.
type NewEvent struct {
	Type string
	Data json.RawMessage
}

// AddEvent records an event of a job, or of the workspace when job is empty.
func (tx *Tx) AddEvent(ctx context.Context, ws growth.WorkspaceID, job growth.JobID, e NewEvent) error {
	_, err := tx.tx.ExecContext(ctx, `
		INSERT INTO events (workspace_id, type, job_id, data) VALUES ($1, $2, nullif($3, '')::uuid, $4)`,
		ws, e.Type, string(job), []byte(e.Data))
	return wrap("add event", err)
}

// Events lists what happened in the workspace after an event, oldest first.
func (sc Scoped) Events(ctx context.Context, after growth.EventID, job growth.JobID, limit int) ([]growth.Event, error) {
	var rows []struct {
		ID    growth.EventID `db:"id"`
		Type  string         `db:"type"`
		JobID *growth.JobID  `db:"job_id"`
		Data  []byte         `db:"data"`
		At    time.Time      `db:"created_at"`
	}
	if err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT id, type, job_id, data, created_at FROM events
		WHERE workspace_id = $1 AND id > $2 AND ($3 = '' OR job_id = nullif($3, '')::uuid)
		ORDER BY id LIMIT $4`, sc.ws, after, string(job), limit); err != nil {
		return nil, wrap("events", err)
	}
	out := make([]growth.Event, 0, len(rows))
	for _, r := range rows {
		e := growth.Event{ID: r.ID, Workspace: sc.ws, Type: r.Type, Data: r.Data, At: r.At.UTC()}
		if r.JobID != nil {
			e.JobID = *r.JobID
		}
		out = append(out, e)
	}
	return out, nil
}
