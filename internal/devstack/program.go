package devstack

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Program is one of our own programs, run as a child under our own account.
type Program struct {
	Path string
	Args []string // without the program's name
	Env  []string // the whole environment
}

// Child is a program that runs, or has run.
type Child struct{ p *process }

// StartProgram starts a program whose output goes to ours. It gets the signal to end when we die, and none of the
// terminal's: who started it decides when it stops.
func StartProgram(prog Program) (*Child, error) {
	cmd := &exec.Cmd{
		Path: prog.Path, Args: append([]string{prog.Path}, prog.Args...), Env: prog.Env, Stdout: os.Stdout, Stderr: os.Stderr,
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true},
	}
	dieWithUs(cmd.SysProcAttr, syscall.SIGTERM)
	p := &process{cmd: cmd, exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // see command.start
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
		return nil, fmt.Errorf("start %s: %w", prog.Path, err)
	}
	return &Child{p}, nil
}

// Done closes when the program has ended.
func (c *Child) Done() <-chan struct{} { return c.p.exited }

// Outcome says how the program ended. It may be asked only after Done has closed.
func (c *Child) Outcome() string { return c.p.outcome() }

// PID is the program's process id.
func (c *Child) PID() int { return c.p.cmd.Process.Pid }

// Stop asks the program to end, waits for patience, and then makes it.
func (c *Child) Stop(ctx context.Context, patience time.Duration) error {
	_, err := c.p.stop(ctx, []step{{syscall.SIGTERM, patience}, {syscall.SIGKILL, 5 * time.Second}})
	return err
}
