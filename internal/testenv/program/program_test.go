package program_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zakibelm/astrogrowth/internal/testenv/program"
)

func shell(t *testing.T, script string) *program.Program {
	t.Helper()
	p, err := program.Start(exec.CommandContext(t.Context(), "sh", "-c", script))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestProgramIsWaitedForAndEnds(t *testing.T) {
	t.Parallel()
	p := shell(t, `trap 'echo bye; exit 0' INT; echo hello; while :; do sleep 0.05; done`)
	if err := p.Ready(10*time.Second, func() bool { return strings.Contains(p.Out.String(), "hello") }); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(syscall.SIGINT); err != nil || !strings.Contains(p.Out.String(), "bye") {
		t.Errorf("%v: %s", err, p.Out)
	}
}

func TestProgramThatEndsIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	p := shell(t, "echo no such thing; exit 3")
	err := p.Ready(time.Minute, func() bool { return false })
	if err == nil || !strings.Contains(err.Error(), "no such thing") {
		t.Errorf("err = %v; want what it said", err)
	}
}

func TestPortsDiffer(t *testing.T) {
	t.Parallel()
	ports, err := program.Ports(20)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(ports)
	if n := len(slices.Compact(ports)); n != 20 {
		t.Errorf("%d different ports of 20", n)
	}
}

func TestDirIsOpenToOtherAccounts(t *testing.T) {
	t.Parallel()
	dir, err := program.Dir("ag-test")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	st, err := os.Stat(dir)
	if err != nil || st.Mode().Perm() != 0o755 || !filepath.IsAbs(dir) {
		t.Errorf("%s: %v, %v", dir, st.Mode(), err)
	}
}
