package providers

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	growth "github.com/zakibelm/astrogrowth"
)

// FuzzDecodeAnswer holds for any bytes: no panic; an answer without a fault has text; a fault is classified; counts and
// costs make sense.
func FuzzDecodeAnswer(f *testing.F) {
	for _, b := range brands() {
		f.Add([]byte(b.answer("Hello", "stop")), 200)
		f.Add([]byte(b.fault(429, "slow down")), 429)
	}
	f.Add([]byte(`{"choices":[{"error":{"code":502},"finish_reason":"error"}]}`), 200)
	f.Add([]byte(`{"error":{"metadata":{"headers":{"Retry-After":"x"}},"availability":{"code":"no_endpoints"}}}`), 404)
	f.Add([]byte(`{"usage":{"cost":1e99,"prompt_tokens":1e300}}`), 200)
	f.Add([]byte("\n  <html>"), 502)
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		r := reply{status: status, header: http.Header{}, body: body}
		now := time.Now()
		for _, read := range []func(reply, *Response, time.Time) error{readChat, readOllama} {
			var resp Response
			err := read(r, &resp, now)
			checkDecoded(t, resp, err)
		}
		checkFault(t, statusFault(r, now))
		_ = huggingFaceModels(body)
		_ = openRouterModel(body)
		if text := scrub(string(body), testKey, ask().Messages); len(text) > maxSaying || !utf8.ValidString(text) {
			t.Errorf("scrubbed text of %d bytes is too long or not UTF-8", len(text))
		}
	})
}

// FuzzDecodeStream holds for any bytes: no panic; a stream ends; what it said is what was passed on; a fault is
// classified.
func FuzzDecodeStream(f *testing.F) {
	for _, b := range brands() {
		f.Add([]byte(b.streamed("stop", "Hel", "lo")))
		f.Add([]byte(b.frame(b.piece("Hel", "")) + b.frame(`{"error":{"code":502}}`)))
	}
	f.Add([]byte(": comment\r\n\r\ndata: {\ndata: }\n\ndata\n\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := reply{status: 200, header: http.Header{}}
		now := time.Now
		for _, read := range []func(resp *Response) (func() ([]byte, error), speech){
			func(resp *Response) (func() ([]byte, error), speech) {
				return newEvents(bytes.NewReader(body)).next, &chatSpeech{reply: r, resp: resp, now: now}
			},
			func(resp *Response) (func() ([]byte, error), speech) {
				return newLines(bytes.NewReader(body)).next, &ollamaSpeech{reply: r, resp: resp, now: now}
			},
		} {
			var resp Response
			var said strings.Builder
			next, s := read(&resp)
			_, p := patient(t.Context(), time.Minute)
			err := follow(next, s, &resp, p, func(text string) bool { said.WriteString(text); return true })
			p.stop()
			checkDecoded(t, resp, err)
			if said.String() != resp.Text {
				t.Errorf("passed on %q, kept %q", said.String(), resp.Text)
			}
		}
	})
}

func checkDecoded(t *testing.T, resp Response, err error) {
	t.Helper()
	if err == nil && resp.Text == "" {
		t.Error("no fault, and no text")
	}
	if err != nil {
		checkFault(t, failure(t, err))
	}
	u := resp.Usage
	if u.PromptTokens < 0 || u.CompletionTokens < 0 || u.CachedTokens > u.PromptTokens || u.ReasoningTokens > u.CompletionTokens {
		t.Errorf("usage %+v", u)
	}
	if resp.CostUSD != nil && resp.CostUSD.IsNegative() {
		t.Errorf("cost %s", resp.CostUSD)
	}
}

func checkFault(t *testing.T, e *growth.Error) {
	t.Helper()
	if e.Code == growth.Internal || e.Message == "" {
		t.Errorf("unclassified: %v", e)
	}
	if e.RetryAfter < 0 || e.RetryAfter > maxHint {
		t.Errorf("wait %v", e.RetryAfter)
	}
	_ = e.Error()
}

// FuzzRetryAfter holds for any header: the wait is never negative and never longer than the longest window.
func FuzzRetryAfter(f *testing.F) {
	for _, value := range []string{"17", "0.5", "-1", "1e308", "Mon, 23 Nov 2026 10:01:30 GMT", "1795428060000", `"api";r=0;t=55`, "7m12s", ""} {
		f.Add(value, value)
	}
	f.Fuzz(func(t *testing.T, value, text string) {
		now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
		for _, name := range []string{"Retry-After", "Retry-After-Ms", "X-Ratelimit-Reset", "Ratelimit"} {
			wait := retryAfter(http.Header{name: {value}}, fault{text: "try again in " + text}, now)
			if wait < 0 || wait > maxHint {
				t.Errorf("%s: %q: wait %v", name, value, wait)
			}
		}
	})
}
