package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/internal/daemon"
	"github.com/zakibelm/astrogrowth/internal/lead"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

func (a *api) reviews(h huma.API) {
	explain := op(http.MethodGet, "/v1/leads/{id}/explanation", "leads", "Explain a lead's score, in French and English", auth.ScopeRead, 200)
	explain.Description = "What a person may ask for whom an automated score is about: the notice, the data used, the main factors, the reviewer, to which providers data went, and all that was said about the score."
	register(h, explain, a.getExplanation)
	contest := op(http.MethodPost, "/v1/leads/{id}/contest", "leads", "Keep the observations of somebody who contests a score", auth.ScopeEnqueue, 201)
	contest.Description = "Answers with the packet for the reviewer: the observations and the explanation. The score stays until a person answers with `/override`."
	register(h, contest, a.postContest)
	override := op(http.MethodPost, "/v1/leads/{id}/override", "leads", "Answer for a score: change it, uphold it, or take a change back", auth.ScopeApprove, 200)
	override.Description = "`set`: the given score is in force, whatever is scored automatically later, and with it grade, priority and next action, given or derived from the score. What contradicts itself is refused: a grade that cannot have the score, a priority of the other end, a call to a lead without a phone number. `uphold`: the score stays as it is. `lift`: the newest automated score is in force again. Each needs its reason, and answers every contest so far."
	register(h, override, a.postOverride)
	register(h, op(http.MethodGet, "/v1/contests", "leads", "List the contested scores that no person has answered, newest first", auth.ScopeRead, 200), a.listContests)
	rescore := op(http.MethodPost, "/v1/leads/rescore", "leads", "Score leads again whose score would rest on something else now", auth.ScopeEnqueue, 200)
	rescore.Description = "After a change of rubric, ideal customer profile or language. Looks at up to `limit` leads, newest first, and makes a job for each that its present score does not answer for; go on with `next_cursor`."
	register(h, rescore, a.postRescore)
}

// Explained is a lead's score with everything that accounts for it.
type Explained struct {
	LeadID       growth.LeadID               `json:"lead_id"`
	Score        *int                        `json:"score" doc:"In force"`
	Grade        string                      `json:"grade" doc:"In force"`
	Priority     string                      `json:"priority" doc:"In force"`
	NextAction   string                      `json:"next_action" doc:"In force"`
	DecidedBy    string                      `json:"decided_by" enum:"automated,person"`
	Automated    growth.Qualification        `json:"automated" doc:"The newest score that no person made"`
	AutomatedAt  time.Time                   `json:"automated_at"`
	Stale        bool                        `json:"stale" doc:"What the automated score rests on has changed since it was made: the lead, the rubric, the profile or the language"`
	Explanations map[string]lead.Explanation `json:"explanations" doc:"By language: fr and en"`
	Transfers    []store.Transfer            `json:"transfers" doc:"To which providers which of the lead's fields went"`
	Reviews      []store.Review              `json:"reviews" doc:"Observations and human answers, newest first"`
}

func (a *api) getExplanation(ctx context.Context, in *IDInput) (*struct{ Body Explained }, error) {
	e, err := a.explained(ctx, growth.LeadID(in.ID))
	return &struct{ Body Explained }{e}, err
}

func (a *api) explained(ctx context.Context, id growth.LeadID) (Explained, error) {
	sc := a.Store.In(who(ctx).Workspace)
	l, err := sc.Lead(ctx, id)
	if err != nil {
		return Explained{}, err
	}
	q, at, ok, err := sc.NewestQualification(ctx, id)
	if err != nil {
		return Explained{}, err
	}
	if !ok {
		return Explained{}, growth.Errorf(growth.Conflict, "api.explained", "this lead has no score yet; there is nothing to explain")
	}
	ws, err := sc.Workspace(ctx)
	if err != nil {
		return Explained{}, err
	}
	transfers, err := sc.TransfersOfLead(ctx, id)
	if err != nil {
		return Explained{}, err
	}
	reviews, err := sc.Reviews(ctx, id)
	if err != nil {
		return Explained{}, err
	}
	stale, err := tasks.Stale(ctx, sc, l, ws.Settings)
	if err != nil {
		return Explained{}, err
	}
	rubric, err := tasks.RubricOf(ctx, sc, q.Rubric)
	if growth.CodeOf(err) == growth.Invalid { // it is there no more
		name, version, _ := strings.Cut(q.Rubric, "@")
		rubric, err = lead.Rubric{Name: name, Version: version}, nil
	}
	if err != nil {
		return Explained{}, err
	}
	out := Explained{
		LeadID: id, Score: l.Score, Grade: l.Grade, Priority: l.Priority, NextAction: l.NextAction, DecidedBy: decidedBy(l), Automated: q, AutomatedAt: at, Stale: stale,
		Explanations: map[string]lead.Explanation{}, Transfers: transfers, Reviews: reviews,
	}
	for _, language := range []string{"fr", "en"} {
		e := lead.Explain(rubric, l.Lead, q, ws.Settings.Reviewer, language)
		e.Notice += alsoSaid(out, language)
		out.Explanations[language] = e
	}
	return out, nil
}

