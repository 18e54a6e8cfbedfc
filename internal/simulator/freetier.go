package simulator

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// freePerMinute is the bucket that OpenRouter names when the calls of a minute are spent; HintDaily stands for the day's.
const freePerMinute = "free-models-per-min"

// FreeTier limits the calls to OpenRouter's free models, for each key by itself. The zero value limits nothing, so that
// what is tried out is not slow without having been told to be.
type FreeTier struct {
	PerMinute int `json:"per_minute"` // calls in any stretch of a window; 0: any number
	MinuteMS  int `json:"minute_ms"`  // the window; 0: 60000
	PerDay    int `json:"per_day"`    // calls from midnight to midnight, UTC; 0: any number
	DayMS     int `json:"day_ms"`     // 0: 86400000; midnights are its multiples
}

func (t FreeTier) check() error {
	for name, n := range map[string]int{"per_minute": t.PerMinute, "minute_ms": t.MinuteMS, "per_day": t.PerDay, "day_ms": t.DayMS} {
		if n < 0 {
			return fmt.Errorf("%s: %d is negative", name, n)
		}
	}
	return nil
}

func (t FreeTier) window() time.Duration {
	return time.Duration(orDefault(t.MinuteMS, 60_000)) * time.Millisecond
}

func (t FreeTier) day() time.Duration {
	return time.Duration(orDefault(t.DayMS, 86_400_000)) * time.Millisecond
}

// freeTier counts the calls of each key.
type freeTier struct {
	mu     sync.Mutex
	limits FreeTier
	keys   map[string]*freeKey
}

type freeKey struct {
	made  []time.Time // in the last window, oldest first
	day   int64
	today int
}

const maxFreeKeys = 1000

func (t *freeTier) set(limits FreeTier) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.limits, t.keys = limits, nil
}

func (t *freeTier) get() FreeTier {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.limits
}

// refusedFree says which limit turns a call down, what it allows, and when it allows more.
type refusedFree struct {
	kind  string
	limit int
	reset time.Time
}

// admit counts a call, or says what turns it down. A call that is turned down counts for nothing.
func (t *freeTier) admit(key string, now time.Time) *refusedFree {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.limits
	if l.PerMinute == 0 && l.PerDay == 0 {
		return nil
	}
	k := t.key(key)
	day := now.UnixMilli() / l.day().Milliseconds()
	if k.day != day {
		k.day, k.today = day, 0
	}
	for len(k.made) > 0 && now.Sub(k.made[0]) >= l.window() {
		k.made = k.made[1:]
	}
	switch {
	case l.PerDay > 0 && k.today >= l.PerDay:
		return &refusedFree{HintDaily, l.PerDay, time.UnixMilli((day + 1) * l.day().Milliseconds())}
	case l.PerMinute > 0 && len(k.made) >= l.PerMinute:
		return &refusedFree{freePerMinute, l.PerMinute, k.made[0].Add(l.window())}
	}
	k.today++
	if l.PerMinute > 0 {
		k.made = append(k.made, now)
	}
	return nil
}

func (t *freeTier) key(name string) *freeKey {
	if t.keys == nil || len(t.keys) > maxFreeKeys {
		t.keys = map[string]*freeKey{}
	}
	if t.keys[name] == nil {
		t.keys[name] = &freeKey{}
	}
	return t.keys[name]
}

func (m *routerModel) free() bool { return strings.HasSuffix(m.ID, ":free") }

// admitFree refuses a call beyond the free tier as OpenRouter does: with the bucket's name and when it is filled again.
func (x *exchange) admitFree() bool {
	token, _ := x.bearer()
	no := x.s.tier.admit(token, x.s.now())
	if no == nil {
		return true
	}
	x.rateLimit(strconv.Itoa(no.limit), no.reset)
	p := problem{status: http.StatusTooManyRequests, model: x.row.Model, kind: no.kind}
	if no.kind == freePerMinute {
		p.message = "Rate limit exceeded: free-models-per-min. "
	}
	x.refuse(p)
	return false
}

// SetFreeTier puts limits of the free tier into force and begins to count anew.
func (s *Server) SetFreeTier(t FreeTier) error {
	if err := t.check(); err != nil {
		return err
	}
	s.tier.set(t)
	return nil
}

func (s *Server) getFreeTier(w http.ResponseWriter, _ *http.Request) { reply200(w, s.tier.get()) }

func (s *Server) putFreeTier(w http.ResponseWriter, r *http.Request) {
	var t FreeTier
	err := decodeStrict(w, r, &t)
	if err == nil {
		err = s.SetFreeTier(t)
	}
	if err != nil {
		reply400(w, err)
		return
	}
	s.getFreeTier(w, r)
}
