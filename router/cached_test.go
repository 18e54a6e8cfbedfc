package router_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/router/cache"
)

func says2(text string) func(*router.Request) {
	return func(r *router.Request) {
		r.Messages = []growth.Message{{Role: "system", Content: "Be brief: a"}, {Role: "user", Content: text}}
	}
}

func direct(r *router.Request) { r.Cache = router.DirectCache(false) }

func bypassing(r *router.Request) { r.Cache = router.DirectCache(true) }

// The policies of direct calls by task type.
func TestCacheServesNearRequestsWhereItMay(t *testing.T) {
	t.Parallel()
	for task, want := range map[growth.TaskType]router.CachedAs{
		growth.TaskVerification: router.CachedNear, growth.TaskAnalysis: router.CachedNear, growth.TaskSimple: router.CachedNear,
		growth.TaskQualification: router.CachedNo, growth.TaskContent: router.CachedNo,
	} {
		t.Run(string(task), func(t *testing.T) {
			t.Parallel()
			ch := newChain(t, withCache(t))
			of := func(r *router.Request) { r.Task = task }
			ch.gets(t, direct, of, says2("What is the capital of Canada?"))
			if got := ch.gets(t, direct, of, says2("what is the  capital of canada")); got.Cached != want {
				t.Errorf("nearly the same: cached %s; want %s", got.Cached, want)
			}
			if got := ch.gets(t, direct, of, says2("What is the capital of Canada?")); got.Cached != router.CachedExact {
				t.Errorf("the same: cached %s", got.Cached)
			}
			if got := ch.gets(t, cached, of, says2("What is the Capital of Canada?")); got.Cached != router.CachedNo {
				t.Errorf("with the exact policy: cached %s", got.Cached)
			}
		})
	}
}

func TestCacheTellsNearRequestsApart(t *testing.T) {
	t.Parallel()
	ch := newChain(t, withCache(t))
	ch.gets(t, direct, says2("Offer 20 percent to Maria"))
	for _, text := range []string{"Offer 25 percent to Maria", "Offer 20 percent to Marie", `Offer "20 percent" to Maria`, "Never offer 20 percent to Maria"} {
		if got := ch.gets(t, direct, says2(text)); got.Cached != router.CachedNo {
			t.Errorf("%q: cached %s", text, got.Cached)
		}
	}
	system := func(r *router.Request) { r.Messages[0].Content = "Be brief: A" } // the system's words are ours, and count as they are
	if got := ch.gets(t, direct, says2("offer 20 percent to maria"), system); got.Cached != router.CachedNo {
		t.Errorf("another system message: cached %s", got.Cached)
	}
}

func TestCacheBypassRenewsNearAnswersToo(t *testing.T) {
	t.Parallel()
	ch := newChain(t, withCache(t))
	ch.gets(t, direct, says2("Offer 20 percent"))
	ch.a.will(says("fresher"))
	if got := ch.gets(t, bypassing, says2("Offer 20 percent")); got.Text != "fresher" || got.Cached != router.CachedNo {
		t.Errorf("bypass: %q, cached %s", got.Text, got.Cached)
	}
	if got := ch.gets(t, direct, says2("offer 20 percent.")); got.Text != "fresher" {
		t.Errorf("after it: %q", got.Text)
	}
}

// Every field of a request counts in its key, or stands here with the reason why it cannot change the answer.
func TestCacheKeyCoversTheWholeRequest(t *testing.T) {
	t.Parallel()
	apart := map[string]string{
		"Job": "who asks", "Campaign": "who pays", "Key": "who pays", "Lead": "whose data it is, which is in the messages", "Step": "who asks", "Ledger": "who writes it down", "RequestID": "who asks",
		"Accept": "checked on every hit", "Cache": "what becomes of the answer", "Timeout": "how long they wait",
		"KeepAlive": "how they wait", "via": "how the candidates are asked: the answer is the same",
	}
	seven := 7.0
	changes := map[string]func(*router.Request){
		"Task": func(r *router.Request) { r.Task = growth.TaskAnalysis }, "Workspace": func(r *router.Request) { r.Workspace = theirs },
		"Messages": func(r *router.Request) { r.Messages[0].Content += "!" }, "Sampling": func(r *router.Request) { r.Sampling.TopP = &seven },
		"Schema": func(r *router.Request) { r.Schema = []byte(`{}`) }, "SchemaName": func(r *router.Request) { r.SchemaName = "x" },
		"Privacy": func(r *router.Request) { r.Privacy = growth.PrivacyZeroRetention }, "Scope": func(r *router.Request) { r.Scope = "x" },
		"Force":  func(r *router.Request) { r.Force = &growth.Call{Provider: "a"} },
		"Except": func(r *router.Request) { r.Except = "another/model" },
	}
	for f := range reflect.TypeFor[router.Request]().Fields() {
		change := changes[f.Name]
		if (change == nil) == (apart[f.Name] == "") {
			t.Errorf("%s: say whether it counts", f.Name)
		}
		if change == nil {
			continue
		}
		ch := newChain(t, withCache(t))
		ch.a.zeroed = true
		ch.a.will(says(`"x"`))
		ch.gets(t, cached)
		if got := ch.gets(t, cached, change); got.Cached != router.CachedNo {
			t.Errorf("%s makes no difference", f.Name)
		}
	}
}

