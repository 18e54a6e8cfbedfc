package devstack

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// Redis is a running Redis that is ours, or the stand-in for it.
type Redis struct {
	srv *server // nil with the stand-in
	bin redisBin
	in  *standIn // nil with a real server
}

// StartRedis starts the Redis of cfg.DataDir and returns when it answers and has read back what it had. Where there is
// no Redis it starts a stand-in in this process, which forgets everything at the end, and says so aloud. ctx bounds the
// start only.
func StartRedis(ctx context.Context, cfg Config) (*Redis, error) {
	cfg = cfg.withDefaults()
	bin, err := cfg.findRedis(ctx)
	if errors.Is(err, errNotInstalled) {
		return startStandIn(cfg)
	}
	if err != nil {
		return nil, err
	}
	s, err := newServer(cfg, "redis", "redis.sock", "redis", "nobody")
	if err != nil {
		return nil, err
	}
	found := trace{
		programs: []string{"redis-server", "valkey-server", "redis-check-rdb"},
		dir:      s.place.data, pidFile: filepath.Join(s.place.data, "redis.pid"),
		titles: []string{"unixsocket:" + s.place.socket + " ", "--unixsocket " + s.place.socket + " "},
	}
	s.find = func() []int { return residents(found) }
	s.steps = []step{{syscall.SIGTERM, 10 * time.Second}, {syscall.SIGKILL, 5 * time.Second}}
	r := &Redis{srv: s, bin: bin}
	if err := r.start(ctx); err != nil {
		s.abandon(ctx)
		return nil, err
	}
	return r, nil
}

func (r *Redis) start(ctx context.Context) error {
	s, begin := r.srv, time.Now()
	if err := s.prepare(ctx); err != nil {
		return err
	}
	if err := s.place.own(s.place.data); err != nil {
		return err
	}
	if err := os.Remove(s.place.socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove stale socket of redis: %w", err)
	}
	if err := s.launch(command{path: r.bin.path, args: r.args(), death: syscall.SIGTERM}); err != nil {
		return err
	}
	if err := s.await(ctx, r.answers); err != nil {
		return err
	}
	s.cfg.say("redis: %s is ready (%s)", r.bin.version, time.Since(begin).Round(10*time.Millisecond))
	s.cfg.Log.Info().Str("server", s.name).Str("version", r.bin.version).Str("data", s.place.data).Dur("took", time.Since(begin)).Msg("server ready")
	return nil
}

// args ask for a Redis that keeps a queue: every write goes to the append-only file, and a full memory refuses writes
// where it would otherwise drop jobs.
func (r *Redis) args() []string {
	at := r.srv.place
	return []string{
		r.bin.name,
		"--port", "0", "--unixsocket", at.socket, "--unixsocketperm", "700",
		"--dir", at.data, "--pidfile", filepath.Join(at.data, "redis.pid"),
		"--save", "", "--appendonly", "yes", "--appendfsync", "everysec",
		"--maxmemory-policy", "noeviction", "--databases", strconv.Itoa(r.srv.cfg.RedisDatabases),
		"--daemonize", "no",
	}
}

// answers sends a PING.
func (r *Redis) answers(ctx context.Context) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", r.srv.place.socket)
	if errors.Is(err, fs.ErrPermission) {
		return silent, fmt.Errorf("connect to redis: %w", err)
	}
	if err != nil {
		return silent, nil // nobody listens yet
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	if _, err = conn.Write([]byte("PING\r\n")); err != nil {
		return silent, nil
	}
	reply, err := bufio.NewReader(conn).ReadString('\n')
	switch {
	case err != nil:
		return silent, nil
	case strings.HasPrefix(reply, "-LOADING"):
		return busy, nil
	case strings.HasPrefix(reply, "+PONG"):
		return ready, nil
	}
	return silent, growth.Errorf(growth.Unavailable, "devstack", "redis answers %q", strings.TrimSpace(reply))
}

// URL is the address of the server, as go-redis reads it. The stand-in's holds a password.
func (r *Redis) URL() string {
	if r.in != nil {
		return r.in.url()
	}
	u := url.URL{Scheme: "unix", Path: r.srv.place.socket, RawQuery: "db=0"}
	return u.String()
}

// InProcess says whether this is the stand-in, which loses the queue when the process ends.
func (r *Redis) InProcess() bool { return r.in != nil }

// Version is the server's version, as "7.0.15"; empty with the stand-in.
func (r *Redis) Version() string { return r.bin.version }

// Done is closed when the server ended without Stop.
func (r *Redis) Done() <-chan struct{} {
	if r.in != nil {
		return r.in.died
	}
	return r.srv.died
}

// Stop ends the server after it has written what it holds. When ctx ends first it is stopped harder, but never left
// behind. A second Stop returns what the first did.
func (r *Redis) Stop(ctx context.Context) error {
	if r.in != nil {
		r.in.stop()
		return nil
	}
	return r.srv.stop(ctx)
}
