// Package analytics turns the ledger into the numbers that people steer by: summaries, the five targets, forecasts, the
// outlook of budgets, and what is wrong. There is one set of them, whoever asks: the REST calls, the calls of older
// clients, the pages and the alerts. It refuses to know HTTP, Redis and SQL, and who may see what.
package analytics

import (
	"context"
	"time"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

// Desk answers questions about workspaces. Store, Currency and Rate are required.
type Desk struct {
	Store    *store.Store
	Currency string                                             // in which money is shown
	Rate     func(ctx context.Context) (decimal.Decimal, error) // units of Currency for one US dollar; not asked when that is USD
	Now      func() time.Time                                   // nil: time.Now
}

func (d Desk) now() time.Time {
	if d.Now == nil {
		return time.Now().UTC()
	}
	return d.Now().UTC()
}

// rate is the currency's units for one US dollar.
func (d Desk) rate(ctx context.Context) (decimal.Decimal, error) {
	if d.Currency == "USD" {
		return decimal.NewFromInt(1), nil
	}
	return d.Rate(ctx)
}

// Canadian is the same desk with its amounts in Canadian dollars, whatever the installation shows.
func (d Desk) Canadian() Desk {
	from := d
	d.Currency, d.Rate = "CAD", func(ctx context.Context) (decimal.Decimal, error) {
		rate, known := from.canadian(ctx)
		if !known {
			return rate, growth.Errorf(growth.Unavailable, "analytics.Canadian", "the rate of the Canadian dollar is not known: set FX_USD_CAD")
		}
		return rate, nil
	}
	return d
}

// canadian is the rate of the Canadian dollar, in which one of the targets is stated.
func (d Desk) canadian(ctx context.Context) (rate decimal.Decimal, known bool) {
	var err error
	if d.Currency == "CAD" {
		rate, err = d.rate(ctx)
	} else {
		rate, _, err = d.Store.Rate(ctx, "CAD")
	}
	return rate, err == nil && rate.IsPositive()
}

// Latency is how long answered requests took, in milliseconds. Times of a second and more are kept to three significant
// digits.
type Latency struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Avg float64 `json:"avg"`
}

// Activity is what a group of requests to providers did.
type Activity struct {
	Calls        int64            `json:"calls"`
	Failed       int64            `json:"failed"`
	Answered     int64            `json:"answered" doc:"Requests whose answer was accepted"`
	Tokens       int64            `json:"tokens"`
	TokensIn     int64            `json:"tokens_in"`
	TokensOut    int64            `json:"tokens_out"`
	Cost         *decimal.Decimal `json:"cost" doc:"In the currency of the summary; without the calls whose cost is unknown; null when it is unknown of all"`
	Reported     decimal.Decimal  `json:"cost_reported" doc:"Of the cost, what providers reported"`
	Priced       decimal.Decimal  `json:"cost_priced" doc:"Of the cost, tokens times a price list"`
	Settled      decimal.Decimal  `json:"cost_settled" doc:"Of the cost, what a person said"`
	UnknownCosts int64            `json:"unknown_costs" doc:"Calls whose cost nobody knows"`
	AvgLatencyMS float64          `json:"avg_latency_ms" doc:"Of all calls, failed ones too"`
	ErrorRate    float64          `json:"error_rate"`
	Latency      *Latency         `json:"latency_ms" doc:"Of the answered calls; null when there are none"`
	LastSuccess  *time.Time       `json:"last_success" doc:"In this range; null: none"`
	Provider     string           `json:"-"`
	usd          usd
	latencySum   int64
}

// usd is a cost by where it came from, as the ledger keeps it.
type usd struct{ all, reported, priced, settled decimal.Decimal }

func (a *Activity) add(u store.Use, rate decimal.Decimal) {
	a.Calls, a.Failed, a.Answered, a.UnknownCosts = a.Calls+u.Calls, a.Failed+u.Failed, a.Answered+u.Answered, a.UnknownCosts+u.Unknown
	a.TokensIn, a.TokensOut = a.TokensIn+u.Prompt, a.TokensOut+u.Completion
	a.Tokens = a.TokensIn + a.TokensOut
	a.usd.all, a.usd.reported = a.usd.all.Add(u.CostUSD), a.usd.reported.Add(u.ReportedUSD)
	a.usd.priced, a.usd.settled = a.usd.priced.Add(u.PricedUSD), a.usd.settled.Add(u.SettledUSD)
	a.Cost, a.Reported = known(a.usd.all, rate, a.Calls, a.UnknownCosts), shown(a.usd.reported, rate)
	a.Priced, a.Settled = shown(a.usd.priced, rate), shown(a.usd.settled, rate)
	a.latencySum += u.LatencySum
	a.AvgLatencyMS, a.ErrorRate = share(a.latencySum, a.Calls), share(a.Failed, a.Calls)
	if u.LastOK != nil && (a.LastSuccess == nil || u.LastOK.After(*a.LastSuccess)) {
		at := u.LastOK.UTC()
		a.LastSuccess = &at
	}
}

// shown is an amount of US dollars in the currency of the rate, as exact as the ledger is.
func shown(usd, rate decimal.Decimal) decimal.Decimal { return usd.Mul(rate).Round(12) }

// known is the amount that calls have cost, nil when nobody knows it of any of them.
func known(usd, rate decimal.Decimal, calls, unknown int64) *decimal.Decimal {
	if unknown > 0 && unknown >= calls {
		return nil
	}
	d := shown(usd, rate)
	return &d
}

func share(part, whole int64) float64 { return float64(part) / float64(max(whole, 1)) }

// group finds or makes the activity of a key.
func group[K comparable](m map[K]*Activity, k K) *Activity {
	if m[k] == nil {
		m[k] = &Activity{}
	}
	return m[k]
}
