package simulator

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// askers send one question to each provider without streaming.
var askers = map[string]func(*sim) got{
	OpenRouter: func(s *sim) got {
		return s.post(orChat, obj{"model": gpt, "messages": userSays("Tell me about tea.")}, bearer...)
	},
	HuggingFace: func(s *sim) got {
		return s.post(hfChat, obj{"model": "openai/gpt-oss-20b", "messages": userSays("Tell me about tea.")}, bearer...)
	},
	Ollama: func(s *sim) got {
		return s.post(olChat, obj{"model": "llama3.2:3b", "messages": userSays("Tell me about tea."), "stream": false})
	},
	LinkedIn: func(s *sim) got { return s.post(liPosts, postBody("Tea time"), liHeaders...) },
}

// content finds the answer's text in any provider's shape.
func content(t *testing.T, g got) string {
	t.Helper()
	var v struct {
		Choices []struct{ Message struct{ Content string } }
		Message struct{ Content string }
	}
	if err := json.Unmarshal([]byte(g.body), &v); err != nil {
		t.Fatalf("%v: %s", err, g.body)
	}
	if len(v.Choices) > 0 {
		return v.Choices[0].Message.Content
	}
	return v.Message.Content
}

func each(t *testing.T, providers []string, f Fault, check func(*testing.T, *sim, got)) {
	t.Helper()
	for _, p := range providers {
		t.Run(f.Kind+"/"+p, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			f := f // the others of the table have it too
			f.Provider = p
			s.set(f)
			check(t, s, askers[p](s))
			if e := s.Entries(1); len(e) != 1 || e[0].Fault != f.Kind {
				t.Errorf("book = %+v", e)
			}
		})
	}
}

var (
	llms = []string{OpenRouter, HuggingFace, Ollama}
	all  = []string{OpenRouter, HuggingFace, Ollama, LinkedIn}
)

func TestStatusFaultsSpeakTheProvidersShape(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 401, 402, 403, 404, 408, 413, 422, 429, 500, 502, 503, 504, 524, 529} {
		each(t, all, Fault{Kind: strconv.Itoa(status)}, func(t *testing.T, s *sim, g got) {
			t.Helper()
			e := s.Entries(1)[0]
			if g.status != status || e.Status != status || !e.CostUSD.IsZero() {
				t.Fatalf("status %d, book %+v", g.status, e)
			}
			if e.Provider == Ollama && status == 403 {
				if g.body != "" {
					t.Errorf("Ollama's 403 has a body: %s", g.body)
				}
				return
			}
			v := g.json(t)
			switch e.Provider {
			case OpenRouter:
				if at(t, v, "error", "code") != float64(status) || text(t, v, "error", "message") == "" {
					t.Errorf("body = %s", g.body)
				}
			case LinkedIn:
				if v["status"] != float64(status) || text(t, v, "message") == "" {
					t.Errorf("body = %s", g.body)
				}
			case Ollama:
				if text(t, v, "error") == "" {
					t.Errorf("error is no string: %s", g.body)
				}
			case HuggingFace:
				if inner, ok := v["error"].(obj); ok && inner["message"] == "" || v["error"] == "" || v["error"] == nil {
					t.Errorf("body = %s", g.body)
				}
			}
			if len(s.Posts()) != 0 {
				t.Error("a refused post is live")
			}
		})
	}
}

