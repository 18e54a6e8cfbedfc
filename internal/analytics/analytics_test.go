package analytics_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/analytics"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/store"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// bureau is a desk with a workspace of its own.
type bureau struct {
	analytics.Desk

	t   *testing.T
	ws  growth.Workspace
	now time.Time
}

// noon is in the middle of a month and of a day, so that no test depends on the date of its run.
var noon = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)

func newBureau(t *testing.T) *bureau {
	t.Helper()
	s := testenv.Store(t)
	ws, err := s.EnsureWorkspace(t.Context(), growth.DefaultWorkspace, "Default")
	if err != nil {
		t.Fatal(err)
	}
	b := &bureau{t: t, ws: ws, now: noon}
	b.Desk = analytics.Desk{
		Store: s, Currency: "CAD", Now: func() time.Time { return b.now },
		Rate: func(context.Context) (decimal.Decimal, error) { return decimal.RequireFromString("1.5"), nil },
	}
	return b
}

func (b *bureau) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bureau) exec(query string, args ...any) {
	b.t.Helper()
	if _, err := testenv.SQL(b.t, b.Store).ExecContext(b.t.Context(), query, args...); err != nil {
		b.t.Fatalf("%s: %v", query, err)
	}
}

// call writes a row of the ledger; an empty cost is unknown.
func (b *bureau) call(at time.Time, cost, step string, change ...func(*growth.Call)) {
	b.t.Helper()
	c := growth.Call{
		ID: growth.CallID(growth.NewID()), Workspace: b.ws.ID, Step: step, Task: growth.TaskContent, Provider: "openrouter", Model: "m", Status: growth.CallOK,
		Decision: growth.DecisionAnswered, Cost: growth.UnknownMoney("USD"), StartedAt: at, LatencyMS: 900, WalkID: growth.WalkID(growth.NewID()),
	}
	if cost != "" {
		c.Cost = growth.USD(decimal.RequireFromString(cost), growth.CostReported)
	}
	for _, f := range change {
		f(&c)
	}
	b.must(b.Store.InTx(b.t.Context(), func(tx *store.Tx) error { return tx.SaveCalls(b.t.Context(), []growth.Call{c}, 0) }))
}

// spends lets the workspace spend the same on each of the last days, and half of it this morning.
func (b *bureau) spends(days int, cost string) {
	b.t.Helper()
	for d := range days {
		b.call(noon.AddDate(0, 0, -1-d), cost, "draft")
	}
	b.call(noon.Add(-time.Hour), decimal.RequireFromString(cost).Div(decimal.NewFromInt(2)).String(), "draft")
}

func equal(t *testing.T, what string, got decimal.Decimal, want string) {
	t.Helper()
	if !got.Equal(decimal.RequireFromString(want)) {
		t.Errorf("%s = %s, want %s", what, got, want)
	}
}

func TestForecastToTheEndOfTheMonth(t *testing.T) {
	t.Parallel()
	b := newBureau(t)
	b.spends(40, "2")
	f, err := b.Forecast(t.Context(), b.ws.ID, 10)
	b.must(err)
	// 14 whole days and half of today at 2 USD, 1.50 CAD each.
	equal(t, "spent this month", f.SpentMonth, "43.5")
	equal(t, "expected", f.Expected, "30") // today 1 + 1, and nine days
	equal(t, "today", f.Daily[0].Expected, "3")
	equal(t, "at the end of the month", f.Month.P50, "90")
	equal(t, "nine times in ten", f.Month.P90, "90")
	if f.HistoryDays != 40 || f.Method != "weekday_mean" || f.Wide || f.Backtest.Origins == 0 || f.Backtest.Error != 0 || f.Trend.Direction != "flat" || f.Daily[9].Date != "2026-06-24" {
		t.Errorf("forecast = %+v", f)
	}
}

func TestForecastOfNothing(t *testing.T) {
	t.Parallel()
	b := newBureau(t)
	f, err := b.Forecast(t.Context(), b.ws.ID, 30)
	b.must(err)
	if f.Method != "none" || !f.Wide || f.Month != nil || len(f.Daily) != 0 {
		t.Errorf("forecast = %+v", f)
	}
}

