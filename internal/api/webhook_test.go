package api_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/api"
)

const leadBody = `{"email":"ada@example.test","name":"Ada"}`

// source makes a webhook source and gives it as the API shows it.
func (f *face) source(body string) map[string]any {
	f.t.Helper()
	a := f.call(http.MethodPost, "/v1/webhook-sources", body)
	if a.status != http.StatusCreated {
		f.t.Fatalf("%d %s", a.status, a.body)
	}
	return a.json(f.t)
}

func str(v any) string {
	s, _ := v.(string)
	return s
}

// members are the objects of a list.
func members(v any) []map[string]any {
	var out []map[string]any
	list, _ := v.([]any)
	for _, item := range list {
		m, _ := item.(map[string]any)
		out = append(out, m)
	}
	return out
}

func hmacOf(key, text string) []byte {
	m := hmac.New(sha256.New, []byte(key))
	m.Write([]byte(text))
	return m.Sum(nil)
}

// prove gives the headers that a sender of a kind would send, at a time.
func prove(t *testing.T, kind, secret, uri, body string, at time.Time) []string {
	t.Helper()
	s, ms := fmt.Sprint(at.Unix()), fmt.Sprint(at.UnixMilli())
	switch kind {
	case "hmac":
		return []string{"X-Signature", "t=" + s + ",v1=" + hex.EncodeToString(hmacOf(secret, s+"."+body))}
	case "calendly":
		return []string{"Calendly-Webhook-Signature", "t=" + s + ",v1=" + hex.EncodeToString(hmacOf(secret, s+"."+body))}
	case "hmac_body":
		return []string{"X-Hub-Signature-256", "sha256=" + hex.EncodeToString(hmacOf(secret, body))}
	case "typeform":
		return []string{"Typeform-Signature", "sha256=" + base64.StdEncoding.EncodeToString(hmacOf(secret, body))}
	case "hubspot":
		sum := base64.StdEncoding.EncodeToString(hmacOf(secret, "POST"+uri+body+ms))
		return []string{"X-HubSpot-Request-Timestamp", ms, "X-HubSpot-Signature-v3", sum}
	case "standard_webhooks":
		wh, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		sig, err := wh.Sign("msg_"+body[:min(len(body), 12)], at, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return []string{"webhook-id", "msg_" + body[:min(len(body), 12)], "webhook-timestamp", s, "webhook-signature", sig}
	case "token":
		return []string{"Authorization", "Bearer " + secret}
	}
	t.Fatalf("unknown kind %s", kind)
	return nil
}

// Every kind over HTTP: good, again, changed, stale, with another secret, while the secret is replaced, and after.
func TestEveryKindOfWebhook(t *testing.T) {
	t.Parallel()
	f := newFace(t, func(c *api.Config) { c.PublicURL, c.RequireKeys = "https://leads.example.test", true })
	admin := f.key(f.ws.ID, "admin")
	for _, kind := range []string{"hmac", "hmac_body", "standard_webhooks", "hubspot", "typeform", "calendly", "token"} {
		given := "demo-secret-of-theirs"
		if kind == "standard_webhooks" {
			given = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
		}
		a := f.call(http.MethodPost, "/v1/webhook-sources", fmt.Sprintf(`{"name":"%s","kind":"%s","secret":%q}`, kind, kind, given), "X-API-Key", admin)
		if a.status != http.StatusCreated {
			t.Fatalf("%s: %d %s", kind, a.status, a.body)
		}
		s := a.json(t)
		if s["secret"] != nil || strings.Contains(string(a.body), given) {
			t.Errorf("%s: the sender's secret is shown: %s", kind, a.body)
		}
		path := "/v1/webhooks/" + str(s["id"])
		if s["url"] != "https://leads.example.test"+path {
			t.Errorf("url = %v", s["url"])
		}
		uri := str(s["url"]) + "?from=a%20b"
		post := func(what string, want int, body string, headers ...string) {
			t.Helper()
			if got := f.call(http.MethodPost, path+"?from=a%20b", body, headers...); got.status != want {
				t.Errorf("%s, %s: %d %s; want %d", kind, what, got.status, got.body, want)
			}
		}
		now := time.Now()
		body := func(n int) string { return fmt.Sprintf(`{"n":"%d","email":"ada%d@example.test"}`, n, n) }
		post("good", 202, body(1), prove(t, kind, given, uri, body(1), now)...)
		post("the same again", 200, body(1), prove(t, kind, given, uri, body(1), now)...)
		post("without proof", 401, body(2))
		post("another secret", 401, body(2), prove(t, kind, strings.Replace(given, "A", "B", 1)+map[bool]string{true: "", false: "x"}[kind == "standard_webhooks"], uri, body(2), now)...)
		if kind != "token" {
			post("a changed body", 401, body(3), prove(t, kind, given, uri, body(2), now)...)
			post("no JSON", 400, "no JSON at all", prove(t, kind, given, uri, "no JSON at all", now)...)
		}
		if kind == "hmac" || kind == "calendly" || kind == "hubspot" || kind == "standard_webhooks" {
			post("of ten minutes ago", 401, body(2), prove(t, kind, given, uri, body(2), now.Add(-10*time.Minute))...)
			post("of in ten minutes", 401, body(2), prove(t, kind, given, uri, body(2), now.Add(10*time.Minute))...)
		}
		next := "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("n", 32)))
		rotate := func(grace string) {
			t.Helper()
			r := f.call(http.MethodPost, "/v1/webhook-sources/"+str(s["id"])+"/rotate-secret", fmt.Sprintf(`{"secret":%q%s}`, next, grace), "X-API-Key", admin)
			if r.status != http.StatusOK {
				t.Fatalf("%s: rotate: %d %s", kind, r.status, r.body)
			}
		}
		rotate("")
		post("the new secret", 202, body(4), prove(t, kind, next, uri, body(4), now)...)
		post("the old one meanwhile", 202, body(5), prove(t, kind, given, uri, body(5), now)...)
		rotate(`,"grace_s":0`)
		post("the old one afterwards", 401, body(6), prove(t, kind, given, uri, body(6), now)...)
		post("larger than is taken", 413, `{"x":"`+strings.Repeat("x", 1<<20)+`"}`, prove(t, kind, next, uri, "", now)...)
	}
}

func TestSourceWithoutASecretTakesNothingIn(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	s := f.source(`{"name":"crm","kind":"hubspot"}`)
	path := "/v1/webhooks/" + str(s["id"])
	for _, secret := range []string{"", "x"} {
		if a := f.call(http.MethodPost, path, leadBody, prove(t, "hubspot", secret, "http://localhost:3000"+path, leadBody, time.Now())...); a.status != http.StatusUnauthorized {
			t.Errorf("secret %q: %d %s", secret, a.status, a.body)
		}
	}
	for _, id := range []string{"x", growth.NewID()} {
		if a := f.call(http.MethodPost, "/v1/webhooks/"+id, leadBody); a.status != http.StatusNotFound {
			t.Errorf("source %s: %d %s", id, a.status, a.body)
		}
	}
	now := f.call(http.MethodGet, "/v1/webhook-sources/"+str(s["id"]), "").json(t)
	if now["last_refused_at"] == nil || !strings.Contains(str(now["last_refusal"]), "no secret") {
		t.Errorf("the owner sees %v", now)
	}
}

func TestSourceThatIsOffIsNotThere(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	s := f.source(`{"name":"form","kind":"token"}`)
	id, secret := str(s["id"]), str(s["secret"])
	if a := f.call(http.MethodPatch, "/v1/webhook-sources/"+id, `{"enabled":false}`); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := f.call(http.MethodPost, "/v1/webhooks/"+id, leadBody, "Authorization", "Bearer "+secret); a.status != http.StatusNotFound {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := f.call(http.MethodDelete, "/v1/webhook-sources/"+id, ""); a.status != http.StatusNoContent {
		t.Errorf("delete: %d %s", a.status, a.body)
	}
	if a := f.call(http.MethodGet, "/v1/webhook-sources/"+id, ""); a.status != http.StatusNotFound {
		t.Errorf("after it was deleted: %d", a.status)
	}
}

func TestDeliveriesAreListedReadAndReplayed(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 10)
	f := newFace(t, func(c *api.Config) { c.Arrived = func() { arrived <- struct{}{} } })
	s := f.source(`{"name":"form","kind":"token","events":["lead"],"event_path":"kind"}`)
	post := func(body string) map[string]any {
		return f.call(http.MethodPost, "/v1/webhooks/"+str(s["id"]), body, "Authorization", "Bearer "+str(s["secret"])).json(t)
	}
	first, dropped := post(`{"kind":"lead","email":"a@b.test"}`), post(`{"kind":"other"}`)
	if first["accepted"] != 1.0 || dropped["dropped"] != 1.0 || len(arrived) != 1 {
		t.Errorf("answers %v, %v; %d arrivals told", first, dropped, len(arrived))
	}
	list := f.call(http.MethodGet, "/v1/webhook-deliveries?source_id="+str(s["id"]), "").json(t)["data"]
	if all := members(list); len(all) != 2 || all[0]["state"] != "dropped" || all[1]["body"] != nil {
		t.Errorf("list = %v", list)
	}
	id := str(members(first["data"])[0]["id"])
	one := f.call(http.MethodGet, "/v1/webhook-deliveries/"+id, "").json(t)
	if body, _ := one["body"].(map[string]any); body["email"] != "a@b.test" || one["event"] != "lead" {
		t.Errorf("delivery = %v", one)
	}
	if a := f.call(http.MethodPost, "/v1/webhook-deliveries/"+id+"/replay", ""); a.status != http.StatusAccepted {
		t.Errorf("replay: %d %s", a.status, a.body)
	}
}

func TestSourceShowsTheLeadThatItWouldMake(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	s := f.source(`{"name":"form","kind":"hmac","mapping":{"email":"who.mail"}}`)
	test := func(body string) answer {
		return f.call(http.MethodPost, "/v1/webhook-sources/"+str(s["id"])+"/test", body)
	}
	var out api.SourceTest
	a := test(`{"body":{"who":{"mail":"ada@example.test"},"company":"Chez Ada"}}`)
	if err := json.Unmarshal(a.body, &out); err != nil || len(out.Data) != 1 || out.Data[0].Lead == nil || out.Data[0].Lead.Email != "ada@example.test" || out.Data[0].Lead.BusinessName != "Chez Ada" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := test(`{"body":{"mail":"ada@example.test"},"mapping":{"email":"mail"}}`); !strings.Contains(string(a.body), "ada@example.test") {
		t.Errorf("with another mapping: %d %s", a.status, a.body)
	}
	if a := test(`{"body":{"mail":"x"},"mapping":{"mail":"mail"}}`); a.status != http.StatusUnprocessableEntity || !strings.Contains(string(a.body), "mapping.mail") {
		t.Errorf("a field that is none: %d %s", a.status, a.body)
	}
	if a := test(`{"body":[1]}`); a.status != http.StatusUnprocessableEntity {
		t.Errorf("a body that is none: %d %s", a.status, a.body)
	}
}

func TestWebhookCallsAreForAdminsOnly(t *testing.T) {
	t.Parallel()
	f := newFace(t, func(c *api.Config) { c.RequireKeys = true })
	key, id := f.key(f.ws.ID, "enqueue", "read", "approve"), growth.NewID()
	for _, c := range [][2]string{
		{"GET", "/v1/webhook-sources"},
		{"GET", "/v1/webhook-sources/" + id},
		{"POST", "/v1/webhook-sources/" + id + "/rotate-secret"},
		{"GET", "/v1/webhook-deliveries"},
		{"GET", "/v1/webhook-deliveries/" + id},
		{"POST", "/v1/webhook-deliveries/" + id + "/replay"},
		{"GET", "/v1/subscriptions"},
		{"GET", "/v1/subscriptions/" + id + "/deliveries"},
		{"POST", "/v1/subscription-deliveries/" + id + "/redeliver"},
		{"POST", "/v1/subscriptions/" + id + "/rotate-secret"},
		{"POST", "/v1/workspace/rotate-secret"},
	} {
		if a := f.call(c[0], c[1], "", "X-API-Key", key); a.status != http.StatusForbidden {
			t.Errorf("%s %s: %d %s", c[0], c[1], a.status, a.body)
		}
	}
}

func TestSubscriptionsAreMadeChangedAndEnded(t *testing.T) {
	t.Parallel()
	f := newFace(t, func(c *api.Config) { c.AllowHosts = []string{"n8n"} })
	a := f.call(http.MethodPost, "/v1/subscriptions", `{"url":"http://n8n:5678/hook","types":["post.*"]}`)
	s := a.json(t)
	if a.status != http.StatusCreated || !strings.HasPrefix(str(s["secret"]), "whsec_") || s["form"] != "standard" || s["active"] != true {
		t.Fatalf("%d %s", a.status, a.body)
	}
	path := "/v1/subscriptions/" + str(s["id"])
	if again := f.call(http.MethodGet, path, ""); strings.Contains(string(again.body), "whsec_") || strings.Contains(string(again.body), `"secret"`) {
		t.Errorf("the secret is shown again: %s", again.body)
	}
	if b := f.call(http.MethodPatch, path, `{"active":false,"form":"slack"}`).json(t); b["active"] != false || b["form"] != "slack" || fmt.Sprint(b["types"]) != "[post.*]" {
		t.Errorf("changed: %v", b)
	}
	r := f.call(http.MethodPost, path+"/rotate-secret", `{"grace_s":60}`).json(t)
	if r["secret"] == s["secret"] || r["old_secret_until"] == nil {
		t.Errorf("rotated: %v", r)
	}
	for body, field := range map[string]string{
		`{"url":"http://10.0.0.1/"}`: "url", `{"url":"https://user:pw@example.com/"}`: "url", `{"url":"https://example.com/","types":["What?"]}`: "types[0]", `{"url":"ftp://x/"}`: "url",
	} {
		if a := f.call(http.MethodPost, "/v1/subscriptions", body); a.status != http.StatusUnprocessableEntity || !strings.Contains(string(a.body), `"`+field+`"`) {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	if a := f.call(http.MethodGet, path+"/deliveries?state=failed", ""); a.status != http.StatusOK || len(members(a.json(t)["data"])) != 0 {
		t.Errorf("deliveries: %d %s", a.status, a.body)
	}
	if a := f.call(http.MethodDelete, path, ""); a.status != http.StatusNoContent {
		t.Errorf("delete: %d", a.status)
	}
	for _, p := range []string{path, path + "/deliveries"} {
		if a := f.call(http.MethodGet, p, ""); a.status != http.StatusNotFound {
			t.Errorf("%s: %d", p, a.status)
		}
	}
	if c := f.call(http.MethodPost, "/v1/workspace/rotate-secret", "").json(t); !strings.HasPrefix(str(c["secret"]), "whsec_") || c["old_secret_until"] == nil {
		t.Errorf("callback secret: %v", c)
	}
}

// A burst of calls is kept whole; the sender is told so only when it is.
func TestBurstIsKept(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	s := f.source(`{"name":"form","kind":"token"}`)
	const n = 200
	var wg sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	for i := range n {
		wg.Go(func() {
			a := f.call(http.MethodPost, "/v1/webhooks/"+str(s["id"]), fmt.Sprintf(`{"email":"a%d@x.test"}`, i), "Authorization", "Bearer "+str(s["secret"]))
			mu.Lock()
			defer mu.Unlock()
			statuses[a.status]++
		})
	}
	wg.Wait()
	got, err := f.s.In(f.ws.ID).Source(t.Context(), growth.SourceID(str(s["id"])))
	if statuses[202] != n || err != nil || got.LastAt == nil {
		t.Errorf("answers %v, source %+v, %v", statuses, got, err)
	}
}
