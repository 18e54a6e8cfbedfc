package simulator

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
)

const gpt = "openai/gpt-4o-mini"

func TestOpenRouterAnswer(t *testing.T) {
	t.Parallel()
	s := start(t)
	g := s.post(orChat, obj{"model": gpt, "messages": userSays("What is 2+2? Just answer with the number.")}, bearer...)
	v := g.json(t)
	if got := text(t, v, "choices", 0, "message", "content"); got != "4" {
		t.Errorf("content = %q, want 4", got)
	}
	for path, want := range map[string]any{
		"object": "chat.completion", "model": "openai/gpt-4o-mini-2024-07-18", "provider": "OpenAI", "service_tier": "default",
	} {
		if v[path] != want {
			t.Errorf("%s = %v, want %v", path, v[path], want)
		}
	}
	if v["id"] != g.header.Get("X-Generation-Id") || !strings.HasPrefix(text(t, v, "id"), "gen-") {
		t.Errorf("id = %v, header %q", v["id"], g.header.Get("X-Generation-Id"))
	}
	if at(t, v, "choices", 0, "finish_reason") != "stop" || at(t, v, "choices", 0, "native_finish_reason") != "completed" {
		t.Errorf("choice = %v", at(t, v, "choices", 0))
	}
	var exact struct {
		Usage struct {
			Prompt     int64           `json:"prompt_tokens"`
			Completion int64           `json:"completion_tokens"`
			Total      int64           `json:"total_tokens"`
			Cost       decimal.Decimal `json:"cost"`
		} `json:"usage"`
	}
	if err := json.Unmarshal([]byte(g.body), &exact); err != nil {
		t.Fatal(err)
	}
	u := exact.Usage
	want := decimal.RequireFromString("0.00000015").Mul(decimal.NewFromInt(u.Prompt)).
		Add(decimal.RequireFromString("0.0000006").Mul(decimal.NewFromInt(u.Completion)))
	if !u.Cost.Equal(want) || u.Prompt == 0 || u.Total != u.Prompt+u.Completion {
		t.Errorf("usage = %+v, want cost %s", u, want)
	}
	e := s.Entries(0)[0]
	if !e.CostUSD.Equal(want) || e.Model != gpt || e.Generation != v["id"] {
		t.Errorf("book row = %+v", e)
	}
}

func TestOpenRouterRefusals(t *testing.T) {
	t.Parallel()
	hi := userSays("hi")
	for _, tc := range []struct {
		name   string
		body   obj
		key    string
		status int
		want   string // part of the message
		avail  string // availability code
	}{
		{"no key", obj{"model": gpt, "messages": hi}, "", 401, "Missing Authentication header", ""},
		{"revoked key", obj{"model": gpt, "messages": hi}, "Bearer sim-revoked", 401, "User not found", ""},
		{"unknown model", obj{"model": "nobody/nothing", "messages": hi}, "Bearer k", 400, "nobody/nothing is not a valid model ID", ""},
		{"gone, old shape", obj{"model": "google/gemini-2.0-flash-exp:free", "messages": hi}, "Bearer k", 404, "No endpoints found", ""},
		{"free variant ended", obj{"model": "meta-llama/llama-3.3-70b-instruct:free", "messages": hi}, "Bearer k", 404, "no free endpoints", "free_variant_ended"},
		{"retired", obj{"model": "google/gemini-2.0-flash-001", "messages": hi}, "Bearer k", 404, "retired", "model_deprecated"},
		{"no messages", obj{"model": gpt}, "Bearer k", 400, "Input required", ""},
		{"too long", obj{"model": gpt, "messages": userSays(strings.Repeat("word ", 110_000))}, "Bearer k", 400, "maximum context length is 128000 tokens", ""},
		{"keeps prompts", obj{"model": "openai/gpt-oss-20b:free", "messages": hi, "provider": obj{"data_collection": "deny"}}, "Bearer k", 404, "data policy", "privacy_restricted"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			g := s.post(orChat, tc.body, "Authorization", tc.key)
			v := g.json(t)
			if g.status != tc.status || !strings.Contains(text(t, v, "error", "message"), tc.want) {
				t.Errorf("answer = %d %s", g.status, g.body)
			}
			if tc.avail == "" {
				if at(t, v, "error", "code") != float64(tc.status) {
					t.Errorf("error.code = %v", at(t, v, "error", "code"))
				}
				return
			}
			if text(t, v, "error", "availability", "code") != tc.avail || at(t, v, "error", "http_status") != float64(tc.status) {
				t.Errorf("error = %v", at(t, v, "error"))
			}
		})
	}
}

func TestOpenRouterFallsBackToModels(t *testing.T) {
	t.Parallel()
	s := start(t)
	g := s.post(orChat, obj{
		"model": "google/gemini-2.0-flash-exp:free", "models": []string{"nobody/nothing", "google/gemini-2.5-flash-lite"}, "messages": userSays("hi"),
	}, bearer...)
	if v := g.json(t); g.status != 200 || v["model"] != "google/gemini-2.5-flash-lite" {
		t.Errorf("answer = %d %s", g.status, g.body)
	}
}

// events returns the data of a stream of server-sent events.
func events(body string) (data []string) {
	for line := range strings.SplitSeq(body, "\n") {
		if d, ok := strings.CutPrefix(line, "data: "); ok {
			data = append(data, d)
		}
	}
	return data
}

