package tasks

import (
	"strconv"
	"testing"
	"time"
)

func someReceivers(slots int) (*Receivers, *time.Time) {
	now := time.Unix(1_767_225_600, 0)
	r := NewReceivers(slots)
	r.now = func() time.Time { return now }
	return r, &now
}

// called makes a call that ends at once.
func called(t *testing.T, r *Receivers, host string, a answered) {
	t.Helper()
	leave, wait := r.enter(host, host+"/a")
	if wait > 0 {
		t.Fatalf("%s has to wait %v", host, wait)
	}
	leave(a)
}

func free(r *Receivers, host string) int {
	for n := 0; ; n++ {
		if _, wait := r.enter(host, host+"/a"); wait > 0 {
			return n
		}
	}
}

func TestSlowReceiversLeaveSlotsToOthers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		calls []answered
		want  int
	}{
		{"unknown", nil, 4},
		{"quick", []answered{{took: 10 * time.Millisecond}}, 8},
		{"slow", []answered{{took: 5 * time.Second}}, 2},
		{"failed", []answered{{took: 10 * time.Millisecond, bad: true}}, 2},
		{"failed and back", []answered{{took: time.Millisecond, bad: true}, {took: time.Millisecond}}, 8},
		{"asked for a rest", []answered{{rest: time.Second}}, 0},
		{"dead", []answered{{bad: true}, {bad: true}, {bad: true}}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r, _ := someReceivers(8)
			for _, a := range tc.calls {
				called(t, r, "h", a)
			}
			if got := free(r, "h"); got != tc.want {
				t.Errorf("%d calls at once, want %d", got, tc.want)
			}
			if got := free(r, "another"); got != 4 {
				t.Errorf("another has %d, want 4", got)
			}
		})
	}
}

// One customer of a shared host who is told to slow down does not hold up the others; a host that is in trouble does.
func TestRestIsOfTheAddressUnlessTheHostIsInTrouble(t *testing.T) {
	t.Parallel()
	r, now := someReceivers(8)
	called(t, r, "hooks", answered{took: time.Millisecond, rest: 30 * time.Second})
	if _, wait := r.enter("hooks", "hooks/a"); wait < 30*time.Second || wait > 35*time.Second {
		t.Errorf("the address that asked for a rest waits %v", wait)
	}
	leave, wait := r.enter("hooks", "hooks/b")
	if wait > 0 {
		t.Errorf("another address of the host waits %v", wait)
	}
	leave(answered{bad: true, rest: time.Minute})
	for _, address := range []string{"hooks/a", "hooks/b", "hooks/c"} {
		if _, wait := r.enter("hooks", address); wait == 0 {
			t.Errorf("%s is called while its host is in trouble", address)
		}
	}
	*now = now.Add(2 * time.Minute)
	called(t, r, "hooks", answered{})
}

func TestDeadReceiverIsProbed(t *testing.T) {
	t.Parallel()
	r, now := someReceivers(8)
	for range 3 {
		called(t, r, "h", answered{bad: true})
	}
	rests := 5 * time.Second
	for range 8 {
		if _, wait := r.enter("h", "h/a"); wait < rests || wait > 2*rests {
			t.Fatalf("a dead receiver rests %v, want %v and up to half more", wait, rests)
		}
		*now = now.Add(rests)
		probe, wait := r.enter("h", "h/a")
		if wait > 0 {
			t.Fatalf("no probe after %v", rests)
		}
		if _, wait := r.enter("h", "h/a"); wait == 0 {
			t.Fatal("two probes at once")
		}
		probe(answered{bad: true})
		rests = min(2*rests, mostRest)
	}
	*now = now.Add(mostRest)
	called(t, r, "h", answered{took: time.Millisecond})
	if got := free(r, "h"); got != 8 {
		t.Errorf("%d calls at once when it is back, want 8", got)
	}
}

func TestReceiversAreForgotten(t *testing.T) {
	t.Parallel()
	r, now := someReceivers(8)
	busy, _ := r.enter("busy", "busy/a")
	for i := range 3 * maxReceivers {
		called(t, r, strconv.Itoa(i), answered{})
		if i == maxReceivers/2 {
			*now = now.Add(mostRest)
		}
	}
	if n := len(r.by); n > maxReceivers {
		t.Errorf("%d are remembered", n)
	}
	if r.by["busy"] == nil {
		t.Error("one that is being called was forgotten")
	}
	busy(answered{})
}
