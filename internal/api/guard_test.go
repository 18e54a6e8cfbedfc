package api_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/api"
	"github.com/zakibelm/astrogrowth/internal/limit"
	"github.com/zakibelm/astrogrowth/internal/testenv"
)

// newMetered is a face with keys, each of which may make a number of requests an hour.
func newMetered(t *testing.T, perHour int) *face {
	t.Helper()
	rdb := testenv.RedisClient(t)
	return newFace(t, func(c *api.Config) { c.RequireKeys, c.Limiter, c.PerHour = true, limit.New(rdb, "api"), perHour })
}

func TestKeyMayMakeItsRequestsAndNoMore(t *testing.T) {
	t.Parallel()
	f := newMetered(t, 3)
	key := f.key(f.ws.ID, "admin")
	for i := range 3 {
		a := f.call(http.MethodGet, "/v1/me", "", "X-API-Key", key)
		if a.status != 200 || a.header.Get("RateLimit-Limit") != "3" || a.header.Get("RateLimit-Remaining") != strconv.Itoa(2-i) || a.header.Get("RateLimit-Reset") != "3600" {
			t.Errorf("request %d: %d %v", i+1, a.status, a.header)
		}
	}
	a := f.call(http.MethodGet, "/v1/me", "", "X-API-Key", key)
	wait, err := strconv.Atoi(a.header.Get("Retry-After"))
	if a.status != 429 || err != nil || wait < 3590 || wait > 3600 || a.header.Get("RateLimit-Remaining") != "0" || a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("one too many: %d %s, %v", a.status, a.body, a.header)
	}
	if p := a.json(t); p["type"] != "urn:astrogrowth:problem:throttled" || !strings.Contains(p["message"].(string), "3 requests") { //nolint:errcheck // a test: it may panic
		t.Errorf("problem = %v", p)
	}
	if other := f.call(http.MethodGet, "/v1/me", "", "X-API-Key", f.key(f.ws.ID, "read")); other.status != 200 {
		t.Errorf("another key: %d", other.status)
	}
	// Reading jobs goes on: whoever has enqueued wants to know.
	for _, path := range []string{"/v1/jobs", "/v1/jobs/" + growth.NewID() + "?wait=0s"} {
		if a := f.call(http.MethodGet, path, "", "X-API-Key", key); a.status == 429 || a.header.Get("RateLimit-Limit") != "" {
			t.Errorf("%s: %d %v", path, a.status, a.header)
		}
	}
}

func TestEveryFaceSaysInItsOwnWordsThatTheHourIsUsedUp(t *testing.T) {
	t.Parallel()
	f := newMetered(t, 1)
	key := f.key(f.ws.ID, "admin")
	f.call(http.MethodGet, "/v1/me", "", "X-API-Key", key)
	trpc := f.call(http.MethodGet, "/api/trpc/llmAnalytics.cacheMetrics", "", "X-API-Key", key)
	if trpc.status != 429 || !strings.Contains(string(trpc.body), `"code":-32029`) || !strings.Contains(string(trpc.body), "TOO_MANY_REQUESTS") || trpc.header.Get("Retry-After") == "" {
		t.Errorf("tRPC: %d %s %v", trpc.status, trpc.body, trpc.header)
	}
	openai := f.call(http.MethodGet, "/v1/models", "", "Authorization", "Bearer "+key)
	if openai.status != 429 || !strings.Contains(string(openai.body), "rate_limit_exceeded") || openai.header.Get("Retry-After") == "" || openai.header.Get("RateLimit-Limit") != "1" {
		t.Errorf("OpenAI: %d %s %v", openai.status, openai.body, openai.header)
	}
}

// The window is the key's, whichever enqueuer answers.
func TestEnqueuersShareTheWindow(t *testing.T) {
	t.Parallel()
	rdb := testenv.RedisClient(t)
	one := newFace(t, func(c *api.Config) { c.RequireKeys, c.Limiter, c.PerHour = true, limit.New(rdb, "api"), 10 })
	two := newFace(t, func(c *api.Config) {
		c.Store, c.RequireKeys, c.Limiter, c.PerHour = one.s, true, limit.New(rdb, "api"), 10
	})
	key := one.key(one.ws.ID, "read")
	let := 0
	for i := range 30 {
		f := one
		if i%2 == 1 {
			f = two
		}
		if f.call(http.MethodGet, "/v1/me", "", "X-API-Key", key).status == 200 {
			let++
		}
	}
	if let != 10 {
		t.Errorf("%d requests were let through, want 10", let)
	}
}

