package tasks

import (
	"context"
	"encoding/json"
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

// ContentArgs ask for one or several variants of a LinkedIn post.
type ContentArgs struct {
	LeadID      growth.LeadID `json:"lead_id,omitempty"`
	Topic       string        `json:"topic,omitempty"`
	Brief       string        `json:"brief,omitempty"`
	Brand       *growth.Brand `json:"brand,omitempty"` // nil: the workspace's
	Language    string        `json:"language,omitempty"`
	Tone        string        `json:"tone,omitempty"`
	Audience    string        `json:"audience,omitempty"`
	CTA         string        `json:"cta,omitempty"`
	Link        string        `json:"link,omitempty"`
	Hashtags    []string      `json:"hashtags,omitempty"`
	Variants    int           `json:"variants,omitempty"`     // 1 to 5; 0 means 1
	AutoApprove *AutoApprove  `json:"auto_approve,omitempty"` // nil: a person approves
}

// AutoApprove lets the machine approve what is good enough, within the brand's trust.
type AutoApprove struct {
	Threshold int `json:"threshold"` // 0 to 100; 0 means 70
}

// Type implements Args.
func (ContentArgs) Type() growth.JobType { return growth.JobContentGeneration }

// Validate implements Args.
func (a ContentArgs) Validate() error {
	const op = "tasks.ContentArgs"
	switch {
	case a.LeadID == "" && strings.TrimSpace(a.Topic) == "" && strings.TrimSpace(a.Brief) == "":
		return growth.InvalidField(op, "topic", "give a topic, a brief, a lead or a lead_id")
	case a.LeadID != "" && !growth.ValidID(string(a.LeadID)):
		return growth.InvalidField(op, "lead_id", "use the id of a lead, a UUID")
	case a.Variants < 0 || a.Variants > 5:
		return growth.InvalidField(op, "variants", "use 1 to 5")
	case len(a.Topic) > 1000:
		return growth.InvalidField(op, "topic", "use at most 1000 bytes")
	case len(a.Brief) > 20000:
		return growth.InvalidField(op, "brief", "use at most 20000 bytes")
	case len(a.Hashtags) > 5:
		return growth.InvalidField(op, "hashtags", "use at most 5")
	case a.AutoApprove != nil && (a.AutoApprove.Threshold < 0 || a.AutoApprove.Threshold > 100):
		return growth.InvalidField(op, "auto_approve.threshold", "use 0 to 100")
	}
	return validLanguage(op, a.Language)
}

// The brand's first posts always go to a person, however good they are.
const trustAfter = 5

// defaultThreshold is the score from which a trusted brand's post is approved by itself.
const defaultThreshold = 70

// earlierPosts is with how many of the workspace's newest texts a new one is compared.
const earlierPosts = 50

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
	earlier []string
	hidden  lead.Secrets
}

// variant is one finished text with its verdicts.
type variant struct {
	ContentID   growth.ContentID     `json:"content_id"`
	Title       string               `json:"title"`
	Body        string               `json:"body"`
	Hashtags    []string             `json:"hashtags"`
	ImagePrompt string               `json:"image_prompt"`
	Score       int                  `json:"score"`
	Status      growth.ContentStatus `json:"status"`
	Checks      []growth.Check       `json:"checks"`
}

// Work writes, checks, revises once where needed, and saves every variant in the commit that ends the job.
func (w ContentWorker) Work(ctx context.Context, job *Job[ContentArgs]) error {
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
		wr.earlier = append(wr.earlier, v.Body)
		out = append(out, v)
	}
	return job.Complete(map[string]any{"variants": out}, func(ctx context.Context, tx *store.Tx) error {
		for i, v := range out {
			if err := wr.save(ctx, tx, i+1, v); err != nil {
				return err
			}
		}
		return nil
	}, event("content.ready", map[string]any{"job_id": job.Job.ID, "variants": n}))
}