func TestScheduledJobsAreAddedAtTheirUnitCost(t *testing.T) {
	t.Parallel()
	b := newBureau(t)
	b.spends(40, "2")
	for d := range 10 { // each of these calls was one job's
		id, at := growth.NewID(), noon.AddDate(0, 0, -1-d)
		b.exec(`INSERT INTO jobs (id, workspace_id, type, lane, priority, state, input, max_attempts, timeout_s, run_at, finished_at)
			VALUES ($2, $1, 'content-generation', 'content', 'normal', 'succeeded', '{}', 1, 1, $3, $3)`, b.ws.ID, id, at)
		b.exec(`UPDATE calls SET job_id = $2 WHERE workspace_id = $1 AND started_at = $3`, b.ws.ID, id, at)
	}
	for range 3 {
		b.exec(`INSERT INTO jobs (id, workspace_id, type, lane, priority, state, input, max_attempts, timeout_s, run_at)
			VALUES (gen_random_uuid(), $1, 'content-generation', 'content', 'normal', 'scheduled', '{}', 1, 1, $2)`, b.ws.ID, noon.AddDate(0, 0, 2))
	}
	f, err := b.Forecast(t.Context(), b.ws.ID, 10)
	b.must(err)
	equal(t, "scheduled", f.Scheduled, "9") // three jobs of 2 USD
	equal(t, "the day of the jobs", f.Daily[2].Expected, "12")
	equal(t, "the whole", f.Expected, "39")
}

func TestOutlookOfABudget(t *testing.T) {
	t.Parallel()
	b := newBureau(t)
	b.spends(40, "2")
	sc := b.Store.In(b.ws.ID)
	budget := func(name, limit string, task growth.TaskType) {
		_, err := sc.AddBudget(t.Context(), growth.Budget{
			Name: name, Period: growth.BudgetMonth, LimitUSD: decimal.RequireFromString(limit), Policy: growth.BudgetStop, Task: task,
		})
		b.must(err)
	}
	budget("enough", "61", "")
	budget("too little", "40", "")
	budget("another task", "40", growth.TaskSimple)
	got, err := b.Budgets(t.Context(), b.ws.ID, "")
	b.must(err)
	byName := map[string]*analytics.Outlook{}
	for _, v := range got {
		byName[v.Name] = v.Outlook
	}
	if o := byName["enough"]; o == nil || o.Passing || o.Chance != 0 || o.Exhausted != nil {
		t.Errorf("enough: %+v", o)
	}
	o := byName["too little"]
	if o == nil || !o.Passing || o.Chance != 1 || o.Exhausted == nil || o.Exhausted.Format(time.DateOnly) != "2026-06-21" {
		t.Fatalf("too little: %+v", o) // 29 USD are gone; the rest of today makes 30, and each day 2 more
	}
	equal(t, "at the end", o.P50, "60")
	if o := byName["another task"]; o != nil {
		t.Errorf("another task: %+v, want none", o)
	}
}

// events lists what was told, by type, with a member of each one's data.
func (b *bureau) events(member string) []string {
	b.t.Helper()
	list, err := b.Store.In(b.ws.ID).Events(b.t.Context(), 0, "", 100)
	b.must(err)
	out := []string{}
	for _, e := range list {
		var data map[string]any
		b.must(json.Unmarshal(e.Data, &data))
		out = append(out, fmt.Sprint(e.Type, " ", data[member]))
	}
	return out
}

// look finds what is wrong and keeps it, as the watcher does.
func (b *bureau) look() map[string]store.Alert {
	b.t.Helper()
	sc := b.Store.In(b.ws.ID)
	found, err := b.Alerts(b.t.Context(), b.ws.ID)
	b.must(err)
	_, err = sc.SetAlerts(b.t.Context(), found, b.now)
	b.must(err)
	open, err := sc.Alerts(b.t.Context(), "open", store.Page{})
	b.must(err)
	out := map[string]store.Alert{}
	for _, a := range open {
		out[a.Kind] = a
	}
	return out
}

