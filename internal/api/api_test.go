package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/zakibelm/astrogrowth/internal/api"
)

func TestDescriptionIsValidOpenAPI(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	a := f.call(http.MethodGet, "/openapi.json", "")
	doc, err := openapi3.NewLoader().LoadFromData(a.body)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || doc.Paths.Value("/v1/jobs/lead-qualification") == nil {
		t.Errorf("version %s, paths %v", doc.OpenAPI, doc.Paths.Map())
	}
	if y := f.call(http.MethodGet, "/openapi.yaml", ""); y.status != http.StatusOK || !strings.Contains(string(y.body), "openapi: 3.1") {
		t.Errorf("openapi.yaml: %d %.80s", y.status, y.body)
	}
}

func TestDocsAskNobodyElse(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	for _, path := range []string{"/docs", "/docs/start.js", "/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js"} {
		if a := f.call(http.MethodGet, path, ""); a.status != http.StatusOK || len(a.body) == 0 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	page := string(f.call(http.MethodGet, "/docs", "").body)
	if strings.Contains(page, "http://") || strings.Contains(page, "https://") {
		t.Errorf("the page names another host: %s", page)
	}
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	first := f.call(http.MethodPost, "/v1/jobs/content-generation", `{"topic":"a"}`, "Idempotency-Key", "k")
	again := f.call(http.MethodPost, "/v1/jobs/content-generation", `{"topic":"a"}`, "Idempotency-Key", "k")
	if first.status != http.StatusAccepted || again.status != http.StatusAccepted || first.json(t)["id"] != again.json(t)["id"] {
		t.Errorf("first %d %s, again %d %s", first.status, first.body, again.status, again.body)
	}
	if again.header.Get("Idempotency-Replayed") != "true" || first.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("Idempotency-Replayed = %q, then %q", first.header.Get("Idempotency-Replayed"), again.header.Get("Idempotency-Replayed"))
	}
	if other := f.call(http.MethodPost, "/v1/jobs/content-generation", `{"topic":"b"}`, "Idempotency-Key", "k"); other.status != http.StatusUnprocessableEntity {
		t.Errorf("another body under the key: %d %s", other.status, other.body)
	}
	if elsewhere := f.call(http.MethodPost, "/v1/jobs/linkedin-publish", `{"text":"a"}`, "Idempotency-Key", "k"); elsewhere.status != http.StatusUnprocessableEntity {
		t.Errorf("the key on another path: %d %s", elsewhere.status, elsewhere.body)
	}
}

