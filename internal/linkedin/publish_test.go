package linkedin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
)

const (
	testToken = "AQX-secret-token"
	testURN   = "urn:li:share:7400000000000000001"
	secret    = "Boulangerie confidentielle"
)

func testPost() growth.Post {
	return growth.Post{AuthorURN: "urn:li:person:782bbtaQ", Text: secret + " (ouverte) #Montréal"}
}

// wireServer is a LinkedIn of which a test writes every byte. It counts the requests that begin on it, on whatever
// connection.
type wireServer struct {
	url      string
	requests atomic.Int32
}

// serveWire hands each request's connection to play once the headers are read; the body is still on the wire.
func serveWire(t *testing.T, play func(conn *net.TCPConn, req *http.Request)) *wireServer {
	t.Helper()
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	s := &wireServer{url: "http://" + listener.Addr().String()}
	go func() {
		for {
			conn, err := listener.AcceptTCP()
			if err != nil {
				return
			}
			go s.play(conn, play)
		}
	}()
	return s
}

func (s *wireServer) play(conn *net.TCPConn, play func(conn *net.TCPConn, req *http.Request)) {
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		s.requests.Add(1)
		play(conn, req)
	}
}

func readAll(req *http.Request) { _, _ = io.Copy(io.Discard, req.Body) }

func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}

func answerWith(text string) func(*net.TCPConn, *http.Request) {
	return func(conn *net.TCPConn, req *http.Request) {
		readAll(req)
		_, _ = io.WriteString(conn, strings.ReplaceAll(text, "\n", "\r\n"))
	}
}

func status(code int, body string) string {
	return fmt.Sprintf("HTTP/1.1 %d X\nContent-Type: application/json\nContent-Length: %d\n\n%s", code, len(body), body)
}

type outcome struct {
	Code     growth.Code
	Verdict  Verdict
	NotSent  bool
	Requests int32
}

// publish posts once and says what came of it, and that the error holds no secret.
func publish(t *testing.T, s *wireServer) (Receipt, outcome, error) {
	t.Helper()
	r, err := New(Settings{APIURL: s.url}).Publish(t.Context(), testToken, testPost())
	o := outcome{Requests: s.requests.Load()}
	if err != nil {
		o.Code, o.Verdict = growth.CodeOf(err), Outcome(err)
		if e, ok := errors.AsType[*PublishError](err); ok {
			o.NotSent = e.NotSent
		} else {
			t.Errorf("error is %T, want *PublishError", err)
		}
		for _, leak := range []string{testToken, secret} {
			if strings.Contains(err.Error(), leak) {
				t.Errorf("%q is in %q", leak, err)
			}
		}
	}
	return r, o, err
}

