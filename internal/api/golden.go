package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/internal/lead"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

func (a *api) goldenSets(h huma.API) {
	add := op(http.MethodPost, "/v1/golden-sets", "rubrics", "Make a golden set: leads with what people found in them", auth.ScopeAdmin, 201)
	add.Description = "At most 200 leads. Personal data that the rubric does not show is taken out before anything is stored; erasing a lead takes it out of golden sets too."
	register(h, add, a.postGoldenSet)
	register(h, op(http.MethodGet, "/v1/golden-sets", "rubrics", "List the golden sets, newest first", auth.ScopeRead, 200), a.listGoldenSets)
	register(h, op(http.MethodGet, "/v1/golden-sets/{id}", "rubrics", "Read a golden set with its leads", auth.ScopeRead, 200), a.getGoldenSet)
	register(h, op(http.MethodDelete, "/v1/golden-sets/{id}", "rubrics", "Delete a golden set", auth.ScopeAdmin, 204), a.deleteGoldenSet)
	run := op(http.MethodPost, "/v1/golden-sets/{id}/runs", "rubrics", "Ask how far models agree with a golden set, and with each other", auth.ScopeEnqueue, 202)
	run.Description = "A job: one call for each model and lead, under the workspace's budgets and privacy class. Its result has, for each model and each pair of " +
		"models, how many levels, grades and scores are equal, Cohen's kappa, the mean absolute difference of the scores, and what it cost; " +
		"calls of unknown cost are counted beside it. A model that no route and no list of models or prices has is refused."
	register(h, run, a.runGoldenSet)
}

type goldenInput struct {
	Body struct {
		Name     string             `json:"name" minLength:"1" maxLength:"200"`
		Rubric   string             `json:"rubric,omitempty" doc:"name or name@version; the set keeps the version. Default: the workspace's"`
		Language string             `json:"language,omitempty" enum:"fr-CA,en-CA,fr,en"`
		Leads    []store.GoldenLead `json:"leads" minItems:"1" maxItems:"200"`
	}
}

// GoldenDetail is a golden set with its leads.
type GoldenDetail struct {
	store.GoldenSet
	Data []store.GoldenLead `json:"data"`
}

func (a *api) postGoldenSet(ctx context.Context, in *goldenInput) (*struct{ Body store.GoldenSet }, error) {
	sc := a.Store.In(who(ctx).Workspace)
	ref := in.Body.Rubric
	if ref == "" {
		ws, err := sc.Workspace(ctx)
		if err != nil {
			return nil, err
		}
		ref = ws.Settings.Rubric
	}
	r, err := tasks.RubricOf(ctx, sc, ref)
	if err != nil {
		return nil, err
	}
	leads := in.Body.Leads
	for i := range leads {
		if err := checkGolden(r, leads[i], fmt.Sprintf("body.leads[%d]", i)); err != nil {
			return nil, err
		}
		leads[i].Keys = tasks.LeadKeys(leads[i].Lead)
		leads[i].Lead = lead.Anonymous(r, leads[i].Lead)
	}
	set, err := sc.AddGoldenSet(ctx, store.GoldenSet{Name: in.Body.Name, Rubric: r.ID(), Language: in.Body.Language, CreatedBy: who(ctx).Name}, leads)
	return &struct{ Body store.GoldenSet }{set}, err
}

// checkGolden names the lead and the criterion at fault.
func checkGolden(r lead.Rubric, g store.GoldenLead, at string) error {
	const op = "api.checkGolden"
	if err := lead.Validate(g.Lead); err != nil {
		return growth.InvalidField(op, at+".lead", "%s", problemOf(err).Message)
	}
	if len(g.Expected.Levels) == 0 && g.Expected.Score == nil && g.Expected.Grade == "" {
		return growth.InvalidField(op, at+".expected", "say what people found: levels, score or grade")
	}
	for criterion, level := range g.Expected.Levels {
		if why := r.Knows(criterion, level); why != "" {
			return growth.InvalidField(op, at+".expected.levels."+criterion, "%s", why)
		}
	}
	return nil
}

func (a *api) listGoldenSets(ctx context.Context, in *PageParams) (*struct{ Body List[store.GoldenSet] }, error) {
	p, err := in.page()
	if err != nil {
		return nil, err
	}
	sets, err := a.Store.In(who(ctx).Workspace).GoldenSets(ctx, p)
	return &struct{ Body List[store.GoldenSet] }{listOf(sets, in.Limit, func(s store.GoldenSet) string { return s.ID })}, err
}

func (a *api) getGoldenSet(ctx context.Context, in *IDInput) (*struct{ Body GoldenDetail }, error) {
	set, leads, err := a.Store.In(who(ctx).Workspace).GoldenSet(ctx, in.ID)
	return &struct{ Body GoldenDetail }{GoldenDetail{set, leads}}, err
}

func (a *api) deleteGoldenSet(ctx context.Context, in *IDInput) (*struct{}, error) {
	return nil, a.Store.In(who(ctx).Workspace).DeleteGoldenSet(ctx, in.ID)
}

type goldenRunInput struct {
	IDInput
	KeyHeader
	Body struct {
		Candidates []tasks.Reader `json:"candidates" minItems:"1" maxItems:"8"`
	}
}

// goldenTime is how long one attempt of a run may take, in seconds; the next goes on where it stopped.
const goldenTime = 3600

func (a *api) runGoldenSet(ctx context.Context, in *goldenRunInput) (*acceptedOutput, error) {
	if _, _, err := a.Store.In(who(ctx).Workspace).GoldenSet(ctx, in.ID); err != nil {
		return nil, err
	}
	for i, c := range in.Body.Candidates {
		if says := a.Router.Unknown(c.Provider, c.Model); says != "" {
			return nil, growth.InvalidField("api.runGoldenSet", fmt.Sprintf("body.candidates[%d]", i), "%s", says)
		}
	}
	args := tasks.AgreementArgs{Set: in.ID, Readers: in.Body.Candidates}
	return a.acceptOne(ctx, item{args: args, options: growth.JobOptions{TimeoutS: goldenTime, Priority: growth.PriorityLow}}, args.Validate(), in.Key)
}
