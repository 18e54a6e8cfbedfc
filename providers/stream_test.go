package providers

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
)

// streamed is a whole body of a stream.
func (b brand) streamed(finish string, pieces ...string) string {
	var out strings.Builder
	for _, piece := range pieces {
		out.WriteString(b.frame(b.piece(piece, "")))
	}
	return out.String() + b.frame(b.piece("", finish)) + b.end
}

// told is a stream as its consumer saw it.
type told struct {
	pieces []string
	end    Response
	ends   int
	err    error
}

func listen(ctx context.Context, p provider, req Request) told {
	var got told
	for chunk, err := range p.Stream(ctx, req) {
		if chunk.Last {
			got.ends, got.end, got.err = got.ends+1, chunk.Response, err
			continue
		}
		got.pieces = append(got.pieces, chunk.Text)
		if err != nil || got.ends > 0 || chunk.Response.Text != "" {
			got.err = fmt.Errorf("piece %+v with error %w", chunk, err)
			return got
		}
	}
	return got
}

func (b brand) contentType() string {
	if b.name == "ollama" {
		return "application/x-ndjson"
	}
	return "text/event-stream"
}

func TestStreamYieldsAnAnswerAsItComes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		p := b.reply(t, 200, b.streamed("stop", "Hel", "lo ", "Québec"), SimulatorHeader, "1", "Content-Type", b.contentType())
		got := listen(t.Context(), p, ask())
		if got.err != nil || got.ends != 1 {
			t.Fatalf("%d ends, %v", got.ends, got.err)
		}
		if diff := cmp.Diff([]string{"Hel", "lo ", "Québec"}, got.pieces); diff != "" {
			t.Errorf("pieces (-want +got):\n%s", diff)
		}
		want := Response{
			Text: "Hello Québec", Model: "m-served", FinishReason: "stop", UsageKnown: true, Simulated: true, Generation: "gen-1",
			Usage: growth.Usage{PromptTokens: 20, CompletionTokens: 10, TotalTokens: 30},
		}
		if b.name == "ollama" {
			want.Generation = ""
		}
		if cost := got.end.CostUSD; (cost != nil) != (b.name == "openrouter") || cost != nil && cost.String() != "0.000009" {
			t.Errorf("cost = %v", cost)
		}
		if got.end.Latency <= 0 {
			t.Errorf("latency = %v", got.end.Latency)
		}
		want.CostUSD, want.Latency = got.end.CostUSD, got.end.Latency
		if diff := cmp.Diff(want.Usage, got.end.Usage); diff != "" || want.Text != got.end.Text || want.Model != got.end.Model ||
			want.FinishReason != got.end.FinishReason || want.Generation != got.end.Generation || !got.end.Simulated || !got.end.UsageKnown {
			t.Errorf("response = %+v, want %+v", got.end, want)
		}
	})
}

func TestStreamAsksForAStreamWithItsUsage(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		var path, accept string
		var body map[string]any
		p := b.serve(t, func(w http.ResponseWriter, r *http.Request) {
			path, accept = r.Method+" "+r.URL.Path, r.Header.Get("Accept")
			_ = json.NewDecoder(r.Body).Decode(&body)
			_, _ = io.WriteString(w, b.streamed("stop", "ok"))
		})
		if got := listen(t.Context(), p, ask()); got.err != nil {
			t.Fatal(got.err)
		}
		if path != "POST "+b.path || body["stream"] != true || !strings.Contains(accept, "event-stream") {
			t.Errorf("%s, stream %v, accept %s", path, body["stream"], accept)
		}
		if options, _ := body["stream_options"].(map[string]any); b.name != "ollama" && options["include_usage"] != true {
			t.Errorf("stream_options = %v", body["stream_options"])
		}
	})
}

// Hosts keep connections alive, end lines and leave things out in more ways than the standard knows.
func TestStreamToleratesOddities(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		plain := b.streamed("stop", "Hel", "lo")
		bodies := map[string]string{
			"blank lines and blanks":         "\n\n      \n\n" + strings.ReplaceAll(plain, "\n", "\n\n   \n\n"),
			"carriage returns":               strings.ReplaceAll(plain, "\n", "\r\n"),
			"no end of the last line":        strings.TrimRight(plain, "\n"),
			"nothing behind the finish":      strings.TrimSuffix(plain, b.end),
			"an unknown finish":              b.streamed("brand_new", "Hel", "lo"),
			"a piece longer than the buffer": b.streamed("stop", "Hel", "lo") + strings.Repeat(" ", 40<<10),
		}
		if b.name != "ollama" {
			bodies["comments"] = ": OPENROUTER PROCESSING\n\n" + strings.ReplaceAll(plain, "data:", ": OPENROUTER PROCESSING\n\ndata:")
			bodies["other fields"] = strings.ReplaceAll(plain, "data:", "event: message\nid: 7\nretry: 10\ndata:")
			bodies["no blank behind the colon"] = strings.ReplaceAll(plain, "data: ", "data:")
			bodies["no [DONE], usage in a message of its own"] = b.frame(b.piece("Hello", "")) +
				b.frame(`{"id":"gen-1","choices":[{"delta":{},"finish_reason":"stop"}]}`) + b.frame(`{"choices":[],"usage":{"prompt_tokens":1}}`)
		}
		for name, body := range bodies {
			got := listen(t.Context(), b.reply(t, 200, body, "Content-Type", b.contentType()), ask())
			if got.err != nil || got.end.Text != "Hello" || strings.Join(got.pieces, "") != "Hello" || !got.end.UsageKnown {
				t.Errorf("%s: %q, %+v, %v", name, got.pieces, got.end, got.err)
			}
		}
	})
}

