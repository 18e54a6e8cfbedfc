package api

import (
	"context"
	"errors"
	"time"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/forecast"
	"github.com/zakibelm/astrogrowth/store"
)

// Activity is what a group of calls did.
type Activity struct {
	Calls          int64           `json:"calls"`
	Failed         int64           `json:"failed"`
	Tokens         int64           `json:"tokens"`
	Cost           decimal.Decimal `json:"cost" doc:"In the currency of the summary; without the calls whose cost is unknown"`
	UnknownCosts   int64           `json:"unknown_costs" doc:"Calls whose cost nobody knows"`
	AvgLatencyMS   float64         `json:"avg_latency_ms"`
	ErrorRate      float64         `json:"error_rate"`
	latencySum     int64
	costUSD        decimal.Decimal
	provider, name string
}

// DayActivity is one UTC day.
type DayActivity struct {
	Date        string          `json:"date"`
	Calls       int64           `json:"calls"`
	Tokens      int64           `json:"tokens"`
	Cost        decimal.Decimal `json:"cost"`
	CacheHits   int64           `json:"cache_hits"`
	CacheMisses int64           `json:"cache_misses"`
}

// CacheActivity is what the cache did.
type CacheActivity struct {
	Hits    int64           `json:"hits"`
	Misses  int64           `json:"misses"`
	HitRate float64         `json:"hit_rate" doc:"0 to 1"`
	Saved   decimal.Decimal `json:"saved" doc:"What the cached answers had cost"`
	savedUS decimal.Decimal
}

// Summary is what the chain did in a range.
type Summary struct {
	From      time.Time                     `json:"from"`
	Currency  string                        `json:"currency"`
	Simulated bool                          `json:"simulated" doc:"The simulator answered some of these calls"`
	Total     Activity                      `json:"total"`
	Latency   store.Latency                 `json:"latency_ms"`
	Providers map[string]*Activity          `json:"providers"`
	Models    map[string]*Activity          `json:"models" doc:"By provider/model"`
	TaskTypes map[growth.TaskType]*Activity `json:"task_types"`
	Daily     []DayActivity                 `json:"daily"`
	Cache     CacheActivity                 `json:"cache"`
	byTask    map[growth.TaskType]map[string]int64
	rate      decimal.Decimal
}

func (u *Activity) add(t store.Tally, rate decimal.Decimal) {
	u.Calls, u.Failed, u.UnknownCosts = u.Calls+t.Calls, u.Failed+t.Failed, u.UnknownCosts+t.Unknown
	u.Tokens += t.Prompt + t.Completion
	u.costUSD = u.costUSD.Add(t.CostUSD)
	u.Cost = u.costUSD.Mul(rate).Round(12)
	u.latencySum += t.LatencySum
	u.AvgLatencyMS = float64(u.latencySum) / float64(max(u.Calls, 1))
	u.ErrorRate = float64(u.Failed) / float64(max(u.Calls, 1))
}

// summary is the one set of numbers behind REST and tRPC.
func (a *api) summary(ctx context.Context, days int) (Summary, error) {
	sc := a.Store.In(who(ctx).Workspace)
	from := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 1-days)
	rate, err := a.rate(ctx)
	if err != nil {
		return Summary{}, err
	}
	s := Summary{
		From: from, Currency: a.Currency, Providers: map[string]*Activity{}, Models: map[string]*Activity{}, TaskTypes: map[growth.TaskType]*Activity{},
		byTask: map[growth.TaskType]map[string]int64{}, rate: rate,
	}
	tallies, err := sc.TallyCalls(ctx, from)
	if err != nil {
		return s, err
	}
	for _, t := range tallies {
		s.count(t)
	}
	if s.Latency, err = sc.Latencies(ctx, from); err != nil {
		return s, err
	}
	daily, err := sc.Days(ctx, from)
	if err != nil {
		return s, err
	}
	for _, d := range daily {
		s.Daily = append(s.Daily, DayActivity{
			Date: d.Date.Format(time.DateOnly), Calls: d.Calls, Tokens: d.Tokens, Cost: d.CostUSD.Mul(rate).Round(12), CacheHits: d.Hits, CacheMisses: d.Misses,
		})
		s.Cache.Hits, s.Cache.Misses, s.Cache.savedUS = s.Cache.Hits+d.Hits, s.Cache.Misses+d.Misses, s.Cache.savedUS.Add(d.SavedUSD)
	}
	s.Cache.HitRate = float64(s.Cache.Hits) / float64(max(s.Cache.Hits+s.Cache.Misses, 1))
	s.Cache.Saved = s.Cache.savedUS.Mul(rate).Round(12)
	return s, nil
}

