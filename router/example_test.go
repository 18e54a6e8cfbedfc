package router_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
)

// openLedger keeps nothing; a program that pays for its calls writes them down.
type openLedger struct{}

func (openLedger) Start(context.Context, growth.Call) error { return nil }
func (openLedger) End(context.Context, growth.Call)         {}

// A chain of two providers: the first is down, the second answers, and the answer says why.
func ExampleRouter_Complete() {
	sim := httptest.NewServer(simulator.New(simulator.Config{Seed: 1}))
	defer sim.Close()

	routes, err := router.ParseRoutes(router.DefaultRoutes)
	if err != nil {
		fmt.Println(err)
		return
	}
	r := router.New(router.Config{
		Routes: routes,
		Ledger: openLedger{},
		Providers: []router.Provider{
			providers.NewOpenRouter(providers.Settings{BaseURL: "http://127.0.0.1:1", Key: "key"}), // nobody listens there
			providers.NewOllama(providers.Settings{BaseURL: sim.URL + "/ollama"}),
		},
	})
	answer, err := r.Complete(context.Background(), router.Request{
		Task:     growth.TaskSimple,
		Messages: []growth.Message{{Role: "user", Content: "What is 2+2? Just answer with the number."}},
	})
	fmt.Println(answer.Text, err)
	for _, c := range answer.Calls {
		fmt.Println(c.Provider, c.Decision, c.Code)
	}
	// Output:
	// 4 <nil>
	// openrouter failed unavailable
	// huggingface skipped not_configured
	// ollama answered
}

// An answer that must fit a schema, and that the caller checks as well.
func ExampleRouter_Complete_schema() {
	sim := httptest.NewServer(simulator.New(simulator.Config{Seed: 1}))
	defer sim.Close()

	r := router.New(router.Config{
		Ledger:    openLedger{},
		Providers: []router.Provider{providers.NewOllama(providers.Settings{BaseURL: sim.URL + "/ollama"})},
		Routes: router.Routes{growth.TaskSimple: {
			Candidates:  []router.Candidate{{Family: "local", Provider: "ollama", Slugs: []string{"llama3.2:3b"}}},
			MaxTokens:   200,
			CallTimeout: 10 * time.Second,
			Timeout:     30 * time.Second,
		}},
	})
	answer, err := r.Complete(context.Background(), router.Request{
		Task:     growth.TaskSimple,
		Messages: []growth.Message{{Role: "user", Content: "What is 2+2?"}},
		Schema:   json.RawMessage(`{"type":"object","properties":{"sum":{"type":"integer"}},"required":["sum"],"additionalProperties":false}`),
		Accept: func(text string) error {
			var got struct{ Sum int }
			return json.Unmarshal([]byte(text), &got)
		},
	})
	fmt.Println(json.Valid([]byte(answer.Text)), answer.Model, err)
	// Output:
	// true llama3.2:3b <nil>
}

// A route file is checked whole: every fault is told with its line.
func ExampleParseRoutes() {
	_, err := router.ParseRoutes([]byte(`version: 1
families:
  fast: {provider: openrouter, slugs: []}
routes:
  simple: &simple
    candidates: [fast, slow]
    max_tokens: 100
    call_timeout: 30
    timeout: 1m
  qualification: *simple
  content_generation: *simple
  verification: *simple
  analysis: *simple
`))
	fmt.Println(err)
	// Output:
	// routes: line 3: family "fast": slugs is empty; list at least one model
	// routes: line 6: simple: candidates: there is no family "slow"; known are fast
	// routes: line 8: simple: call_timeout is "30"; write a duration with its unit, as 45s or 2m
}

// Resolved says which model each family means now: here by the provider's list, in which the first is gone.
func ExampleRouter_Resolved() {
	sim := httptest.NewServer(simulator.New(simulator.Config{Seed: 1}))
	defer sim.Close()

	routes, err := router.ParseRoutes(router.DefaultRoutes)
	if err != nil {
		fmt.Println(err)
		return
	}
	r := router.New(router.Config{Routes: routes, Ledger: openLedger{}, Providers: []router.Provider{
		providers.NewOpenRouter(providers.Settings{BaseURL: sim.URL + "/openrouter/api/v1", Key: "key", HTTP: &http.Client{}}),
	}})
	r.LearnCatalogues(context.Background())
	first := r.Resolved(growth.PrivacyStandard)[0].Candidates[0]
	fmt.Println(first.Family, "means", first.Model)
	for _, m := range first.Models {
		fmt.Println(m.Slug, m.State)
	}
	// Output:
	// gemini-flash-free means google/gemma-4-31b-it:free
	// google/gemini-2.0-flash-exp:free not_listed
	// google/gemma-4-31b-it:free served
	// openai/gpt-oss-20b:free served
}
