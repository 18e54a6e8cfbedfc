// Package events carries what happens in a workspace to live listeners in every process, by Redis Pub/Sub. It promises
// nothing: a listener that must not miss anything reads the events table, and uses this only to know when to look.
package events

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	growth "github.com/zakibelm/astrogrowth"
)

// Notice says that something happened; the row behind it holds the rest.
type Notice struct {
	Workspace growth.WorkspaceID `json:"workspace_id"`
	JobID     growth.JobID       `json:"job_id"`
	Type      string             `json:"type"`
}

const channel = "astrogrowth:events"

// Publish tells every process. When Redis is down the notice is lost, and listeners find out when they look again.
func Publish(ctx context.Context, rdb redis.UniversalClient, n Notice) error {
	b, err := json.Marshal(n)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return rdb.Publish(ctx, channel, b).Err()
}

// Bus hands the notices of one Redis subscription to the listeners of this process. The zero value is ready.
type Bus struct {
	mu        sync.Mutex
	listeners map[chan Notice]filter
	tell      func()
}

// Tell names a function that is called at each notice of any workspace. It must not block, and is set before Run.
func (b *Bus) Tell(f func()) { b.tell = f }

type filter struct {
	ws  growth.WorkspaceID
	job growth.JobID
}

// Listen returns a channel of the workspace's notices, of one job when job is given. A listener that does not keep up
// misses notices. stop must be called.
func (b *Bus) Listen(ws growth.WorkspaceID, job growth.JobID) (notices <-chan Notice, stop func()) {
	ch := make(chan Notice, 16)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.listeners == nil {
		b.listeners = map[chan Notice]filter{}
	}
	b.listeners[ch] = filter{ws, job}
	return ch, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.listeners, ch)
	}
}

// Run receives until ctx ends.
func (b *Bus) Run(ctx context.Context, rdb redis.UniversalClient) {
	sub := rdb.Subscribe(ctx, channel)
	defer func() { _ = sub.Close() }()
	messages := sub.Channel()
	for {
		select {
		case <-ctx.Done():
			return
		case m, ok := <-messages:
			if !ok {
				return
			}
			var n Notice
			if json.Unmarshal([]byte(m.Payload), &n) == nil {
				b.spread(n)
			}
			if b.tell != nil {
				b.tell()
			}
		}
	}
}

func (b *Bus) spread(n Notice) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for ch, f := range b.listeners {
		if f.ws != n.Workspace || f.job != "" && f.job != n.JobID {
			continue
		}
		select {
		case ch <- n:
		default: // slow: it will look for itself
		}
	}
}