// TestWhatCannotBeKnownIsUnknown plays every way in which an answer is lost after the post was sent.
func TestWhatCannotBeKnownIsUnknown(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		play func(*net.TCPConn, *http.Request)
	}{
		{"reset before the body is read", func(c *net.TCPConn, _ *http.Request) { reset(c) }},
		{"reset after the body", func(c *net.TCPConn, r *http.Request) { readAll(r); reset(c) }},
		{"closed after the body", func(c *net.TCPConn, r *http.Request) { readAll(r); _ = c.Close() }},
		{"cut in the status line", answerWith("HTTP/1.1 20")},
		{"not HTTP", answerWith("hello\n\n")},
		{"200 without an id", answerWith(status(200, `{}`))},
		{"redirect", answerWith("HTTP/1.1 307 X\nLocation: /rest/posts\nContent-Length: 0\n\n")},
		{"redirect as a GET", answerWith("HTTP/1.1 302 X\nLocation: /rest/posts\nContent-Length: 0\n\n")},
		{"408", answerWith(status(408, ``))},
		{"409", answerWith(status(409, `{}`))},
		{"500", answerWith(status(500, `{"status":500,"message":"Internal"}`))},
		{"502 page", answerWith(status(502, `<html>`))},
		{"503 cut", answerWith("HTTP/1.1 503 X\nContent-Length: 500\n\nhalf")},
		{"504", answerWith(status(504, ``))},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := serveWire(t, func(c *net.TCPConn, r *http.Request) { tc.play(c, r); _ = c.Close() })
			_, got, _ := publish(t, s)
			want := outcome{Code: growth.Uncertain, Verdict: Unknown, Requests: 1}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("outcome differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTimeoutAndLeavingAfterSendingAreUnknown(t *testing.T) {
	t.Parallel()
	for _, timeout := range []bool{true, false} {
		arrived, done := make(chan struct{}), make(chan struct{})
		s := serveWire(t, func(_ *net.TCPConn, r *http.Request) {
			readAll(r)
			close(arrived)
			<-done
		})
		ctx, cancel := context.WithCancel(t.Context())
		if timeout {
			ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
		} else {
			go func() { <-arrived; cancel() }()
		}
		_, err := New(Settings{APIURL: s.url}).Publish(ctx, testToken, testPost())
		cancel()
		close(done)
		if growth.CodeOf(err) != growth.Uncertain || Outcome(err) != Unknown || s.requests.Load() != 1 {
			t.Errorf("timeout %t: %v, %v, %d requests", timeout, err, Outcome(err), s.requests.Load())
		}
	}
}

// TestDefiniteRefusalsMadeNoPost holds LinkedIn's refusals as it words them.
func TestDefiniteRefusalsMadeNoPost(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		status int
		body   string
		code   growth.Code
		says   string
	}{
		{"invalid", 400, `{"status":400,"code":"FIELD_LENGTH_TOO_LONG","message":"x"}`, growth.Invalid, "FIELD_LENGTH_TOO_LONG"},
		{"schema", 422, `{"status":422,"message":"ERROR :: /distribution/feed :: field is required but not found"}`, growth.Invalid, ""},
		{"not JSON", 422, `<html>`, growth.Invalid, ""},
		{"duplicate", 422, `{"status":422,"message":"…: Content is a duplicate of ` + testURN + `","errorDetails":{"inputErrors":[{"code":"DUPLICATE_POST"}]}}`, growth.Conflict, testURN},
		{"duplicate of a person", 422, `{"message":"Content is a duplicate of urn:li:person:abc"}`, growth.Conflict, "does not name"},
		{"revoked", 401, `{"status":401,"serviceErrorCode":65601,"code":"REVOKED_ACCESS_TOKEN","message":"x"}`, growth.KeyRejected, "revoked"},
		{"expired", 401, `{"status":401,"serviceErrorCode":65602,"message":"x"}`, growth.KeyRejected, "expired"},
		{"expired by text", 401, `{"message":"Expired access token"}`, growth.KeyRejected, "expired"},
		{"bad token", 401, ``, growth.KeyRejected, "turned the account's token down"},
		{"scope", 403, `{"status":403,"serviceErrorCode":100,"code":"ACCESS_DENIED","message":"x"}`, growth.Forbidden, "ACCESS_DENIED"},
		{"version", 426, `{"status":426,"code":"NONEXISTENT_VERSION","message":"x"}`, growth.Unavailable, "LINKEDIN_VERSION"},
		{"version under another status", 400, `{"message":"Requested version 20250701 is not active"}`, growth.Unavailable, "LINKEDIN_VERSION"},
		{"version as a server's fault", 500, `{"message":"Requested version 20250701 is not active"}`, growth.Unavailable, "LINKEDIN_VERSION"},
		{"no version", 400, `{"status":400,"code":"VERSION_MISSING"}`, growth.Unavailable, "LINKEDIN_VERSION"},
		{"limit", 429, `{"message":"Resource level throttle APPLICATION DAY limit for calls to this resource is reached."}`, growth.Throttled, "limit"},
		{"not found", 404, `{"code":"NOT_FOUND"}`, growth.Invalid, "NOT_FOUND"},
		{"media type", 415, ``, growth.Invalid, ""},
		{"size", 413, ``, growth.TooLarge, ""},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := serveWire(t, answerWith(status(tc.status, tc.body)))
			_, got, err := publish(t, s)
			want := outcome{Code: tc.code, Verdict: NotCreated, Requests: 1}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("outcome differs (-want +got):\n%s", diff)
			}
			if !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%q is not in %q", tc.says, err)
			}
		})
	}
}

func TestDuplicateCarriesThePost(t *testing.T) {
	t.Parallel()
	for urn, want := range map[string]string{testURN: testURN, "urn:li:ugcPost:12": "urn:li:ugcPost:12", "urn:li:person:abc": ""} {
		s := serveWire(t, answerWith(status(422, `{"message":"Content is a duplicate of `+urn+`"}`)))
		_, _, err := publish(t, s)
		duplicate, ok := errors.AsType[*DuplicateError](err)
		if !ok || duplicate.URN != want {
			t.Errorf("%s: duplicate = %+v", urn, duplicate)
		}
	}
}