func TestStreamTakesAWholeAnswer(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		p := b.reply(t, 200, "\n    "+b.answer("Hello", "stop"), "Content-Type", "application/json; charset=utf-8")
		got := listen(t.Context(), p, ask())
		if got.err != nil || got.end.Text != "Hello" || strings.Join(got.pieces, "") != "Hello" || got.end.Usage.TotalTokens != 30 {
			t.Errorf("%q, %+v, %v", got.pieces, got.end, got.err)
		}
	})
}

// A failure before the stream has begun is what it is for Complete, in code, scope and wait.
func TestStreamClassifiesAsCompleteDoes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		for _, status := range []int{302, 400, 401, 402, 403, 404, 408, 410, 413, 422, 429, 500, 502, 503, 504, 524, 529} {
			p := b.reply(t, status, b.fault(status, "no"), "Retry-After", "7")
			_, err := p.Complete(t.Context(), ask())
			want, got := failure(t, err), failure(t, listen(t.Context(), p, ask()).err)
			if got.Code != want.Code || got.Scope != want.Scope || got.RetryAfter != want.RetryAfter || got.Op != b.name+".Stream" {
				t.Errorf("%d: %v, want %v", status, got, want)
			}
		}
		got := failure(t, listen(t.Context(), b.reply(t, 200, "<html>", "Content-Type", "text/html"), ask()).err)
		if got.Code != growth.Unavailable || got.Scope != growth.ScopeModel {
			t.Errorf("a page: %v", got)
		}
	})
}

// What breaks behind the first word is told by the last pair, and what came before it is not lost.
func TestStreamThatBreaks(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		begun := b.frame(b.piece("Hel", ""))
		failed := b.frame(fmt.Sprintf(`{"id":"gen-1","error":{"code":%d,"message":"Provider disconnected"},"choices":[{"delta":{"content":""},"finish_reason":"error"}]}`, 502))
		cases := []struct {
			name, body string
			want       want
		}{
			{"ends without an end", begun, want{growth.Malformed, growth.ScopeModel}},
			{"ends in the middle of a piece", begun + b.frame(b.piece("lo", ""))[:30], want{growth.Malformed, growth.ScopeModel}},
			{"error object", begun + failed, want{growth.Unavailable, growth.ScopeModel}},
			{"not JSON", begun + b.frame("{oops"), want{growth.Malformed, growth.ScopeModel}},
		}
		if b.name != "ollama" {
			cases = append(cases, []struct {
				name, body string
				want       want
			}{
				{"error that names a limit", begun + b.frame(`{"error":{"code":429,"message":"x"}}`), want{growth.Throttled, growth.ScopeNone}},
				{"error as a word", begun + b.frame(`{"error":{"code":"server_error","message":"x"}}`), want{growth.Unavailable, growth.ScopeModel}},
				{"error in the choice", begun + b.frame(`{"choices":[{"delta":{},"error":{"code":503,"message":"x"}}]}`), want{growth.Unavailable, growth.ScopeModel}},
				{"finish error", begun + b.frame(`{"choices":[{"delta":{},"finish_reason":"error"}]}`) + b.end, want{growth.Malformed, growth.ScopeModel}},
				{"content filter", begun + b.frame(`{"choices":[{"delta":{},"finish_reason":"content_filter"}]}`) + b.end, want{growth.Refused, growth.ScopeNone}},
			}...)
		}
		for _, tc := range cases {
			got := listen(t.Context(), b.reply(t, 200, tc.body, "Content-Type", b.contentType()), ask())
			e := failure(t, got.err)
			if have := (want{e.Code, e.Scope}); have != tc.want || got.ends != 1 {
				t.Errorf("%s: %v, want %v; %d ends", tc.name, have, tc.want, got.ends)
			}
			if got.end.Text != "Hel" || b.name != "ollama" && got.end.Generation != "gen-1" {
				t.Errorf("%s: what came is lost: %+v", tc.name, got.end)
			}
		}
	})
}

func TestStreamWithoutAText(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		got := listen(t.Context(), b.reply(t, 200, b.streamed("stop")), ask())
		if e := failure(t, got.err); e.Code != growth.Malformed || e.Scope != growth.ScopeNone || len(got.pieces) != 0 {
			t.Errorf("empty: %v, pieces %q", e, got.pieces)
		}
		got = listen(t.Context(), b.reply(t, 200, ""), ask())
		if e := failure(t, got.err); e.Code != growth.Malformed || e.Scope != growth.ScopeModel {
			t.Errorf("no body: %v", e)
		}
		if b.name == "ollama" {
			return
		}
		declined := b.frame(`{"choices":[{"delta":{"refusal":"I "}}]}`) + b.frame(`{"choices":[{"delta":{"refusal":"cannot"},"finish_reason":"stop"}]}`) + b.end
		if e := failure(t, listen(t.Context(), b.reply(t, 200, declined), ask()).err); e.Code != growth.Refused {
			t.Errorf("refusal: %v", e)
		}
	})
}

