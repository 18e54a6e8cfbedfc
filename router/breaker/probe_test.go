package breaker_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/router/breaker"
)

// Each opening that a failed probe makes is twice as long as the one before, until a success begins anew.
func TestBreakerOpenTimeGrows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := breaker.New(breaker.Settings{Failures: 1, Closing: 1}, "p", "m")
		next := func(failed string) {
			time.Sleep(time.Until(s.Status()["m"].Until) + time.Millisecond)
			if !call(t, s, failed, "m") {
				t.Fatal("no probe is let through")
			}
		}
		open(t, s, "m")
		for i, want := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 10 * time.Minute, 10 * time.Minute} {
			if d := time.Until(s.Status()["m"].Until); d < want*9/10 || d > want*11/10 {
				t.Errorf("opening %d lasts %v; want %v, give or take a tenth", i+1, d, want)
			}
			next("m")
		}
		next("")
		open(t, s, "m")
		if d := time.Until(s.Status()["m"].Until); d > 66*time.Second {
			t.Errorf("after it had closed it opens for %v; want a minute", d)
		}
	})
}

// due opens a breaker in one process and waits until both know that it may be probed.
func due(t *testing.T, name string, one, two *process) {
	t.Helper()
	open(t, one.Set, name)
	within(t, "open there too", time.Second, func() bool { return two.Status()[name].State != breaker.Closed })
	within(t, "due", 5*time.Second, func() bool { return one.state(name) == breaker.HalfOpen && two.state(name) == breaker.HalfOpen })
}

var quick = breaker.Settings{Failures: 1, Timeout: 100 * time.Millisecond}

func TestBreakerIsProbedByOneProcessAtATime(t *testing.T) {
	name := "m-" + growth.NewID()
	rdb := testenv.RedisClient(t)
	one, two := joinsWith(t, rdb, "one", quick, name), joinsWith(t, rdb, "two", quick, name)
	due(t, name, one, two)
	probe, _, _ := one.Allow(name)
	if probe == nil {
		t.Fatal("no probe is let through")
	}
	for _, p := range []*process{one, two} {
		if other, barred, until := p.Allow(name); other != nil || barred != name || time.Until(until) > 6*time.Second {
			t.Errorf("a second probe: let through %v, barred by %q for %v", other != nil, barred, time.Until(until))
		}
	}
	probe("", true) // it proved nothing: the place is free again
	var second func(string, bool)
	within(t, "the other process may probe", time.Second, func() bool { second, _, _ = two.Allow(name); return second != nil })
	second("", false)
	within(t, "the first process may probe again", time.Second, func() bool { probe, _, _ = one.Allow(name); return probe != nil })
	probe("", false)
	if s := one.state(name); s != breaker.Closed {
		t.Errorf("state = %s; want closed by one success of each process", s)
	}
	within(t, "closed there too", time.Second, func() bool { return two.state(name) == breaker.Closed })
}

// A process that dies while it probes does not keep the breaker open for ever.
func TestBreakerProbeOfADeadProcessLapses(t *testing.T) {
	name := "m-" + growth.NewID()
	rdb := testenv.RedisClient(t)
	s := quick
	s.Probe = 300 * time.Millisecond
	one, two := joinsWith(t, rdb, "one", s, name), joinsWith(t, rdb, "two", s, name)
	due(t, name, one, two)
	if probe, _, _ := one.Allow(name); probe == nil {
		t.Fatal("no probe is let through")
	}
	one.end()
	within(t, "the other process may probe", 3*time.Second, func() bool { return call(t, two.Set, "", name) })
}

func TestBreakerKnowsHowOftenItHasOpened(t *testing.T) {
	name := "m-" + growth.NewID()
	rdb := testenv.RedisClient(t)
	s := breaker.Settings{Failures: 1, Timeout: 50 * time.Millisecond}
	one := joinsWith(t, rdb, "one", s, name)
	open(t, one.Set, name)
	for range 4 { // 50, 100, 200, 400 and then 800 ms
		within(t, "a failed probe", 5*time.Second, func() bool { return call(t, one.Set, name, name) })
	}
	two := joinsWith(t, rdb, "two", s, name)
	within(t, "the last opening is known there too", 5*time.Second, func() bool {
		return two.Status()[name].Until.Sub(one.Status()[name].Until).Abs() < 5*time.Millisecond
	})
	within(t, "due", 5*time.Second, func() bool { return call(t, two.Set, name, name) })
	if d := time.Until(two.Status()[name].Until); d < time.Second {
		t.Errorf("a process that started later opens it for %v; want about 1.6 s", d)
	}
}

