package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/store"
)

func (a *api) campaigns(h huma.API) {
	register(h, op(http.MethodPost, "/v1/campaigns", "leads", "Make a campaign, or find it by its name", auth.ScopeEnqueue, 200), a.postCampaign)
	register(h, op(http.MethodGet, "/v1/campaigns", "leads", "List campaigns, newest first", auth.ScopeRead, 200), a.listCampaigns)
	register(h, op(http.MethodGet, "/v1/campaigns/{id}", "leads", "Read a campaign with what stands in it", auth.ScopeRead, 200), a.getCampaign)
	patch := op(http.MethodPatch, "/v1/campaigns/{id}", "leads", "Change a campaign: its name, its status, the budget that holds for it", auth.ScopeEnqueue, 200)
	patch.Description = "What is left out stays. A closed campaign takes no more jobs. The event `campaign.completed` comes once: when all jobs of a closed " +
		"campaign have ended, or of an open one that was quiet for 30 seconds with no import on its way. Opening it again lets it come once more. " +
		"`budget_id` makes a budget of the workspace hold for this campaign alone, and takes the scope `admin`."
	register(h, patch, a.patchCampaign)
	register(h, op(http.MethodPost, "/v1/campaigns/{id}/close", "leads", "Close a campaign: it takes no more jobs", auth.ScopeEnqueue, 200), a.closeCampaign)
	register(h, op(http.MethodGet, "/v1/campaigns/{id}/progress", "leads", "How far a campaign's jobs are", auth.ScopeRead, 200), a.getProgress)
}

type campaignInput struct {
	Body struct {
		Name string `json:"name" minLength:"1" maxLength:"200"`
	}
}

func (a *api) postCampaign(ctx context.Context, in *campaignInput) (*struct{ Body store.Campaign }, error) {
	c, err := a.Store.In(who(ctx).Workspace).EnsureCampaign(ctx, in.Body.Name)
	return &struct{ Body store.Campaign }{c}, err
}

func (a *api) listCampaigns(ctx context.Context, in *PageParams) (*struct{ Body List[store.Campaign] }, error) {
	p, err := in.page()
	if err != nil {
		return nil, err
	}
	cs, err := a.Store.In(who(ctx).Workspace).Campaigns(ctx, p)
	return &struct{ Body List[store.Campaign] }{listOf(cs, in.Limit, func(c store.Campaign) string { return string(c.ID) })}, err
}

// Progress is how far a campaign's jobs are.
type Progress struct {
	Total        int                     `json:"total"`
	ByState      map[growth.JobState]int `json:"by_state"`
	ByPriority   map[string]int          `json:"by_priority" doc:"Its leads; those without a score are under unscored"`
	Disqualified int                     `json:"disqualified"`
	Cost         growth.Money            `json:"cost" doc:"Without the calls whose cost is unknown"`
	UnknownCosts int                     `json:"unknown_costs"`
}

func (a *api) getProgress(ctx context.Context, in *IDInput) (*struct{ Body Progress }, error) {
	p, err := a.Store.In(who(ctx).Workspace).CampaignProgress(ctx, growth.CampaignID(in.ID))
	if err != nil {
		return nil, err
	}
	rate, err := a.rate(ctx)
	if err != nil {
		return nil, err
	}
	return &struct{ Body Progress }{Progress{
		Total: p.Total, ByState: p.ByState, ByPriority: p.ByPriority, Disqualified: p.Disqualified,
		Cost: a.money(growth.USD(p.CostUSD, growth.CostReported), rate), UnknownCosts: p.Unknown,
	}}, nil
}

// CampaignDetail is a campaign with what stands in it.
type CampaignDetail struct {
	store.Campaign
	Jobs         map[growth.JobType]map[growth.JobState]int `json:"jobs" doc:"By type and state"`
	Leads        map[string]int                             `json:"leads" doc:"By priority; those without a score are under unscored"`
	Contents     map[growth.ContentStatus]int               `json:"contents" doc:"By status"`
	Published    int                                        `json:"published" doc:"Posts that are on LinkedIn"`
	Calls        int                                        `json:"calls" doc:"Requests to providers that its jobs made"`
	Cost         growth.Money                               `json:"cost" doc:"Without the calls whose cost is unknown"`
	UnknownCosts int                                        `json:"unknown_costs"`
	Budgets      []store.CampaignBudget                     `json:"budgets" doc:"That hold for this campaign alone; see /v1/budgets"`
}

type campaignOutput struct{ Body CampaignDetail }

func (a *api) getCampaign(ctx context.Context, in *IDInput) (*campaignOutput, error) {
	return a.campaign(ctx, growth.CampaignID(in.ID))
}

func (a *api) campaign(ctx context.Context, id growth.CampaignID) (*campaignOutput, error) {
	sc := a.Store.In(who(ctx).Workspace)
	c, err := sc.Campaign(ctx, id)
	if err != nil {
		return nil, err
	}
	n, err := sc.CountCampaign(ctx, id)
	if err != nil {
		return nil, err
	}
	rate, err := a.rate(ctx)
	if err != nil {
		return nil, err
	}
	cost := growth.USD(n.CostUSD, growth.CostReported)
	if n.Unknown > 0 && n.Unknown >= n.Calls {
		cost = growth.UnknownMoney("USD")
	}
	return &campaignOutput{CampaignDetail{
		Campaign: c, Jobs: n.Jobs, Leads: n.Leads, Contents: n.Contents, Published: n.Published, Calls: n.Calls,
		Cost: a.money(cost, rate), UnknownCosts: n.Unknown, Budgets: n.Budgets,
	}}, nil
}

type patchCampaignInput struct {
	IDInput
	Body struct {
		Name   *string          `json:"name,omitempty" minLength:"1" maxLength:"200"`
		Status *string          `json:"status,omitempty" enum:"open,closed"`
		Budget *growth.BudgetID `json:"budget_id,omitempty" format:"uuid" doc:"A budget of /v1/budgets that holds for this campaign alone from now on"`
	}
}

func (a *api) patchCampaign(ctx context.Context, in *patchCampaignInput) (*campaignOutput, error) {
	if in.Body.Budget != nil && !who(ctx).May(auth.ScopeAdmin) {
		return nil, growth.Errorf(growth.Forbidden, "api.patchCampaign", "binding a budget needs a key with the scope \"admin\"")
	}
	if in.Body.Budget != nil {
		if err := noteAction(ctx); err != nil {
			return nil, err
		}
	}
	return a.changeCampaign(ctx, in.ID, store.CampaignChange{Name: in.Body.Name, Status: in.Body.Status, Budget: in.Body.Budget})
}

func (a *api) closeCampaign(ctx context.Context, in *IDInput) (*campaignOutput, error) {
	closed := store.CampaignClosed
	return a.changeCampaign(ctx, in.ID, store.CampaignChange{Status: &closed})
}

func (a *api) changeCampaign(ctx context.Context, id string, c store.CampaignChange) (*campaignOutput, error) {
	if _, err := a.Store.In(who(ctx).Workspace).ChangeCampaign(ctx, growth.CampaignID(id), c); err != nil {
		return nil, err
	}
	if c.Budget != nil {
		a.budgetsChanged(ctx)
	}
	return a.campaign(ctx, growth.CampaignID(id))
}
