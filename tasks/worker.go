package tasks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/events"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/store"
)

// The life of a claim. A worker that does not extend its lease for Lease has lost its job.
const (
	Lease     = 10 * time.Second
	heartbeat = 2500 * time.Millisecond
)

// Waits up to shortWait are asynq's; longer ones stay in Postgres until they are due.
const shortWait = time.Minute

// Reporter hears of faults that a person should look at.
type Reporter func(ctx context.Context, err error)

// Runner claims jobs that asynq delivers and runs their workers.
type Runner struct {
	store    *store.Store
	log      zerolog.Logger
	name     string // of this process, in the rows that it claims
	report   Reporter
	relay    *Relay
	handlers map[growth.JobType]func(context.Context, *Claim) error
	stopping context.Context // ends when the process wants to hand its jobs back
	notify   redis.UniversalClient
	shares   shares
}

// Notify makes the runner tell live listeners when a job ends.
func (r *Runner) Notify(rdb redis.UniversalClient) { r.notify = rdb }

// NewRunner makes a runner without workers. When stopping ends, running jobs are told to stop and are handed back.
func NewRunner(stopping context.Context, s *store.Store, relay *Relay, name string, log zerolog.Logger, report Reporter) *Runner {
	return &Runner{
		store: s, relay: relay, name: name, log: log, report: report, stopping: stopping,
		handlers: map[growth.JobType]func(context.Context, *Claim) error{},
	}
}

// AddWorker registers the worker of a kind of job.
func AddWorker[A Args](r *Runner, w Worker[A]) {
	var zero A
	r.handlers[zero.Type()] = func(ctx context.Context, c *Claim) error {
		var args A
		if err := json.Unmarshal(c.Job.Input, &args); err != nil {
			return &growth.Error{Code: growth.Invalid, Op: "tasks.decode", Message: "the job's input cannot be read by this version", Err: err}
		}
		return w.Work(ctx, &Job[A]{Claim: c, Args: args})
	}
}

// Handle is the asynq handler of every task.
func (r *Runner) Handle(ctx context.Context, t *asynq.Task) error {
	id, epoch, err := r.identify(ctx, t)
	if err != nil {
		return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
	}
	leave, ok := r.shares.enter(growth.JobType(t.Type()).Queue(), t.Headers()[headerWorkspace])
	if !ok {
		return r.later(ctx, id, epoch) // retries that came due together must not take the slots that are kept for others
	}
	defer leave()
	if r.stopping.Err() != nil { // asynq still pulls while it shuts down: leave the task to another process
		return r.later(ctx, id, epoch)
	}
	claimed, ok, err := r.store.Claim(ctx, id, epoch, r.name, Lease)
	if err != nil {
		return &again{after: time.Second, free: true, err: err} // not an answer: try again, at no cost
	}
	if !ok {
		return nil // taken, ended, or an older hand-over: nothing to do
	}
	return r.run(ctx, claimed)
}

