package cache_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/router/cache"
)

func TestAwaitGivesTheAnswerOfTheOneWhoMakesIt(t *testing.T) {
	t.Parallel()
	rdb := testenv.RedisClient(t)
	k := key(ours, growth.TaskSimple, "q")
	holder := newCache(t, rdb)
	_, found, release := holder.Await(t.Context(), k, time.Minute)
	if found {
		t.Fatal("found in an empty cache")
	}
	var wg sync.WaitGroup
	for range 4 {
		other := newCache(t, rdb)
		wg.Go(func() {
			e, found, release := other.Await(t.Context(), k, time.Minute)
			defer release()
			if !found || e.Text != "4" {
				t.Errorf("found %v: %q", found, e.Text)
			}
		})
	}
	holder.Put(t.Context(), k, entry("4"), time.Hour)
	release()
	wg.Wait()
}

func TestAwaitDoesNotWaitForAnotherWorkspace(t *testing.T) {
	t.Parallel()
	c := newCache(t, testenv.RedisClient(t))
	_, _, release := c.Await(t.Context(), key(ours, growth.TaskSimple, "q"), time.Minute)
	defer release()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _, release := c.Await(t.Context(), key(theirs, growth.TaskSimple, "q"), time.Minute)
		release()
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Error("it waits")
		release()
		<-done
	}
}

// When the one who makes the answer gives up, exactly one of those who wait goes on.
func TestAwaitLetsOneTakeOver(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"gave up", "died"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			rdb := testenv.RedisClient(t)
			k := key(ours, growth.TaskSimple, "q")
			s := cache.Settings{Lease: 300 * time.Millisecond}
			holder := newCache(t, rdb, s)
			_, _, release := holder.Await(t.Context(), k, time.Minute)
			if how == "died" { // it says nothing more; its lease is left behind
				release()
				abandon(t, rdb, k, 300*time.Millisecond)
				release = func() {}
			}
			var makers, answers atomic.Int64
			var wg sync.WaitGroup
			for range 6 {
				other := newCache(t, rdb, s)
				wg.Go(func() {
					_, found, release := other.Await(t.Context(), k, time.Minute)
					defer release()
					if found {
						answers.Add(1)
						return
					}
					makers.Add(1)
					other.Put(t.Context(), k, entry("4"), time.Hour)
				})
			}
			release()
			wg.Wait()
			if makers.Load() != 1 || answers.Load() != 5 {
				t.Errorf("%d made it, %d were served; want 1 and 5", makers.Load(), answers.Load())
			}
		})
	}
}

func TestAwaitKeepsTheLeaseOfALongCall(t *testing.T) {
	t.Parallel()
	rdb := testenv.RedisClient(t)
	k := key(ours, growth.TaskSimple, "q")
	s := cache.Settings{Lease: 200 * time.Millisecond}
	holder, other := newCache(t, rdb, s), newCache(t, rdb, s)
	_, _, release := holder.Await(t.Context(), k, time.Minute)
	defer release()
	began := time.Now()
	e, found, none := other.Await(t.Context(), k, time.Second) // five leases long
	defer none()
	if found || time.Since(began) < 900*time.Millisecond {
		t.Errorf("found %v (%q) after %v; want nothing when its patience ends", found, e.Text, time.Since(began))
	}
}

func TestAwaitEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	rdb := testenv.RedisClient(t)
	k := key(ours, growth.TaskSimple, "q")
	holder, other := newCache(t, rdb), newCache(t, rdb)
	_, _, release := holder.Await(t.Context(), k, time.Minute)
	defer release()
	ctx, leave := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, found, release := other.Await(ctx, k, time.Hour)
		defer release()
		if found {
			t.Error("found")
		}
	}()
	leave()
	<-done
	if has(t, other, k) { // a caller who left says nothing about Redis, which is asked again
		t.Error("found")
	}
	other.Put(t.Context(), k, entry("4"), time.Hour)
	if !has(t, holder, k) {
		t.Error("Redis rests because a caller left")
	}
}

// A holder whose lease was taken over does not take it away from the new one.
func TestReleaseLeavesAnotherOnesLease(t *testing.T) {
	t.Parallel()
	rdb := testenv.RedisClient(t)
	k := key(ours, growth.TaskSimple, "q")
	c := newCache(t, rdb)
	_, _, release := c.Await(t.Context(), k, time.Minute)
	abandon(t, rdb, k, time.Hour)
	release()
	if n := rdb.Exists(t.Context(), leaseName(k)).Val(); n != 1 {
		t.Error("the lease is gone")
	}
}
