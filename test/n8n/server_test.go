//go:build n8n

package n8n

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// server is a genuine n8n with a folder of its own.
type server struct {
	*program.Program
	install, home, url string
	version            string
	port, broker       string
	live               int // workflows that a start activates
}

// installed gives the folder of a genuine n8n, installing it when it is not there.
func installed(version string) (string, error) {
	cache := os.Getenv("ASTROGROWTH_N8N_DIR")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("set ASTROGROWTH_N8N_DIR to a folder with 2 GB of room: %w", err)
		}
		cache = filepath.Join(user, "astrogrowth-n8n")
	}
	dir := filepath.Join(cache, version)
	cmd := exec.CommandContext(context.Background(), "bash", "install.sh", version, dir)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("n8n %s cannot be installed into %s: %w", version, dir, err)
	}
	return dir, nil
}

func newServer(version string) (*server, error) {
	install, err := installed(version)
	if err != nil {
		return nil, err
	}
	home, err := os.MkdirTemp("", "n8n-home")
	if err != nil {
		return nil, err
	}
	ports, err := program.Ports(2)
	if err != nil {
		return nil, err
	}
	return &server{install: install, home: home, version: version, port: ports[0], broker: ports[1], url: "http://localhost:" + ports[0]}, nil
}

// env leaves n8n as a new user has it, but for what would call outside.
func (s *server) env(broker string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.home, "N8N_USER_FOLDER=" + s.home, "N8N_PORT=" + s.port, "N8N_LISTEN_ADDRESS=127.0.0.1",
		"N8N_RUNNERS_BROKER_PORT=" + broker, "N8N_ENFORCE_SETTINGS_FILE_PERMISSIONS=true", "EXECUTIONS_DATA_SAVE_MANUAL_EXECUTIONS=true",
		"N8N_EXPRESSION_ENGINE=legacy", // the other needs a native part that its package brings for Node 22 and later only
		"N8N_DIAGNOSTICS_ENABLED=false", "N8N_VERSION_NOTIFICATIONS_ENABLED=false", "N8N_TEMPLATES_ENABLED=false", "N8N_PERSONALIZATION_ENABLED=false",
		"N8N_COMMUNITY_PACKAGES_ENABLED=false", "N8N_LICENSE_AUTO_RENEW_ENABLED=false", "N8N_PUBLIC_API_DISABLED=true", "N8N_DISABLE_UI=true",
	}
}

func (s *server) binary() string {
	return filepath.Join(s.install, "node_modules", "n8n", "bin", "n8n")
}

// cli runs a command of n8n, beside a server or without one.
func (s *server) cli(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	broker, err := program.Ports(1)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "node", append([]string{s.binary()}, args...)...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = s.home, s.env(broker[0]), 10*time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("n8n %s: %w: %s", args[0], err, out)
	}
	return string(out), nil
}

// credentials makes what the workflows name, with the values given, as the guide tells a user to.
func (s *server) credentials(values map[string]string) error {
	type credential struct {
		ID   string            `json:"id"`
		Name string            `json:"name"`
		Type string            `json:"type"`
		Data map[string]string `json:"data"`
	}
	var all []credential
	for id, value := range values {
		all = append(all, credential{ID: id, Name: id, Type: headerAuth, Data: map[string]string{"name": "X-API-Key", "value": value}})
	}
	raw, err := json.Marshal(all)
	if err != nil {
		return err
	}
	file := filepath.Join(s.home, "credentials.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		return err
	}
	_, err = s.cli("import:credentials", "--input="+file)
	return errors.Join(err, os.Remove(file))
}

// take imports the files of a folder and says how many n8n took.
func (s *server) take(dir string, want int) error {
	out, err := s.cli("import:workflow", "--separate", "--input="+dir)
	if err == nil && !strings.Contains(out, fmt.Sprintf("Successfully imported %d workflow", want)) {
		err = fmt.Errorf("n8n imported something else than %d workflows: %s", want, out)
	}
	return err
}

// publish puts a workflow in force, in the words of this n8n.
func (s *server) publish(id string) error {
	args := []string{"publish:workflow", "--id=" + id}
	if s.old() {
		args = []string{"update:workflow", "--id=" + id, "--active=true"}
	}
	_, err := s.cli(args...)
	return err // whether it is in force is seen at the next start
}

func (s *server) old() bool { return strings.HasPrefix(s.version, "1.") }

func (s *server) start() error {
	var err error
	if s.Program, err = launch(s.home, s.env(s.broker), "node", s.binary(), "start"); err != nil {
		return err
	}
	return s.Ready(4*time.Minute, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/healthz/readiness", nil)
		if err != nil {
			return false
		}
		resp, err := (&http.Client{}).Do(req) // ctx limits the time
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK && strings.Count(s.Out.String(), "Activated workflow") >= s.live
	})
}

func (s *server) halt() { end(s.Program, syscall.SIGTERM) }

// run is one execution as n8n keeps it.
type run struct {
	ID       int
	Workflow string
	Status   string
	Mode     string
	Error    string
	Nodes    map[string][]struct {
		Items []int
		JSON  map[string]any
		Error string
	}
}

// ran says how often a node has run.
func (r run) ran(node string) int { return len(r.Nodes[node]) }

// runs lists the executions after one, oldest first.
func (s *server) runs(t *testing.T, after int) []run {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "runs.cjs", s.install, filepath.Join(s.home, ".n8n", "database.sqlite"), strconv.Itoa(after))
	raw, err := cmd.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok && strings.Contains(string(exit.Stderr), "SQLITE_BUSY") {
			return nil // n8n is writing; the caller looks again
		}
		t.Fatal(err)
	}
	var out []run
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// newest is the last execution's number.
func (s *server) newest(t *testing.T) int {
	t.Helper()
	if all := s.runs(t, 0); len(all) > 0 {
		return all[len(all)-1].ID
	}
	return 0
}

// becomes waits for a run of a workflow, after another, to reach a status.
func (s *server) becomes(t *testing.T, after int, workflow, status string) run {
	t.Helper()
	var all []run
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(300 * time.Millisecond) {
		all = s.runs(t, after)
		for _, r := range all {
			if r.Workflow == workflow && r.Status == status {
				return r
			}
		}
	}
	t.Fatalf("no run of %s became %s; the runs: %+v\n%s", workflow, status, all, s.Out)
	return run{}
}
