package router_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/router/breaker"
	"github.com/zakibelm/astrogrowth/router/quota"
)

// callerVar makes this test binary a process that calls the chain; its value says how.
const callerVar = "ROUTER_TEST_CALLER"

// freeSlug is the first candidate of every route here.
const freeSlug = "openai/gpt-oss-20b:free"

// work says what a caller process does.
type work struct {
	Name      string
	Redis     string
	Simulator string
	Callers   int
	Calls     int           // in all; 0: for as long as For
	For       time.Duration // when Calls is 0
	Rest      time.Duration // of a caller between two calls
	Jobs      bool          // each call is a job's, which comes again when it is told to wait
	Breakers  breaker.Settings
	Limits    quota.Limits
	Rule      router.FreeTier
}

// done is what a caller process reports.
type done struct {
	Answered map[string]int // by provider
	Waited   map[growth.WaitReason]int
	Failed   []string
}

func (d done) total() int {
	n := 0
	for _, k := range d.Answered {
		n += k
	}
	return n
}

// callerMain is the program of a caller process: it says when it is ready, waits for a line, calls, and reports.
func callerMain() {
	spec := os.Getenv(callerVar)
	if spec == "" {
		return
	}
	var w work
	if err := json.Unmarshal([]byte(spec), &w); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	o, err := redis.ParseURL(w.Redis)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	o.ContextTimeoutEnabled = true
	rdb := redis.NewClient(o)
	r, share := w.router(rdb) // which knows what the others know
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { share(ctx) })
	fmt.Println("ready")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	report := w.do(ctx, r)
	cancel()
	wg.Wait()
	_ = json.NewEncoder(os.Stdout).Encode(report)
	os.Exit(0)
}

// router is a chain of its own over the simulator; share connects it to the others until its context ends.
func (w work) router(rdb redis.UniversalClient) (r *router.Router, share func(context.Context)) {
	web := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	routes := router.Routes{}
	for _, task := range growth.TaskTypes() {
		routes[task] = router.Route{
			MaxTokens: 100, CallTimeout: 20 * time.Second, Timeout: 60 * time.Second, FreeTier: w.Rule, Candidates: []router.Candidate{
				{Family: "free", Provider: "openrouter", Slugs: []string{freeSlug}},
				{Family: "hub", Provider: "huggingface", Slugs: []string{"openai/gpt-oss-20b"}},
			},
		}
	}
	rests := &quota.Cooldowns{}
	breakers := breaker.New(w.Breakers, w.Name, routes.BreakerNames()...)
	cfg := router.Config{
		Routes: routes, Ledger: nobook{}, Cooldowns: rests, Breakers: breakers, Providers: []router.Provider{
			providers.NewOpenRouter(providers.Settings{BaseURL: w.Simulator + "/openrouter/api/v1", Key: "k", HTTP: web}),
			providers.NewHuggingFace(providers.Settings{BaseURL: w.Simulator + "/huggingface/v1", Key: "k", HTTP: web}),
		},
	}
	if w.Limits != (quota.Limits{}) {
		pools := quota.NewPools(rdb, w.Name, freePool(w.Limits))
		pools.Patience = 10 * time.Second // a process that goes on alone is not what these tests are about
		cfg.Quota = pools
	}
	rests.Learn(context.Background(), rdb)
	breakers.Learn(context.Background(), rdb)
	return router.New(cfg), func(ctx context.Context) {
		var wg sync.WaitGroup
		wg.Go(func() { breakers.Share(ctx, rdb, nil) })
		wg.Go(func() { rests.Share(ctx, rdb, w.Name) })
		wg.Wait()
		web.CloseIdleConnections()
	}
}

func freePool(l quota.Limits) quota.Pool {
	return quota.Pool{
		Name: "openrouter:free", Account: "k", Provider: "openrouter", Limits: l, Holds: func(slug string) bool { return slug == freeSlug },
	}
}

// do calls until the work is done.
func (w work) do(ctx context.Context, r *router.Router) done {
	out := done{Answered: map[string]int{}, Waited: map[growth.WaitReason]int{}}
	var mu sync.Mutex
	var begun atomic.Int64
	end := time.Now().Add(w.For)
	var wg sync.WaitGroup
	for range w.Callers {
		wg.Go(func() {
			for n := begun.Add(1); w.Calls == 0 && time.Now().Before(end) || n <= int64(w.Calls); n = begun.Add(1) {
				a, waits, err := w.call(ctx, r, n)
				mu.Lock()
				for _, reason := range waits {
					out.Waited[reason]++
				}
				if err != nil {
					out.Failed = append(out.Failed, err.Error())
				} else {
					out.Answered[a.Provider]++
				}
				mu.Unlock()
				pause(ctx, w.Rest)
			}
		})
	}
	wg.Wait()
	return out
}

