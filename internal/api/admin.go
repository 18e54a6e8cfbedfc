package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/tasks"
)

func (a *api) admin(h huma.API) {
	register(h, op(http.MethodGet, "/v1/me", "admin", "Test a key", auth.ScopeRead, 200), a.me)
	register(h, op(http.MethodGet, "/v1/workspace", "admin", "Read the workspace's settings", auth.ScopeRead, 200), a.getWorkspace)
	register(h, op(http.MethodPut, "/v1/workspace/settings", "admin", "Replace the workspace's settings", auth.ScopeAdmin, 200), a.putSettings)
	register(h, op(http.MethodGet, "/v1/analytics/summary", "analytics", "What the chain did and what it cost", auth.ScopeRead, 200), a.getSummary)
	register(h, op(http.MethodGet, "/v1/analytics/forecast", "analytics", "What the chain will cost", auth.ScopeRead, 200), a.getForecast)
	register(h, op(http.MethodGet, "/v1/analytics/breakers", "analytics", "The state of every circuit breaker", auth.ScopeRead, 200), a.getBreakers)
	register(h, op(http.MethodGet, "/v1/analytics/quotas", "analytics", "Free tiers: what is left, who waits, and until when", auth.ScopeRead, 200), a.getFreeTiers)
	register(h, op(http.MethodPost, "/v1/breakers/reset", "analytics", "Close a circuit breaker, or all of them", auth.ScopeAdmin, 200), a.resetBreakers)
	a.caching(h)
	a.keys(h)
	a.audit(h)
	a.workspacesOf(h)
}

// Me is who a key is.
type Me struct {
	Name      string   `json:"name" doc:"Of the key; local for the user of this machine, who needs none"`
	KeyID     string   `json:"key_id,omitempty"`
	Workspace string   `json:"workspace"`
	Scopes    []string `json:"scopes"`
	Simulated bool     `json:"simulated" doc:"Providers and LinkedIn are the built-in simulator"`
}

func (a *api) me(ctx context.Context, _ *struct{}) (*struct{ Body Me }, error) {
	w, err := a.Store.In(who(ctx).Workspace).Workspace(ctx)
	return &struct{ Body Me }{Me{Name: who(ctx).Name, KeyID: who(ctx).KeyID, Workspace: w.Slug, Scopes: who(ctx).Scopes, Simulated: a.Simulated}}, err
}

func (a *api) getWorkspace(ctx context.Context, _ *struct{}) (*struct{ Body growth.Workspace }, error) {
	w, err := a.Store.In(who(ctx).Workspace).Workspace(ctx)
	return &struct{ Body growth.Workspace }{w}, err
}

type settingsInput struct{ Body growth.WorkspaceSettings }

func (a *api) putSettings(ctx context.Context, in *settingsInput) (*struct{ Body growth.Workspace }, error) {
	if !slices.Contains([]growth.PrivacyClass{"", growth.PrivacyStandard, growth.PrivacyZeroRetention, growth.PrivacyLocalOnly}, in.Body.Privacy) {
		return nil, growth.InvalidField("api.putSettings", "body.privacy_class", "use standard, zero_retention or local_only")
	}
	sc := a.Store.In(who(ctx).Workspace)
	if _, err := tasks.RubricOf(ctx, sc, in.Body.Rubric); err != nil {
		return nil, err
	}
	if err := sc.SetSettings(ctx, in.Body); err != nil {
		return nil, err
	}
	w, err := sc.Workspace(ctx)
	return &struct{ Body growth.Workspace }{w}, err
}

// BreakerStatus is a circuit breaker as the API shows it.
type BreakerStatus struct {
	State           string     `json:"state" enum:"CLOSED,OPEN,HALF_OPEN"`
	FailureCount    int        `json:"failure_count"`
	SuccessCount    int        `json:"success_count"`
	NextAttemptTime *time.Time `json:"next_attempt_time"`
}

func (a *api) breakers() map[string]BreakerStatus {
	out := map[string]BreakerStatus{}
	for name, s := range a.Router.Breakers().Status() {
		b := BreakerStatus{State: string(s.State), FailureCount: s.Failures, SuccessCount: s.Successes}
		if !s.Until.IsZero() {
			at := s.Until.UTC()
			b.NextAttemptTime = &at
		}
		out[name] = b
	}
	return out
}

func (a *api) getBreakers(context.Context, *struct{}) (*struct{ Body map[string]BreakerStatus }, error) {
	return &struct{ Body map[string]BreakerStatus }{a.breakers()}, nil
}

type resetInput struct {
	Body struct {
		Name string `json:"name,omitempty" doc:"Default: every breaker"`
	}
}

func (a *api) resetBreakers(ctx context.Context, in *resetInput) (*struct{ Body map[string]BreakerStatus }, error) {
	if err := a.resetBreaker(ctx, in.Body.Name); err != nil {
		return nil, err
	}
	return &struct{ Body map[string]BreakerStatus }{a.breakers()}, nil
}

func (a *api) resetBreaker(ctx context.Context, name string) error {
	if name != "" && !slices.Contains(a.Router.Breakers().Names(), name) {
		return growth.Errorf(growth.NotFound, "api.resetBreaker", "there is no breaker with this name; see /v1/analytics/breakers")
	}
	return a.ResetBreaker(ctx, name)
}
