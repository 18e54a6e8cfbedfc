package breaker

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	stateKey = "astrogrowth:breakers"        // hash: name to Change, of the breakers that are open
	channel  = "astrogrowth:breaker-changes" // Pub/Sub: Change
)

// Share sends this set's changes to the other processes and applies theirs, until ctx ends. It first opens the breakers
// that are open elsewhere. notify, when not nil, hears every change that began in this process.
func (s *Set) Share(ctx context.Context, rdb redis.UniversalClient, notify func(Change)) {
	sub := rdb.Subscribe(ctx, channel)
	defer func() { _ = sub.Close() }()
	s.load(ctx, rdb)
	messages := sub.Channel()
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-s.changes:
			if notify != nil {
				notify(c)
			}
			// Redis may be down: this process's breaker works all the same, and others find out for themselves.
			_ = s.publish(ctx, rdb, c)
		case m, ok := <-messages:
			if !ok {
				return
			}
			var c Change
			if json.Unmarshal([]byte(m.Payload), &c) == nil && c.From != s.process {
				s.apply(c)
			}
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
		s.Force(n, time.Time{})
		if err := s.publish(ctx, rdb, Change{Name: n, State: Closed, From: s.process, Reset: true}); err != nil {
			return fmt.Errorf("share reset of breaker %s: %w", n, err)
		}
	}
	return nil
}

func (s *Set) load(ctx context.Context, rdb redis.UniversalClient) {
	all, err := rdb.HGetAll(ctx, stateKey).Result()
	if err != nil {
		return // as above: a set that knows nothing learns by itself
	}
	for _, v := range all {
		var c Change
		if json.Unmarshal([]byte(v), &c) == nil {
			s.apply(c)
		}
	}
}

func (s *Set) apply(c Change) {
	switch c.State {
	case Open:
		if c.Until.After(time.Now()) {
			s.Force(c.Name, c.Until)
		}
	case Closed:
		s.Force(c.Name, time.Time{})
	case HalfOpen: // each process probes for itself
	}
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
