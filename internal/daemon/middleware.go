package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/getsentry/sentry-go"
	sentryhttp "github.com/getsentry/sentry-go/http"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// unmatched stands for the path of a request that no route took: a path from outside is neither logged nor made a
// label, because it may hold anything.
const unmatched = "unmatched"

// Middleware returns what goes around every handler of a program, from the outside in: request id, Sentry's
// transaction, access log and metrics, recovery from panics, security headers. The request's logger is zerolog.Ctx of
// its context. A nil reg counts nothing.
func Middleware(log zerolog.Logger, reg prometheus.Registerer) func(http.Handler) http.Handler {
	seen := newHTTPMetrics(reg)
	return func(next http.Handler) http.Handler {
		return identify(log, traced(record(seen, recovered(headed(next)))))
	}
}

// Routed goes directly around a ServeMux when something between it and Middleware copies requests (as every
// WithContext does); without it the access log could not see which route matched.
func Routed(mux http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(w, r)
		if route, ok := r.Context().Value(routeKey{}).(*string); ok && r.Pattern != "" {
			*route = r.Pattern
		}
	})
}

// identify gives the request its id and its logger.
func identify(log zerolog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := requestIDOf(r)
		w.Header().Set(RequestIDHeader, id)
		ctx := WithRequestID(r.Context(), id)
		ctx = log.With().Str("request_id", id).Logger().WithContext(ctx)
		next.ServeHTTP(w, r.WithContext(withRoute(ctx)))
	})
}

// traced opens a transaction when there is a Sentry to send it to.
func traced(next http.Handler) http.Handler {
	transaction := sentryhttp.New(sentryhttp.Options{Repanic: true}).Handle(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !sentry.CurrentHub().Client().IsEnabled() || quiet(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		transaction.ServeHTTP(w, r)
	})
}

// record writes the access log and the metrics of a request.
func record(seen *httpMetrics, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rw := &response{ResponseWriter: w}
		defer note(seen, rw, r, time.Now())
		next.ServeHTTP(rw, r)
	})
}

func note(seen *httpMetrics, rw *response, r *http.Request, start time.Time) {
	took := time.Since(start)
	route := routeOf(r)
	seen.observe(route, r.Method, rw.code(), took)
	level := zerolog.InfoLevel
	if quiet(r.URL.Path) {
		level = zerolog.DebugLevel
	}
	network := func(e *zerolog.Event) { //nolint:contextcheck // the request carries it
		if n := ClientNetwork(r.Context()); n != "" {
			e.Str("network", n)
		}
	}
	zerolog.Ctx(r.Context()).WithLevel(level).Func(network).Str("method", knownMethod(r.Method)).Str("route", route).
		Int("status", rw.code()).Int64("bytes", rw.bytes).Dur("took_ms", took).Msg("request")
}

// recovered turns a panic into a 500, or cuts the connection when the answer has begun, so that a half answer does not
// look whole.
func recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		defer func() {
			if v := recover(); v != nil {
				answerPanic(ctx, w, v)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

func answerPanic(ctx context.Context, w http.ResponseWriter, v any) {
	if aborted(v) {
		panic(v)
	}
	// What was panicked with may quote a lead, so both reports get it masked.
	zerolog.Ctx(ctx).Error().Str("panic", mask(fmt.Sprint(v))).Str("stack", string(debug.Stack())).Msg("handler panicked")
	CapturePanic(ctx, v)
	if rw, ok := w.(*response); ok && rw.status != 0 {
		panic(http.ErrAbortHandler)
	}
	internalProblem(w, RequestID(ctx))
}

// aborted says whether a panic only means to cut the connection.
func aborted(v any) bool {
	err, ok := v.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}

// headed sets the headers that no page should be without; a handler that needs another value sets it itself.
func headed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "+
			"font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		next.ServeHTTP(w, r)
	})
}

// internalProblem answers as RFC 9457 asks, and says nothing about the fault but where to look it up.
func internalProblem(w http.ResponseWriter, requestID string) {
	body, err := json.Marshal(map[string]any{
		"type": "urn:astrogrowth:problem:internal", "title": "Internal Server Error", "status": http.StatusInternalServerError,
		"detail":  "the fault is on our side and was recorded under the request id",
		"message": "internal error, request " + requestID, "request_id": requestID,
	})
	if err != nil {
		body = []byte(`{"status":500}`)
	}
	h := w.Header()
	h.Del("Content-Encoding")
	h.Del("ETag")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusInternalServerError)
	_, _ = w.Write(body) // the caller may have left
}

// quiet names the paths that machines ask for every few seconds.
func quiet(path string) bool {
	return path == "/healthz" || path == "/readyz" || path == "/metrics"
}

// knownMethod keeps made-up methods out of logs and labels.
func knownMethod(m string) string {
	known := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
	if slices.Contains(known, m) {
		return m
	}
	return "other"
}

// routeOf is the matched pattern without its method.
func routeOf(r *http.Request) string {
	pattern := r.Pattern
	if route, ok := r.Context().Value(routeKey{}).(*string); ok && *route != "" {
		pattern = *route
	}
	if pattern == "" {
		return unmatched
	}
	if _, path, ok := strings.Cut(pattern, " "); ok {
		return path
	}
	return pattern
}
