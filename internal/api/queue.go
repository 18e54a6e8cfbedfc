package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/store"
)

func (a *api) queues(h huma.API) {
	register(h, op(http.MethodGet, "/v1/queues", "queues", "The queues with their unfinished jobs", auth.ScopeRead, 200), a.listQueues)
	pause := op(http.MethodPost, "/v1/queues/{name}/pause", "queues", "Let a queue stand still", auth.ScopeAdmin, 200)
	pause.Description = "Jobs are accepted all the same, and those that run end. `all` stops it for every workspace and takes an agency key."
	register(h, pause, a.pauseQueue)
	register(h, op(http.MethodPost, "/v1/queues/{name}/resume", "queues", "Let a queue go on", auth.ScopeAdmin, 200), a.resumeQueue)
	register(h, op(http.MethodPost, "/v1/jobs/retry", "jobs", "Try failed jobs again, by filter", auth.ScopeEnqueue, 200), a.retryJobs)
}

type queuesOutput struct{ Body List[store.QueueState] }

func (a *api) listQueues(ctx context.Context, in *PageParams) (*queuesOutput, error) {
	all, err := a.Store.In(who(ctx).Workspace).QueueStates(ctx)
	if err != nil {
		return nil, err
	}
	page, err := pageOf(all, *in, func(q store.QueueState) string { return q.Queue })
	return &queuesOutput{page}, err
}

// QueueInput names a queue. (Exported because the framework looks into exported fields only.)
type QueueInput struct {
	Name string `path:"name" doc:"qualification, content, publish, callbacks or maintenance"`
	All  bool   `query:"all" doc:"For every workspace; takes an agency key"`
}

func (a *api) pauseQueue(ctx context.Context, in *QueueInput) (*queuesOutput, error) {
	return a.switchQueue(ctx, in,
		func() error { return a.Store.PauseAll(ctx, in.Name, who(ctx).Name) },
		func() error { return a.Store.In(who(ctx).Workspace).Pause(ctx, in.Name, who(ctx).Name) })
}

func (a *api) resumeQueue(ctx context.Context, in *QueueInput) (*queuesOutput, error) {
	return a.switchQueue(ctx, in,
		func() error { return a.Store.ResumeAll(ctx, in.Name) },
		func() error { return a.Store.In(who(ctx).Workspace).Resume(ctx, in.Name) })
}

func (a *api) switchQueue(ctx context.Context, in *QueueInput, all, own func() error) (*queuesOutput, error) {
	if !slices.Contains(growth.Queues(), in.Name) {
		return nil, growth.Errorf(growth.NotFound, "api.switchQueue", "there is no queue %q; use one of %v", short(in.Name), growth.Queues())
	}
	do := own
	if in.All {
		if !who(ctx).Agency {
			return nil, growth.Errorf(growth.Forbidden, "api.switchQueue", "stopping a queue for every workspace takes an agency key")
		}
		do = all
	}
	if err := do(); err != nil {
		return nil, err
	}
	a.Queue.Wake()
	return a.listQueues(ctx, &PageParams{})
}

type retryJobsInput struct {
	Body struct {
		Type       string `json:"type,omitempty" enum:"lead-qualification,content-generation,linkedin-publish,callback"`
		CampaignID string `json:"campaign_id,omitempty" format:"uuid"`
		Query      string `json:"q,omitempty" maxLength:"200"`
		Limit      int    `json:"limit,omitempty" minimum:"1" maximum:"200" doc:"Default 200; call again while retried is above 0"`
	}
}

type retryJobsOutput struct {
	Body struct {
		Retried int64 `json:"retried"`
	}
}

func (a *api) retryJobs(ctx context.Context, in *retryJobsInput) (*retryJobsOutput, error) {
	limit := in.Body.Limit
	if limit == 0 {
		limit = 200
	}
	f := store.JobFilter{
		Type: growth.JobType(in.Body.Type), State: growth.JobFailed, Campaign: growth.CampaignID(in.Body.CampaignID), Query: in.Body.Query,
	}
	n, err := a.Store.In(who(ctx).Workspace).RetryAll(ctx, f, limit)
	a.Queue.Wake()
	out := &retryJobsOutput{}
	out.Body.Retried = n
	return out, err
}
