package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/api"
	"github.com/zakibelm/astrogrowth/internal/events"
	"github.com/zakibelm/astrogrowth/internal/limit"
	"github.com/zakibelm/astrogrowth/internal/testenv"
)

const benchBody = `{"topic":"Remplir sa terrasse en semaine","audience":"restaurateurs","language":"fr-CA"}`

// BenchmarkAcceptHTTP is a job from request to answer, with a key that is counted, beside the least that a server of Go
// can do for the same request: decode it, insert one row, answer.
func BenchmarkAcceptHTTP(b *testing.B) {
	rdb := testenv.RedisClient(b)
	f := newFace(b, func(c *api.Config) {
		c.RequireKeys, c.Limiter, c.PerHour = true, limit.New(rdb, "api"), 100_000_000
	})
	key := f.key(f.ws.ID, "enqueue")
	db := testenv.SQL(b, f.s)
	if _, err := db.ExecContext(b.Context(), `CREATE TABLE bare (id uuid PRIMARY KEY, body jsonb NOT NULL)`); err != nil {
		b.Fatal(err)
	}
	bare := httptest.NewServer(plainInsert(func(ctx context.Context, body []byte) error {
		_, err := db.ExecContext(ctx, `INSERT INTO bare (id, body) VALUES ($1, $2)`, growth.NewID(), body)
		return err
	}))
	b.Cleanup(bare.Close)
	for _, callers := range []int{1, 32, 256} {
		b.Run(fmt.Sprintf("bare/%d", callers), func(b *testing.B) { hammer(b, callers, bare.URL, "") })
		b.Run(fmt.Sprintf("accept/%d", callers), func(b *testing.B) {
			hammer(b, callers, f.url+"/v1/jobs/content-generation", key)
		})
	}
}

// plainInsert is net/http and one INSERT.
func plainInsert(insert func(context.Context, []byte) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in map[string]any
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body, err := json.Marshal(in)
		if err == nil {
			err = insert(r.Context(), body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write(body) // the caller may have left
	})
}

// hammer sends the requests of a benchmark from a number of callers at once, and reports how long they took.
func hammer(b *testing.B, callers int, url, key string) {
	b.Helper()
	web := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}, Timeout: time.Minute}
	defer web.CloseIdleConnections()
	took := make([]time.Duration, b.N)
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range callers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
				start := time.Now()
				if err := postOnce(b, web, url, key); err != nil {
					b.Error(err)
					return
				}
				took[i] = time.Since(start)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}

func postOnce(b *testing.B, web *http.Client, url, key string) error {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url, strings.NewReader(benchBody))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-API-Key", key)
	resp, err := web.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusAccepted {
		return fmt.Errorf("%d %s", resp.StatusCode, body)
	}
	return err
}

// BenchmarkIdleListeners opens event streams, SSE_LISTENERS of them, that have nothing to say, and reports what each
// costs in memory: the process's own heap and stacks, both ends of each connection included.
func BenchmarkIdleListeners(b *testing.B) {
	listeners := 100
	if n, err := strconv.Atoi(os.Getenv("SSE_LISTENERS")); err == nil {
		listeners = n
	}
	var feed *events.Feed
	f := newFace(b, func(c *api.Config) {
		feed = events.NewFeed(c.Store, zerolog.Nop())
		c.Feed = feed
	})
	web := &http.Client{Transport: &http.Transport{ReadBufferSize: 1 << 10, WriteBufferSize: 1 << 10}}
	b.Cleanup(web.CloseIdleConnections)
	for b.Loop() {
		before := inUse()
		streams := openStreams(b, web, f.url, listeners)
		if n := feed.Listeners(); n != listeners {
			b.Fatalf("%d listeners, want %d", n, listeners)
		}
		b.ReportMetric(float64(inUse()-before)/float64(listeners)/1024, "KiB/listener")
		b.ReportMetric(float64(listeners), "listeners")
		for _, s := range streams {
			_ = s.Close() // the server sees its client leave
		}
		for deadline := time.Now().Add(30 * time.Second); feed.Listeners() > 0; runtime.Gosched() {
			if time.Now().After(deadline) {
				b.Fatalf("%d listeners stay behind", feed.Listeners())
			}
		}
	}
}

func openStreams(b *testing.B, web *http.Client, url string, n int) []io.Closer {
	b.Helper()
	out := make([]io.Closer, 0, n)
	for range n {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url+"/v1/events", http.NoBody)
		if err != nil {
			b.Fatal(err)
		}
		resp, err := web.Do(req) //nolint:bodyclose // it is given back, to be closed when all are open
		if err != nil {
			b.Fatal(err)
		}
		if line, err := bufio.NewReaderSize(resp.Body, 64).ReadString('\n'); err != nil || line == "" {
			b.Fatalf("stream %d: %q, %v", len(out), line, err)
		}
		out = append(out, resp.Body)
	}
	return out
}

// inUse is the memory that the heap and the stacks hold after a collection.
func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
