package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Two writers with a file each stand for two processes: nothing but the directory connects them.
func TestSharedLogFileLosesNoLineWhileRotating(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const writers, each = 4, 250
	var wg sync.WaitGroup
	var want []string
	for w := range writers {
		for i := range each {
			want = append(want, fmt.Sprintf("writer %d line %03d", w, i))
		}
		wg.Go(func() {
			l := newLogFile(filepath.Join(dir, "combined.log"))
			l.max = 8 << 10
			for i := range each {
				if _, err := fmt.Fprintf(l, "writer %d line %03d\n", w, i); err != nil {
					t.Errorf("write: %v", err)
				}
			}
			if err := l.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
	wg.Wait()

	paths, err := filepath.Glob(filepath.Join(dir, "combined*.log"))
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) < 2 {
		t.Errorf("%d files, want a rotation", len(paths))
	}
	var got []string
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > 2*(8<<10) {
			t.Errorf("%s has %d bytes, want about 8192 at most", path, len(b))
		}
		got = append(got, strings.Split(strings.TrimSpace(string(b)), "\n")...)
	}
	sort.Strings(got)
	sort.Strings(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestLogFilePrunesOldBackups(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := newLogFile(filepath.Join(dir, "error.log"))
	l.max = 10
	for i := range 2 * maxLogBackups {
		// A backup is named by its millisecond, and those of one millisecond count as one.
		for now := time.Now().UnixMilli(); time.Now().UnixMilli() == now; {
			runtime.Gosched()
		}
		if _, err := fmt.Fprintf(l, "line %03d\n", i); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	backups, err := filepath.Glob(filepath.Join(dir, "error-*.log"))
	if err != nil {
		t.Fatal(err)
	}
	if len(backups) != maxLogBackups {
		t.Errorf("%d backups, want %d", len(backups), maxLogBackups)
	}
}

func TestLogFileComesBackAfterItWasMovedAway(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "combined.log")
	l := newLogFile(path)
	t.Cleanup(func() { _ = l.Close() })
	write := func(text string) {
		t.Helper()
		if _, err := l.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	write("one\n")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write("two\n")
	b, err := os.ReadFile(path)
	if err != nil || string(b) != "two\n" {
		t.Errorf("new file = %q, %v, want the second line", b, err)
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ in, want string }{
		{"lead marie.tremblay+x@example.qc.ca not found", "lead [email] not found"},
		{"call 514-555-0199 or +1 (438) 555-0123", "call [phone] or [phone]"},
		{"dial postgres://u:hunter2@db:5432/growth?sslmode=off: refused", "dial postgres://[hidden]@db:5432/growth refused"},
		{"GET https://h/v1/x?token=abc&y=1: EOF", "GET https://h/v1/x EOF"},
		{"Authorization: Bearer abc.def-1", "Authorization: Bearer [hidden]"},
		{"key sk-or-v1-0123456789abcdef was turned down", "key sk-[hidden] was turned down"},
		{"column \"leads.score\" does not exist at 12:30:45", "column \"leads.score\" does not exist at 12:30:45"},
	} {
		if got := mask(tc.in); got != tc.want {
			t.Errorf("mask(%q)\n = %q, want\n   %q", tc.in, got, tc.want)
		}
	}
}
