package daemon_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/zakibelm/astrogrowth/internal/daemon"
)

// lines reads a JSON log and gives each line's fields.
func lines(t *testing.T, text string) []map[string]any {
	t.Helper()
	var all []map[string]any
	scan := bufio.NewScanner(strings.NewReader(text))
	for scan.Scan() {
		fields := map[string]any{}
		if err := json.Unmarshal(scan.Bytes(), &fields); err != nil {
			t.Fatalf("%s: %v", scan.Text(), err)
		}
		all = append(all, fields)
	}
	return all
}

func messages(t *testing.T, text string) []string {
	t.Helper()
	var all []string
	for _, fields := range lines(t, text) {
		s, ok := fields["message"].(string)
		if !ok {
			t.Fatalf("a line without a message: %v", fields)
		}
		all = append(all, s)
	}
	return all
}

func TestLoggerSortsByLevelIntoFiles(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	dir := filepath.Join(t.TempDir(), "logs")
	log, files := daemon.NewLogger(daemon.LogOptions{Level: "info", Dir: dir, Program: "worker", Out: &out})
	log.Debug().Msg("a")
	log.Info().Msg("b")
	log.Warn().Msg("c")
	log.Error().Msg("d")
	if err := files.Close(); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"out", out.String(), []string{"b", "c", "d"}},
		{"combined.log", read(t, dir, "combined.log"), []string{"b", "c", "d"}},
		{"error.log", read(t, dir, "error.log"), []string{"d"}},
	} {
		if diff := cmp.Diff(tc.want, messages(t, tc.text)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
	first := lines(t, out.String())[0]
	if first["program"] != "worker" || first["level"] != "info" {
		t.Errorf("line = %v, want program and level", first)
	}
	stamp, _ := first["time"].(string)
	if at, err := time.Parse(time.RFC3339Nano, stamp); err != nil || time.Since(at) > time.Minute || !strings.Contains(stamp, ".") {
		t.Errorf("time = %q, want now with milliseconds", stamp)
	}
}

func TestLoggerForPeopleAndUnknownLevel(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, files := daemon.NewLogger(daemon.LogOptions{Level: "noisy", Console: true, Out: &out})
	log.Debug().Msg("hidden")
	log.Info().Str("job", "42").Msg("ready")
	if err := files.Close(); err != nil {
		t.Fatal(err)
	}
	got := out.String()
	if strings.HasPrefix(got, "{") || !strings.Contains(got, "ready") || !strings.Contains(got, "42") {
		t.Errorf("console line = %q", got)
	}
	if strings.Contains(got, "hidden") {
		t.Error("an unknown level does not fall back to info")
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
