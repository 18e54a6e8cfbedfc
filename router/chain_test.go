package router_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/router"
)

// chainCalls is how many calls each run makes: few by default, CHAIN_CALLS for a whole run (`make chain`).
func chainCalls(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("CHAIN_CALLS"))
	if err != nil {
		return 150
	}
	return n
}

const chainCallers = 16

// trouble is a way in which a provider can be down.
type trouble struct {
	name  string
	fault *simulator.Fault // nil: nobody listens
}

func troubles() []trouble {
	return []trouble{
		{"nobody listens", nil},
		{"500", faulty("500")},
		{"429, Retry-After 7", faulty("429", hint(simulator.HintSeconds))},
		{"stalls", faulty(simulator.KindTimeout)},
		{"resets connections", faulty(simulator.KindReset)},
		{"cut answers", faulty(simulator.KindCutJSON)},
	}
}

var threeProviders = []string{simulator.OpenRouter, simulator.HuggingFace, simulator.Ollama}

// trio is a chain with the built-in routes over three providers, each a server of its own, so that each can be down.
type trio struct {
	*router.Router
	sims map[string]*simulator.Server
}

// newTrio makes a chain in which first stands before the others on every route, so that its trouble is met; when it is
// dead, nobody listens at its address.
func newTrio(t *testing.T, first string, dead bool, callTimeout time.Duration) *trio {
	t.Helper()
	routes, err := router.ParseRoutes(router.DefaultRoutes)
	if err != nil {
		t.Fatal(err)
	}
	for task, r := range routes {
		r.CallTimeout = callTimeout
		slices.SortStableFunc(r.Candidates, func(a, b router.Candidate) int { return order(b, first) - order(a, first) })
		routes[task] = r
	}
	out := &trio{sims: map[string]*simulator.Server{}}
	cfg := router.Config{Routes: routes, Ledger: nobook{}}
	web := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4 * chainCallers}}
	t.Cleanup(web.CloseIdleConnections)
	for i, name := range threeProviders {
		sim := simulator.New(simulator.Config{Seed: uint64(i + 1)})
		srv := httptest.NewServer(sim)
		t.Cleanup(func() { sim.Close(); srv.Close() })
		out.sims[name] = sim
		base := srv.URL
		if dead && name == first {
			base = "http://" + closedPort(t)
		}
		p, _ := clientOf(name, base, web)
		cfg.Providers = append(cfg.Providers, p)
	}
	out.Router = router.New(cfg)
	out.LearnCatalogues(t.Context())
	return out
}

func order(c router.Candidate, first string) int {
	if c.Provider == first {
		return 1
	}
	return 0
}

func (c *trio) set(t *testing.T, name string, f simulator.Fault) {
	t.Helper()
	f.Provider = name
	if _, err := c.sims[name].SetFault(f); err != nil {
		t.Fatal(err)
	}
}

// tally is what a run came to.
type tally struct {
	calls, answered, failovers int64
	took                       time.Duration
	ends                       map[string]int // how the calls ended that nobody answered
}

// run makes n calls of all task types by several callers at once.
func (c *trio) run(t *testing.T, n int) tally {
	t.Helper()
	var next, answered, failovers atomic.Int64
	var mu sync.Mutex
	var wg sync.WaitGroup
	out, began := tally{calls: int64(n), ends: map[string]int{}}, time.Now()
	for range chainCallers {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				task := growth.TaskTypes()[i%5]
				a, err := c.Complete(t.Context(), ask(func(r *router.Request) {
					r.Task = task
					r.Messages = []growth.Message{{Role: "user", Content: fmt.Sprintf("What is %d+2?", i)}}
				}))
				if err != nil {
					mu.Lock()
					out.ends[err.Error()]++
					mu.Unlock()
					continue
				}
				answered.Add(1)
				if a.FallbackAttempts > 0 {
					failovers.Add(1)
				}
			}
		})
	}
	wg.Wait()
	out.answered, out.failovers, out.took = answered.Load(), failovers.Load(), time.Since(began)
	return out
}

func (y tally) String() string {
	return fmt.Sprintf("%6d calls  %6d answered (%.2f %%)  %6d by a later candidate  %8s", y.calls, y.answered,
		100*float64(y.answered)/float64(y.calls), y.failovers, y.took.Round(time.Millisecond))
}

// With any one provider down in any way, every call is answered.
func TestChainWithOneProviderDown(t *testing.T) {
	n := chainCalls(t)
	var table strings.Builder
	for _, name := range threeProviders {
		for _, x := range troubles() {
			limit := 10 * time.Second
			if x.fault != nil && x.fault.Kind == simulator.KindTimeout { // a stall is as long as this, and a run meets a few
				limit = time.Second
			}
			c := newTrio(t, name, x.fault == nil, limit)
			if x.fault != nil {
				c.set(t, name, *x.fault)
			}
			got := c.run(t, n)
			fmt.Fprintf(&table, "\n%-12s %-20s %s", name, x.name, got)
			if got.answered != got.calls {
				t.Errorf("%s, %s: %d of %d calls were not answered: %v", name, x.name, got.calls-got.answered, got.calls, got.ends)
			}
		}
	}
	t.Log(table.String())
}

// With two providers down and 2 % faults at the last, no call fails but by those faults.
func TestChainWithTwoProvidersDownAndFaultsAtTheLast(t *testing.T) {
	n := chainCalls(t)
	var table strings.Builder
	for _, last := range threeProviders {
		c := newTrio(t, last, false, 10*time.Second)
		for _, name := range threeProviders {
			if name != last {
				c.set(t, name, *faulty("500"))
			}
		}
		for _, kind := range []string{"500", simulator.KindReset, simulator.KindCutJSON, simulator.KindEmpty} {
			rate := 0.005
			c.set(t, last, simulator.Fault{Kind: kind, Rate: &rate})
		}
		got := c.run(t, n)
		fired := 0
		for _, f := range c.sims[last].Faults() {
			fired += f.Fired
		}
		fmt.Fprintf(&table, "\n%-12s alone, %3d faults   %s", last, fired, got)
		if got.answered+int64(fired) < got.calls {
			t.Errorf("%s alone: %d calls were not answered, with %d faults: %v", last, got.calls-got.answered, fired, got.ends)
		}
		if n >= 5000 && float64(got.answered) < 0.975*float64(n) { // of a few hundred calls chance alone can spoil more
			t.Errorf("%s alone: %d of %d answered; want 97.5 %%", last, got.answered, n)
		}
	}
	t.Log(table.String())
}
