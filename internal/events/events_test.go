package events_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/events"
	"github.com/zakibelm/astrogrowth/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(testenv.Around(m)) }

// running starts a bus and waits until it is on the channel. Each test has workspaces of its own: Pub/Sub knows no
// databases.
func running(t *testing.T, rdb redis.UniversalClient) *events.Bus {
	t.Helper()
	b := &events.Bus{}
	ctx, cancel := context.WithCancel(context.Background())
	before := onChannel(t, rdb)
	var wg sync.WaitGroup
	wg.Go(func() { b.Run(ctx, rdb) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	end := time.After(10 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for onChannel(t, rdb) <= before {
		select {
		case <-tick.C:
		case <-end:
			t.Fatal("the bus does not listen")
		}
	}
	return b
}

func onChannel(t *testing.T, rdb redis.UniversalClient) int64 {
	t.Helper()
	n, err := rdb.PubSubNumSub(t.Context(), "astrogrowth:events").Result()
	if err != nil {
		t.Fatal(err)
	}
	return n["astrogrowth:events"]
}

func workspace() growth.WorkspaceID { return growth.WorkspaceID(growth.NewID()) }

func publish(t *testing.T, rdb redis.UniversalClient, list ...events.Notice) {
	t.Helper()
	for _, n := range list {
		if err := events.Publish(t.Context(), rdb, n); err != nil {
			t.Fatal(err)
		}
	}
}

func next(t *testing.T, ch <-chan events.Notice) events.Notice {
	t.Helper()
	select {
	case n := <-ch:
		return n
	case <-time.After(10 * time.Second):
		t.Fatal("no notice")
		panic("unreachable")
	}
}

func TestListenersHearTheirOwn(t *testing.T) {
	rdb := testenv.RedisClient(t)
	bus := running(t, rdb)
	ours, theirs := workspace(), workspace()
	whole, stop := bus.Listen(ours, "")
	defer stop()
	job, stopJob := bus.Listen(ours, "j2")
	defer stopJob()
	foreign, stopForeign := bus.Listen(theirs, "")
	defer stopForeign()
	first, second := events.Notice{Workspace: ours, JobID: "j1", Type: "job.succeeded"}, events.Notice{Workspace: ours, JobID: "j2", Type: "job.failed"}
	last := events.Notice{Workspace: theirs, JobID: "j3", Type: "job.succeeded"}
	publish(t, rdb, first, second, last)
	if got := next(t, foreign); got != last {
		t.Errorf("the other workspace heard %+v", got)
	}
	if a, b := next(t, whole), next(t, whole); a != first || b != second {
		t.Errorf("the workspace heard %+v, %+v", a, b)
	}
	if got := next(t, job); got != second || len(job) != 0 {
		t.Errorf("the job's listener heard %+v and %d more", got, len(job))
	}
}

func TestNoticesReachEveryProcess(t *testing.T) {
	rdb := testenv.RedisClient(t)
	one, two := running(t, rdb), running(t, rdb)
	ws := workspace()
	a, stopA := one.Listen(ws, "")
	defer stopA()
	b, stopB := two.Listen(ws, "")
	defer stopB()
	publish(t, rdb, events.Notice{Workspace: ws, JobID: "j"})
	if next(t, a) != next(t, b) {
		t.Error("two processes heard different things")
	}
}

// One listener that does not keep up must not hold up the others.
func TestSlowListenerMissesNoticesAlone(t *testing.T) {
	rdb := testenv.RedisClient(t)
	bus := running(t, rdb)
	ws := workspace()
	slow, stopSlow := bus.Listen(ws, "")
	defer stopSlow()
	last, stopLast := bus.Listen(ws, "last")
	defer stopLast()
	for range 100 {
		publish(t, rdb, events.Notice{Workspace: ws, JobID: "x"})
	}
	publish(t, rdb, events.Notice{Workspace: ws, JobID: "last"})
	next(t, last)
	if n := len(slow); n == 0 || n >= 100 {
		t.Errorf("the slow listener has %d waiting; want some and not all", n)
	}
}

func TestStoppedListenerHearsNothing(t *testing.T) {
	rdb := testenv.RedisClient(t)
	bus := running(t, rdb)
	ws := workspace()
	gone, stop := bus.Listen(ws, "")
	here, stopHere := bus.Listen(ws, "")
	defer stopHere()
	stop()
	publish(t, rdb, events.Notice{Workspace: ws, JobID: "x"})
	next(t, here)
	if len(gone) != 0 {
		t.Error("a stopped listener heard something")
	}
}

func TestForeignMessageIsPassedBy(t *testing.T) {
	rdb := testenv.RedisClient(t)
	bus := running(t, rdb)
	ws := workspace()
	ch, stop := bus.Listen(ws, "")
	defer stop()
	if err := rdb.Publish(t.Context(), "astrogrowth:events", "not json").Err(); err != nil {
		t.Fatal(err)
	}
	publish(t, rdb, events.Notice{Workspace: ws, JobID: "x"})
	next(t, ch)
}

func TestPublishDoesNotWaitForARedisThatIsDown(t *testing.T) {
	rdb := redis.NewClient(&redis.Options{Network: "unix", Addr: t.TempDir() + "/none", MaxRetries: -1, DialerRetries: 1})
	t.Cleanup(func() { _ = rdb.Close() })
	began := time.Now()
	if err := events.Publish(t.Context(), rdb, events.Notice{}); err == nil || time.Since(began) > 3*time.Second {
		t.Errorf("error %v after %v", err, time.Since(began))
	}
}
