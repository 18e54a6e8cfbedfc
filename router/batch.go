package router

import (
	"context"

	"golang.org/x/sync/errgroup"

	growth "github.com/zakibelm/astrogrowth"
)

// MaxBatch is how many requests a batch may hold.
const MaxBatch = 100

// BatchResult is what became of one request of a batch: an answer, or the error that Complete gave for it.
type BatchResult struct {
	Answer Answer
	Err    error
}

// CompleteBatch completes many requests, at most concurrency of them at a time (0: 10), and returns their results in
// the order of the requests. One request's failure is its own. A batch of more than MaxBatch is refused as a whole:
// every result says so.
func (r *Router) CompleteBatch(ctx context.Context, reqs []Request, concurrency int) []BatchResult {
	out := make([]BatchResult, len(reqs))
	if len(reqs) > MaxBatch {
		for i := range out {
			out[i].Err = growth.InvalidField("router.CompleteBatch", "requests", "a batch holds at most %d requests", MaxBatch)
		}
		return out
	}
	if concurrency <= 0 {
		concurrency = 10
	}
	var g errgroup.Group
	g.SetLimit(min(concurrency, MaxBatch))
	for i, req := range reqs {
		g.Go(func() error {
			out[i].Answer, out[i].Err = r.guarded(ctx, req)
			return nil
		})
	}
	_ = g.Wait() // the errors stand in the results
	return out
}
