package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zakibelm/astrogrowth/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// log is what an API shows: events with the ids 1-1, 1-2, …, to each listener those behind what it had.
type log struct {
	mu     sync.Mutex
	events []string
	looks  int
}

// looked waits until the subscriber has looked n times.
func (l *log) looked(t *testing.T, n int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		l.mu.Lock()
		looks := l.looks
		l.mu.Unlock()
		if looks >= n {
			return
		}
	}
	t.Fatalf("the subscriber did not look %d times", n)
}

func (l *log) add(kind string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, kind)
}

func (l *log) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.looks++
	from := len(l.events)
	if _, n, found := strings.Cut(r.URL.Query().Get("after"), "-"); found {
		from, _ = strconv.Atoi(n)
	}
	_, _ = fmt.Fprintf(w, "retry: 3000\nid: 1-%d\n\n", from)
	for i, kind := range l.events[from:] {
		id := fmt.Sprintf("1-%d", from+i+1)
		_, _ = fmt.Fprintf(w, "id: %s\nevent: %s\ndata: {\"id\":%q,\"type\":%q,\"job_id\":\"j%d\",\"data\":{}}\n\n", id, kind, id, kind, from+i+1)
	}
}

type screen struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

// shows waits until the subscriber has printed a text.
func (s *screen) shows(t *testing.T, want string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		s.mu.Lock()
		got := s.buf.String()
		s.mu.Unlock()
		if strings.Contains(got, want) {
			return
		}
	}
	t.Fatalf("no %q in what was printed:\n%s", want, &s.buf)
}

// Notices that were said while Redis was not heard are made up for by the API, in order and once each.
func TestNothingIsMissedOverAGap(t *testing.T) {
	t.Parallel()
	events := &log{}
	server := httptest.NewServer(events)
	t.Cleanup(server.Close)
	rdb, out := testenv.RedisClient(t), &screen{}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	s := &subscriber{base: server.URL, quiet: 100 * time.Millisecond, out: out, last: "1-0"}
	address := testenv.Redis(t)
	go func() { done <- s.run(ctx, address) }()
	out.shows(t, "listening\n")
	events.looked(t, 1) // because it listens; from here on each look has a notice behind it

	events.add("job.succeeded")
	rdb.Publish(ctx, channel, `{"type":"job.succeeded"}`)
	out.shows(t, "job.succeeded j1")
	events.looked(t, 2)

	events.add("post.published") // nobody says so
	events.add("post.unknown")
	if err := rdb.Do(ctx, "CLIENT", "KILL", "TYPE", "pubsub").Err(); err != nil {
		t.Fatal(err)
	}
	out.shows(t, "listening\njob.succeeded j1 {}\nlistening\npost.published j2 {}\npost.unknown j3 {}\n")
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
