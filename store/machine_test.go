package store_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

// delivery is a task as Redis holds it.
type delivery struct {
	id    growth.JobID
	epoch int
}

// machine is a world of three jobs: Redis as a set of tasks that can be lost, workers that can go silent and come back,
// and the store, which alone is real.
type machine struct {
	*bed
	jobs     []growth.JobID
	redis    map[delivery]bool
	workers  []*worker
	canceled map[growth.JobID]bool // a cancel was accepted
	kept     map[growth.JobID]int  // commits of the step
}

// worker is a hold on a job, alive in the store's eyes or not.
type worker struct{ store.Claimed }

const effect = "effect"

// Whatever happens in whatever order: no job has two effects, no step is committed twice, and no job is lost.
func TestNoSequenceLosesAJobOrDoesItTwice(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	rapid.Check(t, func(rt *rapid.T) {
		m := &machine{bed: b, redis: map[delivery]bool{}, canceled: map[growth.JobID]bool{}, kept: map[growth.JobID]int{}}
		for range 3 {
			m.jobs = append(m.jobs, m.accept())
		}
		rt.Repeat(map[string]func(*rapid.T){
			"hand over":  m.relay,
			"deliver":    m.deliver,
			"heartbeat":  m.heartbeat,
			"expire":     m.silence,
			"step":       m.step,
			"finish":     m.finish,
			"retry":      m.retry,
			"wait":       m.wait,
			"hand back":  m.handBack,
			"cancel":     m.stop,
			"sweep":      func(*rapid.T) { m.sweep() },
			"lose redis": func(*rapid.T) { m.redis = map[delivery]bool{} },
			"compare":    m.compare,
			"time goes":  func(*rapid.T) { m.becomeDue() },
			"":           m.check,
		})
		m.runDown(rt)
	})
}

// relay hands over what is due; a task that is there already is a conflict, and that is as good.
func (m *machine) relay(rt *rapid.T) {
	takes := rapid.Bool().Draw(rt, "redis takes")
	commits := rapid.Bool().Draw(rt, "and the mark is committed")
	_, err := m.s.HandOver(m.ctx, room(2), func(due []store.Handover) []bool {
		if !takes {
			return make([]bool, len(due))
		}
		for _, d := range due {
			m.redis[delivery{d.ID, d.Epoch}] = true
		}
		if !commits {
			return make([]bool, len(due))
		}
		return all(len(due))
	})
	if err != nil {
		rt.Fatal(err)
	}
}

// deliver gives a task to a worker; asynq may do so twice.
func (m *machine) deliver(rt *rapid.T) {
	tasks := slices.SortedFunc(maps.Keys(m.redis), compareDeliveries)
	if len(tasks) == 0 {
		rt.Skip("redis is empty")
	}
	d := rapid.SampledFrom(tasks).Draw(rt, "task")
	if !rapid.Bool().Draw(rt, "and again later") {
		delete(m.redis, d)
	}
	m.take(rt, d)
}

func compareDeliveries(a, b delivery) int {
	if a.id != b.id {
		if a.id < b.id {
			return -1
		}
		return 1
	}
	return a.epoch - b.epoch
}

type fataler interface{ Fatalf(string, ...any) }

func (m *machine) take(rt fataler, d delivery) {
	c, ok, err := m.s.Claim(m.ctx, d.id, d.epoch, "worker", lease)
	if err != nil {
		rt.Fatalf("claim: %v", err)
	}
	if ok {
		m.workers = append(m.workers, &worker{c})
	}
}

// any draws a worker, a silent one too.
func (m *machine) any(rt *rapid.T) *worker {
	if len(m.workers) == 0 {
		rt.Skip("no worker")
	}
	return rapid.SampledFrom(m.workers).Draw(rt, "worker")
}

// owns says whether the worker still has its job.
func (m *machine) owns(w *worker) bool {
	r := m.row(w.Job.ID)
	return r.State == growth.JobRunning && r.Fence == w.Fence
}

// agree checks that the store let the worker write when it owned the job, and only then.
func agree(rt fataler, owned bool, err error) {
	switch {
	case owned && err != nil:
		rt.Fatalf("the owner was turned away: %v", err)
	case !owned && !errors.Is(err, store.ErrLeaseLost):
		rt.Fatalf("a worker without the job wrote: %v", err)
	}
}

func (m *machine) heartbeat(rt *rapid.T) {
	w := m.any(rt)
	owned := m.owns(w)
	_, err := m.s.Heartbeat(m.ctx, w.Job.ID, w.Fence, lease)
	agree(rt, owned, err)
}

func (m *machine) silence(rt *rapid.T) { m.expire(m.any(rt).Job.ID) }

func (m *machine) step(rt *rapid.T) {
	w := m.any(rt)
	if _, done := w.Steps["step"]; done {
		return
	}
	owned := m.owns(w)
	err := m.s.SaveStep(m.ctx, w.Job.ID, w.Fence, "step", []byte(`1`), nil)
	agree(rt, owned, err)
	if err == nil {
		m.kept[w.Job.ID]++
		w.Steps["step"] = []byte(`1`)
	}
}

