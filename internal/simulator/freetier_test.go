package simulator

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestFreeTierIsEnforcedForEachKey(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	now := noon
	s := New(Config{Seed: 1, Now: func() time.Time { return now }})
	do := func(method, path, key, body string) got {
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+key)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return got{status: w.Code, header: w.Header(), body: w.Body.String()}
	}
	ask := func(key, model string) got {
		return do(http.MethodPost, "/openrouter/api/v1/chat/completions", key, `{"model":"`+model+`","messages":[{"role":"user","content":"2+2?"}]}`)
	}
	const free, paid = "openai/gpt-oss-20b:free", "openai/gpt-4o-mini"
	if got := do(http.MethodPut, "/_control/free_tier", "", `{"per_minute":2,"per_day":3}`).status; got != 200 {
		t.Fatalf("limits: %d", got)
	}
	for _, tc := range []struct {
		at         time.Duration
		key, model string
		status     int
		limit      string
		reset      time.Time
		says       string
	}{
		{0, "a", free, 200, "", time.Time{}, ""},
		{0, "a", free, 200, "", time.Time{}, ""},
		{10 * time.Second, "a", free, 429, "2", noon.Add(time.Minute), "free-models-per-min"},
		{10 * time.Second, "b", free, 200, "", time.Time{}, ""},
		{10 * time.Second, "a", paid, 200, "", time.Time{}, ""},
		{time.Minute, "a", free, 200, "", time.Time{}, ""},
		{time.Minute, "a", free, 429, "3", noon.Add(12 * time.Hour), "free-models-per-day"},
		{12 * time.Hour, "a", free, 200, "", time.Time{}, ""},
	} {
		now = noon.Add(tc.at)
		resp, want := ask(tc.key, tc.model), ""
		h := resp.header
		if !tc.reset.IsZero() {
			want = strconv.FormatInt(tc.reset.UnixMilli(), 10)
		}
		if resp.status != tc.status || h.Get("X-RateLimit-Limit") != tc.limit || h.Get("X-RateLimit-Reset") != want || !strings.Contains(resp.body, tc.says) {
			t.Errorf("%v %s %s: %d, limit %q, reset %q, %s; want %d, %q, %q, %q", tc.at, tc.key, tc.model, resp.status,
				h.Get("X-RateLimit-Limit"), h.Get("X-RateLimit-Reset"), resp.body, tc.status, tc.limit, want, tc.says)
		}
	}
	if got := do(http.MethodPut, "/_control/free_tier", "", `{"per_minute":-1}`).status; got != 400 {
		t.Errorf("a negative limit: %d", got)
	}
	s.Reset()
	if got := do(http.MethodGet, "/_control/free_tier", "", "").body; got != `{"per_minute":0,"minute_ms":0,"per_day":0,"day_ms":0}` {
		t.Errorf("after a reset: %s", got)
	}
}
