package limit_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/limit"
	"github.com/zakibelm/astrogrowth/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// clock is a limiter's time, moved by hand.
type clock struct{ at time.Time }

func newLimiter(t testing.TB) (*limit.Limiter, *clock, redis.UniversalClient) {
	t.Helper()
	rdb := testenv.RedisClient(t)
	c := &clock{time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)}
	l := limit.New(rdb, "test")
	limit.SetClock(l, func() time.Time { return c.at })
	return l, c, rdb
}

func allow(t testing.TB, l *limit.Limiter, name string, ws ...limit.Window) limit.Decision {
	t.Helper()
	d, err := l.AllowOnce(t.Context(), "k", name, ws...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestWindowIsExactAtItsEdge(t *testing.T) {
	t.Parallel()
	l, c, _ := newLimiter(t)
	w := limit.Window{Max: 1, Per: 15 * time.Minute}
	if d := allow(t, l, "a", w); !d.Allowed || d.Remaining != 0 || d.ResetAfter != w.Per {
		t.Errorf("first = %+v", d)
	}
	c.at = c.at.Add(w.Per - time.Microsecond)
	if d := allow(t, l, "b", w); d.Allowed || d.RetryAfter != time.Microsecond {
		t.Errorf("a microsecond too early = %+v", d)
	}
	c.at = c.at.Add(time.Microsecond)
	if d := allow(t, l, "b", w); !d.Allowed {
		t.Errorf("at the edge = %+v", d)
	}
}

func TestWindowSlides(t *testing.T) {
	t.Parallel()
	l, c, _ := newLimiter(t)
	w := limit.Window{Max: 3, Per: time.Hour}
	for i := range 3 {
		if d := allow(t, l, fmt.Sprint(i), w); !d.Allowed || d.Remaining != 2-i {
			t.Errorf("%d = %+v", i, d)
		}
		c.at = c.at.Add(10 * time.Minute)
	}
	if d := allow(t, l, "4", w); d.Allowed || d.RetryAfter != 30*time.Minute || d.Remaining != 0 || d.ResetAfter != 50*time.Minute {
		t.Errorf("full = %+v", d)
	}
	c.at = c.at.Add(30 * time.Minute)
	if d := allow(t, l, "4", w); !d.Allowed {
		t.Errorf("the first has left = %+v", d)
	}
	if d := allow(t, l, "5", w); d.Allowed || d.RetryAfter != 10*time.Minute {
		t.Errorf("full again = %+v", d)
	}
	if d := allow(t, l, "5", limit.Window{Max: 1, Per: time.Hour}); d.Allowed || d.RetryAfter != time.Hour {
		t.Errorf("a limit that was lowered = %+v; the newest has to leave", d)
	}
}

func TestAllWindowsOrNone(t *testing.T) {
	t.Parallel()
	l, c, _ := newLimiter(t)
	pause, perDay := limit.Window{1, time.Minute}, limit.Window{2, 24 * time.Hour}
	for i, want := range []time.Duration{0, time.Minute, 0, 24*time.Hour - time.Minute} {
		if d := allow(t, l, fmt.Sprint(i), pause, perDay); d.RetryAfter != want || d.Allowed != (want == 0) {
			t.Errorf("%d = %+v, want a wait of %v", i, d, want)
		}
		if i == 1 {
			c.at = c.at.Add(time.Minute) // what was turned away has not been counted
		}
	}
}

func TestOneThingCountsOnce(t *testing.T) {
	t.Parallel()
	l, c, _ := newLimiter(t)
	w := limit.Window{Max: 1, Per: time.Hour}
	allow(t, l, "a", w)
	c.at = c.at.Add(time.Minute)
	if d := allow(t, l, "a", w); !d.Allowed || d.ResetAfter != time.Hour {
		t.Errorf("the same thing later = %+v; it counts from now on", d)
	}
	if err := l.Forget(t.Context(), "k", "a"); err != nil {
		t.Fatal(err)
	}
	if d := allow(t, l, "b", w); !d.Allowed {
		t.Errorf("after the other was taken back = %+v", d)
	}
}

func TestKeysDoNotShare(t *testing.T) {
	t.Parallel()
	l, _, rdb := newLimiter(t)
	for _, other := range []*limit.Limiter{l, limit.New(rdb, "other")} {
		for _, key := range []string{"x", "y"} {
			if d, err := other.Allow(t.Context(), key, 1, time.Hour); err != nil || !d.Allowed {
				t.Errorf("%s = %+v, %v", key, d, err)
			}
		}
	}
}

func TestKeysLeaveRedisByThemselves(t *testing.T) {
	t.Parallel()
	rdb := testenv.RedisClient(t)
	l := limit.New(rdb, "test") // by Redis's clock
	if d, err := l.Allow(t.Context(), "k", 1, time.Hour); err != nil || !d.Allowed {
		t.Fatal(d, err)
	}
	if d, err := l.Allow(t.Context(), "k", 1, time.Hour); err != nil || d.Allowed || d.RetryAfter <= 0 || d.RetryAfter > time.Hour {
		t.Errorf("second = %+v, %v", d, err)
	}
	ttl, err := rdb.PTTL(t.Context(), "limit:test:k").Result()
	if err != nil || ttl <= 0 || ttl > time.Hour {
		t.Errorf("life of the key = %v, %v", ttl, err)
	}
}

func TestManyAtOnceGetNoMoreThanThereIs(t *testing.T) {
	t.Parallel()
	l, _, _ := newLimiter(t)
	var wg sync.WaitGroup
	var let atomic.Int32
	for range 50 {
		wg.Go(func() {
			if d, err := l.Allow(t.Context(), "k", 7, time.Hour); err == nil && d.Allowed {
				let.Add(1)
			}
		})
	}
	wg.Wait()
	if let.Load() != 7 {
		t.Errorf("%d were let through, want 7", let.Load())
	}
}

// The script does what a list that remembers everything does.
func TestLikeAListThatRemembersEverything(t *testing.T) {
	t.Parallel()
	l, c, rdb := newLimiter(t)
	start := c.at
	rapid.Check(t, func(rt *rapid.T) {
		rdb.Del(context.WithoutCancel(t.Context()), "limit:test:k")
		c.at = start
		w := limit.Window{Max: rapid.IntRange(1, 4).Draw(rt, "max"), Per: time.Duration(rapid.IntRange(1, 20).Draw(rt, "per")) * time.Minute} // long: the key lives by the real clock
		var let []time.Time
		for i := range 40 {
			c.at = c.at.Add(time.Duration(rapid.IntRange(0, 360_000_000).Draw(rt, "step")) * time.Microsecond)
			var inside []time.Time
			for _, at := range let {
				if c.at.Sub(at) < w.Per {
					inside = append(inside, at)
				}
			}
			want := limit.Decision{Allowed: len(inside) < w.Max}
			if !want.Allowed {
				want.RetryAfter = inside[len(inside)-w.Max].Add(w.Per).Sub(c.at)
			}
			got := allow(t, l, fmt.Sprint(i), w)
			if got.Allowed != want.Allowed || got.RetryAfter != want.RetryAfter {
				rt.Fatalf("step %d: %+v, want %+v", i, got, want)
			}
			if got.Allowed {
				let = append(let, c.at)
			}
		}
	})
}

func TestWhatCannotBeCountedIsRefused(t *testing.T) {
	t.Parallel()
	l, _, _ := newLimiter(t)
	for _, w := range []limit.Window{{0, time.Hour}, {limit.MaxEntries + 1, time.Hour}, {1, 0}} {
		if _, err := l.Allow(t.Context(), "k", w.Max, w.Per); growth.CodeOf(err) != growth.Invalid {
			t.Errorf("%+v: %v", w, err)
		}
	}
	dead := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	t.Cleanup(func() { _ = dead.Close() })
	if _, err := limit.New(dead, "test").Allow(t.Context(), "k", 1, time.Hour); growth.CodeOf(err) != growth.Unavailable {
		t.Errorf("without Redis: %v", err)
	}
}

func BenchmarkAllow(b *testing.B) {
	l, _, _ := newLimiter(b)
	for b.Loop() {
		if _, err := l.Allow(b.Context(), "k", 1000, time.Hour); err != nil {
			b.Fatal(err)
		}
	}
}
