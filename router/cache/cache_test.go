package cache_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"github.com/shopspring/decimal"
	"go.uber.org/goleak"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/router/cache"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(testenv.Around(m)) }

const ours, theirs = growth.WorkspaceID("0190a000-0000-7000-8000-000000000001"), growth.WorkspaceID("0190a000-0000-7000-8000-000000000002")

func newCache(t testing.TB, rdb redis.UniversalClient) *cache.Cache {
	t.Helper()
	c, err := cache.New(rdb)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func key(t testing.TB, ws growth.WorkspaceID, task growth.TaskType, request any) cache.Key {
	t.Helper()
	k, err := cache.NewKey(ws, task, request)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func entry(text string) cache.Entry {
	return cache.Entry{
		Text: text, Provider: "p", Model: "m", FinishReason: "stop", Usage: growth.Usage{TotalTokens: 3},
		Cost: growth.USD(decimal.RequireFromString("0.000001"), growth.CostReported), Simulated: true, At: time.Now().UTC().Truncate(time.Second),
	}
}

var sameMoney = cmp.Comparer(func(a, b decimal.Decimal) bool { return a.Equal(b) })

func TestEntryComesBackInEveryProcess(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"short": "4", "long": strings.Repeat("quatre ", 5000), "empty": "", "odd": "\x00 \u2028 «é»"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rdb := testenv.RedisClient(t)
			k, want := key(t, ours, growth.TaskSimple, "q"), entry(text)
			newCache(t, rdb).Put(t.Context(), k, want, time.Minute)
			got, ok := newCache(t, rdb).Get(t.Context(), k) // another process
			if diff := cmp.Diff(want, got, sameMoney); diff != "" || !ok {
				t.Errorf("found %v (-want +got):\n%s", ok, diff)
			}
			if _, ok := newCache(t, rdb).Get(t.Context(), key(t, theirs, growth.TaskSimple, "q")); ok {
				t.Error("another workspace got it too")
			}
		})
	}
}

func TestKeysOfDifferentRequestsDiffer(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for name, k := range map[string]cache.Key{
		"one": key(t, ours, growth.TaskSimple, "q"), "another request": key(t, ours, growth.TaskSimple, "q2"),
		"another task": key(t, ours, growth.TaskAnalysis, "q"), "another workspace": key(t, theirs, growth.TaskSimple, "q"),
	} {
		if other, ok := seen[k.Digest]; ok {
			t.Errorf("%s and %s share a key", name, other)
		}
		seen[k.Digest] = name
	}
	a, b := map[string]int{"x": 1, "y": 2}, map[string]int{"y": 2, "x": 1}
	if key(t, ours, growth.TaskSimple, a) != key(t, ours, growth.TaskSimple, b) {
		t.Error("the order of a map changes the key")
	}
}

func TestEntryEndsWithItsTime(t *testing.T) {
	t.Parallel()
	rdb := testenv.RedisClient(t)
	c, other := newCache(t, rdb), newCache(t, rdb)
	k := key(t, ours, growth.TaskSimple, "q")
	c.Put(t.Context(), k, entry("4"), 300*time.Millisecond)
	if _, ok := other.Get(t.Context(), k); !ok {
		t.Fatal("not kept at all")
	}
	deadline := time.After(5 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for _, one := range []*cache.Cache{c, other} {
		for {
			if _, ok := one.Get(t.Context(), k); !ok {
				break
			}
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatal("served for 5 s although it was to live 0.3 s")
			}
		}
	}
}

func TestNothingIsKeptForNoTime(t *testing.T) {
	t.Parallel()
	c := newCache(t, testenv.RedisClient(t))
	k := key(t, ours, growth.TaskSimple, "q")
	c.Put(t.Context(), k, entry("4"), 0)
	if _, ok := c.Get(t.Context(), k); ok {
		t.Error("kept")
	}
}

