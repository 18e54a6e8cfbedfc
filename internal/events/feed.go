package events

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
)

// Pace of a feed.
const (
	feedIdle   = time.Second           // between two looks when nobody says that something happened
	feedGather = 20 * time.Millisecond // notices that come together share a look
	feedPage   = 200                   // events of a workspace in one look
	feedBuffer = 64                    // events that a listener may be behind before it has to read for itself
)

// Log reads the events of workspaces behind a place of each, in their order; see store.EventsAfter.
type Log interface {
	EventsAfter(ctx context.Context, places map[growth.WorkspaceID]growth.EventCursor, limit int) ([]growth.Event, error)
}

// Feed hands the events of the workspaces that somebody listens to, whole and in order, to every listener of this
// process, at the cost of one query a look however many they are. A listener that falls behind is told so and reads the
// log for itself. Without a listener it asks for nothing.
type Feed struct {
	log    Log
	logger zerolog.Logger
	wake   chan struct{}

	mu        sync.Mutex
	listeners map[*Listener]struct{}
	places    map[growth.WorkspaceID]growth.EventCursor // up to where each workspace has been handed out
}

// NewFeed makes a feed over a log.
func NewFeed(log Log, logger zerolog.Logger) *Feed {
	return &Feed{
		log: log, logger: logger, wake: make(chan struct{}, 1),
		listeners: map[*Listener]struct{}{}, places: map[growth.WorkspaceID]growth.EventCursor{},
	}
}

// Listener receives the events of one workspace.
type Listener struct {
	C  <-chan growth.Event
	c  chan growth.Event
	ws growth.WorkspaceID

	mu     sync.Mutex
	behind bool
}

// Behind says whether events were left out, for want of room, since the last call.
func (l *Listener) Behind() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.behind
	l.behind = false
	return was
}

// Listen begins to listen behind a place that the caller found before the call; it may get events from before it too.
// What the caller reads from the log after the call reaches to where the events of the listener go on. stop must be
// called.
func (f *Feed) Listen(ws growth.WorkspaceID, from growth.EventCursor) (l *Listener, stop func()) {
	c := make(chan growth.Event, feedBuffer)
	l = &Listener{C: c, c: c, ws: ws}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listeners[l] = struct{}{}
	if _, heard := f.places[ws]; !heard {
		f.places[ws] = from
	}
	return l, func() { f.leave(l) }
}

func (f *Feed) leave(l *Listener) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.listeners, l)
	for other := range f.listeners {
		if other.ws == l.ws {
			return
		}
	}
	delete(f.places, l.ws)
}

// Listeners is how many listen.
func (f *Feed) Listeners() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.listeners)
}

// Wake says that something has happened; the feed looks soon.
func (f *Feed) Wake() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Run looks until ctx ends.
func (f *Feed) Run(ctx context.Context) {
	for ctx.Err() == nil {
		for f.look(ctx) {
		}
		f.rest(ctx)
	}
}

func (f *Feed) rest(ctx context.Context) {
	idle := time.NewTimer(feedIdle)
	defer idle.Stop()
	select {
	case <-ctx.Done():
		return
	case <-idle.C:
		return
	case <-f.wake:
	}
	gather := time.NewTimer(feedGather)
	defer gather.Stop()
	select {
	case <-ctx.Done():
	case <-gather.C:
	}
}

// look hands out what is new, and says whether there may be more.
func (f *Feed) look(ctx context.Context) bool {
	f.mu.Lock()
	before := maps.Clone(f.places)
	f.mu.Unlock()
	if len(before) == 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	page, err := f.log.EventsAfter(ctx, before, feedPage)
	if err != nil {
		if ctx.Err() == nil {
			f.logger.Warn().Err(err).Msg("events cannot be read")
		}
		return false
	}
	f.spread(page, before)
	return len(page) >= feedPage
}

// spread hands events to whoever listens. The place of a workspace moves on only when it is still the one that was read
// from: listeners that came anew in the meantime begin at their own.
func (f *Feed) spread(page []growth.Event, before map[growth.WorkspaceID]growth.EventCursor) {
	f.mu.Lock()
	defer f.mu.Unlock()
	after := map[growth.WorkspaceID]growth.EventCursor{}
	for _, e := range page {
		after[e.Workspace] = e.Cursor
		for l := range f.listeners {
			if l.ws == e.Workspace {
				l.give(e)
			}
		}
	}
	for ws, at := range after {
		if place, heard := f.places[ws]; heard && place == before[ws] {
			f.places[ws] = at
		}
	}
}

func (l *Listener) give(e growth.Event) {
	select {
	case l.c <- e:
	default:
		l.mu.Lock()
		l.behind = true
		l.mu.Unlock()
	}
}
