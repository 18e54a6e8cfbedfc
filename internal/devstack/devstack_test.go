package devstack

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain lets the test binary also be the program that is killed, or that runs as another user: "run DIR" starts
// both servers and waits, "cycle DIR" starts, writes, stops and starts them again.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && (os.Args[1] == "run" || os.Args[1] == "cycle") {
		if err := play(os.Args[1], Config{DataDir: os.Args[2], Out: os.Stdout}); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func play(how string, cfg Config) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	rounds := 1
	if how == "cycle" {
		rounds = 2
	}
	for round := range rounds {
		p, err := StartPostgres(ctx, cfg)
		if err != nil {
			return err
		}
		if round == 0 {
			if err = p.exec(ctx, databaseName, "CREATE TABLE IF NOT EXISTS kept AS SELECT 1"); err != nil {
				return err
			}
		}
		if err = p.exec(ctx, databaseName, "SELECT * FROM kept"); err != nil {
			return err
		}
		r, err := StartRedis(ctx, cfg)
		if err != nil {
			return err
		}
		fmt.Println("PLAYING", p.srv.proc.cmd.Process.Pid, r.srv.proc.cmd.Process.Pid)
		if how == "run" {
			<-ctx.Done()
		}
		if err = r.Stop(context.Background()); err != nil {
			return err
		}
		if err = p.Stop(context.Background()); err != nil {
			return err
		}
	}
	return nil
}

// dataDir is a new directory that every account can reach; the testing package's own are shut to the servers' accounts.
func dataDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "devstack-") //nolint:usetesting // for the reason above
	if err != nil {
		t.Fatal(err)
	}
	if err = os.Chmod(dir, traversable(os.Geteuid())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if rerr := os.RemoveAll(dir); rerr != nil {
			t.Error(rerr)
		}
	})
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// output collects what is said to people, from whatever goroutine says it.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

var _ io.Writer = (*output)(nil)

func needPostgres(t *testing.T) {
	t.Helper()
	if len(thisHost().installedPostgres(t.Context())) == 0 {
		t.Skip("no Postgres on this machine")
	}
}

func needRedis(t *testing.T) {
	t.Helper()
	if _, ok := thisHost().installedRedis(t.Context()); !ok {
		t.Skip("no Redis on this machine")
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to be another user")
	}
}

func needLinux(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
}

func startPostgres(t *testing.T, cfg Config) *Postgres {
	t.Helper()
	p, err := StartPostgres(t.Context(), cfg)
	if err != nil {
		t.Fatalf("StartPostgres: %v", err)
	}
	t.Cleanup(func() {
		if err := p.Stop(context.Background()); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return p
}

func startRedis(t *testing.T, cfg Config) *Redis {
	t.Helper()
	r, err := StartRedis(t.Context(), cfg)
	if err != nil {
		t.Fatalf("StartRedis: %v", err)
	}
	t.Cleanup(func() {
		if err := r.Stop(context.Background()); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return r
}

func mustExec(t *testing.T, p *Postgres, statement string) {
	t.Helper()
	if err := p.exec(t.Context(), databaseName, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// within fails the test unless ch is closed soon.
func within(t *testing.T, what string, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s: not after 20 s", what)
	}
}

// eventually waits until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("%s: not after 20 s", what)
		case <-tick.C:
		}
	}
}

func wantWords(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q does not say %q", text, w)
		}
	}
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }
