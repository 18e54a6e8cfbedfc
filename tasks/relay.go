package tasks

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

// Relay hands accepted jobs to Redis. Every process has one; they share the work by locking rows.
type Relay struct {
	store *store.Store
	rdb   redis.UniversalClient
	log   zerolog.Logger
	wake  chan struct{}
	short atomic.Bool // due jobs wait for room, and the next round is not so near that it would be in time for them

	flows    map[string]*flow // by lane; of Run's goroutine
	capacity capacity
}

const (
	// relayIdle is how often a relay looks without having been woken: for jobs that another process accepted and could
	// not hand over.
	relayIdle = time.Second
	// relayPause is the least time between two rounds: under load one round then serves many jobs.
	relayPause = 5 * time.Millisecond
	// relayRefused is how long Redis is left alone after it did not take a job.
	relayRefused = 250 * time.Millisecond
	// relaySoon is a pause that a job which has ended does not cut short.
	relaySoon = 70 * time.Millisecond
	// relayCrowded is the longest time between two rounds while jobs are due and there is no room for them.
	relayCrowded = 100 * time.Millisecond
	// relaySenders is how many tasks are sent at once; their commands share pipelines.
	relaySenders = 32
	// relayPiped is from how many tasks on pipelines pay.
	relayPiped = 16
)

// NewRelay makes a relay over its own go-redis client.
func NewRelay(s *store.Store, rdb redis.UniversalClient, log zerolog.Logger) *Relay {
	return &Relay{
		store: s, rdb: rdb, log: log, wake: make(chan struct{}, 1), flows: map[string]*flow{},
		capacity: capacity{inspect: asynq.NewInspectorFromRedisClient(rdb)},
	}
}

// Wake makes the relay look now.
func (r *Relay) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Freed tells the relay that a job has ended. It looks only when jobs wait for the room and what lies in Redis is little:
// where much is, a round of many comes soon enough.
func (r *Relay) Freed() {
	if r.short.Load() {
		r.Wake()
	}
}

// Run hands jobs over until ctx ends.
func (r *Relay) Run(ctx context.Context) {
	senders := sendersTo(r.rdb)
	defer senders.close()
	for failed := 0; ; {
		began := time.Now()
		round, err := r.round(ctx, senders)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			if failed++; failed == 1 || failed%60 == 0 {
				r.log.Warn().Err(err).Int("times", failed).Msg("hand-over failed")
			}
		} else {
			failed = 0
		}
		pause := r.pause(round)
		r.short.Store(round.More && pause > relaySoon)
		if round.Failed { // Redis refuses: to be woken for each job that is accepted would only ask it more often
			pauseFor(ctx, relayRefused)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-r.wake:
			timer.Stop()
			pauseFor(ctx, relayPause-time.Since(began))
		case <-timer.C:
		}
	}
}

func pauseFor(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// round hands over once.
func (r *Relay) round(ctx context.Context, senders *senders) (store.Round, error) {
	r.capacity.refresh(ctx, time.Now())
	sent := map[string]int{}
	round, err := r.store.HandOver(ctx, r.share, func(due []store.Handover) []bool {
		taken := r.send(ctx, senders, due)
		for i, d := range due {
			if taken[i] {
				sent[d.Lane]++
			}
		}
		return taken
	})
	if err != nil {
		return round, err
	}
	now := time.Now()
	for lane, active := range round.Active {
		r.flow(lane).seen(now, active)
	}
	for lane, n := range sent {
		r.flow(lane).handed += n
	}
	return round, nil
}

// pause is how long to wait for a wake-up after a round.
func (r *Relay) pause(round store.Round) time.Duration {
	switch {
	case round.Failed:
		return relayIdle
	case round.More:
		quarter := relayCrowded
		for lane := range round.Active {
			if f := r.flow(lane); f.rate > 0 { // a quarter of what lies there will be gone by then
				quarter = min(quarter, time.Duration(float64(r.share(lane).Pending)/4/f.rate*float64(time.Second)))
			}
		}
		return max(quarter, relayPause)
	case !round.Next.IsZero():
		return min(relayIdle, max(time.Until(round.Next), 0)+time.Millisecond)
	}
	return relayIdle
}

// senders are clients that enqueue: one plain, for few tasks, and one whose callers share pipelines, for many.
type senders struct {
	plain, piped *asynq.Client
	close        func()
}

func sendersTo(rdb redis.UniversalClient) *senders {
	out := &senders{plain: asynq.NewClientFromRedisClient(rdb), close: func() {}}
	out.piped = out.plain
	if p, err := rdb.AutoPipeline(); err == nil {
		out.piped, out.close = asynq.NewClientFromRedisClient(p), func() { _ = p.Close() } // nothing is in flight: every sender has its answer
	}
	return out
}

// send enqueues what is due and says for each whether Redis has it. The first connection fault ends the round: the rest
// would only wait for the same time-out. So does a Redis that says nothing: a sender that is left behind does no harm,
// for the task's id makes a second hand-over a conflict.
func (r *Relay) send(ctx context.Context, s *senders, due []store.Handover) []bool {
	client, at := s.plain, 1
	if len(due) >= relayPiped {
		client, at = s.piped, relaySenders
	}
	ctx, cancel := context.WithTimeout(ctx, sendPatience)
	defer cancel()
	var next atomic.Int64
	answers := make(chan answer, len(due))
	for range min(at, len(due)) {
		go func() { // ends when every task has its answer or the context has ended
			for i := int(next.Add(1)) - 1; i < len(due) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				answers <- answer{i, enqueue(ctx, client, due[i])}
			}
		}()
	}
	taken := make([]bool, len(due))
	for range due {
		select {
		case a := <-answers:
			taken[a.at] = a.err == nil || errors.Is(a.err, asynq.ErrTaskIDConflict) || errors.Is(a.err, asynq.ErrDuplicateTask)
			if !taken[a.at] {
				r.log.Warn().Err(a.err).Str("job_id", string(due[a.at].ID)).Msg("redis did not take the job; it stays in the outbox")
				return taken
			}
		case <-ctx.Done():
			return taken
		}
	}
	return taken
}

