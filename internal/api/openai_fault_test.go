package api_test

import (
	"fmt"
	"testing"

	"github.com/zakibelm/astrogrowth/internal/simulator"
)

func TestChatErrorsAreWordedAsOpenAIDoes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		model  string
		faults []simulator.Fault
		status int
		code   string
		retry  bool
	}{
		"an unknown model":    {"no-such-model", nil, 404, "model_not_found", false},
		"an unknown route":    {"astro/poem", nil, 404, "model_not_found", false},
		"a model that ended":  {gpt, []simulator.Fault{{Provider: "openrouter", Kind: "404"}}, 404, "model_not_found", false},
		"throttled":           {gpt, []simulator.Fault{{Provider: "openrouter", Kind: "429"}}, 503, "rate_limit_exceeded", true},
		"credit spent":        {gpt, []simulator.Fault{{Provider: "openrouter", Kind: "402"}}, 503, "insufficient_quota", true},
		"down":                {gpt, []simulator.Fault{{Provider: "openrouter", Kind: "500"}}, 503, "service_unavailable", true},
		"key rejected":        {gpt, []simulator.Fault{{Provider: "openrouter", Kind: "401"}}, 503, "service_unavailable", true},
		"refused":             {gpt, []simulator.Fault{{Provider: "openrouter", Kind: "403"}}, 400, "content_policy_violation", false},
		"too long":            {gpt, []simulator.Fault{{Provider: "openrouter", Kind: "400", Params: simulator.FaultParams{Message: "maximum context length is 8 tokens"}}}, 400, "context_length_exceeded", false},
		"all candidates down": {"astro/simple", []simulator.Fault{{Provider: "openrouter", Kind: "500"}, {Provider: "huggingface", Kind: "500"}, {Provider: "ollama", Kind: "500"}}, 503, "service_unavailable", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newChatFace(t)
			for _, fault := range tc.faults {
				f.fault(fault)
			}
			whole, stream := f.call("POST", "/v1/chat/completions", chat(tc.model, "")), f.stream(chat(tc.model, `,"stream":true`))
			for kind, a := range map[string]answer{"whole": whole, "stream": stream.answer} {
				e := at(a.json(t), "error")
				if a.status != tc.status || at(e, "code") != tc.code || fmt.Sprint(at(e, "message")) == "" || at(e, "type") == nil || (a.header.Get("Retry-After") != "") != tc.retry {
					t.Errorf("%s: %d %v %s", kind, a.status, a.header, a.body)
				}
			}
		})
	}
}

// One fault has one status on both faces, whatever the provider said.
func TestBothFacesEndAlike(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		kind   string
		status int
		retry  string // X-Should-Retry
	}{{"429", 503, ""}, {"402", 503, "false"}, {"500", 503, ""}, {"401", 503, ""}} {
		t.Run(tc.kind, func(t *testing.T) {
			t.Parallel()
			f := newChatFace(t)
			f.fault(simulator.Fault{Provider: "openrouter", Kind: tc.kind})
			rest := f.call("POST", "/v1/llm/complete", `{"task_type":"simple","messages":[{"role":"user","content":"Tell me about tea."}],"options":{"force_provider":"openrouter","force_model":"openai/gpt-4o-mini"}}`)
			other := f.call("POST", "/v1/chat/completions", chat(gpt, ""))
			if rest.status != tc.status || other.status != tc.status || rest.header.Get("Retry-After") == "" || other.header.Get("Retry-After") == "" || other.header.Get("X-Should-Retry") != tc.retry {
				t.Errorf("REST %d %v %s\nOpenAI's %d %v %s", rest.status, rest.header, rest.body, other.status, other.header, other.body)
			}
		})
	}
}
