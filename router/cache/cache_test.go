package cache_test

import (
	"crypto/rand"
	"encoding/hex"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/router/cache"
	"github.com/zakibelm/astrogrowth/tasks"
)

func TestEntryComesBackInEveryProcess(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"short": "4", "long": strings.Repeat("quatre ", 5000), "empty": "", "odd": "\x00 \u2028 «é» \xff"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rdb := testenv.RedisClient(t)
			k, want := key(ours, growth.TaskSimple, "q"), entry(text)
			newCache(t, rdb).Put(t.Context(), k, want, time.Minute)
			got, ok := newCache(t, rdb).Get(t.Context(), k) // another process
			if diff := cmp.Diff(want, got, sameEntry); diff != "" || !ok {
				t.Errorf("found %v (-want +got):\n%s", ok, diff)
			}
			if has(t, newCache(t, rdb), key(theirs, growth.TaskSimple, "q")) {
				t.Error("another workspace got it too")
			}
		})
	}
}

func TestEntryWithoutACostStaysWithout(t *testing.T) {
	t.Parallel()
	c := newCache(t, testenv.RedisClient(t))
	k, e := key(ours, growth.TaskSimple, "q"), entry("4")
	e.Cost = growth.UnknownMoney("USD")
	c.Put(t.Context(), k, e, time.Minute)
	if got, ok := c.Get(t.Context(), k); !ok || got.Cost.USD != nil || got.Cost.Provenance != growth.CostUnknown {
		t.Errorf("found %v, cost %+v", ok, got.Cost)
	}
}

func TestKeysOfDifferentRequestsDiffer(t *testing.T) {
	t.Parallel()
	seen := map[cache.Digest]string{}
	for name, k := range map[string]cache.Key{
		"one": key(ours, growth.TaskSimple, "q"), "another request": key(ours, growth.TaskSimple, "q2"),
		"another task": key(ours, growth.TaskAnalysis, "q"), "another workspace": key(theirs, growth.TaskSimple, "q"),
		"the near form of the same": key(ours, growth.TaskSimple, "x").WithNear([]byte("q")),
	} {
		if other, ok := seen[k.Name()]; ok {
			t.Errorf("%s and %s share a key", name, other)
		}
		seen[k.Name()] = name
	}
}

func TestNearEntryKnowsWhichRequestItAnswered(t *testing.T) {
	t.Parallel()
	c := newCache(t, testenv.RedisClient(t))
	one, two := key(ours, growth.TaskSimple, "Q?").WithNear([]byte("q")), key(ours, growth.TaskSimple, "q").WithNear([]byte("q"))
	c.Put(t.Context(), one, entry("4"), time.Minute)
	for want, k := range map[growth.CachedAs]cache.Key{growth.CachedExact: one, growth.CachedNear: two} {
		if e, ok := c.Get(t.Context(), k); !ok || e.As(k) != want {
			t.Errorf("found %v as %s; want %s", ok, e.As(k), want)
		}
	}
}

func TestEntryEndsWithItsTime(t *testing.T) {
	t.Parallel()
	rdb := testenv.RedisClient(t)
	c, other := newCache(t, rdb), newCache(t, rdb)
	listening(t, c)
	k := key(ours, growth.TaskSimple, "q")
	c.Put(t.Context(), k, entry("4"), 500*time.Millisecond)
	if !has(t, other, k) {
		t.Fatal("not kept at all")
	}
	eventually(t, "the entry has ended in both", func() bool { return !has(t, c, k) && !has(t, other, k) })
}

func TestNothingIsKeptForNoTime(t *testing.T) {
	t.Parallel()
	c := newCache(t, testenv.RedisClient(t))
	k := key(ours, growth.TaskSimple, "q")
	c.Put(t.Context(), k, entry("4"), 0)
	if has(t, c, k) {
		t.Error("kept")
	}
}

// The process's level serves only while it hears of invalidations.
func TestProcessServesOnlyWhileItListens(t *testing.T) {
	t.Parallel()
	c := newCache(t, testenv.RedisClient(t))
	k := key(ours, growth.TaskSimple, "q")
	c.Put(t.Context(), k, entry("4"), time.Hour)
	if _, ok := c.Peek(k); ok {
		t.Error("served although nothing would tell of an invalidation")
	}
	listening(t, c)
	if _, ok := c.Peek(k); ok {
		return // kept from before
	}
	if !has(t, c, k) {
		t.Error("not served at all")
	}
}

