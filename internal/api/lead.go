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

func (a *api) listQualifications(ctx context.Context, in *PageOfInput) (*struct {
	Body List[growth.Qualification]
}, error,
) {
	p, err := in.page()
	if err != nil {
		return nil, err
	}
	sc := a.Store.In(who(ctx).Workspace)
	if _, err := sc.Lead(ctx, growth.LeadID(in.ID)); err != nil {
		return nil, err
	}
	kept, err := sc.Qualifications(ctx, growth.LeadID(in.ID), p)
	if err != nil {
		return nil, err
	}
	page := listOf(kept, in.Limit, func(k store.KeptQualification) string { return k.ID })
	out := List[growth.Qualification]{Data: make([]growth.Qualification, len(page.Data)), NextCursor: page.NextCursor}
	for i, k := range page.Data {
		if err := json.Unmarshal(k.Result, &out.Data[i]); err != nil {
			return nil, err
		}
	}
	return &struct {
		Body List[growth.Qualification]
	}{out}, nil
}
