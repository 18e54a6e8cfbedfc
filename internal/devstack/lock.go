package devstack

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	growth "github.com/zakibelm/astrogrowth"
)

// Lock claims dir for this process until release is called or the process ends, so that two copies of the product do
// not share one data directory. dir is created when missing. It is independent of the locks that the servers take.
func Lock(dir string) (release func(), err error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("data directory %q: %w", dir, err)
	}
	if err := mkdirs(abs, traversable(os.Geteuid())); err != nil {
		return nil, err
	}
	return lockFile(filepath.Join(abs, ".lock"), abs)
}

// lockFile takes the advisory lock on path; what is what it guards, for the message. The file is never removed: whoever
// waits for a lock on a removed file holds it on nothing.
func lockFile(path, what string) (release func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600) //nolint:gosec // a file of our own directories
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", what, err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		holder := readPID(f)
		_ = f.Close()
		return nil, growth.Errorf(growth.Conflict, "devstack",
			"AstroGrowth runs here already%s: directory %s is in use; stop that one, or give this one another data directory", holder, what)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", what, err)
	}
	// The number is a courtesy for whoever is turned away; the lock itself is the kernel's.
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return sync.OnceFunc(func() {
		// Closing alone would leave the lock to a child that is just being started and has not let go of our files yet.
		_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
		_ = f.Close()
	}), nil
}

func readPID(f *os.File) string {
	b, _ := io.ReadAll(io.LimitReader(f, 20))
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return ""
	}
	return fmt.Sprintf(" (process %d)", pid)
}
