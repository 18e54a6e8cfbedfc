package devstack

import (
	"syscall"
	"testing"
)

func TestLookTellsAServerThatHangs(t *testing.T) {
	t.Parallel()
	needRedis(t)
	cfg := Config{DataDir: dataDir(t)}
	if pg, redis := Look(t.Context(), cfg); pg != Down || redis != Down {
		t.Errorf("before the start: %v, %v; want both down", pg, redis)
	}
	p, r := startPostgres(t, cfg), startRedis(t, cfg)
	if pg, redis := Look(t.Context(), cfg); pg != Answers || redis != Answers {
		t.Errorf("running: %v, %v; want that both answer", pg, redis)
	}
	pids := []int{p.srv.proc.cmd.Process.Pid, r.srv.proc.cmd.Process.Pid}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = syscall.Kill(pid, syscall.SIGCONT) }()
	}
	if pg, redis := Look(t.Context(), cfg); pg != Hangs || redis != Hangs {
		t.Errorf("frozen: %v, %v; want that both hang", pg, redis)
	}
}
