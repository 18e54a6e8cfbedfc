package quota_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/router/quota"
)

// shares starts a process's sharing and waits until it listens.
func shares(t *testing.T, rdb redis.UniversalClient, process string) *quota.Cooldowns {
	t.Helper()
	c := &quota.Cooldowns{}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	listeners := func() int64 {
		n, err := rdb.PubSubNumSub(t.Context(), "astrogrowth:cooldown-changes").Result()
		if err != nil {
			t.Fatal(err)
		}
		return n["astrogrowth:cooldown-changes"]
	}
	before := listeners()
	wg.Go(func() { c.Share(ctx, rdb, process) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	within(t, "the process listens", func() bool { return listeners() > before })
	return c
}

func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	end := time.After(time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

func left(c *quota.Cooldowns, name string) (time.Duration, growth.Code) {
	until, code, ok := c.Resting(name)
	if !ok {
		return 0, 0
	}
	return time.Until(until), code
}

// These tests share one Pub/Sub channel, so they run one after the other; the names differ from test to test.
func TestCooldownsAreShared(t *testing.T) {
	name, rdb := "m-"+growth.NewID(), testenv.RedisClient(t)
	one, two := shares(t, rdb, "one"), shares(t, rdb, "two")
	one.Rest(name, growth.Exhausted, time.Hour)
	within(t, "the other process knows", func() bool {
		d, code := left(two, name)
		return d > 59*time.Minute && code == growth.Exhausted
	})
	two.Rest(name, growth.Throttled, time.Minute) // shorter: the longer one stays, everywhere
	three := shares(t, rdb, "three")
	within(t, "a process that starts later knows", func() bool {
		d, code := left(three, name)
		return d > 59*time.Minute && d <= time.Hour && code == growth.Exhausted
	})
	if d, _ := left(one, name); d < 59*time.Minute {
		t.Errorf("rests for %v", d)
	}
}

func TestCooldownsThatHaveEndedAreForgotten(t *testing.T) {
	name, rdb := "m-"+growth.NewID(), testenv.RedisClient(t)
	one := shares(t, rdb, "one")
	one.Rest(name, growth.Throttled, 50*time.Millisecond)
	one.Rest(name+"-long", growth.Throttled, time.Hour)
	within(t, "both are shared", func() bool { return rdb.HLen(t.Context(), "astrogrowth:cooldowns").Val() == 2 })
	within(t, "it has ended", func() bool { d, _ := left(one, name); return d == 0 })
	two := shares(t, rdb, "two")
	within(t, "the other is known", func() bool { d, _ := left(two, name+"-long"); return d > 0 })
	if d, _ := left(two, name); d != 0 {
		t.Errorf("what has ended rests for %v", d)
	}
	if n := rdb.HLen(t.Context(), "astrogrowth:cooldowns").Val(); n != 1 {
		t.Errorf("%d rests are kept; want 1", n)
	}
}

// A rest that began while Redis was away reaches the others when it is back.
func TestCooldownsAreSentWhenRedisIsBack(t *testing.T) {
	name, rdb := "m-"+growth.NewID(), testenv.RedisClient(t)
	one, two := shares(t, rdb, "one"), shares(t, rdb, "two")
	rdb.Set(t.Context(), "astrogrowth:cooldowns", "not a hash", 0) // every command on it fails
	one.Rest(name, growth.Throttled, time.Hour)
	calls := func() string { return rdb.Info(t.Context(), "errorstats").Val() }
	within(t, "the sending was tried", func() bool { return strings.Contains(calls(), "errorstat_WRONGTYPE") })
	rdb.Del(t.Context(), "astrogrowth:cooldowns")
	within(t, "the other process knows", func() bool { d, _ := left(two, name); return d > 0 })
}

// What began before a process shares, or in the moment in which it ends, is not lost with it.
func TestCooldownsOfAProcessThatHardlyLivesAreShared(t *testing.T) {
	name, rdb := "m-"+growth.NewID(), testenv.RedisClient(t)
	short := &quota.Cooldowns{}
	short.Rest(name+"-before", growth.Throttled, time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { short.Share(ctx, rdb, "short") })
	within(t, "what began before is shared", func() bool { return rdb.HLen(t.Context(), "astrogrowth:cooldowns").Val() == 1 })
	short.Rest(name+"-end", growth.Exhausted, time.Hour)
	cancel()
	wg.Wait()
	later := &quota.Cooldowns{}
	later.Learn(t.Context(), rdb)
	for _, n := range []string{name + "-before", name + "-end"} {
		if d, _ := left(later, n); d < 59*time.Minute {
			t.Errorf("%s: a process that starts later lets it rest for %v; want an hour", n, d)
		}
	}
}
