package main

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDoctorHTTPIsAHealthCheck(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(server.Close)
	for _, tc := range []struct {
		name, address string
		code          int
	}{
		{"ready", server.URL + "/readyz", exitDone},
		{"not ready", server.URL + "/other", exitPartial},
		{"nobody there", deadAddress(t), exitPartial},
		{"no address", "localhost", exitNothing},
		{"empty", "", exitNothing},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			// A container's health check must not depend on the rest of its configuration.
			got := runCLI(t, map[string]string{"PORT": "broken"}, "doctor", "--http", tc.address)
			if got.code != tc.code {
				t.Errorf("code = %d, want %d: %s", got.code, tc.code, got.err)
			}
			if (got.err == "") != (tc.code == exitDone) {
				t.Errorf("error = %q", got.err)
			}
		})
	}
}

// examined runs the doctor and gives its findings by name.
func examined(t *testing.T, environ map[string]string) (int, map[string]finding) {
	t.Helper()
	got := runCLI(t, environ, "doctor", "--json")
	var report struct {
		OK     bool      `json:"ok"`
		Checks []finding `json:"checks"`
	}
	if err := json.Unmarshal([]byte(got.out), &report); err != nil {
		t.Fatalf("%v:\n%s%s", err, got.out, got.err)
	}
	if report.OK != (got.code == exitDone) {
		t.Errorf("ok = %v, code = %d", report.OK, got.code)
	}
	byName := map[string]finding{}
	for _, f := range report.Checks {
		byName[f.Name] = f
		if f.Status == checkFail && f.Mend == "" {
			t.Errorf("%s fails and nobody says how to mend it: %s", f.Name, f.Detail)
		}
	}
	return got.code, byName
}

func TestDoctorNamesEveryProblemOfTheConfiguration(t *testing.T) {
	t.Parallel()
	got := runCLI(t, map[string]string{"PORT": "x", "CURRENCY": "dollars"}, "doctor")
	if got.code != exitPartial {
		t.Errorf("code = %d, want %d", got.code, exitPartial)
	}
	wantContains(t, "report", got.out, `PORT: "x" is not accepted`, "-> set PORT to a whole number", `CURRENCY: "dollars"`, "Something is wrong")
}

func TestDoctorOnPortsAndPrograms(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"status":"alive","program":"enqueuer","version":"v1"}`))
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`{"status":"failing","program":"enqueuer","checks":{"redis":{"ok":false,"error":"timed out"},"postgres":{"ok":true}}}`))
	})
	ours := httptest.NewServer(mux)
	t.Cleanup(ours.Close)
	foreign := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(foreign.Close)
	code, found := examined(t, map[string]string{
		"PORT": portOf(t, ours.URL), "MONITOR_PORT": portOf(t, foreign.URL), "WORKER_PORT": portOf(t, deadAddress(t)), "SIMULATOR": "off",
		"OLLAMA_URL": "http://127.0.0.1:1",
	})
	if code != exitPartial {
		t.Errorf("code = %d", code)
	}
	for _, tc := range []struct{ name, status, detail string }{
		{"PORT " + portOf(t, ours.URL), checkOK, "ours: enqueuer v1"},
		{"MONITOR_PORT " + portOf(t, foreign.URL), checkFail, "taken by another program"},
		{"api", checkFail, "is failing: redis timed out"},
		{"enqueuer", checkFail, "cannot work: redis timed out"},
		{"worker", checkFail, "does not run, while other programs of ours do"},
		{"ollama", checkFail, "does not answer as it should"},
		{"openrouter", checkWarn, "not configured"},
		{"route simple", checkOK, "(skipped:"},
		{"data", checkOK, "holds no database yet"},
	} {
		if f := found[tc.name]; f.Status != tc.status || !strings.Contains(f.Detail, tc.detail) {
			t.Errorf("%s: %+v, want %s %q", tc.name, f, tc.status, tc.detail)
		}
	}
}

func portOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}

func TestDoctorOnProvidersStoresAndData(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	if err := os.Mkdir(filepath.Join(data, "postgres"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "postgres", "PG_VERSION"), []byte("8\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	dead := portOf(t, deadAddress(t))
	base := map[string]string{"PORT": dead, "MONITOR_PORT": portOf(t, deadAddress(t)), "WORKER_PORT": portOf(t, deadAddress(t))}
	for _, tc := range []struct {
		name    string
		environ map[string]string
		check   string
		status  string
		detail  string
	}{
		{"no provider", map[string]string{"SIMULATOR": "off"}, "providers", checkFail, "none is configured"},
		{"no candidate", map[string]string{"SIMULATOR": "off"}, "route simple", checkFail, "no candidate has a configured provider"},
		{"simulator", map[string]string{"SIMULATOR": "on", "SIMULATOR_PORT": portOf(t, deadAddress(t))}, "providers", checkWarn, "not real"},
		{"nothing runs", nil, "api", checkFail, "no answer from http://localhost:" + dead},
		{"data of another version", map[string]string{"DATA_DIR": data}, "data", checkFail, "PostgreSQL 8, which was not found"},
		{"database away", map[string]string{"DATABASE_URL": "postgres://u:hunter2@127.0.0.1:" + dead + "/d?sslmode=disable"}, "postgres", checkFail, "connection refused"},
		{"Redis away", map[string]string{"REDIS_URL": "redis://:hunter2@127.0.0.1:" + dead}, "redis", checkFail, "does not answer"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			environ := map[string]string{}
			for _, m := range []map[string]string{base, tc.environ} {
				maps.Copy(environ, m)
			}
			_, found := examined(t, environ)
			f := found[tc.check]
			if f.Status != tc.status || !strings.Contains(f.Detail, tc.detail) {
				t.Errorf("%+v, want %s %q", f, tc.status, tc.detail)
			}
			if strings.Contains(f.Detail+f.Mend, "hunter2") {
				t.Error("a password is printed")
			}
		})
	}
}
