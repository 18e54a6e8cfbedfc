package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
)

const defaultCheckTimeout = 2 * time.Second

// Health answers for a program: whether it lives, whether it can work, and its metrics.
type Health struct {
	program, version string
	log              zerolog.Logger
	registry         *prometheus.Registry
	stopping         atomic.Bool

	mu     sync.Mutex
	checks []*check
}

// check is one thing that the program needs. running keeps a check that hangs from piling up.
type check struct {
	name    string
	timeout time.Duration
	probe   func(context.Context) error
	running chan struct{}
	failing atomic.Bool
}

// Finding is the outcome of one check. Error is a word, never a text: texts of drivers hold addresses and passwords.
type Finding struct {
	OK    bool   `json:"ok"`
	MS    int64  `json:"ms"`
	Error string `json:"error,omitempty"`
}

// Readiness is what /readyz answers.
type Readiness struct {
	Status  string             `json:"status"` // ready, failing or stopping
	Program string             `json:"program"`
	Version string             `json:"version"`
	Checks  map[string]Finding `json:"checks"`
}

// NewHealth returns the health of a program that has nothing to check yet.
func NewHealth(program, version string, log zerolog.Logger) *Health {
	h := &Health{program: program, version: version, log: log, registry: prometheus.NewRegistry()}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "astrogrowth_build_info", Help: "Always 1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"program": program, "version": version},
	})
	build.Set(1)
	h.registry.MustRegister(build, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return h
}

// Registry takes the program's metrics; there is no global one.
func (h *Health) Registry() *prometheus.Registry { return h.registry }

// Check adds something that must work before the program is ready. The probe gets a context with the timeout; 0 means
// 2 seconds.
func (h *Health) Check(name string, timeout time.Duration, probe func(context.Context) error) {
	if timeout <= 0 {
		timeout = defaultCheckTimeout
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checks = append(h.checks, &check{name: name, timeout: timeout, probe: probe, running: make(chan struct{}, 1)})
}

// Stopping makes the program not ready, so that nobody sends it work any more.
func (h *Health) Stopping() { h.stopping.Store(true) }

// Mount adds /healthz, /readyz and /metrics to mux.
func (h *Health) Mount(mux *http.ServeMux) {
	mux.HandleFunc("GET /healthz", h.serveAlive)
	mux.HandleFunc("GET /readyz", h.serveReady)
	mux.Handle("GET /metrics", promhttp.HandlerFor(h.registry, promhttp.HandlerOpts{Registry: h.registry}))
}

// Ready runs every check at the same time and waits for them no longer than they may take.
func (h *Health) Ready(ctx context.Context) Readiness {
	h.mu.Lock()
	checks := slices.Clip(h.checks)
	h.mu.Unlock()

	findings := make([]Finding, len(checks))
	var wg sync.WaitGroup
	for i, c := range checks {
		wg.Go(func() { findings[i] = h.run(ctx, c) })
	}
	wg.Wait()

	r := Readiness{Status: "ready", Program: h.program, Version: h.version, Checks: map[string]Finding{}}
	for i, c := range checks {
		r.Checks[c.name] = findings[i]
		if !findings[i].OK {
			r.Status = "failing"
		}
	}
	if h.stopping.Load() {
		r.Status = "stopping"
	}
	return r
}

// run does one check in a goroutine of its own, because a probe may not heed its context.
func (h *Health) run(ctx context.Context, c *check) Finding {
	select {
	case c.running <- struct{}{}:
	default:
		return Finding{Error: "hangs"}
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	start := time.Now()
	done := make(chan error, 1)
	go func() {
		defer cancel()
		defer func() { <-c.running }()
		done <- c.probe(ctx)
	}()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	h.note(c, err)
	return Finding{OK: err == nil, MS: time.Since(start).Milliseconds(), Error: word(err)}
}

// note logs the changes only: whoever asks every second must not fill the log.
func (h *Health) note(c *check, err error) {
	if errors.Is(err, context.Canceled) || c.failing.Swap(err != nil) == (err != nil) {
		return
	}
	if err != nil {
		h.log.Warn().Str("check", c.name).Err(err).Msg("check fails")
		return
	}
	h.log.Info().Str("check", c.name).Msg("check is well again")
}

// word says what is wrong without quoting anybody.
func word(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, context.DeadlineExceeded):
		return "timed out"
	}
	if e, ok := errors.AsType[*growth.Error](err); ok {
		return e.Code.String()
	}
	return growth.Unavailable.String()
}

func (h *Health) serveAlive(w http.ResponseWriter, _ *http.Request) {
	writeHealth(w, http.StatusOK, map[string]string{"status": "alive", "program": h.program, "version": h.version})
}

func (h *Health) serveReady(w http.ResponseWriter, r *http.Request) {
	state := h.Ready(r.Context())
	status := http.StatusOK
	if state.Status != "ready" {
		status = http.StatusServiceUnavailable
	}
	writeHealth(w, status, state)
}

func writeHealth(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the caller may have left
}
