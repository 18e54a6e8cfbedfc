package store

import (
	"context"
	"encoding/json"
	"math"
	"strconv"
	"time"

	"github.com/lib/pq"

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

// EventHorizon is the place behind which every event lies that is still to come: later events of all workspaces are
// found after it, and none of them before.
func (s *Store) EventHorizon(ctx context.Context) (growth.EventCursor, error) {
	var xmin int64
	if err := s.db.GetContext(ctx, &xmin, `SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint`); err != nil {
		return growth.EventCursor{}, wrap("event horizon", err)
	}
	return growth.EventCursor{Tx: xmin - 1, ID: math.MaxInt64}, nil
}

// restored is the transaction of a client's cursor. One beyond every transaction comes from before the database was restored from
// a copy, whose events Reorder has put in front; they are told apart by their ids.
const restored = `CASE WHEN $2::text::xid8 >= pg_snapshot_xmax(pg_current_snapshot()) THEN '0'::xid8 ELSE $2::text::xid8 END`

// EventsAfter lists what happened in some workspaces, of each behind a place of its own in the order of events and at
// most so many. It shows an event once all transactions that began before the event's own have ended: nothing can
// appear later in front of what it has shown.
func (s *Store) EventsAfter(ctx context.Context, places map[growth.WorkspaceID]growth.EventCursor, limit int) ([]growth.Event, error) {
	var wss, txs []string
	var ids []int64
	for ws, at := range places {
		wss, txs, ids = append(wss, string(ws)), append(txs, strconv.FormatInt(at.Tx, 10)), append(ids, int64(at.ID))
	}
	return eventsAfter(ctx, s.db, `
		SELECT e.id, e.workspace_id, e.type, e.job_id, e.data, e.created_at, e.tx::text::bigint AS tx
		FROM unnest($1::uuid[], $2::text[]::xid8[], $3::bigint[]) AS w (id, tx, event)
		JOIN LATERAL (
			SELECT * FROM events o
			WHERE o.workspace_id = w.id AND (o.tx, o.id) > (w.tx, w.event) AND o.tx < pg_snapshot_xmin(pg_current_snapshot())
			ORDER BY o.tx, o.id LIMIT $4) AS e ON true
		ORDER BY e.tx, e.id`, pq.Array(wss), pq.Array(txs), pq.Array(ids), limit)
}

// EventsAfter lists what happened in the workspace behind a place in the order of events, of one job when job is given.
func (sc Scoped) EventsAfter(ctx context.Context, after growth.EventCursor, job growth.JobID, limit int) ([]growth.Event, error) {
	return eventsAfter(ctx, sc.s.db, `
		SELECT id, workspace_id, type, job_id, data, created_at, tx::text::bigint AS tx FROM events
		WHERE workspace_id = $1 AND (tx, id) > (`+restored+`, $3) AND tx < pg_snapshot_xmin(pg_current_snapshot())
		  AND ($4 = '' OR job_id = nullif($4, '')::uuid)
		ORDER BY tx, id LIMIT $5`, sc.ws, strconv.FormatInt(after.Tx, 10), after.ID, string(job), limit)
}

// selecter reads rows, in a transaction or outside.
type selecter interface {
	SelectContext(ctx context.Context, dest any, query string, args ...any) error
}

func eventsAfter(ctx context.Context, q selecter, query string, args ...any) ([]growth.Event, error) {
	var rows []struct {
		ID        growth.EventID     `db:"id"`
		Workspace growth.WorkspaceID `db:"workspace_id"`
		Type      string             `db:"type"`
		JobID     *growth.JobID      `db:"job_id"`
		Data      []byte             `db:"data"`
		At        time.Time          `db:"created_at"`
		Tx        int64              `db:"tx"`
	}
	if err := q.SelectContext(ctx, &rows, query, args...); err != nil {
		return nil, wrap("events after", err)
	}
	out := make([]growth.Event, 0, len(rows))
	for _, r := range rows {
		e := growth.Event{
			ID: r.ID, Cursor: growth.EventCursor{Tx: r.Tx, ID: r.ID}, Workspace: r.Workspace, Type: r.Type, Data: r.Data, At: r.At.UTC(),
		}
		if r.JobID != nil {
			e.JobID = *r.JobID
		}
		out = append(out, e)
	}
	return out, nil
}

// Reorder puts events of a database that was restored from a copy in front of all that are written from now on: their
// transactions were another server's.
func (s *Store) Reorder(ctx context.Context) error {
	_, err := s.db.ExecContext(ctx, `UPDATE events SET tx = '0' WHERE tx >= pg_snapshot_xmax(pg_current_snapshot())`)
	return wrap("reorder events", err)
}
