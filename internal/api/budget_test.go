package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/api"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/router/budget"
	"github.com/zakibelm/astrogrowth/store"
)

func TestBudgetsFromMakingToDeleting(t *testing.T) {
	t.Parallel()
	told := 0
	f := newFace(t, func(c *api.Config) {
		c.Budgets = func(context.Context, growth.WorkspaceID) error { told++; return nil }
	})
	made := f.call(http.MethodPost, "/v1/budgets", `{"name":"Ads","period":"month","limit_usd":"50.00","task_type":"content_generation"}`)
	b := made.json(t)
	if made.status != http.StatusCreated || b["policy"] != "stop" || b["state"] != "ok" || b["spent_usd"] != "0" || b["limit_usd"] != "50" || b["unknown_calls"] != 0.0 {
		t.Fatalf("made: %d %s", made.status, made.body)
	}
	path := "/v1/budgets/" + b["id"].(string) //nolint:errcheck // a test: it may panic
	changed := f.call(http.MethodPatch, path, `{"limit_usd":"0","policy":"wait"}`).json(t)
	if changed["limit_usd"] != "0" || changed["policy"] != "wait" || changed["state"] != "exhausted" || changed["name"] != "Ads" {
		t.Errorf("changed: %v", changed)
	}
	if list := f.call(http.MethodGet, "/v1/budgets", "").json(t)["data"].([]any); len(list) != 1 { //nolint:errcheck // as above
		t.Errorf("list: %v", list)
	}
	if a := f.call(http.MethodDelete, path, ""); a.status != http.StatusNoContent {
		t.Errorf("delete: %d %s", a.status, a.body)
	}
	if a := f.call(http.MethodGet, path, ""); a.status != http.StatusNotFound || told != 3 {
		t.Errorf("afterwards: %d, other processes were told %d times; want 404, 3", a.status, told)
	}
}

func TestBudgetsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	for body, field := range map[string]string{
		`{"name":"a","period":"week","limit_usd":"1"}`:                               "body.period",
		`{"name":"a","period":"day","limit_usd":"-1"}`:                               "body.limit_usd",
		`{"name":"a","period":"day","limit_usd":"1e999999999"}`:                      "body.limit_usd",
		`{"name":"a","period":"day","limit_usd":"1000000.01"}`:                       "body.limit_usd",
		`{"name":"a","period":"day","limit_usd":"ten"}`:                              "body.limit_usd",
		`{"name":"a","period":"day","limit_usd":"1","policy":"beg"}`:                 "body.policy",
		`{"name":"a","period":"day","limit_usd":"1","campaign_id":"` + nobody + `"}`: "campaign_id",
		`{"name":"a","period":"day","limit_usd":"1","key_id":"` + nobody + `"}`:      "key_id",
		`{"name":"a","period":"day","limit_usd":"1","task_type":"poetry"}`:           "body.task_type",
		`{"name":"a","period":"day","limit_usd":"1","currency":"CAD"}`:               "body.currency",
	} {
		a := f.call(http.MethodPost, "/v1/budgets", body)
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(string(a.body), `"field":"`+field+`"`) {
			t.Errorf("%s: %d %s; want a fault of %s", body, a.status, a.body, field)
		}
	}
}

const nobody = "0190a000-0000-7000-8000-00000000dead"

// overspent is an API whose workspace has a budget with nothing left.
func overspent(t *testing.T, policy string) *face {
	t.Helper()
	f := newFace(t, func(c *api.Config) {
		k := budget.New(budget.Config{Redis: testenv.RedisClient(t), Book: c.Store})
		c.Budgets = k.Changed
		routes, err := router.ParseRoutes(router.DefaultRoutes)
		if err != nil {
			t.Fatal(err)
		}
		c.Router = router.New(router.Config{Routes: routes, Ledger: store.NewLedgerWriter(c.Store, zerolog.Nop()), Budget: k, Providers: []router.Provider{
			providers.NewOpenRouter(providers.Settings{BaseURL: "http://127.0.0.1:1", Key: "k"}), // nothing must be sent
		}})
	})
	f.call(http.MethodPost, "/v1/budgets", `{"name":"Ads","period":"day","limit_usd":"0.000001","policy":"`+policy+`"}`)
	return f
}

