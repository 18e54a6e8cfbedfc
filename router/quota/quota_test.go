package quota_test

import (
	"fmt"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/router/quota"
)

func TestCooldowns(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	now := start
	c := &quota.Cooldowns{Now: func() time.Time { return now }}
	c.Rest("a/1", growth.Throttled, time.Minute)
	c.Rest("a/1", growth.Throttled, time.Second) // a longer rest stays
	c.Rest("a", growth.Exhausted, 30*time.Second)
	c.Rest("b", growth.Throttled, 0)
	for _, tc := range []struct {
		after time.Duration
		names []string
		want  time.Duration // until, after the start; 0: not resting
		code  growth.Code
	}{
		{0, []string{"a/1"}, time.Minute, growth.Throttled},
		{0, []string{"a", "a/1"}, time.Minute, growth.Throttled},
		{0, []string{"a", "a/2"}, 30 * time.Second, growth.Exhausted},
		{0, []string{"b"}, quota.DefaultCooling, growth.Throttled},
		{0, []string{"c", "c/1"}, 0, 0},
		{10 * time.Second, []string{"b"}, 0, 0},
		{59 * time.Second, []string{"a", "a/1"}, time.Minute, growth.Throttled},
		{60 * time.Second, []string{"a", "a/1"}, 0, 0},
	} {
		now = start.Add(tc.after)
		until, code, ok := c.Resting(tc.names...)
		if ok != (tc.want != 0) || ok && (until.Sub(start) != tc.want || code != tc.code) {
			t.Errorf("after %v, %v: until %v, %v, %v; want %v, %v", tc.after, tc.names, until.Sub(start), code, ok, tc.want, tc.code)
		}
	}
}

func TestCooldownsZeroValueIsReady(t *testing.T) {
	t.Parallel()
	var c quota.Cooldowns
	if _, _, ok := c.Resting("a"); ok {
		t.Error("resting before anything happened")
	}
	c.Rest("a", growth.Throttled, time.Hour)
	if until, _, ok := c.Resting("a"); !ok || time.Until(until) < 59*time.Minute {
		t.Errorf("until %v, %v", until, ok)
	}
}

// A refusal that names no time is answered by a rest that grows with each repetition.
func TestCooldownsOfOurOwnChoiceGrow(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	c := &quota.Cooldowns{Now: func() time.Time { return now }}
	for _, tc := range []struct {
		name  string
		code  growth.Code
		pause time.Duration // after the rest before has ended
		want  time.Duration
	}{
		{"m", growth.Throttled, 0, 10 * time.Second},
		{"m", growth.Throttled, time.Second, 20 * time.Second},
		{"m", growth.Throttled, time.Second, 40 * time.Second},
		{"m", growth.Throttled, time.Minute, 10 * time.Second}, // all was well for longer than it had rested
		{"hf", growth.Exhausted, 0, 10 * time.Minute},
		{"hf", growth.Exhausted, 0, 20 * time.Minute},
		{"hf", growth.Exhausted, 0, 40 * time.Minute},
		{"hf", growth.Exhausted, 0, 80 * time.Minute},
		{"hf", growth.Exhausted, 0, 160 * time.Minute},
		{"hf", growth.Exhausted, 0, 240 * time.Minute},
		{"hf", growth.Exhausted, 0, 240 * time.Minute},
	} {
		now = now.Add(tc.pause)
		c.Rest(tc.name, tc.code, 0)
		c.Rest(tc.name, tc.code, 0) // of another call that was under way
		until, _, _ := c.Resting(tc.name)
		if got := until.Sub(now); got != tc.want {
			t.Errorf("%s: rests %v; want %v", tc.name, got, tc.want)
		}
		now = until
	}
}

func TestCooldownsAreBounded(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	c := &quota.Cooldowns{Now: func() time.Time { return now }}
	for i := range 5000 {
		c.Rest(fmt.Sprint(i), growth.Throttled, time.Minute)
	}
	if _, _, ok := c.Resting("4999"); ok {
		t.Error("the table has no bound")
	}
	now = now.Add(time.Hour)
	c.Rest("new", growth.Throttled, time.Minute)
	if _, _, ok := c.Resting("new"); !ok {
		t.Error("there is no room although everything has ended")
	}
}
