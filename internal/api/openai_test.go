package api_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/api"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/router/cache"
	"github.com/zakibelm/astrogrowth/store"
)

// chatFace is the API over all three simulated providers, whose catalogues have been read.
type chatFace struct {
	*face

	sim *simulator.Server
}

func newChatFace(t *testing.T, change ...func(*api.Config)) *chatFace {
	t.Helper()
	sim := simulator.New(simulator.Config{Seed: 5})
	srv := httptest.NewServer(sim)
	t.Cleanup(func() { sim.Close(); srv.Close() })
	out := &chatFace{sim: sim}
	out.face = newFace(t, func(c *api.Config) {
		kept, err := cache.New(testenv.RedisClient(t))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(kept.Close)
		ledger := store.NewLedgerWriter(c.Store, zerolog.Nop())
		routes := c.Router.Routes()
		for task, r := range routes {
			r.CallTimeout = time.Second
			routes[task] = r
		}
		c.EmbedModel = "ollama/nomic-embed-text"
		c.Router = router.New(router.Config{Routes: routes, Ledger: ledger, Cache: kept, Providers: []router.Provider{
			providers.NewOpenRouter(providers.Settings{BaseURL: srv.URL + "/openrouter/api/v1", Key: "k"}),
			providers.NewHuggingFace(providers.Settings{BaseURL: srv.URL + "/huggingface/v1", Key: "k"}),
			providers.NewOllama(providers.Settings{BaseURL: srv.URL + "/ollama"}),
		}})
		c.Router.LearnCatalogues(t.Context())
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		var beside sync.WaitGroup
		beside.Go(func() { ledger.Run(ctx) })
		t.Cleanup(func() {
			cancel()
			beside.Wait()
		})
		for _, f := range change {
			f(c)
		}
	})
	return out
}

func (f *chatFace) fault(fault simulator.Fault) {
	f.t.Helper()
	if _, err := f.sim.SetFault(fault); err != nil {
		f.t.Fatal(err)
	}
}

const gpt = "openrouter/openai/gpt-4o-mini"

// chat is a body; more is added as it stands.
func chat(model, more string) string {
	return fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":"Tell me about tea."}]%s}`, model, more)
}