func TestSpentBudgetIs402(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"stop", "wait", "free_only"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			f := overspent(t, policy)
			a := f.call(http.MethodPost, "/v1/llm/complete", `{"task_type":"content_generation","messages":[{"role":"user","content":"hi"}]}`)
			p := a.json(t)
			named, _ := p["budget"].(map[string]any)
			_, end := growth.BudgetDay.Window(time.Now())
			if a.status != http.StatusPaymentRequired || p["type"] != "urn:astrogrowth:problem:exhausted" || named["name"] != "Ads" ||
				named["frees_at"] != end.Format(time.RFC3339) || a.header.Get("Retry-After") == "" || !strings.Contains(p["message"].(string), "Ads") { //nolint:errcheck // a test: it may panic
				t.Errorf("%d %v: %s", a.status, a.header, a.body)
			}
			o := f.call(http.MethodPost, "/v1/chat/completions", `{"model":"astro/content_generation","messages":[{"role":"user","content":"hi"}]}`)
			e, _ := o.json(t)["error"].(map[string]any)
			if o.status != http.StatusPaymentRequired || e["code"] != "insufficient_quota" || o.header.Get("Retry-After") == "" || o.header.Get("X-Should-Retry") != "false" {
				t.Errorf("on OpenAI's face: %d %v: %s", o.status, o.header, o.body)
			}
		})
	}
}

func TestLedgerListAndSettlement(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	held := decimal.RequireFromString("0.02")
	call := growth.Call{
		ID: growth.CallID(growth.NewID()), Workspace: f.ws.ID, Task: growth.TaskSimple, Provider: "openrouter", Model: "m", Status: growth.CallUnknown,
		Decision: growth.DecisionFailed, Reserved: &held, Cost: growth.UnknownMoney("USD"), StartedAt: time.Now(),
	}
	known := call
	known.ID, known.Status, known.Cost = growth.CallID(growth.NewID()), growth.CallOK, growth.USD(held, growth.CostReported)
	if err := f.s.InTx(t.Context(), func(tx *store.Tx) error { return tx.SaveCalls(t.Context(), []growth.Call{call, known}, 0) }); err != nil {
		t.Fatal(err)
	}
	list := func(query string) []any {
		return f.call(http.MethodGet, "/v1/calls"+query, "").json(t)["data"].([]any) //nolint:errcheck // a test: it may panic
	}
	for query, want := range map[string]int{"": 2, "?cost=unknown": 1, "?status=ok": 1, "?provider=ollama": 0, "?task_type=simple&limit=1": 1, "?job_id=" + nobody: 0} {
		if got := list(query); len(got) != want {
			t.Errorf("calls%s: %d rows, want %d", query, len(got), want)
		}
	}
	path := "/v1/calls/" + string(call.ID) + "/settle"
	if a := f.call(http.MethodPost, path, `{"cost_usd":"-1"}`); a.status != http.StatusUnprocessableEntity {
		t.Errorf("a negative cost: %d %s", a.status, a.body)
	}
	a := f.call(http.MethodPost, path, `{"cost_usd":"0.01"}`)
	cost, _ := a.json(t)["cost"].(map[string]any)
	if a.status != http.StatusOK || cost["usd"] != "0.01" || cost["amount"] != "0.014" || cost["provenance"] != "settled" {
		t.Errorf("settled: %d %s", a.status, a.body)
	}
	if again := f.call(http.MethodPost, path, `{"cost_usd":"0.01"}`); again.status != http.StatusConflict {
		t.Errorf("again: %d %s", again.status, again.body)
	}
	if got := list("?cost=unknown"); len(got) != 0 {
		t.Errorf("still unknown: %v", got)
	}
}