// later has a delivered task come again in a second. asynq archives a task that has no retries left; such a job goes
// back to the outbox instead.
func (r *Runner) later(ctx context.Context, id growth.JobID, epoch int) error {
	if retriesLeft(ctx) {
		return &again{after: time.Second, free: true}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := r.store.Postpone(ctx, id, epoch, time.Second); err != nil {
		return &again{after: time.Second, free: true, err: err} // archived; the reconciler finds it
	}
	return nil
}

func (r *Runner) identify(ctx context.Context, t *asynq.Task) (growth.JobID, int, error) {
	var p payload
	if err := json.Unmarshal(t.Payload(), &p); err != nil || !growth.ValidID(string(p.JobID)) {
		return "", 0, errors.New("the task carries no job id")
	}
	name, _ := asynq.GetTaskID(ctx)
	id, epoch, err := parseTaskID(name)
	if err == nil && id != p.JobID {
		err = errors.New("the task's id and its payload name different jobs")
	}
	return p.JobID, epoch, err
}

// run does one attempt of a claimed job and commits its end.
func (r *Runner) run(asynqCtx context.Context, claimed store.Claimed) error {
	c := &Claim{Claimed: claimed, store: r.store, ledger: &jobLedger{store: r.store, fence: claimed.Fence}}
	log := r.log.With().Str("job_id", string(c.Job.ID)).Str("type", string(c.Job.Type)).Str("trace_id", c.Job.TraceID).Logger()
	ctx, cancel := context.WithCancelCause(asynqCtx)
	defer cancel(nil)
	beating, stopBeating := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBeating()
	beats := make(chan struct{})
	go func() {
		defer close(beats)
		r.beat(beating, c, cancel)
	}()
	stop := context.AfterFunc(r.stopping, func() { cancel(errStopping) }) //nolint:contextcheck // the process's end, beside the task's
	defer stop()

	began := time.Now()
	err := r.work(log.WithContext(ctx), c)
	outcome, reply := r.decide(ctx, c, err)
	err = r.commit(ctx, c, outcome)
	stopBeating()
	<-beats
	if errors.Is(err, store.ErrLeaseLost) {
		log.Warn().Int64("fence", c.Fence).Msg("lease lost; result discarded")
		r.afterLoss(ctx, c)
		return nil // another worker has the job, or it has ended
	}
	if err != nil {
		// The row stays running; the sweep takes it back when the lease ends.
		log.Error().Err(err).Msg("end of attempt not committed")
		r.report(ctx, err)
		return nil
	}
	r.logEnd(log, outcome, began)
	if r.notify != nil {
		n := events.Notice{Workspace: c.Job.Workspace, JobID: c.Job.ID, Type: "job." + string(outcome.State)}
		_ = events.Publish(context.WithoutCancel(ctx), r.notify, n) // who missed it looks again by itself
	}
	if outcome.Redeliver {
		r.relay.Wake()
	}
	r.relay.Freed()
	return reply
}

// afterLoss writes what must not be lost with the lease.
func (r *Runner) afterLoss(ctx context.Context, c *Claim) {
	if c.lost == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := c.lost(ctx); err != nil {
		r.report(ctx, err)
	}
}

func (r *Runner) logEnd(log zerolog.Logger, o store.Outcome, began time.Time) {
	level := zerolog.InfoLevel
	if o.State == growth.JobFailed {
		level = zerolog.ErrorLevel
	}
	log.WithLevel(level).Func(func(e *zerolog.Event) {
		if o.Err != nil {
			e.Str("code", o.Err.Code.String())
		}
		if o.Waiting != "" {
			e.Str("waiting", string(o.Waiting))
		}
	}).Str("state", string(o.State)).Dur("took", time.Since(began)).Msg("attempt ended")
}

var (
	errStopping  = errors.New("the program is stopping")
	errCanceled  = errors.New("the job was canceled")
	errLeaseLost = errors.New("the lease was lost")
)

// beat extends the lease and listens for a request to stop.
func (r *Runner) beat(ctx context.Context, c *Claim, cancel context.CancelCauseFunc) {
	t := time.NewTicker(heartbeat)
	defer t.Stop()
	good := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		beatCtx, done := context.WithTimeout(ctx, heartbeat)
		stop, err := r.store.Heartbeat(beatCtx, c.Job.ID, c.Fence, Lease)
		done()
		switch {
		case errors.Is(err, store.ErrLeaseLost), err != nil && time.Since(good) > Lease:
			cancel(errLeaseLost)
		case err == nil:
			good = time.Now()
			if stop {
				cancel(errCanceled)
			}
		}
	}
}

// work runs the worker within the attempt's time limit; a panic is a fault of ours like any other.
func (r *Runner) work(ctx context.Context, c *Claim) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = growth.Errorf(growth.Internal, "tasks.work", "the worker panicked")
			r.report(ctx, fmt.Errorf("panic in %s: %v", c.Job.Type, p))
		}
	}()
	h, ok := r.handlers[c.Job.Type]
	if !ok {
		return growth.Errorf(growth.Invalid, "tasks.work", "no worker here knows jobs of the type %s", c.Job.Type)
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	if err := h(ctx, c); err != nil {
		return err
	}
	if c.done == nil {
		return growth.Errorf(growth.Internal, "tasks.work", "the worker ended without a result")
	}
	return nil
}

