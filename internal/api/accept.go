package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rs/zerolog"

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
	body    []byte
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
	Body    QualificationBody
	RawBody []byte
}

func (a *api) postQualification(ctx context.Context, in *qualificationInput) (*acceptedOutput, error) {
	it, err := in.Body.item()
	return a.acceptOne(ctx, it, err, in.Key, in.RawBody)
}

type contentInput struct {
	KeyHeader
	Body    ContentBody
	RawBody []byte
}

func (a *api) postContent(ctx context.Context, in *contentInput) (*acceptedOutput, error) {
	it, err := in.Body.item()
	return a.acceptOne(ctx, it, err, in.Key, in.RawBody)
}

type publishInput struct {
	KeyHeader
	Body    PublishBody
	RawBody []byte
}

func (a *api) postPublish(ctx context.Context, in *publishInput) (*acceptedOutput, error) {
	it, err := in.Body.item()
	return a.acceptOne(ctx, it, err, in.Key, in.RawBody)
}

func (a *api) acceptOne(ctx context.Context, it item, err error, key string, raw []byte) (*acceptedOutput, error) {
	if err != nil {
		return nil, err
	}
	it.key, it.body = key, append([]byte(it.args.Type()+"\x00"), raw...)
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

type batchInput struct {
	OnUnchanged string `query:"on_unchanged" enum:"qualify,skip" default:"qualify" doc:"skip: a lead whose score would rest on the same as its present one makes no job"`
	RawBody     []byte
}

// BatchItem is what became of one element of a batch.
type BatchItem struct {
	Index  int          `json:"index"`
	Status string       `json:"status" enum:"accepted,replayed,existing,unchanged,rejected"`
	ID     growth.JobID `json:"id,omitempty"`
	Error  *Problem     `json:"error,omitempty"`
}

// BatchResult is what became of a batch.
type BatchResult struct {
	Accepted int         `json:"accepted"`
	Rejected int         `json:"rejected"`
	Data     []BatchItem `json:"data"`

	faults []error // of ours, that made items fail
}

// batchChunk is how many jobs of a batch share one commit.
const batchChunk = 500

func (a *api) postBatch(ctx context.Context, in *batchInput) (*struct{ Body BatchResult }, error) {
	raws, err := splitBatch(in.RawBody)
	if err != nil {
		return nil, err
	}
	out := BatchResult{Data: make([]BatchItem, len(raws))}
	var good []item
	var where []int
	for i, raw := range raws {
		out.Data[i] = BatchItem{Index: i}
		it, err := decodeItem(raw)
		if err == nil {
			err = a.check(ctx, it)
		}
		var before store.Accepted
		var found bool
		if err == nil {
			before, found, err = a.replayed(ctx, it)
		}
		switch {
		case err != nil:
			out.reject(i, err)
			continue
		case found:
			out.Data[i].Status, out.Data[i].ID = "replayed", before.ID
			out.Accepted++
			continue
		}
		good, where = append(good, it), append(where, i)
	}
	for from := 0; from < len(good); from += batchChunk {
		to := min(from+batchChunk, len(good))
		a.acceptChunk(ctx, good[from:to], where[from:to], in.OnUnchanged == "skip", &out)
	}
	if n := len(out.faults); n > 0 { // many items fail of one cause: it is told once
		zerolog.Ctx(ctx).Error().Err(out.faults[0]).Int("items", n).Msg("items of a batch failed")
		daemon.CaptureError(ctx, out.faults[0])
	}
	return &struct{ Body BatchResult }{out}, nil
}

func (r *BatchResult) reject(i int, err error) {
	p := problemOf(err)
	if p.Status == http.StatusInternalServerError {
		r.faults = append(r.faults, err)
	}
	r.Data[i].Status, r.Data[i].Error = "rejected", p
	r.Rejected++
}

// acceptChunk commits a part of a batch. When its commit fails as a whole, its items are tried one by one, so that one
// bad campaign id, or one that we have a fault with, does not take 499 good jobs with it.
func (a *api) acceptChunk(ctx context.Context, items []item, where []int, skip bool, out *BatchResult) {
	subs, at, err := a.submissions(ctx, items, skip)
	var got []store.Accepted
	if err == nil && len(subs) > 0 {
		got, err = a.Queue.Enqueue(ctx, who(ctx).Workspace, subs...)
	}
	if code := growth.CodeOf(err); err != nil && len(items) > 1 && (code == growth.Internal || !code.Retryable()) {
		for i := range items {
			a.acceptChunk(ctx, items[i:i+1], where[i:i+1], skip, out)
		}
		return
	}
	for i, w := range where {
		switch {
		case err != nil:
			out.reject(w, err)
			continue
		case at[i] == nil:
			out.Data[w].Status = "unchanged"
		default:
			g := got[*at[i]]
			out.Data[w].ID, out.Data[w].Status = g.ID, "accepted"
			if g.Replayed {
				out.Data[w].Status = "replayed"
			} else if g.Existing {
				out.Data[w].Status = "existing"
			}
		}
		out.Accepted++
	}
}

func splitBatch(body []byte) ([]json.RawMessage, error) {
	const op = "api.splitBatch"
	body = bytes.TrimSpace(body)
	var out []json.RawMessage
	if len(body) > 0 && body[0] == '[' {
		if err := json.Unmarshal(body, &out); err != nil {
			return nil, newProblem(400, "the body is not a JSON array: "+syntax(err))
		}
	} else {
		lines := bufio.NewScanner(bytes.NewReader(body))
		lines.Buffer(make([]byte, 0, 64<<10), maxBody)
		for n := 1; lines.Scan(); n++ {
			line := bytes.TrimSpace(lines.Bytes())
			if len(line) == 0 {
				continue
			}
			if !json.Valid(line) {
				return nil, newProblem(400, "line "+strconv.Itoa(n)+" is not JSON; send a JSON array, or one JSON object a line")
			}
			out = append(out, append(json.RawMessage(nil), line...))
		}
		if lines.Err() != nil {
			return nil, newProblem(400, "a line is longer than 10 MiB")
		}
	}
	if len(out) == 0 {
		return nil, growth.InvalidField(op, "body", "send at least one job")
	}
	if len(out) > maxItems {
		return nil, growth.InvalidField(op, "body", "send at most %d jobs; these are %d", maxItems, len(out))
	}
	return out, nil
}

func syntax(err error) string {
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return e.Error() + " at byte " + strconv.FormatInt(e.Offset, 10)
	}
	return "it cannot be read"
}

