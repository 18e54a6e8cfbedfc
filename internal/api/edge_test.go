package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/api"
	"github.com/zakibelm/astrogrowth/internal/daemon"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/store"
)

// batch sends a batch and gives what became of each element.
func (f *face) batch(elements ...string) api.BatchResult {
	f.t.Helper()
	a := f.call("POST", "/v1/jobs/batch", "["+strings.Join(elements, ",")+"]")
	var out api.BatchResult
	if err := json.Unmarshal(a.body, &out); err != nil || a.status != http.StatusAccepted {
		f.t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	return out
}

func TestKeyThatIsTooLongIsRefusedAloneAndByName(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	out := f.batch(
		`{"type":"content-generation","topic":"a"}`,
		`{"type":"content-generation","topic":"b","idempotency_key":"`+strings.Repeat("k", 16_000)+`"}`,
		`{"type":"content-generation","topic":"c","idempotency_key":"`+strings.Repeat("é", 200)+`"}`)
	if out.Accepted != 2 || out.Rejected != 1 || out.Data[1].Error == nil || out.Data[1].Error.Status != 422 || out.Data[1].Error.Errors[0].Field != "idempotency_key" {
		t.Errorf("%+v", out)
	}
}

// A fault of ours that one item causes takes no other item with it, and is reported once.
func TestFaultOfOneItemIsItsOwn(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	f.run(`CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'broken' USING ERRCODE = 'XX000'; END $$`)
	f.run(`CREATE TRIGGER break BEFORE INSERT ON jobs FOR EACH ROW WHEN (NEW.input ->> 'topic' = 'break') EXECUTE FUNCTION break()`)
	out := f.batch(`{"type":"content-generation","topic":"a"}`, `{"type":"content-generation","topic":"break"}`, `{"type":"content-generation","topic":"c"}`)
	if out.Accepted != 2 || out.Rejected != 1 || out.Data[1].Error == nil || out.Data[1].Error.Status != 500 {
		t.Errorf("%+v", out)
	}
}

func TestRefusedRequestLeavesNoLeadBehind(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	const lead = `"lead":{"business_name":"Café du Parc","city":"Laval"}`
	bad := lead + `,"brand_id":"` + growth.NewID() + `"`
	if a := f.call("POST", "/v1/jobs/content-generation", "{"+bad+"}"); a.status != 422 {
		t.Errorf("%d %s", a.status, a.body)
	}
	f.batch(`{"type":"content-generation",` + bad + `}`)
	if n := f.count(`SELECT count(*) FROM leads`); n != 0 {
		t.Errorf("%d leads were left behind", n)
	}
	out := f.batch(`{"type":"lead-qualification",`+lead+`}`, `{"type":"lead-qualification","lead_id":"`+growth.NewID()+`"}`)
	if n := f.count(`SELECT count(*) FROM leads`); out.Accepted != 1 || out.Data[1].Error == nil || out.Data[1].Error.Status != 422 || n != 1 {
		t.Errorf("%d leads, %+v", n, out)
	}
}

// A caller who waits for a job gets it, as it stands, when the process stops.
func TestWaitIsAnsweredWhenTheServerStops(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	target := f.url
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	id, _ := f.call("POST", "/v1/jobs/content-generation", `{"topic":"x"}`).json(t)["id"].(string)
	var handler http.Handler
	second := newFace(t, func(c *api.Config) {
		c.Store = f.s
		handler = api.New(*c)
	})
	_ = second
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	served := make(chan error, 1)
	go func() {
		served <- daemon.Serve(ctx, daemon.Server{Addr: addr, Handler: handler, Log: zerolog.Nop(), Name: "test", DrainTimeout: 15 * time.Second})
	}()
	f.url = "http://" + addr
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr); err == nil {
			_ = c.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatal("the server does not listen")
		}
	}
	time.AfterFunc(500*time.Millisecond, stop)
	began := time.Now()
	a := f.call("GET", "/v1/jobs/"+id+"?wait=40s", "")
	if took := time.Since(began); a.status != 200 || a.json(t)["id"] != id || took > 8*time.Second {
		t.Errorf("%d %s after %v", a.status, a.body, took)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	f.url = target
}

