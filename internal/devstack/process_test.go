package devstack

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestStopGetsHarder(t *testing.T) {
	t.Parallel()
	needLinux(t)
	deaf, err := command{
		path: "/bin/sh", args: []string{"sh", "-c", `trap "" TERM INT; exec sleep 600`}, death: syscall.SIGKILL,
	}.start()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is deaf", func() bool {
		b, _ := os.ReadFile(filepath.Join("/proc", itoa(deaf.cmd.Process.Pid), "comm"))
		return strings.TrimSpace(string(b)) == "sleep"
	})
	signal, err := deaf.stop(t.Context(), []step{
		{syscall.SIGTERM, 20 * time.Millisecond}, {syscall.SIGINT, 20 * time.Millisecond}, {syscall.SIGKILL, 10 * time.Second},
	})
	if err != nil || signal != syscall.SIGKILL {
		t.Errorf("stop = %v, %v; want it killed", signal, err)
	}
	if deaf.succeeded() || deaf.outcome() != "signal: killed" {
		t.Errorf("outcome %q", deaf.outcome())
	}
}

func TestStopWithoutTimeLeavesNothing(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	p := startPostgres(t, Config{DataDir: dataDir(t)})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Stop(ctx); err != nil {
		t.Errorf("Stop: %v", err)
	}
	if left := p.srv.find(); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
}

func TestCommandThatIsNotThere(t *testing.T) {
	t.Parallel()
	if _, err := (command{path: "/no/such/program", args: []string{"x"}}).start(); err == nil {
		t.Error("no error")
	}
}
