package api_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/api"
	"github.com/zakibelm/astrogrowth/internal/events"
	"github.com/zakibelm/astrogrowth/store"
)

// newFeedFace is a face with a feed that runs.
func newFeedFace(t *testing.T) (*face, *events.Feed) {
	t.Helper()
	var feed *events.Feed
	f := newFace(t, func(c *api.Config) {
		feed = events.NewFeed(c.Store, zerolog.Nop())
		c.Feed = feed
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		feed.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return f, feed
}

// happens records an event.
func (f *face) happens(ws growth.WorkspaceID, kind string, job growth.JobID) {
	f.t.Helper()
	err := f.s.InTx(f.t.Context(), func(tx *store.Tx) error {
		return tx.AddEvent(f.t.Context(), ws, job, store.NewEvent{Type: kind, Data: []byte(`{"n":1}`)})
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

// shown waits until so many events are shown.
func (f *face) shown(n int) {
	f.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if got, err := f.s.In(f.ws.ID).EventsAfter(f.t.Context(), growth.EventCursor{}, "", n); err != nil || len(got) == n {
			return
		}
		runtime.Gosched()
	}
	f.t.Fatal("the events are not shown")
}

// stream is a client that listens.
type stream struct {
	t     testing.TB
	lines chan string
	stop  context.CancelFunc
}

func (f *face) listens(query string, headers ...string) *stream {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 30*time.Second)
	f.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url+"/v1/events"+query, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := (&http.Client{}).Do(req) //nolint:bodyclose // by the goroutine that reads it
	if err != nil {
		f.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		f.t.Fatalf("listening: %d %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	s := &stream{t: f.t, lines: make(chan string, 1000), stop: cancel}
	go func() {
		defer close(s.lines)
		defer func() { _ = resp.Body.Close() }()
		for in := bufio.NewScanner(resp.Body); in.Scan(); {
			s.lines <- in.Text()
		}
	}()
	if first := s.line(); first != "retry: 3000" {
		f.t.Fatalf("the stream begins with %q", first)
	}
	return s
}

func (s *stream) line() string {
	s.t.Helper()
	select {
	case l, open := <-s.lines:
		if !open {
			s.t.Fatal("the stream ended")
		}
		return l
	case <-time.After(time.Minute):
		s.t.Fatal("nothing came")
	}
	return ""
}

// next is the id, the type and the data of the next event.
func (s *stream) next() (id, kind, data string) {
	s.t.Helper()
	for {
		switch field, value, _ := strings.Cut(s.line(), ": "); field {
		case "id":
			id = value
		case "event":
			kind = value
		case "data":
			return id, kind, value
		}
	}
}

func TestListenerGoesOnWhereItWasCutOff(t *testing.T) {
	t.Parallel()
	f, feed := newFeedFace(t)
	f.happens(f.ws.ID, "before", "")
	f.shown(1) // transactions of the server's other databases hold it back, and it would come next
	s := f.listens("")
	f.happens(f.ws.ID, "one", "")
	feed.Wake()
	first, kind, data := s.next()
	if kind != "one" || !strings.Contains(data, `"id":"`+first+`"`) || !strings.Contains(data, `"n":1`) {
		t.Fatalf("%s %s %s", first, kind, data)
	}
	s.stop()
	for i := range 450 { // more than a page, and more than a listener's buffer
		f.happens(f.ws.ID, fmt.Sprint("missed", i), "")
	}
	again := f.listens("", "Last-Event-ID", first)
	f.happens(f.ws.ID, "last", "")
	for i := range 450 {
		if _, kind, _ := again.next(); kind != fmt.Sprint("missed", i) {
			t.Fatalf("event %d is %s", i, kind)
		}
	}
	if _, kind, _ := again.next(); kind != "last" {
		t.Errorf("then %s", kind)
	}
	byQuery := f.listens("?after=" + first)
	if _, kind, _ := byQuery.next(); kind != "missed0" {
		t.Errorf("by query: %s", kind)
	}
}

func TestListenerGetsOnlyWhatIsItsOwn(t *testing.T) {
	t.Parallel()
	f, feed := newFeedFace(t)
	other, err := f.s.EnsureWorkspace(t.Context(), "other", "Other")
	if err != nil {
		t.Fatal(err)
	}
	job := growth.JobID(growth.NewID())
	whole, ofJob, ofType := f.listens(""), f.listens("?job_id="+string(job)), f.listens("?types=job.failed,job.canceled")
	theirs := f.listens("", "X-API-Key", f.key(other.ID, "read"))
	f.happens(other.ID, "secret", "")
	f.happens(f.ws.ID, "a", "")
	f.happens(f.ws.ID, "job.failed", job)
	feed.Wake()
	for _, tc := range []struct {
		s    *stream
		want string
	}{{whole, "a"}, {whole, "job.failed"}, {ofJob, "job.failed"}, {ofType, "job.failed"}, {theirs, "secret"}} {
		if _, kind, _ := tc.s.next(); kind != tc.want {
			t.Errorf("got %s, want %s", kind, tc.want)
		}
	}
}

func TestBadPlacesInTheOrderOfEventsAreNamed(t *testing.T) {
	t.Parallel()
	f, _ := newFeedFace(t)
	for _, path := range []string{"/v1/events?after=x", "/v1/events?after=-1-2", "/v1/events?job_id=x", "/v1/events?types=job.finished", "/v1/events?types=job.*"} {
		if a := f.call(http.MethodGet, path, ""); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}