// call makes one call, and for a job comes again for as long as it is told to.
func (w work) call(ctx context.Context, r *router.Router, n int64) (a router.Answer, waits []growth.WaitReason, err error) {
	req := ask()
	if w.Jobs {
		req.Job, req.Step = growth.JobID(fmt.Sprintf("%s-%d", w.Name, n)), "extract"
	}
	for {
		a, err = r.Complete(ctx, req)
		chain, ok := errors.AsType[*router.ChainError](err)
		if !ok || !w.Jobs || chain.Reason == "" || chain.Fault.RetryAfter > time.Minute {
			return a, waits, err
		}
		waits = append(waits, chain.Reason)
		pause(ctx, chain.Fault.RetryAfter)
	}
}

func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// stage is a simulator and a Redis for caller processes.
type stage struct {
	sim   *simulator.Server
	url   string
	redis string
}

func newStage(t *testing.T, latency time.Duration) *stage {
	t.Helper()
	sim := simulator.New(simulator.Config{Seed: 5, Latency: latency})
	srv := httptest.NewServer(sim)
	t.Cleanup(func() { sim.Close(); srv.Close() })
	return &stage{sim: sim, url: srv.URL, redis: testenv.Redis(t)}
}

// run starts a process for each work, lets them begin together, and gathers their reports.
func (s *stage) run(t *testing.T, works ...work) []done {
	t.Helper()
	rdb := redis.NewClient(mustParse(t, s.redis))
	defer func() { _ = rdb.Close() }()
	var started []*callerProcess
	for i, w := range works {
		w.Name, w.Redis, w.Simulator = fmt.Sprintf("%s-%d", t.Name(), i), s.redis, s.url
		started = append(started, start(t, w))
	}
	for _, channel := range []string{"astrogrowth:breaker-changes", "astrogrowth:cooldown-changes"} {
		within(t, "every process listens", func() bool {
			n, err := rdb.PubSubNumSub(t.Context(), channel).Result()
			return err == nil && n[channel] == int64(len(works))
		})
	}
	reports := make([]done, len(works))
	for _, p := range started {
		p.begin(t)
	}
	for i, p := range started {
		reports[i] = p.report(t)
	}
	return reports
}

func mustParse(t *testing.T, url string) *redis.Options {
	t.Helper()
	o, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("not within half a minute: %s", what)
		}
	}
}

// callerProcess is a caller process.
type callerProcess struct {
	cmd *exec.Cmd
	in  interface{ Write([]byte) (int, error) }
	out *bufio.Reader
}

func start(t *testing.T, w work) *callerProcess {
	t.Helper()
	spec, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), callerVar+"="+string(spec)), os.Stderr
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
	p := &callerProcess{cmd: cmd, in: in, out: bufio.NewReader(out)}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if line, err := p.out.ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("the process said %q, %v", line, err)
	}
	return p
}

func (p *callerProcess) begin(t *testing.T) {
	t.Helper()
	if _, err := p.in.Write([]byte("go\n")); err != nil {
		t.Fatal(err)
	}
}

func (p *callerProcess) report(t *testing.T) done {
	t.Helper()
	var d done
	if err := json.NewDecoder(p.out).Decode(&d); err != nil {
		t.Fatalf("the process reported nothing: %v", err)
	}
	if len(d.Failed) > 0 {
		t.Errorf("%d calls failed, as %s", len(d.Failed), d.Failed[0])
	}
	return d
}

// asked lists what the first candidate was asked, oldest first.
func (s *stage) asked() []simulator.Entry {
	var out []simulator.Entry
	for _, e := range s.sim.Entries(0) {
		if e.Provider == simulator.OpenRouter && e.Endpoint == "chat" {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b simulator.Entry) int { return a.At.Compare(b.At) })
	return out
}

// refused counts the calls that the provider turned down because too many were made.
func (s *stage) refused() int {
	n := 0
	for _, e := range s.asked() {
		if e.Status == http.StatusTooManyRequests {
			n++
		}
	}
	return n
}
