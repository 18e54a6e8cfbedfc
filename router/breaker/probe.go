package breaker

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/sony/gobreaker/v2"
)

// soon is what a caller is told to wait while somebody else's probe is under way: most end much earlier than they may.
const soon = 5 * time.Second

// openFor is how long the nth opening in a row lasts. The jitter spreads the ends of open times, so that a fleet does
// not probe all its providers in one instant.
func (s *Set) openFor(trips int64) time.Duration {
	d := s.settings.Timeout
	for range min(max(trips-1, 0), 40) {
		if d *= 2; d >= s.settings.Longest {
			d = max(s.settings.Longest, s.settings.Timeout)
			break
		}
	}
	return time.Duration(float64(d) * (0.9 + 0.2*rand.Float64())) //nolint:gosec // spreading load needs no secrecy
}

// probe lets one call through a breaker whose open time is over, when no other probe is under way in any process. Only
// here, and only once for each probe that this process does not get, is Redis asked.
func (b *one) probe(now time.Time) (done func(error), until time.Time) {
	busy := b.busy.Load()
	if busy > now.UnixNano() {
		return nil, sooner(busy, now)
	}
	if !b.busy.CompareAndSwap(busy, now.Add(b.set.settings.Probe).UnixNano()) {
		return nil, now.Add(soon) // another goroutine was quicker
	}
	left, good, held := b.set.lease(probeKeys(b.name), b.set.settings.Probe)
	if !held {
		b.busy.Store(now.Add(min(left, soon)).UnixNano()) // it ends with a message; should that be lost, Redis is asked again
		return nil, sooner(b.busy.Load(), now)
	}
	b.credit(good)
	result, err := b.cb.Load().Allow()
	if err != nil { // opened again meanwhile
		b.release(0)
		return nil, time.Unix(0, b.until.Load())
	}
	b.set.tell(Change{Name: b.name, State: HalfOpen})
	return func(err error) {
		result(err)
		b.ended()
	}, time.Time{}
}

func sooner(busy int64, now time.Time) time.Time {
	if until := time.Unix(0, busy); until.Before(now.Add(soon)) {
		return until
	}
	return now.Add(soon)
}

// ended gives the place of a probe back, first in Redis, so that whoever is told finds it free. A probe that failed has
// opened the breaker: its place is kept until the others have heard of that.
func (b *one) ended() {
	cb := b.cb.Load()
	if cb.State() == gobreaker.StateOpen {
		b.busy.Store(0)
		return
	}
	good := 0
	if cb.State() == gobreaker.StateHalfOpen {
		good = int(cb.Counts().TotalSuccesses)
		defer b.set.tell(Change{Name: b.name, State: HalfOpen, Ended: true, Successes: good})
	}
	b.release(good)
}

func (b *one) release(good int) {
	if l := b.set.link.Load(); l != nil {
		l.keep(context.Background(), b.name, 0, good) // the lease is the process's, not the call's
	}
	b.busy.Store(0)
}

// Probe lets one call through breakers that are open before their time is over, for a caller that has nobody else to
// ask: once in an open time, for all processes together. A success counts towards closing, a failure changes nothing.
func (s *Set) Probe(names ...string) (done func(failed string, excluded bool), ok bool) {
	dones := make([]func(error), 0, len(names))
	for _, n := range names {
		d := s.get(n).allowEarly()
		if d == nil {
			for _, d := range dones {
				d(errForced)
			}
			return nil, false
		}
		dones = append(dones, d)
	}
	return reporter(names, dones), true
}

func (b *one) allowEarly() func(error) {
	if done, _ := b.allow(); done != nil {
		return done
	}
	at, now := b.until.Load(), time.Now()
	spent := b.early.Load()
	if at <= now.UnixNano() || spent == at || !b.early.CompareAndSwap(spent, at) {
		return nil // a probe is under way, or was
	}
	if _, _, held := b.set.lease(earlyKeys(b.name, at), time.Unix(0, at).Sub(now)); !held {
		return nil
	}
	return func(err error) {
		if err == nil && b.until.Load() == at {
			b.recover(1)
			b.ended()
		}
	}
}

// recover makes an open breaker due at once and credits it with successes.
func (b *one) recover(successes int) {
	if b.until.Load() > time.Now().UnixNano() {
		b.open(time.Now())
	}
	b.credit(successes)
}

// credit adds the successes of other processes' probes to those that this one has seen.
func (b *one) credit(successes int) {
	for range successes - int(b.cb.Load().Counts().TotalSuccesses) {
		done, err := b.cb.Load().Allow()
		if err != nil {
			return // not due by this machine's clock: one more probe will be needed
		}
		done(nil)
	}
}