// lives is a cache that notes how long it is to keep.
type lives struct {
	shelf
	ttl []time.Duration
}

func (l *lives) Put(_ context.Context, _ cache.Key, _ cache.Entry, ttl time.Duration) {
	l.ttl = append(l.ttl, ttl)
}

func TestCacheKeepsAnswersAsLongAsTheirKindAllows(t *testing.T) {
	t.Parallel()
	job := func(r *router.Request) { r.Job = growth.JobID(growth.NewID()) }
	for name, tc := range map[string]struct {
		change func(*router.Request)
		fail   func(*chain)
		want   time.Duration // 0: not kept
	}{
		"a direct call":                  {direct, func(*chain) {}, 10 * time.Minute},
		"a job's":                        {func(r *router.Request) { cached(r); job(r) }, func(*chain) {}, time.Hour},
		"drafts of jobs":                 {job, func(*chain) {}, 0},
		"past a resting candidate":       {direct, func(ch *chain) { ch.rest("a") }, 5 * time.Minute},
		"past a failure":                 {direct, func(ch *chain) { ch.a.will(fails(growth.Unavailable)) }, 0},
		"asked once more, the same one":  {refusing("bad"), func(ch *chain) { ch.a.will(inOrder(says("bad"), says("good"))) }, 10 * time.Minute},
		"asked once more, then the next": {refusing("bad"), func(ch *chain) { ch.a.will(says("bad")) }, 0},
		"cut":                            {direct, func(ch *chain) { ch.a.will(cut("2+2 is")) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := &lives{}
			ch := newChain(t, func(c *router.Config) { c.Cache, c.CacheTTL = l, 10*time.Minute })
			tc.fail(ch)
			ch.gets(t, tc.change)
			var got time.Duration
			if len(l.ttl) == 1 {
				got = l.ttl[0]
			}
			if got != tc.want || len(l.ttl) > 1 {
				t.Errorf("kept for %v; want %v", l.ttl, tc.want)
			}
		})
	}
}

// rest makes a provider one that cannot be had for a while.
func (ch *chain) rest(provider string) {
	ch.cooldowns.Rest(provider, growth.Exhausted, time.Hour)
}

func refusing(text string) func(*router.Request) {
	return func(r *router.Request) {
		direct(r)
		r.Accept = func(got string) error {
			if got == text {
				return errors.New("not this")
			}
			return nil
		}
	}
}

// Two routers with connections of their own make one request.
func TestCacheMakesEqualRequestsOnceBetweenWorkers(t *testing.T) {
	t.Parallel()
	rdb := testenv.RedisClient(t)
	began, release := make(chan struct{}, 10), make(chan struct{})
	var chains []*chain
	for range 3 {
		ch := newChain(t, over(newCache(t, rdb)))
		ch.a.will(func(_ context.Context, req providers.Request) (providers.Response, error) {
			began <- struct{}{}
			<-release
			return answered(req.Model, "once"), nil
		})
		chains = append(chains, ch)
	}
	var wg sync.WaitGroup
	for _, ch := range chains {
		for range 5 {
			wg.Go(func() {
				if a, err := ch.Complete(t.Context(), ask(direct)); err != nil || a.Text != "once" {
					t.Errorf("%q, %v", a.Text, err)
				}
			})
		}
	}
	<-began
	other := newChain(t, over(newCache(t, rdb))) // another workspace does not wait for ours
	if a := other.gets(t, direct, func(r *router.Request) { r.Workspace = theirs }); a.Cached != router.CachedNo {
		t.Errorf("another workspace got %q, cached %s", a.Text, a.Cached)
	}
	if a := other.gets(t); a.Cached != router.CachedNo { // nor does a call without the cache
		t.Errorf("a call without the cache got %q, cached %s", a.Text, a.Cached)
	}
	close(release)
	wg.Wait()
	n, hits := 0, 0
	for _, ch := range chains {
		n += len(ch.a.requests())
		hits += ch.stats.hits
	}
	if n != 1 || hits != 14 {
		t.Errorf("%d requests and %d hits; want 1 and 14", n, hits)
	}
}

