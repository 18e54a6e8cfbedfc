package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/store"
)

func (a *api) alerts(h huma.API) {
	list := op(http.MethodGet, "/v1/alerts", "analytics", "What is wrong, or was: budgets, breakers, queues, accounts, unknown costs, targets", auth.ScopeRead, 200)
	list.Description = "Looked for once a minute. Each alert is the event alert.opened when it begins and alert.resolved when it has not held for five minutes."
	register(h, list, a.listAlerts)
}

type alertsInput struct {
	PageParams
	State string `query:"state" enum:"open,resolved" doc:"Default: both"`
}

func (a *api) listAlerts(ctx context.Context, in *alertsInput) (*struct{ Body List[store.Alert] }, error) {
	p, err := in.page()
	if err != nil {
		return nil, err
	}
	found, err := a.Store.In(who(ctx).Workspace).Alerts(ctx, in.State, p)
	if err != nil {
		return nil, err
	}
	return &struct{ Body List[store.Alert] }{listOf(found, in.Limit, func(x store.Alert) string { return x.ID })}, nil
}