func (w ContentWorker) load(ctx context.Context, job *Job[ContentArgs]) (*writing, error) {
	sc := w.Store.In(job.Job.Workspace)
	ws, err := sc.Workspace(ctx)
	if err != nil {
		return nil, err
	}
	wr := &writing{job: job, privacy: ws.Settings.Privacy}
	switch {
	case job.Args.Brand != nil:
		wr.brand = *job.Args.Brand
	case ws.Settings.Brand != nil:
		wr.brand = *ws.Settings.Brand
	case ws.Slug != growth.DefaultWorkspace: // whose name is no brand
		wr.brand = growth.Brand{Name: ws.Name}
	}
	if wr.secret, err = sc.CallbackSecret(ctx); err != nil {
		return nil, err
	}
	if wr.earlier, err = sc.RecentBodies(ctx, earlierPosts); err != nil {
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

// variant makes one text: draft, rules, judge, and one revision with the faults named.
func (w ContentWorker) variant(ctx context.Context, wr *writing, i int) (variant, error) {
	draft, err := Step(ctx, wr.job.Claim, fmt.Sprintf("draft-%d", i), func(ctx context.Context) (content.Draft, error) { return w.draft(ctx, wr, "draft") })
	if err != nil {
		return variant{}, err
	}
	verdict, err := Step(ctx, wr.job.Claim, fmt.Sprintf("judge-%d", i), func(ctx context.Context) (content.Verdict, error) { return w.judge(ctx, wr, draft, "judge") })
	if err != nil {
		return variant{}, err
	}
	checks := wr.check(draft, verdict)
	if faults := faultsOf(checks, verdict); len(faults) > 0 {
		better, second, err := w.revise(ctx, wr, i, draft, faults)
		if err != nil {
			return variant{}, err
		}
		betterChecks := wr.check(better, second)
		if content.Score(betterChecks, &second) >= content.Score(checks, &verdict) {
			draft, verdict, checks = better, second, betterChecks
		}
	}
	return wr.finished(draft, checks, verdict), nil
}

// check holds a text against the rules and against what the judge said of it.
func (wr *writing) check(d content.Draft, v content.Verdict) []growth.Check {
	return append(content.Check(d, wr.brief, wr.brand, wr.earlier), v.Checks()...)
}

// revise writes the text anew with the faults named and has it judged: two paid calls, so two steps.
func (w ContentWorker) revise(ctx context.Context, wr *writing, i int, draft content.Draft, faults []string) (content.Draft, content.Verdict, error) {
	again := *wr
	again.brief.Faults, again.brief.Draft = faults, &draft
	d, err := Step(ctx, wr.job.Claim, fmt.Sprintf("revise-%d", i), func(ctx context.Context) (content.Draft, error) { return w.draft(ctx, &again, "revise") })
	if err != nil {
		return d, content.Verdict{}, err
	}
	v, err := Step(ctx, wr.job.Claim, fmt.Sprintf("rejudge-%d", i), func(ctx context.Context) (content.Verdict, error) { return w.judge(ctx, wr, d, "rejudge") })
	return d, v, err
}

// faultsOf are the reasons for a revision: every hard rule that fails, and what the judge found wrong.
func faultsOf(checks []growth.Check, v content.Verdict) []string {
	out := content.Faults(checks)
	for _, claim := range v.Unsupported() {
		out = append(out, "not supported by the brief: "+claim)
	}
	if v.Score < defaultThreshold {
		out = append(out, v.Problems...)
	}
	return out
}

func (w ContentWorker) draft(ctx context.Context, wr *writing, step string) (content.Draft, error) {
	rules, err := json.Marshal(map[string]any{
		"brand": wr.brand,
		"rules": map[string]any{"language": wr.brief.Language, "max_chars": maxPost, "hashtags_min": 3, "hashtags_max": 5},
	})
	if err != nil {
		return content.Draft{}, fmt.Errorf("encode rules: %w", err)
	}
	system, err := prompts.Render(prompts.Content, map[string]any{"Rules": string(rules), "MaxChars": maxPost, "HashtagsMin": 3, "HashtagsMax": 5})
	if err != nil {
		return content.Draft{}, err
	}
	user, err := wr.fence("BRIEF", wr.brief)
	if err != nil {
		return content.Draft{}, err
	}
	var d content.Draft
	err = w.ask(ctx, wr, growth.TaskContent, step, system, user, content.Schema(), prompts.Content, &d)
	return d, err
}

const maxPost = 3000

func (w ContentWorker) judge(ctx context.Context, wr *writing, d content.Draft, step string) (content.Verdict, error) {
	brand, err := json.Marshal(map[string]any{"brand": wr.brand})
	if err != nil {
		return content.Verdict{}, fmt.Errorf("encode brand: %w", err)
	}
	system, err := prompts.Render(prompts.Judge, map[string]any{"Language": wr.brief.Language, "Brand": string(brand)})
	if err != nil {
		return content.Verdict{}, err
	}
	brief, err := wr.fence("BRIEF", wr.brief)
	if err != nil {
		return content.Verdict{}, err
	}
	post, err := wr.fence("POST", d)
	if err != nil {
		return content.Verdict{}, err
	}
	var v content.Verdict
	err = w.ask(ctx, wr, growth.TaskVerification, step, system, brief+"\n\n"+post, content.JudgeSchema(), prompts.Judge, &v)
	return v, err
}

// ask makes one structured call. Drafts are never cached across jobs: the same brief twice asks for two posts.
func (w ContentWorker) ask(ctx context.Context, wr *writing, task growth.TaskType, step, system, user string, schema json.RawMessage, version string, out any) error {
	a, err := w.Chain.Complete(ctx, router.Request{
		Task: task, Workspace: wr.job.Job.Workspace, Campaign: wr.job.campaign(), Key: wr.job.Job.KeyID, Job: wr.job.Job.ID, Step: step,
		Messages: []growth.Message{{Role: "system", Content: system}, {Role: "user", Content: user}},
		Schema:   schema, SchemaName: strings.ReplaceAll(version, ".", "_"), Privacy: wr.privacy, Ledger: wr.job.Ledger(), RequestID: wr.job.Job.TraceID,
	})
	if err != nil {
		return err
	}
	if a.Simulated {
		wr.job.Simulated()
	}
	if err := json.Unmarshal([]byte(a.Text), out); err != nil {
		return growth.Errorf(growth.Malformed, "tasks.content", "the answer does not decode")
	}
	return nil
}

func (wr *writing) fence(kind string, data any) (string, error) {
	b, err := json.Marshal(data)
	if err != nil {
		return "", fmt.Errorf("encode %s: %w", strings.ToLower(kind), err)
	}
	return prompts.Fence(kind, wr.secret, b), nil
}

// finished puts private values back and decides whether a person has to look.
func (wr *writing) finished(d content.Draft, checks []growth.Check, v content.Verdict) variant {
	out := variant{
		ContentID: growth.ContentID(growth.NewID()), Title: wr.hidden.Restore(d.Title), Body: wr.hidden.Restore(d.Body),
		Hashtags: d.Hashtags, ImagePrompt: wr.hidden.Restore(d.ImagePrompt), Score: content.Score(checks, &v),
		Status: growth.ContentInReview, Checks: checks,
	}
	if a := wr.job.Args.AutoApprove; a != nil {
		threshold := a.Threshold
		if threshold == 0 {
			threshold = defaultThreshold
		}
		ok, why := content.Approvable(checks, out.Score, threshold, wr.brand, trustAfter)
		if ok {
			out.Status = growth.ContentApproved
		}
		out.Checks = append(out.Checks, growth.Check{Rule: "auto_approve", OK: ok, Detail: why})
	}
	return out
}

func (wr *writing) save(ctx context.Context, tx *store.Tx, n int, v variant) error {
	job := wr.job.Job
	c := growth.Content{
		ID: v.ContentID, JobID: &job.ID, CampaignID: job.CampaignID, Variant: n, Version: 1, Title: v.Title, Body: v.Body,
		Hashtags: v.Hashtags, ImagePrompt: v.ImagePrompt, Language: wr.brief.Language, Score: v.Score, Checks: v.Checks, Status: v.Status,
		Hash: content.Hash(v.Body, v.Title, v.Hashtags, "", nil), Simulated: wr.job.ledger.simulated,
	}
	if wr.job.Args.LeadID != "" {
		c.LeadID = &wr.job.Args.LeadID
	}
	_, err := tx.SaveContent(ctx, job.Workspace, c, "machine")
	return err
}
