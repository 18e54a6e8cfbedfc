package tasks_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/webhook"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

// receiver is somebody's web server that callbacks go to.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	calls  []call
	answer func(n int, w http.ResponseWriter)
}

type call struct {
	Method string
	Path   string
	Header http.Header
	Body   []byte
}

func newReceiver(t *testing.T, answer func(n int, w http.ResponseWriter)) *receiver {
	t.Helper()
	r := &receiver{answer: answer}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		r.calls = append(r.calls, call{req.Method, req.URL.RequestURI(), req.Header, body})
		n := len(r.calls)
		r.mu.Unlock()
		r.answer(n, w)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) got() []call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]call(nil), r.calls...)
}

func status(code int) func(int, http.ResponseWriter) {
	return func(_ int, w http.ResponseWriter) { w.WriteHeader(code) }
}

// calls makes a plant that delivers callbacks to the hosts allowed, and a finished job that asks for one.
func (p *plant) calls(t *testing.T, address string, hosts ...string) growth.Job {
	t.Helper()
	client := tasks.CallbackClient(hosts)
	t.Cleanup(client.CloseIdleConnections)
	tasks.AddWorker(p.runner, tasks.CallbackWorker{Store: p.s, Client: client, Show: func(j growth.Job) growth.Job { return j }})
	p.relays().serves(growth.JobCallback)
	return p.finishes(address)
}

// finishes ends a job that wants a callback, and gives the callback's own job.
func (p *plant) finishes(address string) growth.Job {
	p.t.Helper()
	id := p.enqueue(chore{}, growth.JobOptions{CallbackURL: address, Metadata: json.RawMessage(`{"ref":7}`)})
	c, ok, err := p.s.Claim(p.t.Context(), id, 0, "test", time.Minute)
	if err != nil || !ok {
		p.t.Fatal(ok, err)
	}
	p.must(p.s.Finish(p.t.Context(), c.Job, c.Fence, store.Outcome{State: growth.JobSucceeded, Result: json.RawMessage(`{"score":80}`)}))
	p.queue.Wake()
	return p.callback()
}

// callback gives the newest callback job.
func (p *plant) callback() growth.Job {
	p.t.Helper()
	list, err := p.sc.Jobs(p.t.Context(), store.JobFilter{Type: growth.JobCallback}, store.Page{Limit: 1})
	p.must(err)
	return list[0]
}

func TestCallbackIsSignedAndWhole(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, status(http.StatusNoContent))
	p := newPlant(t)
	cb := p.calls(t, r.URL+"/hook?a=%2Fb&c", "127.0.0.1")
	p.becomes(cb.ID, growth.JobSucceeded)
	got := r.got()
	if len(got) != 1 || got[0].Method != http.MethodPost || got[0].Path != "/hook?a=%2Fb&c" {
		t.Fatalf("calls = %+v; want one POST to the address as it was given", got)
	}
	secret, err := p.sc.CallbackSecret(t.Context())
	p.must(err)
	verifier, err := standardwebhooks.NewWebhook(webhook.Secret(secret))
	p.must(err)
	if err := verifier.Verify(got[0].Body, got[0].Header); err != nil {
		t.Errorf("signature: %v", err)
	}
	var body struct {
		Type      string    `json:"type"`
		Timestamp time.Time `json:"timestamp"`
		Data      struct {
			State    growth.JobState `json:"state"`
			Result   map[string]int  `json:"result"`
			Metadata map[string]int  `json:"metadata"`
		} `json:"data"`
	}
	p.must(json.Unmarshal(got[0].Body, &body))
	if body.Type != "job.finished" || body.Data.State != growth.JobSucceeded || body.Data.Result["score"] != 80 || body.Data.Metadata["ref"] != 7 || body.Timestamp.IsZero() {
		t.Errorf("body = %s", got[0].Body)
	}
}

