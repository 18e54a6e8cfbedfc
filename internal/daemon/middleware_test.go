package daemon_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/daemon"
)

// safeBuffer can be written by handlers while the test reads.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// exchange is one request's answer and what was logged about it.
type exchange struct {
	err    error
	status int
	header http.Header
	body   string
	log    []map[string]any
}

// served runs one request through the middleware. The server is closed before the log is read, because the access
// line is written after the answer.
func served(t *testing.T, mux http.Handler, path string, header http.Header) exchange {
	t.Helper()
	var out safeBuffer
	srv := httptest.NewServer(daemon.Middleware(zerolog.New(&out), nil)(mux))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(req.Header, header)
	var x exchange
	resp, err := srv.Client().Do(req)
	if err == nil {
		var body []byte
		body, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		x.status, x.header, x.body = resp.StatusCode, resp.Header, string(body)
	}
	srv.Close()
	x.err, x.log = err, lines(t, out.String())
	return x
}

func muxWith(pattern string, h http.HandlerFunc) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc(pattern, h)
	return mux
}

func TestRequestIDIsTakenWhenSaneAndMadeOtherwise(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, given string
		kept        bool
	}{
		{"sane", "client-7.A_b", true},
		{"longest", strings.Repeat("x", 64), true},
		{"none", "", false},
		{"too long", strings.Repeat("x", 65), false},
		{"blank inside", "a b", false},
		{"markup", "<script>", false},
		{"accents", "é", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var seen string
			mux := muxWith("/", func(_ http.ResponseWriter, r *http.Request) {
				seen = daemon.RequestID(r.Context())
				zerolog.Ctx(r.Context()).Info().Msg("inside")
			})
			header := http.Header{}
			if tc.given != "" {
				header.Set(daemon.RequestIDHeader, tc.given)
			}
			x := served(t, mux, "/", header)
			got := x.header.Get(daemon.RequestIDHeader)
			if got != seen {
				t.Errorf("header %q and context %q differ", got, seen)
			}
			if tc.kept && got != tc.given {
				t.Errorf("id = %q, want the caller's", got)
			}
			if !tc.kept && !growth.ValidID(got) {
				t.Errorf("id = %q, want a new one", got)
			}
			for _, line := range x.log {
				if line["request_id"] != got {
					t.Errorf("log line lacks the id: %v", line)
				}
			}
		})
	}
}

// The framework behind the API says 499 when it finds, while writing, that the caller has left.
func TestCallerWhoLeavesDuringTheAnswerIsOnlyNoted(t *testing.T) {
	t.Parallel()
	var out, complaints safeBuffer
	handler := daemon.Middleware(zerolog.New(&out), nil)(muxWith("GET /", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		_, _ = io.WriteString(w, "the beginn")
		w.WriteHeader(499)
	}))
	srv := httptest.NewUnstartedServer(handler)
	srv.Config.ErrorLog = log.New(&complaints, "", 0)
	srv.Start()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	srv.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("status = %d, want the one that was sent", resp.StatusCode)
	}
	if got := lines(t, out.String()); len(got) != 1 || got[0]["status"] != 499.0 {
		t.Errorf("log = %v, want the status 499", got)
	}
	if complaints.String() != "" {
		t.Errorf("the server complains: %s", complaints.String())
	}
}

// A second status of any other kind is a fault of a handler, and the server shall name it.
func TestSecondStatusIsStillAFault(t *testing.T) {
	t.Parallel()
	var complaints safeBuffer
	srv := httptest.NewUnstartedServer(daemon.Middleware(zerolog.Nop(), nil)(muxWith("GET /", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.WriteHeader(http.StatusAccepted)
	})))
	srv.Config.ErrorLog = log.New(&complaints, "", 0)
	srv.Start()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	srv.Close()
	if !strings.Contains(complaints.String(), "superfluous") {
		t.Errorf("the server says %q, want a word on the second status", complaints.String())
	}
}

