package api

import (
	"context"
	"net/http"
	"regexp"

	"github.com/danielgtaylor/huma/v2"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/internal/lead"
	"github.com/zakibelm/astrogrowth/router/cache"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

func (a *api) leadTrails(h huma.API) {
	merge := op(http.MethodPost, "/v1/leads/{id}/merge", "leads", "Put a lead into another one", auth.ScopeEnqueue, 200)
	merge.Description = "The other keeps what it has and gets what it lacks, with the scores, reviews, transfers, keys and jobs of the first. A score that a person gave stays " +
		"in force, of two the newer one; else the newest automated one, and the lead is scored again, by a job of low priority. Who asks for the " +
		"first by its id gets the other from then on (`merged_into`), and erasing either erases both. It cannot be undone; asking again changes nothing."
	register(h, merge, a.mergeLead)
	history := op(http.MethodGet, "/v1/leads/{id}/history", "leads", "What happened to a lead, newest first", auth.ScopeRead, 200)
	history.Description = "Imports, changes with the old and the new value of each field, scores, merges, what people said, and to which providers data went. " +
		"It is kept for RETENTION_DAYS, and goes when the lead is erased."
	register(h, history, a.getHistory)
	lift := op(http.MethodPost, "/v1/leads/tombstones/lift", "leads", "Let an erased lead be taken in again", auth.ScopeAdmin, 200)
	lift.Description = "When the person asks for it. Name the lead by its former id, or by what it is recognised by. The reason stays in the receipt " +
		"(/v1/erasures) and should name nobody. What was erased does not come back."
	register(h, lift, a.liftTombstones)
}

type mergeInput struct {
	IDInput
	Body struct {
		Into growth.LeadID `json:"into" format:"uuid" doc:"The lead that stays"`
	}
}

func (a *api) mergeLead(ctx context.Context, in *mergeInput) (*struct{ Body store.SavedLead }, error) {
	p := who(ctx)
	saved, err := a.Store.In(p.Workspace).MergeLeads(ctx, store.Merge{From: growth.LeadID(in.ID), Into: in.Body.Into, By: p.Name},
		func(into, from growth.Lead) growth.Lead { return lead.Update(from, into) }, tasks.LeadKeys)
	if err != nil {
		return nil, err
	}
	a.refresh(ctx, saved.Lead.ID)
	// Answers about the lead that is gone serve nobody. Without Redis they stay until they end, or the lead is erased.
	_, _ = a.Cache.Forget(ctx, p.Workspace, cache.Selection{Lead: growth.LeadID(in.ID)})
	return &struct{ Body store.SavedLead }{saved}, nil
}

type historyInput struct {
	IDInput
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Cursor string `query:"cursor" maxLength:"200" doc:"next_cursor of the page before"`
}

// historyKey is the form of an entry's place: when, what, and of which row.
var historyKey = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6} [a-z]+ `)

func (a *api) getHistory(ctx context.Context, in *historyInput) (*struct{ Body List[store.LeadEntry] }, error) {
	if in.Cursor != "" && !historyKey.MatchString(in.Cursor) {
		return nil, growth.InvalidField("api.getHistory", "cursor", "use next_cursor of the page before")
	}
	sc := a.Store.In(who(ctx).Workspace)
	l, err := sc.Lead(ctx, growth.LeadID(in.ID))
	if err != nil {
		return nil, err
	}
	entries, err := sc.LeadHistory(ctx, l.Lead.ID, in.Cursor, in.Limit+1)
	return &struct{ Body List[store.LeadEntry] }{listOf(entries, in.Limit, func(e store.LeadEntry) string { return e.Key })}, err
}

type liftInput struct {
	Body struct {
		LeadID     growth.LeadID `json:"lead_id,omitempty" format:"uuid" doc:"The id that the lead had"`
		Email      string        `json:"email,omitempty" maxLength:"320"`
		ExternalID string        `json:"external_id,omitempty" maxLength:"500"`
		LinkedIn   string        `json:"linkedin_url,omitempty" maxLength:"2000"`
		Reason     string        `json:"reason" minLength:"3" maxLength:"1000" doc:"Why; name nobody" example:"The person asked to be contacted again."`
	}
}

func (a *api) liftTombstones(ctx context.Context, in *liftInput) (*struct{ Body List[store.Erasure] }, error) {
	b := in.Body
	keys := tasks.LeadKeys(growth.Lead{Email: b.Email, ExternalID: b.ExternalID, LinkedInURL: b.LinkedIn})
	if b.LeadID == "" && len(keys) == 0 {
		return nil, growth.InvalidField("api.liftTombstones", "body.email", "name the lead by lead_id, email, external_id or linkedin_url")
	}
	lifted, err := a.Store.In(who(ctx).Workspace).LiftTombstones(ctx, b.LeadID, keys, store.Lift{By: who(ctx).Name, Reason: b.Reason})
	return &struct{ Body List[store.Erasure] }{List[store.Erasure]{Data: lifted}}, err
}
