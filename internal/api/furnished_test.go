package api_test

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/tasks"
)

// description reads the server's own description of itself.
func (f *face) description() *openapi3.T {
	f.t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(f.call(http.MethodGet, "/openapi.json", "").body)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, s := range doc.Components.Schemas { // a schema without a type takes null, which this validator does not know
		for _, p := range s.Value.Properties {
			if v := p.Value; p.Ref == "" && v.Type == nil && len(v.AnyOf)+len(v.OneOf)+len(v.AllOf) == 0 {
				v.Type = &openapi3.Types{"null", "object", "array", "string", "number", "boolean"}
			}
		}
	}
	return doc
}

// route is one operation of the description.
type route struct {
	method, path string
	op           *openapi3.Operation
}

func (r route) String() string { return r.method + " " + r.path }

func routesOf(doc *openapi3.T) []route {
	var out []route
	for _, path := range slices.Sorted(maps.Keys(doc.Paths.Map())) {
		item := doc.Paths.Value(path)
		for _, method := range slices.Sorted(maps.Keys(item.Operations())) {
			out = append(out, route{method, path, item.Operations()[method]})
		}
	}
	return out
}

// thing is the part of a path that names a thing: "/v1/leads/{id}" of "/v1/leads/{id}/merge".
func (r route) thing() string {
	i := strings.Index(r.path, "}")
	if i < 0 {
		return ""
	}
	return r.path[:i+1]
}

// at is the path with a thing's id in its place.
func (r route) at(id string) string {
	from, to := strings.Index(r.path, "{"), strings.Index(r.path, "}")
	return r.path[:from] + url.PathEscape(id) + furtherParams.ReplaceAllString(r.path[to+1:], "1")
}

// furtherParams are the numbers of versions and the like behind a thing's id.
var furtherParams = regexp.MustCompile(`\{[^}]+\}`)

// example is the body that the description shows, empty when the call takes none.
func (r route) example() string {
	if r.op.RequestBody == nil {
		return ""
	}
	m := r.op.RequestBody.Value.Content.Get("application/json")
	if m == nil || m.Example == nil {
		return ""
	}
	b, err := json.Marshal(m.Example)
	if err != nil {
		return ""
	}
	return string(b)
}

