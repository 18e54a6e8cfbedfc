package tasks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
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

// CallbackArgs ask for one message to be delivered: a finished job to the address that its owner gave, or an event to a
// subscription.
type CallbackArgs struct {
	JobID      growth.JobID      `json:"job_id,omitempty"`
	URL        string            `json:"url,omitempty"`
	DeliveryID growth.DeliveryID `json:"delivery_id,omitempty"` // of a subscription; the others are empty then
}

// Type implements Args.
func (CallbackArgs) Type() growth.JobType { return growth.JobCallback }

// Validate implements Args.
func (a CallbackArgs) Validate() error { return nil }

const (
	callbackTimeout = 15 * time.Second
	callbackLife    = 24 * time.Hour // for so long a message is tried again
	callbackAnswer  = 4 << 10        // bytes of an answer that are read
)

// CallbackWorker delivers callbacks and events, signed as Standard Webhooks.
type CallbackWorker struct {
	Store  *store.Store
	Client *http.Client                                 // see CallbackClient
	Show   func(growth.Job) growth.Job                  // how the API shows a job: currency
	Open   func(envelope, owner string) ([]byte, error) // the secrets of subscriptions
	Pace   *Receivers                                   // nil: every receiver is called at once
}

// ErrPrivateAddress is why a callback to a private network is refused.
var ErrPrivateAddress = errors.New("the address lies in a private network that is not allowed by CALLBACK_ALLOW_HOSTS")

// CallbackClient makes the HTTP client of callbacks. It refuses private addresses unless the host is allowed by name,
// looking at the address that is really dialled, so that no answer of a name server leads around it. Redirects are not
// followed: a receiver that has moved must say so to whoever gave us its address.
func CallbackClient(allowHosts []string) *http.Client {
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		d := &net.Dialer{Timeout: 5 * time.Second}
		if !slices.Contains(allowHosts, host) && !slices.Contains(allowHosts, addr) {
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
		Timeout:       callbackTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{DialContext: dial, TLSHandshakeTimeout: 5 * time.Second, MaxIdleConns: 100, MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second},
	}
}

// CheckCallbackURL refuses what can be seen to be wrong before anything is dialled.
func CheckCallbackURL(raw string, allowHosts []string) error {
	return CheckURL("callback_url", raw, allowHosts)
}

// CheckURL is CheckCallbackURL for an address that is called otherwise where it was given.
func CheckURL(field, raw string, allowHosts []string) error {
	const op = "tasks.CheckURL"
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
	if slices.Contains(allowHosts, host) || slices.Contains(allowHosts, u.Host) {
		return nil
	}
	if addr, err := netip.ParseAddr(host); err == nil && webhook.Private(addr) || strings.EqualFold(host, "localhost") {
		return growth.InvalidField(op, field, "this address lies in a private network; its host must be named in CALLBACK_ALLOW_HOSTS")
	}
	return nil
}

// Work delivers once. The job's own retries are the message's.
func (w CallbackWorker) Work(ctx context.Context, job *Job[CallbackArgs]) error {
	if job.Args.DeliveryID != "" {
		return w.tellSubscription(ctx, job)
	}
	sc := w.Store.In(job.Job.Workspace)
	body, err := w.body(ctx, sc, job)
	if growth.CodeOf(err) == growth.NotFound && err != nil {
		return job.Complete(map[string]string{"outcome": "the job was deleted"}, nil)
	}
	if err != nil {
		return err
	}
	secrets, err := sc.CallbackSecrets(ctx)
	if err != nil {
		return err
	}
	status, err := w.deliver(ctx, job, parcel{url: job.Args.URL, id: "msg_" + string(job.Job.ID), secrets: secrets, body: body})
	if err == nil {
		return job.Complete(map[string]int{"status": status}, nil)
	}
	job.keep(stepBody, body)
	return err
}

// stepBody is where the bytes of a message are kept that has to be sent again.
const stepBody = "body"

// body is the message of a finished job: the same bytes at every attempt, whatever the job and the rates have become
// since.
func (w CallbackWorker) body(ctx context.Context, sc store.Scoped, job *Job[CallbackArgs]) (body []byte, err error) {
	if kept, ok := job.Steps[stepBody]; ok {
		return body, json.Unmarshal(kept, &body)
	}
	done, err := sc.Job(ctx, job.Args.JobID)
	if err != nil {
		return nil, err
	}
	body, err = json.Marshal(map[string]any{"type": "job.finished", "timestamp": job.Job.CreatedAt, "data": w.Show(done)})
	if err != nil {
		return nil, fmt.Errorf("encode callback: %w", err)
	}
	return body, nil
}

