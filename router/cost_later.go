package router

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/providers"
)

// Accountant is a Provider that can say afterwards what a request has cost.
type Accountant interface {
	Generation(ctx context.Context, id string) (providers.Generation, error)
}

// CostBook is a Ledger that takes over what a call has cost when that becomes known after the call's end.
type CostBook interface {
	// LearnCost writes cost and tokens of a call whose cost was unknown. It is false while the end of that call has not
	// been written.
	LearnCost(ctx context.Context, c growth.Call) (written bool, err error)
}

const (
	maxOpenCosts = 1024 // calls whose cost may wait to be asked for; those above stay unknown
	costAskers   = 8    // that are asked for at a time
	costTimeout  = 10 * time.Second
)

// costPauses are the waits before each question: a provider's account is stored a moment after the request, and the row
// of a job's call is written with its step.
var costPauses = []time.Duration{500 * time.Millisecond, 2 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute}

// openCost is a call that cost an unknown amount, and who knows it.
type openCost struct {
	call growth.Call
	from Accountant
}

// askCostLater takes note of a call whose cost its provider can tell later: a stream that was cut, or whose caller left.
func (r *Router) askCostLater(p Provider, row growth.Call) {
	from, tells := p.(Accountant)
	_, learns := r.cfg.Ledger.(CostBook)
	if !tells || !learns || row.Cost.USD != nil || row.Generation == "" {
		return
	}
	select {
	case r.costs <- openCost{row, from}:
	default: // it stays unknown, and is shown so
	}
}

// LearnCosts asks providers, until ctx ends, what the calls have cost whose cost was unknown at their end.
func (r *Router) LearnCosts(ctx context.Context, log zerolog.Logger) {
	var wg sync.WaitGroup
	for range costAskers {
		wg.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case open := <-r.costs:
					if why := r.learnCost(ctx, open); why != nil && ctx.Err() == nil {
						log.Warn().Err(why).Str("call", string(open.call.ID)).Str("provider", open.call.Provider).Msg("the cost of a call stays unknown")
					}
				}
			}
		})
	}
	wg.Wait()
}

// learnCost asks until the cost is known and written. The error is why it is not.
func (r *Router) learnCost(ctx context.Context, open openCost) (why error) {
	known := false
	for _, pause := range costPauses {
		if err := pass(ctx, pause); err != nil {
			return err
		}
		if !known {
			known, why = open.ask(ctx)
		}
		if known {
			var written bool
			if written, why = r.writeCost(ctx, open.call); written {
				return nil
			}
		}
		if why != nil && !growth.CodeOf(why).Retryable() && growth.CodeOf(why) != growth.NotFound {
			return why
		}
	}
	if why == nil {
		why = growth.Errorf(growth.NotFound, "router.LearnCosts", "the end of the call was never written")
	}
	return why
}

// ask fills in what the provider says the call has cost.
func (o *openCost) ask(ctx context.Context) (known bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, costTimeout)
	defer cancel()
	g, err := o.from.Generation(ctx, o.call.Generation)
	if err != nil {
		return false, err
	}
	if g.CostUSD == nil {
		return false, growth.Errorf(growth.Refused, "router.LearnCosts", "the provider does not say what the call has cost")
	}
	o.call.Cost = growth.USD(*g.CostUSD, growth.CostReported)
	if g.UsageKnown {
		o.call.Usage = g.Usage
	}
	return true, nil
}

func (r *Router) writeCost(ctx context.Context, c growth.Call) (bool, error) {
	book, ok := r.cfg.Ledger.(CostBook)
	if !ok {
		return false, growth.Errorf(growth.Internal, "router.LearnCosts", "the ledger takes no later costs")
	}
	ctx, cancel := context.WithTimeout(ctx, costTimeout)
	defer cancel()
	return book.LearnCost(ctx, c)
}

// pass waits, and says when there is no more waiting.
func pass(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
