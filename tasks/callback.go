package tasks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/webhook"
	"github.com/zakibelm/astrogrowth/store"
)

// CallbackArgs ask for the delivery of a finished job to the address that its owner gave.
type CallbackArgs struct {
	JobID growth.JobID `json:"job_id"`
	URL   string       `json:"url"`
}

// Type implements Args.
func (CallbackArgs) Type() growth.JobType { return growth.JobCallback }

// Validate implements Args.
func (a CallbackArgs) Validate() error { return nil }

const callbackTimeout = 15 * time.Second

// CallbackWorker delivers callbacks, signed as Standard Webhooks.
type CallbackWorker struct {
	Store  *store.Store
	Client *http.Client                // see CallbackClient
	Show   func(growth.Job) growth.Job // how the API shows a job: currency
}

// ErrPrivateAddress is why a callback to a private network is refused.
var ErrPrivateAddress = errors.New("the address lies in a private network that is not allowed by CALLBACK_ALLOW_HOSTS")

// CallbackClient makes the HTTP client of callbacks. It refuses private addresses unless the host is allowed by name,
// looking at the address that is really dialled, so that neither DNS nor a redirect leads around it.
func CallbackClient(allowHosts []string) *http.Client {
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		d := &net.Dialer{Timeout: 5 * time.Second}
		if !slices.Contains(allowHosts, host) {
			d.Control = func(_, address string, _ syscall.RawConn) error {
				ap, err := netip.ParseAddrPort(address)
				if err != nil || webhook.Private(ap.Addr()) {
					return ErrPrivateAddress
				}
				return nil
			}
		}
		return d.DialContext(ctx, network, addr)
	}
	return &http.Client{
		Timeout: callbackTimeout,
		// A redirect that would turn the call into a GET delivers nothing.
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if req.Method != http.MethodPost || len(via) > 3 {
				return http.ErrUseLastResponse
			}
			return nil
		},
		Transport: &http.Transport{DialContext: dial, TLSHandshakeTimeout: 5 * time.Second, MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second},
	}
}

// CheckCallbackURL refuses what can be seen to be wrong before anything is dialled.
func CheckCallbackURL(raw string, allowHosts []string) error {
	const op, field = "tasks.CheckCallbackURL", "callback_url"
	if raw == "" {
		return nil
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return growth.InvalidField(op, field, "use an http or https address")
	case len(raw) > 2000:
		return growth.InvalidField(op, field, "use at most 2000 characters")
	case u.User != nil:
		return growth.InvalidField(op, field, "put no user name or password into the address")
	}
	host := u.Hostname()
	if slices.Contains(allowHosts, host) {
		return nil
	}
	if addr, err := netip.ParseAddr(host); err == nil && webhook.Private(addr) || strings.EqualFold(host, "localhost") {
		return growth.InvalidField(op, field, "this address lies in a private network; its host must be named in CALLBACK_ALLOW_HOSTS")
	}
	return nil
}

// Work delivers once. The job's own retries are the callback's.
func (w CallbackWorker) Work(ctx context.Context, job *Job[CallbackArgs]) error {
	sc := w.Store.In(job.Job.Workspace)
	done, err := sc.Job(ctx, job.Args.JobID)
	if growth.CodeOf(err) == growth.NotFound {
		return job.Complete(map[string]string{"outcome": "the job was deleted"}, nil)
	}
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{"type": "job.finished", "timestamp": job.Job.CreatedAt, "data": w.Show(done)})
	if err != nil {
		return fmt.Errorf("encode callback: %w", err)
	}
	secret, err := sc.CallbackSecret(ctx)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, job.Args.URL, bytes.NewReader(body))
	if err != nil {
		return growth.Errorf(growth.Invalid, "tasks.Callback", "the callback address cannot be called")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "AstroGrowth-Callback/1")
	if err := webhook.Sign(req.Header, secret, "msg_"+string(job.Job.ID), time.Now(), body); err != nil {
		return err
	}
	return w.deliver(job, req)
}

func (w CallbackWorker) deliver(job *Job[CallbackArgs], req *http.Request) error {
	const op = "tasks.Callback"
	resp, err := w.Client.Do(req) //nolint:gosec // G704: the client's dialer refuses private addresses, after the name is resolved
	if errors.Is(err, ErrPrivateAddress) {
		return &growth.Error{Code: growth.Forbidden, Op: op, Message: ErrPrivateAddress.Error()}
	}
	if err != nil {
		return &growth.Error{Code: growth.Unavailable, Op: op, Message: "the callback address did not answer", Err: err, RetryAfter: callbackPause(job.Job.Attempts)}
	}
	defer func() { _ = resp.Body.Close() }()
	answer := make([]byte, 2048)
	n, _ := resp.Body.Read(answer)
	status := resp.StatusCode
	switch {
	case status < 300, status == http.StatusConflict && strings.Contains(strings.ToLower(string(answer[:n])), "finished already"):
		return job.Complete(map[string]int{"status": status}, nil)
	case status == http.StatusGone:
		return growth.Errorf(growth.Refused, op, "the callback address says that it is gone (410)")
	case retryStatus(status):
		return &growth.Error{
			Code: growth.Unavailable, Op: op, Message: "the callback address answered " + strconv.Itoa(status),
			RetryAfter: max(callbackPause(job.Job.Attempts), retryAfter(resp.Header.Get("Retry-After"))),
		}
	}
	return growth.Errorf(growth.Refused, op, "the callback address turned the call down with %d", status)
}

func retryStatus(status int) bool {
	switch status {
	case http.StatusNotFound, http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return status >= 500
}

// callbackPause grows from 1 s to 4 h; the pauses between store.CallbackAttempts attempts last a little over 24 h. The
// first is short because n8n answers 409 while a run that asks for a callback has not yet reached its Wait node, which
// is a matter of a moment.
func callbackPause(attempt int) time.Duration {
	return min(time.Second<<min(max(attempt-1, 0), 20), 4*time.Hour)
}

func retryAfter(h string) time.Duration {
	if s, err := strconv.Atoi(h); err == nil && s > 0 {
		return min(time.Duration(s)*time.Second, 24*time.Hour)
	}
	if at, err := http.ParseTime(h); err == nil {
		return min(max(time.Until(at), 0), 24*time.Hour)
	}
	return 0
}
