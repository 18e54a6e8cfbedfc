package providers

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// TestFaultsInOpenRoutersWords reads the richer bodies that OpenRouter and its hosts send.
func TestFaultsInOpenRoutersWords(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 22, 0, 0, 0, time.UTC)
	cases := []struct {
		name   string
		status int
		body   string
		want   want
		wait   time.Duration
	}{
		{"upstream's hint in seconds", 429, `{"error":{"code":429,"message":"Provider returned error","metadata":{"raw":"busy","retry_after_seconds":17,"error_type":"rate_limit_exceeded"}}}`, want{growth.Throttled, 0}, 17 * time.Second},
		{"upstream's headers", 429, `{"error":{"code":"429","message":"x","metadata":{"headers":{"retry-after":"9"}}}}`, want{growth.Throttled, 0}, 9 * time.Second},
		{"reset in milliseconds", 429, `{"error":{"code":429,"message":"free-models-per-min","metadata":{"headers":{"X-RateLimit-Reset":"1795471230000"}}}}`, want{growth.Throttled, 0}, 30 * time.Second},
		{"daily cap", 429, `{"error":{"code":429,"message":"Rate limit exceeded: free-models-per-day-high-balance. "}}`, want{growth.Exhausted, 0}, 2 * time.Hour},
		{"daily cap of a host that says when", 429, `{"error":{"message":"Rate limit reached on tokens per day (TPD). Please try again in 17m3.5s."}}`, want{growth.Exhausted, 0}, 17*time.Minute + 3500*time.Millisecond},
		{"free variant ended", 404, `{"error":{"message":"gone","error_type":"not_found","http_status":404,"availability":{"code":"free_variant_ended","retryable":false}}}`, want{growth.ModelGone, 0}, 0},
		{"privacy leaves no host", 404, `{"error":{"message":"x","availability":{"code":"privacy_restricted"}}}`, want{growth.Refused, 0}, 0},
		{"constraints leave no host", 404, `{"error":{"message":"x","availability":{"code":"constraint_filtered"}}}`, want{growth.Refused, 0}, 0},
		{"for a while only", 404, `{"error":{"message":"x","availability":{"code":"no_endpoints","retryable":true,"retry_after":4}}}`, want{growth.Unavailable, growth.ScopeModel}, 4 * time.Second},
		{"region", 403, `{"error":{"message":"x","availability":{"code":"region_restricted"}}}`, want{growth.ModelGone, 0}, 0},
		{"moderation", 403, `{"error":{"code":403,"message":"x","metadata":{"reasons":["violence"],"flagged_input":"…"}}}`, want{growth.Refused, 0}, 0},
		{"context by type", 400, `{"error":{"code":400,"message":"x","metadata":{"error_type":"context_length_exceeded"}}}`, want{growth.TooLong, 0}, 0},
		{"context by the upstream's text", 400, `{"error":{"code":400,"message":"Provider returned error","metadata":{"raw":"{\"error\":\"Please reduce the length of the messages\"}"}}}`, want{growth.TooLong, 0}, 0},
		{"model by code", 400, `{"error":{"message":"x","type":"invalid_request_error","param":"model","code":"model_not_supported"}}`, want{growth.ModelGone, 0}, 0},
		{"model by text, whatever the type", 400, `{"error":{"code":400,"message":"m is not a valid model ID","metadata":{"error_type":"invalid_request"}}}`, want{growth.ModelGone, 0}, 0},
		{"tokens a minute as 413", 413, `{"error":{"message":"Request too large","code":"rate_limit_exceeded"}}`, want{growth.Throttled, 0}, 0},
		{"loading", 503, `{"error":"Model m is currently loading","estimated_time":20.0}`, want{growth.Unavailable, growth.ScopeModel}, 20 * time.Second},
		{"not affordable", 402, `{"error":{"code":402,"message":"requires more credits, or fewer max_tokens. can only afford 12"}}`, want{growth.Exhausted, 0}, 0},
		{"account quota as 429", 429, `{"error":{"message":"x","type":"insufficient_quota"}}`, want{growth.Exhausted, 0}, 0},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := statusFault(reply{status: tc.status, header: http.Header{}, body: []byte(tc.body)}, now)
			if got := (want{e.Code, e.Scope}); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
			if e.RetryAfter != tc.wait {
				t.Errorf("wait = %v, want %v", e.RetryAfter, tc.wait)
			}
		})
	}
}

