package tasks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/content"
	"github.com/zakibelm/astrogrowth/internal/lead"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks/prompts"
)

// With how many of the workspace's newest texts, and of each other workspace's, a new one is compared.
const earlierPosts = 50

// shownLessons is how many reasons of rejections a draft is told of.
const (
	shownLessons = 5
	maxLesson    = 300 // characters
)

// ContentWorker writes posts.
type ContentWorker struct {
	Store *store.Store
	Chain Chain
}

// writing is everything that a text rests on.
type writing struct {
	job     *Job[ContentArgs]
	brand   growth.Brand
	brief   content.Brief
	privacy growth.PrivacyClass
	secret  []byte
	near    content.Nearby
	lessons []string // why people turned down the brand's last texts
	hidden  lead.Secrets
}

// drafted is a draft and the model that wrote it, as the step keeps them.
type drafted struct {
	content.Draft
	Model string `json:"model"` // "provider/model"
}

// judged is a verdict and the model that gave it.
type judged struct {
	content.Verdict
	Model string `json:"model"`
	Same  bool   `json:"same_model"` // it wrote the text, too
}

// variant is one finished text with its verdicts.
type variant struct {
	ContentID   growth.ContentID     `json:"content_id"`
	Title       string               `json:"title"`
	Body        string               `json:"body"`
	Hashtags    []string             `json:"hashtags"`
	ImagePrompt string               `json:"image_prompt"`
	Score       int                  `json:"score"`
	ScoreParts  growth.ScoreParts    `json:"score_parts"`
	Status      growth.ContentStatus `json:"status"`
	Audit       growth.AuditState    `json:"audit"`
	Checks      []growth.Check       `json:"checks"`
	Revised     bool                 `json:"revised"` // the text is the revision, not the first draft
	Model       string               `json:"model"`
	JudgeModel  string               `json:"judge_model"`

	draft   drafted
	verdict judged
}

// Work writes, checks, revises once where needed, and saves every variant in the commit that ends the job.
func (w ContentWorker) Work(ctx context.Context, job *Job[ContentArgs]) error {
	if job.Args.Batch != nil {
		return w.batch(ctx, job)
	}
	wr, err := w.load(ctx, job)
	if err != nil {
		return err
	}
	n := max(job.Args.Variants, 1)
	wr.brief.Variants = n
	out := make([]variant, 0, n)
	for i := 1; i <= n; i++ {
		wr.brief.Variant = i
		v, err := w.variant(ctx, wr, i)
		if err != nil {
			return err
		}
		wr.near.Variants = append(wr.near.Variants, v.Body)
		out = append(out, v)
	}
	job.CompleteLate(func(ctx context.Context, tx *store.Tx) (any, []store.NewEvent, error) {
		now, err := wr.lookAgain(ctx, tx, out)
		if err != nil {
			return nil, nil, err
		}
		for i, v := range now {
			if err := wr.save(ctx, tx, i+1, v); err != nil {
				return nil, nil, err
			}
		}
		return map[string]any{"variants": now}, wr.events(now), nil
	})
	return nil
}

// lookAgain holds the texts against those that other jobs have saved since this one began. The jobs of a run begin
// together and often from one brief: what repeats another's text by now goes to a person.
func (wr *writing) lookAgain(ctx context.Context, tx *store.Tx, out []variant) ([]variant, error) {
	bodies, sketches, err := tx.TextsNow(ctx, wr.job.Job.Workspace, earlierPosts)
	if err != nil {
		return nil, err
	}
	again := *wr
	again.near = nearby(bodies, sketches)
	now := make([]variant, len(out))
	for i, v := range out {
		now[i] = again.finished(v.draft, again.check(v.draft, v.verdict), v.verdict)
		now[i].ContentID, now[i].Revised = v.ContentID, v.Revised
		again.near.Variants = append(again.near.Variants, v.Body)
	}
	return now, nil
}

func nearby(bodies []string, sketches [][]byte) content.Nearby {
	near := content.Nearby{Posts: bodies}
	for _, s := range sketches {
		near.Elsewhere = append(near.Elsewhere, s)
	}
	return near
}

// events tell that the texts are there, and which of them nobody has to approve.
func (wr *writing) events(out []variant) []store.NewEvent {
	ids, approved := []growth.ContentID{}, []store.NewEvent{}
	for _, v := range out {
		ids = append(ids, v.ContentID)
		if v.Status == growth.ContentApproved {
			approved = append(approved, event("content.approved", map[string]any{
				"content_id": v.ContentID, "job_id": wr.job.Job.ID, "campaign_id": wr.job.Job.CampaignID, "machine": true, "audit": v.Audit == growth.AuditOpen,
			}))
		}
	}
	return append([]store.NewEvent{event("content.ready", map[string]any{
		"job_id": wr.job.Job.ID, "campaign_id": wr.job.Job.CampaignID, "variants": len(out), "content_ids": ids, "approved": len(approved),
	})}, approved...)
}

