package analytics

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/forecast"
	"github.com/zakibelm/astrogrowth/store"
)

// Bounds of forecasts.
const (
	lookBack   = 180 // days of history
	unitDays   = 30  // days over which the cost of a job is averaged
	MaxHorizon = 366
)

// ForecastDay is one day to come.
type ForecastDay struct {
	Date     string          `json:"date"`
	Expected decimal.Decimal `json:"expected"`
	Low      decimal.Decimal `json:"low"`
	High     decimal.Decimal `json:"high"`
}

// Backtest says how wrong the methods would have been in the past.
type Backtest struct {
	Origins int                         `json:"origins" doc:"How often each method was asked for a sum that is known by now; 0: too little history"`
	Days    int                         `json:"days" doc:"Of each sum"`
	Error   float64                     `json:"mean_error" doc:"Of the chosen method, as a share of the sum"`
	Errors  map[forecast.Method]float64 `json:"mean_errors" doc:"Of every method that was asked"`
}

// Trend is where the costs of a day go.
type Trend struct {
	PerDay    decimal.Decimal    `json:"per_day" doc:"Over the last four weeks, the weekdays' own levels apart"`
	Direction forecast.Direction `json:"direction" enum:"up,down,flat" doc:"flat: what slope there is could be chance"`
}

// PeriodEnd is what a UTC month will have cost.
type PeriodEnd struct {
	End   time.Time       `json:"end"`
	Spent decimal.Decimal `json:"spent" doc:"So far"`
	P50   decimal.Decimal `json:"p50"`
	P90   decimal.Decimal `json:"p90"`
}

// Forecast is what the chain will cost.
type Forecast struct {
	Currency     string          `json:"currency"`
	Method       string          `json:"method" enum:"none,mean_of_last_week,weekday_mean,damped_ets,weekday_line"`
	HistoryDays  int             `json:"history_days"`
	Wide         bool            `json:"wide" doc:"There is too little history to say much"`
	Backtest     Backtest        `json:"backtest"`
	SpentMonth   decimal.Decimal `json:"spent_month" doc:"This UTC month so far"`
	Expected     decimal.Decimal `json:"expected" doc:"Over the whole horizon, what today has cost so far included"`
	Low          decimal.Decimal `json:"low" doc:"Four times in five the sum lies between low and high"`
	High         decimal.Decimal `json:"high"`
	Scheduled    decimal.Decimal `json:"scheduled" doc:"Of expected, jobs that are set for a time within the horizon, at what such jobs have cost"`
	Month        *PeriodEnd      `json:"month_end" doc:"null without a history"`
	Trend        Trend           `json:"trend"`
	TrendPerDay  decimal.Decimal `json:"trend_per_day" doc:"trend.per_day"`
	UnknownCosts int64           `json:"unknown_costs" doc:"Calls of the history whose cost nobody knows; the forecast is without them"`
	Daily        []ForecastDay   `json:"daily" doc:"The first one is today"`
}

// past is what a workspace's costs did: everything that forecasts of it and of its budgets rest on.
type past struct {
	now   time.Time
	span  store.Span
	uses  []store.Use
	ahead []store.JobsAhead
	units map[growth.JobType]store.UnitCost // of the types of job that lie ahead
}

// read looks back, and ahead as far as any forecast may.
func (d Desk) read(ctx context.Context, sc store.Scoped, until time.Time) (past, error) {
	now := d.now()
	p := past{now: now, span: store.Since(now, lookBack+1)}
	var err error
	if p.uses, err = sc.Uses(ctx, p.span); err != nil {
		return p, err
	}
	if p.ahead, err = sc.JobsAhead(ctx, now, until); err != nil || len(p.ahead) == 0 {
		return p, err
	}
	p.units, err = sc.UnitCosts(ctx, now.AddDate(0, 0, -unitDays))
	return p, err
}

// covered says whether a forecast counts a group of calls.
type covered func(campaign growth.CampaignID, task growth.TaskType) bool

func everything(growth.CampaignID, growth.TaskType) bool { return true }

// daily are the costs of each day from the first one with a call to today.
func (p past) daily(in covered) []store.DayCost {
	out := make([]store.DayCost, p.span.Days())
	for i := range out {
		out[i].Day = p.span.From.AddDate(0, 0, i)
	}
	for _, u := range p.uses {
		if i := int(u.Day.UTC().Sub(p.span.From).Hours() / 24); in(u.Campaign, u.Task) && i >= 0 && i < len(out) {
			out[i].CostUSD, out[i].Calls = out[i].CostUSD.Add(u.CostUSD), out[i].Calls+u.Calls
		}
	}
	return begun(out)
}

// begun drops the days before the first call: they are no history. Today stays.
func begun(days []store.DayCost) []store.DayCost {
	for len(days) > 1 && days[0].Calls == 0 {
		days = days[1:]
	}
	return days
}

// purposes are what the calls of a type of job are made for.
var purposes = map[growth.JobType][]store.Purpose{
	growth.JobLeadQualification: {store.ForLead, store.ForTwin}, growth.JobContentGeneration: {store.ForContent},
}

