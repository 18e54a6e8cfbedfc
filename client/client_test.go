package client_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/client"
)

func TestJobIsTheSameUnderItsKey(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	ctx := t.Context()
	q := client.Qualification{Lead: &growth.Lead{BusinessName: "Chez A", City: "Laval"}, IdempotencyKey: "k"}
	first, err := srv.client.QualifyLead(ctx, q)
	must(t, err)
	again, err := srv.client.QualifyLead(ctx, q)
	must(t, err)
	if first.ID == "" || first.ID != again.ID {
		t.Errorf("jobs %q and %q", first.ID, again.ID)
	}
	q.Language = "en-CA"
	_, err = srv.client.QualifyLead(ctx, q)
	if p, ok := errors.AsType[*client.Problem](err); !ok || p.Status != http.StatusUnprocessableEntity {
		t.Errorf("another request under the key: %v", err)
	}
	if _, err := srv.client.Job(ctx, growth.JobID(growth.NewID())); !client.IsNotFound(err) {
		t.Errorf("a job that is none: %v", err)
	}
	seen := 0
	for j, err := range srv.client.Jobs(ctx, client.JobFilter{Type: growth.JobLeadQualification}) {
		must(t, err)
		if j.ID == first.ID {
			seen++
		}
	}
	if seen != 1 {
		t.Errorf("the list has the job %d times", seen)
	}
}

func TestJobIsCanceledAndTriedAgain(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	later := time.Now().Add(time.Hour)
	job, err := srv.client.WriteContent(t.Context(), client.ContentRequest{Topic: "x", JobOptions: growth.JobOptions{RunAt: &later}})
	must(t, err)
	job, err = srv.client.Cancel(t.Context(), job.ID)
	must(t, err)
	if ended, err := srv.client.Wait(t.Context(), job.ID); err != nil || ended.State != growth.JobCanceled {
		t.Errorf("canceled = %s, %v", ended.State, err)
	}
	again, err := srv.client.Retry(t.Context(), job.ID)
	if err != nil || again.State.Final() {
		t.Errorf("again = %s, %v", again.State, err)
	}
}

func TestChainAnswersWithoutAJob(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	got, err := srv.client.Complete(t.Context(), client.Prompt{Task: growth.TaskSimple, Messages: []client.Message{{Role: "user", Content: "What is 2+2? Just answer with the number."}}})
	must(t, err)
	if got.Content != "4" || got.Provider != "openrouter" || !got.Simulated {
		t.Errorf("answer = %+v", got)
	}
	if me, err := srv.client.Me(t.Context()); err != nil || me.Workspace != "default" || !me.Simulated {
		t.Errorf("me = %+v, %v", me, err)
	}
}

// A connection that breaks after each event costs none of them, and none comes twice.
func TestEventsGoOnWhereTheyWereCut(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	target, err := url.Parse(srv.web.URL)
	must(t, err)
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.FlushInterval = -1
	var connections atomic.Int32
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/events" {
			proxy.ServeHTTP(w, r)
			return
		}
		connections.Add(1)
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		proxy.ServeHTTP(&cutter{ResponseWriter: w, cut: cancel}, r.WithContext(ctx))
	}))
	t.Cleanup(cut.Close)
	t.Cleanup(cut.CloseClientConnections)
	c := client.New(client.Config{URL: cut.URL})
	want := map[growth.JobID]bool{}
	later := time.Now().Add(time.Hour) // a job that runs already can be done before it is canceled
	for range 3 {
		job, err := c.WriteContent(t.Context(), client.ContentRequest{Topic: "x", JobOptions: growth.JobOptions{RunAt: &later}})
		must(t, err)
		_, err = c.Cancel(t.Context(), job.ID)
		must(t, err)
		want[job.ID] = true
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	got := map[growth.JobID]int{}
	for e, err := range c.Events(ctx, client.EventFilter{After: "0-0", Types: []string{"job.canceled"}}) {
		must(t, err)
		got[e.JobID]++
		if len(got) == len(want) {
			break
		}
	}
	for id, n := range got {
		if !want[id] || n != 1 {
			t.Errorf("job %s came %d times", id, n)
		}
	}
	if connections.Load() < 3 {
		t.Errorf("%d connections: nothing was cut", connections.Load())
	}
}

// cutter breaks a stream behind its first event: nothing that was on its way already gets past it.
type cutter struct {
	http.ResponseWriter

	cut    context.CancelFunc
	passed []byte
	done   bool
}

func (c *cutter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *cutter) Write(p []byte) (int, error) {
	if c.done {
		return 0, io.ErrClosedPipe
	}
	before := len(c.passed)
	c.passed = append(c.passed, p...)
	end := len(c.passed)
	if at := bytes.Index(c.passed, []byte("data: ")); at >= 0 {
		if n := bytes.Index(c.passed[at:], []byte("\n\n")); n >= 0 {
			end, c.done = at+n+2, true
		}
	}
	if _, err := c.ResponseWriter.Write(c.passed[before:end]); err != nil || !c.done {
		return len(p), err
	}
	err := http.NewResponseController(c.ResponseWriter).Flush()
	c.cut()
	return len(p), err
}

func TestEventsEndWithARefusal(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	for _, err := range srv.client.Events(t.Context(), client.EventFilter{After: "nonsense"}) {
		if p, ok := errors.AsType[*client.Problem](err); !ok || p.Status != http.StatusUnprocessableEntity {
			t.Errorf("refusal = %v", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range srv.client.Events(ctx, client.EventFilter{}) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("after the caller left: %v", err)
		}
	}
}

// A page of something else is no problem document.
func TestStrangersAreToldByTheirStatus(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		http.Error(w, "<html>", http.StatusBadGateway)
	}))
	t.Cleanup(web.Close)
	_, err := client.New(client.Config{URL: web.URL}).Me(t.Context())
	if p, ok := errors.AsType[*client.Problem](err); !ok || p.Status != 502 || p.RetryAfter != 7*time.Second || p.Message == "" {
		t.Errorf("err = %v", err)
	}
}
