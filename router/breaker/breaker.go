// Package breaker keeps a circuit breaker for each provider and for each model of it. Failures are counted in the
// process (gobreaker's state machine); openings, closings and resets are shared with every other process through Redis,
// at no cost per call. It refuses to know what a failure is: the caller says so.
package breaker

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

// State is a breaker's state as the API shows it.
type State string

// The states of a breaker.
const (
	Closed   State = "CLOSED"
	Open     State = "OPEN"
	HalfOpen State = "HALF_OPEN"
)

// Settings tune every breaker of a set; the zero value means the stated defaults.
type Settings struct {
	Failures int           // consecutive failures that open; default 5
	Rate     float64       // share of failures among at least MinCalls within Window that opens; default 0.5
	MinCalls int           // default 20
	Window   time.Duration // default 60 s
	Timeout  time.Duration // how long a breaker stays open, give or take a tenth; default 60 s
	Closing  int           // successes that close a half-open breaker; default 2
}

func (s Settings) withDefaults() Settings {
	if s.Failures == 0 {
		s.Failures = 5
	}
	if s.Rate == 0 {
		s.Rate = 0.5
	}
	if s.MinCalls == 0 {
		s.MinCalls = 20
	}
	if s.Window == 0 {
		s.Window = time.Minute
	}
	if s.Timeout == 0 {
		s.Timeout = time.Minute
	}
	if s.Closing == 0 {
		s.Closing = 2
	}
	return s
}

// Change is one transition of a breaker.
type Change struct {
	Name  string    `json:"name"`
	State State     `json:"state"`
	Until time.Time `json:"until"` // when an open breaker may be probed
	From  string    `json:"from"`  // the process that saw it
	Reset bool      `json:"reset"` // a person did it
}

// Status is a breaker as the API shows it.
type Status struct {
	State     State
	Failures  int       // in the present window; of an open breaker those that opened it
	Successes int       // in the present window
	Until     time.Time // when an open breaker may be probed; zero unless open
}

var (
	errFailed = errors.New("failed")
	errForced = errors.New("counts for nothing")
)

// Set holds the breakers of one process by name. It is safe for use by many goroutines.
type Set struct {
	settings Settings
	process  string
	changes  chan Change

	mu       sync.Mutex
	breakers map[string]*one
}

// New makes a set in which every name of names has a closed breaker. process names this process to the others.
func New(settings Settings, process string, names ...string) *Set {
	s := &Set{settings: settings.withDefaults(), process: process, changes: make(chan Change, 256), breakers: map[string]*one{}}
	for _, n := range names {
		s.get(n)
	}
	return s
}

// one is a breaker. The gobreaker object is swapped to open or close it by force: a call that began before a swap
// reports to the old object and counts for nothing.
type one struct {
	name  string
	set   *Set
	cb    atomic.Pointer[gobreaker.TwoStepCircuitBreaker[struct{}]]
	until atomic.Int64 // unix nanoseconds
	fails atomic.Int64 // that opened it last
}

func (s *Set) get(name string) *one {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.breakers[name]; ok {
		return b
	}
	b := &one{name: name, set: s}
	b.cb.Store(b.fresh(s.jitter(), nil))
	s.breakers[name] = b
	return b
}

// jitter spreads the ends of open times, so that a fleet does not probe all its providers in one instant.
func (s *Set) jitter() time.Duration {
	return time.Duration(float64(s.settings.Timeout) * (0.9 + 0.2*rand.Float64())) //nolint:gosec // spreading load needs no secrecy
}

func (b *one) fresh(timeout time.Duration, armed *atomic.Bool) *gobreaker.TwoStepCircuitBreaker[struct{}] {
	s := b.set.settings
	var self *gobreaker.TwoStepCircuitBreaker[struct{}]
	self = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name: b.name, MaxRequests: uint32(s.Closing), Interval: s.Window, BucketPeriod: s.Window / 12, Timeout: timeout, //nolint:gosec // small
		ReadyToTrip: func(c gobreaker.Counts) bool {
			if armed != nil && armed.Load() {
				return true
			}
			seen := int(c.TotalSuccesses + c.TotalFailures)
			trip := int(c.ConsecutiveFailures) >= s.Failures || seen >= s.MinCalls && float64(c.TotalFailures) >= s.Rate*float64(seen)
			if trip {
				b.fails.Store(int64(c.TotalFailures)) // an open breaker counts nothing; this is what opened it
			}
			return trip
		},
		IsExcluded: func(err error) bool { return errors.Is(err, errForced) },
		// Runs under gobreaker's lock: it may not ask the breaker anything, and it may not wait.
		OnStateChange: func(_ string, _, to gobreaker.State) {
			if armed != nil && armed.Load() {
				return // opened by force: others know already
			}
			b.changed(to, timeout, armed != nil, &self)
		},
	})
	return self
}