func TestRetryHints(t *testing.T) {
	t.Parallel()
	midnight := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC).UnixMilli()
	for _, tc := range []struct {
		hint  string
		after float64
		check func(*testing.T, got)
	}{
		{"", 0, func(t *testing.T, g got) { t.Helper(); wantHeader(t, g, "Retry-After", "7") }},
		{HintSeconds, 1.2, func(t *testing.T, g got) { t.Helper(); wantHeader(t, g, "Retry-After", "2") }},
		{HintDate, 30, func(t *testing.T, g got) {
			t.Helper()
			at, err := http.ParseTime(g.header.Get("Retry-After"))
			if err != nil || at.Sub(now) != 30*time.Second {
				t.Errorf("Retry-After = %q", g.header.Get("Retry-After"))
			}
		}},
		{HintMillis, 1.5, func(t *testing.T, g got) { t.Helper(); wantHeader(t, g, "Retry-After-Ms", "1500") }},
		{HintReset, 9, func(t *testing.T, g got) {
			t.Helper()
			wantHeader(t, g, "X-RateLimit-Reset", strconv.FormatInt(now.Add(9*time.Second).UnixMilli(), 10))
		}},
		{HintDaily, 0, func(t *testing.T, g got) {
			t.Helper()
			wantHeader(t, g, "X-RateLimit-Reset", strconv.FormatInt(midnight, 10))
			if !strings.Contains(g.body, "free-models-per-day") {
				t.Errorf("body = %s", g.body)
			}
		}},
		{HintBody, 17, func(t *testing.T, g got) {
			t.Helper()
			if at(t, g.json(t), "error", "metadata", "retry_after_seconds") != 17.0 {
				t.Errorf("body = %s", g.body)
			}
		}},
		{HintNone, 5, func(t *testing.T, g got) {
			t.Helper()
			for _, h := range []string{"Retry-After", "Retry-After-Ms", "X-RateLimit-Reset"} {
				wantHeader(t, g, h, "")
			}
			if strings.Contains(g.body, "retry_after") {
				t.Errorf("body = %s", g.body)
			}
		}},
	} {
		t.Run("hint "+tc.hint, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			s.set(Fault{Provider: OpenRouter, Kind: "429", Params: FaultParams{Hint: tc.hint, RetryAfter: tc.after}})
			g := askers[OpenRouter](s)
			if g.status != 429 {
				t.Fatalf("status = %d", g.status)
			}
			tc.check(t, g)
		})
	}
	t.Run("loading model", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.set(Fault{Provider: HuggingFace, Kind: "503", Params: FaultParams{Hint: HintBody, RetryAfter: 20}})
		if v := askers[HuggingFace](s).json(t); v["estimated_time"] != 20.0 || v["error"] != "Model openai/gpt-oss-20b is currently loading" {
			t.Errorf("body = %v", v)
		}
	})
	t.Run("linkedin says nothing", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.set(Fault{Provider: LinkedIn, Kind: "429"})
		wantHeader(t, askers[LinkedIn](s), "Retry-After", "")
	})
}

func wantHeader(t *testing.T, g got, name, want string) {
	t.Helper()
	if v := g.header.Get(name); v != want {
		t.Errorf("%s = %q, want %q", name, v, want)
	}
}

func TestConnectionFaults(t *testing.T) {
	t.Parallel()
	each(t, all, Fault{Kind: KindReset}, func(t *testing.T, s *sim, g got) {
		t.Helper()
		if !errors.Is(g.err, syscall.ECONNRESET) && !errors.Is(g.err, io.EOF) {
			t.Errorf("err = %v, want a reset", g.err)
		}
		if len(s.Posts()) != 0 {
			t.Error("a post was made before the reset")
		}
	})
	each(t, all, Fault{Kind: KindHTML}, func(t *testing.T, _ *sim, g got) {
		t.Helper()
		if g.status != 502 || !strings.HasPrefix(g.body, "<!DOCTYPE html>") || !strings.HasPrefix(g.header.Get("Content-Type"), "text/html") {
			t.Errorf("answer = %d %s", g.status, g.body)
		}
	})
	each(t, all, Fault{Kind: KindHTML, Params: FaultParams{Status: 200}}, func(t *testing.T, _ *sim, g got) {
		t.Helper()
		if g.status != 200 || !strings.HasPrefix(g.body, "<!DOCTYPE html>") {
			t.Errorf("answer = %d %s", g.status, g.body)
		}
	})
	each(t, all, Fault{Kind: KindEmptyBody}, func(t *testing.T, _ *sim, g got) {
		t.Helper()
		if g.status != 200 || g.body != "" {
			t.Errorf("answer = %d %q", g.status, g.body)
		}
	})
	each(t, llms, Fault{Kind: KindCutJSON}, func(t *testing.T, _ *sim, g got) {
		t.Helper()
		if g.err != nil || g.status != 200 || json.Valid([]byte(g.body)) || len(g.body) < 20 {
			t.Errorf("answer = %d %q %v", g.status, g.body, g.err)
		}
	})
	each(t, llms, Fault{Kind: KindCutJSON, Params: FaultParams{Hint: HintMismatch}}, func(t *testing.T, _ *sim, g got) {
		t.Helper()
		if !errors.Is(g.err, io.ErrUnexpectedEOF) || json.Valid([]byte(g.body)) {
			t.Errorf("answer = %q %v, want an unexpected end", g.body, g.err)
		}
	})
}

