package router_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
)

// questions are n requests that can be told apart.
func questions(n int) []router.Request {
	out := make([]router.Request, n)
	for i := range out {
		out[i] = ask(func(r *router.Request) { r.Messages = []growth.Message{{Role: "user", Content: fmt.Sprint(i)}} })
	}
	return out
}

func TestBatchKeepsItsOrderAndItsLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		ch := newChain(t)
		ch.a.will(func(_ context.Context, req providers.Request) (providers.Response, error) {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			time.Sleep(time.Second)
			return answered(req.Model, "re: "+req.Messages[0].Content), nil
		})
		began := time.Now()
		out := ch.CompleteBatch(t.Context(), questions(20), 4)
		if took := time.Since(began); took != 5*time.Second || most.Load() != 4 {
			t.Errorf("took %v with %d at a time; want 5 s with 4", took, most.Load())
		}
		for i, r := range out {
			if want := fmt.Sprint("re: ", i); r.Err != nil || r.Answer.Text != want {
				t.Errorf("result %d: %q, %v", i, r.Answer.Text, r.Err)
			}
		}
	})
}

func TestBatchGivesEachRequestItsOwnError(t *testing.T) {
	t.Parallel()
	ch := newChain(t)
	ch.a.will(func(_ context.Context, req providers.Request) (providers.Response, error) {
		if req.Messages[0].Content == "2" {
			panic("hunter2")
		}
		return answered(req.Model, "fine"), nil
	})
	reqs := questions(4)
	reqs[1].Task = "poem"
	out := ch.CompleteBatch(t.Context(), reqs, 0)
	for i, want := range []growth.Code{0, growth.Invalid, growth.Internal, 0} {
		if failed := i == 1 || i == 2; (out[i].Err != nil) != failed || failed && growth.CodeOf(out[i].Err) != want {
			t.Errorf("result %d: %+v", i, out[i])
		}
	}
}

func TestBatchHasABound(t *testing.T) {
	t.Parallel()
	ch := newChain(t)
	for _, r := range ch.CompleteBatch(t.Context(), questions(router.MaxBatch+1), 5) {
		if growth.CodeOf(r.Err) != growth.Invalid {
			t.Fatalf("result = %+v", r)
		}
	}
	if n := len(ch.a.requests()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
	if out := ch.CompleteBatch(t.Context(), nil, 5); len(out) != 0 {
		t.Errorf("results = %+v", out)
	}
}
