package router_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/tasks"
)

// mute is a Redis that takes connections and never says a word.
func mute(t *testing.T) redis.UniversalClient {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", t.TempDir()+"/mute")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		var open []net.Conn
		for {
			c, err := l.Accept()
			if err != nil {
				for _, c := range open {
					_ = c.Close()
				}
				return
			}
			open = append(open, c)
		}
	})
	rdb, err := tasks.Redis("redis-socket://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close(); _ = l.Close(); wg.Wait() })
	return rdb
}

// worker is a router as a worker process has it: real clients, the built-in routes, a cache over Redis.
func worker(t *testing.T, sim string, rdb redis.UniversalClient, stats router.Stats) *router.Router {
	t.Helper()
	routes, err := router.ParseRoutes(router.DefaultRoutes)
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(web.CloseIdleConnections)
	return router.New(router.Config{
		Routes: routes, Ledger: &book{}, Cache: newCache(t, rdb), Stats: stats, CacheTTL: time.Hour,
		Providers: []router.Provider{providers.NewOpenRouter(providers.Settings{BaseURL: sim + "/openrouter/api/v1", Key: "k", HTTP: web})},
	})
}

// What a child process is told, and tells.
const childVar = "ASTROGROWTH_CACHE_CHILD"

type childOrder struct {
	Simulator, Redis string
	Calls            int
}

type childReport struct{ Answers, Cached int }

// TestCacheChild is the body of the processes that TestCacheMakes200EqualCallsOnceOverTwoProcesses starts. It waits for
// its standard input to end, so that all begin at once.
func TestCacheChild(t *testing.T) {
	if os.Getenv(childVar) == "" {
		t.Skip("the part of another test's processes")
	}
	var order childOrder
	if err := json.Unmarshal([]byte(os.Getenv(childVar)), &order); err != nil {
		t.Fatal(err)
	}
	rdb, err := tasks.Redis(order.Redis)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rdb.Close() }()
	r := worker(t, order.Simulator, rdb, nil)
	r.LearnCatalogues(t.Context()) // the family's first model is gone, and asking it would be a second request
	fmt.Println("READY")
	_, _ = os.Stdin.Read(make([]byte, 1))
	var mu sync.Mutex
	var report childReport
	var wg sync.WaitGroup
	for range order.Calls {
		wg.Go(func() {
			a, err := r.Complete(t.Context(), ask(direct))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
				return
			}
			report.Answers++
			if a.Cached != router.CachedNo {
				report.Cached++
			}
		})
	}
	wg.Wait()
	b, _ := json.Marshal(report)
	fmt.Println("REPORT", string(b))
}

func TestCacheMakes200EqualCallsOnceOverTwoProcesses(t *testing.T) {
	t.Parallel()
	sim := simulator.New(simulator.Config{Latency: 500 * time.Millisecond})
	srv := httptest.NewServer(sim)
	t.Cleanup(func() { sim.Close(); srv.Close() })
	order, err := json.Marshal(childOrder{Simulator: srv.URL, Redis: testenv.Redis(t), Calls: 100})
	if err != nil {
		t.Fatal(err)
	}
	var reports []childReport
	var children []*child
	for range 2 {
		children = append(children, startChild(t, string(order)))
	}
	for _, c := range children {
		c.line(t, "READY")
	}
	for _, c := range children {
		c.begin(t)
	}
	for _, c := range children {
		var r childReport
		if err := json.Unmarshal([]byte(c.line(t, "REPORT ")), &r); err != nil {
			t.Fatal(err)
		}
		reports = append(reports, r)
	}
	upstream := 0
	for _, e := range sim.Entries(1000) {
		if e.Endpoint == "chat" {
			upstream++
		}
	}
	answers, cached := reports[0].Answers+reports[1].Answers, reports[0].Cached+reports[1].Cached
	if upstream != 1 || answers != 200 || cached != 199 {
		t.Errorf("%d requests at the provider, %d answers, %d of them cached; want 1, 200, 199", upstream, answers, cached)
	}
}

// child is another process of this test binary.
type child struct {
	in    interface{ Close() error }
	lines chan string
}