func TestSchemaFaultNamesTheField(t *testing.T) {
	t.Parallel()
	s := serveWire(t, answerWith(status(422, `{"message":"ERROR :: /distribution/feedDistribution :: field is required"}`)))
	_, _, err := publish(t, s)
	if e, ok := errors.AsType[*growth.Error](err); !ok || e.Field != "distribution.feedDistribution" {
		t.Errorf("error = %+v", e)
	}
}

// TestWhatWasNotSentIsKnown plays failures before LinkedIn can have a whole request.
func TestWhatWasNotSentIsKnown(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0) // the handshake it complains of is the test
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	bad := func(change func(*growth.Post)) growth.Post { p := testPost(); change(&p); return p }
	cases := []struct {
		name  string
		ctx   context.Context
		url   string
		token string
		post  growth.Post
		code  growth.Code
	}{
		{"refused connection", t.Context(), closed.URL, testToken, testPost(), growth.Unavailable},
		{"untrusted certificate", t.Context(), untrusted.URL, testToken, testPost(), growth.Unavailable},
		{"no such address", t.Context(), "http://[::1", testToken, testPost(), growth.Unavailable},
		{"caller left before", gone, closed.URL, testToken, testPost(), growth.Canceled},
		{"no token", t.Context(), closed.URL, "", testPost(), growth.KeyRejected},
		{"token with a line break", t.Context(), closed.URL, "a\r\nX: y", testPost(), growth.KeyRejected},
		{"no author", t.Context(), closed.URL, testToken, bad(func(p *growth.Post) { p.AuthorURN = "me" }), growth.Invalid},
		{"blank", t.Context(), closed.URL, testToken, bad(func(p *growth.Post) { p.Text = " \n" }), growth.Invalid},
		{"too long", t.Context(), closed.URL, testToken, bad(func(p *growth.Post) { p.Text = strings.Repeat("😀", 1501) }), growth.Invalid},
		{"visibility", t.Context(), closed.URL, testToken, bad(func(p *growth.Post) { p.Visibility = "ALL" }), growth.Invalid},
		{"article", t.Context(), closed.URL, testToken, bad(func(p *growth.Post) { p.Article = &growth.Article{URL: "/a"} }), growth.Invalid},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := New(Settings{APIURL: tc.url}).Publish(tc.ctx, tc.token, tc.post)
			e, ok := errors.AsType[*PublishError](err)
			if !ok || !e.NotSent || Outcome(err) != NotCreated || growth.CodeOf(err) != tc.code {
				t.Errorf("not sent = %t, code %v: %v", ok && e.NotSent, growth.CodeOf(err), err)
			}
		})
	}
}

// TestADeadConnectionCausesNoReplay posts twice over a client that keeps connections, of which the server has closed
// the first behind its back.
func TestADeadConnectionCausesNoReplay(t *testing.T) {
	t.Parallel()
	for _, rude := range []bool{true, false} {
		var posts atomic.Int32
		s := serveWire(t, func(c *net.TCPConn, r *http.Request) {
			readAll(r)
			if posts.Add(1) == 1 {
				_, _ = fmt.Fprintf(c, "HTTP/1.1 201 X\r\nX-Restli-Id: %s\r\nContent-Length: 0\r\n\r\n", testURN)
				return
			}
			if rude {
				reset(c)
			}
			_ = c.Close()
		})
		client := New(Settings{APIURL: s.url, HTTP: &http.Client{Transport: &http.Transport{}}})
		if _, err := client.Publish(t.Context(), testToken, testPost()); err != nil {
			t.Fatal(err)
		}
		_, err := client.Publish(t.Context(), testToken, testPost())
		if Outcome(err) != Unknown || s.requests.Load() != 2 {
			t.Errorf("rude %t: verdict %v, %d requests on the wire for 2 posts", rude, Outcome(err), s.requests.Load())
		}
	}
}

