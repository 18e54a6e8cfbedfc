package providers

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
)

// The exam that every provider sits: one behaviour, each brand's own wire format.

const (
	testKey    = "sk-or-v1-0123456789abcdef"
	testPrompt = "Qualify the bakery of Amélie Tremblay in Québec, please."
)

type provider interface {
	Name() string
	Configured() bool
	Local() bool
	ZeroRetention() bool
	Complete(ctx context.Context, req Request) (Response, error)
	Models(ctx context.Context) ([]Model, error)
	Stream(ctx context.Context, req Request) iter.Seq2[Chunk, error]
	Embed(ctx context.Context, req EmbedRequest) (Embeddings, error)
}

type brand struct {
	name   string
	path   string
	open   func(Settings) provider
	answer func(text, finish string) string      // a whole answer with 20 and 10 tokens
	fault  func(status int, text string) string  // an error's body
	schema func(body map[string]any) (any, bool) // where a request carries the schema
	piece  func(text, finish string) string      // one message of a stream; the one with a finish has 20 and 10 tokens
	frame  func(message string) string           // a message as it stands in a body
	end    string                                // what follows the last message
}

func brands() []brand {
	return []brand{
		{
			name: "openrouter", path: "/chat/completions",
			open:   func(s Settings) provider { return NewOpenRouter(s) },
			answer: chatJSON(`,"cost":0.0000090,"cost_details":{"upstream_inference_cost":0.000009}`),
			fault: func(status int, text string) string {
				return fmt.Sprintf(`{"error":{"code":%d,"message":%q,"metadata":{"provider_name":"Venice"}},"user_id":"u"}`, status, text)
			},
			schema: chatSchema, piece: chatPiece(`,"cost":0.0000090`), frame: sseFrame, end: "data: [DONE]\n\n",
		},
		{
			name: "huggingface", path: "/chat/completions",
			open:   func(s Settings) provider { return NewHuggingFace(s) },
			answer: chatJSON(`,"queue_time":0.07`),
			fault:  func(_ int, text string) string { return fmt.Sprintf(`{"error":%q}`, text) },
			schema: chatSchema, piece: chatPiece(""), frame: sseFrame, end: "data: [DONE]\n\n",
		},
		{
			name: "ollama", path: "/api/chat",
			open: func(s Settings) provider { return NewOllama(s) },
			answer: func(text, finish string) string {
				return fmt.Sprintf(`{"model":"m-served","message":{"role":"assistant","content":%q},"done":true,`+
					`"done_reason":%q,"prompt_eval_count":20,"eval_count":10,"total_duration":174560334}`, text, finish)
			},
			fault: func(_ int, text string) string { return fmt.Sprintf(`{"error":%q}`, text) },
			schema: func(body map[string]any) (any, bool) {
				format, ok := body["format"]
				return format, ok
			},
			piece: func(text, finish string) string {
				last := `"done":false`
				if finish != "" {
					last = fmt.Sprintf(`"done":true,"done_reason":%q,"prompt_eval_count":20,"eval_count":10`, finish)
				}
				return fmt.Sprintf(`{"model":"m-served","message":{"role":"assistant","content":%q},%s}`, text, last)
			},
			frame: func(message string) string { return message + "\n" },
		},
	}
}

func chatJSON(usage string) func(text, finish string) string {
	return func(text, finish string) string {
		return fmt.Sprintf(`{"id":"gen-1","object":"chat.completion","model":"m-served","novelty":[1],"choices":[{"index":0,`+
			`"finish_reason":%q,"message":{"role":"assistant","content":%q,"refusal":null}}],`+
			`"usage":{"prompt_tokens":20,"completion_tokens":10,"total_tokens":30%s}}`, finish, text, usage)
	}
}

