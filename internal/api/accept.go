package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/internal/content"
	"github.com/zakibelm/astrogrowth/internal/daemon"
	"github.com/zakibelm/astrogrowth/internal/lead"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

// QualificationBody asks for the score of a lead.
type QualificationBody struct {
	growth.JobOptions
	Lead     *growth.Lead  `json:"lead,omitempty" doc:"The lead itself; a lead that is known already is recognised"`
	LeadID   growth.LeadID `json:"lead_id,omitempty" doc:"Or the id of a lead that is stored"`
	ICP      string        `json:"icp,omitempty" doc:"Ideal customer profile; default: the workspace's"`
	Rubric   string        `json:"rubric,omitempty" doc:"name, or name@version, of a rubric of /v1/rubrics; default: the workspace's" example:"local-business"`
	Language string        `json:"language,omitempty" example:"fr-CA"`
}

// ContentBody asks for LinkedIn posts.
type ContentBody struct {
	growth.JobOptions
	Lead        *growth.Lead     `json:"lead,omitempty"`
	LeadID      growth.LeadID    `json:"lead_id,omitempty"`
	Topic       string           `json:"topic,omitempty"`
	Brief       string           `json:"brief,omitempty"`
	Brand       *growth.Brand    `json:"brand,omitempty" doc:"A brand for this job alone; its posts always go to a person"`
	BrandID     growth.BrandID   `json:"brand_id,omitempty" doc:"A brand of the workspace. Default: its default brand"`
	Language    string           `json:"language,omitempty" example:"fr-CA"`
	Tone        string           `json:"tone,omitempty"`
	Audience    string           `json:"audience,omitempty"`
	CTA         string           `json:"cta,omitempty" doc:"Call to action"`
	Link        string           `json:"link,omitempty"`
	Hashtags    []string         `json:"hashtags,omitempty"`
	Variants    int              `json:"variants,omitempty" doc:"1 to 5; default 1"`
	AutoApprove *AutoApproveBody `json:"auto_approve,omitempty"`
	Batch       *tasks.Batch     `json:"batch,omitempty" doc:"Make a job for each of several leads or topics of the campaign"`
}

// PublishBody asks for one post.
type PublishBody struct {
	growth.JobOptions
	tasks.PublishArgs
	tasks.PostWish
}

// item is one job of a request on its way to being accepted.
type item struct {
	args    tasks.Args
	options growth.JobOptions
	lead    *growth.Lead // to be stored first
	leadID  growth.LeadID
	setLead func(growth.LeadID) tasks.Args
	post    tasks.PostWish // of a publish job
	key     string
	body    []byte // what the idempotency key remembers
}

func (b QualificationBody) item() (item, error) {
	args := tasks.QualifyArgs{LeadID: b.LeadID, ICP: b.ICP, Rubric: b.Rubric, Language: b.Language}
	if (b.Lead == nil) == (b.LeadID == "") {
		return item{}, growth.InvalidField("api.item", "lead", "give either lead or lead_id")
	}
	return item{args: args, options: b.JobOptions, lead: b.Lead, leadID: b.LeadID, setLead: func(id growth.LeadID) tasks.Args {
		args.LeadID = id
		return args
	}}, nil
}

func (b ContentBody) item() (item, error) {
	if b.Lead != nil && b.LeadID != "" {
		return item{}, growth.InvalidField("api.item", "lead", "give either lead or lead_id")
	}
	args := tasks.ContentArgs{
		LeadID: b.LeadID, Topic: b.Topic, Brief: b.Brief, Brand: b.Brand, Language: b.Language, Tone: b.Tone, Audience: b.Audience,
		CTA: b.CTA, Link: b.Link, Hashtags: b.Hashtags, Variants: b.Variants, AutoApprove: b.AutoApprove.args(), BrandID: b.BrandID, Batch: b.Batch,
	}
	return item{args: args, options: b.JobOptions, lead: b.Lead, leadID: b.LeadID, setLead: func(id growth.LeadID) tasks.Args {
		args.LeadID = id
		return args
	}}, nil
}

func (b PublishBody) item() (item, error) {
	if b.PostWish != (tasks.PostWish{}) && b.RunAt != nil {
		return item{}, growth.InvalidField("api.item", "publish_at", "give either run_at or a time for the post")
	}
	// Ids are compared as texts where they stand in a job's input.
	b.ContentID, b.AccountID = growth.ContentID(strings.ToLower(string(b.ContentID))), growth.AccountID(strings.ToLower(string(b.AccountID)))
	return item{args: b.PublishArgs, options: b.JobOptions, post: b.PostWish}, nil
}

// KeyHeader carries the idempotency key. (Exported because the framework looks into exported fields only.)
type KeyHeader struct {
	Key string `header:"Idempotency-Key" maxLength:"200" doc:"The same key with the same body answers the first job again, for 24 hours"`
}

