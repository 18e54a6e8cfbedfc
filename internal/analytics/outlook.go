package analytics

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/forecast"
	"github.com/zakibelm/astrogrowth/store"
)

// Outlook is where a budget will stand at the end of its present window.
type Outlook struct {
	P50       decimal.Decimal `json:"p50_usd" doc:"What will have been spent, as likely more as less"`
	P90       decimal.Decimal `json:"p90_usd" doc:"Nine times in ten it is less"`
	Chance    float64         `json:"chance_of_passing" doc:"That it is more than the limit; 0 to 1"`
	Exhausted *time.Time      `json:"exhausted_on" doc:"The UTC day on which the limit is expected to be reached; null: not in this window"`
	Passing   bool            `json:"passing" doc:"The limit will be passed, more likely than not"`
	Method    forecast.Method `json:"method"`
	History   int             `json:"history_days"`
	Wide      bool            `json:"wide" doc:"There is too little history to say much"`
}

// BudgetView is a budget with where it stands and where it goes.
type BudgetView struct {
	growth.BudgetStatus

	Outlook *Outlook `json:"outlook" doc:"null without a history"`
}

// Budgets lists a workspace's budgets, or one of them, with their outlook.
func (d Desk) Budgets(ctx context.Context, ws growth.WorkspaceID, id growth.BudgetID) ([]BudgetView, error) {
	sc := d.Store.In(ws)
	all, err := sc.BudgetStatus(ctx, id, d.now())
	if err != nil || len(all) == 0 {
		return []BudgetView{}, err
	}
	_, until := growth.BudgetMonth.Window(d.now())
	p, err := d.read(ctx, sc, until)
	if err != nil {
		return nil, err
	}
	out := make([]BudgetView, len(all))
	for i, b := range all {
		out[i].BudgetStatus = b
		if out[i].Outlook, err = p.outlook(ctx, sc, b); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (p past) outlook(ctx context.Context, sc store.Scoped, b growth.BudgetStatus) (*Outlook, error) {
	in := func(campaign growth.CampaignID, task growth.TaskType) bool { return b.Covers(campaign, task, b.Key) }
	days := p.daily(in)
	if b.Key != "" {
		known, err := sc.CostsOfKey(ctx, b.Budget, p.span.From)
		if err != nil {
			return nil, err
		}
		days = p.dense(known)
	}
	horizon := int(math.Round(b.WindowEnd.Sub(p.span.To).Hours() / 24))
	// What a job costs does not depend on its campaign.
	unit := func(_ growth.CampaignID, task growth.TaskType) bool { return b.Task == "" || b.Task == task }
	extra := p.extra(horizon, unit, func(a store.JobsAhead) bool {
		return (b.Campaign == "" || b.Campaign == a.Campaign) && (b.Key == "" || b.Key == a.Key)
	})
	r, err := p.next(days, horizon, extra)
	if errors.Is(err, forecast.ErrNoHistory) {
		return nil, nil //nolint:nilnil // no outlook, which is no fault
	}
	if err != nil {
		return nil, err
	}
	return outlookOf(b, r, days[len(days)-1].CostUSD, p.span.To), nil
}

// dense puts the days that are known into a list without gaps.
func (p past) dense(known []store.DayCost) []store.DayCost {
	out := make([]store.DayCost, p.span.Days())
	for i := range out {
		out[i].Day = p.span.From.AddDate(0, 0, i)
	}
	for _, k := range known {
		if i := int(k.Day.UTC().Sub(p.span.From).Hours() / 24); i >= 0 && i < len(out) {
			out[i] = k
		}
	}
	return begun(out)
}

// outlookOf adds what was spent before today. Calls of unknown cost count at what they are held at, as they do for the
// limit itself.
func outlookOf(b growth.BudgetStatus, r forecast.Result, today decimal.Decimal, from time.Time) *Outlook {
	before := b.SpentUSD.Add(b.UnknownUSD).Sub(today)
	left := b.LimitUSD.Sub(before).InexactFloat64()
	at := func(usd float64) decimal.Decimal { return before.Add(decimal.NewFromFloat(usd)).Round(6) }
	o := &Outlook{
		P50: at(r.Total.Expected), P90: at(r.Total.High), Chance: math.Round(r.Passing(left)*1000) / 1000, Method: r.Method, History: r.History, Wide: r.Wide,
	}
	o.Passing = o.P50.GreaterThan(b.LimitUSD)
	if day, ok := r.Exhausted(left); ok {
		on := from.AddDate(0, 0, day)
		o.Exhausted = &on
	}
	return o
}