func (b *one) changed(to gobreaker.State, timeout time.Duration, forced bool, self **gobreaker.TwoStepCircuitBreaker[struct{}]) {
	if b.cb.Load() != *self {
		return // a late result of an object that was swapped out
	}
	c := Change{Name: b.name, From: b.set.process}
	switch to {
	case gobreaker.StateOpen:
		c.State, c.Until = Open, time.Now().Add(timeout)
		b.until.Store(c.Until.UnixNano())
		if forced { // its time-out was what was left of another process's opening; the next one is a whole one
			c.Until = time.Now().Add(b.set.jitter())
			b.open(c.Until)
		}
	case gobreaker.StateHalfOpen:
		c.State = HalfOpen
	case gobreaker.StateClosed:
		c.State = Closed
		b.until.Store(0)
	}
	select {
	case b.set.changes <- c:
	default: // nobody listens, or far too much happens; the breaker works all the same
	}
}

// Allow asks whether a call may go through every breaker named. When it may, done must be called once with the name
// whose fault it was ("" for a success or a failure that counts against nobody; failed says which). When it may not,
// barred names the breaker and until is when it may be probed.
func (s *Set) Allow(names ...string) (done func(failed string, excluded bool), barred string, until time.Time) {
	dones := make([]func(error), 0, len(names))
	for _, n := range names {
		b := s.get(n)
		d, err := b.cb.Load().Allow()
		if err != nil {
			for _, d := range dones {
				d(errForced) // never sent, so no result
			}
			return nil, n, time.Unix(0, b.until.Load())
		}
		dones = append(dones, d)
	}
	var once sync.Once
	return func(failed string, excluded bool) {
		once.Do(func() {
			for i, n := range names {
				report(dones[i], n == failed, excluded && n != failed)
			}
		})
	}, "", time.Time{}
}

func report(done func(error), failed, excluded bool) {
	switch {
	case failed:
		done(errFailed)
	case excluded:
		done(errForced)
	default:
		done(nil)
	}
}

// Force opens a breaker until a moment, or closes it when until is zero or past. It tells nobody.
func (s *Set) Force(name string, until time.Time) {
	b := s.get(name)
	d := time.Until(until)
	if d <= 0 {
		b.until.Store(0)
		b.cb.Store(b.fresh(s.jitter(), nil))
		return
	}
	b.open(until)
}

// open swaps in an object that is open until a moment.
func (b *one) open(until time.Time) {
	d := time.Until(until)
	armed := new(atomic.Bool)
	armed.Store(true)
	cb := b.fresh(d, armed)
	if done, err := cb.Allow(); err == nil {
		done(errFailed) // armed: the first failure trips
	}
	armed.Store(false)
	b.until.Store(until.UnixNano())
	b.cb.Store(cb)
}

// Names lists every breaker, sorted.
func (s *Set) Names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.breakers))
}

// Status returns every breaker by name.
func (s *Set) Status() map[string]Status {
	out := map[string]Status{}
	for _, n := range s.Names() {
		b := s.get(n)
		cb := b.cb.Load()
		state, counts := cb.State(), cb.Counts()
		st := Status{State: Closed, Failures: int(counts.TotalFailures), Successes: int(counts.TotalSuccesses)}
		switch state {
		case gobreaker.StateOpen:
			st.State, st.Failures, st.Until = Open, int(b.fails.Load()), time.Unix(0, b.until.Load())
		case gobreaker.StateHalfOpen:
			st.State = HalfOpen
		case gobreaker.StateClosed:
		}
		out[n] = st
	}
	return out
}