// Receivers tell a repeated message from a new one by its id.
func TestEachCallbackHasAnIdOfItsOwn(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, status(http.StatusOK))
	p := newPlant(t)
	first := p.calls(t, r.URL, "127.0.0.1")
	p.becomes(first.ID, growth.JobSucceeded)
	var of struct {
		JobID growth.JobID `json:"job_id"`
	}
	p.must(json.Unmarshal(first.Input, &of))
	p.exec(`UPDATE jobs SET state = 'failed' WHERE id = $1`, of.JobID)
	p.must(p.sc.RetryJob(t.Context(), of.JobID))
	c, ok, err := p.s.Claim(t.Context(), of.JobID, 1, "test", time.Minute)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	p.must(p.s.Finish(t.Context(), c.Job, c.Fence, store.Outcome{State: growth.JobSucceeded}))
	p.queue.Wake()
	p.becomes(p.callback().ID, growth.JobSucceeded)
	got := r.got()
	if len(got) != 2 || got[0].Header.Get("Webhook-Id") == got[1].Header.Get("Webhook-Id") {
		t.Errorf("%d calls, ids %q %q; want two ids", len(got), got[0].Header.Get("Webhook-Id"), got[len(got)-1].Header.Get("Webhook-Id"))
	}
}

func TestCallbackIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		answer func(n int, w http.ResponseWriter)
		min    time.Duration // what the receiver asks for
	}{
		{"server error", status(500), 0},
		{"not found yet", status(404), 0},
		{"timeout", status(408), 0},
		{"conflict", status(409), 0},
		{"too early", status(425), 0},
		{"too many, in seconds", func(_ int, w http.ResponseWriter) { w.Header().Set("Retry-After", "40"); w.WriteHeader(429) }, 38 * time.Second},
		{"unavailable, as a date", func(_ int, w http.ResponseWriter) {
			w.Header().Set("Retry-After", time.Now().Add(10*time.Minute).UTC().Format(http.TimeFormat))
			w.WriteHeader(503)
		}, 9 * time.Minute},
		{"connection cut", func(_ int, w http.ResponseWriter) {
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_ = conn.Close()
			}
		}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t, tc.answer)
			p := newPlant(t)
			cb := p.calls(t, r.URL+"/secret-path", "127.0.0.1")
			j := p.becomes(cb.ID, growth.JobRetrying)
			if d := time.Until(j.RunAt); tc.min > 0 && d < tc.min || j.Error == nil || !j.Error.Retryable {
				t.Errorf("again in %v, error %+v; want at least %v", d, j.Error, tc.min)
			}
			if j.Error != nil && strings.Contains(j.Error.Message, "secret-path") {
				t.Errorf("the error names the address: %s", j.Error.Message)
			}
		})
	}
}

func TestCallbackArrivesAfterAFailure(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, func(n int, w http.ResponseWriter) {
		if n == 1 {
			w.WriteHeader(500)
		}
	})
	p := newPlant(t)
	cb := p.calls(t, r.URL, "127.0.0.1")
	p.becomes(cb.ID, growth.JobRetrying)
	eventually(t, "asynq holds it", func() bool { return len(p.inRetry("callbacks")) == 1 })
	p.must(p.inspect.RunTask("callbacks", string(cb.ID)))
	p.becomes(cb.ID, growth.JobSucceeded)
	if got := r.got(); len(got) != 2 || got[0].Header.Get("Webhook-Id") != got[1].Header.Get("Webhook-Id") {
		t.Errorf("%d calls; want the same message twice", len(got))
	}
}