type qualificationInput struct {
	KeyHeader
	Body QualificationBody
}

func (a *api) postQualification(ctx context.Context, in *qualificationInput) (*acceptedOutput, error) {
	it, err := in.Body.item()
	return a.acceptOne(ctx, it, err, in.Key)
}

type contentInput struct {
	KeyHeader
	Body ContentBody
}

func (a *api) postContent(ctx context.Context, in *contentInput) (*acceptedOutput, error) {
	it, err := in.Body.item()
	return a.acceptOne(ctx, it, err, in.Key)
}

type publishInput struct {
	KeyHeader
	Body PublishBody
}

func (a *api) postPublish(ctx context.Context, in *publishInput) (*acceptedOutput, error) {
	it, err := in.Body.item()
	return a.acceptOne(ctx, it, err, in.Key)
}

func (a *api) acceptOne(ctx context.Context, it item, err error, key string) (*acceptedOutput, error) {
	if err != nil {
		return nil, err
	}
	if it.key = key; key != "" {
		if it.body, err = it.fingerprint(); err != nil {
			return nil, err
		}
	}
	if err := a.check(ctx, it); err != nil {
		return nil, err
	}
	if got, found, err := a.replayed(ctx, it); err != nil || found {
		if err != nil {
			return nil, err
		}
		return a.accepted(ctx, got)
	}
	subs, _, err := a.submissions(ctx, []item{it}, false)
	if err != nil {
		return nil, err
	}
	got, err := a.Queue.Enqueue(ctx, who(ctx).Workspace, subs...)
	if err != nil {
		return nil, err
	}
	return a.accepted(ctx, got[0])
}

// fingerprint is what the item asks for, however that was written and whichever path it came by: the same job by its own
// path and in a batch is the same under one idempotency key.
func (it item) fingerprint() ([]byte, error) {
	o := it.options
	if o.RunAt != nil {
		at := o.RunAt.UTC()
		o.RunAt = &at
	}
	written, err := json.Marshal(struct {
		Type    growth.JobType
		Args    tasks.Args
		Options growth.JobOptions
		Lead    *growth.Lead
		Post    tasks.PostWish
	}{it.args.Type(), it.args, o, it.lead, it.post})
	if err != nil {
		return nil, fmt.Errorf("fingerprint: %w", err)
	}
	var plain any
	d := json.NewDecoder(bytes.NewReader(written)) // metadata stands as it was written
	d.UseNumber()
	if err := d.Decode(&plain); err != nil {
		return nil, fmt.Errorf("fingerprint: %w", err)
	}
	written, err = json.Marshal(said(plain))
	if err != nil {
		return nil, fmt.Errorf("fingerprint: %w", err)
	}
	return written, nil
}

// said leaves out what says nothing, so that a later release, whose jobs have more members, still knows the bodies that
// came before it.
func said(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, member := range v {
			if x := said(member); x != nil {
				out[name] = x
			}
		}
		return out
	case []any:
		if len(v) == 0 {
			return nil
		}
		out := make([]any, len(v))
		for i, element := range v {
			out[i] = said(element)
		}
		return out
	case string:
		if v == "" {
			return nil
		}
	case json.Number:
		if v == "0" {
			return nil
		}
	case bool:
		if !v {
			return nil
		}
	}
	return v
}

// replayed finds the first job of a repeated request before anything is written: a lead, too, is written once.
func (a *api) replayed(ctx context.Context, it item) (store.Accepted, bool, error) {
	if it.key == "" {
		return store.Accepted{}, false, nil
	}
	id, found, err := a.Store.In(who(ctx).Workspace).Replayed(ctx, it.key, store.HashBody(it.body))
	return store.Accepted{ID: id, Replayed: true}, found, err
}

// check refuses what can be seen to be wrong without the store.
func (a *api) check(ctx context.Context, it item) error {
	if _, err := tasks.FillOptions(it.args.Type(), it.options); err != nil {
		return err
	}
	if err := tasks.CheckCallbackURL(it.options.CallbackURL, a.AllowHosts); err != nil {
		return err
	}
	if err := mayAsk(ctx, it.args); err != nil {
		return err
	}
	if c, ok := it.args.(tasks.ContentArgs); ok {
		if err := c.CheckCampaign(it.options.CampaignID); err != nil {
			return err
		}
	}
	args := it.args
	if it.lead != nil {
		if err := lead.Validate(*it.lead); err != nil {
			return err
		}
		args = it.setLead(growth.LeadID(growth.NewID())) // a stand-in, for the checks of the rest
	}
	return args.Validate()
}

// mayAsk says whether the caller may have a job do what a person has to vouch for, and notes that they did.
func mayAsk(ctx context.Context, args tasks.Args) error {
	err := unvouched(args)
	if err != nil && who(ctx).May(auth.ScopeApprove) {
		return noteAction(ctx)
	}
	return err
}