func TestAccessLogNamesTheRouteAndNothingPersonal(t *testing.T) {
	t.Parallel()
	mux := muxWith("GET /v1/jobs/{id}", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "hello")
	})
	for _, tc := range []struct {
		name    string
		handler http.Handler
		path    string
		want    map[string]any
	}{
		{"matched", mux, "/v1/jobs/marie?email=m%40example.org", map[string]any{"route": "/v1/jobs/{id}", "status": 202.0, "bytes": 5.0, "method": "GET"}},
		{"not matched", mux, "/marie", map[string]any{"route": "unmatched", "status": 404.0, "bytes": 19.0, "method": "GET"}},
		{"copied on the way", copying(daemon.Routed(mux)), "/v1/jobs/marie", map[string]any{"route": "/v1/jobs/{id}", "status": 202.0, "bytes": 5.0, "method": "GET"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			log := served(t, tc.handler, tc.path, nil).log
			if len(log) != 1 {
				t.Fatalf("log = %v, want one line", log)
			}
			got := map[string]any{}
			for name := range tc.want {
				got[name] = log[0][name]
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("access line (-want +got):\n%s", diff)
			}
			if _, ok := log[0]["took_ms"].(float64); !ok {
				t.Errorf("no duration in %v", log[0])
			}
			for name, v := range log[0] {
				if s, ok := v.(string); ok && strings.Contains(s, "marie") {
					t.Errorf("field %s shows the path: %q", name, s)
				}
			}
		})
	}
}

type otherKey struct{}

func copying(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), otherKey{}, 1)))
	})
}

func TestPanicBecomesAProblem(t *testing.T) {
	t.Parallel()
	x := served(t, muxWith("/", func(http.ResponseWriter, *http.Request) { panic("marie@example.org") }), "/", nil)
	if x.err != nil || x.status != http.StatusInternalServerError || x.header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("answer = %d %s, %v", x.status, x.header.Get("Content-Type"), x.err)
	}
	problem := map[string]any{}
	if err := json.Unmarshal([]byte(x.body), &problem); err != nil {
		t.Fatal(err)
	}
	if problem["status"] != 500.0 || problem["request_id"] != x.header.Get(daemon.RequestIDHeader) {
		t.Errorf("problem = %v", problem)
	}
	if strings.Contains(x.body, "marie") {
		t.Errorf("the answer tells what was panicked with: %s", x.body)
	}
	if len(x.log) != 2 || x.log[0]["panic"] != "[email]" || x.log[0]["stack"] == nil || x.log[1]["status"] != 500.0 {
		t.Errorf("log = %v, want the panic with its stack and the request", x.log)
	}
}

func TestPanicAfterTheAnswerBeganCutsTheConnection(t *testing.T) {
	t.Parallel()
	x := served(t, muxWith("/", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Errorf("flush: %v", err)
		}
		panic(errors.New("late"))
	}), "/", nil)
	if x.err == nil {
		t.Errorf("the answer looks whole: %d %q", x.status, x.body)
	}
	if len(x.log) == 0 || x.log[0]["message"] != "handler panicked" {
		t.Errorf("log = %v", x.log)
	}
}

func TestSecurityHeadersCanBeOverridden(t *testing.T) {
	t.Parallel()
	x := served(t, muxWith("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
	}), "/", nil)
	want := map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
		"Content-Security-Policy": "default-src 'self'",
	}
	for name, value := range want {
		if got := x.header.Get(name); got != value {
			t.Errorf("%s = %q, want %q", name, got, value)
		}
	}
}

func TestHealthIsQuietInTheAccessLog(t *testing.T) {
	t.Parallel()
	log := served(t, muxWith("/readyz", func(http.ResponseWriter, *http.Request) {}), "/readyz", nil).log
	if len(log) != 1 || log[0]["level"] != "debug" {
		t.Errorf("log = %v, want one line of level debug", log)
	}
}

func TestMetricsCountByRoute(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	h := daemon.Middleware(zerolog.Nop(), reg)(muxWith("GET /v1/jobs/{id}", func(http.ResponseWriter, *http.Request) {}))
	for _, path := range []string{"/v1/jobs/1", "/v1/jobs/2", "/elsewhere"} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		if family.GetName() != "http_requests_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			got[strings.Join(labels, " ")] = m.GetCounter().GetValue()
		}
	}
	want := map[string]float64{"GET /v1/jobs/{id} 200": 2, "GET unmatched 404": 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}
