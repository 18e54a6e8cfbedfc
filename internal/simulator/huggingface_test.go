package simulator

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
)

func TestHuggingFaceAnswer(t *testing.T) {
	t.Parallel()
	s := start(t)
	g := s.post(hfChat, obj{"model": "openai/gpt-oss-20b:groq", "messages": userSays("hello"), "max_tokens": 100}, bearer...)
	v := g.json(t)
	if g.status != 200 || v["object"] != "chat.completion" || v["model"] != "openai/gpt-oss-20b" || g.header.Get("X-Request-Id") == "" {
		t.Errorf("answer = %d %s", g.status, g.body)
	}
	if usage, _ := at(t, v, "usage").(obj); usage["cost"] != nil || usage["total_tokens"] == nil {
		t.Errorf("usage = %v, want counts and no cost", usage)
	}
	e := s.Entries(0)[0]
	want := decimal.RequireFromString("0.000000075").Mul(decimal.NewFromInt(int64(e.PromptTokens))).
		Add(decimal.RequireFromString("0.0000003").Mul(decimal.NewFromInt(int64(e.CompletionTokens))))
	if !e.CostUSD.Equal(want) || want.IsZero() {
		t.Errorf("book charges %s, want %s", e.CostUSD, want)
	}
}

func TestHuggingFaceRefusals(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, model, key string
		status           int
		code             string // of an error that is an object
		message          string // of one that is a string
	}{
		{"no token", "openai/gpt-oss-20b", "", 401, "", "Invalid username or password."},
		{"gone", "mistralai/Mistral-7B-Instruct-v0.2", "Bearer k", 400, "model_not_supported", ""},
		{"never was", "a/b", "Bearer k", 400, "model_not_supported", ""},
		{"pinned only", "mistralai/Mistral-7B-Instruct-v0.3", "Bearer k", 400, "model_not_supported", ""},
		{"wrong host", "openai/gpt-oss-20b:cerebras", "Bearer k", 400, "", "Model not supported by provider cerebras"},
		{"pinned", "mistralai/Mistral-7B-Instruct-v0.3:featherless-ai", "Bearer k", 200, "", ""},
		{"policy", "openai/gpt-oss-20b:cheapest", "Bearer k", 200, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			g := s.post(hfChat, obj{"model": tc.model, "messages": userSays("hi")}, "Authorization", tc.key)
			v := g.json(t)
			if g.status != tc.status {
				t.Fatalf("answer = %d %s", g.status, g.body)
			}
			if tc.code != "" && text(t, v, "error", "code") != tc.code {
				t.Errorf("error = %v", v["error"])
			}
			if tc.message != "" && v["error"] != tc.message {
				t.Errorf("error = %v, want the string %q", v["error"], tc.message)
			}
		})
	}
}

func TestHuggingFaceStream(t *testing.T) {
	t.Parallel()
	s := start(t)
	ask := obj{
		"model": "openai/gpt-oss-20b", "messages": userSays("Tell me about bread."), "stream": true,
		"stream_options": obj{"include_usage": true},
	}
	data := events(s.post(hfChat, ask, bearer...).body)
	if data[len(data)-1] != "[DONE]" {
		t.Fatalf("stream = %v", data)
	}
	var last obj
	_ = json.Unmarshal([]byte(data[len(data)-2]), &last)
	if len(list(t, last, "choices")) != 0 || at(t, last, "usage", "total_tokens") == nil {
		t.Errorf("usage chunk = %v, want empty choices", last)
	}
	delete(ask, "stream_options")
	if body := s.post(hfChat, ask, bearer...).body; strings.Contains(body, `"usage"`) {
		t.Error("usage came unasked")
	}
}

func TestHuggingFaceModels(t *testing.T) {
	t.Parallel()
	s := start(t)
	models := s.call(http.MethodGet, "/huggingface/v1/models", "").json(t)
	if len(list(t, models, "data")) < 5 {
		t.Errorf("models = %v", models)
	}
	one := s.call(http.MethodGet, "/huggingface/v1/models/openai/gpt-oss-20b", "").json(t)
	if at(t, one, "providers", 0, "pricing", "input") != 0.075 || at(t, one, "providers", 0, "status") != "live" {
		t.Errorf("model = %v", one)
	}
	if g := s.call(http.MethodGet, "/huggingface/v1/models/mistralai/Mixtral-8x7B-Instruct-v0.1", ""); g.status != 404 {
		t.Errorf("model that has gone: status %d", g.status)
	}
}