func TestContentFaults(t *testing.T) {
	t.Parallel()
	each(t, llms, Fault{Kind: KindEmpty}, func(t *testing.T, s *sim, g got) {
		t.Helper()
		if g.status != 200 || content(t, g) != "" {
			t.Errorf("answer = %d %s", g.status, g.body)
		}
		if e := s.Entries(1)[0]; e.Provider == OpenRouter && !e.CostUSD.IsZero() {
			t.Errorf("an answer of nothing is billed: %s", e.CostUSD)
		}
	})
	each(t, llms, Fault{Kind: KindErrorIn200}, func(t *testing.T, s *sim, g got) {
		t.Helper()
		if v := g.json(t); g.status != 200 || v["error"] == nil || !s.Entries(1)[0].CostUSD.IsZero() {
			t.Errorf("answer = %d %s", g.status, g.body)
		}
	})
	each(t, llms[:2], Fault{Kind: KindErrorIn200, Params: FaultParams{Hint: HintChoice}}, func(t *testing.T, _ *sim, g got) {
		t.Helper()
		v := g.json(t)
		if v["error"] != nil || at(t, v, "choices", 0, "error") == nil || at(t, v, "choices", 0, "finish_reason") != "error" {
			t.Errorf("answer = %s", g.body)
		}
	})
	each(t, llms, Fault{Kind: KindMissingUsage}, func(t *testing.T, s *sim, g got) {
		t.Helper()
		if content(t, g) == "" || strings.Contains(g.body, "usage") || strings.Contains(g.body, "eval_count") {
			t.Errorf("answer = %s", g.body)
		}
		if e := s.Entries(1)[0]; e.CompletionTokens == 0 {
			t.Errorf("the book forgot the tokens: %+v", e)
		}
	})
	each(t, llms, Fault{Kind: KindKeepAlive}, func(t *testing.T, _ *sim, g got) {
		t.Helper()
		if !strings.HasPrefix(g.body, "\n ") || content(t, g) == "" {
			t.Errorf("body = %q", clip(g.body, 60))
		}
	})
	for hint, want := range map[string]string{HintProse: "Sure!", HintFence: "```json", HintShape: `{"unexpected"`} {
		each(t, llms, Fault{Kind: KindInvalidAnswer, Params: FaultParams{Hint: hint}}, func(t *testing.T, _ *sim, g got) {
			t.Helper()
			if !strings.HasPrefix(content(t, g), want) {
				t.Errorf("answer = %s", g.body)
			}
		})
	}
}

func TestStreamsBreak(t *testing.T) {
	t.Parallel()
	asks := map[string]func(*sim) got{
		OpenRouter: func(s *sim) got {
			return s.post(orChat, obj{"model": gpt, "messages": userSays("Tell me about tea."), "stream": true}, bearer...)
		},
		HuggingFace: func(s *sim) got {
			return s.post(hfChat, obj{"model": "openai/gpt-oss-20b", "messages": userSays("Tell me about tea."), "stream": true}, bearer...)
		},
		Ollama: func(s *sim) got {
			return s.post(olChat, obj{"model": "phi3:mini", "messages": userSays("Tell me about tea.")})
		},
	}
	for p, ask := range asks {
		t.Run("cut/"+p, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			ask(s)
			s.set(Fault{Provider: p, Kind: KindCutJSON})
			g := ask(s)
			if g.err == nil || g.body == "" || strings.Contains(g.body, "[DONE]") || strings.Contains(g.body, `"done":true`) {
				t.Errorf("stream = %q %v, want a cut", g.body, g.err)
			}
			whole, part := s.Entries(0)[0], s.Entries(0)[1]
			if part.CompletionTokens == 0 || part.CompletionTokens >= whole.CompletionTokens || part.CostUSD.GreaterThan(whole.CostUSD) {
				t.Errorf("cut stream charged %d tokens, whole one %d", part.CompletionTokens, whole.CompletionTokens)
			}
		})
		t.Run("error/"+p, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			s.set(Fault{Provider: p, Kind: KindErrorIn200})
			g := ask(s)
			if g.err != nil || g.status != 200 || !strings.Contains(g.body, `"error":`) || strings.Contains(g.body, "[DONE]") {
				t.Errorf("stream = %q %v", g.body, g.err)
			}
		})
	}
}

