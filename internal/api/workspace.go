package api

import (
	"context"
	"net/http"
	"net/url"
	"regexp"

	"github.com/danielgtaylor/huma/v2"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
)

func (a *api) workspacesOf(h huma.API) {
	list := op(http.MethodGet, "/v1/workspaces", "admin", "List the workspaces that the key may work in", auth.ScopeRead, 200)
	list.Description = "A key of one workspace sees its own; an agency's key sees all, and picks one with `X-Workspace`."
	register(h, list, a.listWorkspaces)
	make1 := op(http.MethodPost, "/v1/workspaces", "admin", "Make a workspace, or find it by its slug", auth.ScopeAdmin, 200)
	make1.Description = "For keys of the agency."
	register(h, make1, a.postWorkspace)
	reset := op(http.MethodPost, "/v1/breakers/{name}/reset", "analytics", "Close one circuit breaker", auth.ScopeAdmin, 200)
	reset.Description = "The name as /v1/analytics/breakers gives it, with its slashes escaped: `openrouter%2Fopenai%2Fgpt-4o-mini`."
	register(h, reset, a.resetNamedBreaker)
}

func (a *api) listWorkspaces(ctx context.Context, in *PageParams) (*struct {
	Body List[growth.Workspace]
}, error,
) {
	all, err := a.reachable(ctx)
	if err != nil {
		return nil, err
	}
	page, err := pageOf(all, *in, func(w growth.Workspace) string { return w.Slug })
	return &struct {
		Body List[growth.Workspace]
	}{page}, err
}

// reachable are the workspaces that the caller may work in, by their slugs.
func (a *api) reachable(ctx context.Context) ([]growth.Workspace, error) {
	if who(ctx).Agency {
		return a.Store.Workspaces(ctx)
	}
	own, err := a.Store.In(who(ctx).Workspace).Workspace(ctx)
	return []growth.Workspace{own}, err
}

type workspaceInput struct {
	Body struct {
		Slug string `json:"slug" minLength:"1" maxLength:"60" doc:"Small letters, digits and hyphens; what X-Workspace takes" example:"chez-a"`
		Name string `json:"name" minLength:"1" maxLength:"200" example:"Chez A"`
	}
}

var slugForm = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func (a *api) postWorkspace(ctx context.Context, in *workspaceInput) (*struct{ Body growth.Workspace }, error) {
	if !who(ctx).Agency {
		return nil, growth.Errorf(growth.Forbidden, "api.postWorkspace", "this call needs a key of the agency; a workspace's own key cannot make another workspace")
	}
	if !slugForm.MatchString(in.Body.Slug) {
		return nil, growth.InvalidField("api.postWorkspace", "body.slug", "use small letters and digits, with single hyphens between, as chez-a")
	}
	w, err := a.Store.EnsureWorkspace(ctx, in.Body.Slug, in.Body.Name)
	return &struct{ Body growth.Workspace }{w}, err
}

type breakerInput struct {
	Name string `path:"name" maxLength:"300" example:"openrouter"`
}

func (a *api) resetNamedBreaker(ctx context.Context, in *breakerInput) (*struct{ Body map[string]BreakerStatus }, error) {
	name, err := url.PathUnescape(in.Name)
	if err != nil || name == "" {
		name = in.Name
	}
	if err := a.resetBreaker(ctx, name); err != nil {
		return nil, err
	}
	return &struct{ Body map[string]BreakerStatus }{a.breakers()}, nil
}
