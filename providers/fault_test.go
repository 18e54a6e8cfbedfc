package providers

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

type want struct {
	code  growth.Code
	scope growth.FaultScope
}

// TestFaultsThatAllBrandsShare holds the table of statuses, each in the brand's own shape.
func TestFaultsThatAllBrandsShare(t *testing.T) {
	t.Parallel()
	none, provider, model := growth.ScopeNone, growth.ScopeProvider, growth.ScopeModel
	cases := []struct {
		status int
		text   string
		want   want
	}{
		{400, "temperature must be at most 2", want{growth.Invalid, none}},
		{400, "This endpoint's maximum context length is 8192 tokens", want{growth.TooLong, none}},
		{400, "the input length exceeds the context length", want{growth.TooLong, none}},
		{400, "The requested model 'm' is not supported by any provider you have enabled.", want{growth.ModelGone, none}},
		{400, "Model not supported by provider hf-inference", want{growth.ModelGone, none}},
		{400, "m is not a valid model ID", want{growth.ModelGone, none}},
		{400, `"tiny-embed" does not support chat`, want{growth.ModelGone, none}},
		{400, "blocked by the content policy", want{growth.Refused, none}},
		{401, "Invalid username or password.", want{growth.KeyRejected, provider}},
		{402, "You have depleted your monthly included credits.", want{growth.Exhausted, none}},
		{403, "This authentication method does not have sufficient permissions", want{growth.KeyRejected, provider}},
		{403, "Input was flagged by moderation", want{growth.Refused, none}},
		{403, "Key limit exceeded (total limit)", want{growth.Exhausted, none}},
		{404, "model 'm' not found", want{growth.ModelGone, none}},
		{404, "No endpoints found matching your data policy", want{growth.Refused, none}},
		{405, "method not allowed", want{growth.Unavailable, none}},
		{408, "timed out", want{growth.Unavailable, model}},
		{410, "no longer supported", want{growth.ModelGone, none}},
		{413, "payload too large", want{growth.TooLarge, none}},
		{413, "prompt is too long: reduce the length", want{growth.TooLong, none}},
		{422, "response_format is invalid", want{growth.Invalid, none}},
		{429, "slow down", want{growth.Throttled, none}},
		{500, "invalid format: \"x\"; expected \"json\" or a valid JSON Schema object", want{growth.Invalid, none}},
		{500, "Internal Server Error", want{growth.Unavailable, model}},
		{502, "bad gateway", want{growth.Unavailable, model}},
		{503, "server busy, please try again.  maximum pending requests exceeded", want{growth.Unavailable, model}},
		{504, "timeout", want{growth.Unavailable, model}},
		{524, "edge timeout", want{growth.Unavailable, model}},
		{529, "overloaded", want{growth.Unavailable, model}},
	}
	each(t, func(t *testing.T, b brand) {
		for _, tc := range cases {
			p := b.reply(t, tc.status, b.fault(tc.status, tc.text))
			_, err := p.Complete(t.Context(), ask())
			e := failure(t, err)
			if got := (want{e.Code, e.Scope}); got != tc.want {
				t.Errorf("%d %s: %v, want %v", tc.status, tc.text, got, tc.want)
			}
			if e.Op != b.name+".Complete" || e.Message == "" {
				t.Errorf("%d: op %q, message %q", tc.status, e.Op, e.Message)
			}
			if !strings.Contains(err.Error(), "status "+strconv.Itoa(tc.status)) {
				t.Errorf("%d: the status is not in %q", tc.status, err)
			}
		}
	})
}