// A key stands for what was asked, not for how it was written: a caller may send a job by its own path, and after a fault
// in a batch.
func TestIdempotencyKeyHoldsOnEveryPath(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	year := strconv.Itoa(time.Now().Year() + 1)
	account := f.call(http.MethodPost, "/v1/linkedin/accounts", `{"token":"sim-member-one"}`).json(t)["id"]
	for i, tc := range []struct{ kind, body, again, other string }{
		{
			"lead-qualification", `{"lead":{"business_name":"Chez A","city":"Laval"},"metadata":{"a":1,"b":[1.50,2]},"run_at":"YEAR-01-01T05:00:00+01:00"}`,
			`{ "run_at":"YEAR-01-01T04:00:00Z", "metadata" : {"b":[1.50, 2], "a":1}, "lead":{"city":"Laval", "business_name":"Chez A"} }`,
			`{"lead":{"business_name":"Chez A","city":"Lévis"},"metadata":{"a":1,"b":[1.50,2]},"run_at":"YEAR-01-01T05:00:00+01:00"}`,
		},
		{
			"content-generation", `{"topic":"a","hashtags":["x","y"],"auto_approve":{"threshold":80},"priority":"low"}`,
			`{"priority":"low","auto_approve":{"threshold":80},"hashtags":["x","y"],"topic":"a","brief":""}`,
			`{"topic":"a","hashtags":["y","x"],"auto_approve":{"threshold":80},"priority":"low"}`,
		},
		{
			"linkedin-publish", fmt.Sprintf(`{"text":"Bonjour","account_id":%q,"publish_at":"YEAR-01-01T09:00","zone":"America/Toronto"}`, account),
			fmt.Sprintf(`{"zone":"America/Toronto","publish_at":"YEAR-01-01T09:00","account_id":%q,"text":"Bonjour"}`, account),
			fmt.Sprintf(`{"text":"Bonjour","account_id":%q,"publish_at":"YEAR-01-01T10:00","zone":"America/Toronto"}`, account),
		},
	} {
		for _, body := range []*string{&tc.body, &tc.again, &tc.other} {
			*body = strings.ReplaceAll(*body, "YEAR", year)
		}
		for _, firstByBatch := range []bool{false, true} {
			key := fmt.Sprintf("k-%d-%v", i, firstByBatch)
			alone := func(body string) (int, any) {
				a := f.call(http.MethodPost, "/v1/jobs/"+tc.kind, body, "Idempotency-Key", key)
				return a.status, a.json(t)["id"]
			}
			batched := func(body string) (int, any) {
				a := f.call(http.MethodPost, "/v1/jobs/batch", `[{"type":"`+tc.kind+`","idempotency_key":"`+key+`",`+strings.TrimPrefix(strings.TrimSpace(body), "{")+`]`)
				one := a.json(t)["data"].([]any)[0].(map[string]any) //nolint:errcheck // a test: it may panic
				if p, refused := one["error"].(map[string]any); refused {
					return int(p["status"].(float64)), nil //nolint:errcheck // a test: it may panic
				}
				return a.status, one["id"]
			}
			first, second := alone, batched
			if firstByBatch {
				first, second = batched, alone
			}
			status, id := first(tc.body)
			if status != http.StatusAccepted || id == nil {
				t.Fatalf("%s: %d %v", key, status, id)
			}
			for n, send := range []func(string) (int, any){first, second} {
				for _, body := range []string{tc.body, tc.again} {
					if status, got := send(body); status != http.StatusAccepted || got != id {
						t.Errorf("%s, path %d, %s: %d %v; want the first job %v", key, n, body, status, got, id)
					}
				}
				if status, got := send(tc.other); status != http.StatusUnprocessableEntity {
					t.Errorf("%s, path %d, another body: %d %v", key, n, status, got)
				}
			}
		}
	}
}

func TestBatchTakesTheGoodAndNamesTheBad(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	for _, body := range []string{
		`[{"type":"content-generation","topic":"x"},{"type":"poem"},{"type":"lead-qualification","lead":{"business_name":"B","nope":1}}]`,
		"{\"type\":\"content-generation\",\"topic\":\"x\"}\n{\"type\":\"poem\"}\n\n{\"type\":\"lead-qualification\",\"lead\":{\"business_name\":\"B\",\"nope\":1}}\n",
	} {
		a := f.call(http.MethodPost, "/v1/jobs/batch", body)
		var out api.BatchResult
		if err := json.Unmarshal(a.body, &out); err != nil || a.status != http.StatusAccepted {
			t.Fatalf("%d %s: %v", a.status, a.body, err)
		}
		if out.Accepted != 1 || out.Rejected != 2 || out.Data[0].Status != "accepted" || out.Data[1].Error == nil || !strings.Contains(out.Data[2].Error.Message, "nope") {
			t.Errorf("result = %s", a.body)
		}
	}
	for body, status := range map[string]int{"": 422, "[": 400, "[]": 422, "{\"type\":1}\n{": 400} {
		if body == "" {
			body = " "
		}
		if a := f.call(http.MethodPost, "/v1/jobs/batch", body); a.status != status {
			t.Errorf("batch %q: %d %s, want %d", body, a.status, a.body, status)
		}
	}
}

