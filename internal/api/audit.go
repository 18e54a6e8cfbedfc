package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/internal/daemon"
	"github.com/zakibelm/astrogrowth/store"
)

func (a *api) audit(h huma.API) {
	o := op(http.MethodGet, "/v1/audit", "admin", "What was done with the scopes admin and approve, newest first", auth.ScopeAdmin, 200)
	o.Description = "An entry is written before the thing is done: one without a `status` was begun and never ended. Entries hold ids " +
		"and names of keys, nothing of what was sent. They are kept for a year at least."
	register(h, o, a.listAudit)
}

// AuditEntry is one thing that was done, as the API shows it.
type AuditEntry struct {
	ID        string    `json:"id"`
	At        time.Time `json:"at"`
	Actor     string    `json:"actor" doc:"The name of the key"`
	KeyID     string    `json:"key_id,omitempty" doc:"Absent for the user of this machine, who needs no key"`
	Operation string    `json:"operation" example:"post-v1-keys"`
	Target    string    `json:"target,omitempty" doc:"The id in the path"`
	RequestID string    `json:"request_id,omitempty"`
	Status    int       `json:"status,omitempty" doc:"HTTP status of the answer; absent when it never came"`
}

type auditInput struct {
	PageParams
	Operation string `query:"operation" maxLength:"200" example:"post-v1-keys"`
	Target    string `query:"target" maxLength:"200"`
	KeyID     string `query:"key_id" format:"uuid"`
}

func (a *api) listAudit(ctx context.Context, in *auditInput) (*struct{ Body List[AuditEntry] }, error) {
	p, err := in.page()
	if err != nil {
		return nil, err
	}
	rows, err := a.Store.In(who(ctx).Workspace).Audit(ctx, store.AuditFilter{Operation: in.Operation, Target: in.Target, KeyID: in.KeyID}, p)
	if err != nil {
		return nil, err
	}
	out := make([]AuditEntry, 0, len(rows))
	for _, r := range rows {
		out = append(out, AuditEntry{
			ID: r.ID, At: r.At, Actor: r.Actor, KeyID: r.KeyID, Operation: r.Operation, Target: r.Target, RequestID: r.RequestID, Status: r.Status,
		})
	}
	return &struct{ Body List[AuditEntry] }{listOf(out, in.Limit, func(e AuditEntry) string { return e.ID })}, nil
}

// audits says whether what is done with a scope is written down.
func audits(method string, s auth.Scope) bool {
	return method != http.MethodGet && (s == auth.ScopeAdmin || s == auth.ScopeApprove)
}

// audited runs what may do much, between two notes of it. What cannot be noted is not done.
func (a *api) audited(ctx context.Context, operation, target string, do func() (status int)) error {
	p := who(ctx)
	id, err := a.Store.In(p.Workspace).BeginAudit(ctx, store.AuditEntry{KeyID: p.KeyID, Actor: p.Name, Operation: operation, Target: target, RequestID: daemon.RequestID(ctx)})
	if err != nil {
		return err
	}
	a.endAudit(ctx, id, operation, do())
	return nil
}

func (a *api) endAudit(ctx context.Context, id, operation string, status int) {
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second) // the caller may have left: it was done all the same
	defer cancel()
	if err := a.Store.In(who(ctx).Workspace).EndAudit(end, id, status); err != nil {
		zerolog.Ctx(ctx).Error().Err(err).Str("operation", operation).Msg("the end of an action is not in the audit log")
	}
}

// auditOperation is audited around an operation of the framework.
func (a *api) auditOperation(ctx huma.Context, next func(huma.Context)) {
	o := ctx.Operation()
	err := a.audited(ctx.Context(), o.OperationID, targetOf(ctx, o.Path), func() int {
		next(ctx)
		return ctx.Status()
	})
	if err != nil {
		a.refuse(ctx, problemOf(err))
	}
}

// action is a request that takes no more than the scope of its operation, unless what it holds takes more: that is known
// when it has been read, and noted then.
type action struct {
	api       *api
	operation string
	target    string
	id        string // of its entry in the log; empty: there is none
}

type actionKey struct{}

// noteAction notes that the request does what takes the scope admin or approve, before it is done. What cannot be noted is
// not done. Operations that take such a scope in any case are noted already.
func noteAction(ctx context.Context) error {
	n, ok := ctx.Value(actionKey{}).(*action)
	if !ok || n.id != "" {
		return nil
	}
	p := who(ctx)
	var err error
	n.id, err = n.api.Store.In(p.Workspace).BeginAudit(ctx, store.AuditEntry{
		KeyID: p.KeyID, Actor: p.Name, Operation: n.operation, Target: n.target, RequestID: daemon.RequestID(ctx),
	})
	return err
}

// end writes how a request went that was noted.
func (n *action) end(ctx context.Context, status int) {
	if n.id == "" {
		return
	}
	n.api.endAudit(ctx, n.id, n.operation, status)
}

// watchOperation lets an operation be noted when it turns out to do much.
func (a *api) watchOperation(ctx huma.Context, next func(huma.Context)) {
	o := ctx.Operation()
	if o.Method == http.MethodGet {
		next(ctx)
		return
	}
	n := &action{api: a, operation: o.OperationID, target: targetOf(ctx, o.Path)}
	ctx = huma.WithValue(ctx, actionKey{}, n)
	next(ctx)
	n.end(ctx.Context(), ctx.Status())
}

// targetOf is what stands in the path in the place of its first parameter. A name that is no id may be anything, so that
// it is shortened.
func targetOf(ctx huma.Context, path string) string {
	_, rest, found := strings.Cut(path, "{")
	if !found {
		return ""
	}
	name, _, _ := strings.Cut(rest, "}")
	value := ctx.Param(strings.TrimSuffix(name, "..."))
	if growth.ValidID(value) {
		return value
	}
	return short(value)
}