func TestBodiesThatAreNoErrorObject(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, body, contentType string
		status                  int
		want                    want
	}{
		{"page of an edge", "<html><body>Bad gateway</body></html>", "text/html", 502, want{growth.Unavailable, growth.ScopeModel}},
		{"page with 404", "\n<!DOCTYPE html>not found", "", 404, want{growth.Unavailable, growth.ScopeModel}},
		{"page with 403", "<html>checking your browser</html>", "text/html; charset=utf-8", 403, want{growth.Unavailable, growth.ScopeModel}},
		{"page with 200", "<html>welcome</html>", "text/html", 200, want{growth.Unavailable, growth.ScopeModel}},
		{"no body, 500", "", "", 500, want{growth.Unavailable, growth.ScopeModel}},
		{"no body, 400", "", "", 400, want{growth.Unavailable, growth.ScopeNone}},
		{"cut body, 400", `{"error":{"message":"The requested mo`, "", 400, want{growth.Unavailable, growth.ScopeNone}},
		{"plain text, 400", "Bad Request", "text/plain", 400, want{growth.Invalid, growth.ScopeNone}},
		{"no body, 404", "", "", 404, want{growth.ModelGone, growth.ScopeNone}},
		{"no body, 403", "", "", 403, want{growth.KeyRejected, growth.ScopeProvider}},
		{"no body, 200", "", "", 200, want{growth.Malformed, growth.ScopeModel}},
		{"plain text", "upstream connect error", "text/plain", 503, want{growth.Unavailable, growth.ScopeModel}},
		{"a list", "[1,2]", "", 200, want{growth.Malformed, growth.ScopeModel}},
		{"null", "null", "", 200, want{growth.Malformed, growth.ScopeModel}},
		{"error is a number", `{"error":17}`, "", 400, want{growth.Invalid, growth.ScopeNone}},
		{"detail", `{"detail":[{"msg":"field required"}]}`, "", 422, want{growth.Invalid, growth.ScopeNone}},
		{"error in a 200", `{"error":"an error was encountered while running the model"}`, "", 200, want{growth.Malformed, growth.ScopeModel}},
		{"redirect", "", "", 307, want{growth.Unavailable, growth.ScopeProvider}},
	}
	each(t, func(t *testing.T, b brand) {
		for _, tc := range cases {
			headers := []string{"Location", "http://127.0.0.1:1/elsewhere"}
			if tc.contentType != "" {
				headers = append(headers, "Content-Type", tc.contentType)
			}
			p := b.reply(t, tc.status, tc.body, headers...)
			_, err := p.Complete(t.Context(), ask())
			e := failure(t, err)
			if got := (want{e.Code, e.Scope}); got != tc.want {
				t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
			}
		}
	})
}

func TestCutAndEmptyAnswers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		whole := b.answer("a text that is long enough", "stop")
		cases := []struct {
			name string
			body string
			want want
		}{
			{"cut JSON", whole[:len(whole)-20], want{growth.Malformed, growth.ScopeModel}},
			{"empty text", b.answer("  ", "stop"), want{growth.Malformed, growth.ScopeNone}},
			{"nothing within the token limit", b.answer("", "length"), want{growth.Malformed, growth.ScopeNone}},
		}
		for _, tc := range cases {
			p := b.reply(t, 200, tc.body)
			_, err := p.Complete(t.Context(), ask())
			e := failure(t, err)
			if got := (want{e.Code, e.Scope}); got != tc.want {
				t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
			}
		}
	})
}

func TestBodyThatBreaksOffIsMalformed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		body := b.answer("a text", "stop")
		p := b.serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(body)+50))
			w.Header().Set("X-Generation-Id", "gen-9")
			w.Header().Set("X-Request-Id", "gen-9")
			_, _ = io.WriteString(w, body[:40])
		})
		got, err := p.Complete(t.Context(), ask())
		e := failure(t, err)
		if e.Code != growth.Malformed || e.Scope != growth.ScopeModel {
			t.Errorf("code %v scope %v", e.Code, e.Scope)
		}
		if b.name != "ollama" && got.Generation == "" {
			t.Error("the generation of a cut answer is lost, and with it what it cost")
		}
	})
}