func startChild(t *testing.T, order string) *child {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCacheChild$", "-test.v")
	cmd.Env = append(os.Environ(), childVar+"="+order)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{in: in, lines: make(chan string, 1000)}
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(c.lines)
		var buf strings.Builder
		b := make([]byte, 4096)
		for {
			n, err := out.Read(b)
			buf.Write(b[:n])
			for {
				line, rest, ok := strings.Cut(buf.String(), "\n")
				if !ok {
					break
				}
				buf.Reset()
				buf.WriteString(rest)
				c.lines <- line
			}
			if err != nil {
				return
			}
		}
	})
	t.Cleanup(func() { _ = in.Close(); wg.Wait(); _ = cmd.Wait() })
	return c
}

func (c *child) begin(t *testing.T) {
	t.Helper()
	if err := c.in.Close(); err != nil {
		t.Fatal(err)
	}
}

// line waits for a line that begins so, and gives the rest of it.
func (c *child) line(t *testing.T, begin string) string {
	t.Helper()
	end := time.After(time.Minute)
	var seen []string
	for {
		select {
		case l, ok := <-c.lines:
			if !ok {
				t.Fatalf("the process ended without %q: %v", begin, seen)
			}
			if rest, found := strings.CutPrefix(l, begin); found {
				return rest
			}
			seen = append(seen, l)
		case <-end:
			t.Fatalf("no %q within a minute: %v", begin, seen)
		}
	}
}

// day generates the direct calls of a realistic day: 2,000 requests over 400 different questions, of which some are
// asked again and again (Zipf with exponent 1.1, as repeated requests of people and programs are), a fifth of them with
// other capitals, spaces or closing marks than before. The seed makes it the same day each time.
func day(yield func(task growth.TaskType, text string) bool) {
	rng := rand.New(rand.NewPCG(7, 11))
	zipf := rand.NewZipf(rng, 1.1, 1, 399)
	asks := []string{"Explain how the %s plan works for team %d", "Summarize the report of the %s office number %d", "List topics about %s for shop %d"}
	nouns := []string{"basic", "spring", "Montréal", "online", "retail"}
	tasks := []growth.TaskType{growth.TaskSimple, growth.TaskAnalysis, growth.TaskVerification}
	for range 2000 {
		n := int(zipf.Uint64())
		text := fmt.Sprintf(asks[n%len(asks)], nouns[n%len(nouns)], n)
		switch rng.IntN(15) {
		case 0:
			text = strings.ToLower(text)
		case 1:
			text = strings.ReplaceAll(text, " ", "  ")
		case 2:
			text += "."
		}
		if !yield(tasks[n%len(tasks)], text) {
			return
		}
	}
}

func TestCacheOnARealisticDay(t *testing.T) {
	t.Parallel()
	sim := simulator.New(simulator.Config{Seed: 5})
	srv := httptest.NewServer(sim)
	t.Cleanup(func() { sim.Close(); srv.Close() })
	stats := &counted{}
	rdb := testenv.RedisClient(t)
	workers := []*router.Router{worker(t, srv.URL, rdb, stats), worker(t, srv.URL, rdb, stats)}
	cost := map[growth.CallID]decimal.Decimal{}
	saved, calls, near := decimal.Zero, 0, 0
	for task, text := range day {
		calls++
		req := ask(direct)
		req.Task, req.Messages = task, []growth.Message{{Role: "user", Content: text}}
		req.Force = &growth.Call{Provider: "openrouter", Model: "openai/gpt-4o-mini"} // which costs something
		a, err := workers[calls%2].Complete(context.WithoutCancel(t.Context()), req)
		if err != nil {
			t.Fatal(err)
		}
		switch a.Cached {
		case router.CachedNo:
			cost[a.CallID] = *a.Cost.USD
		case router.CachedNear:
			near++
			fallthrough
		default:
			saved = saved.Add(cost[a.CallID])
		}
	}
	totals := sim.Totals()
	share := float64(stats.hits) / float64(calls)
	t.Logf("%d calls, %.1f %% from the cache (%d of them near), %d to the provider, saved %s USD", calls, 100*share, near, totals.All.Requests, stats.saved)
	if share < 0.60 || near == 0 || stats.near != near || stats.hits+stats.misses != calls || totals.All.Requests != int64(stats.misses) {
		t.Errorf("share %.3f, %d hits, %d near, %d misses, %d requests", share, stats.hits, near, stats.misses, totals.All.Requests)
	}
	if !stats.saved.Equal(saved) || saved.IsZero() {
		t.Errorf("saved %s; those answers had cost %s", stats.saved, saved)
	}
}
