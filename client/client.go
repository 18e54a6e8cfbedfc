// Package client calls an AstroGrowth server from Go: it enqueues jobs, waits for them, reads leads and contents, and
// listens to events. It speaks the REST API and nothing else; it refuses to know stores, queues and providers. Each call
// is one request: whether to make it again is the caller's to decide, with an idempotency key where it enqueues.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

const (
	maxAnswer   = 64 << 20
	callTimeout = 2 * time.Minute // longer than the longest wait for a job
)

// Config says whom to call and as whom.
type Config struct {
	URL       string       // of the API; default http://localhost:3000
	Key       string       // an API key; empty where none is required
	Workspace string       // for keys of the agency: which workspace to work in
	HTTP      *http.Client // default: one that gives up after two minutes. Events use its Transport without its Timeout
}

// Client calls one server. It is safe for concurrent use.
type Client struct {
	base, key, workspace string
	http                 *http.Client
	stream               *http.Client
}

// New returns a client. It connects with the first call.
func New(cfg Config) *Client {
	c := &Client{base: strings.TrimRight(cfg.URL, "/"), key: cfg.Key, workspace: cfg.Workspace, http: cfg.HTTP}
	if c.base == "" {
		c.base = "http://localhost:3000"
	}
	if c.http == nil {
		c.http = &http.Client{Timeout: callTimeout}
	}
	c.stream = &http.Client{Transport: c.http.Transport, Jar: c.http.Jar, CheckRedirect: c.http.CheckRedirect}
	return c
}

// Problem is a server's refusal, as RFC 9457 describes it.
type Problem struct { //nolint:errname // RFC 9457's own word
	Type       string        `json:"type"`
	Status     int           `json:"status"`
	Code       string        `json:"code"` // the name of a growth.Code
	Message    string        `json:"message"`
	Errors     []Fault       `json:"errors"` // the fields at fault
	RetryAfter time.Duration `json:"-"`      // how long to wait; 0: not known
}

// Fault is one field that is wrong, and what would be right.
type Fault struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// Error is the server's message.
func (p *Problem) Error() string { return p.Message }

// Me is whom the server takes the client for.
type Me struct {
	Name      string   `json:"name"`
	KeyID     string   `json:"key_id"`
	Workspace string   `json:"workspace"`
	Scopes    []string `json:"scopes"`
	Simulated bool     `json:"simulated"`
}

// Me tests the key.
func (c *Client) Me(ctx context.Context) (Me, error) {
	var out Me
	err := c.call(ctx, http.MethodGet, "/v1/me", nil, "", &out)
	return out, err
}

// Message is one turn of a conversation with a model.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// Prompt asks the chain without a job.
type Prompt struct {
	Task     growth.TaskType `json:"task_type"`
	Messages []Message       `json:"messages"`
	Schema   json.RawMessage `json:"schema,omitempty"` // a JSON Schema that the answer must fit
}

// Completion is the chain's answer.
type Completion struct {
	Content   string       `json:"content"`
	Provider  string       `json:"provider"`
	Model     string       `json:"model"`
	Cost      growth.Money `json:"cost"`
	Cached    string       `json:"cached"` // no, exact, near or semantic
	Simulated bool         `json:"simulated"`
}

// Complete asks the chain and waits for its answer.
func (c *Client) Complete(ctx context.Context, p Prompt) (Completion, error) {
	var out Completion
	err := c.call(ctx, http.MethodPost, "/v1/llm/complete", p, "", &out)
	return out, err
}

// call makes one request. A nil in sends no body, a nil out reads none.
func (c *Client) call(ctx context.Context, method, path string, in any, idempotencyKey string, out any) error {
	req, err := c.request(ctx, method, path, in)
	if err != nil {
		return err
	}
	if idempotencyKey != "" {
		req.Header.Set("Idempotency-Key", idempotencyKey)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // it has been read as far as anyone cares
	if resp.StatusCode > 299 {
		return problemOf(resp)
	}
	if out == nil || resp.StatusCode == http.StatusNoContent {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("read the answer of %s %s: %w", method, path, err)
	}
	return nil
}

func (c *Client) request(ctx context.Context, method, path string, in any) (*http.Request, error) {
	var body io.Reader = http.NoBody
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	if c.workspace != "" {
		req.Header.Set("X-Workspace", c.workspace)
	}
	return req, nil
}

// problemOf reads a refusal. A proxy's page has no message of ours, and is told by its status.
func problemOf(resp *http.Response) error {
	p := &Problem{}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil || json.Unmarshal(body, p) != nil || p.Message == "" {
		p = &Problem{Message: "the server answered " + resp.Status + ", but not as AstroGrowth does"}
	}
	p.Status = resp.StatusCode
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		p.RetryAfter = time.Duration(s) * time.Second
	}
	return p
}

// IsNotFound says whether an error is a server's word that there is no such thing.
func IsNotFound(err error) bool {
	p, ok := errors.AsType[*Problem](err)
	return ok && p.Status == http.StatusNotFound
}

// pages walks a list to its end, page by page.
func pages[T any](ctx context.Context, c *Client, path string, q url.Values, yield func(T, error) bool) {
	q.Set("limit", "200")
	for {
		var page struct {
			Data []T     `json:"data"`
			Next *string `json:"next_cursor"`
		}
		if err := c.call(ctx, http.MethodGet, path+"?"+q.Encode(), nil, "", &page); err != nil {
			var none T
			yield(none, err)
			return
		}
		for _, v := range page.Data {
			if !yield(v, nil) {
				return
			}
		}
		if page.Next == nil {
			return
		}
		q.Set("cursor", *page.Next)
	}
}

// filter keeps what was asked for.
func filter(pairs ...string) url.Values {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}
