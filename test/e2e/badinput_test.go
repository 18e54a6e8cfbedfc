//go:build e2e

package e2e

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBadRequestsNameWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.start()
	for _, tc := range []struct {
		name, path, body string
		status           int
		says             string
	}{
		{"unknown job type", "/v1/jobs/nope", "{}", 404, "lead-qualification"},
		{"wrong type", "/v1/jobs/lead-qualification", `{"lead":{"business_name":5}}`, 422, "lead.business_name"},
		{"unknown field", "/v1/jobs/lead-qualification", `{"lead":{"business_name":"a","foo":1}}`, 422, "lead.foo"},
		{"broken JSON", "/v1/jobs/lead-qualification", `{"lead":`, 400, "JSON"},
		{"too large", "/v1/jobs/lead-qualification", strings.Repeat("a", 11<<20), 413, "10 MiB"},
		{"neither lead nor id", "/v1/jobs/lead-qualification", `{}`, 422, "lead_id"},
		{"bad e-mail", "/v1/jobs/lead-qualification", `{"lead":{"business_name":"a","email":"zz"}}`, 422, "lead.email"},
		{"private callback", "/v1/jobs/content-generation", `{"topic":"x","callback_url":"http://169.254.169.254/"}`, 422, "callback_url"},
		{"unknown task type", "/v1/llm/complete", `{"task_type":"poetry","messages":[{"role":"user","content":"x"}]}`, 422, "task_type"},
	} {
		var p obj
		if code := s.call(http.MethodPost, s.api+tc.path, tc.body, &p); code != tc.status || !strings.Contains(p.str("message"), tc.says) || !strings.HasPrefix(p.str("type"), "urn:astrogrowth:problem:") {
			t.Errorf("%s: %d %v, want %d and a message with %q", tc.name, code, p, tc.status, tc.says)
		}
	}
	var jobs obj
	if s.call(http.MethodGet, s.api+"/v1/jobs", nil, &jobs); jobs.at("data") == nil || len(jobs.list("data")) != 0 {
		t.Errorf("a refused request left a job behind: %v", jobs)
	}
	png := filepath.Join(s.dir, "leads.csv")
	if err := os.WriteFile(png, []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := s.cli("import", png, "--yes"); code != 2 || !strings.Contains(out, "PNG") {
		t.Errorf("a PNG: exit %d, %s", code, out)
	}
	if out, code := s.cli("import", "--no-such-flag"); code != 2 || !strings.Contains(out, "no-such-flag") {
		t.Errorf("unknown flag: exit %d, %s", code, out)
	}
}

func TestBadConfigurationStopsTheStart(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, taken, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		env  []string
		says []string
	}{
		{"all problems at once", []string{"PORT=http", "SIMULATOR=maybe"}, []string{"PORT", "SIMULATOR", "auto"}},
		{"bad DATABASE_URL", []string{"DATABASE_URL=mysql://x"}, []string{"DATABASE_URL", "postgres://"}},
		{"unreachable database", []string{"DATABASE_URL=postgres://u:secretword@127.0.0.1:1/x?sslmode=disable"}, []string{"DATABASE_URL"}},
		{"port in use", []string{"PORT=" + taken}, []string{"PORT", "in use"}},
		{"open to the world without a key", []string{"BIND_ADDR=0.0.0.0"}, []string{"ADMIN_API_KEY"}},
	} {
		s := newStack(t, tc.env...)
		out, code := s.cli("up")
		if code == 0 || strings.Contains(out, "secretword") {
			t.Errorf("%s: exit %d\n%s", tc.name, code, out)
		}
		for _, w := range tc.says {
			if !strings.Contains(out, w) {
				t.Errorf("%s: the message does not name %q:\n%s", tc.name, w, out)
			}
		}
	}
}

func TestDataOfAnotherVersionIsRefusedAndLeftAlone(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	dir := filepath.Join(s.dir, "data", "postgres")
	if err := os.MkdirAll(filepath.Join(dir, "global"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "global", "pg_control"), []byte("control"), 0o600); err != nil {
		t.Fatal(err)
	}
	version := filepath.Join(dir, "PG_VERSION")
	if err := os.WriteFile(version, []byte("9.6\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, code := s.cli("up")
	if code == 0 || !strings.Contains(out, "9.6") {
		t.Errorf("exit %d\n%s", code, out)
	}
	if b, err := os.ReadFile(version); err != nil || string(b) != "9.6\n" {
		t.Errorf("the data directory was touched: %q %v", b, err)
	}
}
