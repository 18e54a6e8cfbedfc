package api_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
)

// fits says whether a JSON value is as a schema of the description says.
func fits(s *openapi3.Schema, v any, as openapi3.SchemaValidationOption) error {
	return s.VisitJSON(v, as, openapi3.EnableJSONSchema2020(), openapi3.EnableFormatValidation())
}

// Every operation says what a caller has to know: what it is for, an example of what it takes and gives that fits its own
// schema, and the errors that it can answer, no others.
func TestDescriptionIsComplete(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	doc := f.description()
	names := map[string]string{}
	for _, r := range routesOf(doc) {
		o := r.op
		if o.Summary == "" || len(o.Tags) != 1 || doc.Tags.Get(o.Tags[0]) == nil || doc.Tags.Get(o.Tags[0]).Description == "" {
			t.Errorf("%s: summary %q, tags %v", r, o.Summary, o.Tags)
		}
		if before, taken := names[o.OperationID]; taken || o.OperationID == "" {
			t.Errorf("%s has the operation id of %s: %q", r, before, o.OperationID)
		}
		names[o.OperationID] = r.String()
		lintBodies(t, r)
		lintStatuses(t, r)
		for _, p := range o.Parameters {
			if p.Value.In == "path" && !strings.Contains(r.path, "{"+p.Value.Name+"}") {
				t.Errorf("%s has no %q in its path", r, p.Value.Name)
			}
		}
	}
}

func lintBodies(t *testing.T, r route) {
	t.Helper()
	if b := r.op.RequestBody; b != nil {
		for kind, m := range b.Value.Content {
			if kind != "application/json" {
				continue
			}
			if m.Example == nil && len(m.Examples) == 0 {
				t.Errorf("%s: no example of the body", r)
			} else if err := fits(m.Schema.Value, m.Example, openapi3.VisitAsRequest()); err != nil {
				t.Errorf("%s: the example of the body does not fit: %v", r, err)
			}
		}
	}
	for status, resp := range r.op.Responses.Map() {
		for kind, m := range resp.Value.Content {
			if m.Schema == nil {
				t.Errorf("%s %s %s: no schema", r, status, kind)
				continue
			}
			if !strings.HasSuffix(kind, "json") || kind == "application/problem+json" {
				continue
			}
			if m.Example == nil && len(m.Examples) == 0 {
				t.Errorf("%s %s: no example of the answer", r, status)
			} else if err := fits(m.Schema.Value, m.Example, openapi3.VisitAsResponse()); err != nil {
				t.Errorf("%s %s: the example of the answer does not fit: %v", r, status, err)
			}
		}
	}
}

func lintStatuses(t *testing.T, r route) {
	t.Helper()
	good := 0
	for status, resp := range r.op.Responses.Map() {
		n, err := strconv.Atoi(status)
		if err != nil {
			t.Errorf("%s answers %q", r, status)
		}
		if n < 300 {
			good++
		}
		if n >= 400 && (resp.Value.Content == nil || resp.Value.Description == nil || *resp.Value.Description == "") {
			t.Errorf("%s %s is not described", r, status)
		}
	}
	for _, must := range []string{"401", "403", "429", "500", "503"} {
		if r.op.Responses.Value(must) == nil {
			t.Errorf("%s does not describe %s", r, must)
		}
	}
	body, named, read := r.op.RequestBody != nil, strings.Contains(r.path, "{"), r.method == "GET"
	openai := r.op.Tags[0] == "openai"
	for status, sensible := range map[string]bool{"400": body || openai, "404": named || body || !read, "409": !read || strings.HasSuffix(r.path, "/explanation"), "413": body || openai, "415": body} {
		if r.op.Responses.Value(status) != nil && !sensible && !openai {
			t.Errorf("%s describes %s, which it cannot answer", r, status)
		}
	}
	if named && r.op.Responses.Value("404") == nil {
		t.Errorf("%s does not describe 404", r)
	}
	if good == 0 {
		t.Errorf("%s describes no success", r)
	}
}

var write = flag.Bool("write", false, "write docs/api.md anew")

const apiPage = "../../docs/api.md"

