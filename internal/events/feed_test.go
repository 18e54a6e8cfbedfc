package events_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/events"
)

// logbook is a log in memory.
type logbook struct {
	mu    sync.Mutex
	all   []growth.Event
	looks int
}

func (b *logbook) add(ws growth.WorkspaceID, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for range n {
		tx := int64(len(b.all) + 1)
		b.all = append(b.all, growth.Event{Cursor: growth.EventCursor{Tx: tx, ID: growth.EventID(tx)}, Workspace: ws, Type: "x"})
	}
}

func (b *logbook) EventsAfter(_ context.Context, places map[growth.WorkspaceID]growth.EventCursor, limit int) ([]growth.Event, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.looks++
	var out []growth.Event
	taken := map[growth.WorkspaceID]int{}
	for _, e := range b.all {
		if at, wanted := places[e.Workspace]; wanted && e.Cursor.After(at) && taken[e.Workspace] < limit {
			taken[e.Workspace]++
			out = append(out, e)
		}
	}
	return out, nil
}

func runFeed(t *testing.T, b *logbook) *events.Feed {
	t.Helper()
	f := events.NewFeed(b, zerolog.Nop())
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var wg sync.WaitGroup
	wg.Go(func() { f.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	return f
}

// got takes what a listener has.
func got(l *events.Listener) []int64 {
	var out []int64
	for {
		select {
		case e := <-l.C:
			out = append(out, e.Cursor.Tx)
		default:
			return out
		}
	}
}

func TestListenersGetTheirWorkspacesEventsInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &logbook{}
		b.add("a", 3)
		f := runFeed(t, b)
		one, stop := f.Listen("a", growth.EventCursor{Tx: 3, ID: 3})
		defer stop()
		b.add("a", 1)
		b.add("b", 1)
		f.Wake()
		time.Sleep(100 * time.Millisecond) // the clock of the bubble: as soon as everything rests
		two, stop2 := f.Listen("b", growth.EventCursor{Tx: 4, ID: 4})
		defer stop2()
		b.add("a", 2)
		time.Sleep(2 * time.Second) // nobody wakes the feed
		if a, bb := got(one), got(two); !slices.Equal(a, []int64{4, 6, 7}) || !slices.Equal(bb, []int64{5}) {
			t.Errorf("a: %v, b: %v", a, bb)
		}
	})
}

func TestSlowListenerIsToldThatItIsBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &logbook{}
		f := runFeed(t, b)
		slow, stop := f.Listen("a", growth.EventCursor{})
		defer stop()
		b.add("a", 1000)
		time.Sleep(2 * time.Second)
		if n := len(got(slow)); n == 0 || n == 1000 || !slow.Behind() || slow.Behind() {
			t.Errorf("%d events, behind must be said once", n)
		}
		b.add("a", 1)
		time.Sleep(2 * time.Second)
		if last := got(slow); !slices.Equal(last, []int64{1001}) || slow.Behind() {
			t.Errorf("then %v: the feed must have gone on without it", last)
		}
	})
}

func TestFeedWithoutListenersAsksNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &logbook{}
		f := runFeed(t, b)
		_, stop := f.Listen("a", growth.EventCursor{})
		time.Sleep(2500 * time.Millisecond)
		stop()
		before := b.looks
		time.Sleep(time.Minute)
		if before == 0 || b.looks > before+1 || f.Listeners() != 0 {
			t.Errorf("%d looks with a listener, %d after it left", before, b.looks-before)
		}
	})
}
