package router_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/router/breaker"
	"github.com/zakibelm/astrogrowth/router/quota"
)

// These tests run real processes against one Redis. They go one after the other: Pub/Sub knows no databases.

func throttledFor(t *testing.T, s *stage, seconds float64) {
	t.Helper()
	f := simulator.Fault{Provider: simulator.OpenRouter, Kind: "429", Params: simulator.FaultParams{RetryAfter: seconds, Hint: simulator.HintSeconds}}
	if _, err := s.sim.SetFault(f); err != nil {
		t.Fatal(err)
	}
}

func TestProcessesObeyARetryAfter(t *testing.T) {
	s := newStage(t, 0)
	throttledFor(t, s, 7)
	d := s.run(t, work{Callers: 1, Calls: 30})[0]
	if d.Answered["huggingface"] != 30 {
		t.Errorf("answered = %v; want 30 by the second candidate", d.Answered)
	}
	if n := len(s.asked()); n != 1 {
		t.Errorf("the first candidate was asked %d times before its 7 s were over", n)
	}
}

func TestProcessesObeyEachOthersRetryAfter(t *testing.T) {
	s := newStage(t, 5*time.Millisecond)
	throttledFor(t, s, 7)
	reports := s.run(t, work{Callers: 4, Calls: 100}, work{Callers: 4, Calls: 100})
	if n := reports[0].Answered["huggingface"] + reports[1].Answered["huggingface"]; n != 200 {
		t.Errorf("%d answers; want 200", n)
	}
	if n := len(s.asked()); n < 1 || n > 9 {
		t.Errorf("the first candidate was asked %d times; want the 8 in flight and one more at most", n)
	}
}

// A process that starts later knows of the rest, and when it is over the candidate is asked again.
func TestProcessThatStartsLaterObeysARetryAfter(t *testing.T) {
	s := newStage(t, 0)
	throttledFor(t, s, 8) // a busy machine takes seconds to start a process
	s.run(t, work{Callers: 1, Calls: 1})
	s.sim.ClearFaults("")
	d := s.run(t, work{Callers: 1, For: 9 * time.Second, Rest: 50 * time.Millisecond})[0]
	asked := s.asked()
	if len(asked) < 2 || d.Answered["openrouter"] == 0 || d.Answered["huggingface"] == 0 {
		t.Fatalf("asked %d times, answered = %v; want first the second candidate, then the first", len(asked), d.Answered)
	}
	if pause := asked[1].At.Sub(asked[0].At); pause < 7900*time.Millisecond {
		t.Errorf("asked again after %v; want 8 s", pause)
	}
}

// The breaker opens after five failures, and then one call of all processes probes it in each open time, which grows.
func TestProcessesProbeABreakerOnce(t *testing.T) {
	s := newStage(t, 2*time.Millisecond)
	if _, err := s.sim.SetFault(simulator.Fault{Provider: simulator.OpenRouter, Kind: "500"}); err != nil {
		t.Fatal(err)
	}
	const timeout = 500 * time.Millisecond
	w := work{Callers: 4, For: 5 * time.Second, Rest: time.Millisecond, Breakers: breaker.Settings{Timeout: timeout}}
	s.run(t, w, w)
	asked := s.asked()
	first := 1 // the calls before it opened end with the first pause that is as long as it stays open
	for first < len(asked) && asked[first].At.Sub(asked[first-1].At) < timeout*85/100 {
		first++
	}
	if first < 5 || first > 5+4+7 {
		t.Errorf("%d calls before it opened; want 5, those of the other process and those in flight", first)
	}
	probes := asked[first:]
	if len(probes) < 2 || len(probes) > 4 {
		t.Fatalf("%d probes in 5 s; want one after about 0.5, 1.5 and 3.5 s", len(probes))
	}
	before, open := asked[first-1].At, timeout
	for i, p := range probes {
		if gap := p.At.Sub(before); gap < open*85/100 {
			t.Errorf("probe %d came %v after the call before it; want about %v", i+1, gap, open)
		}
		before, open = p.At, 2*open
	}
}