// alsoSaid follows the notice about the automated score where that alone would not be the whole truth.
func alsoSaid(e Explained, language string) string {
	said := ""
	if e.Stale {
		said += staleNotice[language]
	}
	if e.Automated.ScoredBy == growth.ScoredByRules && len(e.Transfers) > 0 {
		said += askedNotice[language]
	}
	if e.DecidedBy == "person" && e.Score != nil {
		said += fmt.Sprintf(personNotice[language], *e.Score, e.Grade, lead.PriorityIn(e.Priority, language), lead.ActionIn(e.NextAction, language))
	}
	return said
}

// personNotice follows the notice about a score that a person has answered.
var personNotice = map[string]string{
	"fr": " Une personne a revu cette note depuis\u00a0: la note en vigueur est %d, cote %s, priorité %s, prochaine étape\u00a0: %s, avec le motif qu'elle a donné.",
	"en": " A person has reviewed this score since: the score in force is %d, grade %s, priority %s, next step: %s, for the reason that they gave.",
}

// decidedBy says whose score is in force.
func decidedBy(l store.SavedLead) string {
	if l.Overridden {
		return "person"
	}
	return "automated"
}

// askedNotice follows the notice about a score of the rules where models were shown the lead at some time.
var askedNotice = map[string]string{
	"fr": " Des modèles de langage ont pourtant reçu des renseignements sur cette entreprise\u00a0: la liste des envois dit lesquels, et quand.",
	"en": " Language models were shown data of this lead all the same: the list of transfers says which, and when.",
}

// staleNotice follows the notice about a score that the lead has outlived.
var staleNotice = map[string]string{
	"fr": " Ce sur quoi elle repose (les renseignements, la grille ou le profil recherché) a changé depuis\u00a0: les passages cités peuvent ne plus s'y trouver.",
	"en": " What it rests on (the data, the rubric or the profile looked for) has changed since: quoted passages may stand there no more.",
}

type contestInput struct {
	IDInput
	Body struct {
		Observations string `json:"observations" minLength:"1" maxLength:"8000" doc:"What the person says against the score, in their own words"`
		By           string `json:"by,omitempty" maxLength:"200" doc:"Who says so; default: the API key's name"`
	}
}

// Packet is what a reviewer needs to answer somebody who contests a score.
type Packet struct {
	Contest store.Review `json:"contest"`
	Explained
}

func (a *api) postContest(ctx context.Context, in *contestInput) (*struct{ Body Packet }, error) {
	by := in.Body.By
	if by == "" {
		by = who(ctx).Name
	}
	r, err := a.Store.In(who(ctx).Workspace).AddReview(ctx, store.Review{
		LeadID: growth.LeadID(in.ID), Kind: store.ReviewContest, Message: in.Body.Observations, By: by,
	})
	if err != nil {
		return nil, err
	}
	e, err := a.explained(ctx, r.LeadID)
	return &struct{ Body Packet }{Packet{Contest: r, Explained: e}}, err
}

type overrideInput struct {
	IDInput
	Body struct {
		Action   string `json:"action,omitempty" enum:"set,uphold,lift" default:"set"`
		Score    *int   `json:"score,omitempty" minimum:"0" maximum:"100" doc:"With set"`
		Priority string `json:"priority,omitempty" enum:"high,medium,low" doc:"With set; default: by the thresholds of the workspace's rubric"`
		Grade    string `json:"grade,omitempty" pattern:"^[ABC][123]$" doc:"With set; default: that of a fit and an intent as high as the score"`
		Next     string `json:"next_action,omitempty" enum:"call,email,nurture,research,disqualify,review" doc:"With set; default: the first that the priority allows and the lead can be reached by"`
		Reason   string `json:"reason" minLength:"1" maxLength:"4000"`
	}
}