// furnish makes one of everything in the key's workspace, and gives their ids by the paths that name them. A new kind of
// thing is made here; the test of isolation says when one is missing.
func (f *face) furnish(ws growth.WorkspaceID, key string) map[string]string {
	f.t.Helper()
	must := func(err error) {
		f.t.Helper()
		if err != nil {
			f.t.Fatal(err)
		}
	}
	post := func(path, body string) map[string]any {
		f.t.Helper()
		a := f.call(http.MethodPost, path, body, "X-API-Key", key)
		if a.status > 299 {
			f.t.Fatalf("POST %s: %d %s", path, a.status, a.body)
		}
		return a.json(f.t)
	}
	id := func(m map[string]any) string {
		s, ok := m["id"].(string)
		if !ok {
			f.t.Fatalf("no id: %v", m)
		}
		return s
	}
	ctx := f.t.Context()
	out := map[string]string{}
	out["/v1/jobs/{id}"] = id(post("/v1/jobs/lead-qualification", `{"lead":{"business_name":"Chez A","city":"Laval","email":"a@chez-a.example"}}`))
	var leads struct {
		Data []struct{ Lead struct{ ID string } }
	}
	must(json.Unmarshal(f.call(http.MethodGet, "/v1/leads", "", "X-API-Key", key).body, &leads))
	out["/v1/leads/{id}"] = leads.Data[0].Lead.ID
	out["/v1/campaigns/{id}"] = id(post("/v1/campaigns", `{"name":"spring"}`))
	out["/v1/keys/{id}"] = id(post("/v1/keys", `{"name":"n","scopes":["read"]}`))
	out["/v1/budgets/{id}"] = id(post("/v1/budgets", `{"name":"daily","period":"day","limit_usd":"1000"}`))
	out["/v1/schedules/{id}"] = id(post("/v1/schedules", `{"name":"weekly","cron":"@weekly","zone":"UTC","enabled":false,"job":{"type":"content-generation","topic":"x"}}`))
	out["/v1/golden-sets/{id}"] = id(post("/v1/golden-sets", `{"name":"ours","leads":[{"lead":{"business_name":"A"},"expected":{"levels":{"trade":"core"},"grade":"A1"}}]}`))
	out["/v1/imports/{id}"] = id(post("/v1/imports?file_name=a.csv", "business_name,city\nA,Laval\n"))
	out["/v1/brands/{id}"] = id(post("/v1/brands", `{"name":"ours","voice":"plain"}`))
	var picture bytes.Buffer
	must(png.Encode(&picture, image.NewGray(image.Rect(0, 0, 300, 300))))
	out["/v1/media/{id}"] = id(post("/v1/media", picture.String()))
	account := id(post("/v1/linkedin/accounts", `{"token":"sim-member-`+string(ws)+`"}`))
	out["/v1/linkedin/accounts/{id}"] = account
	out["/v1/calendar/{id}"] = id(post("/v1/jobs/linkedin-publish", `{"text":"Bonjour","account_id":"`+account+`","publish_at":"`+time.Now().AddDate(0, 1, 0).Format("2006-01-02T15:04")+`","zone":"UTC"}`))
	out["/v1/walks/{id}"], _ = post("/v1/llm/complete", `{"task_type":"simple","messages":[{"role":"user","content":"What is 2+2?"}]}`)["walk_id"].(string)
	made := f.call(http.MethodPost, "/api/trpc/contents.create", `{"textContent":"Bonjour","status":"pending"}`, "X-API-Key", key)
	var content struct {
		Result struct{ Data struct{ UUID string } }
	}
	must(json.Unmarshal(made.body, &content))
	out["/v1/contents/{id}"] = content.Result.Data.UUID
	publish := id(post("/v1/jobs/linkedin-publish", `{"text":"Bonsoir","account_id":"`+account+`"}`))
	claimed, _, err := f.s.Claim(ctx, growth.JobID(publish), 0, "test", time.Hour)
	must(err)
	pub, err := f.s.PreparePublication(ctx, growth.Publication{Workspace: ws, JobID: growth.JobID(publish), AccountID: growth.AccountID(account)}, claimed.Fence,
		growth.Post{AuthorURN: "urn:li:person:a", Text: "Bonsoir"}, "hash", false)
	must(err)
	out["/v1/publications/{id}"] = string(pub.ID)
	out["/v1/calls/{id}"] = f.call1(key, "/v1/calls")
	rubric := f.call(http.MethodGet, "/v1/rubrics/local-business/yaml", "", "X-API-Key", key)
	mine := strings.Replace(string(rubric.body), "name: local-business", "name: ours", 1)
	body, err := json.Marshal(map[string]string{"yaml": mine})
	must(err)
	post("/v1/rubrics", string(body))
	source := post("/v1/webhook-sources", `{"name":"form","kind":"token","secret":"0123456789abcdef0123456789abcdef"}`)
	out["/v1/webhook-sources/{id}"] = id(source)
	if a := f.call(http.MethodPost, "/v1/webhooks/"+id(source), leadBody, "Authorization", "Bearer 0123456789abcdef0123456789abcdef"); a.status != http.StatusAccepted {
		f.t.Fatalf("webhook: %d %s", a.status, a.body)
	}
	out["/v1/webhook-deliveries/{id}"] = f.call1(key, "/v1/webhook-deliveries")
	subscription := id(post("/v1/subscriptions", `{"url":"https://hooks.example/x","types":["job.canceled"]}`))
	out["/v1/subscriptions/{id}"] = subscription
	f.happens(ws, "job.canceled", "")
	out["/v1/subscription-deliveries/{id}"] = f.dispatched(key, subscription)
	out["/v1/rubrics/{ref}"] = "ours"
	return out
}

// dispatched has an event told to a subscription, and gives the delivery's id. Transactions of the server's other databases
// hold events back.
func (f *face) dispatched(key, subscription string) string {
	f.t.Helper()
	d := tasks.Dispatcher{Store: f.s, Log: zerolog.Nop()}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if err := d.Pass(f.t.Context()); err != nil {
			f.t.Fatal(err)
		}
		var list struct{ Data []struct{ ID string } }
		a := f.call(http.MethodGet, "/v1/subscriptions/"+subscription+"/deliveries", "", "X-API-Key", key)
		if json.Unmarshal(a.body, &list) == nil && len(list.Data) > 0 {
			return list.Data[0].ID
		}
	}
	f.t.Fatal("the event was not told")
	return ""
}

// call1 waits for the first element of a list and gives its id.
func (f *face) call1(key, path string) string {
	f.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		var list struct{ Data []struct{ ID string } }
		if err := json.Unmarshal(f.call(http.MethodGet, path, "", "X-API-Key", key).body, &list); err == nil && len(list.Data) > 0 {
			return list.Data[0].ID
		}
	}
	f.t.Fatalf("%s stays empty", path)
	return ""
}
