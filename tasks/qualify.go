package tasks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks/prompts"
)

// QualifyArgs ask for the score of a lead that is in the store: the job itself carries no personal data.
type QualifyArgs struct {
	LeadID   growth.LeadID `json:"lead_id"`
	ICP      string        `json:"icp,omitempty"`      // empty: the workspace's
	Rubric   string        `json:"rubric,omitempty"`   // empty: the workspace's
	Language string        `json:"language,omitempty"` // empty: the workspace's
}

// Type implements Args.
func (QualifyArgs) Type() growth.JobType { return growth.JobLeadQualification }

// Validate implements Args.
func (a QualifyArgs) Validate() error {
	const op = "tasks.QualifyArgs"
	if !growth.ValidID(string(a.LeadID)) {
		return growth.InvalidField(op, "lead_id", "use the id of a lead, a UUID")
	}
	if len(a.ICP) > 8000 {
		return growth.InvalidField(op, "icp", "use at most 8000 bytes")
	}
	if a.Rubric != "" && BuiltInRubric(a.Rubric) {
		if _, err := lead.Load(a.Rubric); err != nil {
			return err
		}
	}
	if err := validRubric(op, a.Rubric); err != nil {
		return err
	}
	return validLanguage(op, a.Language)
}

func validLanguage(op, language string) error {
	base, _, _ := strings.Cut(strings.ToLower(language), "-")
	if language == "" || base == "fr" || base == "en" {
		return nil
	}
	return growth.InvalidField(op, "language", "use a French or English tag such as fr-CA or en-CA")
}

// Chain is the router as the workers use it.
type Chain interface {
	Complete(ctx context.Context, req router.Request) (router.Answer, error)
}

// QualifyWorker scores leads.
type QualifyWorker struct {
	Store    *store.Store
	Chain    Chain
	Live     bool    // no simulator stands in for the providers: what one scored is scored anew
	TwinRate float64 // share of unsuspicious leads that are read a second time without their free text; 0: 0.05, below 0: none
}

// scoring is everything that one score rests on.
type scoring struct {
	lead        growth.Lead
	rubric      lead.Rubric
	icp         string
	language    string
	privacy     growth.PrivacyClass
	fingerprint string
	current     string // the fingerprint of the score in force
	secret      []byte
}

// Work scores a lead: reuse what is known, gate, let a model extract, add up, save.
func (w QualifyWorker) Work(ctx context.Context, job *Job[QualifyArgs]) error {
	s, err := w.load(ctx, job)
	if err != nil {
		return err
	}
	kept, ok, err := w.Store.In(job.Job.Workspace).LatestQualification(ctx, s.lead.ID, s.fingerprint)
	if err != nil {
		return err
	}
	if ok && (kept.ScoredBy != growth.ScoredByRules || len(kept.Disqualifiers) > 0) && (!w.Live || !kept.Simulated) {
		kept.Reused = true
		if kept.Simulated {
			job.Simulated()
		}
		if s.current != s.fingerprint { // the lead is again what it was before its newest score
			return w.save(job, s, kept, extracted{})
		}
		return job.Complete(kept, nil, qualified(kept))
	}
	if len(lead.Gates(s.rubric, s.lead)) > 0 { // out of the question: no model is asked
		q := lead.Score(s.rubric, s.lead, lead.Rules(s.rubric, s.lead), growth.ScoredByRules)
		return w.save(job, s, q, extracted{})
	}
	x, err := Step(ctx, job.Claim, "extract", func(ctx context.Context) (extracted, error) { return w.extract(ctx, job, s, "extract") })
	if err != nil {
		if !w.giveUp(job, err) {
			return err
		}
		// None of the models gave an answer; what they were sent was sent all the same.
		asked, err := w.Store.In(job.Job.Workspace).CallsOfJob(ctx, job.Job.ID)
		if err != nil {
			return err
		}
		x = extracted{By: growth.ScoredByRules, Extraction: lead.Rules(s.rubric, s.lead), Providers: sent(asked)}
	}
	q, err := w.weigh(ctx, job, s, &x)
	if err != nil {
		return err
	}
	q.Model, q.PromptVersion, q.Simulated = x.Model, prompts.Qualification, x.Simulated
	return w.save(job, s, q, x)
}

func (w QualifyWorker) load(ctx context.Context, job *Job[QualifyArgs]) (scoring, error) {
	sc := w.Store.In(job.Job.Workspace)
	saved, err := sc.Lead(ctx, job.Args.LeadID)
	if err != nil {
		return scoring{}, err
	}
	if err := saved.Lead.Barred(time.Now()); err != nil {
		return scoring{}, err
	}
	ws, err := sc.Workspace(ctx)
	if err != nil {
		return scoring{}, err
	}
	secret, err := sc.CallbackSecret(ctx)
	if err != nil {
		return scoring{}, err
	}
	s := scoring{
		lead: saved.Lead, icp: first(job.Args.ICP, ws.Settings.ICP), language: first(job.Args.Language, ws.Settings.Language, "fr-CA"),
		privacy: ws.Settings.Privacy, current: saved.Fingerprint, secret: secret,
	}
	rubric, err := RubricOf(ctx, sc, first(job.Args.Rubric, ws.Settings.Rubric))
	if err != nil {
		return scoring{}, err
	}
	s.rubric = rubric.In(s.language)
	s.fingerprint = lead.Fingerprint(s.lead, s.rubric, s.icp)
	return s, nil
}

