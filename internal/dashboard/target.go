package dashboard

import (
	"github.com/shopspring/decimal"

	"github.com/zakibelm/astrogrowth/internal/analytics"
	"github.com/zakibelm/astrogrowth/store"
)

// Verdict says how a target stands.
type Verdict = analytics.Verdict

// The verdicts.
const (
	VerdictMet    = analytics.VerdictMet
	VerdictMissed = analytics.VerdictMissed
	VerdictNone   = analytics.VerdictNone
	VerdictOpen   = analytics.VerdictOpen
)

// Target is one of the promises of the product beside what was measured in the last 7 days.
type Target = analytics.Target

// measured is what the targets are judged by.
type measured struct {
	days     []store.Day
	health   store.ChainHealth
	latency  store.Latency
	cad      decimal.Decimal
	cadKnown bool
}

// targets judges the five promises, as the API and the alerts do.
func targets(m measured) []Target {
	in := analytics.Measured{Health: m.health, AvgMS: m.latency.Avg, CAD: m.cad, CADKnown: m.cadKnown}
	for _, d := range m.days {
		in.Hits, in.Misses = in.Hits+d.Hits, in.Misses+d.Misses
	}
	return analytics.Targets(in)
}

// TargetGoal writes the goal of a target.
func (p *page) TargetGoal(t Target) string {
	switch t.ID {
	case "latency":
		return "< " + p.Lang.millis(t.Goal)
	case "cost":
		return "< " + p.Lang.amount(decimal.NewFromFloat(t.Goal), "CAD")
	case "uptime":
		return "≥ " + p.Lang.percent(t.Goal, 1)
	}
	return "> " + p.Lang.percent(t.Goal, 0)
}

// TargetValue writes what was measured.
func (p *page) TargetValue(t Target) string {
	switch {
	case t.Value == nil && t.Samples > 0:
		return p.T("unknown")
	case t.Value == nil:
		return "–"
	case t.ID == "latency":
		return p.Lang.millis(*t.Value)
	case t.ID == "cost":
		s := p.Lang.amount(decimal.NewFromFloat(*t.Value), "CAD")
		if t.Unknown > 0 {
			return "≥ " + s
		}
		return s
	case t.ID == "uptime":
		return p.Lang.percent(*t.Value, 2)
	}
	return p.Lang.percent(*t.Value, 1)
}
