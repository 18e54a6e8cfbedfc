// Package program starts the built programs, and those of others, as an operator does in a terminal, for the tests that
// use the product from outside.
package program

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Pace of waiting for a program.
const (
	look    = 50 * time.Millisecond
	timeEnd = 90 * time.Second // for a program that was told to end
)

// Build puts every program of this checkout into a directory.
func Build(ctx context.Context, dir string) error {
	_, file, _, _ := runtime.Caller(0)
	cmd := exec.CommandContext(ctx, "go", "build", "-o", dir+"/", "./cmd/...")
	cmd.Dir = filepath.Join(filepath.Dir(file), "..", "..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return nil
}

// Dir makes a directory that the stores' own accounts can pass through, whoever runs the test; those above a test's
// TempDir are closed to others. Whoever asks removes it.
func Dir(name string) (string, error) {
	dir, err := os.MkdirTemp("", name)
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

// Ports finds n ports of loopback that nobody listens on, all different.
func Ports(n int) ([]string, error) {
	var out []string
	for range n {
		l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }() // held until all are known, so that they differ
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			return nil, err
		}
		out = append(out, port)
	}
	return out, nil
}

// Output collects what a program says while it runs. It is safe for concurrent use.
type Output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// Program is a child process in a group of its own.
type Program struct {
	Out    *Output // of both streams
	cmd    *exec.Cmd
	exited chan struct{}
}

// Start starts a command, whose streams must not be set yet.
func Start(cmd *exec.Cmd) (*Program, error) {
	p := &Program{Out: &Output{}, cmd: cmd, exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.Out, p.Out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// Pid is the number of its process, which is that of its group.
func (p *Program) Pid() int { return p.cmd.Process.Pid }

// Exited is closed when the program has ended.
func (p *Program) Exited() <-chan struct{} { return p.exited }

// Ready waits until so holds. It is an error, with all that the program has said, when the program ends instead or the
// time does.
func (p *Program) Ready(limit time.Duration, so func() bool) error {
	for end := time.Now().Add(limit); !so(); time.Sleep(look) {
		select {
		case <-p.exited:
			return fmt.Errorf("%s ended: %s", p.cmd, p.Out)
		default:
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s is not ready after %v: %s", p.cmd, limit, p.Out)
		}
	}
	return nil
}

// Stop tells the program to end as its operator does, and waits. It is an error when it does not end; then its group is
// killed. What is left of the group of one that has ended is killed too.
func (p *Program) Stop(sig syscall.Signal) error {
	_ = p.cmd.Process.Signal(sig)
	return p.end()
}

// Interrupt is Stop for the whole group, as Ctrl-C in a terminal does it.
func (p *Program) Interrupt() error {
	_ = syscall.Kill(-p.Pid(), syscall.SIGINT)
	return p.end()
}

func (p *Program) end() error {
	var err error
	select {
	case <-p.exited:
	case <-time.After(timeEnd):
		err = fmt.Errorf("%s does not stop: %s", p.cmd, p.Out)
	}
	_ = syscall.Kill(-p.Pid(), syscall.SIGKILL)
	<-p.exited
	return err
}
