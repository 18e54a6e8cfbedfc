package router_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
)

func TestErrorHandlingOfRequestsThatCannotBeMade(t *testing.T) {
	t.Parallel()
	ch := newChain(t)
	for name, change := range map[string]func(*router.Request){
		"unknown task": func(r *router.Request) { r.Task = "poetry" },
		"no messages":  func(r *router.Request) { r.Messages = nil },
	} {
		if _, err := ch.Complete(t.Context(), ask(change)); growth.CodeOf(err) != growth.Invalid || err == nil {
			t.Errorf("%s: %v; want invalid", name, err)
		}
	}
	if n := len(ch.a.requests()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// Why a chain ended decides what the queue does next: retry, wait, or give up.
func TestErrorHandlingWhenNobodyAnswers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		a, b, c answerer
		code    growth.Code
		reason  growth.WaitReason
		min     time.Duration // of RetryAfter
		max     time.Duration
	}{
		{"all down", fails(growth.Unavailable), fails(growth.Unavailable), fails(growth.Unavailable), growth.Unavailable, "", 0, 0},
		{"all refuse", fails(growth.Refused), fails(growth.Refused), fails(growth.Refused), growth.Refused, "", 0, 0},
		{"too long for all", fails(growth.TooLong), fails(growth.TooLong), fails(growth.TooLong), growth.TooLong, "", 0, 0},
		{"refused and down", fails(growth.Refused), fails(growth.Unavailable), fails(growth.Refused), growth.Unavailable, "", 0, 0},
		{
			"all throttled: the soonest counts", fails(growth.Throttled, after(time.Hour)), fails(growth.Throttled, after(time.Minute)),
			fails(growth.Throttled, after(2*time.Hour)), growth.Unavailable, growth.WaitRateLimited, 50 * time.Second, time.Minute,
		},
		{
			"all exhausted", fails(growth.Exhausted, after(time.Hour)), fails(growth.Exhausted, after(time.Hour)), fails(growth.Exhausted, after(time.Hour)),
			growth.Unavailable, growth.WaitQuota, 59 * time.Minute, time.Hour,
		},
		{
			"one throttled, two down: an attempt is used up", fails(growth.Throttled, after(time.Minute)), fails(growth.Unavailable), fails(growth.Unavailable),
			growth.Unavailable, "", 50 * time.Second, time.Minute,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			ch := newChain(t)
			ch.a.will(tc.a)
			ch.b.will(tc.b)
			ch.c.will(tc.c)
			e := ch.refuses(t)
			if e.Fault.Code != tc.code || e.Reason != tc.reason {
				t.Errorf("code %v, reason %q; want %v, %q", e.Fault.Code, e.Reason, tc.code, tc.reason)
			}
			if d := e.Fault.RetryAfter; d < tc.min || d > tc.max {
				t.Errorf("retry after %v; want %v to %v", d, tc.min, tc.max)
			}
			if len(e.Calls) != 3 {
				t.Errorf("%d calls; want every candidate", len(e.Calls))
			}
		})
	}
}

func TestErrorHandlingWhenNothingIsConfigured(t *testing.T) {
	t.Parallel()
	ch := newChain(t)
	ch.a.off, ch.b.off, ch.c.off = true, true, true
	if e := ch.refuses(t); !strings.Contains(e.Error(), "configured") || e.Reason != "" {
		t.Errorf("error = %v, reason %q", e, e.Reason)
	}
}

func TestErrorHandlingTellsNoSecret(t *testing.T) {
	t.Parallel()
	ch := newChain(t)
	for _, f := range []*fake{ch.a, ch.b, ch.c} {
		f.will(fails(growth.Unavailable))
	}
	e := ch.refuses(t)
	text := e.Fault.Message
	for _, c := range append(e.Calls, ch.book.rows()...) {
		text += c.Detail + c.Code
	}
	if strings.Contains(text, "hunter2") {
		t.Errorf("what is shown holds the cause's own text: %s", text)
	}
}

