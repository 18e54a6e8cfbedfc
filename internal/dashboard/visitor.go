package dashboard

import (
	"context"
	"net/http"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/store"
)

const workspaceCookie = "astrogrowth_workspace"

// visitor is who looks at a page, and what they look at.
type visitor struct {
	auth.Principal

	Here     growth.Workspace
	Choices  []growth.Workspace // that the visitor may switch to; empty when there is only one
	SignedIn bool               // has a session to end
	agency   bool               // may see every workspace, and the queues that all of them share
}

// visit finds out who makes a request. It returns an Unauthorized error when they have to log in first.
func (d *Dashboard) visit(r *http.Request) (*visitor, error) {
	v, err := d.identify(r)
	if err != nil {
		return nil, err
	}
	if err := d.enter(r.Context(), v, chosenWorkspace(r)); err != nil {
		return nil, err
	}
	return v, nil
}

func (d *Dashboard) identify(r *http.Request) (*visitor, error) {
	if !d.cfg.RequireLogin {
		p := auth.Principal{Name: "local user", Scopes: []string{string(auth.ScopeAdmin)}}
		return &visitor{Principal: p, agency: true}, nil
	}
	subject, err := d.sessions.subject(r)
	if err != nil {
		return nil, growth.Errorf(growth.Unauthorized, "dashboard.identify", "log in first")
	}
	if subject == adminSubject && !d.cfg.AdminKey.Empty() {
		p := auth.Principal{Name: "administrator", Scopes: []string{string(auth.ScopeAdmin)}}
		return &visitor{Principal: p, agency: true, SignedIn: true}, nil
	}
	if !growth.ValidID(subject) {
		return nil, growth.Errorf(growth.Unauthorized, "dashboard.identify", "log in first")
	}
	key, err := d.cfg.Store.LiveKey(r.Context(), subject)
	if err != nil {
		return nil, err
	}
	v := visitorOf(key)
	if !v.May(auth.ScopeAdmin) {
		return nil, growth.Errorf(growth.Unauthorized, "dashboard.identify", "log in first")
	}
	return v, nil
}

func visitorOf(k store.Key) *visitor {
	p := auth.Principal{KeyID: k.ID, Name: k.Name, Workspace: k.Workspace, Scopes: k.Scopes}
	return &visitor{Principal: p, agency: k.Workspace == "", SignedIn: true}
}

func chosenWorkspace(r *http.Request) string {
	if c, err := r.Cookie(workspaceCookie); err == nil {
		return c.Value
	}
	return ""
}

// enter puts the visitor into a workspace: their key's own, else the chosen one, else the first. A key of one
// workspace never sees another, whatever the cookie says.
func (d *Dashboard) enter(ctx context.Context, v *visitor, slug string) error {
	if !v.agency {
		ws, err := d.cfg.Store.In(v.Workspace).Workspace(ctx)
		v.Here = ws
		return err
	}
	all, err := d.cfg.Store.Workspaces(ctx)
	if err != nil {
		return err
	}
	if len(all) > 1 {
		v.Choices = all
	}
	for _, wanted := range []string{slug, d.cfg.Workspace} {
		for _, ws := range all {
			if ws.Slug == wanted {
				v.Here, v.Workspace = ws, ws.ID
				return nil
			}
		}
	}
	if len(all) == 0 {
		return growth.Errorf(growth.Unavailable, "dashboard.enter", "there is no workspace yet; the API makes the first one when it starts")
	}
	v.Here, v.Workspace = all[0], all[0].ID
	return nil
}

// chooseWorkspace remembers which workspace an agency's visitor wants to see.
func (d *Dashboard) chooseWorkspace(w http.ResponseWriter, r *http.Request, v *visitor) error {
	if !v.agency {
		return growth.Errorf(growth.Forbidden, "dashboard.chooseWorkspace", "this key belongs to one workspace")
	}
	slug := r.FormValue("slug")
	for _, ws := range v.Choices {
		if ws.Slug == slug {
			http.SetCookie(w, &http.Cookie{ //nolint:gosec // G124: Secure follows the request, for plain HTTP on loopback
				Name: workspaceCookie, Value: slug, Path: "/", MaxAge: 365 * 24 * 3600,
				HttpOnly: true, Secure: secure(r), SameSite: http.SameSiteStrictMode,
			})
			http.Redirect(w, r, "/", http.StatusSeeOther)
			return nil
		}
	}
	return growth.Errorf(growth.NotFound, "dashboard.chooseWorkspace", "there is no such workspace")
}

// scoped is the store as the visitor may see it.
func (d *Dashboard) scoped(v *visitor) store.Scoped { return d.cfg.Store.In(v.Here.ID) }
