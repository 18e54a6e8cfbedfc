package store_test

import (
	"fmt"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

// BenchmarkAccept measures jobs accepted per second, by the size of the batch.
func BenchmarkAccept(b *testing.B) {
	for _, size := range []int{1, 100, 500} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			bd := newBed(b)
			jobs := make([]store.NewJob, size)
			b.ResetTimer()
			for b.Loop() {
				for i := range jobs {
					jobs[i] = newJob(func(j *store.NewJob) { j.ID = growth.JobID(growth.NewID()) })
				}
				if _, err := bd.sc.Accept(bd.ctx, jobs); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(size*b.N)/b.Elapsed().Seconds(), "jobs/s")
		})
	}
}

// BenchmarkRawInsert is what BenchmarkAccept is held against: the same rows by unnest alone.
func BenchmarkRawInsert(b *testing.B) {
	for _, size := range []int{1, 100, 500} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			bd := newBed(b)
			b.ResetTimer()
			for b.Loop() {
				bd.exec(`
					INSERT INTO jobs (id, workspace_id, type, lane, priority, state, input, max_attempts, timeout_s, run_at)
					SELECT gen_random_uuid(), $1, 'lead-qualification', 'qualification', 'normal', 'queued', '{"lead_id":"x"}', 3, 60, now()
					FROM generate_series(1, $2)`, bd.ws.ID, size)
			}
			b.ReportMetric(float64(size*b.N)/b.Elapsed().Seconds(), "jobs/s")
		})
	}
}
