package router_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
)

// priced is a chain by whose lists a/1, b/1 and c/1 are free and the others are not; b has a paid successor beside.
func priced(t *testing.T, rule router.PaidRule) *chain {
	t.Helper()
	ch := newChain(t, func(c *router.Config) {
		for task, r := range c.Routes {
			r.Paid = rule
			r.Candidates = []router.Candidate{
				{Family: "paid a", Provider: "a", Slugs: []string{"2"}},
				{Family: "free b", Provider: "b", Slugs: []string{"1"}, Paid: []string{"2"}},
				{Family: "free c", Provider: "c", Slugs: []string{"1"}},
			}
			c.Routes[task] = r
		}
	})
	dear := providers.Price{Prompt: decimal.NewFromInt(1), Completion: decimal.NewFromInt(2)}
	for _, f := range []*fake{ch.a, ch.b, ch.c} {
		f.served = []providers.Model{{ID: "1", PriceKnown: true}, {ID: "2", PriceKnown: true, Price: dear}}
	}
	ch.LearnCatalogues(t.Context())
	return ch
}

func TestPaidModelsAsTheRouteAllows(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		rule router.PaidRule
		walk []string // when nobody answers
	}{
		{"", []string{"a/2 failed unavailable", "b/1 failed unavailable", "c/1 failed unavailable"}},
		{router.PaidAllow, []string{"a/2 failed unavailable", "b/1 failed unavailable", "c/1 failed unavailable"}},
		{router.PaidDeny, []string{"a/2 skipped paid_denied", "b/1 failed unavailable", "c/1 failed unavailable"}},
		{router.PaidWhenFreeSpent, []string{"b/1 failed unavailable", "c/1 failed unavailable", "a/2 failed unavailable", "b/2 failed unavailable"}},
	} {
		t.Run(string(tc.rule), func(t *testing.T) {
			t.Parallel()
			ch := priced(t, tc.rule)
			for _, f := range []*fake{ch.a, ch.b, ch.c} {
				f.will(fails(growth.Unavailable))
			}
			if diff := cmp.Diff(tc.walk, trail(ch.refuses(t).Calls)); diff != "" {
				t.Errorf("walk (-want +got):\n%s", diff)
			}
		})
	}
}

// A paid successor takes the place of free models that are gone only where the route allows it.
func TestPaidSuccessorOfAFamilyThatIsGone(t *testing.T) {
	t.Parallel()
	for rule, want := range map[router.PaidRule][]string{
		router.PaidAllow:         {"a/2 failed unavailable", "b/1 failed model_gone", "b/2 answered"},
		router.PaidDeny:          {"a/2 skipped paid_denied", "b/1 failed model_gone", "c/1 answered"},
		router.PaidWhenFreeSpent: {"b/1 failed model_gone", "c/1 answered"},
	} {
		t.Run(string(rule), func(t *testing.T) {
			t.Parallel()
			ch := priced(t, rule)
			ch.a.will(fails(growth.Unavailable))
			ch.b.will(inOrder(fails(growth.ModelGone), says("from b")))
			got := ch.gets(t)
			if diff := cmp.Diff(want, trail(got.Calls)); diff != "" {
				t.Errorf("walk (-want +got):\n%s", diff)
			}
			if last := got.Calls[len(got.Calls)-1]; rule == router.PaidAllow && last.Detail != "in place of 1 (gone)" {
				t.Errorf("detail = %q; want what it stands for", last.Detail)
			}
		})
	}
}

// What nobody knows to be free is taken for paid, and a caller who forces a model is bound by the route all the same.
func TestPaidDenyFailsClosed(t *testing.T) {
	t.Parallel()
	ch := newChain(t, func(c *router.Config) {
		r := c.Routes[growth.TaskSimple]
		r.Paid = router.PaidDeny
		c.Routes[growth.TaskSimple] = r
	})
	want := []string{"a/1 skipped paid_denied", "b/1 skipped paid_denied", "c/1 skipped paid_denied"}
	if diff := cmp.Diff(want, trail(ch.refuses(t).Calls)); diff != "" {
		t.Errorf("walk (-want +got):\n%s", diff)
	}
	e := ch.refuses(t, func(r *router.Request) { r.Force = &growth.Call{Provider: "a", Model: "9"} })
	if diff := cmp.Diff([]string{"a/9 skipped paid_denied"}, trail(e.Calls)); diff != "" {
		t.Errorf("forced walk (-want +got):\n%s", diff)
	}
	if n := len(ch.a.requests()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// A paid model that the rule left out is the same at the next call, so the answer may be kept.
func TestPaidDeniedCandidateDoesNotKeepAnAnswerOutOfTheCache(t *testing.T) {
	t.Parallel()
	keep := withCache(t)
	ch := newChain(t, keep, func(c *router.Config) {
		r := c.Routes[growth.TaskSimple]
		r.Paid = router.PaidDeny
		c.Routes[growth.TaskSimple] = r
	})
	ch.b.served = []providers.Model{{ID: "1", PriceKnown: true}}
	ch.LearnCatalogues(t.Context())
	ch.gets(t, cached)
	if got := ch.gets(t, cached); got.Cached != router.CachedExact {
		t.Errorf("cached = %s", got.Cached)
	}
}

func TestRouteThatKeepsNothing(t *testing.T) {
	t.Parallel()
	keep := withCache(t)
	for _, change := range []func(*router.Route){
		func(r *router.Route) { r.Cache = router.CacheRuleNone },
		func(r *router.Route) { r.CacheTTL = 0 },
	} {
		ch := newChain(t, keep, func(c *router.Config) {
			r := c.Routes[growth.TaskSimple]
			change(&r)
			c.Routes[growth.TaskSimple] = r
		})
		ch.gets(t, cached)
		if got := ch.gets(t, cached); got.Cached != router.CachedNo {
			t.Errorf("cached = %s", got.Cached)
		}
	}
}