// commit writes the end of an attempt, for as long as the lease can last.
func (r *Runner) commit(ctx context.Context, c *Claim, o store.Outcome) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	for pause := 50 * time.Millisecond; ; pause *= 2 {
		err := r.store.Finish(ctx, c.Job, c.Fence, o)
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

// WaitError is returned by a worker when there is nothing to do but wait. It uses up no attempt.
type WaitError struct {
	Reason growth.WaitReason
	Until  time.Time // zero: until a person decides
	Err    error
}

// Error is the cause's text, or the reason.
func (e *WaitError) Error() string {
	if e.Err != nil {
		return e.Err.Error()
	}
	return "waiting: " + string(e.Reason)
}

// Unwrap gives the cause.
func (e *WaitError) Unwrap() error { return e.Err }

// again is what asynq is told when it shall deliver the task again.
type again struct {
	after time.Duration
	free  bool // counts as no failure
	err   error
}

func (e *again) Error() string {
	if e.err == nil {
		return "waiting"
	}
	return growth.CodeOf(e.err).String() // asynq keeps this text in Redis: no more than the code
}

func (e *again) Unwrap() error { return e.err }

// decide says what the end of an attempt means for the row, and what asynq is told.
func (r *Runner) decide(ctx context.Context, c *Claim, err error) (store.Outcome, error) {
	o := store.Outcome{Calls: c.ledger.take(), Simulated: c.ledger.simulated, Save: c.also, Events: c.events, Steps: c.unkept}
	if err == nil {
		done := *c.done
		done.Calls, done.Simulated = o.Calls, done.Simulated || o.Simulated
		return done, nil
	}
	// A worker that has something to record about an effect outside knows better than the reason why it was stopped.
	switch cause := context.Cause(ctx); {
	case c.also != nil:
	case errors.Is(cause, errCanceled):
		o.State = growth.JobCanceled
		return o, nil
	case errors.Is(cause, errStopping), errors.Is(cause, errLeaseLost):
		o.State, o.RunAt, o.Refund, o.Redeliver = growth.JobQueued, time.Now().Add(-time.Second), true, true
		return o, nil
	}
	fault := faultOf(err)
	if chain, ok := errors.AsType[*router.ChainError](err); ok && chain.Final {
		fault.Retryable = false
	}
	o.Err = &fault
	if w, ok := waitOf(err); ok {
		return r.wait(ctx, c, o, w, err)
	}
	if !fault.Retryable || c.Job.Attempts >= c.Job.MaxAttempts {
		o.State = growth.JobFailed
		if fault.Code == growth.Internal {
			r.report(ctx, err)
		}
		return o, fmt.Errorf("%s: %w", fault.Code, asynq.SkipRetry)
	}
	delay := max(backoff(c.Job.Attempts), growth.RetryAfterOf(err))
	o.State, o.RunAt = growth.JobRetrying, time.Now().Add(delay)
	if delay > shortWait || !waitsInRedis(c.Job.Type) && !firstRetry(c.Job) {
		o.Redeliver = true // too long to lie in Redis, or not asynq's to repeat: the relay hands it over when it is due
		return o, nil
	}
	return o, &again{after: delay, err: err}
}

func (r *Runner) wait(ctx context.Context, c *Claim, o store.Outcome, w *WaitError, err error) (store.Outcome, error) {
	o.State, o.Waiting, o.RunAt, o.Refund = growth.JobWaiting, w.Reason, w.Until, true
	if w.Reason == growth.WaitApproval || w.Reason == growth.WaitPostingWindow {
		o.Err = nil // nothing went wrong: the job waits as it was meant to
	}
	if d := time.Until(w.Until); !w.Until.IsZero() && d <= shortWait && waitsInRedis(c.Job.Type) && retriesLeft(ctx) {
		return o, &again{after: max(d, 100*time.Millisecond), free: true, err: err}
	}
	o.Redeliver = true
	return o, nil
}

// firstRetry says that a callback is tried again for the first time, a second after it failed: that much asynq repeats.
func firstRetry(j growth.Job) bool { return j.Type == growth.JobCallback && j.Attempts == 1 }

// waitsInRedis says whether asynq may hold a job while it waits, or until it is tried again. Posts are never asynq's to
// repeat. Thousands of callbacks to receivers that do not answer, due again every few seconds, would fill the room of
// those that were not tried yet: they lie in Postgres, which hands over the oldest first.
func waitsInRedis(t growth.JobType) bool {
	return t != growth.JobLinkedInPublish && t != growth.JobCallback
}

// retriesLeft says whether asynq would deliver the task again. It archives a task whose retries are used up before it
// asks whether the failure counts.
func retriesLeft(ctx context.Context) bool {
	n, ok := asynq.GetRetryCount(ctx)
	most, known := asynq.GetMaxRetry(ctx)
	return ok && known && n < most
}

// waitOf recognises the failures that only time, or a person, can mend.
func waitOf(err error) (*WaitError, bool) {
	if w, ok := errors.AsType[*WaitError](err); ok {
		return w, true
	}
	chain, ok := errors.AsType[*router.ChainError](err)
	if !ok || chain.Reason == "" {
		return nil, false
	}
	return &WaitError{Reason: chain.Reason, Until: time.Now().Add(chain.Fault.RetryAfter), Err: err}, true
}

// faultOf is a failure as the job's owner sees it: the message that was made for people, never the cause's own text.
func faultOf(err error) growth.JobError {
	e, ok := errors.AsType[*growth.Error](err)
	if !ok {
		code := growth.Internal
		if errors.Is(err, context.DeadlineExceeded) {
			return growth.JobError{Code: growth.Unavailable, Message: "the attempt's time limit was reached", Retryable: true}
		}
		return growth.JobError{Code: code, Message: "a fault of ours; it has been reported", Retryable: true}
	}
	message := e.Message
	if message == "" {
		message = e.Code.String()
	}
	if e.Field != "" {
		message = e.Field + ": " + message
	}
	retryable := e.Code.Retryable()
	if e.Code == growth.Canceled { // our own deadline or a lost connection, not the owner's wish
		retryable = true
	}
	return growth.JobError{Code: e.Code, Message: message, Retryable: retryable}
}

// backoff is the pause before attempt n+1: 2 s, 4 s, 8 s … at most 10 minutes, each jittered by half.
func backoff(attempt int) time.Duration {
	d := min(2*time.Second<<min(max(attempt-1, 0), 20), 10*time.Minute)
	return d/2 + time.Duration(rand.Int64N(int64(d))) //nolint:gosec // spreading load needs no secrecy
}

// Group is an asynq server for one queue with its lanes, so that each queue has a concurrency of its own.
type Group struct {
	Queue       string
	Concurrency int // jobs of one workspace at once; a quarter more is kept free for the others
}

// Server builds the asynq server of a group.
func Server(rdb redis.UniversalClient, g Group, log zerolog.Logger) *asynq.Server {
	return asynq.NewServerFromRedisClient(rdb, asynq.Config{
		Concurrency: g.Concurrency + spareSlots(g.Concurrency),
		Queues: map[string]int{
			growth.Lane(g.Queue, growth.PriorityHigh): 6, g.Queue: 3, growth.Lane(g.Queue, growth.PriorityLow): 1,
		},
		TaskCheckInterval:        100 * time.Millisecond, // asynq's 1 s would be the wait of a job that comes alone
		DelayedTaskCheckInterval: time.Second,
		ShutdownTimeout:          sendTimeout + 5*time.Second, // a post that is being sent is sent to its end
		JanitorInterval:          time.Minute,
		LogLevel:                 asynq.WarnLevel,
		Logger:                   asynqLog{log},
		IsFailure: func(err error) bool {
			a, ok := errors.AsType[*again](err)
			return !ok || !a.free
		},
		RetryDelayFunc: func(n int, err error, t *asynq.Task) time.Duration {
			if a, ok := errors.AsType[*again](err); ok {
				return a.after
			}
			return asynq.DefaultRetryDelayFunc(n, err, t)
		},
	})
}

// asynqLog lets asynq write to our logger.
type asynqLog struct{ log zerolog.Logger }

func (l asynqLog) Debug(args ...any) { l.log.Debug().Msg(fmt.Sprint(args...)) }
func (l asynqLog) Info(args ...any)  { l.log.Debug().Msg(fmt.Sprint(args...)) }
func (l asynqLog) Warn(args ...any)  { l.log.Warn().Msg(fmt.Sprint(args...)) }
func (l asynqLog) Error(args ...any) { l.log.Error().Msg(fmt.Sprint(args...)) }
func (l asynqLog) Fatal(args ...any) { l.log.Error().Msg(fmt.Sprint(args...)) }
