package api

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/danielgtaylor/huma/v2"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/tasks"
)

// ScheduledJob is the job that a schedule makes: its type, and the body that the path of that type takes.
type ScheduledJob struct {
	raw json.RawMessage
}

// UnmarshalJSON keeps the object; it is read by its type later.
func (j *ScheduledJob) UnmarshalJSON(b []byte) error {
	j.raw = append(j.raw[:0], b...)
	return nil
}

// MarshalJSON gives the object back.
func (j ScheduledJob) MarshalJSON() ([]byte, error) {
	if len(j.raw) == 0 {
		return []byte("null"), nil
	}
	return j.raw, nil
}

// scheduledTypes are the jobs that a schedule may make.
var scheduledTypes = []any{
	string(growth.JobLeadQualification), string(growth.JobContentGeneration), string(growth.JobLinkedInPublish), string(growth.JobMaintenance),
}

// Schema describes it.
func (ScheduledJob) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeObject, Required: []string{"type"}, AdditionalProperties: true,
		Description: "What the path of the type takes (POST /v1/jobs/…), without run_at; maintenance takes kind: purge (scope admin), or rescore, which scores the workspace's leads again whose score would rest on something else now or was made without a model, all or those of rescore_campaign_id.",
		Properties:  map[string]*huma.Schema{"type": {Type: huma.TypeString, Enum: scheduledTypes}},
		Examples:    []any{map[string]any{"type": "content-generation", "topic": "Remplir sa terrasse en semaine", "variants": 2}},
	}
}

// scheduledWork is a job that was checked, as a schedule keeps it.
type scheduledWork struct {
	kind    growth.JobType
	input   json.RawMessage
	options growth.JobOptions
	lead    growth.LeadID
}

func (w scheduledWork) of(s growth.Schedule) growth.Schedule {
	s.Type, s.Input, s.Options, s.LeadID = w.kind, w.input, w.options, w.lead
	return s
}

// readWork checks a job as if it were enqueued now. A lead in it is stored, so that the schedule holds its id and no
// personal data. The field at fault is named as it stands in the body of a schedule.
func (a *api) readWork(ctx context.Context, j ScheduledJob) (scheduledWork, error) {
	w, err := a.checkWork(ctx, j)
	if e, ok := errors.AsType[*growth.Error](err); ok && e.Field != "" {
		named := *e
		named.Field = "job." + e.Field
		return w, &named
	}
	return w, err
}

func (a *api) checkWork(ctx context.Context, j ScheduledJob) (scheduledWork, error) {
	const op = "api.checkWork"
	it, err := decodeScheduled(j.raw)
	if err != nil {
		return scheduledWork{}, err
	}
	switch {
	case it.key != "":
		return scheduledWork{}, growth.InvalidField(op, "idempotency_key", "leave it out: each time makes a job of its own")
	case it.options.RunAt != nil, it.post != (tasks.PostWish{}):
		return scheduledWork{}, growth.InvalidField(op, "run_at", "leave run_at, publish_at and slot out: the schedule says when")
	}
	if err := mayKeep(ctx, it.args); err != nil {
		return scheduledWork{}, err
	}
	if err := a.check(ctx, it); err != nil {
		return scheduledWork{}, err
	}
	subs, _, err := a.submissions(ctx, []item{it}, false)
	if err != nil {
		return scheduledWork{}, err
	}
	w := scheduledWork{kind: it.args.Type(), lead: subs[0].LeadID}
	if w.options, err = tasks.FillOptions(w.kind, it.options); err != nil {
		return w, err
	}
	w.input, err = json.Marshal(subs[0].Args)
	return w, err
}

// decodeScheduled reads the element of a batch that the job would be, or maintenance, which has no other way in.
func decodeScheduled(raw json.RawMessage) (item, error) {
	var head struct {
		Type growth.JobType `json:"type"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return item{}, growth.InvalidField("api.decodeScheduled", "type", "use a JSON object with a type")
	}
	if head.Type != growth.JobMaintenance {
		return decodeItem(raw)
	}
	b := struct {
		Type growth.JobType    `json:"type"`
		Kind tasks.Upkeep      `json:"kind"`
		Only growth.CampaignID `json:"rescore_campaign_id"`
		growth.JobOptions
	}{}
	err := strict(raw, &b)
	return item{args: tasks.MaintenanceArgs{Kind: b.Kind, Campaign: b.Only}, options: b.JobOptions}, err
}

// mayRun says whether the caller may have a schedule do what it does: its job is enqueued in their name too, by the same
// rules as if they had asked for it themselves.
func mayRun(ctx context.Context, s growth.Schedule) error {
	args, err := scheduledArgs(s)
	if err != nil {
		return &growth.Error{Code: growth.Internal, Op: "api.mayRun", Err: err}
	}
	if err := mayKeep(ctx, args); err != nil {
		return err
	}
	return mayAsk(ctx, args)
}

// scheduledArgs are the arguments of a schedule's job, as far as a scope can be needed for them.
func scheduledArgs(s growth.Schedule) (args tasks.Args, err error) {
	switch s.Type {
	case growth.JobMaintenance:
		var a tasks.MaintenanceArgs
		err = json.Unmarshal(s.Input, &a)
		args = a
	case growth.JobLinkedInPublish:
		var a tasks.PublishArgs
		err = json.Unmarshal(s.Input, &a)
		args = a
	case growth.JobContentGeneration:
		var a tasks.ContentArgs
		err = json.Unmarshal(s.Input, &a)
		args = a
	case growth.JobLeadQualification, growth.JobCallback, growth.JobLeadAgreement:
	}
	return args, err
}

// forInstallation says whether a job is about more than its own workspace.
func forInstallation(args tasks.Args) bool {
	m, ok := args.(tasks.MaintenanceArgs)
	return ok && m.Kind != tasks.UpkeepRescore
}

// mayKeep says whether the caller may have the installation looked after, and notes that they did.
func mayKeep(ctx context.Context, args tasks.Args) error {
	switch {
	case !forInstallation(args):
		return nil
	case !who(ctx).May(auth.ScopeAdmin):
		return growth.Errorf(growth.Forbidden, "api.schedule", "maintenance needs a key with the scope \"admin\"")
	}
	return noteAction(ctx)
}