// parcel is one message and where it goes.
type parcel struct {
	url     string
	id      string // by which the receiver knows it when it comes again
	secrets [][]byte
	body    []byte
}

// deliver makes one attempt. status is 0 when there was no answer.
func (w CallbackWorker) deliver(ctx context.Context, job *Job[CallbackArgs], p parcel) (status int, err error) {
	const op = "tasks.Callback"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(p.body))
	if err != nil {
		return 0, growth.Errorf(growth.Invalid, op, "the callback address cannot be called")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "AstroGrowth-Callback/1")
	if err := webhook.Sign(req.Header, p.secrets, p.id, time.Now(), p.body); err != nil {
		return 0, err
	}
	leave, wait := w.Pace.enter(req.URL.Host, p.url)
	if wait > 0 && time.Since(job.Job.CreatedAt) < callbackLife {
		return 0, &WaitError{Reason: growth.WaitRateLimited, Until: time.Now().Add(wait), Err: growth.Errorf(growth.Throttled, op, "the receiver is slow or does not answer; its calls take turns")}
	}
	began := time.Now()
	resp, err := w.Client.Do(req)
	if errors.Is(err, ErrPrivateAddress) {
		leave(answered{took: time.Since(began)})
		return 0, &growth.Error{Code: growth.Forbidden, Op: op, Message: ErrPrivateAddress.Error()}
	}
	if err != nil {
		leave(answered{took: time.Since(began), bad: ctx.Err() == nil})
		return 0, w.again(job, &growth.Error{Code: growth.Unavailable, Op: op, Message: "the callback address did not answer", Err: unaddressed(err)})
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, callbackAnswer)) // what was read tells enough
	pause := retryAfter(resp.Header.Get("Retry-After"))
	leave(answered{took: time.Since(began), bad: inTrouble(resp.StatusCode), rest: pause})
	return resp.StatusCode, w.judge(job, resp.StatusCode, pause, string(text))
}

// inTrouble says whether a status speaks against the whole server, and not against one address of it.
func inTrouble(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

// unaddressed leaves the address out of an error of the HTTP client: it may hold a secret.
func unaddressed(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// judge says what an answer means.
func (w CallbackWorker) judge(job *Job[CallbackArgs], status int, pause time.Duration, text string) error {
	const op = "tasks.Callback"
	switch {
	case status < 300, status == http.StatusConflict && strings.Contains(strings.ToLower(text), "finished already"):
		return nil
	case status < 400:
		return growth.Errorf(growth.Refused, op, "the callback address answered with a redirect (%d), and redirects are not followed", status)
	case status == http.StatusGone:
		return growth.Errorf(growth.Refused, op, "the callback address says that it is gone (410)")
	case retryStatus(status):
		return w.again(job, &growth.Error{Code: growth.Unavailable, Op: op, Message: "the callback address answered " + strconv.Itoa(status), RetryAfter: pause})
	}
	return growth.Errorf(growth.Refused, op, "the callback address turned the call down with %d", status)
}

// again says when a message is sent next; once a day has passed it is not. What the receiver asks for goes before our
// own pause.
func (w CallbackWorker) again(job *Job[CallbackArgs], fault *growth.Error) error {
	left := callbackLife - time.Since(job.Job.CreatedAt)
	if left <= 0 {
		return growth.Errorf(growth.Refused, fault.Op, "%s, and a day has passed", fault.Message)
	}
	fault.RetryAfter = max(min(apart(callbackPause(job.Job.Attempts)), left), fault.RetryAfter)
	return fault
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

// apart makes a pause up to a fifth longer, so that messages that failed together come back apart.
func apart(d time.Duration) time.Duration {
	return d + rand.N(d/5+1) //nolint:gosec // spreading load needs no secrecy
}

func retryAfter(h string) time.Duration {
	if s, err := strconv.Atoi(h); err == nil && s > 0 {
		return time.Duration(min(s, 24*3600)) * time.Second
	}
	if at, err := http.ParseTime(h); err == nil {
		return min(max(time.Until(at), 0), 24*time.Hour)
	}
	return 0
}
