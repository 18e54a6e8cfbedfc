// Package quota keeps what providers allow: until when a provider, or one model of it, has asked to be left alone
// (Cooldowns), and how many calls an account has left before it would be asked to (Pools). Both are shared by every
// process through Redis; cool-downs are read from memory alone. It refuses to know prices, breakers and what a call says.
package quota

import (
	"sync"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// DefaultCooling is how long a model rests after a refusal that did not say how long; a second one soon after makes it
// twice as long, and so on.
const DefaultCooling = 10 * time.Second

// The rests after refusals that named no time.
const (
	longestCooling = 10 * time.Minute
	spentRest      = 10 * time.Minute // credit is spent: nobody says when there will be more
	longestSpent   = 4 * time.Hour
)

// maxRests bounds the table: a caller can force any model, and each has a name.
const maxRests = 4096

// Cooldowns holds the rests that this process knows of. The zero value is ready; it is safe for use by many goroutines.
type Cooldowns struct {
	Now func() time.Time // default time.Now

	mu    sync.RWMutex
	until map[string]rest
	news  chan struct{} // wakes Share; nil: it does not run
}

type rest struct {
	until  time.Time
	code   growth.Code
	length time.Duration // when we chose it ourselves
	untold bool          // it began here, and the other processes do not know of it yet
}

func (c *Cooldowns) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

// Rest notes that name refused with code and for how long it wants to be left alone, here and in every other process.
// A d of 0 is the time that we choose ourselves, growing with each repetition. A longer rest that is known already
// stays.
func (c *Cooldowns) Rest(name string, code growth.Code, d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	r := rest{code: code, untold: true}
	if d <= 0 {
		d = chosen(c.until[name], code, now)
		r.length = d
	}
	r.until = now.Add(d)
	if c.note(name, r, now) && c.news != nil {
		select {
		case c.news <- struct{}{}:
		default: // it is awake
		}
	}
}

// chosen is the rest after a refusal that named no time: twice the one before when that has ended only just now.
func chosen(before rest, code growth.Code, now time.Time) time.Duration {
	first, longest := DefaultCooling, longestCooling
	if code == growth.Exhausted {
		first, longest = spentRest, longestSpent
	}
	if before.length > 0 && before.code == code && now.Sub(before.until) < before.length {
		if now.Before(before.until) {
			return before.length // of a call that was under way: the same refusal once more
		}
		return min(2*before.length, longest)
	}
	return first
}

// note keeps a rest unless a longer one is known; it says whether it did.
func (c *Cooldowns) note(name string, r rest, now time.Time) bool {
	if c.until == nil {
		c.until = map[string]rest{}
	}
	old, known := c.until[name]
	if known && !old.until.Before(r.until) {
		return false
	}
	if r.length == 0 && old.code == r.code {
		r.length = old.length // what others say of it does not end the growing
	}
	if !known && len(c.until) >= maxRests && !c.forget(now) {
		return false
	}
	c.until[name] = r
	return true
}

// forget makes room by dropping what has ended; it says whether there was anything.
func (c *Cooldowns) forget(now time.Time) bool {
	before := len(c.until)
	for n, r := range c.until {
		if now.Sub(r.until) > r.length {
			delete(c.until, n)
		}
	}
	return len(c.until) < before
}

// Resting says whether any of the names rests, until when, and why (Throttled or Exhausted).
func (c *Cooldowns) Resting(names ...string) (until time.Time, code growth.Code, ok bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if len(c.until) == 0 {
		return until, code, false
	}
	now := c.now()
	for _, n := range names {
		if r, found := c.until[n]; found && r.until.After(now) && r.until.After(until) {
			until, code, ok = r.until, r.code, true
		}
	}
	return until, code, ok
}
