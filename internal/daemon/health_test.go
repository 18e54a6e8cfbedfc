package daemon_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/daemon"
)

func ask(t *testing.T, h *daemon.Health, path string) (int, string) {
	t.Helper()
	mux := http.NewServeMux()
	h.Mount(mux)
	rec := httptest.NewRecorder()
	mux.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return rec.Code, rec.Body.String()
}

func TestReadyNamesEachCheckAndNoSecret(t *testing.T) {
	t.Parallel()
	h := daemon.NewHealth("worker", "1.2.3", zerolog.Nop())
	h.Check("postgres", 0, func(context.Context) error { return nil })
	h.Check("redis", 0, func(context.Context) error { return errors.New("dial redis://:hunter2@h: refused") })
	h.Check("provider", 0, func(context.Context) error { return growth.Errorf(growth.KeyRejected, "x", "no") })
	status, body := ask(t, h, "/readyz")
	if status != http.StatusServiceUnavailable {
		t.Errorf("status = %d, want 503", status)
	}
	var got daemon.Readiness
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	want := daemon.Readiness{Status: "failing", Program: "worker", Version: "1.2.3", Checks: map[string]daemon.Finding{
		"postgres": {OK: true}, "redis": {Error: "unavailable"}, "provider": {Error: "key_rejected"},
	}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(daemon.Finding{}, "MS")); diff != "" {
		t.Errorf("readiness (-want +got):\n%s", diff)
	}
	if strings.Contains(body, "hunter2") {
		t.Errorf("the answer quotes the driver: %s", body)
	}
}

func TestReadyWhenAllIsWellAndAliveWhenNot(t *testing.T) {
	t.Parallel()
	h := daemon.NewHealth("worker", "1.2.3", zerolog.Nop())
	h.Check("postgres", 0, func(context.Context) error { return nil })
	if status, body := ask(t, h, "/readyz"); status != http.StatusOK || !strings.Contains(body, `"status":"ready"`) {
		t.Errorf("readyz = %d %s", status, body)
	}
	h.Stopping()
	if status, body := ask(t, h, "/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "stopping") {
		t.Errorf("readyz while stopping = %d %s", status, body)
	}
	if status, body := ask(t, h, "/healthz"); status != http.StatusOK || !strings.Contains(body, "alive") {
		t.Errorf("healthz while stopping = %d %s", status, body)
	}
}

func TestCheckThatHangsIsCutOffAndNotPiledUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := daemon.NewHealth("worker", "1", zerolog.Nop())
		release := make(chan struct{})
		runs := 0
		h.Check("slow", time.Second, func(context.Context) error { // it does not heed its context
			runs++
			<-release
			return nil
		})
		begin := time.Now()
		if got := h.Ready(t.Context()).Checks["slow"]; got.OK || got.Error != "timed out" {
			t.Errorf("first = %+v, want timed out", got)
		}
		if took := time.Since(begin); took != time.Second {
			t.Errorf("took %v, want the check's second", took)
		}
		if got := h.Ready(t.Context()).Checks["slow"]; got.OK || got.Error != "hangs" {
			t.Errorf("second = %+v, want hangs", got)
		}
		close(release)
		synctest.Wait()
		if got := h.Ready(t.Context()).Checks["slow"]; !got.OK {
			t.Errorf("after the release = %+v, want ok", got)
		}
		if runs != 2 {
			t.Errorf("the probe ran %d times, want 2", runs)
		}
	})
}

func TestChangesOfAChecksStateAreLoggedOnce(t *testing.T) {
	t.Parallel()
	var out safeBuffer
	h := daemon.NewHealth("worker", "1", zerolog.New(&out))
	fault := errors.New("down")
	h.Check("redis", 0, func(context.Context) error { return fault })
	h.Ready(t.Context())
	h.Ready(t.Context())
	fault = nil
	h.Ready(t.Context())
	if diff := cmp.Diff([]string{"check fails", "check is well again"}, messages(t, out.String())); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestMetricsPage(t *testing.T) {
	t.Parallel()
	status, body := ask(t, daemon.NewHealth("worker", "1.2.3", zerolog.Nop()), "/metrics")
	for _, part := range []string{`astrogrowth_build_info{program="worker",version="1.2.3"} 1`, "go_goroutines ", "process_cpu_seconds_total "} {
		if status != http.StatusOK || !strings.Contains(body, part) {
			t.Errorf("metrics (%d) lack %q", status, part)
		}
	}
}
