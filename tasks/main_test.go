package tasks_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(testenv.Around(m)) }

// chore is the argument of a job whose work the test writes.
type chore struct {
	Name string `json:"name"`
}

func (chore) Type() growth.JobType { return growth.JobMaintenance }
func (chore) Validate() error      { return nil }

// work is a worker of chores.
type work func(ctx context.Context, job *tasks.Job[chore]) error

func (w work) Work(ctx context.Context, job *tasks.Job[chore]) error { return w(ctx, job) }

// plant is a process with everything: a store and a Redis of its own, a relay, a runner and its servers.
type plant struct {
	t       testing.TB
	s       *store.Store
	ws      growth.Workspace
	sc      store.Scoped
	rdb     redis.UniversalClient
	relay   *tasks.Relay
	queue   *tasks.Queue
	runner  *tasks.Runner
	inspect *asynq.Inspector
	recon   *tasks.Reconciler
	stop    context.CancelFunc // asks the runner to hand its jobs back
	servers []*asynq.Server

	relaying bool // relays was called

	mu      sync.Mutex
	reports []error
}

// newPlant builds a plant at rest: see relays and serves.
func newPlant(t testing.TB) *plant {
	t.Helper()
	s := testenv.Store(t)
	return newPlantOn(t, s, testenv.Workspace(t, s), testenv.RedisClient(t))
}

// newPlantOn is another process on the same stores.
func newPlantOn(t testing.TB, s *store.Store, ws growth.Workspace, rdb redis.UniversalClient) *plant {
	t.Helper()
	p := &plant{t: t, s: s, ws: ws, sc: s.In(ws.ID), rdb: rdb, inspect: asynq.NewInspectorFromRedisClient(rdb)}
	p.relay = tasks.NewRelay(s, rdb, zerolog.Nop())
	p.queue = tasks.NewQueue(s, p.relay)
	stopping, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	p.stop = stop
	p.runner = tasks.NewRunner(stopping, s, p.relay, "test", zerolog.Nop(), func(_ context.Context, err error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.reports = append(p.reports, err)
	})
	p.recon = &tasks.Reconciler{Store: s, Redis: rdb, Relay: p.relay, Log: zerolog.Nop()}
	return p
}

// relays hands jobs to Redis until the test ends. A relay is run by one goroutine.
func (p *plant) relays() *plant {
	p.t.Helper()
	if p.relaying {
		p.t.Fatal("this relay runs already")
	}
	p.relaying = true
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { p.relay.Run(ctx) })
	p.t.Cleanup(func() { cancel(); wg.Wait() })
	return p
}

// serves runs the jobs of a kind until the test ends.
func (p *plant) serves(kinds ...growth.JobType) *plant {
	p.t.Helper()
	for _, k := range kinds {
		group := tasks.Group{Queue: k.Queue(), Concurrency: 4}
		p.runner.Share(group)
		srv := tasks.Server(p.rdb, group, zerolog.Nop())
		if err := srv.Start(asynq.HandlerFunc(p.runner.Handle)); err != nil {
			p.t.Fatal(err)
		}
		p.servers = append(p.servers, srv)
		p.t.Cleanup(func() { p.stop(); srv.Shutdown() })
	}
	return p
}

// does runs chores with w until the test ends.
func (p *plant) does(w work) *plant {
	p.t.Helper()
	tasks.AddWorker[chore](p.runner, w)
	return p.relays().serves(growth.JobMaintenance)
}

func (p *plant) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// enqueue accepts one job.
func (p *plant) enqueue(args tasks.Args, options growth.JobOptions) growth.JobID {
	p.t.Helper()
	out, err := p.queue.Enqueue(p.t.Context(), p.ws.ID, tasks.Submission{Args: args, Options: options, TraceID: "trace-1"})
	p.must(err)
	return out[0].ID
}

func (p *plant) job(id growth.JobID) growth.Job {
	p.t.Helper()
	j, err := p.sc.Job(p.t.Context(), id)
	p.must(err)
	return j
}

// eventually waits until ok says yes.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(25 * time.Millisecond) // each look is a question to Postgres
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("still not after a minute: %s", what)
		}
	}
}

// becomes waits for a job to reach a state.
func (p *plant) becomes(id growth.JobID, want growth.JobState) growth.Job {
	p.t.Helper()
	var j growth.Job
	eventually(p.t, "the job is "+string(want), func() bool {
		j = p.job(id)
		if j.State.Final() && j.State != want {
			p.t.Fatalf("the job is %s (%+v); want %s", j.State, j.Error, want)
		}
		return j.State == want
	})
	return j
}

// arrives waits for something on a channel.
func arrives[T any](t testing.TB, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(time.Minute):
		t.Fatalf("still not after a minute: %s", what)
		panic("unreachable")
	}
}

// inRetry lists the tasks that asynq will deliver again.
func (p *plant) inRetry(queue string) []*asynq.TaskInfo {
	p.t.Helper()
	list, err := p.inspect.ListRetryTasks(queue)
	p.must(err)
	return list
}

func (p *plant) archived(queue string) []*asynq.TaskInfo {
	p.t.Helper()
	list, err := p.inspect.ListArchivedTasks(queue)
	p.must(err)
	return list
}

// reported lists what was reported for a person to see.
func (p *plant) reported() []error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]error(nil), p.reports...)
}

// exec changes rows behind the store's back.
func (p *plant) exec(query string, args ...any) {
	p.t.Helper()
	if _, err := testenv.SQL(p.t, p.s).ExecContext(p.t.Context(), query, args...); err != nil {
		p.t.Fatal(err)
	}
}

func (p *plant) count(query string, args ...any) int {
	p.t.Helper()
	var n int
	p.must(testenv.SQL(p.t, p.s).QueryRowContext(p.t.Context(), query, args...).Scan(&n))
	return n
}

func done(job *tasks.Job[chore]) error {
	return job.Complete(map[string]string{"did": job.Args.Name}, nil)
}

// unreachable is a client of a Redis that is down.
func unreachable(t testing.TB) redis.UniversalClient {
	t.Helper()
	rdb, err := tasks.Redis("redis-socket://" + t.TempDir() + "/none.sock?max_retries=-1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}
