package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/DeRuina/timberjack"
)

// The bounds of a log file and of the ones that were rotated away.
const (
	maxLogMegabytes = 50
	maxLogDays      = 30
	maxLogBackups   = 10
	logMode         = 0o600
)

// logFile appends to a file that several processes write. A rotating library on its own would lose lines here: it
// truncates what another process has just made. So every line is appended, and the file is made, renamed and pruned
// only under a lock that all processes share. Backups are not compressed: a line that was on its way while another
// process rotated lands in the backup.
type logFile struct {
	path string
	max  int64
	mu   sync.Mutex
	file *os.File
	info os.FileInfo
}

func newLogFile(path string) *logFile {
	return &logFile{path: path, max: maxLogMegabytes << 20}
}

// Write appends one line.
func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, err := os.Stat(l.path)
	stale := err != nil || l.file == nil || !os.SameFile(now, l.info)
	if stale || now.Size()+int64(len(p)) > l.max {
		if err := l.reopen(int64(len(p))); err != nil {
			return 0, err
		}
	}
	return l.file.Write(p)
}

// Close closes the file; a later Write opens it again.
func (l *logFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.close()
}

func (l *logFile) close() error {
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file, l.info = nil, nil
	return err
}

// reopen opens the present file, after rotating it when the line does not fit any more.
func (l *logFile) reopen(line int64) error {
	if err := l.close(); err != nil {
		return fmt.Errorf("close log file: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(l.path), 0o700); err != nil {
		return fmt.Errorf("make log directory: %w", err)
	}
	unlock, err := l.lock()
	if err != nil {
		return fmt.Errorf("lock log directory: %w", err)
	}
	defer unlock()
	if l.full(line) {
		if err = l.rotate(); err != nil {
			return fmt.Errorf("rotate log file: %w", err)
		}
	}
	file, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, logMode)
	if err != nil {
		return fmt.Errorf("open log file: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("stat log file: %w", err)
	}
	l.file, l.info = file, info
	return nil
}

// full says whether the line would make the file too long. An empty file takes every line.
func (l *logFile) full(line int64) bool {
	info, err := os.Stat(l.path)
	return err == nil && info.Size() > 0 && info.Size()+line > l.max
}

// rotate renames the file and prunes the backups by number and age.
func (l *logFile) rotate() error {
	r := &timberjack.Logger{
		Filename: l.path, MaxSize: maxLogMegabytes, MaxAge: maxLogDays, MaxBackups: maxLogBackups,
		Compression: "none", FileMode: logMode,
	}
	if err := r.RotateWithReason("size"); err != nil {
		return err
	}
	return r.Close()
}

// lock waits for the other processes that share the directory.
func (l *logFile) lock() (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(filepath.Dir(l.path), ".lock"), os.O_CREATE|os.O_RDWR, logMode)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, err
	}
	return func() { _ = f.Close() }, nil // closing releases the lock
}