func TestFaultsAreChosenByProviderModelCountAndRate(t *testing.T) {
	t.Parallel()
	s := start(t)
	ask := func(model string) int {
		return s.post(orChat, obj{"model": model, "messages": userSays("hi")}, bearer...).status
	}
	s.set(Fault{Provider: OpenRouter, Model: gpt, Kind: "500", Count: 2})
	if got := []int{ask("openai/gpt-oss-20b:free"), ask(gpt), ask(gpt), ask(gpt)}; got[0] != 200 || got[1] != 500 || got[2] != 500 || got[3] != 200 {
		t.Errorf("statuses = %v", got)
	}
	if f := s.Faults()[0]; f.Fired != 2 {
		t.Errorf("fault = %+v", f)
	}
	half := 0.5
	s.set(Fault{Provider: OpenRouter, Kind: "503", Rate: &half})
	failed := 0
	for range 100 {
		if ask(gpt) == 503 {
			failed++
		}
	}
	if failed < 30 || failed > 70 {
		t.Errorf("%d of 100 failed at rate 0.5", failed)
	}
	if g := s.call(http.MethodGet, "/openrouter/api/v1/models", ""); g.status != 200 {
		t.Errorf("the fault of chat befell the model list: %d", g.status)
	}
	s.set(Fault{Provider: OpenRouter, Kind: "502", Endpoint: "any"})
	s.ClearFaults(HuggingFace)
	if g := s.call(http.MethodGet, "/openrouter/api/v1/models", ""); g.status != 502 {
		t.Errorf("endpoint any: %d", g.status)
	}
	s.ClearFaults(OpenRouter)
	if ask(gpt) != 200 {
		t.Error("the faults were not cleared")
	}
}

func TestLatencyAddsToOtherFaults(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.set(Fault{Provider: Ollama, Kind: KindLatency, Params: FaultParams{LatencyMS: 40}})
	s.set(Fault{Provider: Ollama, Kind: "503"})
	began := time.Now()
	if g := askers[Ollama](s); g.status != 503 || time.Since(began) < 40*time.Millisecond {
		t.Errorf("status %d after %v", g.status, time.Since(began))
	}
}

func TestFaultControl(t *testing.T) {
	t.Parallel()
	s := start(t)
	put := func(body string) got { return s.call(http.MethodPut, "/_control/faults", body) }
	if g := put(`{"provider":"openrouter","kind":"429","count":3,"params":{"hint":"ms","retry_after":2}}`); g.status != 200 {
		t.Fatalf("put = %d %s", g.status, g.body)
	}
	put(`[{"provider":"ollama","kind":"reset"},{"provider":"openrouter","kind":"429"}]`) // the second replaces
	v := s.call(http.MethodGet, "/_control/faults", "").json(t)
	if l := list(t, v, "faults"); len(l) != 2 || at(t, l[1], "endpoint") != "chat" || at(t, l[1], "count") != nil {
		t.Errorf("faults = %v", v)
	}
	for body, want := range map[string]string{
		`{"provider":"x","kind":"429"}`:                                  "provider",
		`{"provider":"ollama","kind":"nonsense"}`:                        "kind",
		`{"provider":"ollama","kind":"200"}`:                             "kind",
		`{"provider":"ollama","kind":"duplicate"}`:                       "linkedin only",
		`{"provider":"ollama","kind":"latency"}`:                         "latency_ms",
		`{"provider":"ollama","kind":"429","rate":2}`:                    "rate",
		`{"provider":"ollama","kind":"429","count":-1}`:                  "count",
		`{"provider":"ollama","kind":"429","params":{"hint":"x"}}`:       "hint",
		`{"provider":"ollama","kind":"429","endpoint":"x"}`:              "endpoint",
		`{"provider":"ollama","kind":"429","parms":{}}`:                  "unknown field",
		`[{"provider":"ollama","kind":"500"},{"provider":"x","kind":1}]`: "",
		`{`: "EOF",
	} {
		if g := put(body); g.status != 400 || !strings.Contains(g.body, want) {
			t.Errorf("put %s = %d %s", body, g.status, g.body)
		}
	}
	if n := len(s.Faults()); n != 2 {
		t.Errorf("%d faults after refusals, want 2", n)
	}
	s.call(http.MethodDelete, "/_control/faults?provider=ollama", "")
	if l := s.Faults(); len(l) != 1 || l[0].Provider != OpenRouter {
		t.Errorf("faults = %+v", l)
	}
	s.call(http.MethodDelete, "/_control/faults", "")
	if len(s.Faults()) != 0 {
		t.Error("faults are left")
	}
}