func TestCallbackEnds(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		answer func(int, http.ResponseWriter)
		want   growth.JobState
		code   growth.Code
	}{
		{"gone", status(410), growth.JobFailed, growth.Refused},
		{"turned down", status(400), growth.JobFailed, growth.Refused},
		{"forbidden", status(403), growth.JobFailed, growth.Refused},
		{"redirect", func(_ int, w http.ResponseWriter) { w.Header().Set("Location", "/other"); w.WriteHeader(302) }, growth.JobFailed, growth.Refused},
		{"finished already", func(_ int, w http.ResponseWriter) {
			w.WriteHeader(409)
			_, _ = io.WriteString(w, `{"message":"The execution \"7\" has Finished already."}`)
		}, growth.JobSucceeded, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t, tc.answer)
			p := newPlant(t)
			j := p.becomes(p.calls(t, r.URL, "127.0.0.1").ID, tc.want)
			if tc.want == growth.JobFailed && j.Error.Code != tc.code {
				t.Errorf("error = %+v", j.Error)
			}
			for _, c := range r.got() {
				if c.Method != http.MethodPost {
					t.Errorf("a %s was sent to %s", c.Method, c.Path)
				}
			}
		})
	}
}

func TestCallbackNeverReachesAPrivateNetwork(t *testing.T) {
	t.Parallel()
	t.Run("address", func(t *testing.T) {
		t.Parallel()
		r := newReceiver(t, status(200))
		p := newPlant(t)
		if j := p.becomes(p.calls(t, r.URL).ID, growth.JobFailed); j.Error.Code != growth.Forbidden || len(r.got()) != 0 {
			t.Errorf("error %+v, %d calls", j.Error, len(r.got()))
		}
	})
	t.Run("name", func(t *testing.T) {
		t.Parallel()
		r := newReceiver(t, status(200))
		u, err := url.Parse(r.URL)
		if err != nil {
			t.Fatal(err)
		}
		p := newPlant(t)
		if j := p.becomes(p.calls(t, "http://localhost:"+u.Port()).ID, growth.JobFailed); j.Error.Code != growth.Forbidden || len(r.got()) != 0 {
			t.Errorf("error %+v, %d calls", j.Error, len(r.got()))
		}
	})
	t.Run("redirect", func(t *testing.T) {
		t.Parallel()
		private := newReceiver(t, status(200))
		u, err := url.Parse(private.URL)
		if err != nil {
			t.Fatal(err)
		}
		r := newReceiver(t, func(_ int, w http.ResponseWriter) {
			w.Header().Set("Location", "http://localhost:"+u.Port()+"/")
			w.WriteHeader(307)
		})
		p := newPlant(t)
		p.becomes(p.calls(t, r.URL, "127.0.0.1").ID, growth.JobFailed)
		if n := len(private.got()); n != 0 {
			t.Errorf("%d calls reached the private address", n)
		}
	})
}

func TestCallbackOfADeletedJobEnds(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, status(200))
	p := newPlant(t)
	id := p.enqueue(tasks.CallbackArgs{JobID: growth.JobID(growth.NewID()), URL: r.URL}, growth.JobOptions{})
	p.calls(t, r.URL, "127.0.0.1")
	p.becomes(id, growth.JobSucceeded)
}

func TestCheckCallbackURL(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{
		"":                              true,
		"https://example.com/hook":      true,
		"http://example.com:8080/":      true,
		"http://n8n:5678/webhook/x":     true, // a name; what it resolves to is checked when it is dialled
		"http://10.1.2.3/":              true, // named in the list below
		"ftp://example.com/":            false,
		"example.com/hook":              false,
		"https://user:pw@example.com/":  false,
		"http://127.0.0.1/":             false,
		"http://[::1]/":                 false,
		"http://LOCALHOST:3000/":        false,
		"http://169.254.169.254/latest": false,
		"http://192.168.0.1/":           false,
		"http://[::ffff:10.0.0.1]/":     false,
		"https://example.com/" + strings.Repeat("x", 2000): false,
	} {
		if err := tasks.CheckCallbackURL(address, []string{"10.1.2.3"}); (err == nil) != ok {
			t.Errorf("%.40s: %v; want it accepted: %v", address, err, ok)
		}
	}
}
