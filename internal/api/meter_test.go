package api

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/zakibelm/astrogrowth/internal/limit"
)

func TestHourlyWindows(t *testing.T) {
	t.Parallel()
	for most, want := range map[int]limit.Window{
		1000:        {Max: 1000, Per: time.Hour},
		100_000:     {Max: 100_000, Per: time.Hour},
		1_000_000:   {Max: 100_000, Per: 6 * time.Minute},
		100_000_000: {Max: 100_000, Per: 3600 * time.Millisecond},
	} {
		if got := hourly(most); got != want {
			t.Errorf("hourly(%d) = %+v, want %+v", most, got, want)
		}
	}
}

// A Redis that is away is asked now and then, and spoken of once.
func TestMeterAsksADeadRedisSeldom(t *testing.T) {
	t.Parallel()
	dead := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	t.Cleanup(func() { _ = dead.Close() })
	var said bytes.Buffer
	m := newMeter(limit.New(dead, "test"), 1, zerolog.New(&said))
	at := time.Now()
	m.now = func() time.Time { return at }
	for range 3 {
		if _, counted := m.count(t.Context(), "k"); counted {
			t.Fatal("counted without Redis")
		}
	}
	first := m.pause.Load()
	at = at.Add(meterPause)
	m.count(t.Context(), "k")
	if m.pause.Load() == first {
		t.Error("Redis was not asked again after the pause")
	}
	if n := strings.Count(said.String(), "cannot be counted"); n != 1 {
		t.Errorf("said %d times: %s", n, &said)
	}
}
