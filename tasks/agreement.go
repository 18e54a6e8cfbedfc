package tasks

import (
	"context"
	"errors"
	"fmt"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks/prompts"
)

// Bounds of a run of models over a golden set.
const (
	MaxGoldenLeads = 200
	MaxReaders     = 8
)

// Reader is a model whose reading of leads is looked at.
type Reader struct {
	Provider string `json:"provider" minLength:"1" maxLength:"100" example:"openrouter"`
	Model    string `json:"model" minLength:"1" maxLength:"200"`
}

func (r Reader) String() string { return r.Provider + "/" + r.Model }

// AgreementArgs ask how far models agree with a golden set, and with each other.
type AgreementArgs struct {
	Set     string   `json:"golden_set_id"`
	Readers []Reader `json:"candidates"`
}

// Type implements Args.
func (AgreementArgs) Type() growth.JobType { return growth.JobLeadAgreement }

// Validate implements Args.
func (a AgreementArgs) Validate() error {
	const op = "tasks.AgreementArgs"
	if !growth.ValidID(a.Set) {
		return growth.InvalidField(op, "golden_set_id", "use the id of a golden set, a UUID")
	}
	if len(a.Readers) == 0 || len(a.Readers) > MaxReaders {
		return growth.InvalidField(op, "candidates", "name 1 to %d models", MaxReaders)
	}
	seen := map[Reader]bool{}
	for i, r := range a.Readers {
		switch field := fmt.Sprintf("candidates[%d]", i); {
		case r.Provider == "" || r.Model == "":
			return growth.InvalidField(op, field, "name a provider and a model")
		case seen[r]:
			return growth.InvalidField(op, field, "this model comes twice")
		}
		seen[r] = true
	}
	return nil
}

// AgreementResult is the result of the job.
type AgreementResult struct {
	Set       string        `json:"golden_set_id"`
	Rubric    string        `json:"rubric"`
	Leads     int           `json:"leads"`
	Models    []ReaderScore `json:"candidates"`
	Pairs     []ReaderPair  `json:"pairs"`
	Simulated bool          `json:"simulated"`
}

// ReaderScore says how far one model agrees with people.
type ReaderScore struct {
	Reader
	Read    int              `json:"read"`
	Failed  map[string]int   `json:"failed"` // leads that it could not read, by code
	CostUSD decimal.Decimal  `json:"cost_usd"`
	Unknown int              `json:"unknown_costs"` // calls that are not in cost_usd, because nobody knows their cost
	Levels  lead.Agreement   `json:"levels"`
	Grade   lead.Agreement   `json:"grade"`
	Score   ScoreAgreement   `json:"score"`
	By      map[string]Exact `json:"by_criterion"`
}

// Exact is agreement on one criterion.
type Exact struct {
	Compared int      `json:"compared"`
	Equal    int      `json:"equal"`
	Kappa    *float64 `json:"kappa"`
}

// ScoreAgreement is how near two readers' scores are.
type ScoreAgreement struct {
	Compared   int      `json:"compared"`
	Equal      int      `json:"equal"`
	Difference *float64 `json:"mean_absolute_difference"`
}

// ReaderPair says how far two models agree with each other.
type ReaderPair struct {
	A      string         `json:"a"`
	B      string         `json:"b"`
	Levels lead.Agreement `json:"levels"`
	Grade  lead.Agreement `json:"grade"`
	Score  ScoreAgreement `json:"score"`
}

// AgreementWorker lets models read golden sets.
type AgreementWorker struct {
	Store *store.Store
	Chain Chain
}

// reading is what one model made of one lead; a step keeps it.
type reading struct {
	Levels  map[string]string `json:"levels,omitempty"`
	Score   int               `json:"score"`
	Grade   string            `json:"grade"`
	Failed  string            `json:"failed,omitempty"` // the code of what kept it from reading
	CostUSD decimal.Decimal   `json:"cost_usd"`
	Unknown int               `json:"unknown"`
}

// Work has every model read every lead, each in a step of its own, so that a restart pays nothing twice. A spent budget
// makes the job wait or end as its owner chose, like any other.
func (w AgreementWorker) Work(ctx context.Context, job *Job[AgreementArgs]) error {
	sc := w.Store.In(job.Job.Workspace)
	set, golden, err := sc.GoldenSet(ctx, job.Args.Set)
	if err != nil {
		return err
	}
	base, err := w.load(ctx, sc, set)
	if err != nil {
		return err
	}
	read := make([][]reading, len(job.Args.Readers))
	for i, r := range job.Args.Readers {
		read[i] = make([]reading, len(golden))
		for j, g := range golden {
			s := base
			s.lead = g.Lead
			read[i][j], err = Step(ctx, job.Claim, fmt.Sprintf("read-%d-%d", i, j), func(ctx context.Context) (reading, error) { return w.read(ctx, job, s, r) })
			if err != nil {
				return err
			}
		}
	}
	out := compare(job.Args.Readers, golden, read)
	out.Set, out.Rubric, out.Simulated = set.ID, set.Rubric, job.ledger.simulated
	return job.Complete(out, nil)
}

func (w AgreementWorker) load(ctx context.Context, sc store.Scoped, set store.GoldenSet) (scoring, error) {
	ws, err := sc.Workspace(ctx)
	if err != nil {
		return scoring{}, err
	}
	secret, err := sc.CallbackSecret(ctx)
	if err != nil {
		return scoring{}, err
	}
	rubric, err := RubricOf(ctx, sc, set.Rubric)
	if err != nil {
		return scoring{}, err
	}
	s := scoring{icp: ws.Settings.ICP, language: first(set.Language, ws.Settings.Language, "fr-CA"), privacy: ws.Settings.Privacy, secret: secret}
	s.rubric = rubric.In(s.language)
	return s, nil
}

