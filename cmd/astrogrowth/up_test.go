package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/zakibelm/astrogrowth/internal/config"
)

// ourWorker is a worker that lives and has no Redis.
func ourWorker(t *testing.T) (address string, port int) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"status":"alive","program":"worker","version":"v1"}`)
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"status":"failing","program":"worker","checks":{"redis":{"ok":false,"error":"unavailable"}}}`)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	port, err := strconv.Atoi(portOf(t, server.URL))
	if err != nil {
		t.Fatal(err)
	}
	return server.URL, port
}

func TestUpSaysWhatKeepsAProgramFromBeingReady(t *testing.T) {
	t.Parallel()
	address, _ := ourWorker(t)
	s := &stack{cfg: config.Config{RedisURL: config.NewSecret("redis://:hunter2@h")}}
	err := s.unready(program{name: "worker"}, address+"/readyz")
	wantContains(t, "error", err.Error(), "redis unavailable", "check REDIS_URL")
	if strings.Contains(err.Error(), "hunter2") {
		t.Error("a password is printed")
	}
}

func TestUpSaysThatAstroGrowthRunsAlready(t *testing.T) {
	t.Parallel()
	_, port := ourWorker(t)
	free := func() int {
		n, err := strconv.Atoi(portOf(t, deadAddress(t)))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	s := &stack{cfg: config.Config{BindAddr: "127.0.0.1", Port: free(), MonitorPort: free(), WorkerPort: port, Simulator: "off"}}
	err := s.portsFree(t.Context())
	if err == nil {
		t.Fatal("the port is taken for free")
	}
	wantContains(t, "error", err.Error(), "AstroGrowth runs here already: its worker", "WORKER_PORT")
}

func TestUpNamesDataDir(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		_, err := (&stack{cfg: config.Config{DataDir: dir}}).lock()
		if err == nil || !strings.HasPrefix(err.Error(), "DATA_DIR: ") {
			t.Errorf("%s: %v", dir, err)
		}
	}
}