func TestConnectionFaultsSpeakAgainstTheProvider(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		closed := httptest.NewServer(http.NotFoundHandler())
		closed.Close()
		var requests atomic.Int32
		reset := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			requests.Add(1)
			conn, _, err := http.NewResponseController(w).Hijack()
			if tcp, ok := conn.(*net.TCPConn); err == nil && ok {
				_ = tcp.SetLinger(0)
				_ = tcp.Close()
			}
		}))
		t.Cleanup(reset.Close)
		untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
		untrusted.Config.ErrorLog = log.New(io.Discard, "", 0) // the handshake it complains of is the test
		untrusted.StartTLS()
		t.Cleanup(untrusted.Close)
		for _, url := range []string{closed.URL, reset.URL, untrusted.URL, "http://[::1", "http://127.0.0.1:1/" + "x"} {
			_, err := b.open(Settings{BaseURL: url, Key: testKey}).Complete(t.Context(), ask())
			e := failure(t, err)
			if e.Code != growth.Unavailable || e.Scope != growth.ScopeProvider {
				t.Errorf("%s: code %v scope %v", url, e.Code, e.Scope)
			}
		}
		if got := requests.Load(); got != 1 {
			t.Errorf("%d requests on the wire, want 1: clients never retry", got)
		}
	})
}

func TestAClientsOwnTimeoutSpeaksAgainstTheModel(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}))
		t.Cleanup(server.Close)
		p := b.open(Settings{BaseURL: server.URL, Key: testKey, HTTP: &http.Client{Timeout: 30 * time.Millisecond}})
		_, err := p.Complete(t.Context(), ask())
		if e := failure(t, err); e.Code != growth.Unavailable || e.Scope != growth.ScopeModel {
			t.Errorf("code %v scope %v", e.Code, e.Scope)
		}
	})
}

func TestErrorsHoldNeitherKeyNorPrompt(t *testing.T) {
	t.Parallel()
	leaks := []string{testKey, "Amélie Tremblay", "hf_abcdefghijkl"}
	said := "key " + testKey + " and hf_abcdefghijkl: prompt was " + strings.ToUpper("x") + testPrompt + "\n" + strings.Repeat("é", 4000)
	each(t, func(t *testing.T, b brand) {
		for _, status := range []int{200, 400, 401, 403, 404, 413, 422, 429, 500, 503} {
			for _, body := range []string{b.fault(status, said), said} {
				p := b.reply(t, status, body)
				_, err := p.Complete(t.Context(), ask())
				if err == nil {
					t.Fatalf("%d: no error", status)
				}
				for _, leak := range leaks {
					if strings.Contains(err.Error(), leak) {
						t.Errorf("%d: %q is in %q", status, leak, err)
					}
				}
				if len(err.Error()) > 500 || strings.Contains(err.Error(), "\n") {
					t.Errorf("%d: error of %d bytes is not short and on one line", status, len(err.Error()))
				}
			}
		}
		addressed := b.open(Settings{BaseURL: "http://user:" + testKey + "@127.0.0.1:1", Key: testKey})
		if _, err := addressed.Complete(t.Context(), ask()); strings.Contains(err.Error(), testKey) {
			t.Errorf("the address's password is in %q", err)
		}
	})
}

func TestRetryHintsReachTheCaller(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b brand) {
		for _, status := range []int{429, 503} {
			p := b.reply(t, status, b.fault(status, "later"), "Retry-After", "17")
			_, err := p.Complete(t.Context(), ask())
			if got := growth.RetryAfterOf(err); got != 17*time.Second {
				t.Errorf("%d: wait = %v, want 17s", status, got)
			}
		}
		p := b.reply(t, 429, b.fault(429, "Rate limit exceeded: free-models-per-day"), "Retry-After", "17")
		_, err := p.Complete(t.Context(), ask())
		wait, longest := growth.RetryAfterOf(err), untilMidnight(time.Now())
		if growth.CodeOf(err) != growth.Exhausted || wait < longest || wait > longest+time.Minute {
			t.Errorf("daily cap: code %v, wait %v, midnight in %v", growth.CodeOf(err), wait, longest)
		}
	})
}
