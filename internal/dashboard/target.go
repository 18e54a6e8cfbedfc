package dashboard

import (
	"github.com/shopspring/decimal"

	"github.com/zakibelm/astrogrowth/store"
)

// Verdict says how a target stands.
type Verdict string

// The verdicts. VerdictOpen: something that the measure needs is not known.
const (
	VerdictMet    Verdict = "met"
	VerdictMissed Verdict = "missed"
	VerdictNone   Verdict = "no_data"
	VerdictOpen   Verdict = "unknown"
)

// Target is one of the promises of the product beside what was measured in the last 7 days.
type Target struct {
	ID      string   `json:"id"`
	Goal    float64  `json:"goal"`
	Below   bool     `json:"below"` // the value must be below the goal; else above it
	Value   *float64 `json:"value"` // null: not enough data yet
	Samples int64    `json:"samples"`
	Unknown int64    `json:"unknown,omitempty"` // samples whose share of the value nobody knows
	Verdict Verdict  `json:"verdict"`
}

// measured is what the targets are judged by.
type measured struct {
	days     []store.Day
	health   store.ChainHealth
	latency  store.Latency
	cad      decimal.Decimal
	cadKnown bool
}

// targets judges the five promises.
func targets(m measured) []Target {
	var hits, misses int64
	for _, d := range m.days {
		hits, misses = hits+d.Hits, misses+d.Misses
	}
	out := []Target{
		share(Target{ID: "cache", Goal: 0.60}, hits, hits+misses),
		{ID: "latency", Goal: 2000, Below: true, Samples: m.health.Answered},
		share(Target{ID: "uptime", Goal: 0.999}, m.health.UpMinutes, m.health.Minutes),
		cost(m, hits),
		share(Target{ID: "failover", Goal: 0.95}, m.health.FailoversOK, m.health.Failovers),
	}
	if m.health.Answered > 0 {
		out[1].Value = &m.latency.Avg
	}
	for i := range out {
		out[i].Verdict = out[i].judge()
	}
	return out
}

func share(t Target, part, whole int64) Target {
	t.Samples = whole
	if whole > 0 {
		v := float64(part) / float64(whole)
		t.Value = &v
	}
	return t
}

// cost is Canadian dollars per 1,000 requests; a request that the cache answered counts, and costs nothing.
func cost(m measured, hits int64) Target {
	t := Target{ID: "cost", Goal: 5, Below: true, Samples: m.health.Answered + hits, Unknown: m.health.Unknown}
	if t.Samples == 0 || !m.cadKnown {
		return t
	}
	v := m.health.CostUSD.Mul(m.cad).Mul(decimal.NewFromInt(1000)).Div(decimal.NewFromInt(t.Samples)).InexactFloat64()
	t.Value = &v
	return t
}

// judge compares the value with the goal. A sum with unknown parts can be too high already, but never low enough.
func (t Target) judge() Verdict {
	switch {
	case t.Value == nil && t.Samples > 0:
		return VerdictOpen
	case t.Value == nil:
		return VerdictNone
	case !t.reached(*t.Value):
		return VerdictMissed
	case t.Unknown > 0:
		return VerdictOpen
	}
	return VerdictMet
}

func (t Target) reached(v float64) bool {
	switch {
	case t.Below:
		return v < t.Goal
	case t.ID == "uptime":
		return v >= t.Goal
	}
	return v > t.Goal
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
