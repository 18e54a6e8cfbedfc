package tasks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/store"
)

// Job is a claimed job with its decoded arguments, as a worker sees it.
type Job[A Args] struct {
	*Claim
	Args A
}

// Worker does the work of one kind of job. Returning nil ends the job with what Complete was given; an error ends the
// attempt, and its code decides what comes next.
type Worker[A Args] interface {
	Work(ctx context.Context, job *Job[A]) error
}

// Claim is the hold that a worker has on a job: everything that it writes carries the claim's fence.
type Claim struct {
	store.Claimed
	store  *store.Store
	ledger *jobLedger
	done   *store.Outcome
	also   func(context.Context, *store.Tx) error
	events []store.NewEvent

	lost func(context.Context) error // see IfLost

	unkept map[string]json.RawMessage // step results that the database did not take in time; the attempt's end carries them
}

// Simulated notes that the simulator had a hand in the result.
func (c *Claim) Simulated() {
	c.ledger.mu.Lock()
	defer c.ledger.mu.Unlock()
	c.ledger.simulated = true
}

// AlsoSave writes rows in the commit that ends this attempt, however it ends.
func (c *Claim) AlsoSave(save func(context.Context, *store.Tx) error, events ...store.NewEvent) {
	c.also, c.events = save, events
}

// IfLost says what is still to be written when the lease was lost before the end of this attempt could be committed: what
// happened outside, and cannot be found out again.
func (c *Claim) IfLost(f func(context.Context) error) { c.lost = f }

// Complete says how the job ended well. save, when not nil, writes the rows that belong to the result, in the same
// commit as the job's end.
func (c *Claim) Complete(result any, save func(context.Context, *store.Tx) error, events ...store.NewEvent) error {
	b, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("encode result: %w", err)
	}
	c.done = &store.Outcome{State: growth.JobSucceeded, Result: b, Save: save, Events: events}
	return nil
}

// CompleteLate is Complete for a result that is known only in the commit that ends the job. conclude writes the rows that
// belong to it; it runs again when that commit fails, and then begins anew.
func (c *Claim) CompleteLate(conclude func(context.Context, *store.Tx) (result any, events []store.NewEvent, err error)) {
	c.done = &store.Outcome{State: growth.JobSucceeded, Conclude: func(ctx context.Context, tx *store.Tx, o *store.Outcome) error {
		result, events, err := conclude(ctx, tx)
		if err != nil {
			return err
		}
		o.Events = events
		if o.Result, err = json.Marshal(result); err != nil {
			return fmt.Errorf("encode result: %w", err)
		}
		return nil
	}}
}

// campaign is the campaign that the job belongs to; empty: none.
func (c *Claim) campaign() growth.CampaignID {
	if c.Job.CampaignID == nil {
		return ""
	}
	return *c.Job.CampaignID
}

// Ledger is where calls made for this job are written.
func (c *Claim) Ledger() router.Ledger { return c.ledger }

// Step does a named part of a job once in the job's life: its result is kept, and a later attempt gets it without doing
// it again. The result and the ends of the calls that it made are one commit, so f should make one paid call and no
// more: the first of two would be paid for again when the second fails. f runs again only when that commit was
// never made.
func Step[T any](ctx context.Context, c *Claim, name string, f func(context.Context) (T, error)) (T, error) {
	var out T
	if kept, ok := c.Steps[name]; ok {
		return out, json.Unmarshal(kept, &out)
	}
	out, err := f(ctx)
	if err != nil {
		return out, err
	}
	b, err := json.Marshal(out)
	if err != nil {
		return out, fmt.Errorf("encode step %s: %w", name, err)
	}
	// The work is done and paid for: its record must not be lost to a deadline that passes just now.
	saveCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	calls := c.ledger.take()
	if err := c.saveStep(saveCtx, name, b, calls); err != nil {
		c.ledger.giveBack(calls)
		if c.unkept == nil {
			c.unkept = map[string]json.RawMessage{}
		}
		c.unkept[name] = b
		return out, err
	}
	c.Steps[name] = b
	return out, nil
}

// keep writes a step's result in the commit that ends this attempt, for the attempts that follow.
func (c *Claim) keep(name string, result any) {
	b, err := json.Marshal(result)
	if err != nil {
		return // it is made anew
	}
	if c.unkept == nil {
		c.unkept = map[string]json.RawMessage{}
	}
	c.unkept[name] = b
}

// saveStep tries for as long as its context lasts: a database that restarts must not make a paid call be made again.
func (c *Claim) saveStep(ctx context.Context, name string, result json.RawMessage, calls []growth.Call) error {
	for pause := 50 * time.Millisecond; ; pause *= 2 {
		err := c.store.SaveStep(ctx, c.Job.ID, c.Fence, name, result, calls)
		if err == nil || errors.Is(err, store.ErrLeaseLost) || growth.CodeOf(err) != growth.Unavailable {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// jobLedger writes the start of a call at once and keeps its end for the commit of the step that it belongs to.
type jobLedger struct {
	store *store.Store
	fence int64

	mu        sync.Mutex
	ended     []growth.Call
	simulated bool
}

// Start commits the row of a call that is about to be made.
func (l *jobLedger) Start(ctx context.Context, c growth.Call) error {
	return l.store.StartCall(ctx, c, l.fence)
}

// End keeps the end of a call.
func (l *jobLedger) End(_ context.Context, c growth.Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = append(l.ended, c)
	l.simulated = l.simulated || c.Simulated
}

func (l *jobLedger) take() []growth.Call {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.ended
	l.ended = nil
	return out
}

func (l *jobLedger) giveBack(calls []growth.Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = append(calls, l.ended...)
}