func TestCacheInvalidatedDuringACallKeepsNothing(t *testing.T) {
	t.Parallel()
	kept := newCache(t, testenv.RedisClient(t))
	ch := newChain(t, over(kept))
	for name, policy := range map[string]func(*router.Request){"a call": direct, "a bypass": bypassing} {
		text := func(r *router.Request) { r.Messages[0].Content = name }
		ch.a.will(inOrder(func(ctx context.Context, req providers.Request) (providers.Response, error) {
			if _, err := kept.Forget(ctx, ours, cache.Selection{}); err != nil {
				t.Error(err)
			}
			return answered(req.Model, "old"), nil
		}, says("new")))
		ch.gets(t, policy, text)
		if got := ch.gets(t, direct, text); got.Text != "new" || got.Cached != router.CachedNo {
			t.Errorf("%s: afterwards %q, cached %s", name, got.Text, got.Cached)
		}
		if got := ch.gets(t, direct, text); got.Cached != router.CachedExact {
			t.Errorf("%s: the new answer is cached %s", name, got.Cached)
		}
	}
}

// A job or a lead finds the answers that it was given, not only those that it made.
func TestCacheForgetsWhatALeadOrAJobWasGiven(t *testing.T) {
	t.Parallel()
	kept := newCache(t, testenv.RedisClient(t))
	ch := newChain(t, over(kept))
	made := func(r *router.Request) { cached(r); r.Job, r.Lead = "j1", "l1" }
	given := func(r *router.Request) { cached(r); r.Job, r.Lead = "j2", "l2" }
	for _, s := range []cache.Selection{{Job: "j1"}, {Job: "j2"}, {Lead: "l1"}, {Lead: "l2"}} {
		if got := ch.gets(t, made); got.Cached != router.CachedNo {
			t.Fatalf("cached %s", got.Cached)
		}
		if got := ch.gets(t, given); got.Cached != router.CachedExact {
			t.Fatalf("cached %s", got.Cached)
		}
		if n, err := kept.Forget(t.Context(), ours, s); n != 1 || err != nil {
			t.Errorf("%+v: %d, %v", s, n, err)
		}
	}
}

// What a cached answer says of itself is what was true of it when it was made.
func TestCachedAnswerNamesItsCall(t *testing.T) {
	t.Parallel()
	ch := newChain(t, withCache(t))
	ch.a.off = true
	first, second := ch.gets(t, direct), ch.gets(t, direct)
	if first.CallID == "" || second.CallID != first.CallID || first.CallID != ch.book.rows()[0].ID {
		t.Errorf("calls %q, %q, in the ledger %q", first.CallID, second.CallID, ch.book.rows()[0].ID)
	}
	if second.FallbackAttempts != 1 || len(second.Calls) != 0 {
		t.Errorf("%d fallbacks, %d calls", second.FallbackAttempts, len(second.Calls))
	}
}

// A Redis that hangs must not be waited for by each call anew.
func TestCacheThatHangsCostsLittle(t *testing.T) {
	t.Parallel()
	ch := newChain(t, over(newCache(t, mute(t), cache.Settings{Patience: 250 * time.Millisecond})))
	began := time.Now()
	const calls = 200
	for i := range calls {
		ch.gets(t, direct, func(r *router.Request) { r.Messages[0].Content = fmt.Sprint("question number ", i) })
	}
	took := time.Since(began)
	t.Logf("%d calls took %v", calls, took)
	if took > 10*time.Second { // 50 s if each look-up waited its 250 ms
		t.Errorf("%d calls took %v", calls, took)
	}
}
