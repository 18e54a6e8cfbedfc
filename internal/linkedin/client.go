// Package linkedin posts to LinkedIn and says what became of it. A post is sent once: nothing here follows a redirect,
// tries again or lets the transport do so, and every failure is either proof that no post exists or an admission that
// nobody knows. It refuses to know tokens' storage, schedules, limits and jobs.
package linkedin

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

const (
	publicAPI  = "https://api.linkedin.com"
	publicSite = "https://www.linkedin.com"

	// simulatorHeader marks every answer of the simulator.
	simulatorHeader = "X-Astrogrowth-Simulator"

	maxAnswer   = 1 << 20 // bytes of an answer that are read
	maxDuration = 2 * time.Minute
)

// Settings are what an installation chooses. The zero value of each field is a default.
type Settings struct {
	APIURL  string       // empty: https://api.linkedin.com
	Version string       // YYYYMM of the header LinkedIn-Version; empty: DefaultVersion
	HTTP    *http.Client // nil: a client that opens a fresh connection for each request

	// Spend is asked before each call that LinkedIn counts against a member's day, and told the author's URN; an error
	// means that the call is not made. nil: nobody counts.
	Spend func(ctx context.Context, author string) error
}

// Client speaks to LinkedIn's API. It is safe for concurrent use.
type Client struct {
	base    string
	version string
	http    *http.Client
	spend   func(ctx context.Context, author string) error
	now     func() time.Time
}

// New returns a client. It opens no connection.
func New(s Settings) *Client {
	base := strings.TrimRight(strings.TrimSpace(s.APIURL), "/")
	if base == "" {
		base = publicAPI
	}
	version := s.Version
	if version == "" {
		version = DefaultVersion
	}
	c := http.Client{}
	if s.HTTP != nil {
		c = *s.HTTP
	}
	if c.Transport == nil {
		c.Transport = newTransport()
	}
	// A redirect would carry the post and the token to an address nobody configured, and send it twice.
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	spend := s.Spend
	if spend == nil {
		spend = func(context.Context, string) error { return nil }
	}
	return &Client{base: base, version: version, http: &c, spend: spend, now: time.Now}
}

// Version is the one that the client asks for.
func (c *Client) Version() string { return c.version }

// newTransport opens a connection per request. Posts are minutes apart, so an idle connection would mostly be a dead
// one, and a request that meets a dead connection can no longer be proven unsent. HTTP/1.1, because one request on one
// connection leaves no other stream's fate to reason about.
func newTransport() *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout:    10 * time.Second,
		Protocols:              protocols,
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: 1 << 20,
	}
}

// answer is what came back, whatever its status.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do makes one request. sent says whether the transport took the first byte of the body: until then LinkedIn cannot
// have a whole request, whatever went wrong.
func (c *Client) do(req *http.Request, body string) (a answer, sent bool, err error) {
	watched := &watchedBody{r: strings.NewReader(body)}
	if body != "" {
		req.Body = watched
		req.ContentLength = int64(len(body))
		req.GetBody = nil // without it the transport cannot send a body a second time
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, watched.read.Load(), quiet(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	a = answer{status: resp.StatusCode, header: resp.Header, body: text}
	if err != nil {
		return a, true, quiet(err)
	}
	return a, true, nil
}

func (c *Client) request(ctx context.Context, method, path, token string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, nil)
	if err != nil {
		return nil, errors.New("the API's address is not usable")
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "astrogrowth")
	return req, nil
}

// versioned is a request under /rest.
func (c *Client) versioned(ctx context.Context, method, path, token string) (*http.Request, error) {
	req, err := c.request(ctx, method, path, token)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Restli-Protocol-Version", "2.0.0")
	if strings.HasPrefix(path, "/rest/") {
		req.Header.Set("Linkedin-Version", c.version)
	}
	return req, nil
}

// usable refuses a token that could not stand in a header; the transport's own error for it comes too late to be told
// from others.
func usable(token string) bool {
	return token != "" && strings.IndexFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// quiet takes the address out of a transport's error and keeps the kind of failure.
func quiet(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return errors.New("certificate not trusted")
	}
	return err
}

// unreachable is a network's fault as a code: the caller's leaving, or the lack of an answer.
func unreachable(ctx context.Context, op string, err error) *growth.Error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return &growth.Error{Code: growth.Canceled, Op: op, Message: "the caller left", Err: err}
	}
	return &growth.Error{Code: growth.Unavailable, Op: op, Message: "LinkedIn cannot be reached", Err: err}
}
