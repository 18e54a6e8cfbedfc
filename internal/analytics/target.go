package analytics

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

// Target is one of the promises of the product beside what was measured.
type Target struct {
	ID      string   `json:"id" enum:"cache,latency,uptime,cost,failover"`
	Goal    float64  `json:"goal"`
	Below   bool     `json:"below" doc:"The value must be below the goal; else above it"`
	Value   *float64 `json:"value" doc:"cache, uptime and failover: 0 to 1; latency: ms on average; cost: CAD per 1,000 requests; null: not enough data"`
	Samples int64    `json:"samples"`
	Unknown int64    `json:"unknown,omitempty" doc:"Samples whose share of the value nobody knows"`
	Verdict Verdict  `json:"verdict" enum:"met,missed,no_data,unknown"`
}

// Measured is what the targets are judged by.
type Measured struct {
	Hits, Misses int64 // of the cache
	Health       store.ChainHealth
	AvgMS        float64         // of the answered requests
	CAD          decimal.Decimal // for one US dollar
	CADKnown     bool
}

// Targets judges the five promises.
func Targets(m Measured) []Target {
	out := []Target{
		part(Target{ID: "cache", Goal: 0.60}, m.Hits, m.Hits+m.Misses),
		{ID: "latency", Goal: 2000, Below: true, Samples: m.Health.Answered},
		part(Target{ID: "uptime", Goal: 0.999}, m.Health.UpMinutes, m.Health.Minutes),
		cost(m),
		part(Target{ID: "failover", Goal: 0.95}, m.Health.FailoversOK, m.Health.Failovers),
	}
	if m.Health.Answered > 0 {
		out[1].Value = &m.AvgMS
	}
	for i := range out {
		out[i].Verdict = out[i].judge()
	}
	return out
}

func part(t Target, some, whole int64) Target {
	t.Samples = whole
	if whole > 0 {
		v := float64(some) / float64(whole)
		t.Value = &v
	}
	return t
}

// cost is Canadian dollars per 1,000 requests; a request that the cache answered counts, and costs nothing.
func cost(m Measured) Target {
	t := Target{ID: "cost", Goal: 5, Below: true, Samples: m.Health.Answered + m.Hits, Unknown: m.Health.Unknown}
	if t.Samples == 0 || !m.CADKnown {
		return t
	}
	v := m.Health.CostUSD.Mul(m.CAD).Mul(decimal.NewFromInt(1000)).Div(decimal.NewFromInt(t.Samples)).InexactFloat64()
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