// read asks one model, and no other, about one lead. What it cannot or will not read is a result too.
func (w AgreementWorker) read(ctx context.Context, job *Job[AgreementArgs], s scoring, r Reader) (reading, error) {
	view, _ := lead.View(s.rubric, s.lead)
	messages, err := s.messages(view)
	if err != nil {
		return reading{}, err
	}
	a, err := w.Chain.Complete(ctx, router.Request{
		Task: growth.TaskQualification, Workspace: job.Job.Workspace, Campaign: job.campaign(), Key: job.Job.KeyID, Job: job.Job.ID, Step: "agreement",
		Messages: messages, Schema: lead.Schema(s.rubric), SchemaName: "extraction", Privacy: s.privacy, Cache: router.CacheNone,
		Scope: s.rubric.ID() + " " + prompts.Qualification, Force: &growth.Call{Provider: r.Provider, Model: r.Model}, Ledger: job.Ledger(),
		RequestID: job.Job.TraceID, Accept: func(text string) error { return acceptExtraction(s.rubric, text, view) },
	})
	if err != nil {
		return cannotRead(job, err)
	}
	if a.Simulated {
		job.Simulated()
	}
	e, err := lead.Decode(a.Text)
	if err != nil {
		return reading{Failed: growth.Malformed.String()}, nil //nolint:nilerr // Accept has read it before
	}
	e = e.WithoutEcho(messages[0].Content)
	q := lead.Score(s.rubric, s.lead, e, growth.ScoredByModel)
	out := reading{Levels: map[string]string{}, Score: q.Score, Grade: q.Grade}
	for _, f := range e.Criteria {
		out.Levels[f.Criterion] = f.Level
	}
	out.spend(a.Calls)
	return out, nil
}

// cannotRead tells a model that fails from a chain that only has to wait.
func cannotRead(job *Job[AgreementArgs], err error) (reading, error) {
	chain, ok := errors.AsType[*router.ChainError](err)
	if !ok || chain.Reason != "" || chain.Final || errors.Is(err, store.ErrLeaseLost) || chain.Fault.Code == growth.Canceled {
		return reading{}, err
	}
	if chain.Fault.Code == growth.Unavailable && job.Job.Attempts < job.Job.MaxAttempts {
		return reading{}, err
	}
	out := reading{Failed: chain.Fault.Code.String()}
	out.spend(chain.Calls)
	return out, nil
}

// spend adds up what calls cost, and counts those of which nobody knows.
func (r *reading) spend(calls []growth.Call) {
	for _, c := range calls {
		switch {
		case c.Decision == growth.DecisionSkipped:
		case c.Cost.USD == nil:
			r.Unknown++
		default:
			r.CostUSD = r.CostUSD.Add(*c.Cost.USD)
		}
	}
}

// compare holds every model against people, and against each other model.
func compare(readers []Reader, golden []store.GoldenLead, read [][]reading) AgreementResult {
	people := make([]reading, len(golden))
	for j, g := range golden {
		people[j] = reading{Levels: g.Expected.Levels, Grade: g.Expected.Grade, Score: -1}
		if g.Expected.Score != nil {
			people[j].Score = *g.Expected.Score
		}
	}
	out := AgreementResult{Leads: len(golden), Models: []ReaderScore{}, Pairs: []ReaderPair{}}
	for i, r := range readers {
		m := ReaderScore{Reader: r, Failed: map[string]int{}, By: map[string]Exact{}}
		for _, one := range read[i] {
			m.CostUSD, m.Unknown = m.CostUSD.Add(one.CostUSD), m.Unknown+one.Unknown
			if one.Failed != "" {
				m.Failed[one.Failed]++
				continue
			}
			m.Read++
		}
		c := compared(people, read[i])
		m.Levels, m.Grade, m.Score = lead.AgreeOn(c.levels), lead.Agree(c.grades), c.score()
		for criterion, pairs := range c.levels {
			a := lead.Agree(pairs)
			m.By[criterion] = Exact{Compared: a.Compared, Equal: a.Equal, Kappa: a.Kappa}
		}
		out.Models = append(out.Models, m)
		for k := range i {
			c := compared(read[k], read[i])
			out.Pairs = append(out.Pairs, ReaderPair{
				A: readers[k].String(), B: r.String(), Levels: lead.AgreeOn(c.levels), Grade: lead.Agree(c.grades), Score: c.score(),
			})
		}
	}
	return out
}

// comparison is what two readers both said.
type comparison struct {
	levels map[string][]lead.Pair
	grades []lead.Pair
	scores [][2]int
}

// compared leaves out what either of the two did not say.
func compared(a, b []reading) comparison {
	c := comparison{levels: map[string][]lead.Pair{}}
	for j := range a {
		if a[j].Failed != "" || b[j].Failed != "" {
			continue
		}
		for criterion, level := range a[j].Levels {
			if other, said := b[j].Levels[criterion]; said {
				c.levels[criterion] = append(c.levels[criterion], lead.Pair{A: level, B: other})
			}
		}
		if a[j].Grade != "" && b[j].Grade != "" {
			c.grades = append(c.grades, lead.Pair{A: a[j].Grade, B: b[j].Grade})
		}
		if a[j].Score >= 0 && b[j].Score >= 0 {
			c.scores = append(c.scores, [2]int{a[j].Score, b[j].Score})
		}
	}
	return c
}

func (c comparison) score() ScoreAgreement {
	out := ScoreAgreement{Compared: len(c.scores), Difference: lead.Apart(c.scores)}
	for _, s := range c.scores {
		if s[0] == s[1] {
			out.Equal++
		}
	}
	return out
}
