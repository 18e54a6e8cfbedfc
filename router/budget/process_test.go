package budget_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/router/budget"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

// childVar makes this test binary a process that calls a paid model: its value is an order as JSON.
const childVar = "ASTROGROWTH_BUDGET_CHILD"

// order is what a child has to do.
type order struct {
	Database, Redis string
	Workspace       growth.WorkspaceID
	Callers         int
	Seed            uint64
	Least           int64 // what a call costs at least, in millionths of a dollar
	Hang            bool  // the model never answers
}

// done is what a child has to say, a line of JSON each.
type done struct {
	Sent    bool            // a call is at the model
	Calls   int             // answered
	Refused int             // and tried again
	Wrong   string          // a refusal that was not due
	Cost    decimal.Decimal // of all answers
}

// child is the process: the chain as the programs build it, and a model that costs by chance.
func child(work string) int {
	var o order
	if err := json.Unmarshal([]byte(work), &o); err != nil {
		return 2
	}
	if err := o.run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func (o order) run(ctx context.Context) error {
	s, err := store.Open(ctx, o.Database, store.Options{MaxConns: 8})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	rdb, err := tasks.Redis(o.Redis)
	if err != nil {
		return err
	}
	defer func() { _ = rdb.Close() }()
	keeper := budget.New(budget.Config{Redis: rdb, Book: s, Log: zerolog.Nop(), Audit: 100 * time.Millisecond})
	s.OnCalls(keeper.Committed)
	ledger := store.NewLedgerWriter(s, zerolog.Nop())
	m := &model{dice: rand.New(rand.NewPCG(o.Seed, 1)), least: o.Least, hang: o.Hang}
	r := router.New(router.Config{Routes: m.routes(), Providers: []router.Provider{m}, Ledger: ledger, Budget: keeper})
	r.LearnCatalogues(ctx)

	beside, stop := context.WithCancel(ctx)
	settling, settled := context.WithCancel(ctx)
	var wg, after sync.WaitGroup
	after.Go(func() { keeper.Run(settling) })
	wg.Go(func() { ledger.Run(beside) })
	defer func() { stop(); wg.Wait(); settled(); after.Wait() }()

	var callers sync.WaitGroup
	results := make([]done, o.Callers)
	for i := range o.Callers {
		callers.Go(func() { results[i] = call(ctx, r, o.Workspace) })
	}
	callers.Wait()
	var all done
	for _, d := range results {
		all.Calls, all.Refused, all.Cost = all.Calls+d.Calls, all.Refused+d.Refused, all.Cost.Add(d.Cost)
		if d.Wrong != "" {
			all.Wrong = d.Wrong
		}
	}
	return json.NewEncoder(os.Stdout).Encode(all)
}

// call calls until the money is gone: refused for calls in flight, it tries again.
func call(ctx context.Context, r *router.Router, ws growth.WorkspaceID) (d done) {
	for {
		a, err := r.Complete(ctx, router.Request{
			Task: growth.TaskSimple, Workspace: ws, Messages: []growth.Message{{Role: "user", Content: "?"}},
		})
		if err == nil {
			d.Calls, d.Cost = d.Calls+1, d.Cost.Add(*a.Cost.USD)
			continue
		}
		chain, ok := errors.AsType[*router.ChainError](err)
		if !ok || chain.Budget == nil && chain.Reason != growth.WaitBudget {
			d.Wrong = err.Error()
			return d
		}
		d.Refused++
		if chain.Final {
			return d
		}
		select {
		case <-ctx.Done():
			return d
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// model answers at once, asks 0.002 USD at most, and takes anything from its least up to that.
type model struct {
	mu    sync.Mutex
	dice  *rand.Rand
	least int64
	hang  bool
}

func (m *model) routes() router.Routes {
	route := router.Route{
		Candidates: []router.Candidate{{Family: "f", Provider: "openrouter", Slugs: []string{"m"}}},
		MaxTokens:  100, CallTimeout: time.Minute, Timeout: 2 * time.Minute,
	}
	out := router.Routes{}
	for _, task := range growth.TaskTypes() {
		out[task] = route
	}
	return out
}

func (m *model) Name() string        { return "openrouter" }
func (m *model) Configured() bool    { return true }
func (m *model) Local() bool         { return false }
func (m *model) ZeroRetention() bool { return false }

// Models names a price by which a call of 100 tokens is estimated at 0.002 USD.
func (m *model) Models(context.Context) ([]providers.Model, error) {
	return []providers.Model{{ID: "m", PriceKnown: true, Price: providers.Price{Completion: decimal.NewFromInt(20)}}}, nil
}

func (m *model) Complete(ctx context.Context, req providers.Request) (providers.Response, error) {
	if m.hang {
		_ = json.NewEncoder(os.Stdout).Encode(done{Sent: true})
		<-ctx.Done()
		return providers.Response{}, ctx.Err()
	}
	m.mu.Lock()
	micro := m.least + m.dice.Int64N(2001-m.least)
	m.mu.Unlock()
	return providers.Response{Text: "4", Model: req.Model, FinishReason: "stop", CostUSD: new(decimal.New(micro, -6))}, nil
}

// process is a child at work.
type process struct {
	cmd *exec.Cmd
	out *bufio.Scanner
}

func (l *till) starts(o order) process {
	l.t.Helper()
	o.Workspace = l.ws.ID
	work, err := json.Marshal(o)
	l.must(err)
	cmd := exec.CommandContext(l.t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childVar+"="+string(work))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	l.must(err)
	l.must(cmd.Start())
	return process{cmd, bufio.NewScanner(out)}
}

// says reads a child's next line.
func (p process) says(t *testing.T) (d done) {
	t.Helper()
	if !p.out.Scan() {
		t.Fatalf("a process ended without a word: %v", p.cmd.Wait())
	}
	if err := json.Unmarshal(p.out.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// Four processes with fifty callers each spend one dollar: never more, and as good as all of it. One more process is
// killed in the middle of its call, and in one run Redis forgets everything halfway, and again and again towards the
// end. There the calls cost nearly what was estimated: one that should not have been sent is then seen in the sum.
func TestHardLimitUnderManyProcesses(t *testing.T) {
	t.Parallel()
	for _, forget := range []bool{false, true} {
		t.Run(fmt.Sprintf("Redis forgets: %t", forget), func(t *testing.T) {
			t.Parallel()
			url := testenv.Redis(t)
			l := newTill(t, func(c *budget.Config) {
				rdb, err := tasks.Redis(url)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = rdb.Close() })
				c.Redis = rdb
			})
			rdb, err := tasks.Redis(url)
			l.must(err)
			t.Cleanup(func() { _ = rdb.Close() })
			b := l.limit("1")
			work := order{Database: testenv.Address(t, l.s), Redis: url}

			victim := work
			victim.Hang, victim.Callers = true, 1
			killed := l.starts(victim)
			if !killed.says(t).Sent {
				t.Fatal("the victim's call was not sent")
			}
			l.must(killed.cmd.Process.Kill())
			_ = killed.cmd.Wait() // killed: that is the point
			if n, err := l.s.OrphanCalls(t.Context(), 0); err != nil || n != 1 {
				t.Fatalf("%d calls of dead processes, %v; want one", n, err)
			}

			work.Callers, work.Least = 50, 200
			if forget {
				work.Least = 1990
			}
			var all []process
			for i := range 4 {
				work.Seed = uint64(i + 1)
				all = append(all, l.starts(work))
			}
			if forget {
				for _, part := range []string{"0.5", "0.7", "0.8", "0.9", "0.95", "0.97", "0.98", "0.985", "0.99"} {
					eventually(t, part+" is spent", func() bool { return l.status(b).SpentUSD.GreaterThan(dollars(part)) })
					l.must(rdb.FlushDB(t.Context()).Err())
				}
			}
			var sum done
			for _, p := range all {
				d := p.says(t)
				l.must(p.cmd.Wait())
				if d.Wrong != "" {
					t.Errorf("a caller ended with %q", d.Wrong)
				}
				sum.Calls, sum.Refused, sum.Cost = sum.Calls+d.Calls, sum.Refused+d.Refused, sum.Cost.Add(d.Cost)
			}
			got := l.status(b)
			t.Logf("%d calls answered, %d turned away and tried again; spent %s, of unknown cost %d at %s",
				sum.Calls, sum.Refused, got.SpentUSD, got.UnknownCalls, got.UnknownUSD)
			if got.SpentUSD.Add(got.UnknownUSD).GreaterThan(dollars("1")) || got.SpentUSD.LessThan(dollars("0.95")) {
				t.Errorf("spent %s and %s unknown of 1", got.SpentUSD, got.UnknownUSD)
			}
			if !got.SpentUSD.Equal(sum.Cost) || got.UnknownCalls != 1 || !got.UnknownUSD.Equal(dollars("0.002")) || !got.ReservedUSD.IsZero() {
				t.Errorf("status = %+v; want the callers' own sum %s and the killed call at its estimate", got, sum.Cost)
			}
			if sum.Refused == 0 {
				t.Error("nobody was ever turned away")
			}
		})
	}
}

// A call is refused only when what was spent, what is held and its own estimate would pass the limit.
func TestRefusalsAreDue(t *testing.T) {
	t.Parallel()
	l := newTill(t)
	l.limit("1")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			var held []budget.Reservation
			for range 200 {
				r, err := l.Reserve(t.Context(), l.spend("0.002"))
				switch refusal, refused := errors.AsType[*budget.RefusalError](err); {
				case refused && refusal.Kind != budget.LimitReached:
					t.Error(err)
				case refused:
					if sum := refusal.Spent.Add(refusal.Held).Add(refusal.Estimate); !sum.GreaterThan(dollars("1")) {
						t.Errorf("refused at %s and %s", refusal.Spent, refusal.Held)
					}
				default:
					held = append(held, r)
				}
				if len(held) > 70 {
					if err := l.Settle(t.Context(), held[0], new(dollars("0.0011"))); err != nil {
						t.Error(err)
					}
					held = held[1:]
				}
			}
		})
	}
	wg.Wait()
}