// extracted is what the step "extract" keeps.
type extracted struct {
	Extraction lead.Extraction `json:"extraction"`
	By         growth.ScoredBy `json:"by"`
	Model      string          `json:"model"`
	Simulated  bool            `json:"simulated,omitempty"`
	Providers  []growth.Call   `json:"calls,omitempty"` // to whom the lead's fields went
}

func (w QualifyWorker) extract(ctx context.Context, job *Job[QualifyArgs], s scoring, step string) (extracted, error) {
	view, _ := lead.View(s.rubric, s.lead)
	messages, err := s.messages(view)
	if err != nil {
		return extracted{}, err
	}
	a, err := w.Chain.Complete(ctx, router.Request{
		Task: growth.TaskQualification, Workspace: job.Job.Workspace, Campaign: job.campaign(), Key: job.Job.KeyID, Job: job.Job.ID, Lead: s.lead.ID, Step: step, Messages: messages,
		Schema: lead.Schema(s.rubric), SchemaName: "extraction", Privacy: s.privacy, Cache: router.CacheExact,
		Scope: s.rubric.ID() + " " + prompts.Qualification, Ledger: job.Ledger(), RequestID: job.Job.TraceID,
		Accept: func(text string) error { return acceptExtraction(s.rubric, text, view) },
	})
	if err != nil {
		return extracted{}, err
	}
	if a.Simulated {
		job.Simulated()
	}
	e, err := lead.Decode(a.Text)
	if err != nil {
		return extracted{}, growth.Errorf(growth.Malformed, "tasks.extract", "the answer does not decode")
	}
	x := extracted{Extraction: e.WithoutEcho(messages[0].Content), By: growth.ScoredByModel, Model: a.Provider + "/" + a.Model, Providers: sent(a.Calls)}
	x.Simulated = a.Simulated
	if a.FallbackAttempts > 0 {
		x.By = growth.ScoredByFallback
	}
	return x, nil
}

// sent keeps of each call no more than the transfer ledger needs.
func sent(calls []growth.Call) []growth.Call {
	var out []growth.Call
	for _, c := range calls {
		if c.Decision != growth.DecisionSkipped {
			out = append(out, growth.Call{Provider: c.Provider, Model: c.Model, Decision: c.Decision})
		}
	}
	return out
}

func (s scoring) messages(view map[string]string) ([]growth.Message, error) {
	system, err := prompts.Render(prompts.Qualification, map[string]any{
		"Language": s.language, "Questions": string(lead.Questions(s.rubric, s.icp)),
	})
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(view)
	if err != nil {
		return nil, fmt.Errorf("encode lead: %w", err)
	}
	return []growth.Message{{Role: "system", Content: system}, {Role: "user", Content: prompts.Fence("LEAD", s.secret, data)}}, nil
}

// acceptExtraction turns down what the schema cannot see: quotes that do not stand in the lead.
func acceptExtraction(r lead.Rubric, text string, view map[string]string) error {
	e, err := lead.Decode(text)
	if err != nil {
		return err
	}
	faults := lead.Check(r, e, view)
	if len(faults) == 0 {
		return nil
	}
	words := make([]string, 0, len(faults))
	for _, f := range faults {
		words = append(words, f.String())
	}
	return errors.New(strings.Join(words, "; "))
}

// maxPatience is how old a job may grow while it waits for a model before the rules score it.
const maxPatience = 24 * time.Hour

// giveUp says whether the rules shall score: when no model can or will read this lead, or the last attempt has failed.
// A wait is not a failure, until it has lasted too long.
func (w QualifyWorker) giveUp(job *Job[QualifyArgs], err error) bool {
	if errors.Is(err, store.ErrLeaseLost) {
		return false
	}
	chain, ok := errors.AsType[*router.ChainError](err)
	if !ok {
		return false
	}
	if chain.Final { // the owner of the budget said stop
		return false
	}
	if chain.Reason != "" {
		return time.Since(job.Job.CreatedAt) > maxPatience
	}
	switch chain.Fault.Code {
	case growth.Refused, growth.TooLong, growth.Malformed, growth.Invalid, growth.TooLarge: // another attempt would end alike
		return true
	case growth.Canceled:
		return false
	default:
		return job.Job.Attempts >= job.Job.MaxAttempts
	}
}

func (w QualifyWorker) save(job *Job[QualifyArgs], s scoring, q growth.Qualification, x extracted) error {
	q.LeadID = s.lead.ID
	view, _ := lead.View(s.rubric, s.lead)
	fields := shared(view)
	return job.Complete(q, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.SaveQualification(ctx, job.Job, q, s.fingerprint); err != nil {
			return err
		}
		return tx.AddTransfers(ctx, job.Job, q.LeadID, x.Providers, fields)
	}, qualified(q))
}

// shared lists the fields whose values a provider was shown; of a private field it saw no more than a placeholder.
func shared(view map[string]string) []string {
	var out []string
	for _, field := range slices.Sorted(maps.Keys(view)) {
		if !placeholder.MatchString(view[field]) {
			out = append(out, field)
		}
	}
	return out
}

var placeholder = regexp.MustCompile(`^\[[A-Z]+_[0-9]+\]$`)

func qualified(q growth.Qualification) store.NewEvent {
	return event("lead.qualified", map[string]any{"lead_id": q.LeadID, "score": q.Score, "grade": q.Grade, "priority": q.Priority})
}

func first(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}
