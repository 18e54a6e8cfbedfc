package breaker

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	growth "github.com/zakibelm/astrogrowth"
)

const (
	stateKey = "astrogrowth:breakers"        // hash: name to Change, of the breakers that are open
	channel  = "astrogrowth:breaker-changes" // Pub/Sub: Change

	// again is how often a process compares what it knows with what is shared. Messages that were lost while Redis was
	// away are made good then.
	again = 5 * time.Second
	// settle is how long a lease outlives a probe that failed, so that no process probes before it has heard of it.
	settle = 2 * time.Second
	// forgotten is when an opening that nobody ended is no longer worth knowing: its breaker is not called any more.
	forgotten = 24 * time.Hour
)

// probeKeys are the lease of a probe and the number of those that have succeeded, in one slot of a cluster.
func probeKeys(name string) []string {
	return []string{"astrogrowth:breaker-probe:{" + name + "}", "astrogrowth:breaker-good:{" + name + "}"}
}

// earlyKeys are of one opening: the next one has another end, and an early probe of its own.
func earlyKeys(name string, until int64) []string {
	return []string{fmt.Sprintf("astrogrowth:breaker-early:{%s}:%d", name, until), "astrogrowth:breaker-good:{" + name + "}"}
}

// link is the way to the other processes.
type link struct {
	rdb    redis.UniversalClient
	token  string // of this process's leases
	notify func(Change)
}

// Share sends this set's changes to the other processes and applies theirs, until ctx ends. It first opens the breakers
// that are open elsewhere. notify, when not nil, hears every change that began in this process; it may not block.
func (s *Set) Share(ctx context.Context, rdb redis.UniversalClient, notify func(Change)) {
	if notify == nil {
		notify = func(Change) {}
	}
	l := &link{rdb: rdb, token: growth.NewID(), notify: notify}
	sub := rdb.Subscribe(ctx, channel)
	defer func() { _ = sub.Close() }()
	s.load(ctx, rdb)
	s.link.Store(l)
	defer s.link.Store(nil)
	messages := sub.Channel()
	tick := time.NewTicker(again)
	defer tick.Stop()
	unsent := map[string]Change{} // by name, the newest
	for {
		select {
		case <-ctx.Done():
			s.flush(context.WithoutCancel(ctx), l, unsent) // so that nothing is lost with the process
			return
		case c := <-s.changes:
			s.send(ctx, l, c, unsent)
		case m, ok := <-messages:
			if !ok {
				return
			}
			var c Change
			if json.Unmarshal([]byte(m.Payload), &c) == nil && c.From != s.process {
				s.apply(c)
			}
		case <-tick.C:
			s.compare(ctx, l, unsent)
		}
	}
}

// send passes a change of this process on. Redis may be down: this process's breaker works all the same, and the others
// are told when Redis is back.
func (s *Set) send(ctx context.Context, l *link, c Change, unsent map[string]Change) {
	if !c.Ended {
		l.notify(c)
	}
	if s.publish(ctx, l.rdb, c) != nil {
		if c.State != HalfOpen {
			unsent[c.Name] = c
		}
		return
	}
	delete(unsent, c.Name)
	if c.State == Open {
		l.keep(ctx, c.Name, min(settle, max(time.Until(c.Until)/2, time.Millisecond)), 0)
	}
}

// flush sends every change that is queued, unless Redis does not answer.
func (s *Set) flush(ctx context.Context, l *link, unsent map[string]Change) {
	for len(unsent) == 0 {
		select {
		case c := <-s.changes:
			s.send(ctx, l, c, unsent)
		default:
			return
		}
	}
}

// compare makes good what was lost on the way: it sends again what could not be sent, and takes over what is shared.
func (s *Set) compare(ctx context.Context, l *link, unsent map[string]Change) {
	for name, c := range unsent { // first what happened here, so that nothing older overrules it
		if s.publish(ctx, l.rdb, c) != nil {
			return
		}
		delete(unsent, name)
	}
	if s.flush(ctx, l, unsent); len(unsent) > 0 {
		return
	}
	shared, ok := s.load(ctx, l.rdb)
	if !ok {
		return
	}
	for _, name := range s.Names() {
		b := s.get(name)
		until := b.until.Load()
		switch {
		case until == 0 || shared[name]:
		case b.ours.Load(): // Redis has lost it
			s.tell(Change{Name: name, State: Open, Until: time.Unix(0, until), Trips: int(b.trips.Load())})
		default:
			s.Force(name, time.Time{}) // closed elsewhere while this process could not hear
		}
	}
}

