package devstack

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// maxServerLog is the size at which a server's log is put aside when the server starts.
const maxServerLog = 10 << 20

// serverLog is the file that a server prints into. The server writes to it itself and not through us, so that it can
// go on writing when we die first.
type serverLog struct {
	file *os.File
	from int64 // where this start begins
}

func openServerLog(path string) (*serverLog, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > maxServerLog {
		if err := os.Rename(path, path+".1"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("put server log aside: %w", err)
		}
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND|syscall.O_NOFOLLOW, 0o600) //nolint:gosec // a file of our data directory
	if err != nil {
		return nil, fmt.Errorf("server log: %w", err)
	}
	from, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("server log: %w", err)
	}
	return &serverLog{file: f, from: from}, nil
}

// tail returns the last n lines that were printed since the start.
func (l *serverLog) tail(n int) string {
	const most = 8 << 10
	end, err := l.file.Seek(0, io.SeekEnd)
	if err != nil {
		return ""
	}
	b := make([]byte, min(end-l.from, most))
	if _, err := l.file.ReadAt(b, end-int64(len(b))); err != nil && !errors.Is(err, io.EOF) {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

func (l *serverLog) close() { _ = l.file.Close() }