func TestListOfJobsShowsWhatEachHasCost(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	var ids []string
	for range 4 {
		id, _ := f.call("POST", "/v1/jobs/content-generation", `{"topic":"x"}`).json(t)["id"].(string)
		ids = append(ids, id)
	}
	spend := func(job string, decision growth.Decision, cost growth.Money) {
		c := growth.Call{
			ID: growth.CallID(growth.NewID()), Workspace: f.ws.ID, JobID: growth.JobID(job), Task: growth.TaskContent, Provider: "openrouter", Model: "m",
			Status: growth.CallOK, Decision: decision, Cost: cost, StartedAt: time.Now(),
		}
		if decision == growth.DecisionSkipped {
			c.Status = "skipped"
		}
		if err := f.s.InTx(t.Context(), func(tx *store.Tx) error { return tx.SaveCalls(t.Context(), []growth.Call{c}, 0) }); err != nil {
			t.Fatal(err)
		}
	}
	half := decimal.RequireFromString("0.5")
	spend(ids[0], growth.DecisionAnswered, growth.USD(half, growth.CostReported))
	spend(ids[0], growth.DecisionSkipped, growth.UnknownMoney("USD"))
	spend(ids[1], growth.DecisionAnswered, growth.USD(half, growth.CostReported))
	spend(ids[1], growth.DecisionFailed, growth.USD(half, growth.CostPriced))
	spend(ids[2], growth.DecisionAnswered, growth.USD(half, growth.CostReported))
	spend(ids[2], growth.DecisionAnswered, growth.UnknownMoney("USD"))
	list, _ := f.call("GET", "/v1/jobs", "").json(t)["data"].([]any)
	if len(list) != 4 {
		t.Fatalf("list = %v", list)
	}
	for i, id := range ids {
		own := fmt.Sprint(f.call("GET", "/v1/jobs/"+id, "").json(t)["cost"])
		listed, _ := list[3-i].(map[string]any)
		if got := fmt.Sprint(listed["cost"]); got != own {
			t.Errorf("job %d: the list says %s, its page %s", i, got, own)
		}
	}
}

func TestLastPageNamesNoNext(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	for range 4 {
		f.call("POST", "/v1/jobs/content-generation", `{"topic":"x"}`)
	}
	first := f.call("GET", "/v1/jobs?limit=2", "").json(t)
	next, _ := first["next_cursor"].(string)
	last := f.call("GET", "/v1/jobs?limit=2&cursor="+next, "").json(t)
	if a, b := first["data"].([]any), last["data"].([]any); len(a) != 2 || len(b) != 2 || next == "" || last["next_cursor"] != nil { //nolint:errcheck // a test: it may panic
		t.Errorf("first %v\nlast %v", first, last)
	}
	if all := f.call("GET", "/v1/jobs?limit=200", "").json(t); all["next_cursor"] != nil {
		t.Errorf("all: %v", all)
	}
}

// Members that say CAD hold Canadian dollars, whatever the installation shows its amounts in; what nobody knows is null.
func TestOldCallsSayCanadianDollarsAndUnknown(t *testing.T) {
	t.Parallel()
	f := newFace(t, func(c *api.Config) { c.Currency = "USD" })
	if err := f.s.SetRate(t.Context(), "CAD", decimal.RequireFromString("1.5"), "test"); err != nil {
		t.Fatal(err)
	}
	f.spent(f.ws.ID, time.Now(), "2")
	lost := growth.Call{
		ID: growth.CallID(growth.NewID()), Workspace: f.ws.ID, Task: growth.TaskAnalysis, Provider: "huggingface", Model: "m", Status: growth.CallOK,
		Decision: growth.DecisionAnswered, Cost: growth.UnknownMoney("USD"), StartedAt: time.Now(),
	}
	if err := f.s.InTx(t.Context(), func(tx *store.Tx) error { return tx.SaveCalls(t.Context(), []growth.Call{lost}, 0) }); err != nil {
		t.Fatal(err)
	}
	body := string(f.call("GET", "/api/trpc/llmAnalytics.summary?days=1", "").body)
	for _, want := range []string{`"totalCostCAD":3,`, `"estimatedCostCAD":null`, `"unknownCosts":1`} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
	if body := string(f.call("GET", "/api/trpc/llmAnalytics.forecast", "").body); !strings.Contains(body, `"currentMonthlyCAD":3,`) {
		t.Errorf("forecast: %s", body)
	}
	rest := f.call("GET", "/v1/analytics/summary?days=1", "").json(t)
	hf := rest["providers"].(map[string]any)["huggingface"].(map[string]any)                //nolint:errcheck // a test: it may panic
	if total := rest["total"].(map[string]any); hf["cost"] != nil || total["cost"] != "2" { //nolint:errcheck // a test: it may panic
		t.Errorf("huggingface %v, total %v", hf, total)
	}
}

