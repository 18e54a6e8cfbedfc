package providers

import (
	"net/http"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	header := func(pairs ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			h.Set(pairs[i], pairs[i+1])
		}
		return h
	}
	cases := []struct {
		name string
		h    http.Header
		body string
		want time.Duration
	}{
		{"nothing", header(), ``, 0},
		{"seconds", header("Retry-After", "17"), ``, 17 * time.Second},
		{"fraction", header("Retry-After", "0.5"), ``, 500 * time.Millisecond},
		{"date", header("Retry-After", "Mon, 23 Nov 2026 10:01:30 GMT"), ``, 90 * time.Second},
		{"date in the past", header("Retry-After", "Mon, 23 Nov 2026 09:00:00 GMT"), ``, 0},
		{"milliseconds before seconds", header("Retry-After", "2", "retry-after-ms", "1500"), ``, 1500 * time.Millisecond},
		{"reset in epoch seconds", header("X-RateLimit-Reset", "1795428060"), ``, time.Minute},
		{"reset in epoch milliseconds", header("X-RateLimit-Reset", "1795428060000"), ``, time.Minute},
		{"reset from now", header("X-RateLimit-Reset", "60"), ``, time.Minute},
		{"reset in the past", header("X-RateLimit-Reset", "1700000000"), ``, 0},
		{"hub's header", header("RateLimit", `"api";r=0;t=55`), ``, 55 * time.Second},
		{"negative", header("Retry-After", "-3"), ``, 0},
		{"not a number", header("Retry-After", "NaN"), ``, 0},
		{"endless", header("Retry-After", "1e300"), ``, maxHint},
		{"rubbish", header("Retry-After", "soon", "X-RateLimit-Reset", "x"), ``, 0},
		{"metadata seconds", header(), `{"error":{"metadata":{"retry_after_seconds":"3"}}}`, 3 * time.Second},
		{"metadata headers", header(), `{"error":{"metadata":{"headers":{"retry-after":4}}}}`, 4 * time.Second},
		{"availability", header("Retry-After", "9"), `{"error":{"availability":{"code":"capacity_exhausted","retry_after":2}}}`, 2 * time.Second},
		{"estimated time", header(), `{"error":"loading","estimated_time":20.5}`, 20500 * time.Millisecond},
		{"words", header(), `{"error":{"message":"Please try again in 7m12s."}}`, 7*time.Minute + 12*time.Second},
		{"words in seconds", header(), `{"error":{"message":"Retry after 30 seconds"}}`, 30 * time.Second},
		{"words in milliseconds", header(), `{"error":{"message":"try again in 250ms"}}`, 250 * time.Millisecond},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := retryAfter(tc.h, parseFault([]byte(tc.body)), now); got != tc.want {
				t.Errorf("wait = %v, want %v", got, tc.want)
			}
		})
	}
}

func TestUntilMidnightIsUTC(t *testing.T) {
	t.Parallel()
	montreal := time.FixedZone("EST", -5*3600)
	at := time.Date(2026, 12, 31, 20, 30, 0, 0, montreal) // 01:30 UTC on the first of January
	if got, want := untilMidnight(at), 22*time.Hour+30*time.Minute; got != want {
		t.Errorf("wait = %v, want %v", got, want)
	}
}
