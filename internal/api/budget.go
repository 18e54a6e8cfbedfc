package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/analytics"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/store"
)

func (a *api) budgets(h huma.API) {
	register(h, op(http.MethodGet, "/v1/budgets", "budgets", "List budgets and where they stand", auth.ScopeRead, 200), a.listBudgets)
	register(h, op(http.MethodGet, "/v1/budgets/{id}", "budgets", "Read a budget and where it stands", auth.ScopeRead, 200), a.getBudget)
	post := op(http.MethodPost, "/v1/budgets", "budgets", "Make a budget", auth.ScopeAdmin, 201)
	post.Description = "A hard limit on what calls may cost in a day or a month (UTC). It covers the calls of the workspace that agree with every one of `campaign_id`, `task_type` and `key_id` that is given. " +
		"At the limit: `free_only` leaves the free candidates, `wait` lets jobs wait until the window ends, `stop` fails them; direct calls are answered 402. What was spent in the present window counts from the start."
	register(h, post, a.postBudget)
	register(h, op(http.MethodPatch, "/v1/budgets/{id}", "budgets", "Change a budget's name, limit or policy", auth.ScopeAdmin, 200), a.patchBudget)
	register(h, op(http.MethodDelete, "/v1/budgets/{id}", "budgets", "Delete a budget", auth.ScopeAdmin, 204), a.deleteBudget)
}

type budgetOutput struct{ Body analytics.BudgetView }

// Usd is an amount of US dollars as a decimal string. (Exported because the framework looks into exported fields only.)
type Usd string

func (u Usd) amount(field string) (decimal.Decimal, error) {
	// The length and the exponent first: 1e999999999 is a short text of a number that no machine can write out.
	d, err := decimal.NewFromString(string(u))
	if err != nil || len(u) > 40 || d.Exponent() < -12 || d.Exponent() > 9 || d.IsNegative() {
		return d, growth.InvalidField("api.amount", field, "write US dollars as a decimal string of at most 12 places, as \"50.00\"")
	}
	return d, nil
}

// limit reads the limit of a budget.
func (u Usd) limit() (decimal.Decimal, error) {
	d, err := u.amount("body.limit_usd")
	if err == nil && d.GreaterThan(decimal.NewFromInt(growth.MaxBudgetUSD)) {
		err = growth.InvalidField("api.limit", "body.limit_usd", "a limit is at most %d US dollars", growth.MaxBudgetUSD)
	}
	return d, err
}

func (a *api) listBudgets(ctx context.Context, in *PageParams) (*struct {
	Body List[analytics.BudgetView]
}, error,
) {
	all, err := a.desk().Budgets(ctx, who(ctx).Workspace, "")
	if err != nil {
		return nil, err
	}
	page, err := pageOf(all, *in, func(b analytics.BudgetView) string { return string(b.ID) })
	return &struct {
		Body List[analytics.BudgetView]
	}{page}, err
}

func (a *api) getBudget(ctx context.Context, in *IDInput) (*budgetOutput, error) {
	return a.budget(ctx, growth.BudgetID(in.ID))
}

func (a *api) budget(ctx context.Context, id growth.BudgetID) (*budgetOutput, error) {
	bs, err := a.desk().Budgets(ctx, who(ctx).Workspace, id)
	if err != nil {
		return nil, err
	}
	if len(bs) == 0 {
		return nil, growth.Errorf(growth.NotFound, "api.budget", "there is no such budget in this workspace")
	}
	return &budgetOutput{bs[0]}, nil
}

type newBudgetInput struct {
	Body struct {
		Name     string              `json:"name" minLength:"1" maxLength:"100"`
		Period   growth.BudgetPeriod `json:"period" enum:"day,month"`
		LimitUSD Usd                 `json:"limit_usd" example:"50.00"`
		Policy   growth.BudgetPolicy `json:"policy,omitempty" enum:"free_only,wait,stop" doc:"Default: stop"`
		Campaign growth.CampaignID   `json:"campaign_id,omitempty" format:"uuid" doc:"Only calls for jobs of this campaign"`
		Task     growth.TaskType     `json:"task_type,omitempty" enum:"qualification,content_generation,verification,analysis,simple" doc:"Only calls of this task type"`
		Key      string              `json:"key_id,omitempty" format:"uuid" doc:"Only calls, and calls for jobs, that this API key asked for"`
	}
}

func (a *api) postBudget(ctx context.Context, in *newBudgetInput) (*budgetOutput, error) {
	limit, err := in.Body.LimitUSD.limit()
	if err != nil {
		return nil, err
	}
	b := growth.Budget{
		Name: in.Body.Name, Period: in.Body.Period, LimitUSD: limit, Policy: in.Body.Policy, Campaign: in.Body.Campaign,
		Task: in.Body.Task, Key: in.Body.Key,
	}
	if b.Policy == "" {
		b.Policy = growth.BudgetStop
	}
	b, err = a.Store.In(who(ctx).Workspace).AddBudget(ctx, b)
	if err != nil {
		return nil, err
	}
	a.budgetsChanged(ctx)
	return a.budget(ctx, b.ID)
}

type budgetChangeInput struct {
	IDInput
	Body struct {
		Name     *string              `json:"name,omitempty" minLength:"1" maxLength:"100"`
		LimitUSD *Usd                 `json:"limit_usd,omitempty"`
		Policy   *growth.BudgetPolicy `json:"policy,omitempty" enum:"free_only,wait,stop"`
	}
}

func (a *api) patchBudget(ctx context.Context, in *budgetChangeInput) (*budgetOutput, error) {
	change := store.BudgetChange{Name: in.Body.Name, Policy: in.Body.Policy}
	if in.Body.LimitUSD != nil {
		limit, err := in.Body.LimitUSD.limit()
		if err != nil {
			return nil, err
		}
		change.LimitUSD = &limit
	}
	if _, err := a.Store.In(who(ctx).Workspace).ChangeBudget(ctx, growth.BudgetID(in.ID), change); err != nil {
		return nil, err
	}
	a.budgetsChanged(ctx)
	return a.budget(ctx, growth.BudgetID(in.ID))
}

func (a *api) deleteBudget(ctx context.Context, in *IDInput) (*struct{}, error) {
	if err := a.Store.In(who(ctx).Workspace).DeleteBudget(ctx, growth.BudgetID(in.ID)); err != nil {
		return nil, err
	}
	a.budgetsChanged(ctx)
	return nil, nil
}

// budgetsChanged tells every process, and the relay, whose jobs may have become due. The change is committed: who does
// not hear of it finds out by itself within seconds.
func (a *api) budgetsChanged(ctx context.Context) {
	if a.Budgets != nil {
		if err := a.Budgets(ctx, who(ctx).Workspace); err != nil {
			zerolog.Ctx(ctx).Warn().Err(err).Msg("other processes were not told of the change of budgets")
		}
	}
	a.Queue.Wake()
}
