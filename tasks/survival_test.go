package tasks_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/events"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

// onceEach is work whose effect is a row in the commit that ends the job.
func onceEach(_ context.Context, job *tasks.Job[chore]) error {
	return job.Complete(nil, func(ctx context.Context, tx *store.Tx) error {
		return tx.AddEvent(ctx, job.Job.Workspace, job.Job.ID, store.NewEvent{Type: "effect", Data: []byte(`{}`)})
	})
}

// effects counts the effects of each job.
func (p *plant) effects() (jobs, effects int) {
	p.t.Helper()
	return p.count(`SELECT count(DISTINCT job_id) FROM events WHERE type = 'effect'`), p.count(`SELECT count(*) FROM events WHERE type = 'effect'`)
}

func TestCancelReachesTheRunningWorker(t *testing.T) {
	t.Parallel()
	began, ended := make(chan struct{}), make(chan error, 1)
	p := newPlant(t).does(func(ctx context.Context, _ *tasks.Job[chore]) error {
		close(began)
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return ctx.Err()
	})
	id := p.enqueue(chore{}, growth.JobOptions{})
	arrives(t, "the job runs", began)
	asked := time.Now()
	if state, err := p.sc.CancelJob(t.Context(), id); err != nil || state != growth.JobRunning {
		t.Fatalf("cancel = %s, %v", state, err)
	}
	if cause := arrives(t, "the worker hears of it", ended); cause == nil {
		t.Error("the worker's context ended without a cause")
	}
	if took := time.Since(asked); took > 5*time.Second {
		t.Errorf("it took %v; a heartbeat is 2.5 s", took)
	}
	if j := p.becomes(id, growth.JobCanceled); j.Error != nil {
		t.Errorf("error = %+v; a wish is no failure", j.Error)
	}
	eventually(t, "asynq forgets the task", func() bool {
		_, err := p.inspect.GetTaskInfo(maintenance, string(id))
		return errors.Is(err, asynq.ErrTaskNotFound)
	})
}

func TestStopHandsTheJobBackAtOnce(t *testing.T) {
	t.Parallel()
	began := make(chan struct{})
	p := newPlant(t).does(func(ctx context.Context, _ *tasks.Job[chore]) error {
		close(began)
		<-ctx.Done()
		return ctx.Err()
	})
	id := p.enqueue(chore{}, growth.JobOptions{MaxAttempts: 1})
	arrives(t, "the job runs", began)
	p.stop()
	eventually(t, "the job is back in the queue", func() bool { return p.job(id).State == growth.JobQueued })
	for _, s := range p.servers {
		s.Shutdown()
	}
	if n := p.count(`SELECT epoch FROM jobs`); n > 3 {
		t.Errorf("epoch %d; the job went to and fro while the process stopped", n)
	}
	other := newPlantOn(t, p.s, p.ws, p.rdb)
	tasks.AddWorker[chore](other.runner, work(func(_ context.Context, job *tasks.Job[chore]) error { return done(job) }))
	other.relays().serves(growth.JobMaintenance)
	if j := other.becomes(id, growth.JobSucceeded); j.Attempts != 1 {
		t.Errorf("attempts = %d; a stop uses up none", j.Attempts)
	}
}

func TestLateResultOfALostLeaseIsDiscarded(t *testing.T) {
	t.Parallel()
	began, ended := make(chan struct{}), make(chan struct{})
	var runs atomic.Int32
	p := newPlant(t).does(func(ctx context.Context, job *tasks.Job[chore]) error {
		if runs.Add(1) > 1 {
			return done(job)
		}
		close(began)
		<-ctx.Done() // the heartbeat finds out
		close(ended)
		return job.Complete("late", nil)
	})
	id := p.enqueue(chore{"prompt"}, growth.JobOptions{})
	arrives(t, "the job runs", began)
	p.exec(`UPDATE jobs SET lease_until = now() - interval '1 second' WHERE id = $1`, id)
	p.must(p.recon.Sweep(t.Context()))
	arrives(t, "the first worker is told", ended)
	if j := p.becomes(id, growth.JobSucceeded); string(j.Result) != `{"did": "prompt"}` || j.Attempts != 2 {
		t.Errorf("result %s after %d attempts; want the second worker's", j.Result, j.Attempts)
	}
}

