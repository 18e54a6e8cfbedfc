// Package daemon is what every program stands on: its logger, its reports to Sentry, its signals, its HTTP server with
// the middleware around every handler, and its health. It refuses to know what the program does: no job, no provider,
// no store; and it reads no environment.
package daemon

import (
	"context"
	"os/signal"
	"syscall"
)

// Signals returns a context that ends at the first SIGINT or SIGTERM. The second one ends the process at once, for the
// operator who does not want to wait. stop gives the signals back.
func Signals(ctx context.Context) (_ context.Context, stop context.CancelFunc) {
	ctx, cancel := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	release := context.AfterFunc(ctx, cancel)
	return ctx, func() {
		release()
		cancel()
	}
}