// docs/api.md says what the server says of itself.
func TestPageOfTheAPIIsCurrent(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	want := page(f.description())
	if *write {
		if err := os.WriteFile(apiPage, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(apiPage)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(got), want); diff != "" {
		t.Errorf("docs/api.md is not what the server says; `make api-docs` writes it anew (-page +server):\n%.2000s", diff)
	}
}

func page(doc *openapi3.T) string {
	var b strings.Builder
	b.WriteString(`# API

Written by ` + "`make api-docs`" + ` out of the program; ` + "`/openapi.json`" + ` has the schemas, ` + "`/docs`" + ` shows them in a browser.

- Send a key as ` + "`Authorization: Bearer ag_live_…`" + ` or ` + "`X-API-Key`" + `; on loopback without keys none is needed. A key of the agency
  picks its workspace by ` + "`X-Workspace`" + `. Each call names the scope that it takes; ` + "`admin`" + ` includes the others.
- Errors are RFC 9457 ` + "`application/problem+json`" + ` with a stable ` + "`type`" + `, the fields at fault in ` + "`errors`" + `, and a ` + "`message`" + `. Every call
  can answer 401, 403, 429, 500 and 503; the others stand with the call.
- A key may make ` + "`API_MAX_REQUESTS_PER_HOUR`" + ` requests in any hour, whichever enqueuer answers. Reading jobs is free, and a batch counts
  once. ` + "`RateLimit-Limit`, `-Remaining` and `-Reset`" + ` say where the key stands, and a 429 says in ` + "`Retry-After`" + ` when the next is allowed.
- Lists are ` + "`{data, next_cursor}`" + `: send ` + "`next_cursor`" + ` as ` + "`cursor`" + ` for the next page.
- Clients of the replaced system call ` + "`/api/trpc/…`" + ` as tRPC does.
`)
	byTag := map[string][]route{}
	for _, r := range routesOf(doc) {
		byTag[r.op.Tags[0]] = append(byTag[r.op.Tags[0]], r)
	}
	for _, tag := range slices.Sorted(maps.Keys(byTag)) {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", tag, doc.Tags.Get(tag).Description)
		for _, r := range byTag[tag] {
			writeRoute(&b, r)
		}
	}
	return b.String()
}

func writeRoute(b *strings.Builder, r route) {
	scope, _ := r.op.Extensions["x-scope"].(string)
	fmt.Fprintf(b, "\n### `%s`\n\n%s. Scope `%s`; answers %s.\n", r, r.op.Summary, scope, statuses(r))
	if r.op.Description != "" {
		fmt.Fprintf(b, "\n%s\n", strings.TrimSpace(r.op.Description))
	}
	var params []string
	for _, p := range r.op.Parameters {
		if p.Value.In == "path" {
			continue
		}
		text := "- `" + p.Value.Name + "`"
		if p.Value.In == "header" {
			text += " (header)"
		}
		text += limits(p.Value.Schema.Value)
		if p.Value.Description != "" {
			text += ": " + p.Value.Description
		}
		params = append(params, text)
	}
	if len(params) > 0 {
		fmt.Fprintf(b, "\n%s\n", strings.Join(params, "\n"))
	}
	if text := r.example(); text != "" {
		fmt.Fprintf(b, "\n```json\n%s\n```\n", indented(text))
	}
}

func indented(text string) string {
	if len(text) < 120 {
		return text
	}
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return text
	}
	return string(out)
}

func limits(s *openapi3.Schema) string {
	switch {
	case len(s.Enum) > 0:
		words := make([]string, 0, len(s.Enum))
		for _, e := range s.Enum {
			words = append(words, fmt.Sprint(e))
		}
		return " (" + strings.Join(words, ", ") + ")"
	case s.Min != nil && s.Max != nil:
		return fmt.Sprintf(" (%g to %g)", *s.Min, *s.Max)
	}
	return ""
}

func statuses(r route) string {
	var out []string
	for _, s := range slices.Sorted(maps.Keys(r.op.Responses.Map())) {
		if !slices.Contains([]string{"401", "403", "429", "500", "503"}, s) {
			out = append(out, s)
		}
	}
	return strings.Join(out, ", ")
}
