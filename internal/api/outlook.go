package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

// unitCostDays is how far back the cost of one job is averaged.
const unitCostDays = 30

// maxOutlookRuns bounds the times of one schedule that are counted.
const maxOutlookRuns = 5000

func (a *api) outlook(h huma.API) {
	o := op(http.MethodGet, "/v1/outlook", "calendar", "What work lies ahead, and what it would cost", auth.ScopeRead, 200)
	o.Description = "Jobs that are due in the span, and the times at which schedules make more, at what one job of the type has cost on average over the last 30 days. A cost that nobody knows is null."
	register(h, o, a.getOutlook)
}

// WorkLine is the work of one type.
type WorkLine struct {
	Type      growth.JobType `json:"type"`
	Due       int            `json:"due" doc:"Jobs that exist and come due"`
	Scheduled int            `json:"scheduled" doc:"Jobs that schedules will make"`
	UnitCost  growth.Money   `json:"unit_cost" doc:"Of one job, on average; null when no finished job's cost is known"`
	RestsOn   int            `json:"rests_on" doc:"Finished jobs of known cost that the average rests on"`
	Unknown   int            `json:"unknown" doc:"Finished jobs whose cost nobody knows; they are not in the average"`
	Cost      growth.Money   `json:"cost"`
}

// WorkAhead is the work of a span, and its cost.
type WorkAhead struct {
	From time.Time    `json:"from"`
	To   time.Time    `json:"to"`
	Data []WorkLine   `json:"data"`
	Cost growth.Money `json:"cost" doc:"Of everything; null when a part is unknown"`
}

type outlookInput struct {
	From time.Time `query:"from" doc:"Default: now"`
	To   time.Time `query:"to" doc:"Default: 14 days after from; at most 100"`
}

func (a *api) getOutlook(ctx context.Context, in *outlookInput) (*struct{ Body WorkAhead }, error) {
	from, to, err := calendarInput{From: in.From, To: in.To}.span()
	if err != nil {
		return nil, err
	}
	sc := a.Store.In(who(ctx).Workspace)
	lines, err := linesAhead(ctx, sc, from, to)
	if err != nil {
		return nil, err
	}
	units, err := sc.UnitCosts(ctx, time.Now().AddDate(0, 0, -unitCostDays))
	if err != nil {
		return nil, err
	}
	rate, err := a.Rate(ctx)
	if err != nil {
		rate = decimal.Decimal{}
	}
	out := WorkAhead{From: from, To: to, Data: []WorkLine{}}
	sum := growth.USD(decimal.Zero, growth.CostPriced)
	for _, l := range lines {
		cost := l.price(units[l.Type])
		sum = sum.Add(cost)
		l.UnitCost, l.Cost = a.money(l.UnitCost, rate), a.money(cost, rate)
		out.Data = append(out.Data, *l)
	}
	out.Cost = a.money(sum, rate)
	return &struct{ Body WorkAhead }{out}, nil
}

// price puts the average in and returns the cost of the line in US dollars.
func (l *WorkLine) price(u store.UnitCost) growth.Money {
	l.RestsOn, l.Unknown = u.Jobs-u.Unknown, u.Unknown
	switch {
	case u.USD != nil:
		l.UnitCost = growth.USD(*u.USD, growth.CostPriced)
		return growth.USD(u.USD.Mul(decimal.NewFromInt(int64(l.Due+l.Scheduled))), growth.CostPriced)
	case l.Type == growth.JobLinkedInPublish: // a post is no call to a provider
		l.UnitCost = growth.USD(decimal.Zero, growth.CostPriced)
		return l.UnitCost
	}
	l.UnitCost = growth.UnknownMoney("USD")
	return l.UnitCost
}

// linesAhead counts what lies ahead, by type.
func linesAhead(ctx context.Context, sc store.Scoped, from, to time.Time) ([]*WorkLine, error) {
	due, err := sc.DueJobs(ctx, from, to)
	if err != nil {
		return nil, err
	}
	byType := map[growth.JobType]*WorkLine{}
	line := func(t growth.JobType) *WorkLine {
		if byType[t] == nil {
			byType[t] = &WorkLine{Type: t}
		}
		return byType[t]
	}
	for t, n := range due {
		line(t).Due = n
	}
	schedules, err := sc.EnabledSchedules(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range schedules {
		if s.Type == growth.JobMaintenance {
			continue
		}
		if n := runsBetween(s, from, to); n > 0 {
			line(s.Type).Scheduled += n
		}
	}
	out := make([]*WorkLine, 0, len(byType))
	for _, l := range byType {
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b *WorkLine) int { return strings.Compare(string(a.Type), string(b.Type)) })
	return out, nil
}

func runsBetween(s growth.Schedule, from, to time.Time) int {
	n := 0
	for _, o := range tasks.UpcomingRuns(s, later(from, time.Now()), maxOutlookRuns) {
		if !o.At.Before(to) {
			break
		}
		n++
	}
	return n
}
