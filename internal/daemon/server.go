package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/rs/zerolog"
)

const (
	defaultDrain   = 15 * time.Second
	headerTimeout  = 10 * time.Second
	bodyTimeout    = 2 * time.Minute
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 64 << 10
)

// Server says what to serve and where.
type Server struct {
	Addr         string
	Handler      http.Handler
	Log          zerolog.Logger
	Name         string         // the program's name, for log and errors
	Variable     string         // the variable that sets the port, as PORT; for the error when the port is taken
	DrainTimeout time.Duration  // how long requests may take to end; default 15 s
	Health       *Health        // told when the server stops taking work; may be nil
	Ready        func(net.Addr) // called once, when connections are accepted; may be nil
}

type drainKey struct{}

// Draining returns a channel that closes when the server that serves ctx's request begins to stop. Handlers that hold
// requests open end them then. It is nil, which never closes, for a context of no server.
func Draining(ctx context.Context) <-chan struct{} {
	ch, _ := ctx.Value(drainKey{}).(<-chan struct{})
	return ch
}

// Serve serves until ctx ends; then it stops listening, lets the requests in flight finish, and returns nil. What is
// still open after DrainTimeout is cut off and logged.
func Serve(ctx context.Context, s Server) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.Addr)
	if err != nil {
		return s.listenError(err)
	}
	srv := s.server(ctx)
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(listener) }()
	s.Log.Info().Str("server", s.Name).Str("addr", listener.Addr().String()).Msg("listening")
	if s.Ready != nil {
		s.Ready(listener.Addr())
	}
	select {
	case err := <-ended:
		return fmt.Errorf("%s: serve: %w", s.Name, err)
	case <-ctx.Done():
	}
	s.drain(ctx, srv)
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("%s: serve: %w", s.Name, err)
	}
	return nil
}

func (s Server) server(ctx context.Context) *http.Server {
	// Requests outlive ctx: they get their time to finish, and learn from Draining that it has begun.
	base := context.WithValue(context.WithoutCancel(ctx), drainKey{}, ctx.Done())
	return &http.Server{
		Handler:           bounded(s.Handler),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          stdlog.New(serverLog{s.Log, s.Name}, "", 0),
	}
}

// serverLog takes what net/http has to say about connections.
type serverLog struct {
	log  zerolog.Logger
	name string
}

// Write logs one line.
func (l serverLog) Write(p []byte) (int, error) {
	l.log.Warn().Str("server", l.name).Str("detail", strings.TrimSpace(string(p))).Msg("connection fault")
	return len(p), nil
}

func (s Server) drain(ctx context.Context, srv *http.Server) {
	if s.Health != nil {
		s.Health.Stopping()
	}
	limit := s.DrainTimeout
	if limit <= 0 {
		limit = defaultDrain
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		s.Log.Warn().Str("server", s.Name).Dur("after_ms", limit).Msg("requests cut off at shutdown")
		_ = srv.Close() // it reports what is being closed anyway
		return
	}
	s.Log.Info().Str("server", s.Name).Msg("stopped")
}

// listenError tells the operator which variable to change.
func (s Server) listenError(err error) error {
	variable := s.Variable
	if variable == "" {
		variable = "the port"
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s: %s is in use by another program; stop it or set %s to a free port", s.Name, s.Addr, variable)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s: no permission to listen on %s; set %s to a port above 1023", s.Name, s.Addr, variable)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s: %s is no address of this machine; set BIND_ADDR to one that is", s.Name, s.Addr)
	}
	return fmt.Errorf("%s: %w", s.Name, err)
}

// bounded gives a body a time in which it must have arrived. The server's own ReadTimeout will not do: it would also
// end requests that are held open, as event streams are. A handler may set a deadline of its own, which then holds.
func bounded(next http.Handler) http.Handler { return boundedBy(bodyTimeout, next) }

func boundedBy(limit time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil && r.Body != http.NoBody {
			control := http.NewResponseController(w)
			_ = control.SetReadDeadline(time.Now().Add(limit)) // a connection without deadlines has none to set
			// A copy: the server looks into its own request's body to find out whether it was read to its end, and closes
			// the connection when it was not. Behind a wrapper it would take the rest for the next request.
			body := &timedBody{ReadCloser: r.Body, control: control, answer: w.Header()}
			r = r.WithContext(r.Context())
			r.Body = body
		}
		next.ServeHTTP(w, r)
	})
}

// timedBody lifts the connection's deadline once the body is there. Where the body ends in any other way the deadline
// stays: before it answers, the server reads what is left, and would wait for a caller who has stopped sending.
type timedBody struct {
	io.ReadCloser

	control *http.ResponseController
	answer  http.Header
}

// Read reads on.
func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch {
	case errors.Is(err, io.EOF):
		_ = b.control.SetReadDeadline(time.Time{})
	case err != nil:
		b.answer.Set("Connection", "close")
	}
	return n, err
}
