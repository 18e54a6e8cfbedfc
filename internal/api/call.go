package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/store"
)

func (a *api) calls(h huma.API) {
	list := op(http.MethodGet, "/v1/calls", "calls", "List the ledger, newest first", auth.ScopeRead, 200)
	list.Description = "One row a request to a provider, and one a candidate that was skipped. `reserved_usd` is what a budget held for it; a call whose cost is null counts at that."
	register(h, list, a.listCalls)
	settle := op(http.MethodPost, "/v1/calls/{id}/settle", "calls", "Say what a call of unknown cost has cost", auth.ScopeAdmin, 200)
	settle.Description = "For a call whose provider reported no cost, or whose process died. Its budgets count this from now on, and no longer the estimate."
	register(h, settle, a.settleCall)
}

type listCallsInput struct {
	PageParams
	Job      string `query:"job_id" doc:"Only calls made for this job"`
	Task     string `query:"task_type" enum:"qualification,content_generation,verification,analysis,simple"`
	Provider string `query:"provider"`
	Status   string `query:"status" enum:"started,ok,failed,unknown,skipped"`
	Cost     string `query:"cost" enum:"unknown" doc:"unknown: only calls whose cost nobody knows"`
}

func (a *api) listCalls(ctx context.Context, in *listCallsInput) (*struct{ Body List[growth.Call] }, error) {
	p, err := in.page()
	if err != nil {
		return nil, err
	}
	if in.Job != "" && !growth.ValidID(in.Job) {
		return nil, growth.InvalidField("api.listCalls", "job_id", "use the id of a job, a UUID")
	}
	f := store.CallFilter{
		Job: growth.JobID(in.Job), Task: growth.TaskType(in.Task), Provider: in.Provider, Status: in.Status, Unknown: in.Cost == "unknown",
	}
	cs, err := a.Store.In(who(ctx).Workspace).LedgerRows(ctx, f, p)
	if err != nil {
		return nil, err
	}
	rate, err := a.Rate(ctx)
	if err != nil {
		rate = decimal.Decimal{} // without a rate the amount is unknown, the US dollars are not
	}
	for i := range cs {
		cs[i].Cost = a.money(cs[i].Cost, rate)
	}
	return &struct{ Body List[growth.Call] }{listOf(cs, in.Limit, func(c growth.Call) string { return string(c.ID) })}, nil
}

type settleCallInput struct {
	IDInput
	Body struct {
		CostUSD Usd `json:"cost_usd" example:"0.0042" doc:"0 when it has cost nothing"`
	}
}

func (a *api) settleCall(ctx context.Context, in *settleCallInput) (*struct{ Body growth.Call }, error) {
	cost, err := in.Body.CostUSD.amount("body.cost_usd")
	if err == nil && cost.GreaterThan(decimal.NewFromInt(growth.MaxBudgetUSD)) {
		err = growth.InvalidField("api.settleCall", "body.cost_usd", "no call costs more than %d US dollars", growth.MaxBudgetUSD)
	}
	if err != nil {
		return nil, err
	}
	c, err := a.Store.In(who(ctx).Workspace).SettleCall(ctx, growth.CallID(in.ID), growth.USD(cost, growth.CostSettled), who(ctx).Name)
	if err != nil {
		return nil, err
	}
	rate, err := a.Rate(ctx)
	if err != nil {
		rate = decimal.Decimal{}
	}
	c.Cost = a.money(c.Cost, rate)
	return &struct{ Body growth.Call }{c}, nil
}
