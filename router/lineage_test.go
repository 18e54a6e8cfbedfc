package router_test

import (
	"errors"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/router"
)

func TestLineage(t *testing.T) {
	t.Parallel()
	for slug, want := range map[string]string{
		"anthropic/claude-sonnet-4.5":             "claude-sonnet",
		"openrouter/anthropic/claude-sonnet-4":    "claude-sonnet",
		"openai/gpt-4o-mini":                      "gpt",
		"openai/gpt-oss-20b:free":                 "gpt-oss",
		"meta-llama/llama-3.3-70b-instruct:free":  "llama",
		"llama3.2:3b":                             "llama",
		"mistralai/Mixtral-8x7B-Instruct-v0.1":    "mixtral",
		"mistralai/Mistral-7B-Instruct-v0.3:some": "mistral",
		"phi3:mini": "phi",
		"01-ai/yi":  "yi",
		"":          "",
	} {
		if got := router.Lineage(slug); got != want {
			t.Errorf("Lineage(%q) = %q, want %q", slug, got, want)
		}
	}
}

func TestExceptedModelIsNotAsked(t *testing.T) {
	t.Parallel()
	one := &fake{name: "one", answer: says("ok")}
	family := func(slugs ...string) router.Candidate {
		return router.Candidate{Family: slugs[0], Provider: "one", Slugs: slugs}
	}
	rt := router.New(router.Config{Ledger: &book{}, Providers: []router.Provider{one}, Routes: router.Routes{
		growth.TaskVerification: {CallTimeout: time.Second, Timeout: time.Minute, Candidates: []router.Candidate{
			family("a/writer-2", "a/writer-3:free"), family("b/writer-9", "b/judge-1"),
		}},
		growth.TaskSimple: {CallTimeout: time.Second, Timeout: time.Minute, Candidates: []router.Candidate{
			family("a/writer-2"), {Family: "off", Provider: "nobody", Slugs: []string{"b/judge-1"}},
		}},
	}})
	req := router.Request{Task: growth.TaskVerification, Messages: []growth.Message{{Role: "user", Content: "x"}}, Except: "two/a/writer-3"}
	a, err := rt.Complete(t.Context(), req)
	if err != nil || a.Model != "b/judge-1" || a.Calls[0].Code != "excepted" || len(one.requests()) != 1 {
		t.Errorf("answered by %q after %+v: %v", a.Model, a.Calls, err)
	}
	req.Task = growth.TaskSimple
	_, err = rt.Complete(t.Context(), req)
	if e, ok := errors.AsType[*router.ChainError](err); !ok || !e.OnlyExcepted() {
		t.Errorf("a route of the writer alone: %v; want OnlyExcepted", err)
	}
	one.will(fails(growth.Unavailable))
	req.Task = growth.TaskVerification
	_, err = rt.Complete(t.Context(), req)
	if e, ok := errors.AsType[*router.ChainError](err); !ok || e.OnlyExcepted() {
		t.Errorf("a judge that is down: %v; want a wait for it", err)
	}
}
