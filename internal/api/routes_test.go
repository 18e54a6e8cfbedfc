package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/api"
)

func TestRoutesShowWhatEachFamilyMeans(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	status := func() string {
		got := f.call("GET", "/v1/routes", "")
		if got.status != http.StatusOK {
			t.Fatalf("%d %s", got.status, got.body)
		}
		first, _ := got.json(t)["data"].([]any)[0].(map[string]any)
		list, _ := first["candidates"].([]any)
		words := []string{}
		for _, c := range list {
			m, _ := c.(map[string]any)
			words = append(words, fmt.Sprint(m["provider"], " ", m["status"]))
		}
		return strings.Join(words, ", ")
	}
	if got, want := status(), "openrouter assumed, openrouter assumed, huggingface not_configured, ollama not_configured"; got != want {
		t.Errorf("qualification = %s; want %s", got, want)
	}
	if got := f.call("PUT", "/v1/workspace/settings", `{"privacy_class":"local_only"}`); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if got, want := status(), "openrouter privacy, openrouter privacy, huggingface not_configured, ollama not_configured"; got != want {
		t.Errorf("qualification of a local workspace = %s; want %s", got, want)
	}
}

// The answer names its walk, and the walk is there to be read afterwards, by its own workspace alone.
func TestWalkCanBeReadAfterwards(t *testing.T) {
	t.Parallel()
	f := newFace(t, func(c *api.Config) { c.RequireKeys = true })
	ours := f.key(f.ws.ID, "enqueue", "read")
	got := f.call("POST", "/v1/llm/complete", `{"task_type":"simple","messages":[{"role":"user","content":"What is 2+2?"}]}`, "X-API-Key", ours)
	if got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	id, _ := got.json(t)["walk_id"].(string)
	if !growth.ValidID(id) {
		t.Fatalf("walk_id = %q", id)
	}
	var walk map[string]any
	deadline := time.Now().Add(time.Minute)
	for walk["answered_by"] == nil || walk["answered_by"] == "" { // its rows are written in groups
		if time.Now().After(deadline) {
			t.Fatal("the walk is not in the ledger after a minute")
		}
		walk = f.call("GET", "/v1/walks/"+id, "", "X-API-Key", ours).json(t)
	}
	// The built-in list's first model is gone at the simulator: the walk says so.
	calls, _ := walk["calls"].([]any)
	first, _ := calls[0].(map[string]any)
	last, _ := calls[len(calls)-1].(map[string]any)
	if first["code"] != "model_gone" || !strings.HasPrefix(fmt.Sprint(walk["answered_by"]), "openrouter/") ||
		last["detail"] != "in place of google/gemini-2.0-flash-exp:free (gone)" || last["walk_id"] != id {
		t.Errorf("walk = %v", walk)
	}
	other, err := f.s.EnsureWorkspace(t.Context(), "other", "Other")
	if err != nil {
		t.Fatal(err)
	}
	if a := f.call("GET", "/v1/walks/"+id, "", "X-API-Key", f.key(other.ID, "read")); a.status != http.StatusNotFound {
		t.Errorf("another workspace reads it: %d %s", a.status, a.body)
	}
}

func TestRefusalNamesItsWalk(t *testing.T) {
	t.Parallel()
	f := newFace(t, nil)
	got := f.call("POST", "/v1/llm/complete",
		`{"task_type":"simple","messages":[{"role":"user","content":"Hello"}],"options":{"force_provider":"openrouter","force_model":"no/such"}}`)
	if id, _ := got.json(t)["walk_id"].(string); got.status != http.StatusServiceUnavailable || !growth.ValidID(id) {
		t.Errorf("%d %s", got.status, got.body)
	}
}
