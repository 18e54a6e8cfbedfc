package devstack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	growth "github.com/zakibelm/astrogrowth"
)

// clusterVersion reads of which major version of Postgres the data in dir is; empty: there is no data yet. A directory
// with anything else in it is refused.
func clusterVersion(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return "", nil
	}
	if errors.Is(err, fs.ErrPermission) {
		info, serr := os.Stat(dir)
		if serr != nil {
			return "", fmt.Errorf("data directory of postgres: %w", serr)
		}
		owner, _ := ownerOf(info)
		return "", foreign(dir, owner, os.Geteuid())
	}
	if err != nil {
		return "", fmt.Errorf("data directory of postgres: %w", err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "PG_VERSION")) //nolint:gosec // a file of our data directory
	if errors.Is(err, fs.ErrNotExist) {
		return "", growth.Errorf(growth.Conflict, "devstack",
			"%s is not empty and holds no PostgreSQL data: choose another data directory (nothing was changed)", dir)
	}
	if err != nil {
		return "", fmt.Errorf("data directory of postgres: %w", err)
	}
	// The last thing that initdb needs and the first that a server reads.
	if _, err := os.Stat(filepath.Join(dir, "global", "pg_control")); err != nil {
		return "", growth.Errorf(growth.Conflict, "devstack",
			"the PostgreSQL data in %s is incomplete (global/pg_control cannot be read): restore it, or move it away to begin anew (nothing was changed)", dir)
	}
	return strings.TrimSpace(string(b)), nil
}

// otherVersion refuses data that bin cannot open.
func (c Config) otherVersion(dir, has string, bin postgresBin) error {
	install := ""
	if c.host.has("apt-get") {
		install = " (postgresql-" + has + ")"
	}
	return growth.Errorf(growth.Conflict, "devstack",
		"the data in %s was made by PostgreSQL %s, and the PostgreSQL in %s is %s: install PostgreSQL %s%s, or move the directory away to begin with an empty database (nothing was changed)",
		dir, has, bin.dir, bin.version, has, install)
}

// initCluster makes a new cluster beside its place and moves it there when it is whole, so that one that was
// interrupted is never taken for a good one.
func (s *server) initCluster(ctx context.Context, bin postgresBin) error {
	stale, _ := filepath.Glob(s.place.data + ".init-*") // of starts that were killed; ours is the only one, by the lock
	for _, dir := range stale {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("remove interrupted initdb: %w", err)
		}
	}
	s.cfg.say("postgres: making a new database in %s", s.place.data)
	dir, err := os.MkdirTemp(s.place.base, filepath.Base(s.place.data)+".init-*")
	if err != nil {
		return fmt.Errorf("initdb: %w", err)
	}
	if err := s.place.own(dir); err != nil {
		return err
	}
	if err := s.initdb(ctx, bin, dir); err != nil {
		_ = os.RemoveAll(dir)
		return err
	}
	if err := os.Rename(dir, s.place.data); err != nil {
		return fmt.Errorf("initdb: %w", err)
	}
	return s.syncBase()
}

func (s *server) initdb(ctx context.Context, bin postgresBin, dir string) error {
	locale := s.cfg.host.locale()
	program := filepath.Join(bin.dir, "initdb")
	args := []string{
		program, "--pgdata=" + dir, "--username=" + databaseUser, "--encoding=UTF8", "--locale=" + locale,
		// The directory of the socket lets nobody in but us; no password guards better.
		"--auth-local=trust", "--auth-host=reject",
	}
	if !s.cfg.Sync {
		args = append(args, "--no-sync")
	}
	proc, err := command{
		path: program, args: args, as: s.place.as, log: s.log.file, death: syscall.SIGKILL,
		env: []string{"LC_ALL=" + locale},
	}.start()
	if err != nil {
		return err
	}
	select {
	case <-proc.exited:
	case <-ctx.Done():
		if _, err := proc.stop(ctx, []step{{syscall.SIGTERM, hurried}, {syscall.SIGKILL, hurried}}); err != nil {
			return fmt.Errorf("initdb: %w", err)
		}
		return fmt.Errorf("initdb: %w", context.Cause(ctx))
	}
	if !proc.succeeded() {
		return s.startError(fmt.Errorf("initdb: %s", proc.outcome()))
	}
	return nil
}

// syncBase makes the rename of a new cluster as durable as the cluster.
func (s *server) syncBase() error {
	if !s.cfg.Sync {
		return nil
	}
	d, err := os.Open(s.place.base)
	if err != nil {
		return fmt.Errorf("initdb: %w", err)
	}
	defer func() { _ = d.Close() }()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("initdb: %w", err)
	}
	return nil
}

// locale is one that every installation of the system has, knows letters beyond ASCII, and sorts them the same way
// on the next machine.
func (h *host) locale() string {
	if h.goos == "darwin" {
		return "en_US.UTF-8" // macOS has no C.UTF-8
	}
	return "C.UTF-8"
}