// decodeItem reads one element of a batch as strictly as its own path would.
func decodeItem(raw json.RawMessage) (item, error) {
	var head struct {
		Type growth.JobType `json:"type"`
		Key  string         `json:"idempotency_key"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return item{}, growth.InvalidField("api.decodeItem", "body", "use a JSON object with a type")
	}
	type typed struct {
		Type growth.JobType `json:"type"`
		Key  string         `json:"idempotency_key"`
	}
	var it item
	var err error
	switch head.Type {
	case growth.JobLeadQualification:
		b := struct {
			typed
			QualificationBody
		}{}
		if err = strict(raw, &b); err == nil {
			it, err = b.item()
		}
	case growth.JobContentGeneration:
		b := struct {
			typed
			ContentBody
		}{}
		if err = strict(raw, &b); err == nil {
			it, err = b.item()
		}
	case growth.JobLinkedInPublish:
		b := struct {
			typed
			PublishBody
		}{}
		if err = strict(raw, &b); err == nil {
			it, err = b.item()
		}
	case growth.JobCallback, growth.JobMaintenance, growth.JobLeadAgreement:
		fallthrough
	default:
		err = growth.InvalidField("api.decodeItem", "type", "use lead-qualification, content-generation or linkedin-publish")
	}
	if err == nil && utf8.RuneCountInString(head.Key) > maxKey {
		err = growth.InvalidField("api.decodeItem", "idempotency_key", "use at most %d characters", maxKey)
	}
	it.key, it.body = head.Key, raw
	return it, err
}

// maxKey is how long an idempotency key may be, wherever it stands.
const maxKey = 200

// strict decodes and names the member at fault.
func strict(raw []byte, v any) error {
	const op = "api.strict"
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		return nil
	}
	if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return growth.InvalidField(op, first(t.Field, "body"), "use a value of the type %s", jsonType(t.Type.Kind().String()))
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return growth.InvalidField(op, first(strings.Trim(field, `"`), "body"), "there is no such field; see the schema at /docs")
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return growth.InvalidField(op, "body", "the JSON ends too early")
	}
	return growth.InvalidField(op, "body", "a value cannot be read; times are RFC 3339, ids are UUIDs")
}

func jsonType(kind string) string {
	switch {
	case strings.HasPrefix(kind, "int"), strings.HasPrefix(kind, "uint"):
		return "whole number"
	case strings.HasPrefix(kind, "float"):
		return "number"
	case kind == "struct", kind == "map", kind == "ptr":
		return "object"
	case kind == "slice":
		return "array"
	case kind == "bool":
		return "true or false"
	}
	return kind
}
