package breaker_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/zakibelm/astrogrowth/router/breaker"
)

// call goes through the breakers named and reports; it says whether it was let through.
func call(t *testing.T, s *breaker.Set, failed string, names ...string) bool {
	t.Helper()
	done, _, _ := s.Allow(names...)
	if done == nil {
		return false
	}
	done(failed, failed != "")
	return true
}

func open(t *testing.T, s *breaker.Set, name string) {
	t.Helper()
	for s.Status()[name].State != breaker.Open {
		if !call(t, s, name, name) {
			t.Fatalf("%s bars calls and is not open", name)
		}
	}
}

func TestBreakerOpensAfterConsecutiveFailures(t *testing.T) {
	t.Parallel()
	s := breaker.New(breaker.Settings{}, "p", "m")
	for range 4 {
		call(t, s, "m", "m")
	}
	call(t, s, "", "m") // a success begins the count anew
	for range 4 {
		call(t, s, "m", "m")
	}
	if st := s.Status()["m"]; st.State != breaker.Closed || st.Failures != 8 || st.Successes != 1 {
		t.Errorf("status = %+v; want closed with 8 and 1", st)
	}
	call(t, s, "m", "m")
	st := s.Status()["m"]
	if st.State != breaker.Open || call(t, s, "", "m") {
		t.Errorf("status = %+v; want open", st)
	}
	if d := time.Until(st.Until); d < 50*time.Second || d > 70*time.Second {
		t.Errorf("open for %v; want about a minute", d)
	}
}

func TestBreakerOpensAtARateOfFailures(t *testing.T) {
	t.Parallel()
	s := breaker.New(breaker.Settings{Failures: 100, MinCalls: 10, Rate: 0.5}, "p", "m")
	for i := range 9 {
		failed := ""
		if i%2 == 0 {
			failed = "m"
		}
		call(t, s, failed, "m")
	}
	if st := s.Status()["m"]; st.State != breaker.Closed {
		t.Fatalf("open after 9 calls of at least 10: %+v", st)
	}
	call(t, s, "m", "m")
	if st := s.Status()["m"]; st.State != breaker.Open {
		t.Errorf("status = %+v; want open at 6 of 10", st)
	}
}

func TestBreakerForgetsWhatIsOutsideItsWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := breaker.New(breaker.Settings{Failures: 100, MinCalls: 10, Window: time.Minute}, "p", "m")
		for range 9 {
			call(t, s, "m", "m")
		}
		time.Sleep(2 * time.Minute)
		call(t, s, "m", "m")
		if st := s.Status()["m"]; st.State != breaker.Closed || st.Failures != 1 {
			t.Errorf("status = %+v; want closed with 1", st)
		}
	})
}

func TestBreakerProbesAndCloses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := breaker.New(breaker.Settings{Failures: 1, Closing: 2}, "p", "m")
		open(t, s, "m")
		time.Sleep(70 * time.Second)
		first, _, _ := s.Allow("m")
		if first == nil {
			t.Fatal("no probe is let through")
		}
		if second, barred, _ := s.Allow("m"); second != nil || barred != "m" {
			t.Error("a second probe is let through at once")
		}
		first("", false)
		if st := s.Status()["m"].State; st != breaker.HalfOpen {
			t.Errorf("state after one success = %s", st)
		}
		second, _, _ := s.Allow("m")
		if second == nil {
			t.Fatal("no second probe is let through")
		}
		second("", false)
		if st := s.Status()["m"].State; st != breaker.Closed {
			t.Errorf("state after two successes = %s", st)
		}
	})
}

// A probe that proves nothing gives its place back.
func TestBreakerProbeWithoutAResultDoesNotCount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := breaker.New(breaker.Settings{Failures: 1, Closing: 1}, "p", "m")
		open(t, s, "m")
		time.Sleep(70 * time.Second)
		for range 5 {
			done, _, _ := s.Allow("m")
			if done == nil {
				t.Fatal("the breaker is stuck")
			}
			done("", true) // the caller left
		}
		if st := s.Status()["m"].State; st != breaker.HalfOpen {
			t.Errorf("state = %s", st)
		}
	})
}

func TestBreakerOfAModelDoesNotCountAgainstItsProvider(t *testing.T) {
	t.Parallel()
	s := breaker.New(breaker.Settings{Failures: 2}, "p", "a", "a/1", "a/2")
	call(t, s, "a/1", "a", "a/1")
	call(t, s, "a/1", "a", "a/1")
	if done, barred, _ := s.Allow("a", "a/1"); done != nil || barred != "a/1" {
		t.Errorf("barred by %q; want the model", barred)
	}
	if !call(t, s, "", "a", "a/2") {
		t.Error("another model is barred too")
	}
	if st := s.Status()["a"]; st.Failures != 0 {
		t.Errorf("provider = %+v", st)
	}
}

func TestBreakerForcedOpenAndClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := breaker.New(breaker.Settings{}, "p", "m")
		s.Force("m", time.Now().Add(10*time.Second))
		if _, barred, until := s.Allow("m"); barred != "m" || time.Until(until).Round(time.Second) != 10*time.Second {
			t.Errorf("barred by %q for %v", barred, time.Until(until))
		}
		s.Force("m", time.Time{})
		if !call(t, s, "", "m") {
			t.Error("still barred after it was closed")
		}
		s.Force("m", time.Now().Add(10*time.Second))
		time.Sleep(11 * time.Second)
		if done, _, _ := s.Allow("m"); done == nil {
			t.Error("no probe after its time")
		}
	})
}

// What was left of another process's opening is not the length of the next one.
func TestBreakerReopensForItsFullTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := breaker.New(breaker.Settings{Timeout: time.Minute}, "p", "m")
		s.Force("m", time.Now().Add(time.Second))
		time.Sleep(2 * time.Second)
		call(t, s, "m", "m") // the probe fails
		st := s.Status()["m"]
		if st.State != breaker.Open || time.Until(st.Until) < 50*time.Second {
			t.Fatalf("%s for %v; want a minute", st.State, time.Until(st.Until))
		}
		time.Sleep(30 * time.Second)
		if call(t, s, "", "m") {
			t.Error("a probe was let through after half a minute")
		}
	})
}

func TestBreakerLateResultCountsForNothing(t *testing.T) {
	t.Parallel()
	s := breaker.New(breaker.Settings{Failures: 1}, "p", "m")
	late, _, _ := s.Allow("m")
	s.Force("m", time.Time{}) // a person reset it meanwhile
	late("m", true)
	late("m", true)
	if st := s.Status()["m"]; st.State != breaker.Closed || st.Failures != 0 {
		t.Errorf("status = %+v; want closed without a failure", st)
	}
}
