package tasks_test

import (
	"context"
	"flag"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/rs/zerolog"

	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/tasks"
)

// shop is a plant that serves one queue, for benchmarks.
func shop(b *testing.B, p *plant, concurrency int, w work) {
	b.Helper()
	tasks.AddWorker[chore](p.runner, w)
	srv := tasks.Server(p.rdb, tasks.Group{Queue: maintenance, Concurrency: concurrency}, zerolog.Nop())
	p.must(srv.Start(asynq.HandlerFunc(p.runner.Handle)))
	b.Cleanup(srv.Shutdown)
	p.relays()
}

// quantiles reports how long something took, in milliseconds.
func quantiles(b *testing.B, took []time.Duration, what string) {
	b.Helper()
	slices.Sort(took)
	for _, q := range []struct {
		name string
		at   float64
	}{{"p50", 0.5}, {"p99", 0.99}} {
		b.ReportMetric(float64(took[int(q.at*float64(len(took)-1))].Microseconds())/1000, q.name+"-ms-"+what)
	}
}

// smoke says that the benchmarks are only run to see that they run.
func smoke() bool {
	f := flag.Lookup("test.benchtime")
	return f != nil && f.Value.String() == "1x"
}

// BenchmarkIdleStart measures how long a job waits for its start when nothing else is to be done, and what the waiting
// costs: the processor time of a second in which nothing happens.
func BenchmarkIdleStart(b *testing.B) {
	p := newPlant(b)
	started := make(chan time.Time, 1)
	shop(b, p, 8, func(_ context.Context, job *tasks.Job[chore]) error {
		started <- time.Now()
		return done(job)
	})
	var took []time.Duration
	b.ResetTimer()
	for range b.N {
		_, err := p.queue.Enqueue(b.Context(), p.ws.ID, tasks.Submission{Args: chore{}})
		p.must(err)
		accepted := time.Now()
		took = append(took, (<-started).Sub(accepted))
		<-time.After(time.Duration(20+len(took)%90) * time.Millisecond) // the polls must not fall into step with the jobs
	}
	b.StopTimer()
	quantiles(b, took, "to-start")
	before := cpu(b)
	<-time.After(3 * time.Second)
	idle := cpu(b).since(before)
	b.ReportMetric((idle.program+idle.postgres+idle.redis)/3/10_000, "idle-cpu-%")
}

// BenchmarkLoneJob measures how long a job of one workspace waits behind another's backlog of 50,000, whose jobs take
// 200 ms each on 32 slots.
func BenchmarkLoneJob(b *testing.B) {
	p := newPlant(b)
	other := testenv.Workspace(b, p.s)
	started := make(chan time.Time, 1)
	shop(b, p, 32, func(ctx context.Context, job *tasks.Job[chore]) error {
		if job.Args.Name == "lone" {
			started <- time.Now()
			return done(job)
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
		}
		return done(job)
	})
	subs := make([]tasks.Submission, 10_000)
	if smoke() {
		subs = subs[:200]
	}
	for i := range subs {
		subs[i] = tasks.Submission{Args: chore{"big"}}
	}
	for range 5 {
		_, err := p.queue.Enqueue(b.Context(), p.ws.ID, subs...)
		p.must(err)
	}
	eventually(b, "the backlog is under way", func() bool { return p.count(`SELECT count(*) FROM jobs WHERE state = 'running'`) >= 30 })
	var took []time.Duration
	b.ResetTimer()
	for range b.N {
		_, err := p.queue.Enqueue(b.Context(), other.ID, tasks.Submission{Args: chore{"lone"}})
		p.must(err)
		accepted := time.Now()
		took = append(took, (<-started).Sub(accepted))
		<-time.After(50 * time.Millisecond)
	}
	b.StopTimer()
	quantiles(b, took, "to-start")
	p.exec(`DELETE FROM jobs WHERE state = 'queued'`)
	p.stop()
}

// BenchmarkHeap runs b.N jobs and measures what of the heap is left afterwards: it must not grow with their number.
func BenchmarkHeap(b *testing.B) {
	p := newPlant(b)
	line := newFinishLine(b.N)
	shop(b, p, benchConcurrency, func(_ context.Context, job *tasks.Job[chore]) error {
		defer line.cross()
		return done(job)
	})
	b.ResetTimer()
	var early uint64
	for n := 0; n < b.N; n += 1000 {
		subs := make([]tasks.Submission, min(1000, b.N-n))
		for i := range subs {
			subs[i] = tasks.Submission{Args: chore{"heap"}}
		}
		_, err := p.queue.Enqueue(b.Context(), p.ws.ID, subs...)
		p.must(err)
		if n <= b.N/5 {
			early = heap()
		}
	}
	<-line.done
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
	b.StopTimer()
	b.ReportMetric(float64(early)/(1<<20), "early-heap-MiB")
	b.ReportMetric(float64(heap())/(1<<20), "end-heap-MiB")
}

func heap() uint64 {
	for range 3 { // pools give up what they hold at the second
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkTableSize measures jobs with 1,000 and with 1,000,000 finished ones in the table.
func BenchmarkTableSize(b *testing.B) {
	for name, rows := range map[string]int{"rows=1000": 1000, "rows=1000000": 1_000_000} {
		b.Run(name, func(b *testing.B) {
			if rows > 1000 && smoke() {
				b.Skip("a million rows are not written for one job")
			}
			p := newPlant(b)
			p.exec(`
				INSERT INTO jobs (id, workspace_id, type, lane, priority, state, input, max_attempts, timeout_s, run_at, finished_at, dispatched_at)
				SELECT gen_random_uuid(), $1, 'maintenance', 'maintenance', 'normal', 'succeeded', '{"name": "old"}', 5, 300, now(), now(), now()
				FROM generate_series(1, $2)`, p.ws.ID, rows)
			line := newFinishLine(b.N)
			shop(b, p, benchConcurrency, func(_ context.Context, job *tasks.Job[chore]) error {
				defer line.cross()
				return done(job)
			})
			b.ResetTimer()
			before := cpu(b)
			for n := 0; n < b.N; n += 100 {
				subs := make([]tasks.Submission, min(100, b.N-n))
				for i := range subs {
					subs[i] = tasks.Submission{Args: chore{"new"}}
				}
				_, err := p.queue.Enqueue(b.Context(), p.ws.ID, subs...)
				p.must(err)
			}
			<-line.done
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
			cpu(b).since(before).report(b)
		})
	}
}

// BenchmarkDurableCommit is BenchmarkDurableJob on a Postgres that waits for the disk at every commit, as in production.
func BenchmarkDurableCommit(b *testing.B) {
	s := testenv.DurableStore(b)
	benchDurable(b, newPlantOn(b, s, testenv.Workspace(b, s), testenv.RedisClient(b)))
}
