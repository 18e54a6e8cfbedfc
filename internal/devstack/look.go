package devstack

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Standing is what a server of a data directory does at the moment.
type Standing int

// The standings.
const (
	Down    Standing = iota // nobody listens: it was not started here
	Answers                 // it answers
	Hangs                   // it was started, and says nothing
	Closed                  // only the user who started it may ask
)

// lookTimeout is how long a server that is asked may take. Both answer such a question out of memory.
const lookTimeout = 2 * time.Second

// What a client may ask before it has said who it is, and how each server's answer begins. Postgres is asked whether it
// would speak TLS, for which it must make a process: one that is frozen cannot. Redis loading its data answers with a
// minus, and so lives.
var (
	postgresQuestion = question{ask: "\x00\x00\x00\x08\x04\xd2\x16\x2f", answers: "NSE"}
	redisQuestion    = question{ask: "PING\r\n", answers: "+-"}
)

type question struct{ ask, answers string }

// Look asks the servers of cfg.DataDir whether they live. It starts nothing and changes nothing.
func Look(ctx context.Context, cfg Config) (postgres, redis Standing) {
	cfg = cfg.withDefaults()
	return cfg.look(ctx, "postgres", postgresSocket, postgresQuestion), cfg.look(ctx, "redis", "redis.sock", redisQuestion)
}

func (c Config) look(ctx context.Context, name, socket string, q question) Standing {
	for _, root := range c.socketRoots() {
		switch got := q.put(ctx, filepath.Join(root, name, socket)); got {
		case Down:
		case Answers, Hangs, Closed:
			return got
		}
	}
	return Down
}

// socketRoots are the directories in which newPlace may have put the sockets.
func (c Config) socketRoots() []string {
	if c.RuntimeDir != "" {
		return []string{c.RuntimeDir}
	}
	dir, err := filepath.Abs(c.DataDir)
	if err != nil {
		return nil
	}
	if target, err := filepath.EvalSymlinks(dir); err == nil {
		dir = target
	}
	return []string{
		filepath.Join(dir, "run"), filepath.Join(c.host.stateDir, shortHash(dir), "run"),
		filepath.Join(c.host.tmpDir, "astrogrowth-"+strconv.Itoa(c.host.euid)+"-"+shortHash(dir)),
	}
}

func (q question) put(ctx context.Context, socket string) Standing {
	if len(socket) > maxSocketPath {
		return Down
	}
	if _, err := os.Stat(socket); err != nil {
		return unasked(err)
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return unasked(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(lookTimeout)) // without one the answer is waited for in vain, which is no worse
	if _, err := io.WriteString(conn, q.ask); err != nil {
		return Hangs
	}
	first := make([]byte, 1)
	if _, err := io.ReadFull(conn, first); err != nil || !strings.Contains(q.answers, string(first)) {
		return Hangs
	}
	return Answers
}

// unasked says what it means that a socket cannot be reached.
func unasked(err error) Standing {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return Closed
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ECONNREFUSED):
		return Down
	}
	return Hangs // its queue of connections is full
}
