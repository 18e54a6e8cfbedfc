package quota_test

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/router/quota"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(testenv.Around(m)) }

// noon is far from both midnights.
var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// clock is a time that the test sets.
type clock struct{ ns atomic.Int64 }

func (c *clock) now() time.Time      { return time.Unix(0, c.ns.Load()).UTC() }
func (c *clock) set(t time.Time)     { c.ns.Store(t.UnixNano()) }
func (c *clock) add(d time.Duration) { c.ns.Add(int64(d)) }

// account gives every pool of a test keys of its own.
var account atomic.Int64

// desk is a process's view of one pool.
type desk struct {
	*quota.Pools
	clock *clock
}

func newDesk(rdb redis.UniversalClient, process, account string, c *clock, l quota.Limits) desk {
	p := quota.NewPools(rdb, process, quota.Pool{
		Name: "or:free", Account: account, Provider: "or", Limits: l, Holds: func(slug string) bool { return slug == "free" },
	})
	p.Now, p.Patience = c.now, 10*time.Second // on a busy machine, too, Redis is heard
	return desk{p, c}
}

func oneDesk(tb testing.TB, l quota.Limits) desk {
	tb.Helper()
	c := &clock{}
	c.set(noon)
	return newDesk(testenv.RedisClient(tb), "p", fmt.Sprint(account.Add(1)), c, l)
}

func (d desk) take(ctx context.Context, ticket string, how quota.Wait, horizon time.Duration) quota.Grant {
	return d.Take(ctx, quota.Request{Provider: "or", Slug: "free", Ticket: ticket, Wait: how, Horizon: horizon})
}

// wait is how far away the turn is.
func (d desk) wait(g quota.Grant) time.Duration { return g.Until.Sub(d.clock.now()) }

func TestPoolOfAModelThatDrawsOnNone(t *testing.T) {
	t.Parallel()
	d := oneDesk(t, quota.Limits{Calls: 1})
	for range 3 {
		if g := d.Take(t.Context(), quota.Request{Provider: "or", Slug: "paid"}); !g.OK {
			t.Fatal("a paid model is limited")
		}
	}
	var none *quota.Pools
	if g := none.Take(t.Context(), quota.Request{Provider: "or", Slug: "free"}); !g.OK || none.Of("or", "free") != "" || none.Serves("or") {
		t.Error("no pools limit something")
	}
}

const minute = time.Minute + 5*time.Millisecond // a window, with what clocks are rounded by

// One step of a story: what is asked at a moment after noon, and what the answer is.
type step struct {
	at     time.Duration
	ticket string
	how    quota.Wait
	ok     bool
	wait   time.Duration // when not ok
	code   growth.Code
	ahead  int
}

