package store

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// till is a group whose statements wait until they are let go, and are written down.
type till struct {
	group[int, int]

	mu      sync.Mutex
	batches [][]int
	let     chan struct{}
}

var errSpoiled = growth.Errorf(growth.Internal, "test", "a row cannot be written")

// newTill doubles numbers; a statement that holds bad fails as a whole.
func newTill(bad int, fault error) *till {
	k := &till{let: make(chan struct{})}
	k.run = func(_ context.Context, qs []int) ([]int, error) {
		k.mu.Lock()
		k.batches = append(k.batches, slices.Clone(qs))
		k.mu.Unlock()
		<-k.let
		if slices.Contains(qs, bad) {
			return nil, fault
		}
		out := make([]int, len(qs))
		for i, q := range qs {
			out[i] = 2 * q
		}
		return out, nil
	}
	return k
}

func (k *till) call(wg *sync.WaitGroup, n int, check func(int, error)) {
	wg.Go(func() { check(k.do(context.Background(), n)) })
}

func TestGroupSharesAStatementAmongThoseWhoWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newTill(-1, nil)
		var wg sync.WaitGroup
		for i := range 10 {
			k.call(&wg, i, func(got int, err error) {
				if got != 2*i || err != nil {
					t.Errorf("%d became %d, %v", i, got, err)
				}
			})
			synctest.Wait() // each has come before the next does
		}
		close(k.let)
		wg.Wait()
		time.Sleep(time.Second) // the group looks once more for others
		if len(k.batches) != 3 || len(k.batches[0]) != 1 || len(k.batches[1]) != 1 || len(k.batches[2]) != 8 {
			t.Errorf("statements = %v; want two alone, and one with all that came while those ran", k.batches)
		}
	})
}

func TestGroupOneBadRequestFailsAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newTill(7, errSpoiled)
		var wg sync.WaitGroup
		for i := range 10 {
			k.call(&wg, i, func(got int, err error) {
				if bad := i == 7; bad != errors.Is(err, errSpoiled) || !bad && got != 2*i {
					t.Errorf("%d became %d, %v", i, got, err)
				}
			})
			synctest.Wait()
		}
		close(k.let)
		wg.Wait()
		time.Sleep(time.Second) // the group looks once more for others
	})
}

// A database that cannot be reached is not asked again for each of those who wait.
func TestGroupDoesNotSplitWhatTheDatabaseCouldNotTake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newTill(7, growth.Errorf(growth.Unavailable, "test", "down"))
		var wg sync.WaitGroup
		for i := range 10 {
			k.call(&wg, i, func(_ int, err error) {
				if (i >= 2) != (growth.CodeOf(err) == growth.Unavailable && err != nil) {
					t.Errorf("%d: %v", i, err)
				}
			})
			synctest.Wait()
		}
		close(k.let)
		wg.Wait()
		time.Sleep(time.Second) // the group looks once more for others
		if len(k.batches) != 3 {
			t.Errorf("%d statements; want 3", len(k.batches))
		}
	})
}

func TestGroupCallerLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newTill(-1, nil)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := k.do(ctx, 1); !errors.Is(err, context.Canceled) {
				t.Errorf("err = %v; want canceled", err)
			}
		})
		synctest.Wait()
		cancel()
		wg.Wait()
		if _, err := k.do(ctx, 2); !errors.Is(err, context.Canceled) {
			t.Errorf("err = %v; want canceled", err)
		}
		close(k.let)
		time.Sleep(time.Second)
		if len(k.batches) != 1 {
			t.Errorf("statements = %v; who had left before asking must not be served", k.batches)
		}
	})
}

// A caller who leaves in the moment of the answer has none: what it is given is not what is being written just then.
func TestGroupGivesNothingToWhoLeavesInTheMomentOfTheAnswer(t *testing.T) {
	t.Parallel()
	var leave context.CancelFunc
	g := group[int, int]{run: func(_ context.Context, qs []int) ([]int, error) {
		leave()
		return qs, nil
	}}
	for range 500 {
		ctx, cancel := context.WithCancel(context.Background())
		leave = cancel
		if got, err := g.do(ctx, 21); err == nil && got != 21 || err != nil && got != 0 {
			t.Errorf("got %d, %v", got, err)
		}
		for served := false; !served; runtime.Gosched() {
			g.mu.Lock()
			served = g.running == 0
			g.mu.Unlock()
		}
		cancel()
	}
}