func TestInvalidNamesTheParameter(t *testing.T) {
	t.Parallel()
	for param, wantField := range map[string]string{"temperature": "temperature", "messages[0].content": "messages[0].content", "a b\n": ""} {
		body, _ := json.Marshal(map[string]any{"error": map[string]any{"message": "bad", "param": param}})
		e := statusFault(reply{status: 400, header: http.Header{}, body: body}, time.Now())
		if e.Field != wantField {
			t.Errorf("param %q: field = %q, want %q", param, e.Field, wantField)
		}
	}
}

// TestFailuresInsideASuccess holds what a 200 can hide, and that what it cost is not lost.
func TestFailuresInsideASuccess(t *testing.T) {
	t.Parallel()
	const usage = `,"usage":{"prompt_tokens":5,"completion_tokens":2,"cost":"0.01"}`
	cases := []struct {
		name, body string
		want       want
	}{
		{"error beside choices", `{"id":"g","choices":[],"error":{"code":502,"message":"Provider disconnected"}` + usage + `}`, want{growth.Unavailable, growth.ScopeModel}},
		{"error as a word", `{"id":"g","error":{"code":"server_error","message":"x"}` + usage + `}`, want{growth.Unavailable, growth.ScopeModel}},
		{"error that blames the request", `{"id":"g","error":{"type":"invalid_request_error","message":"x"}` + usage + `}`, want{growth.Invalid, growth.ScopeNone}},
		{"error with a foreign number", `{"id":"g","error":{"code":1001,"message":"x"}` + usage + `}`, want{growth.Malformed, growth.ScopeModel}},
		{"error in the choice", `{"id":"g","choices":[{"finish_reason":"error","message":{"content":"half"},"error":{"code":429,"message":"x"}}]` + usage + `}`, want{growth.Throttled, growth.ScopeNone}},
		{"finish error", `{"id":"g","choices":[{"finish_reason":"error","message":{"content":"half"}}]` + usage + `}`, want{growth.Malformed, growth.ScopeModel}},
		{"content filter", `{"id":"g","choices":[{"finish_reason":"content_filter","message":{"content":"half"}}]` + usage + `}`, want{growth.Refused, growth.ScopeNone}},
		{"refusal", `{"id":"g","choices":[{"finish_reason":"stop","message":{"content":null,"refusal":"I cannot"}}]` + usage + `}`, want{growth.Refused, growth.ScopeNone}},
		{"no choices", `{"id":"g","choices":null` + usage + `}`, want{growth.Malformed, growth.ScopeModel}},
		{"tool call", `{"id":"g","choices":[{"finish_reason":"tool_calls","message":{"content":null}}]` + usage + `}`, want{growth.Malformed, growth.ScopeNone}},
		{"died before the first token", `{"id":"g","choices":[{"finish_reason":null,"message":{"content":""}}]` + usage + `}`, want{growth.Malformed, growth.ScopeModel}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var resp Response
			err := readChat(reply{status: 200, header: http.Header{}, body: []byte(tc.body)}, &resp, time.Now())
			e := failure(t, err)
			if got := (want{e.Code, e.Scope}); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
			if resp.CostUSD == nil || resp.CostUSD.String() != "0.01" || resp.Generation != "g" || resp.Usage.TotalTokens != 7 {
				t.Errorf("what the failure cost is lost: %+v", resp)
			}
		})
	}
}