// When the provider is well again, two good probes, of whichever process, close the breaker for all.
func TestProcessesCloseABreakerTogether(t *testing.T) {
	s := newStage(t, 2*time.Millisecond)
	if _, err := s.sim.SetFault(simulator.Fault{Provider: simulator.OpenRouter, Kind: "500"}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { // nine failures: one of the two has seen five
		tick := time.Tick(time.Millisecond)
		for len(s.asked()) < 9 && t.Context().Err() == nil {
			<-tick
		}
		s.sim.ClearFaults("")
	})
	w := work{Callers: 4, For: 3 * time.Second, Rest: time.Millisecond, Breakers: breaker.Settings{Timeout: 500 * time.Millisecond, Longest: 500 * time.Millisecond}}
	for i, d := range s.run(t, w, w) {
		if d.Answered["openrouter"] < 20 {
			t.Errorf("process %d: answered = %v; want it to use the first candidate again", i, d.Answered)
		}
		if d.Answered["huggingface"] < 20 {
			t.Errorf("process %d: answered = %v; want the second candidate while the breaker was open", i, d.Answered)
		}
	}
}

// limits are enforced by the simulator and kept by the chain.
func limits(t *testing.T, s *stage, calls, daily int, window time.Duration) quota.Limits {
	t.Helper()
	day := 2 * time.Now().UnixMilli() // midnight is far away, whatever the hour is
	l := quota.Limits{Calls: calls, Window: window, Daily: daily, Day: time.Duration(day) * time.Millisecond}
	if err := s.sim.SetFreeTier(simulator.FreeTier{PerMinute: calls, MinuteMS: int(window.Milliseconds()), PerDay: daily, DayMS: int(day)}); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestProcessesPaceAFreeTier(t *testing.T) {
	s := newStage(t, 0)
	l := limits(t, s, 40, 0, 2*time.Second)
	w := work{Callers: 8, Calls: 100, Limits: l, Rule: router.Pace}
	reports := s.run(t, w, w)
	if n := reports[0].Answered["openrouter"] + reports[1].Answered["openrouter"]; n != 200 {
		t.Errorf("answered = %v, %v; want 200 by the free tier", reports[0].Answered, reports[1].Answered)
	}
	if n := s.refused(); n != 0 {
		t.Errorf("%d calls were refused with 429", n)
	}
}

// Jobs stand in a line: each is told its turn, nothing is refused, and nothing is lost.
func TestProcessesPaceJobsThatWait(t *testing.T) {
	s := newStage(t, 0)
	l := limits(t, s, 40, 0, 4*time.Second)
	w := work{Callers: 60, Calls: 60, Jobs: true, Limits: l, Rule: router.Pace}
	reports := s.run(t, w, w)
	if n := reports[0].Answered["openrouter"] + reports[1].Answered["openrouter"]; n != 120 {
		t.Errorf("answered = %v, %v; want 120 by the free tier", reports[0].Answered, reports[1].Answered)
	}
	if n := s.refused(); n != 0 {
		t.Errorf("%d calls were refused with 429", n)
	}
	waited := reports[0].Waited[growth.WaitRateLimited] + reports[1].Waited[growth.WaitRateLimited]
	if waited < 80 || waited > 2*80 { // each but the first 40 is sent away once, or a little more
		t.Errorf("jobs were sent away %d times", waited)
	}
}

func TestProcessesSpillAFreeTier(t *testing.T) {
	s := newStage(t, 0)
	l := limits(t, s, 20, 0, 20*time.Second)
	w := work{Callers: 8, Calls: 100, Limits: l, Rule: router.Spill}
	reports := s.run(t, w, w)
	free := reports[0].Answered["openrouter"] + reports[1].Answered["openrouter"]
	if free != 20 || reports[0].total()+reports[1].total() != 200 {
		t.Errorf("answered = %v, %v; want 20 by the free tier and the rest by the next candidate", reports[0].Answered, reports[1].Answered)
	}
	if n := s.refused(); n != 0 {
		t.Errorf("%d calls were refused with 429", n)
	}
}

// connect gives this process a chain of its own on the stage.
func (s *stage) connect(t *testing.T, w work) *router.Router {
	t.Helper()
	rdb := redis.NewClient(mustParse(t, s.redis))
	t.Cleanup(func() { _ = rdb.Close() })
	w.Name, w.Redis, w.Simulator = t.Name(), s.redis, s.url
	r, _ := w.router(rdb)
	return r
}

func job(r *router.Request) { r.Job, r.Step = growth.JobID(growth.NewID()), "extract" }

// A job whose free tier is spent for the day waits for the quota until midnight; one whose minute is full for less.
func TestFreeTierTellsADayFromAMinute(t *testing.T) {
	s := newStage(t, 0)
	for _, tc := range []struct {
		name         string
		calls, daily int
		window       time.Duration
		reason       growth.WaitReason
		least, most  time.Duration
	}{
		{"minute", 3, 100, 30 * time.Second, growth.WaitRateLimited, 25 * time.Second, 35 * time.Second},
		{"day", 100, 3, time.Second, growth.WaitQuota, 24 * time.Hour, 1 << 62},
	} {
		l := limits(t, s, tc.calls, tc.daily, tc.window)
		rdb := redis.NewClient(mustParse(t, s.redis))
		rdb.FlushDB(t.Context())
		_ = rdb.Close()
		r := s.connect(t, work{Limits: l, Rule: router.Pace})
		for range 3 {
			if a, err := r.Complete(t.Context(), ask(job)); err != nil || a.Provider != "openrouter" {
				t.Fatalf("%s: answered by %q, %v", tc.name, a.Provider, err)
			}
		}
		_, err := r.Complete(t.Context(), ask(job))
		chain, ok := errors.AsType[*router.ChainError](err)
		if !ok || chain.Reason != tc.reason || chain.Fault.RetryAfter < tc.least || chain.Fault.RetryAfter > tc.most {
			t.Errorf("%s: %+v; want to wait as %s for %v to %v", tc.name, err, tc.reason, tc.least, tc.most)
		}
		if a, err := r.Complete(t.Context(), ask()); err != nil || a.Provider != "huggingface" {
			t.Errorf("%s: a direct call whose turn is far away was answered by %q, %v", tc.name, a.Provider, err)
		}
	}
	if n := s.refused(); n != 0 {
		t.Errorf("%d calls were refused with 429", n)
	}
}

// When the provider allows less than we thought, one refusal is enough to know it.
func TestFreeTierIsCorrectedByTheProvider(t *testing.T) {
	s := newStage(t, 0)
	l := limits(t, s, 0, 3, time.Second)
	l.Daily = 1000
	r := s.connect(t, work{Limits: l, Rule: router.Spill})
	other := s.connect(t, work{Limits: l, Rule: router.Pace})
	for range 10 {
		if _, err := r.Complete(t.Context(), ask()); err != nil {
			t.Fatal(err)
		}
	}
	if n, refused := len(s.asked()), s.refused(); n != 4 || refused != 1 {
		t.Errorf("asked %d times, %d refused; want 3 answers and one refusal", n, refused)
	}
	_, err := other.Complete(t.Context(), ask(job))
	if chain, ok := errors.AsType[*router.ChainError](err); !ok || chain.Reason != growth.WaitQuota {
		t.Errorf("another process: %v; want to wait for the quota", err)
	}
	if a, err := r.Complete(t.Context(), ask(func(q *router.Request) {
		q.Force = &growth.Call{Provider: "openrouter", Model: "openai/gpt-4o-mini"}
	})); err != nil || a.Provider != "openrouter" {
		t.Errorf("a paid model is barred by the free tier: %v", err)
	}
}
