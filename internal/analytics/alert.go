package analytics

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

// When something is wrong enough to tell a person.
const (
	breakerLong   = 10 * time.Minute
	queueLong     = 15 * time.Minute
	accountSoon   = 7 * 24 * time.Hour
	fewFailovers  = 20  // of today, before their rate says anything
	fewSamples    = 100 // of a target
	targetDays    = 7
	goodFailovers = 0.95
)

// Alerts finds what is wrong in a workspace now.
func (d Desk) Alerts(ctx context.Context, ws growth.WorkspaceID) ([]store.Alert, error) {
	now := d.now()
	t, err := d.Store.In(ws).Troubles(ctx, now.Add(accountSoon))
	if err != nil {
		return nil, err
	}
	out := troubles(t, now)
	budgets, err := d.Budgets(ctx, ws, "")
	if err != nil {
		return nil, err
	}
	for _, b := range budgets {
		out = append(out, ofBudget(b)...)
	}
	week, err := d.Summary(ctx, ws, store.Since(now, targetDays))
	if err != nil {
		return nil, err
	}
	out = append(out, ofTargets(week.Targets)...)
	if week.Chain.Failovers < fewFailovers {
		return out, nil
	}
	today, err := d.Summary(ctx, ws, store.Since(now, 1))
	return append(out, ofFailovers(today.Chain)...), err
}

// alert words one alert; data are the figures behind it.
func alert(kind, subject string, severity store.Severity, data map[string]any, message string, args ...any) store.Alert {
	b, err := json.Marshal(data)
	if err != nil { // a figure that JSON does not have, as a division by nothing gives
		b = []byte(`{}`)
	}
	return store.Alert{Kind: kind, Subject: subject, Severity: severity, Message: fmt.Sprintf(message, args...), Data: b}
}

func troubles(t store.Troubles, now time.Time) []store.Alert {
	var out []store.Alert
	for _, b := range t.Breakers {
		if now.Sub(b.Since) >= breakerLong {
			out = append(out, alert("breaker_open", b.Name, store.SeverityCritical, map[string]any{"breaker": b.Name, "since": b.Since.UTC()},
				"the breaker %s has not closed since %s", b.Name, b.Since.UTC().Format(time.RFC3339)))
		}
	}
	if t.Oldest != nil && now.Sub(*t.Oldest) >= queueLong {
		out = append(out, alert("queue_latency", "", store.SeverityWarning, map[string]any{"waiting_since": t.Oldest.UTC()},
			"a job that could run has waited since %s", t.Oldest.UTC().Format(time.RFC3339)))
	}
	for _, a := range t.Accounts {
		severity := store.SeverityWarning
		if !a.At.After(now) {
			severity = store.SeverityCritical
		}
		out = append(out, alert("account_expiring", string(a.ID), severity, map[string]any{"account_id": a.ID, "expires_at": a.At.UTC()},
			"the token of a LinkedIn account ends at %s; connect the account again", a.At.UTC().Format(time.RFC3339)))
	}
	if t.Unknown > 0 {
		out = append(out, alert("unknown_costs", "", store.SeverityWarning, map[string]any{"calls": t.Unknown},
			"nobody knows what %d calls of the last day cost; GET /v1/calls?cost=unknown lists them", t.Unknown))
	}
	if t.Unsettled > 0 {
		out = append(out, alert("unknown_publications", "", store.SeverityCritical, map[string]any{"publications": t.Unsettled},
			"nobody knows whether %d posts were made; each waits for a person to settle it", t.Unsettled))
	}
	return out
}

func ofBudget(b BudgetView) []store.Alert {
	figures := map[string]any{
		"budget_id": b.ID, "name": b.Name, "period": b.Period, "window_start": b.WindowStart, "window_end": b.WindowEnd, "state": b.State,
		"spent_usd": b.SpentUSD, "limit_usd": b.LimitUSD,
	}
	var out []store.Alert
	switch b.State {
	case growth.BudgetExhausted:
		out = append(out, alert("budget", string(b.ID), store.SeverityCritical, figures, "the budget %q is spent until %s", b.Name, b.WindowEnd.Format(time.RFC3339)))
	case growth.BudgetWarning:
		out = append(out, alert("budget", string(b.ID), store.SeverityWarning, figures, "four fifths of the budget %q are spent", b.Name))
	case growth.BudgetOK, growth.BudgetNotice:
	}
	if o := b.Outlook; o != nil && o.Passing && b.State != growth.BudgetExhausted {
		more := map[string]any{"p50_usd": o.P50, "p90_usd": o.P90, "chance_of_passing": o.Chance, "exhausted_on": o.Exhausted, "method": o.Method}
		maps.Copy(more, figures)
		out = append(out, alert(store.AlertBudgetForecast, string(b.ID), store.SeverityWarning, more,
			"the budget %q will be passed before %s: about %s US dollars of %s", b.Name, b.WindowEnd.Format(time.RFC3339), o.P50.StringFixed(2), b.LimitUSD))
	}
	return out
}

func ofTargets(targets []Target) []store.Alert {
	var out []store.Alert
	for _, t := range targets {
		if t.Verdict == VerdictMissed && t.Samples >= fewSamples {
			out = append(out, alert("target", t.ID, store.SeverityWarning, map[string]any{"target": t.ID, "goal": t.Goal, "value": t.Value, "samples": t.Samples},
				"the target %q was missed over the last %d days", t.ID, targetDays))
		}
	}
	return out
}

func ofFailovers(c Chain) []store.Alert {
	if c.Failovers < fewFailovers || c.FailoverRate == nil || *c.FailoverRate >= goodFailovers {
		return nil
	}
	return []store.Alert{alert("failover_rate", "", store.SeverityCritical, map[string]any{"failovers": c.Failovers, "answered": c.FailoversOK},
		"of %d failovers today %d were answered by another candidate", c.Failovers, c.FailoversOK)}
}
