// Package breaker keeps a circuit breaker for each provider and for each model of it. Failures are counted in the
// process (gobreaker's state machine); openings, closings and resets are shared with every other process through Redis,
// at no cost per call, and a breaker that is due is probed by one call of all processes at a time. It refuses to know
// what a failure is: the caller says so.
package breaker

import (
	"errors"
	"maps"
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
	Longest  time.Duration // each opening that a failed probe makes is twice as long as the one before, up to this; default 10 min
	Closing  int           // successes that close a half-open breaker; default 2
	Probe    time.Duration // how long a probe may take before another process may try; default 90 s
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
	if s.Longest == 0 {
		s.Longest = 10 * time.Minute
	}
	if s.Closing == 0 {
		s.Closing = 2
	}
	if s.Probe == 0 {
		s.Probe = 90 * time.Second
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

	Trips     int  `json:"trips,omitempty"`     // openings so far without a closing between them
	Ended     bool `json:"ended,omitempty"`     // a half-open breaker's probe has ended without closing or opening it
	Successes int  `json:"successes,omitempty"` // of probes, so far
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

// maxBreakers bounds a set: a caller can force any model, and each has a name.
const maxBreakers = 1000

// Set holds the breakers of one process by name. It is safe for use by many goroutines.
type Set struct {
	settings Settings
	process  string
	changes  chan Change
	link     atomic.Pointer[link] // nil: nobody to share with

	mu       sync.RWMutex
	breakers map[string]*one
	listed   map[string]bool // never forgotten
}

// New makes a set in which every name of names has a closed breaker. process names this process to the others.
func New(settings Settings, process string, names ...string) *Set {
	s := &Set{
		settings: settings.withDefaults(), process: process, changes: make(chan Change, 256),
		breakers: map[string]*one{}, listed: map[string]bool{},
	}
	s.List(names...)
	return s
}

// List makes sure that every name has a breaker, and that it is kept and shown whatever happens.
func (s *Set) List(names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range names {
		s.listed[n] = true
		s.add(n)
	}
}

// one is a breaker. The gobreaker object is swapped to open or close it by force: a call that began before a swap
// reports to the old object and counts for nothing. An open breaker is always one that was opened by force, so that it
// stays open for exactly as long as was said.
type one struct {
	name  string
	set   *Set
	cb    atomic.Pointer[machine]
	until atomic.Int64 // unix nanoseconds: when an open breaker may be probed; 0: it is closed
	fails atomic.Int64 // that opened it last
	trips atomic.Int64 // openings without a closing between them
	busy  atomic.Int64 // unix nanoseconds: until then a probe is taken to be under way somewhere
	early atomic.Int64 // the until of the opening whose early probe is spent
	ours  atomic.Bool  // this process opened it
}

type machine = gobreaker.TwoStepCircuitBreaker[struct{}]

func (s *Set) get(name string) *one {
	s.mu.RLock()
	b, ok := s.breakers[name]
	s.mu.RUnlock()
	if ok {
		return b
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.add(name)
}

func (s *Set) add(name string) *one {
	if b, ok := s.breakers[name]; ok {
		return b
	}
	b := &one{name: name, set: s}
	b.cb.Store(b.fresh(s.settings.Timeout, nil))
	if len(s.breakers) >= maxBreakers && !s.forget() {
		return b // works for this call, and is not kept
	}
	s.breakers[name] = b
	return b
}

// forget drops a closed breaker that nobody listed.
func (s *Set) forget() bool {
	for n, b := range s.breakers {
		if !s.listed[n] && b.until.Load() == 0 {
			delete(s.breakers, n)
			return true
		}
	}
	return false
}

func (b *one) fresh(timeout time.Duration, armed *atomic.Bool) *machine {
	s := b.set.settings
	var self *machine
	self = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name: b.name, MaxRequests: uint32(s.Closing), Interval: s.Window, BucketPeriod: s.Window / 12, Timeout: max(timeout, 1), //nolint:gosec // small
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
			b.changed(to, self)
		},
	})
	return self
}

func (b *one) changed(to gobreaker.State, self *machine) {
	if b.cb.Load() != self {
		return // a late result of an object that was swapped out
	}
	switch to {
	case gobreaker.StateOpen:
		trips := b.trips.Add(1)
		until := time.Now().Add(b.set.openFor(trips))
		b.ours.Store(true)
		b.open(until)
		b.set.tell(Change{Name: b.name, State: Open, Until: until, Trips: int(trips)})
	case gobreaker.StateHalfOpen: // its time is over, which everybody knows; the probe is told when it begins
	case gobreaker.StateClosed:
		b.closed()
		b.set.tell(Change{Name: b.name, State: Closed})
	}
}

func (b *one) closed() {
	b.until.Store(0)
	b.trips.Store(0)
	b.busy.Store(0)
	b.ours.Store(false)
}

// tell queues a change for the others.
func (s *Set) tell(c Change) {
	c.From = s.process
	select {
	case s.changes <- c:
	default: // nobody listens, or far too much happens; the breaker works all the same
	}
}

// Allow asks whether a call may go through every breaker named. When it may, done must be called once with the name
// whose fault it was ("" for a success or a failure that counts against nobody; failed says which). When it may not,
// barred names the breaker and until is when it may be probed.
func (s *Set) Allow(names ...string) (done func(failed string, excluded bool), barred string, until time.Time) {
	dones := make([]func(error), 0, len(names))
	for _, n := range names {
		d, until := s.get(n).allow()
		if d == nil {
			for _, d := range dones {
				d(errForced) // never sent, so no result
			}
			return nil, n, until
		}
		dones = append(dones, d)
	}
	return reporter(names, dones), "", time.Time{}
}

func reporter(names []string, dones []func(error)) func(failed string, excluded bool) {
	var once atomic.Bool
	return func(failed string, excluded bool) {
		if !once.CompareAndSwap(false, true) {
			return
		}
		for i, n := range names {
			report(dones[i], n == failed, excluded && n != failed)
		}
	}
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

// Barred says, from memory alone, whether one of the breakers named lets nothing through now, and until when.
func (s *Set) Barred(names ...string) (name string, until time.Time, barred bool) {
	now := time.Now().UnixNano()
	for _, n := range names {
		b := s.get(n)
		if at := b.until.Load(); at > now {
			return n, time.Unix(0, at), true
		}
	}
	return "", time.Time{}, false
}

// allow lets a call through a closed breaker, and one probe through a breaker whose time is over.
func (b *one) allow() (done func(error), until time.Time) {
	at := b.until.Load()
	if at == 0 {
		done, err := b.cb.Load().Allow()
		if err == nil {
			return done, time.Time{}
		}
		at = b.until.Load() // it has opened between the two looks
	}
	now := time.Now()
	if at > now.UnixNano() {
		return nil, time.Unix(0, at)
	}
	return b.probe(now)
}

// Force opens a breaker until a moment, or closes it when until is zero or past. It tells nobody.
func (s *Set) Force(name string, until time.Time) {
	b := s.get(name)
	if time.Until(until) <= 0 {
		b.closed()
		b.cb.Store(b.fresh(s.settings.Timeout, nil))
		return
	}
	b.open(until)
}

// open swaps in an object that is open until a moment.
func (b *one) open(until time.Time) {
	armed := new(atomic.Bool)
	armed.Store(true)
	cb := b.fresh(time.Until(until), armed)
	if done, err := cb.Allow(); err == nil {
		done(errFailed) // armed: the first failure trips
	}
	armed.Store(false)
	b.cb.Store(cb)
	b.until.Store(until.UnixNano())
}

// Names lists every breaker, sorted.
func (s *Set) Names() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
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