// random is a text that cannot be made smaller.
func random(t *testing.T, bytes int) string {
	t.Helper()
	b := make([]byte, bytes)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWorkspaceHasABoundOfItsOwn(t *testing.T) {
	t.Parallel()
	rdb := testenv.RedisClient(t)
	const bound = 100_000
	c := newCache(t, rdb, cache.Settings{WorkspaceBytes: bound})
	other := key(theirs, growth.TaskSimple, "q")
	c.Put(t.Context(), other, entry("theirs"), time.Hour)
	var keys []cache.Key
	for i := range 50 {
		k := key(ours, growth.TaskSimple, i)
		keys = append(keys, k)
		c.Put(t.Context(), k, entry(random(t, 5000)), time.Hour+time.Duration(i)*time.Minute)
		size, err := c.Size(t.Context(), ours)
		if err != nil || size.Bytes > bound {
			t.Fatalf("size %+v, %v after %d entries", size, err, i+1)
		}
	}
	size, _ := c.Size(t.Context(), ours)
	if size.Entries < 10 || size.Bytes < bound/2 {
		t.Errorf("only %+v of %d bytes are used", size, bound)
	}
	if has(t, c, keys[0]) || !has(t, c, keys[49]) || !has(t, c, other) {
		t.Error("what ends soonest makes room, in its own workspace")
	}
	held := int64(0)
	for _, k := range keys {
		if has(t, c, k) {
			held++
		}
	}
	if held != size.Entries {
		t.Errorf("%d entries are there, %d counted", held, size.Entries)
	}
}

func TestEndedEntriesLeaveTheBooks(t *testing.T) {
	t.Parallel()
	c := newCache(t, testenv.RedisClient(t))
	for i := range 20 {
		c.Put(t.Context(), key(ours, growth.TaskSimple, i), entry("x"), time.Millisecond)
	}
	eventually(t, "only the last entry counts", func() bool {
		c.Put(t.Context(), key(ours, growth.TaskSimple, "last"), entry("x"), time.Hour)
		size, err := c.Size(t.Context(), ours)
		return err == nil && size.Entries == 1 && size.Bytes < 1000
	})
}

func TestLargeAnswerIsNotKept(t *testing.T) {
	t.Parallel()
	c := newCache(t, testenv.RedisClient(t))
	k := key(ours, growth.TaskSimple, "q")
	c.Put(t.Context(), k, entry(random(t, 300<<10)), time.Hour)
	if size, err := c.Size(t.Context(), ours); has(t, c, k) || err != nil || size.Entries != 0 {
		t.Errorf("kept: %+v, %v", size, err)
	}
}

func TestEveryNameInRedisHasAnEnd(t *testing.T) {
	t.Parallel()
	rdb := testenv.RedisClient(t)
	c := newCache(t, rdb)
	e := entry("x")
	e.Job, e.Lead = "j", "l"
	c.Put(t.Context(), key(ours, growth.TaskSimple, "q"), e, time.Hour)
	_, _, release := c.Await(t.Context(), key(ours, growth.TaskSimple, "other"), time.Second)
	defer release()
	names, err := rdb.Keys(t.Context(), "*").Result()
	if err != nil || len(names) != 8 {
		t.Fatalf("%v, %v", names, err)
	}
	for _, name := range names {
		if left := rdb.PTTL(t.Context(), name).Val(); left <= 0 || left > 62*time.Minute {
			t.Errorf("%s ends in %v", name, left)
		}
	}
}

func TestBrokenEntryIsAMiss(t *testing.T) {
	t.Parallel()
	rdb := testenv.RedisClient(t)
	k := key(ours, growth.TaskSimple, "q")
	newCache(t, rdb).Put(t.Context(), k, entry("4"), time.Hour)
	digest := k.Name()
	name := "astrogrowth:llm:{" + string(ours) + "}:e:simple:" + hex.EncodeToString(digest[:])
	good, err := rdb.Get(t.Context(), name).Result()
	if err != nil {
		t.Fatal(err)
	}
	broken := map[string]string{"empty": "", "not compressed": "2xxxx", "another format": "?", "one byte": "1", "more behind": good + "x"}
	for i := range good {
		broken["cut at "+string(rune('0'+i))] = good[:i]
	}
	for what, v := range broken {
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
	k := key(ours, growth.TaskSimple, "q")
	c.Put(t.Context(), k, entry("4"), time.Hour)
	if has(t, c, k) {
		t.Error("an entry that no other process can see is served")
	}
	if _, found, release := c.Await(t.Context(), k, time.Hour); found {
		t.Error("found")
	} else {
		release()
	}
	if _, err := c.Forget(t.Context(), ours, cache.Selection{}); growth.CodeOf(err) != growth.Unavailable || err == nil {
		t.Errorf("forget: %v; want unavailable, not a silent nothing", err)
	}
}

// mute accepts connections and never says a word.
func mute(t *testing.T) redis.UniversalClient {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", t.TempDir()+"/mute")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var open []net.Conn
		for {
			c, err := l.Accept()
			if err != nil {
				for _, c := range open {
					_ = c.Close()
				}
				return
			}
			open = append(open, c)
		}
	}()
	rdb, err := tasks.Redis("redis-socket://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close(); _ = l.Close(); <-done })
	return rdb
}

// A Redis that hangs costs its time limit once, and nothing while it rests.
func TestRedisThatHangsIsAskedOnce(t *testing.T) {
	t.Parallel()
	c := newCache(t, mute(t), cache.Settings{Patience: 250 * time.Millisecond})
	k := key(ours, growth.TaskSimple, "q")
	began := time.Now()
	if has(t, c, k) {
		t.Error("found")
	}
	first := time.Since(began)
	if first > 2*time.Second { // 250 ms, and what a loaded machine adds
		t.Errorf("the first look-up took %v", first)
	}
	began = time.Now()
	calls := 0
	for ; time.Since(began) < 500*time.Millisecond; calls++ {
		has(t, c, k)
		c.Put(t.Context(), k, entry("x"), time.Hour)
		_, _, release := c.Await(t.Context(), k, time.Hour)
		release()
	}
	if calls < 100 {
		t.Errorf("only %d rounds in half a second: each waits for a Redis that hangs", calls)
	}
}