func (w ContentWorker) load(ctx context.Context, job *Job[ContentArgs]) (*writing, error) {
	sc := w.Store.In(job.Job.Workspace)
	ws, err := sc.Workspace(ctx)
	if err != nil {
		return nil, err
	}
	wr := &writing{job: job, privacy: ws.Settings.Privacy}
	if wr.brand, err = w.brand(ctx, sc, ws, job.Args); err != nil {
		return nil, err
	}
	if wr.secret, err = sc.CallbackSecret(ctx); err != nil {
		return nil, err
	}
	if err := wr.remember(ctx, sc); err != nil {
		return nil, err
	}
	a := job.Args
	wr.brief = content.Brief{
		Topic: a.Topic, Brief: a.Brief, Audience: a.Audience, Tone: a.Tone, CTA: a.CTA, Link: a.Link, Hashtags: a.Hashtags,
		Language: first(a.Language, wr.brand.Language, ws.Settings.Language, "fr-CA"),
	}
	if a.LeadID == "" {
		return wr, nil
	}
	saved, err := sc.Lead(ctx, a.LeadID)
	if err != nil {
		return nil, err
	}
	if err := saved.Lead.Barred(time.Now()); err != nil {
		return nil, err
	}
	rubric, err := RubricOf(ctx, sc, ws.Settings.Rubric)
	if err != nil {
		return nil, err
	}
	wr.brief.Business, wr.hidden = lead.View(rubric, saved.Lead)
	return wr, nil
}

// brand chooses whose voice is written in: the kit that the job names, the workspace's default one, the one in its
// settings, else nothing but its name. Only what the workspace itself keeps can have earned trust: a kit that a job
// brings along has none, whatever it says.
func (w ContentWorker) brand(ctx context.Context, sc store.Scoped, ws growth.Workspace, a ContentArgs) (growth.Brand, error) {
	switch {
	case a.Brand != nil:
		return a.Brand.Kit(), nil
	case a.BrandID != "":
		return sc.Brand(ctx, a.BrandID)
	}
	b, found, err := sc.DefaultBrand(ctx)
	if err != nil || found {
		return b, err
	}
	if ws.Settings.Brand != nil {
		b = *ws.Settings.Brand
		b.ID = ""
	} else if ws.Slug != growth.DefaultWorkspace { // whose name is no brand
		b.Name = ws.Name
	}
	approved, err := sc.TrustOf(ctx, "", trustAfter(b))
	b.Trusted = max(b.Trusted, approved)
	return b, err
}

// trustAfter is how many of a brand's posts go to a person first, however good they are.
func trustAfter(b growth.Brand) int {
	if b.TrustAfter == nil {
		return content.DefaultTrustAfter
	}
	return *b.TrustAfter
}

// remember reads what was written before: what a new text must not repeat, and what it should learn from.
func (wr *writing) remember(ctx context.Context, sc store.Scoped) error {
	bodies, err := sc.RecentBodies(ctx, earlierPosts)
	if err != nil {
		return err
	}
	sketches, err := sc.SketchesElsewhere(ctx, earlierPosts)
	if err != nil {
		return err
	}
	wr.near = nearby(bodies, sketches)
	reasons, err := sc.RejectReasons(ctx, wr.brand.ID, shownLessons)
	for _, r := range reasons {
		runes := []rune(r)
		wr.lessons = append(wr.lessons, string(runes[:min(len(runes), maxLesson)]))
	}
	return err
}

// variant makes one text: draft, rules, judge, and one revision with the faults named.
func (w ContentWorker) variant(ctx context.Context, wr *writing, i int) (variant, error) {
	draft, err := Step(ctx, wr.job.Claim, fmt.Sprintf("draft-%d", i), func(ctx context.Context) (drafted, error) { return w.draft(ctx, wr, "draft") })
	if err != nil {
		return variant{}, err
	}
	verdict, err := Step(ctx, wr.job.Claim, fmt.Sprintf("judge-%d", i), func(ctx context.Context) (judged, error) { return w.judge(ctx, wr, draft, "judge") })
	if err != nil {
		return variant{}, err
	}
	checks, revised := wr.check(draft, verdict), false
	if faults := faultsOf(checks, verdict.Verdict); len(faults) > 0 {
		better, second, err := w.revise(ctx, wr, i, draft, faults)
		if err != nil {
			return variant{}, err
		}
		betterChecks := wr.check(better, second)
		if content.Score(betterChecks, &second.Verdict) >= content.Score(checks, &verdict.Verdict) {
			draft, verdict, checks, revised = better, second, betterChecks, true
		}
	}
	out := wr.finished(draft, checks, verdict)
	out.Revised = revised
	return out, nil
}

