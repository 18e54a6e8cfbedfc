package daemon

import (
	"context"
	"net/http"

	growth "github.com/zakibelm/astrogrowth"
)

// RequestIDHeader carries the request's id in and out, and on to the providers.
const RequestIDHeader = "X-Request-Id"

type requestIDKey struct{}

// WithRequestID returns a context that carries id, so that the queue and the calls of a job can name the request that
// caused them.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID returns the id that ctx carries, empty when it carries none.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// requestIDOf believes the caller's id when it cannot harm a log, and makes one otherwise.
func requestIDOf(r *http.Request) string {
	if id := r.Header.Get(RequestIDHeader); sane(id) {
		return id
	}
	return growth.NewID()
}

func sane(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for _, c := range []byte(id) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}