// hangs answers when the context ends, as a provider does.
func hangs(ctx context.Context, _ providers.Request) (providers.Response, error) {
	<-ctx.Done()
	if errors.Is(ctx.Err(), context.Canceled) {
		return providers.Response{}, &growth.Error{Code: growth.Canceled, Err: ctx.Err()}
	}
	return providers.Response{}, &growth.Error{Code: growth.Unavailable, Scope: growth.ScopeModel, Err: ctx.Err()}
}

func TestErrorHandlingOfASlowCandidate(t *testing.T) {
	t.Parallel()
	ch := newChain(t, func(c *router.Config) {
		r := c.Routes[growth.TaskSimple]
		r.CallTimeout = 50 * time.Millisecond
		c.Routes[growth.TaskSimple] = r
	})
	ch.a.will(hangs)
	if got := ch.gets(t); got.Text != "from b" || got.Calls[0].Code != "unavailable" {
		t.Errorf("answer %q, first call %+v", got.Text, got.Calls[0])
	}
}

func TestErrorHandlingOfADeadline(t *testing.T) {
	t.Parallel()
	ch := newChain(t)
	for _, f := range []*fake{ch.a, ch.b, ch.c} {
		f.will(hangs)
	}
	began := time.Now()
	e := ch.refuses(t, func(r *router.Request) { r.Timeout = 50 * time.Millisecond })
	if e.Fault.Code != growth.Unavailable || !strings.Contains(e.Error(), "deadline") || time.Since(began) > 3*time.Second {
		t.Errorf("error = %v after %v", e, time.Since(began))
	}
	if n := len(ch.b.requests()); n != 0 {
		t.Errorf("%d requests after the deadline", n)
	}
}

func TestErrorHandlingOfACallerWhoLeaves(t *testing.T) {
	t.Parallel()
	ch := newChain(t)
	ctx, leave := context.WithCancel(t.Context())
	ch.a.will(func(ctx context.Context, req providers.Request) (providers.Response, error) {
		leave()
		return hangs(ctx, req)
	})
	_, err := ch.Complete(ctx, ask())
	if growth.CodeOf(err) != growth.Canceled || len(ch.b.requests()) != 0 {
		t.Errorf("error = %v, %d requests to b", err, len(ch.b.requests()))
	}
	if got := ch.Breakers().Status()["a/1"]; got.Failures != 0 {
		t.Errorf("the caller's leaving counts %d times against the model", got.Failures)
	}
}

// A call that cannot be written down is not made.
func TestErrorHandlingOfALedgerThatIsDown(t *testing.T) {
	t.Parallel()
	ch := newChain(t)
	ch.book.down = growth.Errorf(growth.Unavailable, "ledger", "down")
	if e := ch.refuses(t); e.Fault.Code != growth.Unavailable {
		t.Errorf("error = %v", e)
	}
	if n := len(ch.a.requests()) + len(ch.b.requests()) + len(ch.c.requests()); n != 0 {
		t.Errorf("%d requests were sent without a row", n)
	}
	if got := ch.Breakers().Status()["a/1"]; got.Failures != 0 {
		t.Errorf("our own ledger counts %d times against the model", got.Failures)
	}
}

// unwritable is a ledger whose database is down.
type unwritable struct{ router.Ledger }

func (unwritable) Start(context.Context, growth.Call) error {
	return growth.Errorf(growth.Unavailable, "test", "the database cannot be reached")
}

func TestErrorHandlingWhenNothingCanBeWrittenDown(t *testing.T) {
	t.Parallel()
	ch := newChain(t)
	req := ask()
	req.Ledger = unwritable{ch.book}
	_, err := ch.Complete(t.Context(), req)
	if growth.CodeOf(err) != growth.Unavailable {
		t.Errorf("err = %v, want the ledger's own fault", err)
	}
	if n := len(ch.a.requests()) + len(ch.b.requests()) + len(ch.c.requests()); n != 0 {
		t.Errorf("%d requests were sent that nobody wrote down", n)
	}
}
