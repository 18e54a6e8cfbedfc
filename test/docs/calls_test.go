//go:build e2e

package docs

import (
	"cmp"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// hasEveryCall finds calls of the API that the page has no command for.
func (r *reader) hasEveryCall(page string) {
	r.t.Helper()
	cmd := r.shell(r.t.Context(), r.here.Replace("curl http://localhost:3000/openapi.json"))
	raw, err := cmd.Output()
	if err != nil {
		r.t.Fatal(err)
	}
	var described struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(raw, &described); err != nil {
		r.t.Fatal(err)
	}
	called := map[string]bool{}
	for _, f := range fences(r.t, page) {
		for _, m := range curlCall.FindAllStringSubmatch(strings.ReplaceAll(f.text, "\\\n", " "), -1) {
			called[cmp.Or(m[1], http.MethodGet)+" "+m[2]] = true
		}
	}
	webhooks, err := os.ReadFile(filepath.Join(root, "docs/webhooks.md")) // a test of its own runs that page's commands
	if err != nil {
		r.t.Fatal(err)
	}
	calls := 0
	for path, methods := range described.Paths {
		for method := range methods {
			calls++
			stem, _, _ := strings.Cut(path, "{")
			elsewhere := ofWebhooks.MatchString(path) && strings.Contains(string(webhooks), "$API"+stem)
			if !elsewhere && !hasCall(called, strings.ToUpper(method), path) {
				r.t.Errorf("%s has no command for %s %s", page, strings.ToUpper(method), path)
			}
		}
	}
	if calls < 100 {
		r.t.Errorf("only %d calls are described", calls)
	}
}

// curlCall is the method and the path of a command.
var curlCall = regexp.MustCompile(`curl (?:-N )?(?:-X ([A-Z]+) )?'?http://localhost:3000(/[^\s'?]*)`)

// ofWebhooks are the calls whose commands stand in docs/webhooks.md.
var ofWebhooks = regexp.MustCompile(`^/v1/(webhook|subscription|workspace/rotate-secret)`)

// pathWord is what stands for a value in a described path.
var pathWord = regexp.MustCompile(`\{[^}]+\}`)

func hasCall(called map[string]bool, method, path string) bool {
	form := regexp.MustCompile("^" + method + " " + pathWord.ReplaceAllString(path, `[^/]+`) + "$")
	if path == "/v1/models/{id}" { // the only value with a slash in it
		form = regexp.MustCompile("^" + method + " /v1/models/.+$")
	}
	for c := range called {
		if form.MatchString(c) {
			return true
		}
	}
	return false
}