func (a *api) postOverride(ctx context.Context, in *overrideInput) (*struct{ Body Explained }, error) {
	r := store.Review{LeadID: growth.LeadID(in.ID), Message: in.Body.Reason, By: who(ctx).Name}
	switch in.Body.Action {
	case "uphold":
		r.Kind = store.ReviewUpheld
	case "lift":
		r.Kind = store.ReviewLifted
	default:
		r.Kind, r.Score = store.ReviewOverride, in.Body.Score
	}
	if err := a.checkOverride(ctx, in, &r); err != nil {
		return nil, err
	}
	if _, err := a.Store.In(who(ctx).Workspace).AddReview(ctx, r); err != nil {
		return nil, err
	}
	e, err := a.explained(ctx, r.LeadID)
	return &struct{ Body Explained }{e}, err
}

// checkOverride fills in what goes with the score.
func (a *api) checkOverride(ctx context.Context, in *overrideInput, r *store.Review) error {
	const op = "api.override"
	if r.Kind != store.ReviewOverride {
		if in.Body.Score != nil || in.Body.Priority+in.Body.Grade+in.Body.Next != "" {
			return growth.InvalidField(op, "body.score", "score, grade, priority and next_action go with the action set only")
		}
		return nil
	}
	if r.Score == nil {
		return growth.InvalidField(op, "body.score", "give the score that shall be in force, 0 to 100")
	}
	sc := a.Store.In(who(ctx).Workspace)
	l, err := sc.Lead(ctx, r.LeadID)
	if err != nil {
		return err
	}
	ws, err := sc.Workspace(ctx)
	if err != nil {
		return err
	}
	rubric, err := tasks.RubricOf(ctx, sc, ws.Settings.Rubric)
	if err != nil {
		return err
	}
	v, err := rubric.Judge(l.Lead, *r.Score, lead.Verdict{Grade: in.Body.Grade, Priority: in.Body.Priority, NextAction: in.Body.Next}, time.Now())
	r.Grade, r.Priority, r.NextAction = v.Grade, v.Priority, v.NextAction
	return err
}

func (a *api) listContests(ctx context.Context, in *PageParams) (*struct{ Body List[store.Review] }, error) {
	p, err := in.page()
	if err != nil {
		return nil, err
	}
	rs, err := a.Store.In(who(ctx).Workspace).OpenContests(ctx, p)
	return &struct{ Body List[store.Review] }{listOf(rs, in.Limit, func(r store.Review) string { return r.ID })}, err
}

type rescoreInput struct {
	Body struct {
		Campaign growth.CampaignID `json:"campaign_id,omitempty" format:"uuid" doc:"Only leads of this campaign"`
		Rubric   string            `json:"rubric,omitempty" doc:"Default: the workspace's"`
		Rules    bool              `json:"scored_by_rules,omitempty" doc:"Also leads that were scored without a model, as when none could be had"`
		ICP      string            `json:"icp,omitempty" doc:"Default: the workspace's"`
		Language string            `json:"language,omitempty" example:"fr-CA" doc:"Default: the workspace's"`
		Limit    int               `json:"limit,omitempty" minimum:"1" maximum:"10000" default:"1000"`
		Cursor   string            `json:"cursor,omitempty" format:"uuid" doc:"next_cursor of the call before"`
	}
}

func (a *api) postRescore(ctx context.Context, in *rescoreInput) (*struct{ Body tasks.Rescored }, error) {
	out, err := a.Queue.Rescore(ctx, who(ctx).Workspace, tasks.Rescore{
		Campaign: in.Body.Campaign, Limit: in.Body.Limit, Cursor: in.Body.Cursor, Rules: in.Body.Rules, Live: !a.Simulated,
		Args:    tasks.QualifyArgs{Rubric: in.Body.Rubric, ICP: in.Body.ICP, Language: in.Body.Language},
		TraceID: daemon.RequestID(ctx), KeyID: who(ctx).KeyID,
	})
	return &struct{ Body tasks.Rescored }{out}, err
}
