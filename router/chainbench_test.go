package router_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/router/breaker"
	"github.com/zakibelm/astrogrowth/router/budget"
	"github.com/zakibelm/astrogrowth/router/cache"
	"github.com/zakibelm/astrogrowth/router/quota"
	"github.com/zakibelm/astrogrowth/store"
)

// upstreamVar makes this test binary a provider that answers every request at once with the same words.
const upstreamVar = "ROUTER_BENCH_UPSTREAM"

const upstreamAnswer = `{"id":"gen-1","model":"m","choices":[{"finish_reason":"stop","message":{"role":"assistant","content":"Four."}}],` +
	`"usage":{"prompt_tokens":12,"completion_tokens":3,"total_tokens":15,"cost":0.00001}}`

func upstreamMain() {
	if os.Getenv(upstreamVar) == "" {
		return
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		os.Exit(1)
	}
	fmt.Println(l.Addr())
	srv := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(upstreamAnswer))
	})}
	_ = srv.Serve(l)
	os.Exit(0)
}

// upstream starts the provider as a process of its own, so that its work is not counted as the chain's.
func upstream(b *testing.B) string {
	b.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(b.Context()), os.Args[0])
	cmd.Env = append(os.Environ(), upstreamVar+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return "http://" + strings.TrimSpace(addr)
}

// counter is a provider's client and the whole chain before it: ledger, cool-downs, breakers, budgets, quotas, cache, as
// the programs have them, over a real Postgres and a real Redis.
type counter struct {
	direct *providers.OpenRouter
	chain  *router.Router
	ws     growth.WorkspaceID
}

func newCounter(b *testing.B) counter {
	b.Helper()
	s := testenv.Store(b)
	rdb := testenv.RedisClient(b)
	web := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 512}}
	b.Cleanup(web.CloseIdleConnections)
	c := counter{
		direct: providers.NewOpenRouter(providers.Settings{BaseURL: upstream(b), Key: "k", HTTP: web}),
		ws:     testenv.Workspace(b, s).ID,
	}
	kept, err := cache.New(rdb)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(kept.Close)
	routes := router.Routes{}
	for _, task := range growth.TaskTypes() {
		routes[task] = router.Route{
			Candidates: []router.Candidate{{Family: "f", Provider: "openrouter", Slugs: []string{"m"}}}, MaxTokens: 100,
			CallTimeout: 20 * time.Second, Timeout: time.Minute,
		}
	}
	keeper := budget.New(budget.Config{Redis: rdb, Book: s, Log: zerolog.Nop()})
	s.OnCalls(keeper.Committed)
	if err := keeper.Load(b.Context()); err != nil {
		b.Fatal(err)
	}
	ledger := store.NewLedgerWriter(s, zerolog.Nop())
	c.chain = router.New(router.Config{
		Routes: routes, Providers: []router.Provider{c.direct}, Ledger: ledger, Cache: kept, Budget: keeper,
		Quota: quota.NewPools(rdb, "bench"), Cooldowns: &quota.Cooldowns{}, Breakers: breaker.New(breaker.Settings{}, "bench", routes.BreakerNames()...),
	})
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { ledger.Run(ctx) })
	b.Cleanup(func() { stop(); wg.Wait() })
	return c
}

func (c counter) ask(ctx context.Context) error {
	_, err := c.chain.Complete(ctx, router.Request{
		Task: growth.TaskSimple, Workspace: c.ws, Messages: []growth.Message{{Role: "user", Content: "What is 2+2?"}},
	})
	return err
}

func (c counter) askDirect(ctx context.Context) error {
	_, err := c.direct.Complete(ctx, providers.Request{Model: "m", MaxTokens: 100, Messages: []growth.Message{{Role: "user", Content: "What is 2+2?"}}})
	return err
}

// BenchmarkChain is a call through the whole chain, ledger on, beside the same call made by the provider's client alone,
// with 1, 32 and 256 callers. cpu-µs/call is this process's own.
func BenchmarkChain(b *testing.B) {
	c := newCounter(b)
	for _, callers := range []int{1, 32, 256} {
		for _, way := range []struct {
			name string
			ask  func(context.Context) error
		}{{"direct", c.askDirect}, {"chain", c.ask}} {
			b.Run(fmt.Sprintf("%s/callers=%d", way.name, callers), func(b *testing.B) { load(b, callers, way.ask) })
		}
	}
}

// load makes b.N calls with a number of callers.
func load(b *testing.B, callers int, ask func(context.Context) error) {
	b.Helper()
	var next atomic.Int64
	took := make([]time.Duration, b.N)
	var wg sync.WaitGroup
	b.ResetTimer()
	before := processorTime()
	for range callers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < b.N; i = int(next.Add(1)) - 1 {
				began := time.Now()
				if err := ask(b.Context()); err != nil {
					b.Error(err)
					return
				}
				took[i] = time.Since(began)
			}
		})
	}
	wg.Wait()
	used := processorTime() - before
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(float64(used.Microseconds())/float64(b.N), "cpu-µs/call")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // of this process it cannot fail
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkChainHeap makes b.N calls (a million for the figure in the documentation) and compares the heap after a fifth
// of them with that at the end.
func BenchmarkChainHeap(b *testing.B) {
	c := newCounter(b)
	run := func(n int) {
		var left atomic.Int64
		left.Store(int64(n))
		var wg sync.WaitGroup
		for range 32 {
			wg.Go(func() {
				for left.Add(-1) >= 0 {
					if err := c.ask(b.Context()); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
	live := func() float64 {
		for range 3 { // pools give up what they hold at the second
			runtime.GC()
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc) / (1 << 20)
	}
	b.ResetTimer()
	run(b.N/5 + 1)
	early := live()
	run(b.N - b.N/5)
	b.ReportMetric(early, "early-heap-MiB")
	b.ReportMetric(live(), "end-heap-MiB")
}