// stalled serves the given text and then nothing until the client leaves; left is closed when it does.
func (b brand) stalled(t *testing.T, text string, every time.Duration) (p provider, left chan struct{}) {
	t.Helper()
	left = make(chan struct{}, 8)
	return b.serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", b.contentType())
		_, _ = io.WriteString(w, text)
		_ = http.NewResponseController(w).Flush()
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_, _ = io.WriteString(w, b.keepAlive())
				_ = http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				left <- struct{}{}
				return
			}
		}
	}), left
}

func (b brand) keepAlive() string {
	if b.name == "ollama" {
		return "\n"
	}
	return ": OPENROUTER PROCESSING\n\n"
}

func TestStreamThatFallsSilentIsGivenUp(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		for name, begun := range map[string]string{"before the first word": "", "behind it": b.frame(b.piece("Hel", ""))} {
			p, left := b.stalled(t, begun, 5*time.Millisecond)
			req := ask()
			req.Silence = 50 * time.Millisecond
			e := failure(t, listen(t.Context(), p, req).err)
			if e.Code != growth.Unavailable || e.Scope != growth.ScopeModel {
				t.Errorf("%s: %v", name, e)
			}
			<-left
		}
	})
}

func TestStreamEndsWithItsContext(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		p, left := b.stalled(t, b.frame(b.piece("Hel", "")), time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var end Chunk
		var err error
		for end, err = range p.Stream(ctx, ask()) {
			cancel()
		}
		if e := failure(t, err); e.Code != growth.Canceled || e.Scope != growth.ScopeNone || !end.Last || end.Response.Text != "Hel" {
			t.Errorf("end %+v, %v", end, e)
		}
		if b.name != "ollama" && end.Response.Generation != "gen-1" {
			t.Error("what to look the cost up by is lost")
		}
		<-left
	})
}

// Leaving the loop ends the request and gives the slot back.
func TestStreamEndsWithItsConsumer(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		p, left := b.stalled(t, b.frame(b.piece("Hel", "")), time.Hour)
		for range 3 {
			for chunk, err := range p.Stream(t.Context(), ask()) {
				if chunk.Text != "Hel" || err != nil {
					t.Errorf("chunk = %+v, %v", chunk, err)
				}
				break
			}
			<-left
		}
	})
}

func TestStreamIsReadOnlyUpToItsBound(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		p := b.serve(t, func(w http.ResponseWriter, _ *http.Request) {
			piece := b.frame(b.piece(strings.Repeat("word ", 50_000), ""))
			for {
				if _, err := io.WriteString(w, piece); err != nil {
					return
				}
			}
		})
		got := listen(t.Context(), p, ask())
		if e := failure(t, got.err); e.Code != growth.Malformed || e.Scope != growth.ScopeModel || len(got.end.Text) > maxAnswer+1<<20 {
			t.Errorf("%d bytes of text, %v", len(got.end.Text), e)
		}
	})
}

func TestStreamOfAnUnconfiguredProviderSendsNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		got := listen(t.Context(), b.open(Settings{}), ask())
		if growth.CodeOf(got.err) != growth.KeyRejected || got.ends != 1 {
			t.Errorf("%d ends, %v", got.ends, got.err)
		}
		req := ask()
		req.Messages = nil
		if got = listen(t.Context(), b.reply(t, 500, ""), req); growth.CodeOf(got.err) != growth.Invalid {
			t.Errorf("no messages: %v", got.err)
		}
	})
}

// An error inside a stream leaks neither the key nor the prompt.
func TestStreamSealsWhatAProviderSays(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		body := b.frame(b.piece("Hel", "")) + b.frame(fmt.Sprintf(`{"error":{"code":500,"message":%q}}`, testKey+" said: "+testPrompt))
		got := listen(t.Context(), b.reply(t, 200, body), ask())
		if text := failure(t, got.err).Error(); strings.Contains(text, testKey) || strings.Contains(text, "Tremblay") {
			t.Errorf("leaked: %s", text)
		}
	})
}

// A connection is used again behind a stream that was read to its end.
func TestStreamLeavesTheConnectionUsable(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		seen := map[string]bool{}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen[r.RemoteAddr] = true
			_, _ = io.WriteString(w, b.streamed("stop", "ok"))
		}))
		t.Cleanup(server.Close)
		p := b.open(Settings{BaseURL: server.URL, Key: testKey})
		for range 5 {
			if got := listen(t.Context(), p, ask()); got.err != nil {
				t.Fatal(got.err)
			}
		}
		if len(seen) != 1 {
			t.Errorf("%d connections for 5 streams, one after the other", len(seen))
		}
	})
}
