package daemon_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/zakibelm/astrogrowth/internal/daemon"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

// running is a server under test.
type running struct {
	url  string
	stop context.CancelFunc
	err  chan error
}

func start(t *testing.T, s daemon.Server) running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	addr := make(chan net.Addr, 1)
	s.Addr, s.Ready = "127.0.0.1:0", func(a net.Addr) { addr <- a }
	r := running{stop: cancel, err: make(chan error, 1)}
	go func() { r.err <- daemon.Serve(ctx, s) }()
	select {
	case a := <-addr:
		r.url = "http://" + a.String()
	case err := <-r.err:
		t.Fatalf("Serve: %v", err)
	}
	return r
}

func get(t *testing.T, url string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func TestServeLetsRequestsFinish(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	health := daemon.NewHealth("enqueuer", "test", zerolog.Nop())
	srv := start(t, daemon.Server{Name: "enqueuer", Health: health, Log: zerolog.Nop(), Handler: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			close(entered)
			<-daemon.Draining(r.Context())
			<-release
			if r.Context().Err() != nil {
				t.Error("the request was canceled by the drain")
			}
			_, _ = io.WriteString(w, "finished")
		})})
	answer := make(chan string, 1)
	go func() {
		body, err := get(t, srv.url)
		if err != nil {
			body = err.Error()
		}
		answer <- body
	}()
	<-entered
	srv.stop()
	release <- struct{}{}
	if got := <-answer; got != "finished" {
		t.Errorf("answer = %q, want finished", got)
	}
	if err := <-srv.err; err != nil {
		t.Errorf("Serve = %v, want nil", err)
	}
	if got := health.Ready(t.Context()).Status; got != "stopping" {
		t.Errorf("status = %q, want stopping", got)
	}
	if _, err := get(t, srv.url); err == nil {
		t.Error("the server still answers")
	}
}

func TestServeCutsOffWhatTakesTooLong(t *testing.T) {
	t.Parallel()
	entered, ended := make(chan struct{}), make(chan struct{})
	srv := start(t, daemon.Server{Name: "worker", Log: zerolog.Nop(), DrainTimeout: 20 * time.Millisecond, Handler: http.HandlerFunc(
		func(_ http.ResponseWriter, r *http.Request) {
			defer close(ended)
			close(entered)
			<-r.Context().Done()
		})})
	failed := make(chan error, 1)
	go func() {
		_, err := get(t, srv.url)
		failed <- err
	}()
	<-entered
	srv.stop()
	if err := <-srv.err; err != nil {
		t.Errorf("Serve = %v, want nil", err)
	}
	if err := <-failed; err == nil {
		t.Error("the request was not cut off")
	}
	<-ended
}

func TestServeNamesTheVariableOfATakenPort(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	for _, tc := range []struct{ name, addr, want string }{
		{"in use", l.Addr().String(), "monitor: " + l.Addr().String() + " is in use by another program; stop it or set MONITOR_PORT to a free port"},
		{"not ours", "192.0.2.1:80", "monitor: 192.0.2.1:80 is no address of this machine; set BIND_ADDR to one that is"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := daemon.Serve(t.Context(), daemon.Server{Addr: tc.addr, Name: "monitor", Variable: "MONITOR_PORT", Log: zerolog.Nop()})
			if err == nil || err.Error() != tc.want {
				t.Errorf("Serve = %v, want %s", err, tc.want)
			}
		})
	}
}

func TestServeTakesBodies(t *testing.T) {
	t.Parallel()
	srv := start(t, daemon.Server{Name: "enqueuer", Log: zerolog.Nop(), Handler: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(w, r.Body); err != nil {
				t.Errorf("read body: %v", err)
			}
		})})
	want := strings.Repeat("lead ", 20000)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.url, strings.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || string(got) != want {
		t.Errorf("body of %d bytes came back as %d, %v", len(want), len(got), err)
	}
	srv.stop()
	if err := <-srv.err; err != nil {
		t.Errorf("Serve = %v, want nil", err)
	}
}

func TestDrainingOfNoServerNeverCloses(t *testing.T) {
	t.Parallel()
	if ch := daemon.Draining(t.Context()); ch != nil {
		t.Error("Draining of a plain context is not nil")
	}
}

func TestSignalsEndTheContext(t *testing.T) {
	ctx, stop := daemon.Signals(t.Context())
	defer stop()
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ctx.Done():
	case <-time.After(5 * time.Second):
		t.Error("the context did not end at SIGTERM")
	}
}