func TestUnchangedLeadsMakeNoJob(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	body := `[{"type":"lead-qualification","lead":{"business_name":"Café","address":"1 rue A","city":"Laval"}}]`
	first := f.call(http.MethodPost, "/v1/jobs/batch?on_unchanged=skip", body).json(t)
	again := f.call(http.MethodPost, "/v1/jobs/batch?on_unchanged=skip", body).json(t)
	at := func(m map[string]any, key string) any { return m["data"].([]any)[0].(map[string]any)[key] } //nolint:errcheck // a test: it may panic
	if at(first, "status") != "accepted" || at(again, "status") != "existing" || at(first, "id") != at(again, "id") {
		t.Errorf("first %v, again %v", first, again)
	}
}

func TestKeysAndScopes(t *testing.T) {
	t.Parallel()
	f := newFace(t, func(c *api.Config) { c.RequireKeys = true })
	if a := f.call(http.MethodGet, "/v1/me", ""); a.status != http.StatusUnauthorized || a.header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("without a key: %d %s", a.status, a.body)
	}
	reader := f.key(f.ws.ID, "read")
	if a := f.call(http.MethodGet, "/v1/me", "", "Authorization", "Bearer "+reader); a.status != http.StatusOK || a.json(t)["workspace"] != "default" {
		t.Errorf("a reader's me: %d %s", a.status, a.body)
	}
	if a := f.call(http.MethodPost, "/v1/jobs/content-generation", `{"topic":"x"}`, "X-API-Key", reader); a.status != http.StatusForbidden {
		t.Errorf("a reader enqueues: %d %s", a.status, a.body)
	}
	enqueuer := f.key(f.ws.ID, "enqueue", "read")
	if a := f.call(http.MethodPost, "/v1/jobs/linkedin-publish", `{"text":"nobody approved this"}`, "X-API-Key", enqueuer); a.status != http.StatusForbidden {
		t.Errorf("a text without the scope approve: %d %s", a.status, a.body)
	}
	if a := f.call(http.MethodPost, "/api/trpc/llm.complete", `{"taskType":"simple","messages":[{"role":"user","content":"1+1"}]}`); a.status != http.StatusUnauthorized || !strings.Contains(string(a.body), `"code":-32001`) {
		t.Errorf("tRPC without a key: %d %s", a.status, a.body)
	}
}

func TestForeignHostNamesAreRefusedWithoutKeys(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.url+"/v1/me", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "rebound.example"
	resp, err := (&http.Client{}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("status = %d, want 403", resp.StatusCode)
	}
}

func TestCrossOriginCallsByList(t *testing.T) {
	t.Parallel()
	f := newFace(t, func(c *api.Config) { c.CORSOrigins = []string{"https://app.example"} })
	if a := f.call(http.MethodGet, "/v1/me", "", "Origin", "https://app.example"); a.header.Get("Access-Control-Allow-Origin") != "https://app.example" {
		t.Errorf("listed origin: %v", a.header)
	}
	if a := f.call(http.MethodGet, "/v1/me", "", "Origin", "https://evil.example"); a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("other origin: %v", a.header)
	}
}

