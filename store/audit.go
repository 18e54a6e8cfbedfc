package store

import (
	"context"
	"database/sql"
	"strings"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// AuditEntry is one thing that somebody did who may do much. It holds ids and names of keys, and nothing of what was
// sent.
type AuditEntry struct {
	ID        string
	KeyID     string // empty: the user of this machine, without keys
	Actor     string
	Operation string
	Target    string // the id in the path, when there is one
	RequestID string
	Status    int // 0: begun, and never ended
	At        time.Time
}

// AuditFilter says which entries are wanted; the zero value is all.
type AuditFilter struct {
	Operation string
	Target    string
	KeyID     string
}

// BeginAudit notes that something is about to be done. What cannot be noted must not be done.
func (sc Scoped) BeginAudit(ctx context.Context, e AuditEntry) (id string, err error) {
	id = growth.NewID()
	_, err = sc.s.db.ExecContext(ctx, `
		INSERT INTO audit_log (id, workspace_id, key_id, actor, operation, target, request_id)
		VALUES ($1, $2, nullif($3, '')::uuid, $4, $5, $6, $7)`,
		id, sc.ws, e.KeyID, storable(e.Actor), e.Operation, storable(e.Target), e.RequestID)
	return id, wrap("audit", err)
}

// EndAudit notes how it went.
func (sc Scoped) EndAudit(ctx context.Context, id string, status int) error {
	_, err := sc.s.db.ExecContext(ctx, `
		UPDATE audit_log SET status = $3 WHERE id = $1 AND workspace_id = $2`, id, sc.ws, status)
	return wrap("audit", err)
}

// Audit lists what was done in the workspace, newest first.
func (sc Scoped) Audit(ctx context.Context, f AuditFilter, p Page) ([]AuditEntry, error) {
	var rows []struct {
		ID        string         `db:"id"`
		KeyID     sql.NullString `db:"key_id"`
		Actor     string         `db:"actor"`
		Operation string         `db:"operation"`
		Target    string         `db:"target"`
		RequestID string         `db:"request_id"`
		Status    int            `db:"status"`
		At        time.Time      `db:"created_at"`
	}
	err := sc.s.db.SelectContext(ctx, &rows, `
		SELECT id, key_id, actor, operation, target, request_id, coalesce(status, 0) AS status, created_at FROM audit_log
		WHERE workspace_id = $1 AND ($2 = '' OR operation = $2) AND ($3 = '' OR target = $3) AND ($4 = '' OR key_id = nullif($4, '')::uuid)
		  AND id < $5
		ORDER BY id DESC LIMIT $6`, sc.ws, f.Operation, storable(f.Target), f.KeyID, p.before(), p.limit())
	out := make([]AuditEntry, 0, len(rows))
	for _, r := range rows {
		out = append(out, AuditEntry{
			ID: r.ID, KeyID: r.KeyID.String, Actor: r.Actor, Operation: r.Operation, Target: r.Target, RequestID: r.RequestID, Status: r.Status, At: r.At.UTC(),
		})
	}
	return out, wrap("audit", err)
}

// storable is a text that Postgres takes, and never long: what stands in a path is the caller's to choose.
func storable(s string) string {
	const most = 200
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "")
	}
	return s
}