func TestAuditHoldsWhatTookMoreThanTheScopeOfItsRoute(t *testing.T) {
	t.Parallel()
	f := newFace(t, func(c *api.Config) { c.RequireKeys = true })
	key := f.key(f.ws.ID, "admin")
	call := func(path, body string) {
		t.Helper()
		if a := f.call("POST", path, body, "X-API-Key", key); a.status >= 500 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	call("/v1/jobs/linkedin-publish", `{"content_id":"`+growth.NewID()+`","account_id":"`+growth.NewID()+`"}`) // an approved content
	call("/v1/jobs/content-generation", `{"topic":"x"}`)
	call("/v1/jobs/linkedin-publish", `{"text":"secret plans","account_id":"`+growth.NewID()+`"}`)
	call("/v1/jobs/content-generation", `{"topic":"x","auto_approve":{"threshold":10}}`)
	call("/v1/jobs/batch", `[{"type":"content-generation","topic":"x","auto_approve":{"threshold":10}},{"type":"content-generation","topic":"y","auto_approve":{"threshold":10}}]`)
	call("/v1/schedules", `{"name":"n","cron":"0 3 * * *","zone":"UTC","job":{"type":"maintenance","kind":"purge"}}`)
	call("/api/trpc/contents.create", `{"textContent":"x","status":"approved","qualityScore":80.5}`)
	call("/api/trpc/contents.create", `{"textContent":"y"}`)
	log := f.call("GET", "/v1/audit", "", "X-API-Key", key)
	var got []string
	for _, d := range log.json(t)["data"].([]any) { //nolint:errcheck // a test: it may panic
		e, _ := d.(map[string]any)
		got = append(got, fmt.Sprint(e["operation"], " ", e["status"]))
	}
	want := "trpc-contents.create 200, post-v1-schedules 201, post-v1-jobs-batch 202, post-v1-jobs-content-generation 202, post-v1-jobs-linkedin-publish "
	if s := strings.Join(got, ", "); !strings.HasPrefix(s, want) || len(got) != 5 {
		t.Errorf("log = %s\nwant  %s…", s, want)
	}
	if strings.Contains(string(log.body), "secret plans") {
		t.Error("the log holds a text")
	}
}

// Nothing is read of a caller who is not known.
func TestOldCallsAskForTheKeyFirst(t *testing.T) {
	t.Parallel()
	f := newFace(t, func(c *api.Config) { c.RequireKeys = true })
	if a := f.call("POST", "/api/trpc/llm.complete", "no JSON at all"); a.status != 401 || !strings.Contains(string(a.body), "UNAUTHORIZED") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := f.call("GET", "/api/trpc/llmAnalytics.cacheMetrics,llmAnalytics.cacheMetrics?batch=1", ""); a.status != 401 || strings.Count(string(a.body), "UNAUTHORIZED") != 2 {
		t.Errorf("a batch: %d %s", a.status, a.body)
	}
}

func TestCallsOfAFailureAreInTheCurrencyOfTheInstallation(t *testing.T) {
	t.Parallel()
	f := newChatFace(t)
	for _, p := range []string{"openrouter", "huggingface", "ollama"} {
		f.fault(simulator.Fault{Provider: p, Kind: "500"})
	}
	const messages = `"messages":[{"role":"user","content":"x"}]`
	rest := f.call("POST", "/v1/llm/complete", `{"task_type":"simple",`+messages+`}`)
	older := f.call("POST", "/api/trpc/llm.complete", `{"taskType":"simple",`+messages+`}`)
	many := f.call("POST", "/v1/llm/batch", `{"requests":[{"task_type":"simple",`+messages+`}]}`)
	for _, a := range []answer{rest, older, many} {
		if body := string(a.body); !strings.Contains(body, `"currency":"CAD"`) || strings.Contains(body, `"currency":"USD"`) {
			t.Errorf("%d %s", a.status, body)
		}
	}
}

func TestSmallThingsAreSaidAsTheyAre(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	lead := "/v1/leads/" + growth.NewID()
	for _, tc := range []struct {
		method, path, body string
		headers            []string
		status             int
		want               string
	}{
		{"PUT", lead, "{}", nil, 405, "GET or PATCH or DELETE"},
		{"GET", "/v1/leads/urn:uuid:" + growth.NewID(), "", nil, 422, "36 characters"},
		{"POST", "/v1/keys/" + growth.NewID() + "/rotate", `{"grace_s":99999999}`, nil, 422, "2592000"},
		{"POST", "/v1/campaigns", "name: x", []string{"Content-Type", "text/yaml"}, 415, "application/json"},
		{"GET", "/api/trpc", "", nil, 404, `"code":"NOT_FOUND"`},
		{"GET", "//v1/me", "", nil, 404, "/v1/me"},
		{"GET", "/docs/swagger-ui.css", "", []string{"Accept-Encoding", "identity"}, 200, ".swagger-ui"},
	} {
		a := f.call(tc.method, tc.path, tc.body, tc.headers...)
		if a.status != tc.status || !strings.Contains(string(a.body), tc.want) {
			t.Errorf("%s %s: %d %.300s", tc.method, tc.path, a.status, a.body)
		}
	}
	if a := f.call("PUT", lead, "{}"); a.header.Get("Allow") != "GET, PATCH, DELETE" {
		t.Errorf("Allow: %s", a.header.Get("Allow"))
	}
	if n := f.count(`SELECT count(*) FROM contents`); n != 0 {
		t.Errorf("%d contents", n)
	}
	f.call("POST", "/api/trpc/contents.create", `{"textContent":"x","qualityScore":80.5}`)
	if n := f.count(`SELECT score FROM contents`); n != 81 {
		t.Errorf("score %d", n)
	}
}
