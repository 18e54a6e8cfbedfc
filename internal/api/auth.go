package api

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
)

type principalKey struct{}

// who returns the principal that authenticate put into the context.
func who(ctx context.Context) auth.Principal {
	p, _ := ctx.Value(principalKey{}).(auth.Principal)
	return p
}

const scopeKey = "scope"

// needs marks an operation with the scope that it takes.
func needs(s auth.Scope) map[string]any { return map[string]any{scopeKey: s} }

// authenticate finds out who asks and in which workspace, and whether they may. An operation without a scope is a
// mistake in this program and is refused.
func (a *api) authenticate(ctx huma.Context, next func(huma.Context)) {
	p, err := a.principal(ctx.Context(), ctx.Header("Authorization"), ctx.Header("X-API-Key"), ctx.Header("X-Workspace"))
	err = a.admit(ctx.Context(), p, err, freeOfCharge(ctx.Operation().Method, ctx.Operation().Path), ctx.SetHeader)
	scope, ok := ctx.Operation().Metadata[scopeKey].(auth.Scope)
	if err == nil {
		if !ok || !p.May(scope) {
			err = growth.Errorf(growth.Forbidden, "api.authenticate", "this call needs a key with the scope %q", scope)
		}
	}
	if err != nil {
		a.refuse(ctx, problemOf(err))
		return
	}
	ctx = huma.WithValue(ctx, principalKey{}, p)
	if audits(ctx.Operation().Method, scope) {
		a.auditOperation(ctx, next)
		return
	}
	a.watchOperation(ctx, next)
}

func (a *api) refuse(ctx huma.Context, p *Problem) {
	for k, v := range p.GetHeaders() {
		ctx.SetHeader(k, v[0])
	}
	ctx.SetHeader("Content-Type", "application/problem+json")
	ctx.SetStatus(p.Status)
	writeJSON(ctx.BodyWriter(), p)
}

// principal looks a key up. Without a key, where none is required, the caller is this machine's own user.
func (a *api) principal(ctx context.Context, authorization, apiKey, workspace string) (auth.Principal, error) {
	key := auth.FromHeader(authorization, apiKey)
	if key == "" && a.RequireKeys {
		return auth.Principal{}, growth.Errorf(growth.Unauthorized, "api.principal", "send an API key as Authorization: Bearer … or X-API-Key: …")
	}
	p := auth.Principal{Name: "local", Agency: true, Scopes: []string{string(auth.ScopeAdmin)}}
	if key != "" {
		k, err := a.Store.KeyByHash(ctx, auth.Hash(key))
		if err != nil {
			return p, err
		}
		p = auth.Principal{KeyID: k.ID, Name: k.Name, Workspace: k.Workspace, Agency: k.Workspace == "", Scopes: k.Scopes}
	}
	if p.Workspace != "" { // a key of one workspace cannot pick another
		return p, nil
	}
	if workspace == "" {
		workspace = growth.DefaultWorkspace
	}
	var err error
	p.Workspace, err = a.workspaces.id(ctx, workspace, a.Store.WorkspaceBySlug)
	if growth.CodeOf(err) == growth.NotFound {
		return p, growth.InvalidField("api.principal", "X-Workspace", "there is no workspace with this name")
	}
	return p, err
}

// workspaceCache spares a query per request; a slug never changes its meaning.
type workspaceCache struct {
	mu  sync.Mutex
	ids map[string]growth.WorkspaceID
}

func (c *workspaceCache) id(ctx context.Context, slug string, find func(context.Context, string) (growth.Workspace, error)) (growth.WorkspaceID, error) {
	c.mu.Lock()
	id, ok := c.ids[slug]
	c.mu.Unlock()
	if ok {
		return id, nil
	}
	w, err := find(ctx, slug)
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ids == nil {
		c.ids = map[string]growth.WorkspaceID{}
	}
	if len(c.ids) < 10_000 {
		c.ids[slug] = w.ID
	}
	return w.ID, nil
}

// guardHost stands in for keys while none is required: a web page must not reach this machine through its visitor's
// browser, neither by a name of its own that it points here nor by a form or a script that sends to localhost. Pages of
// the origins in CORS_ORIGINS may. With keys neither is needed: no browser adds a key by itself.
func (a *api) guardHost(next http.Handler) http.Handler {
	if a.RequireKeys {
		return next
	}
	csrf := http.NewCrossOriginProtection()
	for _, origin := range a.CORSOrigins {
		if err := csrf.AddTrustedOrigin(origin); err != nil { // the configuration was checked: it is none
			a.Log.Warn().Str("origin", origin).Msg("CORS_ORIGINS holds what is no origin; its pages cannot write")
		}
	}
	csrf.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, newProblem(http.StatusForbidden, "a page of another site made this request and was refused; list its origin in CORS_ORIGINS, or set ADMIN_API_KEY and send a key"))
	}))
	next = csrf.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !loopbackHost(r.Host) {
			writeProblem(w, newProblem(http.StatusForbidden, "without API keys this server answers to localhost only; set ADMIN_API_KEY to use another name"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func loopbackHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.IsLoopback()
}

// deadline bounds what a handler may wait for beside its own work.
func deadline(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}