func TestPublishSendsOnePost(t *testing.T) {
	t.Parallel()
	var header http.Header
	var body map[string]any
	s := serveWire(t, func(c *net.TCPConn, r *http.Request) {
		header = r.Header.Clone()
		header.Set("Line", r.Method+" "+r.URL.Path)
		_ = json.NewDecoder(r.Body).Decode(&body)
		_, _ = fmt.Fprintf(c, "HTTP/1.1 201 Created\r\nx-restli-id: %s\r\nX-Astrogrowth-Simulator: 1\r\nContent-Length: 0\r\n\r\n", testURN)
	})
	post := testPost()
	post.Article = &growth.Article{URL: "https://example.com/a?b=1&c=2"}
	got, err := New(Settings{APIURL: s.url + "/", Version: "202607"}).Publish(t.Context(), testToken, post)
	if err != nil {
		t.Fatal(err)
	}
	want := Receipt{URN: testURN, URL: s.url + "/feed/update/" + testURN + "/", Simulated: true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("receipt differs:\n%s", diff)
	}
	for name, value := range map[string]string{
		"Line": "POST /rest/posts", "Linkedin-Version": "202607", "X-Restli-Protocol-Version": "2.0.0",
		"Authorization": "Bearer " + testToken, "Content-Type": "application/json",
	} {
		if header.Get(name) != value {
			t.Errorf("%s = %q, want %q", name, header.Get(name), value)
		}
	}
	wantBody := map[string]any{
		"author": post.AuthorURN, "commentary": secret + ` \(ouverte\) #Montréal`, "visibility": "PUBLIC",
		"distribution":   map[string]any{"feedDistribution": "MAIN_FEED", "targetEntities": []any{}, "thirdPartyDistributionChannels": []any{}},
		"lifecycleState": "PUBLISHED", "isReshareDisabledByAuthor": false,
		"content": map[string]any{"article": map[string]any{"source": post.Article.URL, "title": post.Article.URL}},
	}
	if diff := cmp.Diff(wantBody, body); diff != "" {
		t.Errorf("body differs:\n%s", diff)
	}
}

func TestCreatedIsSuccessWhateverElseIsLost(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ answer, urn string }{
		"no id":          {"HTTP/1.1 201 X\nContent-Length: 0\n\n", ""},
		"body broke off": {"HTTP/1.1 201 X\nX-RestLi-Id: " + testURN + "\nContent-Length: 99\n\nhalf", testURN},
		"200 with an id": {"HTTP/1.1 200 X\nX-RestLi-Id: " + testURN + "\nContent-Length: 0\n\n", testURN},
	} {
		s := serveWire(t, func(c *net.TCPConn, r *http.Request) { answerWith(tc.answer)(c, r); _ = c.Close() })
		got, _, err := publish(t, s)
		if err != nil || got.URN != tc.urn || (got.URL == "") != (tc.urn == "") {
			t.Errorf("%s: receipt %+v, err %v", name, got, err)
		}
	}
}

func TestURLOf(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ base, urn, want string }{
		{"https://api.linkedin.com", testURN, "https://www.linkedin.com/feed/update/" + testURN + "/"},
		{"", testURN, "https://www.linkedin.com/feed/update/" + testURN + "/"},
		{"http://127.0.0.1:3003/linkedin/", testURN, "http://127.0.0.1:3003/linkedin/feed/update/" + testURN + "/"},
		{"https://api.linkedin.com", "", ""},
		{"http://x", "../a?b", "http://x/feed/update/..%2Fa%3Fb/"},
	} {
		if got := URLOf(tc.base, tc.urn); got != tc.want {
			t.Errorf("URLOf(%q, %q) = %q, want %q", tc.base, tc.urn, got, tc.want)
		}
	}
}

func TestQuotaWait(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 22, 30, 0, 0, time.UTC)
	cases := []struct {
		name, message, retryAfter string
		want                      time.Duration
	}{
		{"day", "Resource level throttle APPLICATION DAY limit for calls to this resource is reached.", "60", 90 * time.Minute},
		{"member's day", "throttle MEMBER DAY limit", "", 90 * time.Minute},
		{"hint", "too many", "40", 40 * time.Second},
		{"none", "", "", shortPause},
		{"absurd hint", "", "999999999999", 24 * time.Hour},
	}
	for _, tc := range cases {
		h := http.Header{}
		h.Set("Retry-After", tc.retryAfter)
		if got := quotaWait(h, complaint{Message: tc.message}, now); got != tc.want {
			t.Errorf("%s: wait = %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestOutcomeOfAForeignErrorIsUnknown(t *testing.T) {
	t.Parallel()
	if got := Outcome(errors.New("something else")); got != Unknown {
		t.Errorf("verdict = %v", got)
	}
}