// Reset closes a breaker, or every one when name is empty, here and in every other process.
func (s *Set) Reset(ctx context.Context, rdb redis.UniversalClient, name string) error {
	names := []string{name}
	if name == "" {
		names = s.Names()
	}
	for _, n := range names {
		c := Change{Name: n, State: Closed, From: s.process, Reset: true}
		wasOpen := s.get(n).until.Load() != 0
		s.Force(n, time.Time{})
		if l := s.link.Load(); l != nil && wasOpen {
			l.notify(c)
		}
		if err := s.publish(ctx, rdb, c); err != nil {
			return fmt.Errorf("share reset of breaker %s: %w", n, err)
		}
	}
	return nil
}

// Learn opens the breakers that are open elsewhere, so that a process knows them before its first call. Without Redis
// it learns by itself.
func (s *Set) Learn(ctx context.Context, rdb redis.UniversalClient) { s.load(ctx, rdb) }

// load applies what is shared and says which breakers that are.
func (s *Set) load(ctx context.Context, rdb redis.UniversalClient) (open map[string]bool, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	all, err := rdb.HGetAll(ctx, stateKey).Result()
	if err != nil {
		return nil, false // as above: a set that knows nothing learns by itself
	}
	open = make(map[string]bool, len(all))
	for name, v := range all {
		var c Change
		if json.Unmarshal([]byte(v), &c) != nil || time.Since(c.Until) > forgotten {
			_ = rdb.HDel(ctx, stateKey, name).Err() // if not now, then the next time
			continue
		}
		s.apply(c)
		open[name] = true
	}
	return open, true
}

func (s *Set) apply(c Change) {
	switch c.State {
	case Open:
		s.applyOpen(c)
	case Closed:
		s.Force(c.Name, time.Time{})
	case HalfOpen:
		b := s.get(c.Name)
		switch {
		case b.until.Load() == 0: // closed here meanwhile
		case c.Ended:
			b.recover(c.Successes)
			b.busy.Store(0)
		default:
			b.busy.Store(time.Now().Add(s.settings.Probe).UnixNano())
		}
	}
}

// applyOpen takes over an opening. Two processes that opened a breaker at once agree on the later end.
func (s *Set) applyOpen(c Change) {
	if !c.Until.After(time.Now()) {
		return
	}
	b := s.get(c.Name)
	b.trips.Store(max(int64(c.Trips), 1))
	b.busy.Store(0)
	if b.until.Load() >= c.Until.UnixNano() {
		return
	}
	b.ours.Store(c.From == s.process)
	b.open(c.Until)
}

func (s *Set) publish(ctx context.Context, rdb redis.UniversalClient, c Change) error {
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, err = rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		switch c.State {
		case Open:
			p.HSet(ctx, stateKey, c.Name, b)
		case Closed:
			p.HDel(ctx, stateKey, c.Name)
		case HalfOpen:
		}
		p.Publish(ctx, channel, b)
		return nil
	})
	return err
}

// takeLease sets a lease that nobody holds, or says for how many milliseconds it is still held; and how many probes
// have succeeded since the breaker opened.
var takeLease = redis.NewScript(`
local good = tonumber(redis.call('GET', KEYS[2]) or 0)
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return {0, good} end
return {math.max(redis.call('PTTL', KEYS[1]), 1), good}`)

// keepLease shortens a lease that is one's own, or gives it back, and notes how many probes have succeeded.
var keepLease = redis.NewScript(`
if ARGV[3] == '0' then redis.call('DEL', KEYS[2]) else redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4]) end
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then return redis.call('DEL', KEYS[1]) end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`)

// leaseTimeout is as long as a call waits for Redis at the moment of probing.
const leaseTimeout = 250 * time.Millisecond

// lease asks the other processes' leave for a probe of at most d. When nobody can be asked, each process probes for
// itself. left is for how long the lease is still held by another one, good how many probes have succeeded so far.
func (s *Set) lease(keys []string, d time.Duration) (left time.Duration, good int, held bool) {
	l := s.link.Load()
	if l == nil {
		return 0, 0, true
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaseTimeout) // the lease is the process's, not the call's
	defer cancel()
	v, err := takeLease.Run(ctx, l.rdb, keys, l.token, max(d.Milliseconds(), 1)).Int64Slice()
	if err != nil || len(v) != 2 {
		return 0, 0, true
	}
	return time.Duration(v[0]) * time.Millisecond, int(v[1]), v[0] == 0
}

// keep lets a lease of this process live for d more; 0 gives it back.
func (l *link) keep(ctx context.Context, name string, d time.Duration, good int) {
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	_ = keepLease.Run(ctx, l.rdb, probeKeys(name), l.token, d.Milliseconds(), good, forgotten.Milliseconds()).Err() // it ends by itself, if later
}