func TestPoolStories(t *testing.T) {
	t.Parallel()
	two := quota.Limits{Calls: 2, Window: time.Minute}
	for _, tc := range []struct {
		name   string
		limits quota.Limits
		start  time.Duration // after noon
		steps  []step
	}{
		{"a burst, then the window", two, 0, []step{
			{0, "", quota.NoWait, true, 0, 0, 0},
			{10 * time.Second, "", quota.NoWait, true, 0, 0, 0},
			{20 * time.Second, "", quota.NoWait, false, minute - 20*time.Second, growth.Throttled, 0},
			{minute - time.Millisecond, "", quota.NoWait, false, time.Millisecond, growth.Throttled, 0},
			{minute + time.Millisecond, "", quota.NoWait, true, 0, 0, 0},
			{minute + 2*time.Millisecond, "", quota.NoWait, false, 10*time.Second - 2*time.Millisecond, growth.Throttled, 0},
		}},
		{"a line is served in its order", two, 0, []step{
			{0, "a", quota.InLine, true, 0, 0, 0},
			{0, "b", quota.InLine, true, 0, 0, 0},
			{time.Second, "c", quota.InLine, false, minute - time.Second, growth.Throttled, 0},
			{time.Second, "d", quota.InLine, false, minute - time.Second, growth.Throttled, 1},
			{time.Second, "e", quota.InLine, false, 2*minute - time.Second, growth.Throttled, 2},
			{2 * time.Second, "c", quota.InLine, false, minute - 2*time.Second, growth.Throttled, 0}, // early: the place is kept
			{minute, "", quota.NoWait, false, minute, growth.Throttled, 3},                           // nobody overtakes
			{minute + time.Second, "d", quota.InLine, true, 0, 0, 0},
			{minute + 2*time.Second, "e", quota.InLine, false, minute - time.Second, growth.Throttled, 1}, // c is only late
			{minute + 3*time.Second, "c", quota.InLine, true, 0, 0, 0},
			{minute + 4*time.Second, "e", quota.InLine, false, minute - 3*time.Second, growth.Throttled, 0},
			{2*minute + time.Second, "e", quota.InLine, true, 0, 0, 0},
		}},
		{"who does not come loses the place", two, 0, []step{
			{0, "", quota.NoWait, true, 0, 0, 0},
			{0, "", quota.NoWait, true, 0, 0, 0},
			{0, "a", quota.InLine, false, minute, growth.Throttled, 0},
			{0, "b", quota.InLine, false, minute, growth.Throttled, 1},
			{minute + 59*time.Second, "", quota.NoWait, false, 0, growth.Throttled, 2},
			{minute + 61*time.Second, "", quota.NoWait, true, 0, 0, 0},
		}},
		{"a turn that is not soon is not waited for", two, 0, []step{
			{0, "", quota.NoWait, true, 0, 0, 0},
			{0, "", quota.NoWait, true, 0, 0, 0},
			{0, "far", quota.Shortly, false, minute, growth.Throttled, 0},
			{minute - 5*time.Second, "near", quota.Shortly, false, 5 * time.Second, growth.Throttled, 0},
			{minute - 5*time.Second, "job", quota.InLine, false, 5 * time.Second, growth.Throttled, 1},
			{minute, "near", quota.Shortly, true, 0, 0, 0},
			{minute, "job", quota.InLine, true, 0, 0, 0},
		}},
		{"a day is told from a minute", quota.Limits{Calls: 2, Window: time.Minute, Daily: 3}, 0, []step{
			{0, "", quota.NoWait, true, 0, 0, 0},
			{0, "", quota.NoWait, true, 0, 0, 0},
			{0, "x", quota.InLine, false, minute, growth.Throttled, 0},
			{0, "y", quota.InLine, false, 12*time.Hour + 2*time.Second, growth.Exhausted, 1},
			{minute, "x", quota.InLine, true, 0, 0, 0},
			{minute, "", quota.NoWait, false, 12*time.Hour + 2*time.Second - minute, growth.Exhausted, 1},
			{12*time.Hour + 2*time.Second, "y", quota.InLine, true, 0, 0, 0},
		}},
		{"a day alone", quota.Limits{Daily: 1}, 0, []step{
			{0, "", quota.NoWait, true, 0, 0, 0},
			{0, "a", quota.InLine, false, 12*time.Hour + 2*time.Second, growth.Exhausted, 0},
			{0, "b", quota.InLine, false, 36*time.Hour + 2*time.Second, growth.Exhausted, 1},
			{0, "c", quota.InLine, false, 60*time.Hour + 2*time.Second, growth.Exhausted, 2},
		}},
		{"nothing is sent across midnight", quota.Limits{Daily: 5}, 12*time.Hour - time.Second, []step{
			{0, "", quota.NoWait, false, 3 * time.Second, growth.Throttled, 0},
			{2 * time.Second, "a", quota.InLine, false, time.Second, growth.Throttled, 0},
			{3 * time.Second, "a", quota.InLine, true, 0, 0, 0},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := oneDesk(t, tc.limits)
			for i, s := range tc.steps {
				d.clock.set(noon.Add(tc.start + s.at))
				g := d.take(t.Context(), s.ticket, s.how, 10*time.Second)
				d.Done(t.Context(), g, 0)
				switch {
				case g.OK != s.ok:
					t.Fatalf("step %d: granted %v, to wait %v as %v, %d ahead; want %v", i, g.OK, d.wait(g), g.Code, g.Ahead, s.ok)
				case !s.ok && s.wait > 0 && (d.wait(g) != s.wait || g.Code != s.code || g.Ahead != s.ahead):
					t.Fatalf("step %d: to wait %v as %v, %d ahead; want %v as %v, %d ahead", i, d.wait(g), g.Code, g.Ahead, s.wait, s.code, s.ahead)
				}
			}
		})
	}
}

