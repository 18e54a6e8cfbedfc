package quota_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/router/quota"
)

// Whatever callers do, no stretch of a window holds more calls than allowed, no day either, and the line keeps its order.
func TestPoolNeverExceedsItsLimits(t *testing.T) {
	t.Parallel()
	rdb := testenv.RedisClient(t)
	rapid.Check(t, func(rt *rapid.T) {
		l := quota.Limits{
			Calls: rapid.IntRange(1, 4).Draw(rt, "calls"), Window: 10 * time.Second,
			Daily: rapid.IntRange(0, 12).Draw(rt, "daily"), Day: 5 * time.Minute,
		}
		c := &clock{}
		c.set(noon.Add(time.Duration(rapid.IntRange(0, 300).Draw(rt, "start")) * time.Second))
		d := newDesk(rdb, "p", fmt.Sprint(account.Add(1)), c, l)
		type call struct {
			g             quota.Grant
			counted, ends time.Time
		}
		var made, taken []time.Time // when the provider counted, when we did
		var open []call
		for range rapid.IntRange(5, 60).Draw(rt, "steps") {
			c.add(time.Duration(rapid.IntRange(0, 6000).Draw(rt, "ms")) * time.Millisecond)
			open = slices.DeleteFunc(open, func(o call) bool {
				if o.ends.After(c.now()) {
					return false
				}
				d.Done(t.Context(), o.g, 0)
				return true
			})
			ticket := fmt.Sprint(rapid.IntRange(0, 5).Draw(rt, "ticket"))
			how := quota.Wait(rapid.IntRange(0, 2).Draw(rt, "how"))
			if rapid.IntRange(0, 19).Draw(rt, "leave") == 0 {
				d.Leave(t.Context(), "or", "free", ticket)
				continue
			}
			g := d.take(t.Context(), ticket, how, 5*time.Second)
			switch {
			case g.OK && rapid.IntRange(0, 9).Draw(rt, "back") == 0:
				d.Back(t.Context(), g)
			case g.OK:
				late := time.Duration(rapid.IntRange(0, 4999).Draw(rt, "late")) * time.Millisecond
				counted := c.now().Add(late)
				made, taken = append(made, counted), append(taken, c.now())
				open = append(open, call{g, counted, counted.Add(time.Duration(rapid.IntRange(0, 4).Draw(rt, "work")) * time.Second)})
			case !g.Until.After(c.now()):
				if g.Ahead == 0 {
					rt.Fatalf("turned away with nobody ahead and no time to wait: %+v", g)
				}
			}
		}
		days := map[int64]int{}
		slices.SortFunc(made, time.Time.Compare)
		for i, at := range made {
			if j := i + l.Calls; j < len(made) && made[j].Sub(at) < l.Window {
				rt.Fatalf("%d calls within %v, at %v and after", l.Calls+1, made[j].Sub(at), at)
			}
		}
		for _, at := range taken {
			days[at.UnixMilli()/l.Day.Milliseconds()]++
		}
		for day, n := range days {
			if l.Daily > 0 && n > l.Daily {
				rt.Fatalf("%d calls on day %d of %d", n, day, l.Daily)
			}
		}
	})
}

// A line in which everybody comes when told to is served to its end, in its order, at the pace of the limits.
func TestPoolServesTheWholeLine(t *testing.T) {
	t.Parallel()
	d := oneDesk(t, quota.Limits{Calls: 3, Window: time.Minute, Daily: 20})
	const jobs = 50
	turn := map[int]time.Time{}
	for i := range jobs {
		turn[i] = d.clock.now()
	}
	visits, last := 0, -1
	for len(turn) > 0 {
		next := -1
		for i := range jobs {
			if at, ok := turn[i]; ok && (next < 0 || at.Before(turn[next])) {
				next = i
			}
		}
		if turn[next].After(d.clock.now()) {
			d.clock.set(turn[next])
		}
		visits++
		if g := d.take(t.Context(), fmt.Sprint(next), quota.InLine, 0); g.OK {
			d.Done(t.Context(), g, 0)
			if next < last {
				t.Fatalf("job %d was served after job %d", next, last)
			}
			last = next
			delete(turn, next)
		} else {
			turn[next] = g.Until
		}
	}
	if visits > 3*jobs {
		t.Errorf("%d visits for %d jobs; want each to be told its turn once, or a little more", visits, jobs)
	}
	if end := d.clock.now().Sub(noon); end < 36*time.Hour || end > 37*time.Hour {
		t.Errorf("done after %v; want 20 on this day, 20 on the next, and the rest early on the third", end)
	}
}