func (s *Summary) count(t store.Tally) {
	s.Total.add(t, s.rate)
	s.Simulated = s.Simulated || t.Simulated > 0
	group(s.Providers, t.Provider).add(t, s.rate)
	m := group(s.Models, t.Provider+"/"+t.Model)
	m.provider, m.name = t.Provider, t.Model
	m.add(t, s.rate)
	group(s.TaskTypes, t.Task).add(t, s.rate)
	if s.byTask[t.Task] == nil {
		s.byTask[t.Task] = map[string]int64{}
	}
	s.byTask[t.Task][t.Model] += t.Calls
}

func group[K comparable](m map[K]*Activity, k K) *Activity {
	if m[k] == nil {
		m[k] = &Activity{}
	}
	return m[k]
}

// rate is the currency's units for one US dollar.
func (a *api) rate(ctx context.Context) (decimal.Decimal, error) {
	if a.Currency == "USD" {
		return decimal.NewFromInt(1), nil
	}
	return a.Rate(ctx)
}

type daysInput struct {
	Days int `query:"days" minimum:"1" maximum:"366" default:"7"`
}

func (a *api) getSummary(ctx context.Context, in *daysInput) (*struct{ Body Summary }, error) {
	s, err := a.summary(ctx, in.Days)
	return &struct{ Body Summary }{s}, err
}

// ForecastDay is one day to come.
type ForecastDay struct {
	Date     string          `json:"date"`
	Expected decimal.Decimal `json:"expected"`
	Low      decimal.Decimal `json:"low"`
	High     decimal.Decimal `json:"high"`
}

// Forecast is what the chain will cost.
type Forecast struct {
	Currency    string          `json:"currency"`
	Method      string          `json:"method"`
	HistoryDays int             `json:"history_days"`
	Wide        bool            `json:"wide" doc:"There is too little history to say much"`
	SpentMonth  decimal.Decimal `json:"spent_month" doc:"This UTC month so far"`
	Expected    decimal.Decimal `json:"expected" doc:"Over the whole horizon"`
	Low         decimal.Decimal `json:"low" doc:"Four times in five the sum lies between low and high"`
	High        decimal.Decimal `json:"high"`
	TrendPerDay decimal.Decimal `json:"trend_per_day"`
	Daily       []ForecastDay   `json:"daily"`
}

const forecastHistory = 90 // days that a forecast looks back

func (a *api) forecast(ctx context.Context, horizon int) (Forecast, error) {
	rate, err := a.rate(ctx)
	if err != nil {
		return Forecast{}, err
	}
	now := time.Now().UTC()
	midnight := now.Truncate(24 * time.Hour)
	days, err := a.Store.In(who(ctx).Workspace).Days(ctx, midnight.AddDate(0, 0, -forecastHistory))
	if err != nil || len(days) == 0 {
		return Forecast{}, err
	}
	f := Forecast{Currency: a.Currency, Daily: []ForecastDay{}}
	spent := decimal.Zero
	for len(days) > 1 && days[0].Calls == 0 { // before the first call there is no history
		days = days[1:]
	}
	var history []float64
	for i, d := range days {
		if d.Date.Month() == now.Month() && d.Date.Year() == now.Year() {
			spent = spent.Add(d.CostUSD)
		}
		if i < len(days)-1 {
			history = append(history, d.CostUSD.InexactFloat64())
		}
	}
	f.SpentMonth = spent.Mul(rate).Round(6)
	r, err := forecast.Next(forecast.Input{
		History: history, Today: days[len(days)-1].CostUSD.InexactFloat64(), DayGone: now.Sub(midnight).Hours() / 24, Horizon: horizon,
	})
	if errors.Is(err, forecast.ErrNoHistory) { // nothing has been called yet: nothing is expected, and that rests on nothing
		f.Method, f.Wide = "none", true
		return f, nil
	}
	if err != nil {
		return f, err
	}
	in := func(usd float64) decimal.Decimal { return decimal.NewFromFloat(usd).Mul(rate).Round(6) }
	f.Method, f.HistoryDays, f.Wide = string(r.Method), r.History, r.Wide
	f.Expected, f.Low, f.High, f.TrendPerDay = in(r.Total.Expected), in(r.Total.Low), in(r.Total.High), in(r.Trend.Slope)
	for i, d := range r.Days {
		f.Daily = append(f.Daily, ForecastDay{Date: midnight.AddDate(0, 0, i).Format(time.DateOnly), Expected: in(d.Expected), Low: in(d.Low), High: in(d.High)})
	}
	return f, nil
}

type horizonInput struct {
	HorizonDays int `query:"horizon_days" minimum:"1" maximum:"366" default:"30"`
}

func (a *api) getForecast(ctx context.Context, in *horizonInput) (*struct{ Body Forecast }, error) {
	f, err := a.forecast(ctx, in.HorizonDays)
	return &struct{ Body Forecast }{f}, err
}