// A worker that dies without a word: its claim is made by hand and never extended.
func TestJobOfADeadWorkerIsDoneByAnother(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	id := p.enqueue(chore{}, growth.JobOptions{})
	if _, ok, err := p.s.Claim(t.Context(), id, 0, "dead", tasks.Lease); err != nil || !ok {
		t.Fatal(ok, err)
	}
	p.does(onceEach)
	p.must(p.recon.Sweep(t.Context()))
	if s := p.job(id).State; s != growth.JobRunning {
		t.Fatalf("a live lease was swept: %s", s)
	}
	p.exec(`UPDATE jobs SET lease_until = now() - interval '1 second'`)
	p.must(p.recon.Sweep(t.Context()))
	if j := p.becomes(id, growth.JobSucceeded); j.Attempts != 2 {
		t.Errorf("attempts = %d; want 2", j.Attempts)
	}
	if jobs, effects := p.effects(); jobs != 1 || effects != 1 {
		t.Errorf("%d effects; want 1", effects)
	}
}

func TestRedisThatLostEverythingIsRepaired(t *testing.T) {
	t.Parallel()
	p := newPlant(t).relays()
	for _, lane := range []growth.Priority{growth.PriorityHigh, growth.PriorityNormal, growth.PriorityLow} {
		p.enqueue(chore{string(lane)}, growth.JobOptions{Priority: lane})
	}
	eventually(t, "all are in Redis", func() bool { return p.count(`SELECT count(*) FROM jobs WHERE dispatched_at IS NULL`) == 0 })
	p.must(p.rdb.FlushDB(t.Context()).Err())
	tasks.AddWorker[chore](p.runner, work(onceEach))
	p.serves(growth.JobMaintenance)
	p.must(p.recon.Compare(t.Context(), 0))
	eventually(t, "all are done", func() bool { return p.count(`SELECT count(*) FROM jobs WHERE state <> 'succeeded'`) == 0 })
	if jobs, effects := p.effects(); jobs != 3 || effects != 3 {
		t.Errorf("%d jobs with %d effects; want 3", jobs, effects)
	}
	queues, err := p.inspect.Queues()
	p.must(err)
	if len(queues) != len(tasks.Lanes()) {
		t.Errorf("the dashboard sees %v; want every lane again", queues)
	}
}

func TestRedisLostWhileAJobRuns(t *testing.T) {
	t.Parallel()
	began, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	p := newPlant(t).does(func(ctx context.Context, job *tasks.Job[chore]) error {
		once.Do(func() { close(began) })
		<-release
		return onceEach(ctx, job)
	})
	id := p.enqueue(chore{}, growth.JobOptions{})
	arrives(t, "the job runs", began)
	p.must(p.rdb.FlushDB(t.Context()).Err())
	p.must(p.recon.Compare(t.Context(), 0))
	if r := p.count(`SELECT epoch FROM jobs`); r != 0 {
		t.Errorf("a running job was handed over again: epoch %d", r)
	}
	close(release)
	p.becomes(id, growth.JobSucceeded)
	if _, effects := p.effects(); effects != 1 {
		t.Errorf("%d effects; want 1", effects)
	}
}

// An id that lies in asynq's archive, or whose hash is a ghost, cannot be used again; a new epoch is a new id.
func TestPoisonedIdIsPassedBy(t *testing.T) {
	t.Parallel()
	for name, poison := range map[string]func(p *plant, id growth.JobID) error{
		"archived": func(p *plant, id growth.JobID) error { return p.inspect.ArchiveTask(maintenance, string(id)) },
		"ghost": func(p *plant, id growth.JobID) error {
			if err := p.rdb.FlushDB(p.t.Context()).Err(); err != nil {
				return err
			}
			return p.rdb.HSet(p.t.Context(), "asynq:{maintenance}:t:"+string(id), "result", "x").Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlant(t).relays()
			id := p.enqueue(chore{}, growth.JobOptions{})
			eventually(t, "it is in Redis", func() bool { return p.count(`SELECT count(*) FROM jobs WHERE dispatched_at IS NOT NULL`) == 1 })
			p.must(poison(p, id))
			tasks.AddWorker[chore](p.runner, work(onceEach))
			p.serves(growth.JobMaintenance)
			p.must(p.recon.Compare(t.Context(), 0))
			p.becomes(id, growth.JobSucceeded)
		})
	}
}

func TestNotKnowingIsNotLosing(t *testing.T) {
	t.Parallel()
	p := newPlant(t).relays()
	p.enqueue(chore{}, growth.JobOptions{})
	eventually(t, "it is in Redis", func() bool { return p.count(`SELECT count(*) FROM jobs WHERE dispatched_at IS NOT NULL`) == 1 })
	p.recon.Redis = unreachable(t)
	p.must(p.recon.Compare(t.Context(), 0))
	if n := p.count(`SELECT count(*) FROM jobs WHERE epoch = 0 AND dispatched_at IS NOT NULL`); n != 1 {
		t.Error("a job was handed over again although Redis could not be asked")
	}
}

