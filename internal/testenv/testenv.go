// Package testenv gives tests a real Postgres and a real Redis. Each test binary that asks gets servers of its own,
// started on first use and gone at the end; each test gets a Redis database of its own. It is for tests only, and it
// refuses to know what is tested.
//
//	func TestMain(m *testing.M) { testenv.Main(m) }
package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/zakibelm/astrogrowth/internal/devstack"
)

const (
	// root is not os.TempDir: the servers' accounts must be able to reach it, and a socket's path must be short.
	root   = "/tmp"
	prefix = "astrogrowth-test-"

	startTimeout = time.Minute
	stopTimeout  = 30 * time.Second

	// databaseVar names a Postgres that runs already, to be used in place of one per test binary.
	databaseVar = "TEST_DATABASE_URL"
)

// current is the run that Main or Around made; there is one per test binary, as there is one TestMain.
var current *Suite

// Suite is the run of a test binary's tests with the servers that they ask for.
type Suite struct {
	m interface{ Run() int }

	dir      func() (string, error) // all that the servers write
	postgres func() (*devstack.Postgres, error)
	durable  func() (*devstack.Postgres, error) // waits for the disk
	redis    func() (*devstack.Redis, error)
	numbers  chan int // the Redis databases that no test uses

	mu   sync.Mutex
	stop []func() error // in the order of starting
}

// Main runs the tests of m, ends the servers that they started, and exits with the tests' code.
func Main(m *testing.M) { os.Exit(Around(m).Run()) }

// Around is Main for a TestMain that does more: goleak.VerifyTestMain(testenv.Around(m)) looks for goroutines after the
// servers have gone.
func Around(m *testing.M) *Suite {
	current = newSuite(m)
	return current
}

func newSuite(m interface{ Run() int }) *Suite {
	s := &Suite{m: m, numbers: make(chan int, redisDatabases)}
	for n := range redisDatabases {
		s.numbers <- n
	}
	s.dir = sync.OnceValues(s.makeDir)
	s.postgres = sync.OnceValues(func() (*devstack.Postgres, error) { return s.startPostgres("", false) })
	s.durable = sync.OnceValues(func() (*devstack.Postgres, error) { return s.startPostgres("durable", true) })
	s.redis = sync.OnceValues(s.startRedis)
	return s
}

// Run runs the tests, ends the servers and returns the tests' code. A server that does not end is a failure.
func (s *Suite) Run() int {
	code := s.m.Run()
	if err := s.end(); err != nil {
		fmt.Fprintln(os.Stderr, "testenv:", err)
		return max(code, 1)
	}
	return code
}

func (s *Suite) end() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, stop := range slices.Backward(s.stop) {
		errs = append(errs, stop())
	}
	s.stop = nil
	return errors.Join(errs...)
}

func (s *Suite) atEnd(stop func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop = append(s.stop, stop)
}

func (s *Suite) makeDir() (string, error) {
	sweep(root, time.Now().Add(-time.Hour))
	dir, err := os.MkdirTemp(root, prefix)
	if err != nil {
		return "", fmt.Errorf("directory for the servers: %w", err)
	}
	s.atEnd(func() error { return os.RemoveAll(dir) })
	release, err := devstack.Lock(dir)
	if err != nil {
		return "", fmt.Errorf("directory for the servers: %w", err)
	}
	s.atEnd(func() error { release(); return nil })
	if os.Geteuid() == 0 {
		// Root's servers run under accounts that have to pass through it.
		if err := os.Chmod(dir, 0o711); err != nil {
			return "", fmt.Errorf("directory for the servers: %w", err)
		}
	}
	return dir, nil
}

// sweep removes what test binaries that crashed before left in dir. The lock tells those from the ones at work.
func sweep(dir string, before time.Time) {
	found, _ := filepath.Glob(filepath.Join(dir, prefix+"*"))
	for _, d := range found {
		info, err := os.Stat(d)
		if err != nil || info.ModTime().After(before) {
			continue
		}
		release, err := devstack.Lock(d)
		if err != nil {
			continue // in use, or somebody else's
		}
		_ = os.RemoveAll(d) // if not now, then the next time
		release()
	}
}

func (s *Suite) startPostgres(below string, durable bool) (*devstack.Postgres, error) {
	dir, err := s.dir()
	if err != nil {
		return nil, err
	}
	if below != "" {
		dir = filepath.Join(dir, below)
		if err := os.Mkdir(dir, 0o711); err != nil { //nolint:gosec // root's servers run under accounts that have to pass through it
			return nil, fmt.Errorf("directory for the server: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	p, err := devstack.StartPostgres(ctx, devstack.Config{DataDir: dir, Sync: durable})
	if err != nil {
		return nil, err
	}
	s.atEnd(func() error { return stopped(p.Stop) })
	return p, nil
}

func (s *Suite) startRedis() (*devstack.Redis, error) {
	dir, err := s.dir()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	var said warning
	r, err := devstack.StartRedis(ctx, devstack.Config{DataDir: dir, RedisDatabases: redisDatabases, Out: &said})
	if err != nil {
		return nil, err
	}
	s.atEnd(func() error { return stopped(r.Stop) })
	if r.InProcess() {
		return nil, fmt.Errorf("the tests need a real Redis: %s", said.text)
	}
	return r, nil
}

// warning keeps the last line that was said.
type warning struct{ text []byte }

// Write takes one line.
func (w *warning) Write(p []byte) (int, error) {
	w.text = append(w.text[:0], p...)
	return len(p), nil
}

func stopped(stop func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return stop(ctx)
}

// Postgres returns the address of an empty Postgres database that all tests of this binary share, so a test must keep
// to a schema of its own. It is the one that TEST_DATABASE_URL names, if it is set, else one of this binary's own, which
// does not wait for the disk.
func Postgres(tb testing.TB) string {
	tb.Helper()
	if url := os.Getenv(databaseVar); url != "" {
		return url
	}
	p, err := suite(tb).postgres()
	if err != nil {
		tb.Fatalf("no Postgres for the test: %v", err)
	}
	return p.URL()
}

func suite(tb testing.TB) *Suite {
	tb.Helper()
	if current == nil {
		tb.Fatal("the package's TestMain must call testenv.Main or testenv.Around, which end the servers")
	}
	return current
}