func TestForecastAlertOfABudgetIsToldOncePerChange(t *testing.T) {
	t.Parallel()
	b := newBureau(t)
	b.spends(40, "2")
	sc := b.Store.In(b.ws.ID)
	made, err := sc.AddBudget(t.Context(), growth.Budget{Name: "Ads", Period: growth.BudgetMonth, LimitUSD: decimal.RequireFromString("58"), Policy: growth.BudgetStop})
	b.must(err)
	for range 3 {
		if _, open := b.look()["budget_forecast"]; !open {
			t.Fatal("the forecast passes the budget, and there is no alert")
		}
		b.now = b.now.Add(time.Minute)
	}
	limit := decimal.RequireFromString("100")
	_, err = sc.ChangeBudget(t.Context(), made.ID, store.BudgetChange{LimitUSD: &limit})
	b.must(err)
	if _, open := b.look()["budget_forecast"]; !open {
		t.Error("the alert was resolved at the first look without it")
	}
	b.now = b.now.Add(6 * time.Minute)
	if _, open := b.look()["budget_forecast"]; open {
		t.Error("the alert is open though the budget is enough")
	}
	want := []string{"alert.opened budget_forecast", "budget.threshold forecast", "alert.resolved budget_forecast", "budget.threshold forecast"}
	if got := b.events("kind"); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("events = %v, want %v", got, want)
	}
	if got := b.events("passing"); got[1] != "budget.threshold true" || got[3] != "budget.threshold false" {
		t.Errorf("events = %v", got)
	}
}

// Each kind of trouble is found when it is there, and not before.
func TestTroublesBecomeAlerts(t *testing.T) {
	t.Parallel()
	now := time.Now()
	account := growth.NewID()
	for _, tc := range []struct {
		kind string
		do   func(*bureau)
	}{
		{"unknown_costs", func(b *bureau) { b.call(now, "", "") }},
		{"queue_latency", func(b *bureau) {
			b.exec(`INSERT INTO jobs (id, workspace_id, type, lane, priority, state, input, max_attempts, timeout_s, run_at)
				VALUES (gen_random_uuid(), $1, 'content-generation', 'content', 'normal', 'queued', '{}', 1, 1, $2)`, b.ws.ID, now.Add(-20*time.Minute))
		}},
		{"account_expiring", func(b *bureau) {
			b.exec(`INSERT INTO linkedin_accounts (id, workspace_id, urn, name, token, expires_at) VALUES ($2, $1, 'u', 'n', 't', $3)`, b.ws.ID, account, now.Add(24*time.Hour))
		}},
		{"breaker_open", func(b *bureau) {
			b.exec(`INSERT INTO events (workspace_id, type, data, created_at) VALUES
				($1, 'breaker.changed', '{"breaker":"ollama","state":"CLOSED"}', $2), ($1, 'breaker.changed', '{"breaker":"openrouter","state":"OPEN"}', $2),
				($1, 'breaker.changed', '{"breaker":"openrouter","state":"HALF_OPEN"}', now())`, b.ws.ID, now.Add(-11*time.Minute))
		}},
		{"budget", func(b *bureau) {
			b.call(now, "9", "")
			_, err := b.Store.In(b.ws.ID).AddBudget(b.t.Context(), growth.Budget{Name: "Ads", Period: growth.BudgetDay, LimitUSD: decimal.NewFromInt(9), Policy: growth.BudgetStop})
			b.must(err)
		}},
		{"failover_rate", func(b *bureau) {
			for range 20 {
				b.call(now, "0", "", func(c *growth.Call) {
					c.Status, c.Decision, c.Code = growth.CallFailed, growth.DecisionFailed, "unavailable"
				})
			}
		}},
		{"target", func(b *bureau) {
			b.must(b.Store.AddCacheCounts(b.t.Context(), []store.CacheCount{{Workspace: b.ws.ID, Task: growth.TaskSimple, Hits: 10, Misses: 90}}))
		}},
	} {
		t.Run(tc.kind, func(t *testing.T) {
			t.Parallel()
			b := newBureau(t)
			b.now = now
			if open := b.look(); len(open) != 0 {
				t.Fatalf("before: %v", open)
			}
			tc.do(b)
			a, open := b.look()[tc.kind]
			if !open || a.Message == "" || a.Resolved != nil {
				t.Fatalf("alert = %+v", a)
			}
			b.look()
			if got := b.events("kind"); got[len(got)-1] != "alert.opened "+tc.kind && tc.kind != "target" {
				t.Errorf("events = %v", got)
			}
		})
	}
}