func chatPiece(usage string) func(text, finish string) string {
	return func(text, finish string) string {
		end, counts := "null", "null"
		if finish != "" {
			end, counts = fmt.Sprintf("%q", finish), `{"prompt_tokens":20,"completion_tokens":10,"total_tokens":30`+usage+`}`
		}
		return fmt.Sprintf(`{"id":"gen-1","object":"chat.completion.chunk","model":"m-served","choices":[{"index":0,`+
			`"delta":{"role":"assistant","content":%q},"finish_reason":%s}],"usage":%s}`, text, end, counts)
	}
}

func sseFrame(message string) string { return "data: " + message + "\n\n" }

func chatSchema(body map[string]any) (any, bool) {
	format, _ := body["response_format"].(map[string]any)
	inner, _ := format["json_schema"].(map[string]any)
	schema, ok := inner["schema"]
	return schema, ok && format["type"] == "json_schema"
}

// each runs an exam for every brand.
func each(t *testing.T, exam func(t *testing.T, b brand)) {
	t.Helper()
	for _, b := range brands() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			exam(t, b)
		})
	}
}

// serve starts a server for the brand and returns a client for it.
func (b brand) serve(t *testing.T, h http.HandlerFunc) provider {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return b.open(Settings{BaseURL: server.URL, Key: testKey})
}

func (b brand) reply(t *testing.T, status int, body string, headers ...string) provider {
	t.Helper()
	return b.serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

func ask() Request {
	return Request{Model: "m", Messages: []growth.Message{{Role: "user", Content: testPrompt}}}
}

func TestCompleteReadsAnAnswer(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		p := b.reply(t, 200, b.answer("Hello!", "stop"), SimulatorHeader, "1")
		got, err := p.Complete(t.Context(), ask())
		if err != nil {
			t.Fatal(err)
		}
		if got.Latency <= 0 {
			t.Errorf("latency = %v, want a positive one", got.Latency)
		}
		cost := "<nil>"
		if got.CostUSD != nil {
			cost = got.CostUSD.String()
		}
		want := Response{
			Text: "Hello!", Model: "m-served", FinishReason: "stop", UsageKnown: true, Simulated: true,
			Usage:   growth.Usage{PromptTokens: 20, CompletionTokens: 10, TotalTokens: 30},
			Latency: got.Latency, CostUSD: got.CostUSD, Generation: "gen-1",
		}
		wantCost := map[string]string{"openrouter": "0.000009"}[b.name]
		if wantCost == "" {
			wantCost = "<nil>"
		}
		if b.name == "ollama" {
			want.Generation = ""
		}
		if cost != wantCost {
			t.Errorf("cost = %s, want %s", cost, wantCost)
		}
		want.CostUSD, got.CostUSD = nil, nil
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("response differs (-want +got):\n%s", diff)
		}
	})
}

func TestCompleteSendsTheRequest(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		var path string
		var header http.Header
		var body map[string]any
		p := b.serve(t, func(w http.ResponseWriter, r *http.Request) {
			path, header = r.Method+" "+r.URL.Path, r.Header.Clone()
			_ = json.NewDecoder(r.Body).Decode(&body)
			_, _ = io.WriteString(w, b.answer("{}", "stop"))
		})
		req := ask()
		req.RequestID, req.MaxTokens = "req-7", 300
		req.Temperature = new(0.0)
		req.Schema = json.RawMessage(`{"type":"object","properties":{"a":{"type":"string"}}}`)
		if _, err := p.Complete(t.Context(), req); err != nil {
			t.Fatal(err)
		}
		if path != "POST "+b.path {
			t.Errorf("called %s, want POST %s", path, b.path)
		}
		if got := header.Get("Authorization"); got != "Bearer "+testKey {
			t.Errorf("authorization = %q", got)
		}
		if got := header.Get("X-Request-Id"); got != "req-7" {
			t.Errorf("request id = %q", got)
		}
		schema, ok := b.schema(body)
		want := map[string]any{"type": "object", "properties": map[string]any{"a": map[string]any{"type": "string"}}}
		if diff := cmp.Diff(any(want), schema); !ok || diff != "" {
			t.Errorf("schema on the wire (found %t) differs:\n%s", ok, diff)
		}
		if body["stream"] != false {
			t.Errorf("stream = %v, want false", body["stream"])
		}
		if text := fmt.Sprint(body["messages"]); !strings.Contains(text, "Amélie") {
			t.Errorf("messages = %v", text)
		}
		temperature := body["temperature"]
		if options, ok := body["options"].(map[string]any); ok {
			temperature = options["temperature"]
		}
		if temperature != 0.0 {
			t.Errorf("temperature = %v, want an explicit 0", temperature)
		}
	})
}

