package simulator

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// now is the clock of the tests: a day on which LinkedIn's version 202511 is past its sunset.
var now = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// sim is a running simulator.
type sim struct {
	*Server
	t    *testing.T
	base string
}

func start(t *testing.T) *sim {
	t.Helper()
	s := New(Config{Log: zerolog.Nop(), Seed: 1, Now: func() time.Time { return now }})
	h := httptest.NewServer(s)
	t.Cleanup(func() {
		s.Close()
		h.Close()
	})
	return &sim{Server: s, t: t, base: h.URL}
}

// got is an answer that was read to its end, or as far as it came.
type got struct {
	status int
	header http.Header
	body   string
	err    error
}

func (g got) json(t *testing.T) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(g.body), &v); err != nil {
		t.Fatalf("status %d, body is not JSON: %v\n%s", g.status, err, g.body)
	}
	return v
}

// at walks into decoded JSON by keys and indexes.
func at(t *testing.T, v any, path ...any) any {
	t.Helper()
	for _, p := range path {
		switch key := p.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok {
				t.Fatalf("path %v: %T is no object", path, v)
			}
			v = m[key]
		case int:
			l, ok := v.([]any)
			if !ok || key >= len(l) {
				t.Fatalf("path %v: no item %d", path, key)
			}
			v = l[key]
		}
	}
	return v
}

func list(t *testing.T, v any, path ...any) []any {
	t.Helper()
	l, ok := at(t, v, path...).([]any)
	if !ok {
		t.Fatalf("path %v is no list", path)
	}
	return l
}

func text(t *testing.T, v any, path ...any) string {
	t.Helper()
	s, _ := at(t, v, path...).(string)
	return s
}

// call sends a request; header is a list of names and values.
func (s *sim) call(method, path, body string, header ...string) got {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.base+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return got{err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return got{status: resp.StatusCode, header: resp.Header, body: string(b), err: err}
}

// obj is a JSON object in a test.
type obj = map[string]any

func userSays(text string) []obj { return []obj{{"role": "user", "content": text}} }

func (s *sim) post(path string, body any, header ...string) got {
	s.t.Helper()
	return s.call(http.MethodPost, path, string(encode(body)), header...)
}

const (
	orChat  = "/openrouter/api/v1/chat/completions"
	hfChat  = "/huggingface/v1/chat/completions"
	olChat  = "/ollama/api/chat"
	liPosts = "/linkedin/rest/posts"
)

var bearer = []string{"Authorization", "Bearer sim-key"}

func (s *sim) set(f Fault) Fault {
	s.t.Helper()
	f, err := s.SetFault(f)
	if err != nil {
		s.t.Fatal(err)
	}
	return f
}

func TestEveryAnswerIsMarked(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, path := range []string{"/", "/openrouter/api/v1/models", "/ollama/api/tags", "/linkedin/v2/userinfo", "/nowhere", "/_book"} {
		if g := s.call(http.MethodGet, path, ""); g.header.Get(Header) != "1" {
			t.Errorf("GET %s: %s = %q, want 1", path, Header, g.header.Get(Header))
		}
	}
}

func TestCloseEndsHangingAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{Log: zerolog.Nop(), Seed: 1})
		if _, err := s.SetFault(Fault{Provider: Ollama, Kind: KindTimeout}); err != nil {
			t.Fatal(err)
		}
		var dropped any
		go func() {
			defer func() { dropped = recover() }()
			s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, olChat, strings.NewReader(`{"model":"phi3:mini"}`)))
		}()
		synctest.Wait()
		if n := len(s.Entries(0)); n != 0 || s.Faults()[0].Fired != 1 {
			t.Fatalf("%d rows, fault %+v, want a request that hangs", n, s.Faults()[0])
		}
		s.Close()
		synctest.Wait()
		if dropped != http.ErrAbortHandler { //nolint:errorlint // a recovered value is compared as it is
			t.Errorf("handler ended with %v, want a dropped connection", dropped)
		}
		if e := s.Entries(0)[0]; e.Status != 0 || !e.Canceled || e.Fault != KindTimeout {
			t.Errorf("book row = %+v", e)
		}
	})
}

// The speed of the simulated model is latency + tokens × time per token, and a stream spreads it over its chunks.
func TestSpeed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{Log: zerolog.Nop(), Seed: 1, Latency: time.Second, PerToken: 10 * time.Millisecond})
		for _, stream := range []bool{false, true} {
			rec := httptest.NewRecorder()
			body := string(encode(obj{"model": "phi3:mini", "messages": userSays("Tell me about rivers."), "stream": stream}))
			began := time.Now()
			s.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodPost, olChat, strings.NewReader(body)))
			e := s.Entries(1)[0]
			want := time.Second + time.Duration(e.CompletionTokens)*10*time.Millisecond
			if took := time.Since(began); took != want || e.LatencyMS != want.Milliseconds() {
				t.Errorf("stream %v took %v, book says %d ms, want %v", stream, took, e.LatencyMS, want)
			}
		}
	})
}

func TestBodyTooLarge(t *testing.T) {
	t.Parallel()
	s := start(t)
	body := append([]byte(`{"model":"`), bytes.Repeat([]byte("a"), maxBody+1)...)
	if g := s.call(http.MethodPost, orChat, string(body), bearer...); g.err == nil && g.status != http.StatusRequestEntityTooLarge {
		t.Errorf("status = %d, want 413", g.status)
	}
}

func TestControlRefusesOtherOrigins(t *testing.T) {
	t.Parallel()
	s := start(t)
	g := s.call(http.MethodPost, "/_control/reset", "", "Sec-Fetch-Site", "cross-site")
	if g.status != http.StatusForbidden {
		t.Errorf("status = %d, want 403", g.status)
	}
}
