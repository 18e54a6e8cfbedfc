package devstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// command is a child process to be.
type command struct {
	path  string
	args  []string // args[0] is the name that the program sees
	as    *account // nil: the account of this process
	log   *os.File
	death syscall.Signal // what the kernel sends it when we die, where the kernel can
	env   []string
}

// process is a child that runs, or has run.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed when it has been waited for
}

// start starts the child in a process group of its own, so that a Ctrl-C meant for us does not stop it under our feet.
func (c command) start() (*process, error) {
	cmd := &exec.Cmd{
		Path: c.path,
		Args: c.args,
		// Nothing of our environment: it holds the providers' keys, and the server's account may not see those.
		Env:         append([]string{"PATH=/usr/bin:/bin", "TZ=UTC"}, c.env...),
		Dir:         "/", // one that every account can enter
		Stdout:      c.log,
		Stderr:      c.log,
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true},
	}
	if c.as != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(c.as.uid), Gid: uint32(c.as.gid)} //nolint:gosec // they come from the system's own tables
	}
	dieWithUs(cmd.SysProcAttr, c.death)
	return begin(cmd)
}

// begin starts cmd and waits for its end.
func begin(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The death signal is tied to the thread that starts the child, and Go ends idle threads as it likes. This one is
		// kept until the child has gone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		_ = cmd.Wait() // how it ended is in cmd.ProcessState
		close(p.exited)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return p, nil
}

// outcome says how the child ended, in words of the system ("exit status 1", "signal: killed").
func (p *process) outcome() string { return p.cmd.ProcessState.String() }

func (p *process) succeeded() bool { return p.cmd.ProcessState.Success() }

// step is one way to ask a process to end, and how long to wait before the next, harsher one.
type step struct {
	signal syscall.Signal
	wait   time.Duration
}

// stop goes through steps until the child has gone. When ctx ends it goes on without the waits' full length: an
// orphan is worse than a hard stop. The last step must be SIGKILL. It returns the step that was enough.
func (p *process) stop(ctx context.Context, steps []step) (syscall.Signal, error) {
	for _, s := range steps {
		if err := p.cmd.Process.Signal(s.signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return s.signal, fmt.Errorf("signal process %d: %w", p.cmd.Process.Pid, err)
		}
		if p.gone(ctx, s.wait) {
			return s.signal, nil
		}
	}
	return 0, fmt.Errorf("process %d does not end", p.cmd.Process.Pid)
}

// hurried is what a step may take once the caller has no more time.
const hurried = 2 * time.Second

func (p *process) gone(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-p.exited:
		return true
	case <-timer.C:
		return false
	case <-ctx.Done():
	}
	timer.Reset(min(wait, hurried))
	select {
	case <-p.exited:
		return true
	case <-timer.C:
		return false
	}
}
