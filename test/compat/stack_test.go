// Package compat holds the product to what its callers' own clients expect: the official OpenAI clients and genuine tRPC
// clients, against the built programs. It is a module of its own, so that those clients are no part of the product's modules.
package compat

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
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

// product is one copy of the product on ports of its own, over the simulator.
type product struct {
	api, sim string
	out      output
	cmd      *exec.Cmd
	exited   chan struct{}
}

var up *product

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "ag-compat")
	if err == nil {
		err = os.Chmod(dir, 0o755) // the stores run under accounts of their own
	}
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }()
		up, err = start(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer up.stop()
	return m.Run()
}

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

func start(dir string) (*product, error) {
	build := exec.CommandContext(context.Background(), "go", "build", "-o", dir+"/", "./cmd/...")
	build.Dir, build.Stderr = "../..", os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	ports, err := freePorts(4)
	if err != nil {
		return nil, err
	}
	p := &product{api: "http://127.0.0.1:" + ports[0], sim: "http://127.0.0.1:" + ports[3], exited: make(chan struct{})}
	p.cmd = exec.CommandContext(context.Background(), filepath.Join(dir, "astrogrowth"), "up")
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, &p.out, &p.out
	p.cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "DATA_DIR=" + filepath.Join(dir, "data"), "PORT=" + ports[0], "MONITOR_PORT=" + ports[1],
		"WORKER_PORT=" + ports[2], "SIMULATOR_PORT=" + ports[3], "SIMULATOR=on", "APP_URL=" + p.api, "LOG_LEVEL=warn",
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.exited)
	}()
	return p, p.ready()
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

// ready waits until the API answers and has read what the providers serve.
func (p *product) ready() error {
	for end := time.Now().Add(90 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		select {
		case <-p.exited:
			return fmt.Errorf("up ended: %s", &p.out)
		default:
		}
		var list struct{ Data []struct{ ID string } }
		if p.get(p.api+"/v1/models", &list) == nil {
			for _, m := range list.Data {
				if m.ID == "huggingface/zai-org/GLM-5.2" { // on no route: the catalogues have been read
					return nil
				}
			}
		}
	}
	p.stop()
	return fmt.Errorf("the product is not ready: %s", &p.out)
}

// stop ends the product as an operator does, and the hard way when it does not end.
func (p *product) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGINT)
	select {
	case <-p.exited:
	case <-time.After(60 * time.Second):
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.exited
	}
}

func (p *product) get(url string, into any) error { return p.call(http.MethodGet, url, "", into) }

func (p *product) call(method, url, body string, into any) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := (&http.Client{}).Do(req) // ctx limits the time
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s", method, url, resp.Status)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

// fault tells the simulator to misbehave until the test has ended. Each test spoils a model of its own: what rests
// or is barred afterwards must not be another's.
func (p *product) fault(t *testing.T, body string) {
	t.Helper()
	if err := p.call(http.MethodPut, p.sim+"/_control/faults", body, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.call(http.MethodDelete, p.sim+"/_control/faults", "", nil); err != nil {
			t.Error(err)
		}
	})
}

// canceled counts the streams that the simulator saw its client leave.
func (p *product) canceled(t *testing.T) int {
	t.Helper()
	var book struct{ Entries []struct{ Canceled bool } }
	if err := p.get(p.sim+"/_control/book", &book); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range book.Entries {
		if e.Canceled {
			n++
		}
	}
	return n
}

// charged is what the simulator charged for the newest call of a model.
func (p *product) charged(t *testing.T, model string) (usd string) {
	t.Helper()
	var book struct {
		Entries []struct {
			Model string
			Cost  string `json:"cost_usd"`
		}
	}
	if err := p.get(p.sim+"/_control/book", &book); err != nil {
		t.Fatal(err)
	}
	for _, e := range book.Entries {
		if e.Model == model {
			usd = e.Cost
		}
	}
	return usd
}