func TestWithoutRedisNobodyIsTurnedAway(t *testing.T) {
	t.Parallel()
	gone := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	t.Cleanup(func() { _ = gone.Close() })
	f := newFace(t, func(c *api.Config) { c.RequireKeys, c.Limiter, c.PerHour = true, limit.New(gone, "api"), 1 })
	key := f.key(f.ws.ID, "enqueue", "read")
	for range 3 {
		if a := f.call(http.MethodPost, "/v1/jobs/content-generation", `{"topic":"x"}`, "X-API-Key", key); a.status != http.StatusAccepted {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}

func TestUserOfThisMachineIsNotCounted(t *testing.T) {
	t.Parallel()
	rdb := testenv.RedisClient(t)
	f := newFace(t, func(c *api.Config) { c.Limiter, c.PerHour = limit.New(rdb, "api"), 1 })
	for range 3 {
		if a := f.call(http.MethodGet, "/v1/me", ""); a.status != 200 || a.header.Get("RateLimit-Limit") != "" {
			t.Errorf("%d %v", a.status, a.header)
		}
	}
}

func TestPreflightAndExposedHeaders(t *testing.T) {
	t.Parallel()
	rdb := testenv.RedisClient(t)
	f := newFace(t, func(c *api.Config) {
		c.RequireKeys, c.CORSOrigins, c.Limiter, c.PerHour = true, []string{"https://app.example"}, limit.New(rdb, "api"), 5
	})
	ask := []string{"Origin", "https://app.example", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type,idempotency-key,trpc-accept"}
	a := f.call(http.MethodOptions, "/v1/jobs/content-generation", "", ask...)
	if a.status != http.StatusNoContent || a.header.Get("Access-Control-Allow-Origin") != "https://app.example" ||
		!strings.Contains(a.header.Get("Access-Control-Allow-Headers"), "trpc-accept") || a.header.Get("Access-Control-Allow-Methods") != "POST" {
		t.Errorf("preflight: %d %v", a.status, a.header)
	}
	ask[1] = "https://evil.example"
	if a := f.call(http.MethodOptions, "/v1/jobs/content-generation", "", ask...); a.header.Get("Access-Control-Allow-Origin") != "" || a.header.Get("Access-Control-Allow-Headers") != "" {
		t.Errorf("preflight of a stranger: %v", a.header)
	}
	a = f.call(http.MethodGet, "/v1/me", "", "Origin", "https://app.example", "X-API-Key", f.key(f.ws.ID, "read"))
	for _, h := range []string{"Ratelimit-Limit", "Ratelimit-Remaining", "Ratelimit-Reset", "Retry-After", "Location"} {
		if !strings.Contains(strings.ToLower(a.header.Get("Access-Control-Expose-Headers")), strings.ToLower(h)) {
			t.Errorf("%s is not exposed: %v", h, a.header)
		}
	}
}

// Each face refuses a body that is too large in its own words.
func TestBodiesHaveALimit(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	large := `{"x":"` + strings.Repeat("x", 10<<20) + `"}`
	for path, want := range map[string]string{
		"/v1/jobs/content-generation": `"type":"urn:astrogrowth:problem:too_large"`,
		"/api/trpc/llm.complete":      `"code":"PAYLOAD_TOO_LARGE"`,
		"/v1/chat/completions":        `"code":"request_too_large"`,
	} {
		if a := f.call(http.MethodPost, path, large); a.status != http.StatusRequestEntityTooLarge || !strings.Contains(string(a.body), want) {
			t.Errorf("%s: %d %.300s", path, a.status, a.body)
		}
	}
}

func TestAuditHoldsWhatWasDoneAndNothingOfWhatWasSent(t *testing.T) {
	t.Parallel()
	f := newFace(t, func(c *api.Config) { c.RequireKeys = true })
	key := f.key(f.ws.ID, "admin")
	call := func(method, path, body string) answer { return f.call(method, path, body, "X-API-Key", key) }
	made := call("POST", "/v1/keys", `{"name":"for the forms","scopes":["enqueue"]}`)
	id, _ := made.json(t)["id"].(string)
	if made.status != 201 {
		t.Fatalf("%d %s", made.status, made.body)
	}
	call("POST", "/v1/contents/"+growth.NewID()+"/approve", `{"hash":"x"}`)
	call("DELETE", "/v1/keys/"+id, "")
	call("POST", "/v1/jobs/content-generation", `{"topic":"x"}`) // enqueueing is no administration
	call("GET", "/v1/keys", "")
	if a := f.call("POST", "/v1/keys", `{"name":"n","scopes":["read"]}`, "X-API-Key", f.key(f.ws.ID, "read")); a.status != 403 {
		t.Errorf("a reader makes a key: %d", a.status)
	}
	call("POST", "/api/trpc/llmAnalytics.cacheInvalidate", `{"pattern":"llm:cache:simple:*"}`)
	log := call("GET", "/v1/audit", "")
	data, _ := log.json(t)["data"].([]any)
	var got []string
	for _, d := range data {
		e, _ := d.(map[string]any)
		status, _ := e["status"].(float64)
		got = append(got, e["operation"].(string)+" "+strconv.Itoa(int(status))) //nolint:errcheck // a test: it may panic
		if e["actor"] != "test" || e["key_id"] == "" {
			t.Errorf("entry = %v", e)
		}
	}
	want := "trpc-llmAnalytics.cacheInvalidate 200, delete-v1-keys-id 204, post-v1-contents-id-approve 404, post-v1-keys 201"
	if strings.Join(got, ", ") != want {
		t.Errorf("log = %s\nwant  %s", strings.Join(got, ", "), want)
	}
	for _, secret := range []string{"for the forms", "simple", "ag_live"} {
		if strings.Contains(string(log.body), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	if one := call("GET", "/v1/audit?operation=delete-v1-keys-id&target="+id, "").json(t)["data"].([]any); len(one) != 1 { //nolint:errcheck // a test: it may panic
		t.Errorf("by operation and target: %v", one)
	}
	other, err := f.s.EnsureWorkspace(t.Context(), "other", "Other")
	if err != nil {
		t.Fatal(err)
	}
	if a := f.call("GET", "/v1/audit", "", "X-API-Key", f.key(other.ID, "admin")); len(a.json(t)["data"].([]any)) != 0 { //nolint:errcheck // a test: it may panic
		t.Errorf("another workspace's log: %s", a.body)
	}
}

func TestKeyIsRotated(t *testing.T) {
	t.Parallel()
	f := newFace(t, func(c *api.Config) { c.RequireKeys = true })
	admin := f.key(f.ws.ID, "admin")
	make1 := f.call("POST", "/v1/keys", `{"name":"n8n","scopes":["enqueue","read"]}`, "X-API-Key", admin).json(t)
	old, id := make1["key"].(string), make1["id"].(string) //nolint:errcheck // a test: it may panic
	works := func(key any) bool {
		s, _ := key.(string)
		return f.call("GET", "/v1/me", "", "X-API-Key", s).status == 200
	}
	rotated := f.call("POST", "/v1/keys/"+id+"/rotate", "", "X-API-Key", admin)
	fresh := rotated.json(t)
	if rotated.status != 201 || !works(old) || !works(fresh["key"]) || fresh["rotated_from"] != id || fresh["name"] != "n8n" {
		t.Errorf("rotated: %d %s", rotated.status, rotated.body)
	}
	again := f.call("POST", "/v1/keys/"+id+"/rotate", `{"grace_s":0}`, "X-API-Key", admin)
	if again.status != 201 || works(old) || !works(again.json(t)["key"]) {
		t.Errorf("without grace: %d %s", again.status, again.body)
	}
	for body, field := range map[string]string{
		`{"name":"x","scopes":["read"],"expires_at":"2020-01-01T00:00:00Z"}`: "expires_at",
		`{"name":"x","scopes":["root"]}`:                                     "scopes",
		`{"name":"","scopes":["read"]}`:                                      "name",
	} {
		if a := f.call("POST", "/v1/keys", body, "X-API-Key", admin); a.status != 422 || !strings.Contains(string(a.body), field) {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
}

func TestAgencyLooksAfterItsKeysAndWorkspacesCannot(t *testing.T) {
	t.Parallel()
	f := newFace(t, func(c *api.Config) { c.RequireKeys = true })
	agency, workspace := f.key("", "admin"), f.key(f.ws.ID, "admin")
	works := func(key any) bool {
		s, _ := key.(string)
		return f.call("GET", "/v1/me", "", "X-API-Key", s).status == 200
	}
	const body = `{"name":"of the partner","scopes":["read"],"agency":true}`
	if a := f.call("POST", "/v1/keys", body, "X-API-Key", workspace); a.status != 403 {
		t.Errorf("a workspace makes a key of the agency: %d %s", a.status, a.body)
	}
	if a := f.call("POST", "/v1/keys", `{"name":"ADMIN_API_KEY","scopes":["admin"],"agency":true}`, "X-API-Key", agency); a.status != 422 {
		t.Errorf("a key with the name of the configuration's: %d %s", a.status, a.body)
	}
	a := f.call("POST", "/v1/keys", body, "X-API-Key", agency)
	made := a.json(t)
	id, _ := made["id"].(string)
	if a.status != 201 || made["agency"] != true {
		t.Fatalf("made: %d %s", a.status, a.body)
	}
	if l := f.call("GET", "/v1/keys", "", "X-API-Key", workspace); strings.Contains(string(l.body), id) || strings.Contains(string(l.body), `"agency"`) {
		t.Errorf("a workspace sees the agency's keys: %s", l.body)
	}
	for _, try := range [][2]string{{"POST", "/v1/keys/" + id + "/rotate"}, {"DELETE", "/v1/keys/" + id}} {
		if a := f.call(try[0], try[1], "", "X-API-Key", workspace); a.status != 404 || !works(made["key"]) {
			t.Errorf("a workspace's %s: %d %s", try[0], a.status, a.body)
		}
	}
	if l := f.call("GET", "/v1/keys", "", "X-API-Key", agency); !strings.Contains(string(l.body), id) {
		t.Errorf("the agency does not see its key: %s", l.body)
	}
	fresh := f.call("POST", "/v1/keys/"+id+"/rotate", `{"grace_s":0}`, "X-API-Key", agency).json(t)
	if fresh["agency"] != true || works(made["key"]) || !works(fresh["key"]) {
		t.Errorf("rotated: %v", fresh)
	}
	freshID, _ := fresh["id"].(string)
	if a := f.call("DELETE", "/v1/keys/"+freshID, "", "X-API-Key", agency); a.status != 204 || works(fresh["key"]) {
		t.Errorf("revoked: %d %s", a.status, a.body)
	}
}