func TestCompleteToleratesKeepAliveBlanks(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		p := b.reply(t, 200, "\n         \n\n         \n"+b.answer("ok", "stop"))
		got, err := p.Complete(t.Context(), ask())
		if err != nil || got.Text != "ok" {
			t.Errorf("text = %q, err = %v", got.Text, err)
		}
	})
}

func TestCompleteReportsACutTextAsLength(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		p := b.reply(t, 200, b.answer(`{"score"`, "length"))
		got, err := p.Complete(t.Context(), ask())
		if err != nil || got.FinishReason != "length" || got.Text != `{"score"` {
			t.Errorf("response = %+v, err = %v", got, err)
		}
	})
}

func TestCompleteToleratesAnUnknownFinishReason(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		p := b.reply(t, 200, b.answer("ok", "brand_new"))
		got, err := p.Complete(t.Context(), ask())
		if err != nil || got.FinishReason != "" || got.Text != "ok" {
			t.Errorf("response = %+v, err = %v", got, err)
		}
	})
}

func TestCompleteRefusesWhatWouldBeMisread(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		spoil func(*Request)
		field string
	}{
		{"no model", func(r *Request) { r.Model = " " }, "model"},
		{"no messages", func(r *Request) { r.Messages = nil }, "messages"},
		{"blank messages", func(r *Request) { r.Messages[0].Content = "\n " }, "messages"},
		{"schema is not JSON", func(r *Request) { r.Schema = json.RawMessage(`{"type":`) }, "schema"},
		{"negative limit", func(r *Request) { r.MaxTokens = -1 }, "max_tokens"},
	}
	each(t, func(t *testing.T, b brand) {
		p := b.serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
		for _, tc := range cases {
			req := ask()
			tc.spoil(&req)
			_, err := p.Complete(t.Context(), req)
			e := failure(t, err)
			if e.Code != growth.Invalid || e.Field != tc.field {
				t.Errorf("%s: code %v, field %q", tc.name, e.Code, e.Field)
			}
		}
	})
}

func TestCompleteOfAnUnconfiguredProviderSendsNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		p := b.open(Settings{})
		if p.Configured() {
			t.Error("configured without key and address")
		}
		_, err := p.Complete(t.Context(), ask())
		if got := growth.CodeOf(err); got != growth.KeyRejected {
			t.Errorf("code = %v", got)
		}
	})
}

func TestZeroRetentionIsPromisedOrRefused(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		var body map[string]any
		p := b.serve(t, func(w http.ResponseWriter, r *http.Request) {
			_ = json.NewDecoder(r.Body).Decode(&body)
			_, _ = io.WriteString(w, b.answer("ok", "stop"))
		})
		req := ask()
		req.ZeroRetention = true
		_, err := p.Complete(t.Context(), req)
		if !p.ZeroRetention() {
			if growth.CodeOf(err) != growth.Refused || body != nil {
				t.Errorf("not promised, but err = %v and sent = %v", err, body)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if b.name == "openrouter" {
			want := map[string]any{"data_collection": "deny", "zdr": true}
			if diff := cmp.Diff(any(want), body["provider"]); diff != "" {
				t.Errorf("provider preferences differ:\n%s", diff)
			}
		}
	})
}