func TestCompareSparesWhatRedisHolds(t *testing.T) {
	t.Parallel()
	p := newPlant(t).relays()
	for _, lane := range []growth.Priority{growth.PriorityHigh, growth.PriorityNormal, growth.PriorityLow} {
		p.enqueue(chore{}, growth.JobOptions{Priority: lane})
	}
	eventually(t, "all are in Redis", func() bool { return p.count(`SELECT count(*) FROM jobs WHERE dispatched_at IS NOT NULL`) == 3 })
	p.must(p.recon.Compare(t.Context(), 0))
	if n := p.count(`SELECT count(*) FROM jobs WHERE epoch = 0`); n != 3 {
		t.Errorf("%d of 3 were left alone", n)
	}
}

func TestJobsAreAcceptedWhileRedisIsDown(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	down := tasks.NewRelay(p.s, unreachable(t), zerolog.Nop())
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { down.Run(ctx) })
	queue := tasks.NewQueue(p.s, down)
	var ids []growth.JobID
	for range 20 {
		out, err := queue.Enqueue(t.Context(), p.ws.ID, tasks.Submission{Args: chore{}})
		p.must(err)
		ids = append(ids, out[0].ID)
	}
	cancel()
	wg.Wait()
	if n := p.count(`SELECT count(*) FROM jobs WHERE dispatched_at IS NOT NULL`); n != 0 {
		t.Errorf("%d jobs count as handed over", n)
	}
	p.does(onceEach)
	for _, id := range ids {
		p.becomes(id, growth.JobSucceeded)
	}
}

func TestStepRunsOnceInAJobsLife(t *testing.T) {
	t.Parallel()
	var steps, runs atomic.Int32
	p := newPlant(t).does(func(ctx context.Context, job *tasks.Job[chore]) error {
		n, err := tasks.Step(ctx, job.Claim, "count", func(context.Context) (int32, error) { return steps.Add(1), nil })
		if err != nil {
			return err
		}
		if runs.Add(1) < 3 {
			return growth.Errorf(growth.Unavailable, "x", "down")
		}
		return job.Complete(n, nil)
	})
	id := p.enqueue(chore{}, growth.JobOptions{})
	for range 2 {
		p.becomes(id, growth.JobRetrying)
		eventually(t, "asynq holds the task", func() bool { return len(p.inRetry(maintenance)) == 1 })
		p.must(p.inspect.RunTask(maintenance, string(id)))
		eventually(t, "it is taken", func() bool { return len(p.inRetry(maintenance)) == 0 })
	}
	if j := p.becomes(id, growth.JobSucceeded); string(j.Result) != "1" || steps.Load() != 1 || j.Attempts != 3 {
		t.Errorf("result %s, the step ran %d times in %d attempts; want 1, once, 3", j.Result, steps.Load(), j.Attempts)
	}
}

func TestStepThatFailsIsRunAgain(t *testing.T) {
	t.Parallel()
	var steps atomic.Int32
	p := newPlant(t).does(func(ctx context.Context, job *tasks.Job[chore]) error {
		n, err := tasks.Step(ctx, job.Claim, "count", func(context.Context) (int32, error) {
			if steps.Add(1) == 1 {
				return 0, growth.Errorf(growth.Unavailable, "x", "down")
			}
			return 7, nil
		})
		if err != nil {
			return err
		}
		return job.Complete(n, nil)
	})
	id := p.enqueue(chore{}, growth.JobOptions{})
	p.becomes(id, growth.JobRetrying)
	eventually(t, "asynq holds the task", func() bool { return len(p.inRetry(maintenance)) == 1 })
	p.must(p.inspect.RunTask(maintenance, string(id)))
	if j := p.becomes(id, growth.JobSucceeded); string(j.Result) != "7" || steps.Load() != 2 {
		t.Errorf("result %s after %d runs of the step", j.Result, steps.Load())
	}
}

func TestListenersHearOfTheEnd(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	var bus events.Bus
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { bus.Run(ctx, p.rdb) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	p.runner.Notify(p.rdb)
	p.does(func(_ context.Context, job *tasks.Job[chore]) error { return done(job) })
	notices, stop := bus.Listen(p.ws.ID, "")
	defer stop()
	eventually(t, "the bus is on the channel", func() bool {
		n, err := p.rdb.PubSubNumSub(ctx, "astrogrowth:events").Result()
		return err == nil && n["astrogrowth:events"] > 0
	})
	id := p.enqueue(chore{}, growth.JobOptions{})
	if n := arrives(t, "a notice", notices); n.JobID != id || n.Type != "job.succeeded" {
		t.Errorf("notice = %+v", n)
	}
}