func (m *machine) conclude(rt fataler, w *worker, o store.Outcome) {
	if o.State == growth.JobSucceeded {
		o.Save = func(ctx context.Context, tx *store.Tx) error {
			return tx.AddEvent(ctx, m.ws.ID, w.Job.ID, store.NewEvent{Type: effect, Data: []byte(`{}`)})
		}
	}
	owned := m.owns(w)
	agree(rt, owned, m.s.Finish(m.ctx, w.Job, w.Fence, o))
}

func (m *machine) finish(rt *rapid.T) {
	m.conclude(rt, m.any(rt), store.Outcome{State: growth.JobSucceeded})
}

// retry ends an attempt in failure; asynq holds the task on, or the relay hands it over anew.
func (m *machine) retry(rt *rapid.T) {
	w := m.any(rt)
	o := store.Outcome{State: growth.JobRetrying, RunAt: time.Now().Add(-time.Second), Redeliver: rapid.Bool().Draw(rt, "relay")}
	if w.Job.Attempts >= w.Job.MaxAttempts {
		o = store.Outcome{State: growth.JobFailed}
	}
	owned := m.owns(w)
	m.conclude(rt, w, o)
	if owned && o.State == growth.JobRetrying && !o.Redeliver {
		m.redis[delivery{w.Job.ID, w.Epoch}] = true
	}
}

func (m *machine) wait(rt *rapid.T) {
	w := m.any(rt)
	m.conclude(rt, w, store.Outcome{
		State: growth.JobWaiting, Waiting: growth.WaitQuota, RunAt: time.Now().Add(time.Hour), Refund: true, Redeliver: true,
	})
}

func (m *machine) handBack(rt *rapid.T) {
	m.conclude(rt, m.any(rt), store.Outcome{State: growth.JobQueued, RunAt: time.Now().Add(-time.Second), Refund: true, Redeliver: true})
}

func (m *machine) stop(rt *rapid.T) {
	id := rapid.SampledFrom(m.jobs).Draw(rt, "job")
	if _, err := m.sc.CancelJob(m.ctx, id); err == nil {
		m.canceled[id] = true
	} else if growth.CodeOf(err) != growth.Conflict {
		rt.Fatalf("cancel: %v", err)
	}
}

func (m *machine) becomeDue() {
	m.exec(`UPDATE jobs SET run_at = now() WHERE state = 'waiting' AND isfinite(run_at)`)
}

// compare is the reconciler's look at Redis.
func (m *machine) compare(rt *rapid.T) {
	list, err := m.s.Stranded(m.ctx, 0, "", 100)
	if err != nil {
		rt.Fatal(err)
	}
	var lost []store.Dispatched
	for _, d := range list {
		if !m.redis[delivery{d.ID, d.Epoch}] {
			lost = append(lost, d)
		}
	}
	if _, err := m.s.Redispatch(m.ctx, lost); err != nil {
		rt.Fatal(err)
	}
}

// check holds after every action.
func (m *machine) check(rt *rapid.T) {
	for _, id := range m.jobs {
		r := m.row(id)
		effects := m.effects(id)
		if effects > 1 || m.kept[id] > 1 {
			rt.Fatalf("job %s has %d effects and %d commits of its step", id, effects, m.kept[id])
		}
		if (effects == 1) != (r.State == growth.JobSucceeded) {
			rt.Fatalf("job %s is %s with %d effects", id, r.State, effects)
		}
		if r.State == growth.JobCanceled && !m.canceled[id] {
			rt.Fatalf("job %s was canceled by nobody", id)
		}
		if r.Attempts < 0 || r.Attempts > 3 {
			rt.Fatalf("job %s is at attempt %d of 3", id, r.Attempts)
		}
	}
}

func (m *machine) effects(id growth.JobID) int {
	return m.count(`SELECT count(*) FROM events WHERE job_id = $1 AND type = $2`, id, effect)
}

// runDown lets a quiet world finish: Redis is lost once more, the silent workers' leases end, and honest workers do what
// is left. Every job must come to an end.
func (m *machine) runDown(rt *rapid.T) {
	m.redis = map[delivery]bool{}
	for range 6 {
		m.exec(`UPDATE jobs SET lease_until = now() - interval '1 second' WHERE state = 'running'`)
		m.becomeDue()
		m.sweep()
		m.compare(rt)
		for _, h := range m.handOver(10) {
			before := len(m.workers)
			m.take(rt, delivery{h.ID, h.Epoch})
			if len(m.workers) > before {
				m.conclude(rt, m.workers[before], store.Outcome{State: growth.JobSucceeded})
			}
		}
	}
	for _, id := range m.jobs {
		if r := m.row(id); !r.State.Final() {
			rt.Fatalf("job %s was lost: %+v", id, r)
		}
	}
	m.check(rt)
}
