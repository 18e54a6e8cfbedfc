package api

import (
	"context"
	"time"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/analytics"
	"github.com/zakibelm/astrogrowth/store"
)

// desk answers what people ask about costs and calls: the same numbers for REST, for older clients and for the pages.
func (a *api) desk() analytics.Desk {
	return analytics.Desk{Store: a.Store, Currency: a.Currency, Rate: a.Rate}
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

// SpanParams name a range of whole UTC days: the last so many, or from one date to another.
type SpanParams struct {
	Days int    `query:"days" minimum:"1" maximum:"366" doc:"The last so many UTC days, today's among them. Default: 7"`
	From string `query:"from" format:"date" example:"2026-11-01" doc:"The first UTC day; instead of days"`
	To   string `query:"to" format:"date" example:"2026-11-30" doc:"The last UTC day. Default: today"`
}

// maxSpan is how many days a range may have.
const maxSpan = 366

func (p SpanParams) span(now time.Time) (store.Span, error) {
	const op = "api.span"
	if p.From == "" && p.To != "" {
		return store.Span{}, growth.InvalidField(op, "from", "give the first day too, as from=2026-11-01")
	}
	if p.From == "" {
		days := p.Days
		if days == 0 {
			days = 7
		}
		return store.Since(now, days), nil
	}
	if p.Days != 0 {
		return store.Span{}, growth.InvalidField(op, "days", "give either days, or from and to")
	}
	s := store.Since(now, 1)
	var err error
	if s.From, err = time.Parse(time.DateOnly, p.From); err != nil {
		return s, growth.InvalidField(op, "from", "write a date as 2026-11-01")
	}
	if p.To != "" {
		if s.To, err = time.Parse(time.DateOnly, p.To); err != nil {
			return s, growth.InvalidField(op, "to", "write a date as 2026-11-30")
		}
	}
	if n := s.Days(); n < 1 || n > maxSpan {
		return s, growth.InvalidField(op, "to", "the range must have 1 to %d days; it has %d", maxSpan, n)
	}
	return s, nil
}

type summaryInput struct {
	SpanParams
	Workspaces string `query:"workspaces" enum:"all" doc:"all: what each workspace did too; for keys of the whole agency"`
}

func (a *api) getSummary(ctx context.Context, in *summaryInput) (*struct{ Body analytics.Summary }, error) {
	span, err := in.span(time.Now())
	if err != nil {
		return nil, err
	}
	if in.Workspaces != "" && !who(ctx).Agency {
		return nil, growth.Errorf(growth.Forbidden, "api.getSummary", "workspaces=all needs a key of the whole agency")
	}
	s, err := a.desk().Summary(ctx, who(ctx).Workspace, span)
	if err != nil || in.Workspaces == "" {
		return &struct{ Body analytics.Summary }{s}, err
	}
	all, err := a.Store.Workspaces(ctx)
	if err != nil {
		return nil, err
	}
	err = a.desk().AddWorkspaces(ctx, &s, all, span)
	return &struct{ Body analytics.Summary }{s}, err
}

type horizonInput struct {
	HorizonDays int `query:"horizon_days" minimum:"1" maximum:"366" default:"30"`
}

func (a *api) getForecast(ctx context.Context, in *horizonInput) (*struct{ Body analytics.Forecast }, error) {
	f, err := a.desk().Forecast(ctx, who(ctx).Workspace, in.HorizonDays)
	return &struct{ Body analytics.Forecast }{f}, err
}
