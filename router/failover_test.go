package router_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
)

func TestFailoverGoesOnAfterWhatAnotherCanMend(t *testing.T) {
	t.Parallel()
	for _, code := range []growth.Code{
		growth.Internal, growth.TooLong, growth.KeyRejected, growth.Refused, growth.Throttled, growth.Exhausted,
		growth.Malformed, growth.Unavailable,
	} {
		t.Run(code.String(), func(t *testing.T) {
			t.Parallel()
			ch := newChain(t)
			ch.a.will(fails(code))
			got := ch.gets(t)
			if got.Text != "from b" || got.FallbackAttempts != 1 {
				t.Errorf("answer %q after %d", got.Text, got.FallbackAttempts)
			}
			if diff := cmp.Diff([]string{"a/1 failed " + code.String(), "b/1 answered"}, trail(got.Calls)); diff != "" {
				t.Errorf("walk (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFailoverStopsAtTheRequestsOwnFault(t *testing.T) {
	t.Parallel()
	for _, code := range []growth.Code{growth.Invalid, growth.TooLarge, growth.Canceled} {
		t.Run(code.String(), func(t *testing.T) {
			t.Parallel()
			ch := newChain(t)
			ch.a.will(fails(code))
			e := ch.refuses(t)
			if e.Fault.Code != code || len(ch.b.requests()) != 0 {
				t.Errorf("code %v, %d requests to b", e.Fault.Code, len(ch.b.requests()))
			}
			if diff := cmp.Diff([]string{"a/1 stopped " + code.String()}, trail(e.Calls)); diff != "" {
				t.Errorf("walk (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFailoverTakesTheNextSlugOfAModelThatIsGone(t *testing.T) {
	t.Parallel()
	ch := newChain(t)
	ch.a.will(func(ctx context.Context, req providers.Request) (providers.Response, error) {
		if req.Model == "1" {
			return fails(growth.ModelGone)(ctx, req)
		}
		return answered(req.Model, "from a"), nil
	})
	first := ch.gets(t)
	if diff := cmp.Diff([]string{"a/1 failed model_gone", "a/2 answered"}, trail(first.Calls)); diff != "" || first.FallbackAttempts != 0 {
		t.Errorf("fallbacks %d, walk (-want +got):\n%s", first.FallbackAttempts, diff)
	}
	if diff := cmp.Diff([]string{"a/2 answered"}, trail(ch.gets(t).Calls)); diff != "" {
		t.Errorf("the slug is still asked for (-want +got):\n%s", diff)
	}
	ch.a.served = []providers.Model{{ID: "1"}, {ID: "2"}}
	ch.a.will(says("back"))
	ch.LearnCatalogues(t.Context())
	if got := ch.gets(t); got.Model != "1" {
		t.Errorf("model = %s; want the first one, which is served again", got.Model)
	}
}

func TestFailoverSkipsWhatTheCatalogueDoesNotName(t *testing.T) {
	t.Parallel()
	ch := newChain(t)
	ch.a.served, ch.b.served = []providers.Model{{ID: "other"}}, []providers.Model{{ID: "2"}}
	ch.LearnCatalogues(t.Context())
	got := ch.gets(t)
	if diff := cmp.Diff([]string{"a/1 skipped model_gone", "b/2 answered"}, trail(got.Calls)); diff != "" {
		t.Errorf("walk (-want +got):\n%s", diff)
	}
	if slug, ok := ch.Resolve(ch.Routes()[growth.TaskSimple].Candidates[1]); !ok || slug != "2" {
		t.Errorf("b resolves to %s, %v", slug, ok)
	}
	if _, ok := ch.Resolve(ch.Routes()[growth.TaskSimple].Candidates[0]); ok {
		t.Error("a resolves although it serves none")
	}
}

// Two candidates in a row that are gone are both accounted for.
func TestFailoverNamesEveryCandidateThatIsGone(t *testing.T) {
	t.Parallel()
	ch := newChain(t)
	ch.a.will(fails(growth.ModelGone))
	ch.b.served = []providers.Model{{ID: "other"}}
	ch.a.served, ch.c.served = []providers.Model{{ID: "1"}, {ID: "2"}}, []providers.Model{{ID: "1"}}
	ch.LearnCatalogues(t.Context())
	want := []string{"a/1 failed model_gone", "a/2 failed model_gone", "b/1 skipped model_gone", "c/1 answered"}
	if diff := cmp.Diff(want, trail(ch.gets(t).Calls)); diff != "" {
		t.Errorf("walk (-want +got):\n%s", diff)
	}
}

func TestFailoverPassesByWhatIsNotConfigured(t *testing.T) {
	t.Parallel()
	ch := newChain(t)
	ch.a.off = true
	if diff := cmp.Diff([]string{"a/1 skipped not_configured", "b/1 answered"}, trail(ch.gets(t).Calls)); diff != "" {
		t.Errorf("walk (-want +got):\n%s", diff)
	}
}

// A narrower privacy class binds fallbacks too, and one that nobody knows lets nothing through.
func TestFailoverKeepsThePrivacyClass(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		class growth.PrivacyClass
		walk  []string
	}{
		{growth.PrivacyStandard, []string{"a/1 failed unavailable", "b/1 failed unavailable", "c/1 answered"}},
		{growth.PrivacyZeroRetention, []string{"a/1 skipped privacy", "b/1 failed unavailable", "c/1 answered"}},
		{growth.PrivacyLocalOnly, []string{"a/1 skipped privacy", "b/1 skipped privacy", "c/1 answered"}},
		{"secret", []string{"a/1 skipped privacy", "b/1 skipped privacy", "c/1 skipped privacy"}},
	} {
		t.Run(string(tc.class), func(t *testing.T) {
			t.Parallel()
			ch := newChain(t)
			ch.b.zeroed = true
			ch.a.will(fails(growth.Unavailable))
			ch.b.will(fails(growth.Unavailable))
			private := func(r *router.Request) { r.Privacy = tc.class }
			a, err := ch.Complete(t.Context(), ask(private))
			calls := a.Calls
			if e, ok := errors.AsType[*router.ChainError](err); ok {
				calls = e.Calls
			}
			if diff := cmp.Diff(tc.walk, trail(calls)); diff != "" {
				t.Errorf("walk (-want +got):\n%s", diff)
			}
			for _, req := range ch.b.requests() {
				if req.ZeroRetention != (tc.class == growth.PrivacyZeroRetention) {
					t.Errorf("asked for zero retention: %v", req.ZeroRetention)
				}
			}
		})
	}
}

func TestFailoverRespectsHowLongAProviderWantsToRest(t *testing.T) {
	t.Parallel()
	start := time.Now()
	now := start
	ch := newChain(t, func(c *router.Config) { c.Cooldowns.Now = func() time.Time { return now } })
	ch.a.will(inOrder(fails(growth.Throttled, after(time.Minute)), says("from a")))
	ch.gets(t)
	for _, step := range []struct {
		at   time.Duration
		want string
	}{
		{0, "a/1 skipped cooling_down"}, {59 * time.Second, "a/1 skipped cooling_down"}, {61 * time.Second, "a/1 answered"},
	} {
		now = start.Add(step.at)
		if got := trail(ch.gets(t).Calls)[0]; got != step.want {
			t.Errorf("after %v: %s; want %s", step.at, got, step.want)
		}
	}
}

func TestFailoverRestsTheModelOrTheAccount(t *testing.T) {
	t.Parallel()
	for code, want := range map[growth.Code]string{growth.Throttled: "a/2 answered", growth.Exhausted: "a/2 skipped cooling_down"} {
		t.Run(code.String(), func(t *testing.T) {
			t.Parallel()
			ch := newChain(t)
			ch.a.will(inOrder(fails(code, after(time.Minute)), says("from a")))
			ch.gets(t)
			a, err := ch.Complete(t.Context(), ask(func(r *router.Request) { r.Force = &growth.Call{Provider: "a", Model: "2"} }))
			calls := a.Calls
			if e, ok := errors.AsType[*router.ChainError](err); ok {
				calls = e.Calls
			}
			if got := trail(calls)[0]; got != want {
				t.Errorf("another model of the account: %s; want %s", got, want)
			}
		})
	}
}
