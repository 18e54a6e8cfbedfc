package quota_test

import (
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
