package tasks_test

import (
	"context"
	"sync"
	"testing"

	"github.com/hibiken/asynq"
	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/tasks"
)

const benchConcurrency = 256

// finishLine is closed when n deliveries have been handled.
type finishLine struct {
	mu   sync.Mutex
	left int
	done chan struct{}
}

func newFinishLine(n int) *finishLine { return &finishLine{left: n, done: make(chan struct{})} }

func (f *finishLine) cross() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left--; f.left == 0 {
		close(f.done)
	}
}

// BenchmarkDurableJob runs jobs from their acceptance to their committed end: claim, two kept steps, finish. The work
// itself is nothing. Hold it against BenchmarkBareAsynq of the same run.
func BenchmarkDurableJob(b *testing.B) { benchDurable(b, newPlant(b)) }

func benchDurable(b *testing.B, p *plant) {
	b.Helper()
	step := func(context.Context) (int, error) { return 1, nil }
	tasks.AddWorker[chore](p.runner, work(func(ctx context.Context, job *tasks.Job[chore]) error {
		for _, name := range []string{"one", "two"} {
			if _, err := tasks.Step(ctx, job.Claim, name, step); err != nil {
				return err
			}
		}
		return done(job)
	}))
	line := newFinishLine(b.N)
	srv := tasks.Server(p.rdb, tasks.Group{Queue: maintenance, Concurrency: benchConcurrency}, zerolog.Nop())
	p.must(srv.Start(asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
		defer line.cross()
		return p.runner.Handle(ctx, t)
	})))
	b.Cleanup(srv.Shutdown)
	p.relays()
	b.ResetTimer()
	before := cpu(b)
	for n := 0; n < b.N; n += 100 {
		subs := make([]tasks.Submission, min(100, b.N-n))
		for i := range subs {
			subs[i] = tasks.Submission{Args: chore{"bench"}}
		}
		_, err := p.queue.Enqueue(b.Context(), p.ws.ID, subs...)
		p.must(err)
	}
	<-line.done
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
	cpu(b).since(before).report(b)
	b.StopTimer()
	if n := p.count(`SELECT count(*) FROM jobs WHERE state <> 'succeeded'`); n != 0 {
		b.Errorf("%d jobs are not done", n)
	}
}

// BenchmarkBareAsynq runs tasks that do nothing through the same Redis, with asynq alone.
func BenchmarkBareAsynq(b *testing.B) {
	rdb := testenv.RedisClient(b)
	line := newFinishLine(b.N)
	srv := tasks.Server(rdb, tasks.Group{Queue: maintenance, Concurrency: benchConcurrency}, zerolog.Nop())
	if err := srv.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { line.cross(); return nil })); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(srv.Shutdown)
	client := asynq.NewClientFromRedisClient(rdb)
	payload := []byte(`{"job_id":"` + growth.NewID() + `"}`)
	b.ResetTimer()
	before := cpu(b)
	for range b.N {
		if _, err := client.EnqueueContext(b.Context(), asynq.NewTask("bench", payload), asynq.Queue(maintenance), asynq.TaskID(growth.NewID())); err != nil {
			b.Fatal(err)
		}
	}
	<-line.done
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
	cpu(b).since(before).report(b)
}
