package router_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
)

// A privacy class binds a caller who forces a provider or a model too, and nothing is sent that it forbids.
func TestPrivacyClassBindsWhatIsForced(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		class growth.PrivacyClass
		force growth.Call
		want  string
	}{
		{growth.PrivacyLocalOnly, growth.Call{Provider: "a"}, "a/1 skipped privacy"},
		{growth.PrivacyLocalOnly, growth.Call{Provider: "b", Model: "9"}, "b/9 skipped privacy"},
		{growth.PrivacyLocalOnly, growth.Call{Model: "9"}, "a/9 skipped privacy"},
		{growth.PrivacyLocalOnly, growth.Call{Provider: "c"}, "c/1 answered"},
		{growth.PrivacyZeroRetention, growth.Call{Provider: "a", Model: "9"}, "a/9 skipped privacy"},
		{growth.PrivacyZeroRetention, growth.Call{Provider: "b"}, "b/1 answered"},
		{growth.PrivacyZeroRetention, growth.Call{Provider: "c"}, "c/1 answered"},
		{"nobody knows", growth.Call{Provider: "c"}, "c/1 skipped privacy"},
	} {
		t.Run(string(tc.class)+" "+tc.force.Provider+"/"+tc.force.Model, func(t *testing.T) {
			t.Parallel()
			ch := newChain(t)
			ch.b.zeroed = true
			a, err := ch.Complete(t.Context(), ask(func(r *router.Request) { r.Privacy, r.Force = tc.class, &tc.force }))
			calls := a.Calls
			if e, ok := errors.AsType[*router.ChainError](err); ok {
				calls = e.Calls
			}
			if diff := cmp.Diff([]string{tc.want}, trail(calls)); diff != "" {
				t.Errorf("walk (-want +got):\n%s", diff)
			}
			if err != nil && len(ch.a.requests())+len(ch.b.requests())+len(ch.c.requests()) > 0 {
				t.Error("a request was sent all the same")
			}
		})
	}
}

// The class binds the paid models and the successors of a family, and the second question after a fault, too.
func TestPrivacyClassBindsEveryStepOfAWalk(t *testing.T) {
	t.Parallel()
	ch := priced(t, router.PaidWhenFreeSpent)
	ch.b.zeroed = true
	ch.b.will(inOrder(says("no JSON"), says("no JSON"), fails(growth.ModelGone)))
	ch.c.will(fails(growth.Unavailable))
	e := ch.refuses(t, structured, func(r *router.Request) { r.Privacy = growth.PrivacyZeroRetention })
	want := []string{"b/1 failed malformed", "b/1 failed malformed", "c/1 failed unavailable", "a/2 skipped privacy", "b/2 failed model_gone"}
	if diff := cmp.Diff(want, trail(e.Calls)); diff != "" {
		t.Errorf("walk (-want +got):\n%s", diff)
	}
	for _, req := range ch.b.requests() {
		if !req.ZeroRetention {
			t.Errorf("a request without the promise was sent: %+v", req)
		}
	}
	if n := len(ch.a.requests()); n != 0 {
		t.Errorf("%d requests to a provider that promises nothing", n)
	}
}

// counts is an answer of so many tokens that was cut.
func counts(text string, tokens int, known bool) answerer {
	return func(_ context.Context, req providers.Request) (providers.Response, error) {
		r := answered(req.Model, text)
		r.FinishReason, r.Usage.CompletionTokens, r.UsageKnown = "length", tokens, known
		return r, nil
	}
}

// Free text that was cut where the request said is what was asked for; one that a host cut earlier is left for the next.
// What somebody checks is never given cut, nor asked for again.
func TestCutAnswer(t *testing.T) {
	t.Parallel()
	accept := func(r *router.Request) { r.Accept = func(string) error { return nil } }
	for _, tc := range []struct {
		name   string
		answer answerer
		change func(*router.Request)
		want   []string
	}{
		{"at the route's limit", counts("half", 100, true), func(*router.Request) {}, []string{"a/1 answered"}},
		{"at the caller's limit", counts("half", 3, true), func(r *router.Request) { r.Sampling.MaxTokens = 3 }, []string{"a/1 answered"}},
		{"before the limit", counts("half", 60, true), func(*router.Request) {}, []string{"a/1 failed malformed", "b/1 answered"}},
		{"nobody counted", counts("half", 0, false), func(*router.Request) {}, []string{"a/1 failed malformed", "b/1 answered"}},
		{"checked by the caller", counts("half", 100, true), accept, []string{"a/1 failed malformed", "b/1 answered"}},
		{"checked by a schema", counts(`{"n":4}`, 100, true), structured, []string{"a/1 failed malformed", "b/1 answered"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			ch := newChain(t)
			ch.a.will(tc.answer)
			ch.b.will(says(`{"n":9}`))
			got := ch.gets(t, tc.change)
			if diff := cmp.Diff(tc.want, trail(got.Calls)); diff != "" {
				t.Errorf("walk (-want +got):\n%s", diff)
			}
			if whole := got.Provider == "b"; whole == (got.FinishReason == "length") {
				t.Errorf("finish reason = %s", got.FinishReason)
			}
		})
	}
}

// Quota, policy and the request's own faults count against no breaker, whatever scope a client gives them.
func TestFaultsThatHarmNoBreaker(t *testing.T) {
	t.Parallel()
	for _, code := range []growth.Code{
		growth.Invalid, growth.TooLarge, growth.TooLong, growth.Refused, growth.Throttled, growth.Exhausted, growth.ModelGone, growth.Canceled, growth.Internal,
	} {
		for _, s := range []growth.FaultScope{growth.ScopeNone, growth.ScopeModel, growth.ScopeProvider} {
			ch := newChain(t)
			ch.a.will(fails(code, scope(s)))
			_, _ = ch.Complete(t.Context(), ask()) // it may answer or end
			for name, st := range ch.Breakers().Status() {
				if st.Failures > 0 {
					t.Errorf("%v, scope %d: %d failures of %s", code, s, st.Failures, name)
				}
			}
		}
	}
}

// Every answer and every refusal names its walk, and so does each row of it.
func TestWalkIsNamed(t *testing.T) {
	t.Parallel()
	ch := newChain(t)
	ch.a.will(fails(growth.Unavailable))
	got := ch.gets(t)
	for _, f := range []*fake{ch.b, ch.c} {
		f.will(fails(growth.Unavailable))
	}
	end := ch.refuses(t)
	if got.Walk == "" || end.Walk == "" || got.Walk == end.Walk {
		t.Errorf("walks %q and %q", got.Walk, end.Walk)
	}
	names := map[growth.WalkID]int{}
	for _, c := range append(append([]growth.Call{}, ch.book.started...), ch.book.rows()...) {
		names[c.WalkID]++
	}
	if len(names) != 2 || names[got.Walk] != 4 || names[end.Walk] != 6 {
		t.Errorf("rows by walk = %v", names)
	}
}