// unvouched is what a caller is told who may not vouch for the job; nil for a job that nobody has to vouch for.
func unvouched(args tasks.Args) error {
	switch a := args.(type) {
	case tasks.PublishArgs:
		if a.Unapproved() {
			return growth.Errorf(growth.Forbidden, "api.mayAsk", "posting what nobody approved (a text, article, image, mention, comment or repetition) needs a key with the scope \"approve\"")
		}
	case tasks.ContentArgs:
		if t := a.AutoApprove; t != nil && t.Threshold > 0 && t.Threshold < content.DefaultThreshold {
			return growth.Errorf(growth.Forbidden, "api.mayAsk", "auto_approve.threshold: to have less than %d approved by itself needs a key with the scope \"approve\"", content.DefaultThreshold)
		}
	}
	return nil
}

// submissions stores the leads of checked items and makes them ready to be enqueued. With skipUnchanged, a lead whose
// score would rest on the same as its present one is left out: its place in the answer holds nil.
func (a *api) submissions(ctx context.Context, items []item, skipUnchanged bool) ([]tasks.Submission, []*int, error) {
	sc := a.Store.In(who(ctx).Workspace).As(who(ctx).Name)
	rubrics := tasks.NewRubrics(sc)
	for _, it := range items {
		if err := admissible(ctx, rubrics, it); err != nil {
			return nil, nil, err
		}
	}
	if err := knownBrands(ctx, sc, items); err != nil {
		return nil, nil, err
	}
	if err := knownLeads(ctx, sc, items); err != nil {
		return nil, nil, err
	}
	ws, err := sc.Workspace(ctx)
	if err != nil {
		return nil, nil, err
	}
	saved, err := a.putLeads(ctx, sc, items) // last of what can be refused: a request that is refused leaves no lead behind
	if err != nil {
		return nil, nil, err
	}
	subs, at := make([]tasks.Submission, 0, len(items)), make([]*int, len(items))
	trace := daemon.RequestID(ctx)
	for i, it := range items {
		s := tasks.Submission{Args: it.args, Options: it.options, IdempotencyKey: it.key, Body: it.body, LeadID: it.leadID, TraceID: trace, KeyID: who(ctx).KeyID}
		if l, ok := saved[i]; ok {
			if err := l.Lead.Barred(time.Now()); err != nil { // of the lead as it was known before
				return nil, nil, err
			}
			s.LeadID, s.Args = l.Lead.ID, it.setLead(l.Lead.ID)
			if q, isScore := s.Args.(tasks.QualifyArgs); isScore && skipUnchanged {
				fp, err := rubrics.Fingerprint(ctx, l.Lead, q, ws.Settings)
				if err != nil {
					return nil, nil, err
				}
				if fp == l.Fingerprint {
					continue
				}
				s.UniqueKey = string(l.Lead.ID) + " " + fp
			}
		}
		if err := a.planPost(ctx, sc, it, &s); err != nil {
			return nil, nil, err
		}
		n := len(subs)
		at[i] = &n
		subs = append(subs, s)
	}
	return subs, at, nil
}

// admissible refuses, before anything is stored, what only the workspace can tell to be wrong: a rubric that is none, and
// a lead that comes with a consent that has ended.
func admissible(ctx context.Context, rubrics *tasks.Rubrics, it item) error {
	if q, ok := it.args.(tasks.QualifyArgs); ok && q.Rubric != "" {
		if _, err := rubrics.Of(ctx, q.Rubric); err != nil {
			return err
		}
	}
	if it.lead != nil {
		return it.lead.Barred(time.Now())
	}
	return nil
}

// knownLeads refuses jobs for leads that there are not, or that may not be processed any more.
func knownLeads(ctx context.Context, sc store.Scoped, items []item) error {
	for _, it := range items {
		if it.leadID == "" {
			continue
		}
		known, err := sc.Lead(ctx, it.leadID)
		if growth.CodeOf(err) == growth.NotFound {
			return growth.InvalidField("api.knownLeads", "lead_id", "there is no such lead in this workspace")
		}
		if err != nil {
			return err
		}
		if err := known.Lead.Barred(time.Now()); err != nil {
			return err
		}
	}
	return nil
}

func (a *api) putLeads(ctx context.Context, sc store.Scoped, items []item) (map[int]store.SavedLead, error) {
	var puts []store.LeadPut
	var where []int
	for i, it := range items {
		if it.lead == nil {
			continue
		}
		puts = append(puts, store.LeadPut{Lead: *it.lead, Keys: tasks.LeadKeys(*it.lead), Campaign: it.options.CampaignID})
		where = append(where, i)
	}
	out := map[int]store.SavedLead{}
	if len(puts) == 0 {
		return out, nil
	}
	saved, err := sc.PutLeads(ctx, puts, lead.Alike, lead.Update)
	if err != nil {
		return nil, err
	}
	for n, i := range where {
		out[i] = saved[n]
	}
	return out, nil
}
