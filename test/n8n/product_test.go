//go:build n8n

package n8n

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/zakibelm/astrogrowth/internal/testenv/program"
)

// configuredPort is where the workflows look for the product, unchanged as they are.
const configuredPort = "3000"

func launch(dir string, env []string, name string, args ...string) (*program.Program, error) {
	cmd := exec.CommandContext(context.Background(), name, args...)
	cmd.Dir, cmd.Env = dir, env
	return program.Start(cmd)
}

// end ends a program that runs. One that has to be killed is said and does not fail what it was started for.
func end(p *program.Program, sig syscall.Signal) {
	if p == nil {
		return
	}
	if err := p.Stop(sig); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// product is `astrogrowth up` as somebody has it who has configured nothing: on loopback, over the simulator.
type product struct {
	*program.Program
	bin, dir, api string
	ports         []string // of monitor, worker and simulator
}

func newProduct() (*product, error) {
	dir, err := program.Dir("ag-n8n")
	if err != nil {
		return nil, err
	}
	if err := program.Build(context.Background(), filepath.Join(dir, "bin")); err != nil {
		return nil, err
	}
	ports, err := program.Ports(3)
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
	if p.Program, err = launch(p.dir, env, p.bin, "up"); err != nil {
		return err
	}
	return p.Ready(2*time.Minute, func() bool { return strings.Contains(p.Out.String(), "AstroGrowth is ready") })
}

func (p *product) stop() { end(p.Program, syscall.SIGINT) }

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