func TestPoolTakesBackWhatWasNotCalled(t *testing.T) {
	t.Parallel()
	d := oneDesk(t, quota.Limits{Calls: 1, Daily: 2})
	d.Back(t.Context(), d.take(t.Context(), "", quota.InLine, 0))
	g := d.take(t.Context(), "", quota.InLine, 0)
	if !g.OK {
		t.Fatal("the call was not taken back")
	}
	d.Back(t.Context(), g)
	d.Back(t.Context(), g) // twice is once
	if o, err := d.Outlook(t.Context(), "or:free", 0); err != nil || o.Today != 0 {
		t.Errorf("outlook = %+v, %v; want nothing made today", o, err)
	}
}

func TestPoolPlaceIsGivenUp(t *testing.T) {
	t.Parallel()
	d := oneDesk(t, quota.Limits{Calls: 1})
	d.take(t.Context(), "a", quota.InLine, 0)
	d.take(t.Context(), "b", quota.InLine, 0)
	d.Leave(t.Context(), "or", "free", "b")
	if g := d.take(t.Context(), "c", quota.InLine, 0); g.Ahead != 0 {
		t.Errorf("%d ahead; want the line to be empty", g.Ahead)
	}
}

// What the provider says holds for every process.
func TestPoolIsCorrected(t *testing.T) {
	t.Parallel()
	rdb, c, name := testenv.RedisClient(t), &clock{}, fmt.Sprint(account.Add(1))
	c.set(noon)
	l := quota.Limits{Calls: 100, Daily: 1000}
	one, two := newDesk(rdb, "one", name, c, l), newDesk(rdb, "two", name, c, l)
	for range 50 {
		one.take(t.Context(), "", quota.NoWait, 0)
	}
	rest := one.Correct(t.Context(), "or:free", quota.Refusal{Code: growth.Exhausted, Limit: 50})
	if want := 12*time.Hour + 2*time.Second; rest != want {
		t.Errorf("rests %v; want %v, until midnight", rest, want)
	}
	if g := two.take(t.Context(), "job", quota.InLine, 0); g.OK || g.Code != growth.Exhausted || two.wait(g) != rest {
		t.Errorf("the other process: %+v", g)
	}
	c.set(noon.Add(20 * time.Hour)) // the next day, the place has lapsed, and the limit holds still
	granted := 0
	for range 60 {
		if two.take(t.Context(), "", quota.NoWait, 0).OK {
			granted++
		}
	}
	if granted != 50 {
		t.Errorf("%d calls on the next day; want the 50 that the provider allows", granted)
	}
}

func TestPoolDailyLimitOfTheAccount(t *testing.T) {
	t.Parallel()
	d := oneDesk(t, quota.Limits{Daily: 1})
	d.SetDaily("or:free", 3)
	for i := range 4 {
		if g := d.take(t.Context(), "", quota.NoWait, 0); g.OK != (i < 3) {
			t.Errorf("call %d: %v", i, g.OK)
		}
	}
}

func TestPoolOutlook(t *testing.T) {
	t.Parallel()
	d := oneDesk(t, quota.Limits{Calls: 2})
	for i := range 5 {
		d.Done(t.Context(), d.take(t.Context(), fmt.Sprint(i), quota.InLine, 0), 0)
	}
	for _, tc := range []struct {
		more int
		want time.Duration
	}{{1, 2 * minute}, {2, 2 * minute}, {3, 3 * minute}, {11, 7 * minute}} {
		o, err := d.Outlook(t.Context(), "or:free", tc.more)
		if err != nil || o.Ahead != 3 || o.Today != 2 || (o.Finish.Sub(noon)-tc.want).Abs() > time.Second {
			t.Errorf("%d more: %+v, %v after the start, %v; want %v", tc.more, o, o.Finish.Sub(noon), err, tc.want)
		}
	}
	if _, err := d.Outlook(t.Context(), "none", 1); growth.CodeOf(err) != growth.NotFound {
		t.Errorf("unknown pool: %v", err)
	}
}

