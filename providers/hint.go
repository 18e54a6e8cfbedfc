package providers

import (
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// maxHint bounds what a provider can ask for: a month is the longest window that any of them has.
const maxHint = 31 * 24 * time.Hour

var (
	rateLimitTime = regexp.MustCompile(`(?:^|;)\s*t=([0-9]+)`)
	tryAgainIn    = regexp.MustCompile(`(?i)(?:try again|retry) (?:in|after) ((?:[0-9]+(?:\.[0-9]+)?(?:ms|h|m|s))+|[0-9]+(?:\.[0-9]+)? second)`)
)

// retryAfter is how long the answer asks to wait, 0 when it does not say. What was made for the purpose goes first and
// what must be read out of prose last; among headers the finer unit goes before the coarser one.
func retryAfter(h http.Header, f fault, now time.Time) time.Duration {
	for _, wait := range []time.Duration{
		f.availabilityWait,
		headerWait(h, now),
		f.metadataWait,
		headerWait(f.headers, now),
		f.estimated,
		wordWait(f.text),
	} {
		if wait > 0 {
			return wait
		}
	}
	return 0
}

func headerWait(h http.Header, now time.Time) time.Duration {
	if wait := numberWait(h.Get("Retry-After-Ms"), time.Millisecond); wait > 0 {
		return wait
	}
	if wait := dateOrSeconds(h.Get("Retry-After"), now); wait > 0 {
		return wait
	}
	if wait := resetWait(h.Get("X-Ratelimit-Reset"), now); wait > 0 {
		return wait
	}
	if m := rateLimitTime.FindStringSubmatch(h.Get("Ratelimit")); m != nil {
		return numberWait(m[1], time.Second)
	}
	return 0
}

func dateOrSeconds(value string, now time.Time) time.Duration {
	if wait := numberWait(value, time.Second); wait > 0 {
		return wait
	}
	at, err := http.ParseTime(strings.TrimSpace(value))
	if err != nil {
		return 0
	}
	return clampWait(at.Sub(now))
}

// resetWait reads a moment as epoch seconds or milliseconds, or seconds from now; each of the three is in use.
func resetWait(value string, now time.Time) time.Duration {
	n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil {
		return 0
	}
	switch {
	case n > 1e11 && n < 1e14:
		return clampWait(time.UnixMilli(int64(n)).Sub(now))
	case n > 1e8 && n <= 1e11:
		return clampWait(time.Unix(int64(n), 0).Sub(now))
	case n <= 1e8:
		return floatWait(n, time.Second)
	}
	return 0
}

func wordWait(text string) time.Duration {
	m := tryAgainIn.FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	wait, err := time.ParseDuration(strings.Replace(strings.ToLower(m[1]), " second", "s", 1))
	if err != nil {
		return 0
	}
	return clampWait(wait)
}

func numberWait(value string, unit time.Duration) time.Duration {
	n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil {
		return 0
	}
	return floatWait(n, unit)
}

// floatWait compares before it multiplies: a duration overflows silently.
func floatWait(n float64, unit time.Duration) time.Duration {
	if math.IsNaN(n) || n <= 0 {
		return 0
	}
	if n >= float64(maxHint)/float64(unit) {
		return maxHint
	}
	return clampWait(time.Duration(n * float64(unit)))
}

func clampWait(d time.Duration) time.Duration { return min(max(d, 0), maxHint) }

// untilMidnight is the wait for a cap that is counted per UTC day.
func untilMidnight(now time.Time) time.Duration {
	now = now.UTC()
	next := time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, time.UTC)
	return next.Sub(now)
}