func TestInvalidate(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		pattern string
		n       int
		left    []string
	}{
		{"", 3, []string{"theirs"}},
		{"*", 3, []string{"theirs"}},
		{"llm:cache:*", 3, []string{"theirs"}},
		{"simple", 2, []string{"analysis", "theirs"}},
		{"llm:cache:simple:*", 2, []string{"analysis", "theirs"}},
		{"verification", 0, []string{"analysis", "simple-1", "simple-2", "theirs"}},
	} {
		t.Run(tc.pattern, func(t *testing.T) {
			t.Parallel()
			c := newCache(t, testenv.RedisClient(t))
			keys := map[string]cache.Key{
				"simple-1": key(t, ours, growth.TaskSimple, 1), "simple-2": key(t, ours, growth.TaskSimple, 2),
				"analysis": key(t, ours, growth.TaskAnalysis, 1), "theirs": key(t, theirs, growth.TaskSimple, 1),
			}
			for _, k := range keys {
				c.Put(t.Context(), k, entry("x"), time.Hour)
			}
			n, err := c.Invalidate(t.Context(), ours, tc.pattern)
			if err != nil || n != tc.n {
				t.Errorf("invalidated %d, %v; want %d", n, err, tc.n)
			}
			var left []string
			for _, name := range []string{"analysis", "simple-1", "simple-2", "theirs"} {
				if _, ok := c.Get(t.Context(), keys[name]); ok {
					left = append(left, name)
				}
			}
			if diff := cmp.Diff(tc.left, left); diff != "" {
				t.Errorf("left (-want +got):\n%s", diff)
			}
		})
	}
}

func TestInvalidateRefusesAnUnknownPattern(t *testing.T) {
	t.Parallel()
	c := newCache(t, testenv.RedisClient(t))
	for _, p := range []string{"poetry", "*:" + string(theirs), "llm:cache:*:simple", "[a-z]*"} {
		if _, err := c.Invalidate(t.Context(), ours, p); growth.CodeOf(err) != growth.Invalid || err == nil {
			t.Errorf("%q: %v; want invalid", p, err)
		}
	}
}

func TestInvalidationReachesOtherProcesses(t *testing.T) {
	t.Parallel()
	rdb := testenv.RedisClient(t)
	here, there := newCache(t, rdb), newCache(t, rdb)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { there.Listen(ctx) })
	defer wg.Wait()
	defer cancel()
	k := key(t, ours, growth.TaskSimple, "q")
	end := time.After(10 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		n, err := rdb.PubSubNumSub(ctx, "astrogrowth:cache-invalidations").Result()
		if err == nil && n["astrogrowth:cache-invalidations"] > 0 {
			break
		}
		select {
		case <-tick.C:
		case <-end:
			t.Fatal("nobody listens")
		}
	}
	here.Put(ctx, k, entry("4"), time.Hour)
	if _, ok := there.Get(ctx, k); !ok {
		t.Fatal("not shared")
	}
	if _, err := here.Invalidate(ctx, ours, ""); err != nil {
		t.Fatal(err)
	}
	for {
		if _, ok := there.Get(ctx, k); !ok {
			return
		}
		select {
		case <-tick.C:
		case <-end:
			t.Fatal("the other process still serves it")
		}
	}
}

func TestBrokenEntryIsAMiss(t *testing.T) {
	t.Parallel()
	rdb := testenv.RedisClient(t)
	k := key(t, ours, growth.TaskSimple, "q")
	name := "astrogrowth:llm:" + string(ours) + ":simple:" + k.Digest
	for what, v := range map[string]string{"empty": "", "not compressed": "zxxxx", "not JSON": "jxxxx", "another format": "?", "one byte": "j"} {
		if err := rdb.Set(t.Context(), name, v, time.Hour).Err(); err != nil {
			t.Fatal(err)
		}
		if e, ok := newCache(t, rdb).Get(t.Context(), k); ok {
			t.Errorf("%s: %+v", what, e)
		}
	}
}

func TestRedisThatIsDownIsAMiss(t *testing.T) {
	t.Parallel()
	rdb := redis.NewClient(&redis.Options{Network: "unix", Addr: t.TempDir() + "/none", MaxRetries: -1, DialerRetries: 1})
	t.Cleanup(func() { _ = rdb.Close() })
	c := newCache(t, rdb)
	k := key(t, ours, growth.TaskSimple, "q")
	c.Put(t.Context(), k, entry("4"), time.Hour)
	if _, ok := c.Get(t.Context(), k); ok {
		t.Error("an entry that no other process can see is served")
	}
}

func BenchmarkCacheHitLocal(b *testing.B) {
	c := newCache(b, testenv.RedisClient(b))
	k := key(b, ours, growth.TaskSimple, "q")
	c.Put(b.Context(), k, entry(strings.Repeat("x", 2000)), time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := c.Get(b.Context(), k); !ok {
			b.Fatal("miss")
		}
	}
}
