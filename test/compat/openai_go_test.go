package compat

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/shared"
)

// The official client for Go.

const (
	gpt       = "openrouter/openai/gpt-4o-mini"
	throttled = "z-ai/glm-5.2:free"
	down      = "nvidia/nemotron-3-super-120b-a12b:free"
	breaking  = "anthropic/claude-haiku-4.5"
	stalling  = "anthropic/claude-sonnet-5"
)

func client(opts ...option.RequestOption) openai.Client {
	return openai.NewClient(append([]option.RequestOption{option.WithBaseURL(up.api + "/v1"), option.WithAPIKey("unused"), option.WithMaxRetries(0)}, opts...)...)
}

func ask(model string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model:    model,
		Messages: []openai.ChatCompletionMessageParamUnion{openai.SystemMessage("Be brief."), openai.UserMessage("Tell me about tea.")},
	}
}

func TestGoListsModels(t *testing.T) {
	t.Parallel()
	c := client()
	seen := map[string]bool{}
	pages := c.Models.ListAutoPaging(t.Context())
	for pages.Next() {
		seen[pages.Current().ID] = true
	}
	if err := pages.Err(); err != nil || !seen["astro/simple"] || !seen[gpt] {
		t.Errorf("%d models, %v", len(seen), err)
	}
	m, err := c.Models.Get(t.Context(), gpt)
	if err != nil || m.ID != gpt || m.OwnedBy != "openrouter" || m.Created == 0 {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestGoCompletes(t *testing.T) {
	t.Parallel()
	c := client()
	q := ask("astro/analysis")
	q.Temperature, q.MaxCompletionTokens, q.User = param.NewOpt(0.1), param.NewOpt[int64](60), param.NewOpt("u1")
	var raw *http.Response
	a, err := c.Chat.Completions.New(t.Context(), q, option.WithResponseInto(&raw))
	if err != nil {
		t.Fatal(err)
	}
	if a.Choices[0].Message.Content == "" || a.Choices[0].FinishReason != "stop" && a.Choices[0].FinishReason != "length" ||
		a.Usage.PromptTokens+a.Usage.CompletionTokens != a.Usage.TotalTokens || a.Usage.TotalTokens == 0 || a.Model != gpt {
		t.Errorf("%s", a.RawJSON())
	}
	if raw.Header.Get("X-Astrogrowth-Provider") != "openrouter" || raw.Header.Get("X-Astrogrowth-Simulated") != "true" {
		t.Errorf("headers = %v", raw.Header)
	}
}

func TestGoStreams(t *testing.T) {
	t.Parallel()
	c := client()
	q := ask("astro/analysis")
	q.StreamOptions = openai.ChatCompletionStreamOptionsParam{IncludeUsage: param.NewOpt(true)}
	stream := c.Chat.Completions.NewStreaming(t.Context(), q)
	defer func() { _ = stream.Close() }()
	var whole openai.ChatCompletionAccumulator
	for stream.Next() {
		if !whole.AddChunk(stream.Current()) {
			t.Errorf("a chunk that does not fit: %s", stream.Current().RawJSON())
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	if whole.Choices[0].Message.Content == "" || whole.Choices[0].FinishReason != "stop" || whole.Usage.TotalTokens == 0 {
		t.Errorf("%+v", whole.ChatCompletion)
	}
}

func TestGoGetsJSONOfTheShapeAskedFor(t *testing.T) {
	t.Parallel()
	c := client()
	q := ask("astro/analysis")
	q.ResponseFormat = openai.ChatCompletionNewParamsResponseFormatUnion{OfJSONSchema: &shared.ResponseFormatJSONSchemaParam{
		JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{
			Name: "lead", Strict: param.NewOpt(true), Schema: map[string]any{
				"type": "object", "properties": map[string]any{"name": map[string]any{"type": "string"}, "score": map[string]any{"type": "integer"}},
				"required": []string{"name", "score"}, "additionalProperties": false,
			},
		},
	}}
	a, err := c.Chat.Completions.New(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	var lead struct {
		Name  *string
		Score *int
	}
	if err := json.Unmarshal([]byte(a.Choices[0].Message.Content), &lead); err != nil || lead.Name == nil || lead.Score == nil {
		t.Errorf("%q: %v", a.Choices[0].Message.Content, err)
	}
}

func TestGoUnderstandsErrors(t *testing.T) {
	up.fault(t, `[{"provider":"openrouter","model":"`+throttled+`","kind":"429"},{"provider":"openrouter","model":"`+down+`","kind":"500"}]`)
	hot := ask("astro/simple")
	hot.Temperature = param.NewOpt(9.0)
	forged := client(option.WithAPIKey("ag_live_forged"))
	for name, tc := range map[string]struct {
		c      openai.Client
		q      openai.ChatCompletionNewParams
		status int
		code   string
		param  string
	}{
		"a forged key":     {forged, ask("astro/simple"), 401, "invalid_api_key", ""},
		"an unknown model": {client(), ask("no-such-model"), 404, "model_not_found", "model"},
		"too hot":          {client(), hot, 400, "", "temperature"},
		"throttled":        {client(), ask("openrouter/" + throttled), 503, "rate_limit_exceeded", ""},
		"down":             {client(), ask("openrouter/" + down), 503, "service_unavailable", ""},
	} {
		_, err := tc.c.Chat.Completions.New(t.Context(), tc.q)
		e, ok := errors.AsType[*openai.Error](err)
		if !ok || e.StatusCode != tc.status || e.Code != tc.code || e.Param != tc.param || e.Message == "" || e.Type == "" {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if tc.status >= 429 && e.Response.Header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", name)
		}
		stream := tc.c.Chat.Completions.NewStreaming(t.Context(), tc.q)
		if stream.Next() {
			t.Errorf("%s: a stream that fails yields %s", name, stream.Current().RawJSON())
		}
		if s, ok := errors.AsType[*openai.Error](stream.Err()); !ok || s.StatusCode != tc.status {
			t.Errorf("%s: stream: %v", name, stream.Err())
		}
	}
}

// The client tries again by itself, as the answer asks it to.
func TestGoTriesAgainWhenToldTo(t *testing.T) {
	up.fault(t, `{"provider":"openrouter","model":"meta-llama/llama-3.3-70b-instruct","kind":"429","count":1,"params":{"retry_after":1}}`)
	c := client(option.WithMaxRetries(3))
	a, err := c.Chat.Completions.New(t.Context(), ask("openrouter/meta-llama/llama-3.3-70b-instruct"))
	if err != nil || a.Choices[0].Message.Content == "" {
		t.Errorf("%v", err)
	}
}

func TestGoHearsOfAStreamThatBreaks(t *testing.T) {
	up.fault(t, `{"provider":"openrouter","model":"`+breaking+`","kind":"cut_json","params":{"after":2}}`)
	c := client()
	stream := c.Chat.Completions.NewStreaming(t.Context(), ask("openrouter/"+breaking))
	var text strings.Builder
	for stream.Next() {
		if choices := stream.Current().Choices; len(choices) > 0 {
			text.WriteString(choices[0].Delta.Content)
		}
	}
	if err := stream.Err(); err == nil || !strings.Contains(err.Error(), "broke off") || text.Len() == 0 {
		t.Errorf("%q, %v", text.String(), err)
	}
	up.await(t, "the cost of the cut stream", func() bool {
		cost := up.cost(t, breaking)
		return cost != "" && cost == up.charged(t, breaking)
	})
}

// cost is what the ledger says of the newest call of a model; empty while nobody knows.
func (p *product) cost(t *testing.T, model string) string {
	t.Helper()
	var list struct {
		Data []struct {
			Model string
			Cost  struct{ USD string }
		}
	}
	if err := p.get(p.api+"/v1/calls", &list); err != nil {
		t.Fatal(err)
	}
	for _, c := range list.Data {
		if c.Model == model {
			return strings.TrimRight(c.Cost.USD, "0")
		}
	}
	return ""
}

func TestGoCancelsAtTheProvider(t *testing.T) {
	up.fault(t, `{"provider":"openrouter","model":"`+stalling+`","kind":"stall","params":{"after":2}}`)
	before := up.canceled(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := client()
	stream := c.Chat.Completions.NewStreaming(ctx, ask("openrouter/"+stalling))
	for stream.Next() {
		if choices := stream.Current().Choices; len(choices) > 0 && choices[0].Delta.Content != "" {
			cancel()
		}
	}
	if err := stream.Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
	up.await(t, "the simulator to see its client leave", func() bool { return up.canceled(t) == before+1 })
}

// await looks until something is so.
func (p *product) await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !so(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s\n%s", what, &p.out)
		}
	}
}

func TestGoEmbeds(t *testing.T) {
	t.Parallel()
	c := client()
	for _, encoding := range []openai.EmbeddingNewParamsEncodingFormat{"", openai.EmbeddingNewParamsEncodingFormatFloat} {
		a, err := c.Embeddings.New(t.Context(), openai.EmbeddingNewParams{
			Model: "astro/embedding", Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"tea", "coffee"}}, EncodingFormat: encoding,
		})
		if err != nil || len(a.Data) != 2 || len(a.Data[1].Embedding) != 768 || a.Data[1].Index != 1 || a.Model != "ollama/nomic-embed-text" {
			t.Errorf("%+v, %v", a, err)
		}
	}
}