// Without keys a browser must not carry out what a page of another site sends to localhost, in whatever form.
func TestPagesOfOtherSitesChangeNothing(t *testing.T) {
	t.Parallel()
	f := newFace(t, func(c *api.Config) { c.CORSOrigins = []string{"https://app.example"} })
	for _, to := range []string{"/v1/queues/content/pause", "/v1/keys", "/v1/jobs/batch", "/api/trpc/contents.create", "/v1/chat/completions"} {
		for _, header := range [][]string{
			{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site", "Origin", "http://localhost:5173"},
		} {
			if a := f.call(http.MethodPost, to, `{}`, header...); a.status != http.StatusForbidden {
				t.Errorf("%s from %v: %d; want 403", to, header, a.status)
			}
		}
	}
	pause := "/v1/queues/content/pause"
	for _, header := range [][]string{nil, {"Origin", "https://app.example", "Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-origin"}} {
		if a := f.call(http.MethodPost, pause, "", header...); a.status != http.StatusOK {
			t.Errorf("from %v: %d %s; want 200", header, a.status, a.body)
		}
	}
	keyed := newFace(t, func(c *api.Config) { c.RequireKeys = true })
	if a := keyed.call(http.MethodPost, pause, "", "Origin", "https://evil.example"); a.status != http.StatusUnauthorized {
		t.Errorf("with keys: %d; want 401: the key is the guard", a.status)
	}
}

func TestQueuesPauseAndResume(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	if a := f.call(http.MethodPost, "/v1/queues/content/pause", ""); a.status != http.StatusOK || !strings.Contains(string(a.body), `"queue":"content","jobs":{},"paused":true`) {
		t.Errorf("pause: %d %s", a.status, a.body)
	}
	if a := f.call(http.MethodPost, "/v1/queues/content/resume", ""); a.status != http.StatusOK || strings.Contains(string(a.body), `"paused":true`) {
		t.Errorf("resume: %d %s", a.status, a.body)
	}
	if a := f.call(http.MethodPost, "/v1/queues/nope/pause", ""); a.status != http.StatusNotFound {
		t.Errorf("no such queue: %d %s", a.status, a.body)
	}
}

func TestTRPCBatchesAndErrors(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	a := f.call(http.MethodGet, "/api/trpc/llmAnalytics.summary,llmAnalytics.nope?batch=1&input=%7B%220%22%3A%7B%22days%22%3A3%7D%7D", "")
	var out []map[string]any
	if err := json.Unmarshal(a.body, &out); err != nil || a.status != http.StatusMultiStatus || len(out) != 2 || out[0]["result"] == nil || out[1]["error"] == nil {
		t.Errorf("batch: %d %s", a.status, a.body)
	}
	for _, tc := range []struct {
		method, path, body string
		status             int
	}{
		{http.MethodGet, "/api/trpc/llm.complete", "", 405},
		{http.MethodPost, "/api/trpc/llmAnalytics.summary", "{}", 405},
		{http.MethodPost, "/api/trpc/llm.complete", "{", 400},
		{http.MethodPost, "/api/trpc/llm.complete", `{"taskType":"poetry","messages":[]}`, 400},
		{http.MethodGet, "/api/trpc/llmAnalytics.summary?days=0", "", 400},
		{http.MethodPost, "/api/trpc/contents.create", `{"textContent":"Bonjour","hashtags":"[\"#a\"]","qualityScore":80,"status":"pending"}`, 200},
		{http.MethodGet, "/api/trpc/leads.listByCampaign?campaignId=999", "", 404},
	} {
		if a := f.call(tc.method, tc.path, tc.body); a.status != tc.status || !json.Valid(a.body) {
			t.Errorf("%s %s: %d %s, want %d", tc.method, tc.path, a.status, a.body, tc.status)
		}
	}
}

// A request that is refused or repeated under its key writes nothing, not even its lead.
func TestRepeatedRequestWritesItsLeadOnce(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	body := `{"lead":{"business_name":"Sans adresse"}}`
	for range 3 {
		f.call(http.MethodPost, "/v1/jobs/lead-qualification", body, "Idempotency-Key", "k")
	}
	f.call(http.MethodPost, "/v1/jobs/lead-qualification", `{"lead":{"business_name":"Autre"}}`, "Idempotency-Key", "k")
	batch := `[{"type":"lead-qualification","idempotency_key":"b","lead":{"business_name":"Du lot"}}]`
	for range 2 {
		f.call(http.MethodPost, "/v1/jobs/batch", batch)
	}
	leads, err := f.s.In(f.ws.ID).CountLeads(t.Context())
	if err != nil || leads[""] != 2 {
		t.Errorf("leads = %v, %v; want the first request's and the batch's", leads, err)
	}
}