// check holds a text against the rules and against what the judge said of it.
func (wr *writing) check(d drafted, v judged) []growth.Check {
	checks := append(content.Check(d.Draft, wr.brief, wr.brand, wr.near), v.Checks()...)
	return append(checks, content.SameModel(d.Model, v.Model, v.Same))
}

// revise writes the text anew with the faults named and has it judged: two paid calls, so two steps.
func (w ContentWorker) revise(ctx context.Context, wr *writing, i int, draft drafted, faults []string) (drafted, judged, error) {
	again := *wr
	again.brief.Faults, again.brief.Draft = faults, &draft.Draft
	d, err := Step(ctx, wr.job.Claim, fmt.Sprintf("revise-%d", i), func(ctx context.Context) (drafted, error) { return w.draft(ctx, &again, "revise") })
	if err != nil {
		return d, judged{}, err
	}
	v, err := Step(ctx, wr.job.Claim, fmt.Sprintf("rejudge-%d", i), func(ctx context.Context) (judged, error) { return w.judge(ctx, wr, d, "rejudge") })
	return d, v, err
}

// faultsOf are the reasons for a revision: every rule that fails, and what the judge found wrong. Who judged is no fault
// of the text's.
func faultsOf(checks []growth.Check, v content.Verdict) []string {
	var texts []growth.Check
	for _, c := range checks {
		if c.Rule != content.RuleSameModel && c.Rule != content.RuleClaims {
			texts = append(texts, c)
		}
	}
	out := content.Faults(texts)
	for _, claim := range v.Unsupported() {
		out = append(out, "not supported by the brief: "+claim)
	}
	if v.Score < content.DefaultThreshold {
		out = append(out, v.Problems...)
	}
	return out
}

func (w ContentWorker) draft(ctx context.Context, wr *writing, step string) (drafted, error) {
	house := map[string]any{
		"brand": wr.brand.Kit(),
		"rules": map[string]any{
			"language": wr.brief.Language, "max_chars": content.MaxChars, "hashtags_min": content.MinHashtags, "hashtags_max": content.MaxHashtags,
		},
	}
	if len(wr.lessons) > 0 {
		house["lessons"] = wr.lessons
	}
	rules, err := json.Marshal(house)
	if err != nil {
		return drafted{}, fmt.Errorf("encode rules: %w", err)
	}
	system, err := prompts.Render(prompts.Content, map[string]any{
		"Rules": string(rules), "MaxChars": content.MaxChars, "HashtagsMin": content.MinHashtags, "HashtagsMax": content.MaxHashtags,
	})
	if err != nil {
		return drafted{}, err
	}
	user, err := wr.fence("BRIEF", wr.brief)
	if err != nil {
		return drafted{}, err
	}
	var d content.Draft
	a, err := w.ask(ctx, wr, router.Request{Task: growth.TaskContent, Step: step, Schema: content.Schema(), SchemaName: prompts.Content}, system, user,
		func(text string) (err error) { d, err = content.Decode(text); return err })
	return drafted{Draft: content.Typeset(d, wr.brief.Language), Model: modelOf(a)}, err
}

// judge has a text read by another model than the one that wrote it. Only where there is no other, the same one reads
// it, and the check of that name tells.
func (w ContentWorker) judge(ctx context.Context, wr *writing, d drafted, step string) (judged, error) {
	brand, err := json.Marshal(map[string]any{"brand": wr.brand.Kit()})
	if err != nil {
		return judged{}, fmt.Errorf("encode brand: %w", err)
	}
	system, err := prompts.Render(prompts.Judge, map[string]any{"Language": wr.brief.Language, "Brand": string(brand)})
	if err != nil {
		return judged{}, err
	}
	brief, err := wr.fence("BRIEF", wr.brief)
	if err != nil {
		return judged{}, err
	}
	post, err := wr.fence("POST", d.Draft)
	if err != nil {
		return judged{}, err
	}
	var v content.Verdict
	read := func(text string) (err error) { v, err = content.DecodeVerdict(text); return err }
	req := router.Request{Task: growth.TaskVerification, Step: step, Schema: content.JudgeSchema(), SchemaName: prompts.Judge, Except: d.Model}
	a, err := w.ask(ctx, wr, req, system, brief+"\n\n"+post, read)
	if chain, ok := errors.AsType[*router.ChainError](err); ok && chain.OnlyExcepted() {
		req.Except = ""
		a, err = w.ask(ctx, wr, req, system, brief+"\n\n"+post, read)
	}
	model := modelOf(a)
	return judged{Verdict: v, Model: model, Same: d.Model != "" && router.Lineage(model) == router.Lineage(d.Model)}, err
}

