package tasks

import (
	"testing"
	"time"
)

func TestFlowMeasuresHowFastALaneEmpties(t *testing.T) {
	t.Parallel()
	now := time.Now()
	f := &flow{}
	f.seen(now, 0)
	for range 30 { // a hundred a second go in and come out, twelve of them under way
		f.handed += 10
		now = now.Add(100 * time.Millisecond)
		f.seen(now, min(f.active+10, 12))
	}
	if f.rate < 90 || f.rate > 110 {
		t.Errorf("rate = %.0f a second; want about 100", f.rate)
	}
	for range 30 { // all slots are taken and nothing ends
		now = now.Add(100 * time.Millisecond)
		f.seen(now, 12)
	}
	if f.rate > 1 {
		t.Errorf("rate = %.1f; want about 0", f.rate)
	}
}

// Filling free slots is no flow: tasks that were handed over and run have not ended.
func TestFlowIsNotFooledByTheFirstBurst(t *testing.T) {
	t.Parallel()
	now := time.Now()
	f := &flow{}
	f.seen(now, 0)
	for n := 8; n <= 40; n += 8 {
		f.handed += 8
		now = now.Add(30 * time.Millisecond)
		f.seen(now, n)
	}
	if f.rate != 0 {
		t.Errorf("rate = %.1f; want 0", f.rate)
	}
}

func TestFlowAfterALongPauseBeginsAnew(t *testing.T) {
	t.Parallel()
	now := time.Now()
	f := &flow{rate: 500, at: now, active: 3, handed: 900}
	f.seen(now.Add(time.Hour), 3)
	if f.rate != 0 || f.handed != 0 {
		t.Errorf("flow = %+v; want a new one", f)
	}
}

func TestShareKeepsSlowLanesShortAndFastOnesSupplied(t *testing.T) {
	t.Parallel()
	r := &Relay{flows: map[string]*flow{"content": {rate: 0.5}, "qualification": {rate: 1000}, "qualification:low": {rate: 1e6}}}
	r.capacity.slots = map[string]int{"content": 8, "qualification": 32}
	for lane, want := range map[string][2]int{
		"content": {leastPending, 8}, "qualification": {250, 282}, "qualification:low": {mostPending, 250_032}, "publish": {leastPending, capacityUnknown},
	} {
		if got := r.share(lane); got.Pending != want[0] || got.Active != want[1] {
			t.Errorf("%s: pending %d, active %d; want %v", lane, got.Pending, got.Active, want)
		}
	}
}

func TestSpareSlotsAreFoundAgain(t *testing.T) {
	t.Parallel()
	for c := 1; c <= 512; c++ {
		if got := c + spareSlots(c); got-spareOf(got) != c {
			t.Errorf("of %d slots %d are taken for the workspace's; want %d", got, got-spareOf(got), c)
		}
	}
}
