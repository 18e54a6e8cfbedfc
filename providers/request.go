// Package providers speaks to the services that run language models: OpenRouter, the Hugging Face router, Ollama, and
// any other that has the shape of OpenAI's chat completions. It sends one request, reads one answer, counts its tokens
// and names its fault with a growth.Code. It refuses to know routes, budgets, breakers and caches, and it never tries
// a request twice: whoever walks the candidates decides what comes next.
package providers

import (
	"encoding/json"
	"regexp"
	"strings"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// Request is one call to one model. The zero value of an optional field leaves the choice to the provider.
type Request struct {
	Model       string
	Messages    []growth.Message
	Temperature *float64
	TopP        *float64
	MaxTokens   int
	Stop        []string
	Seed        *int64

	// Schema is the JSON Schema that the answer is asked to fit; nil asks for free text. Providers treat it as anything
	// from a grammar to a hint, so the answer must still be checked.
	Schema     json.RawMessage
	SchemaName string // empty: "answer"

	// ZeroRetention asks that the prompt be neither stored nor trained on. A provider that cannot promise it refuses.
	ZeroRetention bool

	// Silence is how long a stream may say nothing before it is given up; 0: a minute. What only keeps the connection alive
	// says nothing.
	Silence time.Duration

	// RequestID is sent as X-Request-Id, so that a call can be found in the provider's log.
	RequestID string
}

// check refuses what a provider would misread without a word: no model means the account's default at OpenRouter, and
// no message means "load the model" at Ollama.
func (r Request) check(op string) error {
	if strings.TrimSpace(r.Model) == "" {
		return growth.InvalidField(op, "model", "a model is needed")
	}
	if !r.speaks() {
		return growth.InvalidField(op, "messages", "at least one message with text is needed")
	}
	if r.Schema != nil && !json.Valid(r.Schema) {
		return growth.InvalidField(op, "schema", "the schema is not JSON")
	}
	if r.MaxTokens < 0 {
		return growth.InvalidField(op, "max_tokens", "the token limit is negative")
	}
	return nil
}

func (r Request) speaks() bool {
	for _, m := range r.Messages {
		if strings.TrimSpace(m.Content) != "" {
			return true
		}
	}
	return false
}

var notInSchemaName = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// schemaName is the name as the wire allows it: at most 64 of A-Z a-z 0-9 _ -.
func (r Request) schemaName() string {
	name := notInSchemaName.ReplaceAllString(r.SchemaName, "_")
	if name == "" {
		return "answer"
	}
	return name[:min(len(name), 64)]
}

// strict says whether a schema meets the terms of strict mode: every object closed and every property required.
// Asking for strict mode with any other schema is refused by some models, and a refusal would end the whole call.
func strict(schema json.RawMessage) bool {
	var node any
	return json.Unmarshal(schema, &node) == nil && strictNode(node)
}

func strictNode(node any) bool {
	switch node := node.(type) {
	case []any:
		for _, child := range node {
			if !strictNode(child) {
				return false
			}
		}
	case map[string]any:
		if !strictObject(node) {
			return false
		}
		for _, child := range node {
			if !strictNode(child) {
				return false
			}
		}
	}
	return true
}

func strictObject(node map[string]any) bool {
	properties, listed := node["properties"].(map[string]any)
	if !listed && node["type"] != "object" {
		return true
	}
	if node["additionalProperties"] != false {
		return false
	}
	required := map[string]bool{}
	names, _ := node["required"].([]any)
	for _, name := range names {
		if s, ok := name.(string); ok {
			required[s] = true
		}
	}
	for name := range properties {
		if !required[name] {
			return false
		}
	}
	return true
}
