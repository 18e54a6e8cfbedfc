package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/internal/daemon"
	"github.com/zakibelm/astrogrowth/router/cache"
	"github.com/zakibelm/astrogrowth/store"
)

func (a *api) caching(h huma.API) {
	register(h, op(http.MethodGet, "/v1/analytics/cache", "analytics", "What the cache did and what it saved", auth.ScopeRead, 200), a.getCache)
	register(h, op(http.MethodPost, "/v1/cache/invalidate", "analytics", "Forget cached answers", auth.ScopeAdmin, 200), a.invalidateCache)
	register(h, op(http.MethodPost, "/v1/feedback", "analytics", "Say what an answer was worth; a wrong one leaves the cache", auth.ScopeEnqueue, 201), a.postFeedback)
}

// CacheUse is what the cache did over some time. A saving that nobody knows is not in Saved; UnknownSavings counts those
// hits.
type CacheUse struct {
	Hits           int64           `json:"hits" doc:"Exact and near ones"`
	NearHits       int64           `json:"near_hits"`
	Misses         int64           `json:"misses"`
	HitRate        float64         `json:"hit_rate" doc:"0 to 1"`
	BytesServed    int64           `json:"bytes_served"`
	AvgAgeS        float64         `json:"avg_age_s" doc:"How old the answers were"`
	Saved          decimal.Decimal `json:"saved" doc:"What the cached answers had cost, without those whose cost is unknown"`
	UnknownSavings int64           `json:"unknown_savings" doc:"Hits on answers whose cost nobody knows"`
	savedUSD       decimal.Decimal
	ageMS          int64
}

// CacheDay is one UTC day.
type CacheDay struct {
	Date string `json:"date"`
	CacheUse
}

// CacheReport is what the cache did in a range, and what it holds now.
type CacheReport struct {
	From      time.Time                     `json:"from"`
	Currency  string                        `json:"currency"`
	Total     CacheUse                      `json:"total"`
	TaskTypes map[growth.TaskType]*CacheUse `json:"task_types"`
	Daily     []*CacheDay                   `json:"daily" doc:"Days on which the cache was asked, oldest first"`
	Held      *CacheHeld                    `json:"held" doc:"null while Redis cannot be reached"`
}

// CacheHeld is what lies in Redis for the workspace.
type CacheHeld struct {
	Entries int64 `json:"entries"`
	Bytes   int64 `json:"bytes"`
}

func (u *CacheUse) add(c store.CacheCount, rate decimal.Decimal) {
	u.Hits, u.NearHits, u.Misses = u.Hits+c.Hits, u.NearHits+c.NearHits, u.Misses+c.Misses
	u.BytesServed, u.UnknownSavings, u.ageMS = u.BytesServed+c.Bytes, u.UnknownSavings+c.Unknown, u.ageMS+c.AgeMS
	u.savedUSD = u.savedUSD.Add(c.SavedUSD)
	u.Saved = u.savedUSD.Mul(rate).Round(12)
	u.HitRate = float64(u.Hits) / float64(max(u.Hits+u.Misses, 1))
	u.AvgAgeS = float64(u.ageMS) / 1000 / float64(max(u.Hits, 1))
}

func (a *api) getCache(ctx context.Context, in *daysInput) (*struct{ Body CacheReport }, error) {
	ws := who(ctx).Workspace
	rate, err := a.rate(ctx)
	if err != nil {
		return nil, err
	}
	from := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 1-in.Days)
	counts, err := a.Store.In(ws).CacheDays(ctx, from)
	if err != nil {
		return nil, err
	}
	r := CacheReport{From: from, Currency: a.Currency, TaskTypes: map[growth.TaskType]*CacheUse{}, Daily: []*CacheDay{}}
	for _, c := range counts {
		r.count(c, rate)
	}
	if size, err := a.Cache.Size(ctx, ws); err == nil {
		r.Held = &CacheHeld{Entries: size.Entries, Bytes: size.Bytes}
	}
	return &struct{ Body CacheReport }{r}, nil
}

func (r *CacheReport) count(c store.CacheCount, rate decimal.Decimal) {
	r.Total.add(c, rate)
	if r.TaskTypes[c.Task] == nil {
		r.TaskTypes[c.Task] = &CacheUse{}
	}
	r.TaskTypes[c.Task].add(c, rate)
	date := c.Day.Format(time.DateOnly)
	if n := len(r.Daily); n == 0 || r.Daily[n-1].Date != date {
		r.Daily = append(r.Daily, &CacheDay{Date: date})
	}
	r.Daily[len(r.Daily)-1].add(c, rate)
}

