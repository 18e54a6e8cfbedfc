//go:build n8n

package n8n

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// configuredPort is where the workflows look for the product, unchanged as they are.
const configuredPort = "3000"

// output collects what a program says while it runs.
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

// program is a child process in a group of its own.
type program struct {
	cmd    *exec.Cmd
	out    *output
	exited chan struct{}
}

func launch(dir string, env []string, name string, args ...string) (*program, error) {
	p := &program{cmd: exec.CommandContext(context.Background(), name, args...), out: &output{}, exited: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = dir, env, p.out, p.out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// stop ends a program as an operator does, and its whole group the hard way when it does not end.
func (p *program) stop(sig os.Signal) {
	if p == nil {
		return
	}
	_ = p.cmd.Process.Signal(sig)
	select {
	case <-p.exited:
	case <-time.After(60 * time.Second):
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.exited
}

// ready waits until a program is, and says what it said when it ends instead.
func (p *program) ready(what string, limit time.Duration, so func() bool) error {
	for end := time.Now().Add(limit); !so(); time.Sleep(100 * time.Millisecond) {
		select {
		case <-p.exited:
			return fmt.Errorf("%s ended: %s", what, p.out)
		default:
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s is not ready after %v: %s", what, limit, p.out)
		}
	}
	return nil
}

// product is `astrogrowth up` as somebody has it who has configured nothing: on loopback, over the simulator.
type product struct {
	*program
	bin, dir, api string
	ports         []string // of monitor, worker and simulator
}

func newProduct() (*product, error) {
	dir, err := os.MkdirTemp("", "ag-n8n")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o755); err != nil { // the stores run under accounts of their own
		return nil, err
	}
	build := exec.CommandContext(context.Background(), "go", "build", "-o", dir+"/bin/", "./cmd/...")
	build.Dir, build.Stderr = "../..", os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	ports, err := freePorts(3)
	return &product{bin: filepath.Join(dir, "bin", "astrogrowth"), dir: dir, ports: ports}, err
}

// start brings the product up on a port, with the data that it had.
func (p *product) start(port string) error {
	p.api = "http://localhost:" + port
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "DATA_DIR=" + filepath.Join(p.dir, "data"), "PORT=" + port,
		"MONITOR_PORT=" + p.ports[0], "WORKER_PORT=" + p.ports[1], "SIMULATOR_PORT=" + p.ports[2], "SIMULATOR=on", "LOG_LEVEL=warn",
	}
	var err error
	if p.program, err = launch(p.dir, env, p.bin, "up"); err != nil {
		return err
	}
	return p.ready("the product", 2*time.Minute, func() bool { return strings.Contains(p.out.String(), "AstroGrowth is ready") })
}

func freePorts(n int) ([]string, error) {
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

// call makes a request of the product and decodes its answer.
func (p *product) call(t *testing.T, method, path string, body, into any) {
	t.Helper()
	status, raw := send(t, method, p.api+path, "", body)
	if status >= 300 {
		t.Fatalf("%s %s: %d %s", method, path, status, raw)
	}
	if into != nil {
		if err := json.Unmarshal(raw, into); err != nil {
			t.Fatalf("%s %s: %s: %v", method, path, raw, err)
		}
	}
}

func send(t *testing.T, method, url, key string, body any) (status int, answer []byte) {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("X-API-Key", key)
	}
	resp, err := (&http.Client{}).Do(req) // ctx limits the time
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if answer, err = io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer
}

// job is what the tests look at in a job.
type job struct {
	ID       string
	State    string
	Attempts int
	Result   struct {
		Status   int
		Variants []struct {
			Status    string
			ContentID string `json:"content_id"`
		}
	}
	Error *struct{ Message string }
}

func (p *product) jobs(t *testing.T, query string) []job {
	t.Helper()
	var list struct{ Data []job }
	p.call(t, http.MethodGet, "/v1/jobs?limit=200&"+query, nil, &list)
	return list.Data
}

// lastCallback is the newest callback of the product; the zero job when there is none.
func (p *product) lastCallback(t *testing.T) job {
	t.Helper()
	if list := p.jobs(t, "type=callback"); len(list) > 0 {
		return list[0]
	}
	return job{}
}

// hold keeps the queue of leads from moving until the test, or what it gives, lets it go.
func (p *product) hold(t *testing.T) (release func()) {
	t.Helper()
	p.call(t, http.MethodPost, "/v1/queues/qualification/pause", struct{}{}, nil)
	release = sync.OnceFunc(func() { p.call(t, http.MethodPost, "/v1/queues/qualification/resume", struct{}{}, nil) })
	t.Cleanup(func() {
		if t.Failed() {
			_, _ = send(t, http.MethodPost, p.api+"/v1/queues/qualification/resume", "", struct{}{})
		}
	})
	return release
}
