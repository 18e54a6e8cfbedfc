package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/internal/daemon"
	"github.com/zakibelm/astrogrowth/store"
)

// JobView is a job with the places where more of it can be had.
type JobView struct {
	growth.Job
	Links map[string]string `json:"links"`
}

type acceptedOutput struct {
	Location string `header:"Location" doc:"Where the job can be read"`
	Replayed string `header:"Idempotency-Replayed" doc:"true when the key had been used with the same body"`
	Body     JobView
}

type jobOutput struct{ Body JobView }

func (a *api) jobs(h huma.API) {
	register(h, op(http.MethodPost, "/v1/jobs/lead-qualification", "jobs", "Qualify a lead", auth.ScopeEnqueue, 202), a.postQualification)
	register(h, op(http.MethodPost, "/v1/jobs/content-generation", "jobs", "Write content", auth.ScopeEnqueue, 202), a.postContent)
	register(h, op(http.MethodPost, "/v1/jobs/linkedin-publish", "jobs", "Publish to LinkedIn", auth.ScopeEnqueue, 202), a.postPublish)
	batch := op(http.MethodPost, "/v1/jobs/batch", "jobs", "Accept up to 10,000 jobs", auth.ScopeEnqueue, 202)
	batch.MaxBodyBytes, batch.BodyReadTimeout, batch.SkipValidateBody = maxBatch+1, 2*time.Minute, true
	batch.RequestBody = batchRequest()
	batch.Description = "A JSON array, or NDJSON, of jobs: `{type, idempotency_key?, …the body of that type}`. Good ones are accepted, bad ones are named; none is half done."
	register(h, batch, a.postBatch)
	register(h, op(http.MethodGet, "/v1/jobs/{id}", "jobs", "Read a job, or wait for its end", auth.ScopeRead, 200), a.getJob)
	list := op(http.MethodGet, "/v1/jobs", "jobs", "List jobs, newest first", auth.ScopeRead, 200)
	list.Description = "With what each has cost. Their `calls` are left out here, and the list of them is empty: `GET /v1/jobs/{id}` has them."
	register(h, list, a.listJobs)
	register(h, op(http.MethodPost, "/v1/jobs/{id}/cancel", "jobs", "Cancel a job", auth.ScopeEnqueue, 200), a.cancelJob)
	register(h, op(http.MethodPost, "/v1/jobs/{id}/retry", "jobs", "Try a failed or canceled job again", auth.ScopeEnqueue, 200), a.retryJob)
}

// batchRequest describes the body of a batch, whose elements are checked one by one.
func batchRequest() *huma.RequestBody {
	element := &huma.Schema{
		Type: huma.TypeObject, Required: []string{"type"}, AdditionalProperties: true,
		Properties: map[string]*huma.Schema{
			"type":            {Type: huma.TypeString, Enum: []any{string(growth.JobLeadQualification), string(growth.JobContentGeneration), string(growth.JobLinkedInPublish)}},
			"idempotency_key": {Type: huma.TypeString},
		},
	}
	return &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/json":     {Schema: &huma.Schema{Type: huma.TypeArray, Items: element}},
		"application/x-ndjson": {Schema: &huma.Schema{Type: huma.TypeString, Description: "One such object a line"}},
	}}
}

func (a *api) view(ctx context.Context, j growth.Job) JobView {
	self := "/v1/jobs/" + string(j.ID)
	return JobView{Job: a.show(ctx, j), Links: map[string]string{
		"self": self, "wait": self + "?wait=30s", "cancel": self + "/cancel", "retry": self + "/retry",
	}}
}

func (a *api) accepted(ctx context.Context, got store.Accepted) (*acceptedOutput, error) {
	j, err := a.Store.In(who(ctx).Workspace).Job(ctx, got.ID)
	if err != nil {
		return nil, err
	}
	out := &acceptedOutput{Location: "/v1/jobs/" + string(got.ID), Body: a.view(ctx, j)}
	if got.Replayed {
		out.Replayed = "true"
	}
	return out, nil
}

type getJobInput struct {
	ID   string `path:"id"`
	Wait string `query:"wait" doc:"Hold the request until the job ends, at most 60s" example:"30s"`
}

func (a *api) getJob(ctx context.Context, in *getJobInput) (*jobOutput, error) {
	wait, err := parseWait(in.Wait)
	if err != nil {
		return nil, err
	}
	ws, id := who(ctx).Workspace, growth.JobID(in.ID)
	if !growth.ValidID(in.ID) {
		return nil, growth.Errorf(growth.NotFound, "api.getJob", "there is no job %q: ids are UUIDs", short(in.ID))
	}
	sc := a.Store.In(ws)
	notices, stop := a.Bus.Listen(ws, id)
	defer stop()
	ctx, cancel := deadline(ctx, max(wait, time.Second)+10*time.Second)
	defer cancel()
	until := time.Now().Add(wait)
	for {
		j, err := sc.Job(ctx, id)
		if err != nil {
			return nil, err
		}
		left := time.Until(until)
		if j.State.Final() || left <= 0 {
			return &jobOutput{Body: a.view(ctx, j)}, nil
		}
		select { // a notice may be lost: look again now and then
		case <-notices:
		case <-time.After(min(left, time.Second)):
		case <-daemon.Draining(ctx): // this process ends: the job as it stands is the answer
			until = time.Now()
		case <-ctx.Done():
			return nil, growth.Errorf(growth.Canceled, "api.getJob", "the caller left")
		}
	}
}

