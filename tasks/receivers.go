package tasks

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Receivers remembers how the servers behave that this process calls, so that one that is slow or dead does not hold the
// slots that messages to others need. It is no truth: a process that begins knows nothing and finds out.
type Receivers struct {
	slots int
	now   func() time.Time

	mu sync.Mutex
	by map[string]*receiverState
}

// receiverState is what is known of one host, or of one address of it that asked for a rest.
type receiverState struct {
	running int
	seen    bool          // it has answered, or failed, before
	took    time.Duration // smoothed
	failed  int           // in a row
	rests   time.Time     // it is not called before
	turn    time.Time     // of the last that was sent away
	used    time.Time
}

// answered is how a call ended.
type answered struct {
	took time.Duration
	bad  bool          // no answer, or one that says that the server is in trouble
	rest time.Duration // that the receiver asked for: for the whole host when that is in trouble, else for the address alone
}

const (
	maxReceivers  = 4096
	slowReceiver  = time.Second
	deadReceiver  = 3 // failures in a row
	leastRest     = 5 * time.Second
	mostRest      = 5 * time.Minute
	mostAskedRest = time.Minute // whoever asks for more speaks for one message, and not for the others
)

// NewReceivers makes a memory for a process that makes so many calls at once.
func NewReceivers(slots int) *Receivers {
	return &Receivers{slots: slots, now: time.Now, by: map[string]*receiverState{}}
}

// enter takes a slot for a call to an address of a host, to be left with how the call ended; wait says that there is none
// for so long. Many customers of a host that they share have addresses of their own there.
func (r *Receivers) enter(host, address string) (leave func(answered), wait time.Duration) {
	if r == nil {
		return func(answered) {}, 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if own := r.by[address]; own != nil && own.rests.After(now) {
		return func(answered) {}, r.turnOf(own, now)
	}
	s := r.of(host, now)
	if s.rests.After(now) || s.running >= r.most(s) {
		return func(answered) {}, r.turnOf(s, now)
	}
	s.running++
	s.used = now
	return func(a answered) { r.leave(host, address, s, a) }, 0
}

// turnOf is how long somebody has to wait who is sent away. Each gets a turn of his own, as far apart as the receiver
// takes them: they do not come back together, and seldom in vain.
func (r *Receivers) turnOf(s *receiverState, now time.Time) time.Duration {
	gap := max(s.took, 100*time.Millisecond) / time.Duration(r.most(s))
	at := later(s.turn, later(s.rests, now)).Add(gap)
	if wait := at.Sub(now); wait <= mostRest {
		s.turn = at
		return wait
	}
	return mostRest + rand.N(mostRest/2) //nolint:gosec // spreading load needs no secrecy
}

// most is how many calls to a host may be under way: all that there are to one that is known to answer at once.
func (r *Receivers) most(s *receiverState) int {
	switch {
	case s.failed >= deadReceiver:
		return 1 // a probe
	case s.failed > 0 || s.took > slowReceiver:
		return max(r.slots/4, 1)
	case !s.seen:
		return max(r.slots/2, 1)
	}
	return r.slots
}

func (r *Receivers) leave(host, address string, s *receiverState, a answered) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	s.running--
	s.used, s.seen = now, true
	if s.took == 0 {
		s.took = a.took
	}
	s.took = (3*s.took + a.took) / 4
	if !a.bad {
		s.failed = 0
	} else if s.failed++; s.failed >= deadReceiver {
		s.rests = now.Add(min(leastRest<<min(s.failed-deadReceiver, 10), mostRest))
	}
	r.by[host] = s
	rest := min(a.rest, mostAskedRest)
	if rest <= 0 {
		return
	}
	if !a.bad {
		s = r.of(address, now)
		s.used = now
	}
	s.rests = later(s.rests, now.Add(rest))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// of gives the state of a host. When too many are known, those go that nobody has called for longest.
func (r *Receivers) of(host string, now time.Time) *receiverState {
	if s := r.by[host]; s != nil {
		return s
	}
	if len(r.by) >= maxReceivers {
		r.forget(now)
	}
	s := &receiverState{used: now}
	r.by[host] = s
	return s
}

// forget lets go of what was not used for a while, in the end of whatever is not being called.
func (r *Receivers) forget(now time.Time) {
	for _, age := range []time.Duration{mostRest, 0} {
		for host, s := range r.by {
			if s.running == 0 && now.Sub(s.used) >= age {
				delete(r.by, host)
			}
		}
		if len(r.by) < maxReceivers {
			return
		}
	}
}
