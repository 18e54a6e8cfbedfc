package tasks

import (
	"context"
	"errors"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/store"
)

// defaultTwinRate is the share of leads that are read twice though nothing about them is suspicious: it shows injections
// that no suspicion knows of.
const defaultTwinRate = 0.05

// weigh scores what a model has read, against a second reading without the free text where one is due. The second
// reading goes into x as one more transfer. It is due when the lead's words are suspicious, when the first reading makes
// far more of them than the rules do, and now and then.
func (w QualifyWorker) weigh(ctx context.Context, job *Job[QualifyArgs], s scoring, x *extracted) (growth.Qualification, error) {
	twin, differs := lead.Twin(s.rubric, s.lead)
	over := x.By != growth.ScoredByRules && differs && lead.Overreaches(s.rubric, s.lead, x.Extraction)
	if x.By == growth.ScoredByRules || !differs || !over && !lead.WantsTwin(s.lead, s.fingerprint, w.twinRate()) {
		return lead.Score(s.rubric, s.lead, x.Extraction, x.By), nil
	}
	t, err := Step(ctx, job.Claim, "twin", func(ctx context.Context) (extracted, error) { return w.readTwin(ctx, job, s, twin) })
	if err != nil {
		return growth.Qualification{}, err
	}
	x.Providers, x.Simulated = append(x.Providers, t.Providers...), x.Simulated || t.Simulated
	if t.By == growth.ScoredByRules && !over && len(lead.Suspicions(s.lead)) == 0 { // nobody could read it, and nothing calls for it
		return lead.Score(s.rubric, s.lead, x.Extraction, x.By), nil
	}
	return lead.Weigh(s.rubric, s.lead, x.Extraction, t.Extraction, x.By), nil
}

func (w QualifyWorker) twinRate() float64 {
	if w.TwinRate == 0 {
		return defaultTwinRate
	}
	return w.TwinRate
}

// readTwin lets a model read the twin. Where none will, or can now, the rules do: the first reading is paid for, and a
// job does not wait for its second.
func (w QualifyWorker) readTwin(ctx context.Context, job *Job[QualifyArgs], s scoring, twin growth.Lead) (extracted, error) {
	s.lead = twin
	x, err := w.extract(ctx, job, s, "twin")
	if _, ok := errors.AsType[*router.ChainError](err); ok && ctx.Err() == nil && !errors.Is(err, store.ErrLeaseLost) {
		return extracted{By: growth.ScoredByRules, Extraction: lead.Rules(s.rubric, twin)}, nil
	}
	return x, err
}