// unit is what a job of a type has cost on average, as far as its calls are counted.
func (p past) unit(t growth.JobType, in covered) float64 {
	cost := p.units[t].USD
	if cost == nil { // unknown: the forecast is without it
		return 0
	}
	since, all, counted := store.Since(p.now, unitDays).From, decimal.Zero, decimal.Zero
	for _, u := range p.uses {
		if !slices.Contains(purposes[t], u.Purpose) || u.Day.Before(since) {
			continue
		}
		all = all.Add(u.CostUSD)
		if in("", u.Task) {
			counted = counted.Add(u.CostUSD)
		}
	}
	if all.IsZero() {
		return cost.InexactFloat64()
	}
	return cost.Mul(counted).Div(all).InexactFloat64()
}

// extra is what jobs that are set for later will cost, by day from today.
func (p past) extra(horizon int, in covered, of func(store.JobsAhead) bool) []float64 {
	out := make([]float64, horizon)
	for _, a := range p.ahead {
		i := int(a.Day.UTC().Sub(p.span.To).Hours() / 24)
		if i < 0 || i >= horizon || !of(a) {
			continue
		}
		out[i] += float64(a.N) * p.unit(a.Type, in)
	}
	return out
}

// next forecasts by daily costs of which the last one is today's.
func (p past) next(days []store.DayCost, horizon int, extra []float64) (forecast.Result, error) {
	history := make([]float64, len(days)-1)
	for i := range history {
		history[i] = days[i].CostUSD.InexactFloat64()
	}
	return forecast.Next(forecast.Input{
		History: history, Today: days[len(days)-1].CostUSD.InexactFloat64(), DayGone: p.now.Sub(p.span.To).Hours() / 24,
		Horizon: horizon, Extra: extra,
	})
}

// Forecast says what a workspace's calls will cost from today on.
func (d Desk) Forecast(ctx context.Context, ws growth.WorkspaceID, horizon int) (Forecast, error) {
	rate, err := d.rate(ctx)
	if err != nil {
		return Forecast{}, err
	}
	_, monthEnd := growth.BudgetMonth.Window(d.now())
	until := d.now().Truncate(24*time.Hour).AddDate(0, 0, horizon)
	if monthEnd.After(until) {
		until = monthEnd
	}
	p, err := d.read(ctx, d.Store.In(ws), until)
	if err != nil {
		return Forecast{}, err
	}
	f := Forecast{Currency: d.Currency, Method: "none", Wide: true, Daily: []ForecastDay{}}
	f.Backtest.Errors, f.Trend.Direction = map[forecast.Method]float64{}, forecast.Flat
	for _, u := range p.uses {
		f.UnknownCosts += u.Unknown
	}
	days := p.daily(everything)
	spent := spentSince(days, p.now)
	f.SpentMonth = spent.Mul(rate).Round(12)
	extra := p.extra(horizon, everything, func(store.JobsAhead) bool { return true })
	r, err := p.next(days, horizon, extra)
	if errors.Is(err, forecast.ErrNoHistory) { // nothing has been called yet: nothing is expected, and that rests on nothing
		return f, nil
	}
	if err != nil {
		return f, err
	}
	f.fill(r, extra, p, rate)
	f.Month, err = p.monthEnd(days, spent, monthEnd, rate)
	return f, err
}

// spentSince is what was spent in the month of now.
func spentSince(days []store.DayCost, now time.Time) decimal.Decimal {
	start, _ := growth.BudgetMonth.Window(now)
	sum := decimal.Zero
	for _, day := range days {
		if !day.Day.Before(start) {
			sum = sum.Add(day.CostUSD)
		}
	}
	return sum
}

func (f *Forecast) fill(r forecast.Result, extra []float64, p past, rate decimal.Decimal) {
	in := func(usd float64) decimal.Decimal { return decimal.NewFromFloat(usd).Mul(rate).Round(6) }
	f.Method, f.HistoryDays, f.Wide = string(r.Method), r.History, r.Wide
	f.Backtest.Origins, f.Backtest.Days, f.Backtest.Error = r.Test.Origins, r.Test.Days, r.Test.Error
	if r.Test.Errors != nil {
		f.Backtest.Errors = r.Test.Errors
	}
	f.Expected, f.Low, f.High = in(r.Total.Expected), in(r.Total.Low), in(r.Total.High)
	f.TrendPerDay = in(r.Trend.Slope)
	f.Trend = Trend{PerDay: f.TrendPerDay, Direction: r.Trend.Direction}
	sum := 0.0
	for _, e := range extra {
		sum += e
	}
	f.Scheduled = in(sum)
	for i, day := range r.Days {
		f.Daily = append(f.Daily, ForecastDay{
			Date: p.span.To.AddDate(0, 0, i).Format(time.DateOnly), Expected: in(day.Expected), Low: in(day.Low), High: in(day.High),
		})
	}
}

// monthEnd is the forecast to the end of the month: nine times in ten the sum stays below the upper end of the interval.
func (p past) monthEnd(days []store.DayCost, spent decimal.Decimal, end time.Time, rate decimal.Decimal) (*PeriodEnd, error) {
	horizon := int(end.Sub(p.span.To).Hours() / 24)
	r, err := p.next(days, horizon, p.extra(horizon, everything, func(store.JobsAhead) bool { return true }))
	if err != nil {
		return nil, err
	}
	before := spent.Sub(days[len(days)-1].CostUSD)
	in := func(usd float64) decimal.Decimal { return before.Add(decimal.NewFromFloat(usd)).Mul(rate).Round(6) }
	return &PeriodEnd{End: end, Spent: spent.Mul(rate).Round(12), P50: in(r.Total.Expected), P90: in(r.Total.High)}, nil
}
