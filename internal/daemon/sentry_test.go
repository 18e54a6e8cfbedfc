package daemon_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/getsentry/sentry-go"
	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/daemon"
)

// fakeSentry keeps what is sent to it. The library's hub is global, so these tests do not run in parallel.
func fakeSentry(t *testing.T) (sent func() string) {
	t.Helper()
	var got safeBuffer
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(&got, r.Body); err != nil {
			t.Errorf("read envelope: %v", err)
		}
	}))
	dsn := strings.Replace(srv.URL, "http://", "http://public@", 1) + "/42"
	flush, err := daemon.Sentry(dsn, "test", "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if client := sentry.CurrentHub().Client(); client.IsEnabled() {
			client.Close()
		}
		sentry.CurrentHub().BindClient(nil)
		srv.Close()
	})
	return func() string {
		flush()
		return got.String()
	}
}

func TestSentryGetsErrorsWithoutPersonalData(t *testing.T) {
	sent := fakeSentry(t)
	ctx := daemon.WithRequestID(t.Context(), "req-1")
	daemon.CaptureError(ctx, &growth.Error{
		Code: growth.Unavailable, Op: "store.SaveLead", Err: fmt.Errorf("insert marie@example.org at postgres://u:hunter2@h/d"),
	})
	daemon.CaptureError(ctx, growth.Errorf(growth.Canceled, "left-early", "gone"))
	got := sent()
	for _, part := range []string{"store.SaveLead", `"request_id":"req-1"`, `"code":"unavailable"`, `"release":"1.2.3"`, `"environment":"test"`} {
		if !strings.Contains(got, part) {
			t.Errorf("the report lacks %s:\n%s", part, got)
		}
	}
	for _, part := range []string{"marie", "hunter2", "left-early"} {
		if strings.Contains(got, part) {
			t.Errorf("the report holds %s:\n%s", part, got)
		}
	}
}

func TestSentryHearsOfWrongAnswersByTheirIDs(t *testing.T) {
	sent := fakeSentry(t)
	daemon.CaptureFeedback(daemon.WithRequestID(t.Context(), "req-2"), map[string]string{"call_id": "c-7", "job_id": ""})
	got := sent()
	for _, part := range []string{"an answer was called wrong", `"call_id":"c-7"`, `"request_id":"req-2"`, `"level":"warning"`} {
		if !strings.Contains(got, part) {
			t.Errorf("the report lacks %s:\n%s", part, got)
		}
	}
	if strings.Contains(got, "job_id") {
		t.Errorf("an empty id is told:\n%s", got)
	}
}

func TestSentryGetsPanicsWithoutTheRequestsData(t *testing.T) {
	sent := fakeSentry(t)
	mux := muxWith("POST /v1/leads/{id}", func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			t.Errorf("read body: %v", err)
		}
		panic("unexpected 514-555-0199")
	})
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/leads/7?token=hunter2", bytes.NewBufferString(`{"name":"marie"}`))
	req.Header.Set("Authorization", "Bearer hunter2")
	req.Header.Set("Cookie", "session=hunter2")
	req.Header.Set("X-Forwarded-For", "203.0.113.9")
	rec := httptest.NewRecorder()
	daemon.Middleware(zerolog.Nop(), nil)(mux).ServeHTTP(rec, req)
	if rec.Code != http.StatusInternalServerError {
		t.Errorf("status = %d, want 500", rec.Code)
	}
	got := sent()
	for _, part := range []string{"unexpected [phone]", "/v1/leads/7", rec.Header().Get(daemon.RequestIDHeader)} {
		if !strings.Contains(got, part) {
			t.Errorf("the report lacks %q:\n%s", part, got)
		}
	}
	for _, part := range []string{"hunter2", "marie", "514-555", "203.0.113.9", "192.0.2.1"} {
		if strings.Contains(got, part) {
			t.Errorf("the report holds %s:\n%s", part, got)
		}
	}
	if n := strings.Count(got, `"type":"event"`); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}

func TestSentryWithoutADSNIsOff(t *testing.T) {
	flush, err := daemon.Sentry("", "test", "1")
	if err != nil {
		t.Fatal(err)
	}
	daemon.CaptureError(context.Background(), io.ErrUnexpectedEOF)
	daemon.CapturePanic(context.Background(), "x")
	flush()
	traced := false
	mux := muxWith("GET /", func(_ http.ResponseWriter, r *http.Request) {
		traced = sentry.TransactionFromContext(r.Context()) != nil
	})
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	daemon.Middleware(zerolog.Nop(), nil)(mux).ServeHTTP(httptest.NewRecorder(), req)
	if traced {
		t.Error("a request goes through Sentry although there is none")
	}
}

func TestSentryRefusesABadDSNWithoutQuotingIt(t *testing.T) {
	_, err := daemon.Sentry("https://hunter2@", "test", "1")
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("err = %v, want one that does not quote the DSN", err)
	}
}