func TestBreakerEarlyProbe(t *testing.T) {
	name := "m-" + growth.NewID()
	rdb := testenv.RedisClient(t)
	s := breaker.Settings{Failures: 1, Timeout: time.Hour, Longest: time.Hour}
	one, two := joinsWith(t, rdb, "one", s, name), joinsWith(t, rdb, "two", s, name)
	open(t, one.Set, name)
	within(t, "open there too", time.Second, func() bool { return two.state(name) == breaker.Open })
	probe, ok := one.Probe(name)
	if !ok {
		t.Fatal("no early probe is let through")
	}
	for _, p := range []*process{one, two} {
		if _, ok := p.Probe(name); ok {
			t.Error("a second early probe is let through in the same open time")
		}
	}
	probe(name, true)
	if d := time.Until(one.Status()[name].Until); one.state(name) != breaker.Open || d < 50*time.Minute || d > 70*time.Minute {
		t.Errorf("%s for %v; a failure is to change nothing", one.state(name), d)
	}
	if err := two.Reset(t.Context(), rdb, name); err != nil {
		t.Fatal(err)
	}
	within(t, "closed", time.Second, func() bool { return one.state(name) == breaker.Closed })
	open(t, one.Set, name)
	within(t, "open there too", time.Second, func() bool { return two.state(name) == breaker.Open })
	if probe, ok = two.Probe(name); !ok {
		t.Fatal("no early probe in another open time")
	}
	probe("", false)
	within(t, "half open in both", time.Second, func() bool { return one.state(name) == breaker.HalfOpen && two.state(name) == breaker.HalfOpen })
	within(t, "closed by the second success", time.Second, func() bool { return call(t, one.Set, "", name) && one.state(name) == breaker.Closed })
}

func TestBreakerProbesForItselfWithoutOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := breaker.New(breaker.Settings{Failures: 1}, "p", "m")
		open(t, s, "m")
		if _, _, barred := s.Barred("other", "m"); !barred {
			t.Error("an open breaker bars nothing")
		}
		first, ok := s.Probe("m")
		if _, again := s.Probe("m"); !ok || again {
			t.Errorf("early probes let through: %v, %v; want one", ok, again)
		}
		first("m", true)
		time.Sleep(2 * time.Minute)
		if _, _, barred := s.Barred("m"); barred {
			t.Error("barred when its time is over")
		}
		for range 2 {
			if !call(t, s, "", "m") {
				t.Error("a probe is barred")
			}
		}
		if s.Status()["m"].State != breaker.Closed {
			t.Error("two good probes did not close it")
		}
	})
}

// Names come from callers: however many there are, the set stays small, and those of the routes stay in it.
func TestBreakerSetIsBounded(t *testing.T) {
	t.Parallel()
	s := breaker.New(breaker.Settings{Failures: 1}, "p", "listed")
	for i := range 3000 {
		call(t, s, "", fmt.Sprint(i))
	}
	names := s.Names()
	if _, listed := s.Status()["listed"]; len(names) > 1000 || !listed {
		t.Errorf("%d breakers, the listed one among them: %v", len(names), listed)
	}
}

func BenchmarkBreakerAllow(b *testing.B) {
	s := breaker.New(breaker.Settings{}, "p", "a", "a/1", "b")
	b.Run("closed", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			done, _, _ := s.Allow("a", "a/1")
			done("", false)
		}
	})
	b.Run("open", func(b *testing.B) {
		s.Force("b", time.Now().Add(time.Hour))
		b.ReportAllocs()
		for b.Loop() {
			if done, _, _ := s.Allow("b"); done != nil {
				b.Fatal("let through")
			}
		}
	})
}
