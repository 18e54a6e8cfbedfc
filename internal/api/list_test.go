package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/api"
	"github.com/zakibelm/astrogrowth/store"
)

// unpaged names the answers with a list in `data` that is no page, with the reason.
var unpaged = map[string]string{
	"GET /v1/models":           "as OpenAI's, which has no pages",
	"GET /v1/calendar":         "a stretch of time: from and to bound it",
	"GET /v1/outlook":          "one line for each type of job",
	"GET /v1/golden-sets/{id}": "one thing: the set, as it was made",
}

// isList says whether an operation answers with a list.
func isList(r route) bool {
	if r.method != http.MethodGet || r.op.Responses.Value("200") == nil {
		return false
	}
	m := r.op.Responses.Value("200").Value.Content.Get("application/json")
	if m == nil || m.Schema == nil {
		return false
	}
	data := m.Schema.Value.Properties["data"]
	return data != nil && data.Value.Type.Is("array")
}

type listed struct {
	Data []json.RawMessage
	Next *string `json:"next_cursor"`
}

func (f *face) list(key, path string, q url.Values) listed {
	f.t.Helper()
	a := f.call(http.MethodGet, path+"?"+q.Encode(), "", "X-API-Key", key)
	var out listed
	if err := json.Unmarshal(a.body, &out); a.status != http.StatusOK || err != nil {
		f.t.Fatalf("GET %s?%s: %d %s", path, q.Encode(), a.status, a.body)
	}
	return out
}

// Every list takes limit and cursor, by the server's own description: a new list is found here by itself.
func TestEveryListHasPages(t *testing.T) {
	t.Parallel()
	f := newFace(t, func(c *api.Config) { c.RequireKeys = true })
	key := f.key(f.ws.ID, "admin")
	ids := f.furnish(f.ws.ID, key)
	f.furnishMore(key, ids)
	tried, walked := 0, map[string]int{}
	for _, r := range routesOf(f.description()) {
		if !isList(r) || unpaged[r.String()] != "" {
			continue
		}
		tried++
		if why := pageParams(r.op); why != "" {
			t.Errorf("%s: %s", r, why)
			continue
		}
		path := r.path
		if r.thing() != "" {
			path = r.at(ids[r.thing()])
		}
		walked[r.String()] = f.walkPages(r, key, path)
	}
	if tried < 25 {
		t.Errorf("only %d lists were found", tried)
	}
	for _, r := range []string{
		"GET /v1/budgets", "GET /v1/linkedin/accounts", "GET /v1/queues", "GET /v1/routes", "GET /v1/rubrics", "GET /v1/keys", "GET /v1/jobs",
		"GET /v1/contents/{id}/decisions", "GET /v1/leads/{id}/qualifications",
	} {
		if walked[r] < 2 {
			t.Errorf("%s was walked over %d pages; want two at least", r, walked[r])
		}
	}
}

// furnishMore makes seconds of what has one, where a list would not be seen to have pages.
func (f *face) furnishMore(key string, ids map[string]string) {
	f.t.Helper()
	for path, body := range map[string]string{
		"/v1/budgets":           `{"name":"monthly","period":"month","limit_usd":"1000"}`,
		"/v1/linkedin/accounts": `{"token":"sim-member-another"}`,
		"/v1/keys":              `{"name":"m","scopes":["read"]}`,
	} {
		if a := f.call(http.MethodPost, path, body, "X-API-Key", key); a.status > 299 {
			f.t.Fatalf("POST %s: %d %s", path, a.status, a.body)
		}
	}
	sc := f.s.In(f.ws.ID)
	for _, reason := range []string{"too dry", "too long"} {
		if _, err := sc.DecideContent(f.t.Context(), growth.ContentID(ids["/v1/contents/{id}"]), store.Verdict{Reason: reason, By: "Ada"}); err != nil {
			f.t.Fatal(err)
		}
	}
	for range 2 {
		f.qualified(key, growth.LeadID(ids["/v1/leads/{id}"]))
	}
}

