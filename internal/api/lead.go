package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/store"
)

func (a *api) leads(h huma.API) {
	register(h, op(http.MethodGet, "/v1/leads", "leads", "List leads, newest first", auth.ScopeRead, 200), a.listLeads)
	register(h, op(http.MethodGet, "/v1/leads/{id}", "leads", "Read a lead", auth.ScopeRead, 200), a.getLead)
	register(h, op(http.MethodGet, "/v1/leads/{id}/qualifications", "leads", "The scores of a lead, newest first", auth.ScopeRead, 200), a.listQualifications)
	register(h, op(http.MethodPost, "/v1/campaigns", "leads", "Make a campaign, or find it by its name", auth.ScopeEnqueue, 200), a.postCampaign)
	register(h, op(http.MethodGet, "/v1/campaigns/{id}/progress", "leads", "How far a campaign's jobs are", auth.ScopeRead, 200), a.getProgress)
	register(h, op(http.MethodGet, "/v1/campaigns", "leads", "List campaigns, newest first", auth.ScopeRead, 200), a.listCampaigns)
}

type listLeadsInput struct {
	PageParams
	LeadFilters
}

func (a *api) listLeads(ctx context.Context, in *listLeadsInput) (*struct{ Body List[store.SavedLead] }, error) {
	p, err := in.page()
	if err != nil {
		return nil, err
	}
	f, err := in.filter()
	if err != nil {
		return nil, err
	}
	leads, err := a.Store.In(who(ctx).Workspace).Leads(ctx, f, p)
	if err != nil {
		return nil, err
	}
	return &struct{ Body List[store.SavedLead] }{listOf(leads, in.Limit, func(l store.SavedLead) string { return string(l.Lead.ID) })}, nil
}

func (a *api) getLead(ctx context.Context, in *IDInput) (*struct{ Body store.SavedLead }, error) {
	l, err := a.Store.In(who(ctx).Workspace).Lead(ctx, growth.LeadID(in.ID))
	return &struct{ Body store.SavedLead }{l}, err
}

func (a *api) listQualifications(ctx context.Context, in *IDInput) (*struct {
	Body List[growth.Qualification]
}, error,
) {
	sc := a.Store.In(who(ctx).Workspace)
	if _, err := sc.Lead(ctx, growth.LeadID(in.ID)); err != nil {
		return nil, err
	}
	raws, err := sc.Qualifications(ctx, growth.LeadID(in.ID))
	if err != nil {
		return nil, err
	}
	out := make([]growth.Qualification, len(raws))
	for i, raw := range raws {
		if err := json.Unmarshal(raw, &out[i]); err != nil {
			return nil, err
		}
	}
	return &struct {
		Body List[growth.Qualification]
	}{List[growth.Qualification]{Data: out}}, nil
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
