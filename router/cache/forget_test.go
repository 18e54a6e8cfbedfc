package cache_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/router/cache"
)

func TestInvalidateByPattern(t *testing.T) {
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
				"simple-1": key(ours, growth.TaskSimple, 1), "simple-2": key(ours, growth.TaskSimple, 2),
				"analysis": key(ours, growth.TaskAnalysis, 1), "theirs": key(theirs, growth.TaskSimple, 1),
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
				if has(t, c, keys[name]) {
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
	for _, p := range []string{"poetry", "*:" + string(theirs), "llm:cache:*:simple", "[a-z]*", "{" + string(theirs) + "}", "llm:cache:" + string(theirs) + ":*"} {
		if _, err := c.Invalidate(t.Context(), ours, p); growth.CodeOf(err) != growth.Invalid || err == nil {
			t.Errorf("%q: %v; want invalid", p, err)
		}
	}
}

func TestForgetTakesOutWhatIsSelected(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		s    cache.Selection
		left []string
	}{
		"a model":           {cache.Selection{Model: "b/two"}, []string{"one"}},
		"its name alone":    {cache.Selection{Model: "two"}, []string{"one"}},
		"no such model":     {cache.Selection{Model: "tw"}, []string{"one", "two", "analysis"}},
		"a model of a task": {cache.Selection{Task: growth.TaskAnalysis, Model: "two"}, []string{"one", "two"}},
		"a call":            {cache.Selection{Call: "call-one"}, []string{"two", "analysis"}},
		"a job":             {cache.Selection{Job: "job-two"}, []string{"one", "analysis"}},
		"a job it served":   {cache.Selection{Job: "job-later"}, []string{"two", "analysis"}},
		"a lead":            {cache.Selection{Lead: "lead-two"}, []string{"one", "analysis"}},
		"a lead it served":  {cache.Selection{Lead: "lead-later"}, []string{"two", "analysis"}},
		"nobody's call":     {cache.Selection{Call: "call-x"}, []string{"one", "two", "analysis"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCache(t, testenv.RedisClient(t))
			keys := map[string]cache.Key{
				"one": key(ours, growth.TaskSimple, 1), "two": key(ours, growth.TaskSimple, 2), "analysis": key(ours, growth.TaskAnalysis, 1),
			}
			for name, e := range map[string]cache.Entry{
				"one": {Provider: "a", Model: "one", Call: "call-one"}, "analysis": {Provider: "b", Model: "two", Call: "call-x2"},
				"two": {Provider: "b", Model: "two", Job: "job-two", Lead: "lead-two"},
			} {
				c.Put(t.Context(), keys[name], e, time.Hour)
			}
			c.Link(t.Context(), keys["one"], "job-later", "lead-later")
			foreign, err := c.Forget(t.Context(), theirs, tc.s)
			if err != nil || foreign != 0 {
				t.Errorf("another workspace took out %d, %v", foreign, err)
			}
			n, err := c.Forget(t.Context(), ours, tc.s)
			if err != nil || n != 3-len(tc.left) {
				t.Errorf("forgot %d, %v; want %d", n, err, 3-len(tc.left))
			}
			var left []string
			for _, name := range []string{"one", "two", "analysis"} {
				if has(t, c, keys[name]) {
					left = append(left, name)
				}
			}
			if diff := cmp.Diff(tc.left, left); diff != "" {
				t.Errorf("left (-want +got):\n%s", diff)
			}
		})
	}
}

func TestForgetTakesOutManyAndKeepsTheBooks(t *testing.T) {
	t.Parallel()
	c := newCache(t, testenv.RedisClient(t))
	for i := range 1200 {
		c.Put(t.Context(), key(ours, growth.TaskSimple, i), entry("x"), time.Hour)
	}
	n, err := c.Forget(t.Context(), ours, cache.Selection{Task: growth.TaskSimple})
	size, sizeErr := c.Size(t.Context(), ours)
	if n != 1200 || err != nil || sizeErr != nil || size != (cache.Size{}) {
		t.Errorf("forgot %d, %v; left %+v, %v", n, err, size, sizeErr)
	}
}

func TestInvalidationReachesOtherProcesses(t *testing.T) {
	t.Parallel()
	rdb := testenv.RedisClient(t)
	here, there := newCache(t, rdb), newCache(t, rdb)
	listening(t, there)
	k := key(ours, growth.TaskSimple, "q")
	here.Put(t.Context(), k, entry("4"), time.Hour)
	eventually(t, "the other process serves it by itself", func() bool { return local(there, k) })
	if _, err := here.Invalidate(t.Context(), ours, ""); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	eventually(t, "the other process has forgotten", func() bool { return !has(t, there, k) })
	t.Logf("forgotten elsewhere within %v", time.Since(began))
}

// A process that misses the message finds out by asking.
func TestInvalidationReachesAProcessThatMissesTheMessage(t *testing.T) {
	t.Parallel()
	rdb := testenv.RedisClient(t)
	there := newCache(t, rdb)
	listening(t, there)
	k := key(ours, growth.TaskSimple, "q")
	there.Put(t.Context(), k, entry("4"), time.Hour)
	eventually(t, "it serves by itself", func() bool { return local(there, k) })
	if err := rdb.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if err := rdb.Incr(t.Context(), "astrogrowth:llm:epoch").Err(); err != nil { // what an invalidation does beside its message
		t.Fatal(err)
	}
	began := time.Now()
	eventually(t, "the process asks", func() bool { return !has(t, there, k) })
	t.Logf("forgotten without a message within %v", time.Since(began))
	probe := key(ours, growth.TaskSimple, "is it sure again")
	there.Put(t.Context(), probe, entry("x"), time.Hour)
	eventually(t, "it serves by itself again", func() bool { return local(there, probe) })
	if _, ok := there.Peek(k); ok {
		t.Error("what was forgotten is served again")
	}
}

// An answer that was under way when its workspace was invalidated must not come back.
func TestInvalidationBeatsAnAnswerUnderWay(t *testing.T) {
	t.Parallel()
	rdb := testenv.RedisClient(t)
	one, two := newCache(t, rdb), newCache(t, rdb)
	k := key(ours, growth.TaskSimple, "q")
	before, _ := one.Get(t.Context(), k)
	if _, err := two.Invalidate(t.Context(), ours, ""); err != nil {
		t.Fatal(err)
	}
	old := entry("old")
	old.Seen = before.Seen
	one.Put(t.Context(), k, old, time.Hour)
	if has(t, one, k) || has(t, two, k) {
		t.Fatal("the old answer is served")
	}
	after, _, release := one.Await(t.Context(), k, time.Second)
	defer release()
	fresh := entry("fresh")
	fresh.Seen = after.Seen
	one.Put(t.Context(), k, fresh, time.Hour)
	if e, ok := two.Get(t.Context(), k); !ok || e.Text != "fresh" {
		t.Errorf("after it: %q, %v", e.Text, ok)
	}
	foreign, _ := one.Get(t.Context(), key(theirs, growth.TaskSimple, "q"))
	if foreign.Seen != 1 {
		t.Errorf("another workspace's answers under way are dropped too: %d", foreign.Seen)
	}
}
