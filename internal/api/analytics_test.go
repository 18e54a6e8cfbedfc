package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/analytics"
	"github.com/zakibelm/astrogrowth/internal/api"
	"github.com/zakibelm/astrogrowth/store"
)

// spent writes an answered call of a workspace into the ledger.
func (f *face) spent(ws growth.WorkspaceID, at time.Time, usd string) {
	f.t.Helper()
	c := growth.Call{
		ID: growth.CallID(growth.NewID()), Workspace: ws, Task: growth.TaskSimple, Provider: "openrouter", Model: "m", Status: growth.CallOK,
		Decision: growth.DecisionAnswered, Cost: growth.USD(decimal.RequireFromString(usd), growth.CostReported), StartedAt: at,
	}
	if err := f.s.InTx(f.t.Context(), func(tx *store.Tx) error { return tx.SaveCalls(f.t.Context(), []growth.Call{c}, 0) }); err != nil {
		f.t.Fatal(err)
	}
}

func TestSummaryOfARange(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	day := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	for i := range 5 {
		f.spent(f.ws.ID, day.AddDate(0, 0, i), "1")
	}
	for query, want := range map[string]struct {
		calls int64
		days  int
	}{
		"from=2026-03-11&to=2026-03-13": {3, 3}, "from=2026-03-10&to=2026-03-10": {1, 1}, "from=2026-03-01&to=2026-03-31": {5, 31}, "days=1": {0, 1},
	} {
		var s analytics.Summary
		if err := json.Unmarshal(f.call(http.MethodGet, "/v1/analytics/summary?"+query, "").body, &s); err != nil {
			t.Fatal(err)
		}
		if s.Total.Calls != want.calls || len(s.Daily) != want.days || !s.Total.Cost.Equal(decimal.NewFromInt(want.calls).Mul(decimal.RequireFromString("1.4"))) {
			t.Errorf("%s: %d calls, %s, %d days; want %d calls, %d days", query, s.Total.Calls, s.Total.Cost, len(s.Daily), want.calls, want.days)
		}
		if want.calls == 0 && (s.Outcomes.Requests.Per != nil || s.Chain.Uptime != nil || s.Targets[1].Verdict != analytics.VerdictNone) {
			t.Errorf("%s: what is not known is given as a number: %+v", query, s)
		}
	}
}

func TestSummarySaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	for query, field := range map[string]string{
		"to=2026-03-01": "from", "from=2026-03-01&days=3": "days", "from=2026-03-05&to=2026-03-01": "to", "from=2020-01-01": "to",
		"from=yesterday": "query.from", "days=0": "query.days", "workspaces=mine": "query.workspaces",
	} {
		a := f.call(http.MethodGet, "/v1/analytics/summary?"+query, "")
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(string(a.body), `"field":"`+field+`"`) {
			t.Errorf("%s: %d %s; want a fault of %s", query, a.status, a.body, field)
		}
	}
}

func TestOnlyTheAgencySeesEveryWorkspace(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	other, err := f.s.EnsureWorkspace(t.Context(), "other", "Other")
	if err != nil {
		t.Fatal(err)
	}
	f.spent(f.ws.ID, time.Now(), "1")
	f.spent(other.ID, time.Now(), "2")
	var s analytics.Summary
	if err := json.Unmarshal(f.call(http.MethodGet, "/v1/analytics/summary?workspaces=all", "").body, &s); err != nil {
		t.Fatal(err)
	}
	if s.Total.Calls != 1 || len(s.Workspaces) != 2 || !s.Workspaces["other"].Cost.Equal(decimal.RequireFromString("2.8")) {
		t.Errorf("total %+v, workspaces %+v", s.Total, s.Workspaces)
	}
	if a := f.call(http.MethodGet, "/v1/analytics/summary?workspaces=all", "", "X-API-Key", f.key(f.ws.ID, "admin")); a.status != http.StatusForbidden {
		t.Errorf("a key of one workspace sees all: %d", a.status)
	}
}

func TestForecastOverBothFaces(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	for d := range 40 {
		f.spent(f.ws.ID, time.Now().AddDate(0, 0, -d), "1")
	}
	var rest analytics.Forecast
	if err := json.Unmarshal(f.call(http.MethodGet, "/v1/analytics/forecast?horizon_days=10", "").body, &rest); err != nil {
		t.Fatal(err)
	}
	var older struct {
		Result struct {
			Data struct {
				CurrentMonthlyCAD   float64
				ProjectedMonthlyCAD float64
				DailyForecast       []struct {
					Day              int
					EstimatedCostCAD float64
				}
			}
		}
	}
	if err := json.Unmarshal(f.call(http.MethodGet, "/api/trpc/llmAnalytics.forecast?horizonDays=10", "").body, &older); err != nil {
		t.Fatal(err)
	}
	d := older.Result.Data
	if len(rest.Daily) != 10 || rest.Month == nil || !rest.Daily[5].Expected.Equal(decimal.RequireFromString("1.4")) || rest.Method != "weekday_mean" {
		t.Errorf("forecast = %+v", rest)
	}
	if len(d.DailyForecast) != 10 || d.DailyForecast[5].EstimatedCostCAD != 1.4 || d.CurrentMonthlyCAD != rest.SpentMonth.InexactFloat64() {
		t.Errorf("the older face says %+v", d)
	}
}

func TestAlertsAreListed(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	sc, now := f.s.In(f.ws.ID), time.Now()
	set := func(at time.Time, kinds ...string) {
		var found []store.Alert
		for _, k := range kinds {
			found = append(found, store.Alert{Kind: k, Severity: store.SeverityWarning, Message: "it is so"})
		}
		if _, err := sc.SetAlerts(t.Context(), found, at); err != nil {
			t.Fatal(err)
		}
	}
	set(now, "unknown_costs", "queue_latency")
	set(now.Add(time.Hour), "queue_latency")
	for query, want := range map[string]string{"?state=open": "queue_latency", "?state=resolved": "unknown_costs"} {
		var list api.List[store.Alert]
		if err := json.Unmarshal(f.call(http.MethodGet, "/v1/alerts"+query, "").body, &list); err != nil {
			t.Fatal(err)
		}
		if len(list.Data) != 1 || list.Data[0].Kind != want || (list.Data[0].Resolved == nil) != (query == "?state=open") {
			t.Errorf("%s: %+v", query, list.Data)
		}
	}
	if a := f.call(http.MethodGet, "/v1/alerts?limit=1", "").json(t); a["next_cursor"] == "" || a["next_cursor"] == nil {
		t.Errorf("no cursor: %v", a)
	}
}

func TestBudgetsShowTheirOutlook(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	made := f.call(http.MethodPost, "/v1/budgets", `{"name":"Ads","period":"month","limit_usd":"1"}`).json(t)
	if outlook, there := made["outlook"]; !there || outlook != nil {
		t.Errorf("without a history: %v", outlook)
	}
	for d := range 40 {
		f.spent(f.ws.ID, time.Now().AddDate(0, 0, -d), "1")
	}
	b := f.call(http.MethodGet, "/v1/budgets/"+made["id"].(string), "").json(t) //nolint:errcheck // a test: it may panic
	o, _ := b["outlook"].(map[string]any)
	if b["state"] != "exhausted" || o["method"] != "weekday_mean" || o["p50_usd"] == nil || o["exhausted_on"] == nil {
		t.Errorf("budget = %v", b)
	}
}
