package devstack

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// server is a child that is watched: what Postgres and Redis have in common.
type server struct {
	name     string
	cfg      Config
	place    place
	proc     *process
	log      *serverLog
	release  func()       // gives the directory free
	find     func() []int // the processes of the server, helpers included
	steps    []step       // how it is stopped
	stopping atomic.Bool
	died     chan struct{} // closed when it ended without being asked to
	watched  chan struct{} // closed when its end has been dealt with
	stopOnce sync.Once
	stopErr  error
}

// newServer finds the server's place and takes the locks on it: one on the data, one on the socket, which may have a
// directory of its own.
func newServer(cfg Config, name, socket string, accounts ...string) (*server, error) {
	p, err := newPlace(cfg, name, socket, accounts...)
	if err != nil {
		return nil, err
	}
	data, err := lockFile(filepath.Join(p.base, "."+name+".lock"), p.data)
	if err != nil {
		return nil, err
	}
	sockets, err := lockFile(p.sockets+".lock", p.sockets)
	if err != nil {
		data()
		return nil, err
	}
	return &server{name: name, cfg: cfg, place: p, release: func() { sockets(); data() }}, nil
}

// prepare sees to it that no server of an earlier run is left, and opens the log for the new one.
func (s *server) prepare(ctx context.Context) error {
	err := evict(ctx, s.cfg, s.name, s.find, s.steps)
	if err != nil {
		return err
	}
	s.log, err = openServerLog(s.place.log)
	return err
}

// abandon undoes a start that came to nothing.
func (s *server) abandon(ctx context.Context) {
	if s.proc != nil {
		if err := s.stop(context.WithoutCancel(ctx)); err != nil {
			s.cfg.Log.Error().Str("server", s.name).Err(err).Msg("server that did not start does not end")
		}
		return
	}
	if s.log != nil {
		s.log.close()
	}
	s.release()
}

// launch starts the child and watches it.
func (s *server) launch(c command) error {
	c.log = s.log.file
	c.as = s.place.as
	proc, err := c.start()
	if err != nil {
		return err
	}
	s.proc = proc
	s.died, s.watched = make(chan struct{}), make(chan struct{})
	go s.watch()
	return nil
}

func (s *server) watch() {
	defer close(s.watched)
	<-s.proc.exited
	if s.stopping.Load() {
		return
	}
	s.cfg.Log.Error().Str("server", s.name).Int("pid", s.proc.cmd.Process.Pid).Str("outcome", s.proc.outcome()).Msg("server died")
	close(s.died)
}

// answer is what a server that was started says about itself.
type answer int

const (
	silent answer = iota // nobody listens
	busy                 // it is reading its data back
	ready
)

// patience is how long a server that runs may stay silent. One that is busy may take as long as its data asks for.
const patience = time.Minute

// await asks every few milliseconds until the server is ready, it ends, it stays silent for too long, or ctx ends.
func (s *server) await(ctx context.Context, ask func(context.Context) (answer, error)) error {
	begin := time.Now()
	tick := time.NewTicker(15 * time.Millisecond)
	defer tick.Stop()
	news := time.NewTicker(5 * time.Second)
	defer news.Stop()
	lost := time.NewTimer(patience)
	defer lost.Stop()
	for {
		got, err := ask(ctx)
		if err != nil {
			return s.startError(err)
		}
		switch got {
		case ready:
			return nil
		case busy:
			lost.Reset(patience)
		case silent:
		}
		select {
		case <-ctx.Done():
			return s.startError(context.Cause(ctx))
		case <-s.proc.exited:
			return s.startError(errors.New(s.proc.outcome()))
		case <-lost.C:
			return s.startError(fmt.Errorf("it runs and does not listen on %s", s.place.socket))
		case <-news.C:
			s.cfg.say("%s: not ready yet (%d s)", s.name, int(time.Since(begin).Seconds()))
		case <-tick.C:
		}
	}
}

// startError adds what the server itself said about a start that came to nothing.
func (s *server) startError(err error) error {
	said := s.log.tail(12)
	if said == "" {
		said = "nothing"
	}
	return &growth.Error{
		Code: growth.Unavailable, Op: "devstack", Message: s.name + " did not start",
		Err: fmt.Errorf("%w; its log %s ends with:\n%s", err, s.place.log, said),
	}
}

// stop ends the child and, should it have left any, its helpers; then it gives the directory free.
func (s *server) stop(ctx context.Context) error {
	s.stopOnce.Do(func() {
		s.stopping.Store(true)
		s.stopErr = s.end(ctx)
		s.log.close()
		s.release()
	})
	return s.stopErr
}

func (s *server) end(ctx context.Context) error {
	select {
	case <-s.proc.exited: // it died earlier; that is told by died
	default:
		signal, err := s.proc.stop(ctx, s.steps)
		if err != nil {
			return fmt.Errorf("stop %s: %w", s.name, err)
		}
		if signal == syscall.SIGKILL {
			s.cfg.Log.Warn().Str("server", s.name).Msg("server had to be killed")
		}
	}
	<-s.watched
	// A Postgres that was killed leaves helpers that find out for themselves. The directory is not free before.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hurried)
	defer cancel()
	left, _ := untilGone(ctx, s.find, hurried)
	for _, pid := range left {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	return nil
}