func TestCancelAndDeadline(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		arrived := make(chan struct{}, 2)
		p := b.serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // the server notices a client that leaves only once the body is read
			_, _ = io.WriteString(w, "\n   ")
			_ = http.NewResponseController(w).Flush()
			arrived <- struct{}{}
			<-r.Context().Done()
		})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-arrived; cancel() }()
		_, err := p.Complete(ctx, ask())
		if e := failure(t, err); e.Code != growth.Canceled || e.Scope != growth.ScopeNone {
			t.Errorf("canceled: code %v scope %v", e.Code, e.Scope)
		}
		ctx, cancel = context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		_, err = p.Complete(ctx, ask())
		if e := failure(t, err); e.Code != growth.Unavailable || e.Scope != growth.ScopeModel {
			t.Errorf("deadline: code %v scope %v", e.Code, e.Scope)
		}
	})
}

func TestAnswerIsReadOnlyUpToItsBound(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		wrote := make(chan int, 1)
		p := b.serve(t, func(w http.ResponseWriter, _ *http.Request) {
			blanks, n := strings.Repeat(" ", 1<<20), 0
			defer func() { wrote <- n }()
			for range 200 {
				if _, err := io.WriteString(w, blanks); err != nil {
					return
				}
				n++
			}
			_, _ = io.WriteString(w, b.answer("late", "stop"))
		})
		got, err := p.Complete(t.Context(), ask())
		if e := failure(t, err); e.Code != growth.Malformed || e.Scope != growth.ScopeModel || got.Text != "" {
			t.Errorf("code %v scope %v text %q", e.Code, e.Scope, got.Text)
		}
		if n := <-wrote; n > 100 { // what the sockets' buffers hold comes on top of the 8 MiB that are read
			t.Errorf("%d MiB were taken", n)
		}
	})
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			t.Error("the prompt went to an address that nobody configured")
			_, _ = io.WriteString(w, b.answer("ok", "stop"))
		}))
		t.Cleanup(elsewhere.Close)
		for _, status := range []int{301, 302, 307, 308} {
			_, err := b.reply(t, status, "", "Location", elsewhere.URL).Complete(t.Context(), ask())
			if e := failure(t, err); e.Code != growth.Unavailable || e.Scope != growth.ScopeProvider {
				t.Errorf("%d: code %v scope %v", status, e.Code, e.Scope)
			}
		}
	})
}

func TestACallThatComesTooLateBlamesNobody(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		p := b.serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
		ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
		defer cancel()
		_, err := p.Complete(ctx, ask())
		if e := failure(t, err); e.Code != growth.Unavailable || e.Scope != growth.ScopeNone {
			t.Errorf("code %v scope %v", e.Code, e.Scope)
		}
	})
}

// TestDeadlineBeforeTheFirstByte tells a model that is slow from a provider that cannot be connected to.
func TestDeadlineBeforeTheFirstByte(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}))
		t.Cleanup(slow.Close)
		noConnection := &http.Client{Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() },
		}}
		for client, scope := range map[*http.Client]growth.FaultScope{nil: growth.ScopeModel, noConnection: growth.ScopeProvider} {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
			_, err := b.open(Settings{BaseURL: slow.URL, Key: testKey, HTTP: client}).Complete(ctx, ask())
			cancel()
			if e := failure(t, err); e.Code != growth.Unavailable || e.Scope != scope {
				t.Errorf("code %v scope %v, want scope %v", e.Code, e.Scope, scope)
			}
		}
	})
}

// failure is the *growth.Error that every failure must be.
func failure(t *testing.T, err error) *growth.Error {
	t.Helper()
	e, ok := err.(*growth.Error) //nolint:errorlint // the outermost error must be the classified one
	if !ok {
		t.Fatalf("error is %T (%v), want *growth.Error", err, err)
	}
	return e
}
