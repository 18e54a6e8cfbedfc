// Package quota remembers until when a provider, or one model of it, has asked to be left alone: after a 429 with a
// hint, a spent daily allowance, or spent credit. It refuses to know prices and breakers.
package quota

import (
	"sync"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// DefaultCooling is how long a model rests after a refusal that did not say how long.
const DefaultCooling = 10 * time.Second

// Cooldowns holds the rests of one process. The zero value is ready; it is safe for use by many goroutines.
type Cooldowns struct {
	Now func() time.Time // default time.Now

	mu    sync.Mutex
	until map[string]rest
}

type rest struct {
	until time.Time
	code  growth.Code
}

func (c *Cooldowns) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

// Rest notes that name refused with code and for how long it wants to be left alone (0: DefaultCooling). A longer rest
// that is known already stays.
func (c *Cooldowns) Rest(name string, code growth.Code, d time.Duration) {
	if d <= 0 {
		d = DefaultCooling
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.until == nil {
		c.until = map[string]rest{}
	}
	until := c.now().Add(d)
	if old, ok := c.until[name]; !ok || old.until.Before(until) {
		c.until[name] = rest{until: until, code: code}
	}
}

// Resting says whether any of the names rests, until when, and why (Throttled or Exhausted).
func (c *Cooldowns) Resting(names ...string) (until time.Time, code growth.Code, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	for _, n := range names {
		r, found := c.until[n]
		if !found {
			continue
		}
		if !r.until.After(now) {
			delete(c.until, n)
			continue
		}
		if r.until.After(until) {
			until, code, ok = r.until, r.code, true
		}
	}
	return until, code, ok
}
