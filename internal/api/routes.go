package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/router"
)

func (a *api) routes(h huma.API) {
	routes := op(http.MethodGet, "/v1/routes", "llm", "What each route's families mean now, and why", auth.ScopeRead, 200)
	routes.Description = "The order is that of a walk. The workspace's privacy class counts; breakers and rests do not: see /v1/analytics/breakers."
	register(h, routes, a.getRoutes)
	register(h, op(http.MethodGet, "/v1/walks/{id}", "llm", "One walk over a route: who was asked, who was not, and why", auth.ScopeRead, 200), a.getWalk)
}

func (a *api) getRoutes(ctx context.Context, in *PageParams) (*struct{ Body List[router.ResolvedRoute] }, error) {
	ws, err := a.Store.In(who(ctx).Workspace).Workspace(ctx)
	if err != nil {
		return nil, err
	}
	page, err := pageOf(a.Router.Resolved(ws.Settings.Privacy), *in, func(r router.ResolvedRoute) string { return string(r.Task) })
	return &struct{ Body List[router.ResolvedRoute] }{page}, err
}

// Walk is one walk over a route as its ledger rows tell it. Candidates without a key leave no row.
type Walk struct {
	ID       growth.WalkID `json:"id"`
	Answered string        `json:"answered_by" doc:"provider/model; empty: nobody"`
	Calls    []growth.Call `json:"calls"`
}

func (a *api) getWalk(ctx context.Context, in *IDInput) (*struct{ Body Walk }, error) {
	calls, err := a.Store.In(who(ctx).Workspace).CallsOfWalk(ctx, growth.WalkID(in.ID))
	if err != nil {
		return nil, err
	}
	rate, err := a.rate(ctx)
	if err != nil {
		return nil, err
	}
	w := Walk{ID: growth.WalkID(in.ID), Calls: calls}
	for i, c := range calls {
		w.Calls[i].Cost = a.money(c.Cost, rate)
		if c.Decision == growth.DecisionAnswered {
			w.Answered = c.Provider + "/" + c.Model
		}
	}
	return &struct{ Body Walk }{w}, nil
}
