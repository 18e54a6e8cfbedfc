package api

import (
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/zakibelm/astrogrowth/internal/auth"
)

// tagTexts say what stands under each heading of the description.
var tagTexts = map[string]string{
	"admin":        "Keys, workspaces, the audit log.",
	"analytics":    "What the chain did, what it cost and what it will cost.",
	"brands":       "How a client speaks: voice, words, claims.",
	"budgets":      "Limits of spending, and where they stand.",
	"calendar":     "Posts by the hour at which they go out.",
	"calls":        "The ledger: each request to a provider, and what it cost.",
	"contents":     "Texts, from draft to approval.",
	"events":       "What happens, as it happens.",
	"imports":      "Files of leads.",
	"jobs":         "Units of work: accept, watch, cancel, try again.",
	"leads":        "Leads, campaigns, scores and their reasons.",
	"linkedin":     "LinkedIn accounts: connecting them, their health, their limits.",
	"llm":          "The chain of language models without a job.",
	"media":        "Pictures for posts.",
	"openai":       "The same chain for clients of OpenAI's API.",
	"publications": "What was posted.",
	"queues":       "Pausing and resuming.",
	"rubrics":      "How leads are scored, and how well models read them.",
	"schedules":    "Jobs that come again.",
	"webhooks":     "Leads that come in by webhook, and events that go out by it.",
}

// completeDescription goes over every operation once all are registered: it leaves only the errors that can come, gives every body
// an example, and says which headers a limit has.
func (a *api) completeDescription(h huma.API) {
	d := h.OpenAPI()
	nullables(d)
	tags := map[string]bool{}
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, o := range operationsOf(d.Paths[path]) {
			for _, t := range o.Tags {
				tags[t] = true
			}
			if scope, ok := o.Metadata[scopeKey].(auth.Scope); ok {
				o.Extensions = map[string]any{"x-scope": string(scope)}
			}
			pruneErrors(o)
			describeLimit(o)
			dropRawForms(o)
			describeFiles(o)
			exemplify(d, o)
		}
	}
	for _, t := range slices.Sorted(maps.Keys(tags)) {
		d.Tags = append(d.Tags, &huma.Tag{Name: t, Description: tagTexts[t]})
	}
}

func operationsOf(p *huma.PathItem) []*huma.Operation {
	var out []*huma.Operation
	for _, o := range []*huma.Operation{p.Get, p.Post, p.Put, p.Patch, p.Delete} {
		if o != nil {
			out = append(out, o)
		}
	}
	return out
}

// pruneErrors takes out what an operation cannot answer: without a body none is unreadable, and without an id nothing is
// missing.
func pruneErrors(o *huma.Operation) {
	if slices.Contains(o.Tags, "openai") {
		return
	}
	body, read := o.RequestBody != nil, o.Method == http.MethodGet
	if body {
		if timeout := o.Responses["400"]; timeout != nil {
			o.Responses["408"] = &huma.Response{Description: http.StatusText(http.StatusRequestTimeout), Content: timeout.Content}
		}
	} else {
		for _, status := range []string{"400", "413", "415"} {
			delete(o.Responses, status)
		}
	}
	if read && o.OperationID != "get-v1-leads-id-explanation" { // of a lead without a score
		delete(o.Responses, "409")
	}
	if !strings.Contains(o.Path, "{") && (read || !body) {
		delete(o.Responses, "404")
	}
}

// describeLimit names the headers that say how much of a key's hour is left.
func describeLimit(o *huma.Operation) {
	for status, r := range o.Responses {
		n, err := strconv.Atoi(status)
		limited := !freeOfCharge(o.Method, o.Path) && (n/100 == 2 || n == http.StatusTooManyRequests)
		if err != nil || !limited && n != http.StatusServiceUnavailable && n != http.StatusTooManyRequests {
			continue
		}
		if r.Headers == nil {
			r.Headers = map[string]*huma.Param{}
		}
		number := func(text string) *huma.Param {
			return &huma.Param{Description: text, Schema: &huma.Schema{Type: huma.TypeInteger}}
		}
		if limited {
			r.Headers["RateLimit-Limit"] = number("Requests that the key may make in an hour; absent without a key")
			r.Headers["RateLimit-Remaining"] = number("What is left of them")
			r.Headers["RateLimit-Reset"] = number("Seconds until all are there again")
		}
		if n >= http.StatusTooManyRequests {
			r.Headers["Retry-After"] = number("Seconds to wait, where that is known")
		}
	}
}

// dropRawForms takes out the bytes that the framework lists beside a body that it also reads.
func dropRawForms(o *huma.Operation) {
	if o.RequestBody == nil || o.RequestBody.Content["application/json"] == nil {
		return
	}
	delete(o.RequestBody.Content, "application/octet-stream")
}

// files are the answers that are no JSON, by operation.
var files = map[string][]string{
	"get-v1-leads-export.csv":        {"text/csv"},
	"get-v1-imports-id-bad-rows.csv": {"text/csv"},
	"get-v1-rubrics-ref-yaml":        {"application/yaml"},
	"get-v1-media-id-content":        {"image/jpeg", "image/png", "image/gif"},
}

func describeFiles(o *huma.Operation) {
	kinds, r := files[o.OperationID], o.Responses["200"]
	if len(kinds) == 0 || r == nil {
		return
	}
	r.Description, r.Content = "The file", map[string]*huma.MediaType{}
	for _, kind := range kinds {
		r.Content[kind] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	}
}

// nullables says of each member that is an object, or missing, that it may be null. The framework says so of simple
// members only.
func nullables(d *huma.OpenAPI) {
	reg := d.Components.Schemas
	for name, s := range reg.Map() {
		t := reg.TypeFromRef("#/components/schemas/" + name)
		if t == nil || t.Kind() != reflect.Struct {
			continue
		}
		for _, f := range reflect.VisibleFields(t) {
			member, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			p := s.Properties[member]
			if p == nil || p.Ref == "" || f.Type.Kind() != reflect.Pointer || strings.Contains(options, "omit") {
				continue
			}
			s.Properties[member] = &huma.Schema{AnyOf: []*huma.Schema{{Ref: p.Ref}, {Type: "null"}}, Description: p.Description}
		}
	}
}
