package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	growth "github.com/zakibelm/astrogrowth"
)

const (
	maxAnswer   = 64 << 20
	callTimeout = 2 * time.Minute // longer than the longest ?wait=
)

// apiFlags are the flags of every command that talks to the API. The key has none: command lines can be seen by others.
type apiFlags struct {
	url       string
	workspace string
	json      bool
}

func (f *apiFlags) add(cmd *cobra.Command) {
	flags := cmd.PersistentFlags()
	flags.StringVar(&f.url, "url", "", "address of the API (default APP_URL, else http://localhost:3000)")
	flags.StringVar(&f.workspace, "workspace", "", "workspace to work in, for keys of the whole agency")
	flags.BoolVar(&f.json, "json", false, "print JSON")
}

// client builds the client that the flags and the configuration describe.
func (f *apiFlags) client(s surroundings) (*client, error) {
	cfg, err := s.config()
	if err != nil {
		return nil, err
	}
	base := cfg.AppURL
	if f.url != "" {
		base = strings.TrimRight(f.url, "/")
	}
	u, err := url.Parse(base)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, wrongUsage("--url %q is no address; write one as http://localhost:3000", f.url)
	}
	key := s.environ["ASTROGROWTH_API_KEY"]
	if key == "" {
		key = cfg.AdminAPIKey.Reveal()
	}
	return newClient(base, key, f.workspace), nil
}

// client calls the API. It makes each request once; whoever calls knows whether another try is safe.
type client struct {
	base      string
	key       string
	workspace string
	http      *http.Client
}

func newClient(base, key, workspace string) *client {
	return &client{base: base, key: key, workspace: workspace, http: &http.Client{Timeout: callTimeout}}
}

// get reads the answer at path into out.
func (c *client) get(ctx context.Context, path string, out any) error {
	return c.call(ctx, http.MethodGet, path, nil, out)
}

// post sends in to path and reads the answer into out.
func (c *client) post(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encode the request: %w", err)
	}
	return c.call(ctx, http.MethodPost, path, body, out)
}

func (c *client) call(ctx context.Context, method, path string, body []byte, out any) error {
	if body == nil {
		return c.send(ctx, method, path, "", nil, out)
	}
	return c.send(ctx, method, path, "application/json", bytes.NewReader(body), out)
}

// send makes a request of a body of any size; the answer goes into out, as it comes when that is a writer.
func (c *client) send(ctx context.Context, method, path, mediaType string, body io.Reader, out any) error {
	req, err := c.request(ctx, method, path, mediaType, body)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.silence(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }() // it has been read as far as anyone cares
	if w, file := out.(io.Writer); file && resp.StatusCode == http.StatusOK {
		if _, err := io.Copy(w, resp.Body); err != nil {
			return c.silence(ctx, err)
		}
		return nil
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return c.silence(ctx, err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return c.refusal(resp, answer)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return c.stranger(resp.StatusCode)
	}
	return nil
}

func (c *client) request(ctx context.Context, method, path, mediaType string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "astrogrowth/"+programVersion())
	if mediaType != "" {
		req.Header.Set("Content-Type", mediaType)
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	if c.workspace != "" {
		req.Header.Set("X-Workspace", c.workspace)
	}
	return req, nil
}

// silence is a request without an answer.
func (c *client) silence(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return &growth.Error{Code: growth.Canceled, Message: "interrupted", Err: context.Cause(ctx)}
	}
	reason := "the connection broke"
	if e, ok := errors.AsType[*url.Error](err); ok && e.Timeout() {
		reason = "it took too long"
	} else if e, ok := errors.AsType[*net.OpError](err); ok {
		reason = e.Err.Error()
	}
	return growth.Errorf(growth.Unavailable, "",
		"no answer from %s (%s); start the programs with 'astrogrowth up', or name another address with --url or APP_URL", c.base, reason)
}

// refusal is an answer that says no: a problem document, or the page of some other server.
func (c *client) refusal(resp *http.Response, body []byte) error {
	var p fault
	if json.Unmarshal(body, &p) != nil || p.Code == "" {
		return c.stranger(resp.StatusCode)
	}
	e := &growth.Error{Code: growth.ParseCode(p.Code), Message: p.Message}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		e.RetryAfter = time.Duration(s) * time.Second
	}
	if e.Code == growth.Unauthorized {
		e.Message += "; this command takes the key from ASTROGROWTH_API_KEY or ADMIN_API_KEY"
	}
	return e
}

func (c *client) stranger(status int) error {
	code := growth.NotFound
	if status >= http.StatusInternalServerError {
		code = growth.Unavailable // a proxy before a server that is down
	}
	return growth.Errorf(code, "", "%s answered %d, but not as the AstroGrowth API does: is another program at this address?", c.base, status)
}

// campaign is a campaign as the API shows it.
type campaign struct {
	ID   growth.CampaignID `json:"id"`
	Name string            `json:"name"`
}

// progress is how far the jobs of a campaign are.
type progress struct {
	Total        int                     `json:"total"`
	ByState      map[growth.JobState]int `json:"by_state"`
	ByPriority   map[string]int          `json:"by_priority"`
	Disqualified int                     `json:"disqualified"`
	Cost         growth.Money            `json:"cost"`
	UnknownCosts int                     `json:"unknown_costs"`
}

// ended counts the jobs that never change by themselves again.
func (p progress) ended() int {
	n := 0
	for state, jobs := range p.ByState {
		if state.Final() {
			n += jobs
		}
	}
	return n
}

func (c *client) progress(ctx context.Context, id growth.CampaignID) (progress, error) {
	var p progress
	err := c.get(ctx, "/v1/campaigns/"+string(id)+"/progress", &p)
	return p, err
}

// me is whom the API takes this client for.
type me struct {
	Workspace string   `json:"workspace"`
	Scopes    []string `json:"scopes"`
	Simulated bool     `json:"simulated"`
}

func (c *client) me(ctx context.Context) (me, error) {
	var m me
	err := c.get(ctx, "/v1/me", &m)
	return m, err
}

func (c *client) campaign(ctx context.Context, name string) (campaign, error) {
	var out campaign
	err := c.post(ctx, "/v1/campaigns", map[string]string{"name": name}, &out)
	return out, err
}

// fault is the part of a problem document that people and retries need.
type fault struct {
	Message string `json:"message"`
	Code    string `json:"code"`
}

// show reads something from the API and writes it for a person, or with --json as the API gave it.
func show[T any](cmd *cobra.Command, s surroundings, f *apiFlags, path string, write func(io.Writer, T) error) error {
	api, err := f.client(s)
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if err := api.get(cmd.Context(), path, &raw); err != nil {
		return err
	}
	if f.json {
		return writeJSON(cmd.OutOrStdout(), raw)
	}
	var answer T
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return write(cmd.OutOrStdout(), answer)
}