func TestUsageAndCost(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, usage string
		want        growth.Usage
		known       bool
		cost        string
	}{
		{"missing", `null`, growth.Usage{}, false, ""},
		{"empty", `{}`, growth.Usage{}, false, ""},
		{"zeroes are known", `{"prompt_tokens":0,"completion_tokens":0,"cost":0}`, growth.Usage{}, true, "0"},
		{"details", `{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13,"cost":1.5e-7,"prompt_tokens_details":{"cached_tokens":5},"completion_tokens_details":{"reasoning_tokens":3}}`, growth.Usage{PromptTokens: 9, CompletionTokens: 4, TotalTokens: 13, CachedTokens: 5, ReasoningTokens: 3}, true, "0.00000015"},
		{"numbers in quotes", `{"prompt_tokens":"9","completion_tokens":4.0,"cost":"0.5"}`, growth.Usage{PromptTokens: 9, CompletionTokens: 4, TotalTokens: 13}, true, "0.5"},
		{"negative", `{"prompt_tokens":-9,"completion_tokens":4,"cost":-1}`, growth.Usage{CompletionTokens: 4, TotalTokens: 4}, true, ""},
		{"cost of an absurd size", `{"prompt_tokens":1,"completion_tokens":1,"cost":1e900000000}`, growth.Usage{PromptTokens: 1, CompletionTokens: 1, TotalTokens: 2}, true, ""},
		{"own key", `{"prompt_tokens":1,"completion_tokens":1,"cost":0.01,"is_byok":true,"cost_details":{"upstream_inference_cost":0.2}}`, growth.Usage{PromptTokens: 1, CompletionTokens: 1, TotalTokens: 2}, true, "0.21"},
		{"own key, upstream silent", `{"prompt_tokens":1,"completion_tokens":1,"cost":0.01,"is_byok":true}`, growth.Usage{PromptTokens: 1, CompletionTokens: 1, TotalTokens: 2}, true, ""},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			body := `{"choices":[{"finish_reason":"stop","message":{"content":"ok"}}],"usage":` + tc.usage + `}`
			var resp Response
			if err := readChat(reply{status: 200, header: http.Header{}, body: []byte(body)}, &resp, time.Now()); err != nil {
				t.Fatal(err)
			}
			cost := ""
			if resp.CostUSD != nil {
				cost = resp.CostUSD.String()
			}
			if resp.Usage != tc.want || resp.UsageKnown != tc.known || cost != tc.cost {
				t.Errorf("usage %+v known %t cost %q, want %+v %t %q", resp.Usage, resp.UsageKnown, cost, tc.want, tc.known, tc.cost)
			}
		})
	}
}

func TestContentInParts(t *testing.T) {
	t.Parallel()
	body := `{"id":7,"choices":[{"finish_reason":"end_turn","message":{"content":[{"type":"text","text":"a"},{"type":"x"},{"type":"text","text":"b"}]}}]}`
	var resp Response
	if err := readChat(reply{status: 200, header: http.Header{}, body: []byte(body)}, &resp, time.Now()); err != nil {
		t.Fatal(err)
	}
	if resp.Text != "ab" || resp.Generation != "7" || resp.FinishReason != "stop" {
		t.Errorf("response = %+v", resp)
	}
}

func TestCutAnswerKeepsItsGeneration(t *testing.T) {
	t.Parallel()
	var resp Response
	err := readChat(reply{status: 200, header: http.Header{}, body: []byte("\n  {\"id\":\"gen-5\",\"choices\":[{\"mess")}, &resp, time.Now())
	if growth.CodeOf(err) != growth.Malformed || resp.Generation != "gen-5" {
		t.Errorf("generation = %q, err = %v", resp.Generation, err)
	}
}

func TestStrictOnlyForClosedSchemas(t *testing.T) {
	t.Parallel()
	cases := map[string]bool{
		`{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}`:                                                                              true,
		`{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}`:                                                                                                           false,
		`{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}`:                                                                                               false,
		`{"type":"object","properties":{"a":{"type":"array","items":{"type":"object","properties":{"b":{"type":"integer"}},"required":[]}}},"required":["a"],"additionalProperties":false}`: false,
		`{"type":"string"}`: true,
		`not json`:          false,
	}
	for schema, wantStrict := range cases {
		if got := strict(json.RawMessage(schema)); got != wantStrict {
			t.Errorf("strict(%s) = %t", schema, got)
		}
	}
}

func TestSchemaName(t *testing.T) {
	t.Parallel()
	for name, wantName := range map[string]string{"": "answer", "lead qualification": "lead_qualification", strings.Repeat("x", 99): strings.Repeat("x", 64)} {
		if got := (Request{SchemaName: name}).schemaName(); got != wantName {
			t.Errorf("schemaName(%q) = %q", name, got)
		}
	}
}