// answer is what became of one task.
type answer struct {
	at  int
	err error
}

// sendPatience is how long a round waits for Redis; it holds the rows' locks meanwhile.
const sendPatience = 5 * time.Second

func enqueue(ctx context.Context, client *asynq.Client, d store.Handover) error {
	b, err := json.Marshal(payload{JobID: d.ID})
	if err != nil {
		return err
	}
	retries := max(d.MaxAttempts-d.Attempts-1, 0)
	if d.Type == growth.JobLinkedInPublish {
		retries = 0 // the queue never sends a post again
	}
	task := asynq.NewTaskWithHeaders(string(d.Type), b, map[string]string{headerTrace: d.TraceID, headerWorkspace: string(d.Workspace)})
	_, err = client.EnqueueContext(ctx, task, asynq.TaskID(taskID(d.ID, d.Epoch)), asynq.Queue(d.Lane),
		asynq.MaxRetry(retries), asynq.Timeout(time.Duration(d.TimeoutS)*time.Second+time.Minute))
	return err
}

// A lane of Redis is first in, first out, so what lies there stands before a job that comes alone. It is kept to what
// the workers take up in pendingFor, between bounds that keep fast jobs supplied and slow ones short.
const (
	pendingFor   = 250 * time.Millisecond
	leastPending = 8
	mostPending  = 1024
	unsettled    = 256 // beside the active ones: tasks that wait in asynq for their next delivery
	// unsettledCallbacks lets messages to receivers that do not answer wait without standing before those to others.
	unsettledCallbacks = 4096
)

// share is what of a lane may lie in Redis now.
func (r *Relay) share(lane string) store.Share {
	flowing := int(r.flow(lane).rate * pendingFor.Seconds())
	queue, _ := growth.SplitLane(lane)
	slots := r.capacity.of(queue)
	unsettled := unsettled
	if queue == growth.JobCallback.Queue() {
		unsettled = unsettledCallbacks
	}
	return store.Share{
		Pending: min(max(flowing, leastPending), mostPending), Active: slots + flowing, Unsettled: slots + flowing + unsettled,
	}
}

func (r *Relay) flow(lane string) *flow {
	f := r.flows[lane]
	if f == nil {
		f = &flow{}
		r.flows[lane] = f
	}
	return f
}

// flow measures how fast a lane's tasks end: what this relay has handed over and is neither pending nor running any
// more. Other relays' hand-overs make it look slower, so together they hand over no more than one alone would.
type flow struct {
	rate   float64 // tasks a second, smoothed
	at     time.Time
	active int
	handed int // since at
}

const (
	flowLeast  = 20 * time.Millisecond  // a shorter look says nothing
	flowSmooth = 200 * time.Millisecond // by how long a look counts as much as all before it
)

func (f *flow) seen(now time.Time, active int) {
	passed := now.Sub(f.at)
	if f.at.IsZero() || passed > 10*relayIdle { // the first look in a while: nothing to compare with
		*f = flow{at: now, active: active}
		return
	}
	if passed < flowLeast {
		return
	}
	ended := max(f.handed-(active-f.active), 0)
	weight := passed.Seconds() / (passed + flowSmooth).Seconds()
	f.rate += (float64(ended)/passed.Seconds() - f.rate) * weight
	f.at, f.active, f.handed = now, active, 0
}