type invalidateInput struct {
	Body struct {
		Pattern  string          `json:"pattern,omitempty" doc:"*, a task type, or llm:cache:<task type>:*; the other members narrow it. Default: all of the workspace"`
		TaskType growth.TaskType `json:"task_type,omitempty" enum:"qualification,content_generation,verification,analysis,simple"`
		Model    string          `json:"model,omitempty" maxLength:"200" doc:"provider/model, or the model alone"`
		CallID   growth.CallID   `json:"call_id,omitempty" format:"uuid" doc:"The answer that this call made; alone"`
		JobID    growth.JobID    `json:"job_id,omitempty" format:"uuid" doc:"The answers that this job made or was given; alone"`
		LeadID   growth.LeadID   `json:"lead_id,omitempty" format:"uuid" doc:"The answers that rest on this lead; alone"`

		AllWorkspaces bool `json:"all_workspaces,omitempty" doc:"In every workspace; for keys of the whole agency"`
	}
}

type invalidateOutput struct {
	Body struct {
		Invalidated int `json:"invalidated"`
	}
}

func (a *api) invalidateCache(ctx context.Context, in *invalidateInput) (*invalidateOutput, error) {
	s, err := in.selection()
	if err != nil {
		return nil, err
	}
	workspaces := []growth.WorkspaceID{who(ctx).Workspace}
	if in.Body.AllWorkspaces {
		if workspaces, err = a.everyWorkspace(ctx); err != nil {
			return nil, err
		}
	}
	out := &invalidateOutput{}
	for _, ws := range workspaces {
		n, err := a.Cache.Forget(ctx, ws, s)
		out.Body.Invalidated += n
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

func (a *api) everyWorkspace(ctx context.Context) ([]growth.WorkspaceID, error) {
	if !who(ctx).Agency {
		return nil, growth.Errorf(growth.Forbidden, "api.invalidateCache", "all_workspaces needs a key of the whole agency")
	}
	all, err := a.Store.Workspaces(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]growth.WorkspaceID, len(all))
	for i, w := range all {
		out[i] = w.ID
	}
	return out, nil
}

// selection refuses members that do not go together, because the larger of two readings would be the wrong one.
func (in *invalidateInput) selection() (cache.Selection, error) {
	b := in.Body
	s, err := cache.ParsePattern(b.Pattern)
	if err != nil {
		return s, err
	}
	if b.TaskType != "" && s.Task != "" && s.Task != b.TaskType {
		return s, growth.InvalidField("api.invalidateCache", "body.task_type", "pattern and task_type name different task types")
	}
	if b.TaskType != "" {
		s.Task = b.TaskType
	}
	s.Model, s.Call, s.Job, s.Lead = b.Model, b.CallID, b.JobID, b.LeadID
	named := 0
	for _, set := range []bool{b.CallID != "", b.JobID != "", b.LeadID != "", b.Pattern != "" || b.TaskType != "" || b.Model != ""} {
		if set {
			named++
		}
	}
	if named > 1 && (b.CallID != "" || b.JobID != "" || b.LeadID != "") {
		return s, growth.InvalidField("api.invalidateCache", "body", "call_id, job_id and lead_id each stand alone")
	}
	return s, nil
}

type feedbackInput struct {
	Body struct {
		CallID      growth.CallID `json:"call_id,omitempty" format:"uuid" doc:"This or job_id"`
		JobID       growth.JobID  `json:"job_id,omitempty" format:"uuid"`
		WrongAnswer bool          `json:"wrong_answer" doc:"The answer is not served again"`
		Message     string        `json:"message,omitempty" maxLength:"4000"`
	}
}

type feedbackOutput struct {
	Body struct {
		ID          string `json:"id"`
		Invalidated int    `json:"invalidated" doc:"Cached answers that were taken out"`
	}
}

func (a *api) postFeedback(ctx context.Context, in *feedbackInput) (*feedbackOutput, error) {
	b, p := in.Body, who(ctx)
	if (b.CallID == "") == (b.JobID == "") {
		return nil, growth.InvalidField("api.postFeedback", "body.call_id", "give either call_id or job_id")
	}
	out := &feedbackOutput{}
	var err error
	if b.WrongAnswer { // first: it is out even when the row of a call that has just ended is still on its way
		if out.Body.Invalidated, err = a.Cache.Forget(ctx, p.Workspace, cache.Selection{Call: b.CallID, Job: b.JobID}); err != nil {
			return nil, err
		}
	}
	out.Body.ID, err = a.Store.In(p.Workspace).AddFeedback(ctx, store.Feedback{
		Call: b.CallID, Job: b.JobID, WrongAnswer: b.WrongAnswer, Message: b.Message, By: p.KeyID,
	})
	if err == nil && b.WrongAnswer { // the words stay here: they may hold anything
		daemon.CaptureFeedback(ctx, map[string]string{"feedback_id": out.Body.ID, "call_id": string(b.CallID), "job_id": string(b.JobID)})
	}
	return out, err
}