func modelOf(a router.Answer) string { return a.Provider + "/" + a.Model }

// ask makes one structured call; an answer that read turns down is the candidate's fault, and the next one is asked.
// Drafts are never cached across jobs: the same brief twice asks for two posts.
func (w ContentWorker) ask(ctx context.Context, wr *writing, req router.Request, system, user string, read func(string) error) (router.Answer, error) {
	job := wr.job
	req.Workspace, req.Campaign, req.Key, req.Job = job.Job.Workspace, job.campaign(), job.Job.KeyID, job.Job.ID
	req.Messages = []growth.Message{{Role: "system", Content: system}, {Role: "user", Content: user}}
	req.SchemaName = strings.ReplaceAll(req.SchemaName, ".", "_")
	req.Privacy, req.Ledger, req.RequestID, req.Accept = wr.privacy, job.Ledger(), job.Job.TraceID, read
	a, err := w.Chain.Complete(ctx, req)
	if err != nil {
		return a, err
	}
	if a.Simulated {
		job.Simulated()
	}
	return a, read(a.Text)
}

func (wr *writing) fence(kind string, data any) (string, error) {
	b, err := json.Marshal(data)
	if err != nil {
		return "", fmt.Errorf("encode %s: %w", strings.ToLower(kind), err)
	}
	return prompts.Fence(kind, wr.secret, b), nil
}

// finished puts private values back and decides whether a person has to look.
func (wr *writing) finished(d drafted, checks []growth.Check, v judged) variant {
	score, parts := content.Parts(checks, &v.Verdict)
	out := variant{
		ContentID: growth.ContentID(growth.NewID()), Title: wr.hidden.Restore(d.Title), Body: wr.hidden.Restore(d.Body),
		Hashtags: d.Hashtags, ImagePrompt: wr.hidden.Restore(d.ImagePrompt), Score: score, ScoreParts: parts,
		Status: growth.ContentInReview, Checks: checks, Model: d.Model, JudgeModel: v.Model,
		draft: d, verdict: v,
	}
	a := wr.job.Args.AutoApprove
	if a == nil {
		return out
	}
	threshold := a.Threshold
	if threshold == 0 {
		threshold = content.DefaultThreshold
	}
	ok, why := wr.approvable(checks, score, parts, threshold)
	if ok {
		out.Status = growth.ContentApproved
		if content.InAudit(content.Hash(out.Body, out.Title, out.Hashtags, "", nil)) {
			out.Audit = growth.AuditOpen
		}
	}
	out.Checks = append(out.Checks, growth.Check{Rule: "auto_approve", OK: ok, Detail: why})
	return out
}

func (wr *writing) approvable(checks []growth.Check, score int, parts growth.ScoreParts, threshold int) (bool, string) {
	if wr.job.Args.Brand != nil {
		return false, "the brand came with the job: its posts go to a person; make it a brand of the workspace"
	}
	return content.Approvable(checks, score, parts, threshold, wr.brand, trustAfter(wr.brand))
}

func (wr *writing) save(ctx context.Context, tx *store.Tx, n int, v variant) error {
	job := wr.job.Job
	c := growth.Content{
		ID: v.ContentID, JobID: &job.ID, CampaignID: job.CampaignID, Variant: n, Version: 1, Title: v.Title, Body: v.Body,
		Hashtags: v.Hashtags, ImagePrompt: v.ImagePrompt, Language: wr.brief.Language, Score: v.Score, Checks: v.Checks, Status: v.Status,
		ScoreParts: v.ScoreParts, PromptVersion: prompts.Content, Model: v.Model, JudgeModel: v.JudgeModel, Audit: v.Audit,
		Sketch: content.SketchOf(v.Body), Simulated: wr.job.ledger.simulated,
	}
	c.Hash = content.HashOf(c)
	if wr.brand.ID != "" {
		c.BrandID = &wr.brand.ID
	}
	if wr.job.Args.LeadID != "" {
		c.LeadID = &wr.job.Args.LeadID
	}
	_, err := tx.SaveContent(ctx, job.Workspace, c, store.ByMachine)
	return err
}