// at follows member names and indices; nil when something on the way is missing.
func at(v any, path ...any) any {
	for _, p := range path {
		switch x := v.(type) {
		case map[string]any:
			name, _ := p.(string)
			v = x[name]
		case []any:
			i, ok := p.(int)
			if !ok || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

func TestModelsAreRoutesAndWhatProvidersServe(t *testing.T) {
	t.Parallel()
	f := newChatFace(t)
	list, _ := at(f.call("GET", "/v1/models", "").json(t), "data").([]any)
	var ids []string
	for _, m := range list {
		ids = append(ids, fmt.Sprint(at(m, "id")))
	}
	for _, want := range []string{"astro/simple", "astro/content_generation", "astro/embedding", gpt, "huggingface/openai/gpt-oss-20b:groq", "ollama/llama3.2:3b"} {
		if !slices.Contains(ids, want) {
			t.Errorf("%s is not among %v", want, ids)
		}
	}
	for _, path := range []string{"/v1/models/" + gpt, "/v1/models/openrouter%2Fopenai%2Fgpt-4o-mini"} {
		if m := f.call("GET", path, "").json(t); m["id"] != gpt || m["owned_by"] != "openrouter" || m["object"] != "model" {
			t.Errorf("%s = %v", path, m)
		}
	}
	if a := f.call("GET", "/v1/models/nobody/x", ""); a.status != 404 || at(a.json(t), "error", "code") != "model_not_found" {
		t.Errorf("an unknown model: %d %s", a.status, a.body)
	}
}

func TestChatAnswersAsOpenAIDoes(t *testing.T) {
	t.Parallel()
	f := newChatFace(t)
	a := f.call("POST", "/v1/chat/completions", chat("astro/analysis", `,"temperature":0.2,"top_p":1,"max_completion_tokens":50,"n":1,"user":"u","seed":1,"metadata":{"a":"b"},"stop":"END"`))
	got := a.json(t)
	if a.status != 200 || got["object"] != "chat.completion" || got["model"] != gpt || at(got, "choices", 0, "finish_reason") != "stop" ||
		at(got, "choices", 0, "message", "role") != "assistant" || at(got, "choices", 0, "message", "content") == "" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if at(got, "usage", "total_tokens") == 0.0 || at(got, "astrogrowth", "simulated") != true || at(got, "astrogrowth", "cost_provenance") != "reported" {
		t.Errorf("%s", a.body)
	}
	for name, want := range map[string]string{
		"Provider": "openrouter", "Model": "openai/gpt-4o-mini", "Cached": "no", "Fallback-Attempts": "0", "Simulated": "true",
		"Cost-Usd": fmt.Sprint(at(got, "astrogrowth", "cost_usd")), "Call-Ids": fmt.Sprint(at(got, "astrogrowth", "calls", 0, "id")),
	} {
		if have := a.header.Get("X-Astrogrowth-" + name); have != want {
			t.Errorf("%s = %q, want %q", name, have, want)
		}
	}
	again := f.call("POST", "/v1/chat/completions", chat("astro/analysis", `,"temperature":0.2,"top_p":1,"max_tokens":50,"stop":["END"]`))
	if again.header.Get("X-Astrogrowth-Cached") != "exact" || again.header.Get("X-Astrogrowth-Cost-Usd") != "0" {
		t.Errorf("the same again: %v", again.header)
	}
	fresh := f.call("POST", "/v1/chat/completions", chat("astro/analysis", `,"temperature":0.2,"top_p":1,"max_tokens":50,"stop":["END"]`), "Cache-Control", "no-cache")
	if fresh.header.Get("X-Astrogrowth-Cached") != "no" {
		t.Errorf("no-cache: %v", fresh.header)
	}
	row := f.row(fmt.Sprint(at(got, "astrogrowth", "calls", 0, "id")))
	if row.Status != growth.CallOK || row.Task != growth.TaskAnalysis {
		t.Errorf("row = %+v", row)
	}
}

// row waits for a row of the ledger; an empty id is the only one there is.
func (f *chatFace) row(id string) growth.Call {
	f.t.Helper()
	for f.t.Context().Err() == nil {
		calls, err := f.s.In(f.ws.ID).Calls(f.t.Context(), store.Page{Limit: 50})
		if err != nil {
			f.t.Fatal(err)
		}
		for _, c := range calls {
			if (string(c.ID) == id || id == "") && c.Status != growth.CallStarted {
				return c
			}
		}
	}
	return growth.Call{}
}

func TestChatTakesTextsInPartsAndRefusesTheRest(t *testing.T) {
	t.Parallel()
	f := newChatFace(t)
	f.sim.KeepBodies(5)
	parts := `{"model":"astro/simple","messages":[{"role":"developer","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"Tell me"},{"type":"text","text":"about tea."}]}]}`
	if a := f.call("POST", "/v1/chat/completions", parts); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if body := f.sim.Bodies()[0].Body; !strings.Contains(body, `{"role":"system","content":"Be brief."},{"role":"user","content":"Tell me\nabout tea."}`) {
		t.Errorf("the provider got %s", body)
	}
	for name, tc := range map[string]struct{ body, param, code string }{
		"an image":          {`{"model":"astro/simple","messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"image_url","image_url":{"url":"https://x"}}]}]}`, "messages[0].content[1]", "unsupported_parameter"},
		"no content":        {`{"model":"astro/simple","messages":[{"role":"user"}]}`, "messages[0].content", ""},
		"a tool's answer":   {`{"model":"astro/simple","messages":[{"role":"tool","content":"x"}]}`, "messages[0].role", "unsupported_parameter"},
		"a foreign role":    {`{"model":"astro/simple","messages":[{"role":"king","content":"x"}]}`, "messages[0].role", ""},
		"no messages":       {`{"model":"astro/simple","messages":[]}`, "messages", ""},
		"no model":          {`{"messages":[{"role":"user","content":"x"}]}`, "model", ""},
		"a wrong type":      {chat("astro/simple", `,"temperature":"hot"`), "temperature", ""},
		"too hot":           {chat("astro/simple", `,"temperature":3`), "temperature", ""},
		"no tokens":         {chat("astro/simple", `,"max_tokens":0`), "max_tokens", ""},
		"tools":             {chat("astro/simple", `,"tools":[{"type":"function"}]`), "tools", "unsupported_parameter"},
		"two choices":       {chat("astro/simple", `,"n":2`), "n", "unsupported_parameter"},
		"a format":          {chat("astro/simple", `,"response_format":{"type":"yaml"}`), "response_format.type", ""},
		"a nameless schema": {chat("astro/simple", `,"response_format":{"type":"json_schema","json_schema":{}}`), "response_format.json_schema", ""},
		"no schema":         {chat("astro/simple", `,"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"poem"}}}`), "response_format.json_schema.schema", ""},
		"not JSON":          {`{`, "", ""},
	} {
		a := f.call("POST", "/v1/chat/completions", tc.body)
		e := at(a.json(t), "error")
		if a.status != 400 || at(e, "type") != "invalid_request_error" || fmt.Sprint(at(e, "message")) == "" || tc.param != "" && at(e, "param") != tc.param || tc.code != "" && at(e, "code") != tc.code {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

func TestChatGivesJSONOfTheShapeAskedFor(t *testing.T) {
	t.Parallel()
	f := newChatFace(t)
	const schema = `,"response_format":{"type":"json_schema","json_schema":{"name":"lead","strict":true,"schema":{"type":"object","properties":{"name":{"type":"string"},"score":{"type":"integer"}},"required":["name","score"],"additionalProperties":false}}}`
	for name, more := range map[string]string{"schema": schema, "object": `,"response_format":{"type":"json_object"}`} {
		a := f.call("POST", "/v1/chat/completions", chat("astro/analysis", more))
		var got map[string]any
		if err := json.Unmarshal([]byte(fmt.Sprint(at(a.json(t), "choices", 0, "message", "content"))), &got); err != nil || name == "schema" && len(got) != 2 {
			t.Errorf("%s: %s: %v", name, a.body, err)
		}
	}
	var text strings.Builder
	for _, e := range f.stream(chat(gpt, schema+`,"stream":true`)).events {
		_, _ = fmt.Fprint(&text, orEmpty(at(e, "choices", 0, "delta", "content")))
	}
	var got struct{ Score *int }
	if err := json.Unmarshal([]byte(text.String()), &got); err != nil || got.Score == nil {
		t.Errorf("streamed %q: %v", text.String(), err)
	}
}

func orEmpty(v any) any {
	if v == nil {
		return ""
	}
	return v
}

// streamed is a stream that was read to its end.
type streamed struct {
	answer

	events   []map[string]any
	comments int
	done     bool
}

func (s streamed) text() string {
	var out strings.Builder
	for _, e := range s.events {
		_, _ = fmt.Fprint(&out, orEmpty(at(e, "choices", 0, "delta", "content")))
	}
	return out.String()
}

func (f *chatFace) stream(body string) streamed {
	f.t.Helper()
	out := streamed{answer: f.call("POST", "/v1/chat/completions", body)}
	lines := bufio.NewScanner(bytes.NewReader(out.body))
	for lines.Scan() {
		line := lines.Text()
		data, ok := strings.CutPrefix(line, "data: ")
		switch {
		case strings.HasPrefix(line, ":"):
			out.comments++
		case data == "[DONE]":
			out.done = true
		case ok:
			var e map[string]any
			if err := json.Unmarshal([]byte(data), &e); err != nil {
				f.t.Fatalf("%s: %v", data, err)
			}
			out.events = append(out.events, e)
		case line != "" && out.status == 200:
			f.t.Errorf("line %q", line)
		}
	}
	return out
}

func TestChatStreams(t *testing.T) {
	t.Parallel()
	f := newChatFace(t)
	s := f.stream(chat("astro/analysis", `,"stream":true,"stream_options":{"include_usage":true}`))
	if s.status != 200 || !strings.HasPrefix(s.header.Get("Content-Type"), "text/event-stream") || !s.done || s.text() == "" {
		t.Fatalf("%d %s", s.status, s.body)
	}
	if s.header.Get("X-Astrogrowth-Provider") != "openrouter" || s.header.Get("X-Astrogrowth-Fallback-Attempts") != "0" {
		t.Errorf("headers = %v", s.header)
	}
	first, finish, last := s.events[0], s.events[len(s.events)-2], s.events[len(s.events)-1]
	if at(first, "choices", 0, "delta", "role") != "assistant" || at(first, "object") != "chat.completion.chunk" || at(first, "model") != gpt {
		t.Errorf("first = %v", first)
	}
	if at(finish, "choices", 0, "finish_reason") != "stop" || at(finish, "astrogrowth", "provider") != "openrouter" || at(finish, "astrogrowth", "cost_usd") == nil {
		t.Errorf("finish = %v", finish)
	}
	if choices, ok := last["choices"].([]any); !ok || len(choices) != 0 || at(last, "usage", "completion_tokens") == 0.0 {
		t.Errorf("last = %v", last)
	}
	finishes := 0
	for _, e := range s.events {
		if e["id"] != first["id"] {
			t.Errorf("id changes: %v", e)
		}
		if at(e, "choices", 0, "finish_reason") != nil {
			finishes++
		}
	}
	if finishes != 1 {
		t.Errorf("%d finishes", finishes)
	}
	kept := f.stream(chat("astro/analysis", `,"stream":true`))
	if kept.header.Get("X-Astrogrowth-Cached") != "exact" || kept.text() != s.text() || !kept.done || at(kept.events[len(kept.events)-1], "usage") != nil {
		t.Errorf("the same out of the cache: %s", kept.body)
	}
	whole := f.call("POST", "/v1/chat/completions", chat("astro/analysis", ""))
	if whole.header.Get("X-Astrogrowth-Cached") != "exact" || at(whole.json(t), "choices", 0, "message", "content") != s.text() {
		t.Errorf("whole: %s", whole.body)
	}
}

func TestChatStreamFailsOverBeforeTheFirstWord(t *testing.T) {
	t.Parallel()
	f := newChatFace(t)
	f.fault(simulator.Fault{Provider: simulator.OpenRouter, Kind: simulator.KindStall, Params: simulator.FaultParams{LatencyMS: 20}})
	s := f.stream(chat("astro/simple", `,"stream":true`))
	if !s.done || s.header.Get("X-Astrogrowth-Provider") != "huggingface" || s.header.Get("X-Astrogrowth-Fallback-Attempts") != "1" {
		t.Errorf("%v %s", s.header, s.body)
	}
}

func TestChatStreamSaysThatItIsAlive(t *testing.T) {
	t.Parallel()
	f := newChatFace(t, func(c *api.Config) { c.KeepAlive = 20 * time.Millisecond })
	f.fault(simulator.Fault{Provider: simulator.OpenRouter, Kind: simulator.KindStall, Params: simulator.FaultParams{LatencyMS: 20}})
	s := f.stream(chat("astro/simple", `,"stream":true`))
	if s.comments < 3 || !s.done || s.text() == "" || at(s.events[len(s.events)-1], "astrogrowth", "provider") != "huggingface" {
		t.Errorf("%d comments: %s", s.comments, s.body)
	}
	f.fault(simulator.Fault{Provider: simulator.OpenRouter, Kind: simulator.KindStall, Params: simulator.FaultParams{LatencyMS: 20}})
	failed := f.stream(chat("openrouter/openai/gpt-oss-20b:free", `,"stream":true`))
	if e := at(failed.events[0], "error"); failed.status != 200 || failed.done || at(e, "code") != "service_unavailable" {
		t.Errorf("a failure behind the first comment: %d %s", failed.status, failed.body)
	}
}

func TestChatStreamThatBreaksSaysSo(t *testing.T) {
	t.Parallel()
	f := newChatFace(t)
	f.fault(simulator.Fault{Provider: simulator.OpenRouter, Kind: simulator.KindCutJSON})
	s := f.stream(chat(gpt, `,"stream":true`))
	e := at(s.events[len(s.events)-1], "error")
	if s.status != 200 || s.done || s.text() == "" || !strings.Contains(fmt.Sprint(at(e, "message")), "broke off") || at(e, "type") != "server_error" {
		t.Errorf("%d %s", s.status, s.body)
	}
	if row := f.row(""); row.Status != growth.CallFailed || !strings.Contains(row.Detail, "broke off") || row.Cost.USD != nil {
		t.Errorf("row = %+v", row)
	}
}

// A client who leaves ends the request at the provider.
func TestChatStreamEndsWhenTheClientLeaves(t *testing.T) {
	t.Parallel()
	f := newChatFace(t)
	f.fault(simulator.Fault{Provider: simulator.OpenRouter, Kind: simulator.KindStall, Params: simulator.FaultParams{After: 2}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.url+"/v1/chat/completions", strings.NewReader(chat(gpt, `,"stream":true`)))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	cancel()
	if row := f.row(""); row.Code != "canceled" || row.Generation == "" {
		t.Errorf("row = %+v", row)
	}
	for {
		book := slices.DeleteFunc(f.sim.Entries(0), func(e simulator.Entry) bool { return e.Endpoint != "chat" })
		if len(book) > 0 {
			if !book[0].Canceled {
				t.Errorf("book = %+v", book)
			}
			return
		}
		if t.Context().Err() != nil {
			t.Fatal("the simulator never noticed")
		}
	}
}

func TestOpenAIFaceChecksKeys(t *testing.T) {
	t.Parallel()
	f := newChatFace(t, func(c *api.Config) { c.RequireKeys = true })
	for name, headers := range map[string][]string{"none": nil, "wrong": {"Authorization", "Bearer wrong"}, "a forged one": {"Authorization", "Bearer ag_live_forged"}} {
		a := f.call("POST", "/v1/chat/completions", chat("astro/simple", ""), headers...)
		if a.status != 401 || at(a.json(t), "error", "code") != "invalid_api_key" || at(a.json(t), "error", "type") != "invalid_request_error" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	reader := f.key(f.ws.ID, "read")
	if a := f.call("POST", "/v1/chat/completions", chat("astro/simple", ""), "Authorization", "Bearer "+reader); a.status != 403 || at(a.json(t), "error", "code") != "insufficient_permissions" {
		t.Errorf("a reader asks: %d %s", a.status, a.body)
	}
	if a := f.call("GET", "/v1/models", "", "Authorization", "Bearer "+reader); a.status != 200 {
		t.Errorf("a reader lists: %d %s", a.status, a.body)
	}
	if a := f.call("POST", "/v1/chat/completions", chat("astro/simple", ""), "Authorization", "Bearer "+f.key(f.ws.ID, "enqueue")); a.status != 200 {
		t.Errorf("an enqueuer asks: %d %s", a.status, a.body)
	}
}

// Those clients cannot be without a key; where none is needed, any word will do that is no key of ours.
func TestOpenAIFaceTakesAPlaceholderWhereNoKeyIsNeeded(t *testing.T) {
	t.Parallel()
	f := newChatFace(t)
	if a := f.call("GET", "/v1/models", "", "Authorization", "Bearer unused"); a.status != 200 {
		t.Errorf("a placeholder: %d %s", a.status, a.body)
	}
	if a := f.call("GET", "/v1/models", "", "Authorization", "Bearer ag_live_forged"); a.status != 401 {
		t.Errorf("a key that is none of ours: %d %s", a.status, a.body)
	}
	a := f.call("POST", "/v1/no/such", "{}", "X-Stainless-Lang", "js")
	if a.status != 404 || at(a.json(t), "error", "code") != "unknown_url" {
		t.Errorf("an unknown path: %d %s", a.status, a.body)
	}
}

func TestOpenAIFaceKeepsThePrivacyClass(t *testing.T) {
	t.Parallel()
	f := newChatFace(t)
	settings := f.ws.Settings
	settings.Privacy = growth.PrivacyLocalOnly
	if err := f.s.In(f.ws.ID).SetSettings(t.Context(), settings); err != nil {
		t.Fatal(err)
	}
	if a := f.call("POST", "/v1/chat/completions", chat("astro/simple", "")); a.header.Get("X-Astrogrowth-Provider") != "ollama" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := f.call("POST", "/v1/embeddings", `{"model":"openrouter/openai/text-embedding-3-small","input":"x"}`); a.status != 503 {
		t.Errorf("vectors from outside: %d %s", a.status, a.body)
	}
}

func TestEmbeddingsInBothEncodings(t *testing.T) {
	t.Parallel()
	f := newChatFace(t)
	a := f.call("POST", "/v1/embeddings", `{"model":"astro/embedding","input":["tea","coffee"],"dimensions":4}`)
	got := a.json(t)
	vector, _ := at(got, "data", 1, "embedding").([]any)
	if a.status != 200 || got["object"] != "list" || got["model"] != "ollama/nomic-embed-text" || len(vector) != 4 || at(got, "usage", "prompt_tokens") == 0.0 || at(got, "data", 1, "index") != 1.0 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	packed := f.call("POST", "/v1/embeddings", `{"model":"nomic-embed-text","input":"coffee","dimensions":4,"encoding_format":"base64"}`)
	raw, err := base64.StdEncoding.DecodeString(fmt.Sprint(at(packed.json(t), "data", 0, "embedding")))
	if err != nil || len(raw) != 16 || packed.header.Get("X-Astrogrowth-Cached") != "exact" {
		t.Errorf("%v %s %v", packed.header, packed.body, err)
	}
	for name, tc := range map[string]struct {
		body   string
		status int
		param  string
	}{
		"an unknown model": {`{"model":"text-embedding-3-small","input":"x"}`, 404, "model"},
		"no model":         {`{"input":"x"}`, 400, "model"}, "no input": {`{"model":"astro/embedding"}`, 400, "input"}, "an empty text": {`{"model":"astro/embedding","input":["x",""]}`, 400, "input"},
		"tokens": {`{"model":"astro/embedding","input":[1,2]}`, 400, "input"}, "an encoding": {`{"model":"astro/embedding","input":"x","encoding_format":"hex"}`, 400, "encoding_format"},
		"no dimensions": {`{"model":"astro/embedding","input":"x","dimensions":0}`, 400, "dimensions"},
	} {
		if a := f.call("POST", "/v1/embeddings", tc.body); a.status != tc.status || at(a.json(t), "error", "param") != tc.param {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

func TestBatchAnswersInOrderEachWithItsOwnError(t *testing.T) {
	t.Parallel()
	f := newChatFace(t)
	one := func(task, text, options string) string {
		return fmt.Sprintf(`{"task_type":%q,"messages":[{"role":"user","content":%q}],"options":{%s}}`, task, text, options)
	}
	requests := []string{
		one("simple", "What is 2+2?", ""), one("simple", "x", `"force_provider":"nobody"`), one("analysis", "What is 3+4?", ""),
		`{"task_type":"simple","messages":[{"role":"user","content":"x"}],"schema":{"type":"poem"}}`,
	}
	a := f.call("POST", "/v1/llm/batch", `{"concurrency":2,"requests":[`+strings.Join(requests, ",")+`]}`)
	var out api.CompletionBatch
	if err := json.Unmarshal(a.body, &out); err != nil || a.status != 200 {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	if out.Succeeded != 2 || out.Failed != 2 || len(out.Data) != 4 || !strings.Contains(out.Data[0].Completion.Content, "4") || !strings.Contains(out.Data[2].Completion.Content, "7") {
		t.Errorf("%s", a.body)
	}
	if out.Data[1].Error == nil || out.Data[1].Error.Code != "invalid" || out.Data[3].Error == nil || out.Data[3].Index != 3 {
		t.Errorf("%s", a.body)
	}
	many := strings.TrimSuffix(strings.Repeat(requests[0]+",", 101), ",")
	for name, body := range map[string]string{"too many": `{"requests":[` + many + `]}`, "none": `{"requests":[]}`, "too wide": `{"concurrency":101,"requests":[` + requests[0] + `]}`} {
		if a := f.call("POST", "/v1/llm/batch", body); a.status != 422 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}