// qualified scores a lead as a worker would.
func (f *face) qualified(key string, id growth.LeadID) {
	f.t.Helper()
	a := f.call(http.MethodPost, "/v1/jobs/lead-qualification", `{"lead_id":"`+string(id)+`"}`, "X-API-Key", key)
	job, _ := a.json(f.t)["id"].(string)
	c, ok, err := f.s.Claim(f.t.Context(), growth.JobID(job), 0, "test", time.Hour)
	if err != nil || !ok {
		f.t.Fatalf("claim of %s: %v %v", a.body, ok, err)
	}
	q := growth.Qualification{LeadID: id, Score: 50, Grade: "A1", Priority: "high"}
	if err := f.s.Finish(f.t.Context(), c.Job, c.Fence, store.Outcome{State: growth.JobSucceeded, Save: func(ctx context.Context, tx *store.Tx) error {
		return tx.SaveQualification(ctx, c.Job, q, job)
	}}); err != nil {
		f.t.Fatal(err)
	}
}

// pageParams says what an operation lacks of a page's parameters.
func pageParams(o *openapi3.Operation) string {
	limit, cursor := o.Parameters.GetByInAndName("query", "limit"), o.Parameters.GetByInAndName("query", "cursor")
	switch {
	case limit == nil || cursor == nil:
		return "takes no limit or no cursor"
	case limit.Schema.Value.Min == nil || *limit.Schema.Value.Min != 1 || limit.Schema.Value.Max == nil || *limit.Schema.Value.Max != 200 || limit.Schema.Value.Default != 50.0:
		return "its limit is not 1 to 200, by default 50"
	}
	return ""
}

// walkPages reads a list one by one, and holds it to the list as it is read at once.
func (f *face) walkPages(r route, key, path string) int {
	f.t.Helper()
	for _, bad := range []string{"limit=0", "limit=201", "limit=x", "cursor=nonsense"} {
		a := f.call(http.MethodGet, path+"?"+bad, "", "X-API-Key", key)
		name, _, _ := strings.Cut(bad, "=")
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(string(a.body), `"field":"`) || !strings.Contains(string(a.body), name) {
			f.t.Errorf("%s with %s: %d %s", r, bad, a.status, a.body)
		}
	}
	whole := f.list(key, path, url.Values{"limit": {"200"}})
	if whole.Next != nil {
		f.t.Errorf("%s: another page follows the last", r)
	}
	var got []json.RawMessage
	q, pages := url.Values{"limit": {"1"}}, 0
	for ; pages <= len(whole.Data); pages++ {
		page := f.list(key, path, q)
		if len(page.Data) > 1 {
			f.t.Errorf("%s: %d elements on a page of one", r, len(page.Data))
		}
		got = append(got, page.Data...)
		if page.Next == nil {
			pages++
			break
		}
		q.Set("cursor", *page.Next)
	}
	if diff := cmp.Diff(keysOf(whole.Data), keysOf(got)); diff != "" {
		f.t.Errorf("%s: one by one is not as at once (-whole +pages):\n%s", r, diff)
	}
	return pages
}

// keysOf are what names the elements of a list: times of use and what calls cost may change between two looks.
func keysOf(data []json.RawMessage) []string {
	out := make([]string, 0, len(data))
	for _, d := range data {
		var x map[string]any
		if json.Unmarshal(d, &x) != nil {
			out = append(out, string(d))
			continue
		}
		at := slices.IndexFunc([]string{"id", "key", "slug", "queue", "task_type"}, func(k string) bool { return x[k] != nil })
		if at < 0 {
			out = append(out, string(d))
			continue
		}
		v, err := json.Marshal(x[[]string{"id", "key", "slug", "queue", "task_type"}[at]])
		if err != nil {
			panic(err)
		}
		out = append(out, string(v))
	}
	return out
}

// Who deletes page after page comes to the end.
func TestListGoesOnBehindWhatWasDeleted(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		f.call(http.MethodPost, "/v1/budgets", `{"name":"`+name+`","period":"day","limit_usd":"1"}`)
	}
	deleted := 0
	for q := (url.Values{"limit": {"2"}}); ; {
		page := f.list("", "/v1/budgets", q)
		for _, d := range page.Data {
			var b struct{ ID string }
			if err := json.Unmarshal(d, &b); err != nil {
				t.Fatal(err)
			}
			if a := f.call(http.MethodDelete, "/v1/budgets/"+b.ID, ""); a.status != http.StatusNoContent {
				t.Fatalf("%d %s", a.status, a.body)
			}
			deleted++
		}
		if page.Next == nil {
			break
		}
		q.Set("cursor", *page.Next)
	}
	if deleted != 5 {
		t.Errorf("%d budgets were met; want 5", deleted)
	}
}