func parseWait(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if n, nerr := strconv.Atoi(s); nerr == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d < 0 || d > maxWait {
		return 0, growth.InvalidField("api.parseWait", "wait", "use a time up to 60s, such as 30s")
	}
	return d, nil
}

type listJobsInput struct {
	PageParams
	Type     string `query:"type" enum:"lead-qualification,content-generation,linkedin-publish,callback,maintenance"`
	State    string `query:"state" enum:"scheduled,queued,running,retrying,waiting,succeeded,failed,canceled"`
	Campaign string `query:"campaign_id"`
	Query    string `query:"q" maxLength:"200" doc:"Part of the input, or the beginning of an id"`
}

func (a *api) listJobs(ctx context.Context, in *listJobsInput) (*struct{ Body List[JobView] }, error) {
	p, err := in.page()
	if err != nil {
		return nil, err
	}
	if in.Campaign != "" && !growth.ValidID(in.Campaign) {
		return nil, growth.InvalidField("api.listJobs", "campaign_id", "use the id of a campaign, a UUID")
	}
	f := store.JobFilter{Type: growth.JobType(in.Type), State: growth.JobState(in.State), Campaign: growth.CampaignID(in.Campaign), Query: in.Query}
	jobs, err := a.Store.In(who(ctx).Workspace).Jobs(ctx, f, p)
	if err != nil {
		return nil, err
	}
	views := make([]JobView, 0, len(jobs))
	for _, j := range jobs {
		views = append(views, a.view(ctx, j))
	}
	return &struct{ Body List[JobView] }{listOf(views, in.Limit, func(j JobView) string { return string(j.ID) })}, nil
}

// IDInput names one thing by its id. (Exported because the framework looks into exported fields only.)
type IDInput struct {
	ID string `path:"id" format:"uuid"`
}

// Resolve refuses what the framework takes for a UUID and the store does not, such as urn:uuid:….
func (in *IDInput) Resolve(huma.Context) []error {
	if growth.ValidID(in.ID) {
		return nil
	}
	return []error{&huma.ErrorDetail{Location: "path.id", Message: "use an id of 36 characters, such as 01981f3e-7c3a-7000-8000-000000000000"}}
}

func (a *api) cancelJob(ctx context.Context, in *IDInput) (*jobOutput, error) {
	sc := a.Store.In(who(ctx).Workspace)
	if _, err := sc.CancelJob(ctx, growth.JobID(in.ID)); err != nil {
		return nil, err
	}
	j, err := sc.Job(ctx, growth.JobID(in.ID))
	if err != nil {
		return nil, err
	}
	return &jobOutput{Body: a.view(ctx, j)}, nil
}

func (a *api) retryJob(ctx context.Context, in *IDInput) (*jobOutput, error) {
	sc := a.Store.In(who(ctx).Workspace)
	if err := sc.RetryJob(ctx, growth.JobID(in.ID)); err != nil {
		return nil, err
	}
	a.Queue.Wake()
	j, err := sc.Job(ctx, growth.JobID(in.ID))
	if err != nil {
		return nil, err
	}
	return &jobOutput{Body: a.view(ctx, j)}, nil
}

func op(method, path, tag, summary string, scope auth.Scope, status int) huma.Operation {
	return huma.Operation{
		Method: method, Path: path, Tags: []string{tag}, Summary: summary, DefaultStatus: status, Metadata: needs(scope),
		OperationID: operationID(method, path), MaxBodyBytes: maxBody + 1, BodyReadTimeout: 30 * time.Second,
		Errors: []int{400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503},
	}
}

// operationID is a name for generated clients: "post-v1-jobs-lead-qualification".
func operationID(method, path string) string {
	words := strings.FieldsFunc(strings.ToLower(path), func(r rune) bool { return r == '/' || r == '{' || r == '}' })
	return strings.Join(append([]string{strings.ToLower(method)}, words...), "-")
}

// register adds an operation whose errors become problems in one place.
func register[I, O any](h huma.API, o huma.Operation, f func(context.Context, *I) (*O, error)) {
	huma.Register(h, o, func(ctx context.Context, in *I) (*O, error) {
		out, err := f(ctx, in)
		if err == nil {
			return out, nil
		}
		p := problemOf(err)
		p.nameField(in)
		if p.Status >= 500 {
			zerolog.Ctx(ctx).Error().Err(err).Str("code", p.Code).Str("operation", o.OperationID).Msg("call failed")
			if p.Status == http.StatusInternalServerError {
				daemon.CaptureError(ctx, err)
			}
		}
		return nil, p
	})
}

func writeJSON(w io.Writer, v any) { _ = json.NewEncoder(w).Encode(v) } // the caller may have left

func short(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}