// Without Redis two processes take no more than the limit together.
func TestPoolWithoutRedis(t *testing.T) {
	t.Parallel()
	rdb, c, name := testenv.RedisClient(t), &clock{}, fmt.Sprint(account.Add(1))
	c.set(noon)
	l := quota.Limits{Calls: 10, Daily: 15}
	one, two := newDesk(rdb, "one", name, c, l), newDesk(rdb, "two", name, c, l)
	for _, d := range []desk{one, two, one} { // they know of each other, and 3 of the 15 are spent
		if !d.take(t.Context(), "", quota.NoWait, 0).OK {
			t.Fatal("not granted")
		}
	}
	_ = rdb.Close()
	count := func() (n int) {
		for range 20 {
			for _, d := range []desk{one, two} {
				if d.take(t.Context(), "", quota.NoWait, 0).OK {
					n++
				}
			}
		}
		return n
	}
	window := count()
	if window < 5 || window > 7 {
		t.Errorf("%d more calls in the window; want half of 10 each, the earlier 3 among them", window)
	}
	c.add(2 * time.Minute)
	if n := window + count(); n < 10 || n > 13 {
		t.Errorf("%d more calls on this day; want what is left of 15, as far as each of them knew it", n)
	}
	g := one.take(t.Context(), "", quota.NoWait, 0)
	if g.OK || g.Code != growth.Exhausted || one.wait(g) < 11*time.Hour {
		t.Errorf("%+v; want to wait for midnight", g)
	}
}

// A Redis that accepts connections and says nothing costs few calls, and those only a moment.
func TestPoolWithARedisThatHangs(t *testing.T) {
	t.Parallel()
	silent, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	rdb := redis.NewClient(&redis.Options{Addr: silent.Addr().String(), ContextTimeoutEnabled: true})
	defer func() { _ = rdb.Close() }()
	c := &clock{}
	c.set(noon)
	d := newDesk(rdb, "p", "hangs", c, quota.Limits{Calls: 100})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for i := range 50 {
		if g := d.take(ctx, "", quota.InLine, 0); !g.OK || ctx.Err() != nil {
			t.Fatalf("call %d: granted %v, %v", i, g.OK, ctx.Err())
		}
	}
	if g := d.take(ctx, "", quota.InLine, 0); g.OK || !g.Until.After(noon) {
		t.Errorf("%+v; want no more than a half of the limit", g)
	}
}

func BenchmarkPoolTake(b *testing.B) {
	rdb := testenv.RedisClient(b)
	b.Run("take", func(b *testing.B) {
		d := newDesk(rdb, "p", "bench", &clock{}, quota.Limits{Calls: 1 << 30, Daily: 1 << 30})
		d.Now = nil
		for b.Loop() {
			if !d.take(b.Context(), "", quota.InLine, 0).OK {
				b.Fatal("refused")
			}
		}
	})
	b.Run("take and done", func(b *testing.B) {
		d := newDesk(rdb, "p", "done", &clock{}, quota.Limits{Calls: 1 << 30, Daily: 1 << 30})
		d.Now = nil
		for b.Loop() {
			d.Done(b.Context(), d.take(b.Context(), "", quota.InLine, 0), time.Millisecond)
		}
	})
	b.Run("spent, without waiting", func(b *testing.B) {
		d := newDesk(rdb, "p", "spent", &clock{}, quota.Limits{Calls: 1, Window: time.Hour})
		d.Now = nil
		for b.Loop() {
			d.take(b.Context(), "", quota.NoWait, 0)
		}
	})
	b.Run("bare round trip", func(b *testing.B) {
		for b.Loop() {
			if err := rdb.Ping(b.Context()).Err(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCooldownsResting(b *testing.B) {
	c := &quota.Cooldowns{}
	c.Rest("other", growth.Throttled, time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		c.Resting("or", "or/model", "or:free")
	}
}
