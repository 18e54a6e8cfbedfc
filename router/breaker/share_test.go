package breaker_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/router/breaker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(testenv.Around(m)) }

// process is a set that shares with the others on the same Redis.
type process struct {
	*breaker.Set
	heard chan breaker.Change
	end   func()
}

// joins starts a process's sharing and waits until it listens. The name of the breaker differs from test to test,
// because Pub/Sub knows no databases.
func joins(t *testing.T, rdb redis.UniversalClient, name, breakerName string) *process {
	t.Helper()
	return joinsWith(t, rdb, name, breaker.Settings{Failures: 1}, breakerName)
}

func joinsWith(t *testing.T, rdb redis.UniversalClient, name string, s breaker.Settings, breakerName string) *process {
	t.Helper()
	p := &process{Set: breaker.New(s, name, breakerName), heard: make(chan breaker.Change, 100)}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	before := listeners(t, rdb)
	wg.Go(func() { p.Share(ctx, rdb, func(c breaker.Change) { p.heard <- c }) })
	p.end = func() { cancel(); wg.Wait() }
	t.Cleanup(p.end)
	within(t, "the process listens", 10*time.Second, func() bool { return listeners(t, rdb) > before })
	return p
}

func listeners(t *testing.T, rdb redis.UniversalClient) int64 {
	t.Helper()
	n, err := rdb.PubSubNumSub(t.Context(), "astrogrowth:breaker-changes").Result()
	if err != nil {
		t.Fatal(err)
	}
	return n["astrogrowth:breaker-changes"]
}

func within(t *testing.T, what string, d time.Duration, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	end := time.After(d)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("not within %v: %s", d, what)
		}
	}
}

func (p *process) state(name string) breaker.State { return p.Status()[name].State }

// These tests share one Pub/Sub channel, so they run one after the other.
func TestBreakersAreShared(t *testing.T) {
	name := "m-" + growth.NewID()
	rdb := testenv.RedisClient(t)
	one, two := joins(t, rdb, "one", name), joins(t, rdb, "two", name)
	open(t, one.Set, name)
	within(t, "the other process's breaker is open", time.Second, func() bool { return two.state(name) == breaker.Open })
	if a, b := one.Status()[name].Until, two.Status()[name].Until; a.Sub(b).Abs() > 10*time.Millisecond {
		t.Errorf("open until %v here and %v there", a, b)
	}
	if c := <-one.heard; c.State != breaker.Open || c.Name != name {
		t.Errorf("heard %+v", c)
	}
	three := joins(t, rdb, "three", name)
	within(t, "a process that starts later finds it open", time.Second, func() bool { return three.state(name) == breaker.Open })
	if err := two.Reset(t.Context(), rdb, name); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*process{one, two, three} {
		within(t, "the reset has arrived everywhere", time.Second, func() bool { return p.state(name) == breaker.Closed })
	}
	four := joins(t, rdb, "four", name)
	if s := four.state(name); s != breaker.Closed {
		t.Errorf("a process that starts after the reset finds it %s", s)
	}
	if n := len(three.heard) + len(four.heard); n != 0 {
		t.Errorf("%d changes of others were reported as one's own", n)
	}
	if c := <-two.heard; !c.Reset || c.State != breaker.Closed || len(two.heard) != 0 {
		t.Errorf("heard %+v and %d more; want its own reset alone", c, len(two.heard))
	}
}

func TestBreakersAreResetTogether(t *testing.T) {
	names := []string{"x-" + growth.NewID(), "y-" + growth.NewID()}
	rdb := testenv.RedisClient(t)
	one, two := joins(t, rdb, "one", names[0]), joins(t, rdb, "two", names[0])
	for _, n := range names {
		open(t, one.Set, n)
		within(t, "open there too", time.Second, func() bool { return two.state(n) == breaker.Open })
	}
	if err := two.Reset(t.Context(), rdb, ""); err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		within(t, "closed everywhere", time.Second, func() bool { return one.state(n) == breaker.Closed && two.state(n) == breaker.Closed })
	}
}

func TestBreakerOpeningThatIsPastIsNotLoaded(t *testing.T) {
	name := "m-" + growth.NewID()
	rdb := testenv.RedisClient(t)
	if err := rdb.HSet(t.Context(), "astrogrowth:breakers", name, `{"name":"`+name+`","state":"OPEN","until":"2020-01-01T00:00:00Z"}`, "other", `not json`).Err(); err != nil {
		t.Fatal(err)
	}
	if s := joins(t, rdb, "one", name).state(name); s != breaker.Closed {
		t.Errorf("state = %s", s)
	}
}

func TestBreakerWorksWithoutRedis(t *testing.T) {
	name := "m-" + growth.NewID()
	rdb := redis.NewClient(&redis.Options{Network: "unix", Addr: t.TempDir() + "/none", MaxRetries: -1, DialerRetries: 1})
	t.Cleanup(func() { _ = rdb.Close() })
	s := breaker.New(breaker.Settings{Failures: 1}, "one", name)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { s.Share(ctx, rdb, nil) })
	open(t, s, name)
	if err := s.Reset(t.Context(), rdb, name); err == nil {
		t.Error("a reset that others cannot hear of was called a success")
	}
	if st := s.Status()[name].State; st != breaker.Closed {
		t.Errorf("state here = %s; want closed", st)
	}
	cancel()
	wg.Wait()
}