func joined(t *testing.T, data []string) string {
	t.Helper()
	var b strings.Builder
	for _, d := range data {
		var c struct {
			Choices []struct {
				Delta struct{ Content string } `json:"delta"`
			} `json:"choices"`
		}
		if err := json.Unmarshal([]byte(d), &c); err != nil {
			t.Fatalf("chunk %q: %v", d, err)
		}
		for _, ch := range c.Choices {
			b.WriteString(ch.Delta.Content)
		}
	}
	return b.String()
}

func TestOpenRouterStream(t *testing.T) {
	t.Parallel()
	s := start(t)
	ask := obj{"model": gpt, "messages": userSays("Tell me about opening a bakery in spring.")}
	whole := text(t, s.post(orChat, ask, bearer...).json(t), "choices", 0, "message", "content")
	ask["stream"] = true
	g := s.post(orChat, ask, bearer...)
	data := events(g.body)
	if g.header.Get("Content-Type") != "text/event-stream" || !strings.HasPrefix(g.body, ": OPENROUTER PROCESSING\n\n") || data[len(data)-1] != "[DONE]" {
		t.Fatalf("stream = %q", g.body)
	}
	data = data[:len(data)-1]
	if got := joined(t, data); got != whole || len(data) < 4 {
		t.Errorf("streamed %d chunks %q, want %q", len(data), got, whole)
	}
	var last obj
	_ = json.Unmarshal([]byte(data[len(data)-1]), &last)
	if at(t, last, "usage", "cost") == nil || at(t, last, "choices", 0, "finish_reason") != "stop" {
		t.Errorf("last chunk = %v", last)
	}
	rows := s.Entries(0)
	if !rows[0].CostUSD.Equal(rows[1].CostUSD) || !rows[1].Stream {
		t.Errorf("stream charged %s, answer %s", rows[1].CostUSD, rows[0].CostUSD)
	}
}

func TestOpenRouterModels(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := s.call(http.MethodGet, "/openrouter/api/v1/models", "").json(t)
	prices := map[string]string{}
	for _, m := range list(t, v, "data") {
		prices[text(t, m, "id")] = text(t, m, "pricing", "prompt")
		if at(t, m, "context_length") == 0.0 || text(t, m, "canonical_slug") == "" {
			t.Errorf("model = %v", m)
		}
	}
	if prices[gpt] != "0.00000015" || prices["openai/gpt-oss-20b:free"] != "0" {
		t.Errorf("prices = %v", prices)
	}
	if _, listed := prices["google/gemini-2.0-flash-exp:free"]; listed {
		t.Error("a model that has gone is listed")
	}
	page := s.call(http.MethodGet, "/openrouter/api/v1/models?offset=1&limit=2", "").json(t)
	if n := len(list(t, page, "data")); n != 2 || at(t, page, "total_count") != v["total_count"] {
		t.Errorf("page has %d models of %v", n, page["total_count"])
	}
}

func TestOpenRouterAccount(t *testing.T) {
	t.Parallel()
	s := start(t)
	chat := s.post(orChat, obj{"model": gpt, "messages": userSays("hello there")}, bearer...).json(t)
	cost := at(t, chat, "usage", "cost")
	if key := s.call(http.MethodGet, "/openrouter/api/v1/key", "", bearer...).json(t); at(t, key, "data", "usage") != cost {
		t.Errorf("key usage = %v, want %v", at(t, key, "data", "usage"), cost)
	}
	gen := s.call(http.MethodGet, "/openrouter/api/v1/generation?id="+text(t, chat, "id"), "", bearer...).json(t)
	if at(t, gen, "data", "total_cost") != cost || at(t, gen, "data", "tokens_prompt") != at(t, chat, "usage", "prompt_tokens") {
		t.Errorf("generation = %v", gen)
	}
	for path, want := range map[string]int{"/generation?id=gen-0": 404, "/credits": 403} {
		if g := s.call(http.MethodGet, "/openrouter/api/v1"+path, "", bearer...); g.status != want {
			t.Errorf("%s: status = %d, want %d", path, g.status, want)
		}
	}
	if g := s.call(http.MethodGet, "/openrouter/api/v1/credits", "", "Authorization", "Bearer sim-management"); g.status != 200 {
		t.Errorf("credits with a management key: %d", g.status)
	}
}

func TestOpenRouterChargesLessForAPromptThatItHasInMemory(t *testing.T) {
	t.Parallel()
	s := start(t)
	house := strings.Repeat("You write for the house. ", 20)
	ask := func(question string) obj {
		g := s.post(orChat, obj{"model": gpt, "messages": []obj{{"role": "system", "content": house}, {"role": "user", "content": question}}}, bearer...)
		return g.json(t)
	}
	first, second := ask("What is 2+2?"), ask("What is 2+3?")
	if n := at(t, first, "usage", "prompt_tokens_details", "cached_tokens"); n != 0.0 {
		t.Errorf("cached at first: %v", n)
	}
	cached := tokens(house) + turnTokens
	if n := at(t, second, "usage", "prompt_tokens_details", "cached_tokens"); n != float64(cached) {
		t.Errorf("cached then: %v, want %d", n, cached)
	}
	rows := s.Entries(2)
	if saved := rows[0].CostUSD.Sub(rows[1].CostUSD); !saved.Equal(decimal.RequireFromString("0.000000075").Mul(decimal.NewFromInt(int64(cached)))) || rows[1].CachedTokens != cached {
		t.Errorf("saved %s for %d tokens at half the price", saved, cached)
	}
}
