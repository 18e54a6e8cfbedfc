//go:build e2e

// Package e2e starts the built programs as an operator would and uses them from outside.
package e2e

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
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zakibelm/astrogrowth/internal/testenv/program"
)

// bin holds the programs, built once for all tests.
var bin string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if bin, err = os.MkdirTemp("", "astrogrowth-e2e"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(bin) }()
	if err := program.Build(context.Background(), bin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// stack is one copy of the product: `astrogrowth up` on ports of its own.
type stack struct {
	t                             *testing.T
	dir                           string
	env                           []string
	api, monitor, sim, workerPort string
	up                            *program.Program // nil: it does not run
	out                           *program.Output
}

// newStack prepares a copy without starting it.
func newStack(t *testing.T, env ...string) *stack {
	t.Helper()
	p, err := program.Ports(4)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := program.Dir("ag-e2e")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &stack{
		t: t, dir: dir, api: "http://127.0.0.1:" + p[0], monitor: "http://127.0.0.1:" + p[1], workerPort: p[2], sim: "http://127.0.0.1:" + p[3],
	}
	s.env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "DATA_DIR=" + filepath.Join(dir, "data"), "PORT=" + p[0], "MONITOR_PORT=" + p[1],
		"WORKER_PORT=" + p[2], "SIMULATOR_PORT=" + p[3], "APP_URL=" + s.api, "LOG_LEVEL=warn", "LINKEDIN_MIN_POST_INTERVAL_MS=0",
	}, env...)
	return s
}

// start starts the copy and waits until it says that it is ready.
func (s *stack) start() {
	s.t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(s.t.Context()), filepath.Join(bin, "astrogrowth"), "up")
	cmd.Dir, cmd.Env = s.dir, s.env
	up, err := program.Start(cmd)
	if err != nil {
		s.t.Fatal(err)
	}
	s.up, s.out = up, up.Out
	s.t.Cleanup(s.stop)
	if err := up.Ready(60*time.Second, func() bool { return strings.Contains(up.Out.String(), "AstroGrowth is ready") }); err != nil {
		s.t.Fatal(err)
	}
}

// stop ends the copy as Ctrl-C does.
func (s *stack) stop() {
	if s.up == nil {
		return
	}
	if err := s.up.Stop(syscall.SIGINT); err != nil {
		s.t.Error(err)
	}
	s.up = nil
}

// killAll ends the whole tree the hard way: up, its programs and both stores.
func (s *stack) killAll() {
	for _, p := range append(descendants(s.up.Pid()), s.up.Pid()) {
		_ = syscall.Kill(p, syscall.SIGKILL)
	}
	<-s.up.Exited()
	s.up = nil
}

// descendants lists the living children of a process and theirs.
func descendants(pid int) []int {
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid)) // of a process that is gone there are none
	var b []byte
	for _, t := range tasks { // children belong to the thread that started them
		c, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, t.Name()))
		b = append(append(b, c...), ' ')
	}
	var out []int
	for f := range strings.FieldsSeq(string(b)) {
		if n, err := strconv.Atoi(f); err == nil {
			out = append(out, n)
			out = append(out, descendants(n)...)
		}
	}
	return out
}

func (s *stack) await(limit time.Duration, what string, done func() bool) {
	s.t.Helper()
	for end := time.Now().Add(limit); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("waited %s for %s\n%s", limit, what, s.out)
		}
	}
}

// call makes a request and decodes the answer into out when it is not nil.
func (s *stack) call(method, url string, body, out any) int {
	s.t.Helper()
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			s.t.Fatal(err)
		}
		r = bytes.NewReader(raw)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 90*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, r)
	if err != nil {
		s.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := (&http.Client{}).Do(req) // ctx limits the time
	if err != nil {
		s.t.Fatalf("%s %s: %v\n%s", method, url, err, s.out)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if out != nil {
		if err := json.Unmarshal(raw, out); err != nil {
			s.t.Fatalf("%s %s: %d %s: %v", method, url, resp.StatusCode, raw, err)
		}
	}
	return resp.StatusCode
}

// obj is a decoded JSON object with a way to look into it.
type obj map[string]any

// at follows a path of member names and indices.
func (o obj) at(path string) any {
	var v any = map[string]any(o)
	for p := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[p]
		case []any:
			i, err := strconv.Atoi(p)
			if err != nil || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

// list is the array at a path, empty when there is none.
func (o obj) list(path string) []any {
	l, _ := o.at(path).([]any)
	return l
}

func (o obj) str(path string) string { return fmt.Sprint(o.at(path)) }

// job posts a job and waits for its end.
func (s *stack) job(kind string, body any) obj {
	s.t.Helper()
	var accepted obj
	if code := s.call(http.MethodPost, s.api+"/v1/jobs/"+kind, body, &accepted); code != http.StatusAccepted {
		s.t.Fatalf("%s: %d %v", kind, code, accepted)
	}
	return s.wait(accepted.str("id"))
}

func (s *stack) wait(id string) obj {
	s.t.Helper()
	var j obj
	s.call(http.MethodGet, s.api+"/v1/jobs/"+id+"?wait=60s", nil, &j)
	return j
}

// cli runs the operator's tool and returns its output and exit code.
func (s *stack) cli(args ...string) (string, int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "astrogrowth"), args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		s.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func (s *stack) fault(body string) {
	s.t.Helper()
	var out obj
	if code := s.call(http.MethodPut, s.sim+"/_control/faults", body, &out); code != http.StatusOK && code != http.StatusCreated {
		s.t.Fatalf("fault: %d %v", code, out)
	}
}

func (s *stack) clearFaults() {
	s.t.Helper()
	s.call(http.MethodDelete, s.sim+"/_control/faults", nil, nil)
}
