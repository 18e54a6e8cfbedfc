package growth_test

import (
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestProcfileStartsRealPrograms(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("Procfile")
	if err != nil {
		t.Fatal(err)
	}
	started := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, command, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok {
			t.Errorf("line %q is not of the form name: command", line)
		}
		started[name] = command
	}
	if diff := cmp.Diff([]string{"enqueuer", "monitor", "worker"}, slices.Sorted(maps.Keys(started))); diff != "" {
		t.Errorf("programs (-want +got):\n%s", diff)
	}
	for name, command := range started {
		program, ok := strings.CutPrefix(strings.Fields(command)[0], "bin/")
		if !ok {
			t.Errorf("%s: %q does not start a program of bin/", name, command)
			continue
		}
		requireProgram(t, program)
	}
}

// requireProgram fails unless cmd/name builds into a program.
func requireProgram(t *testing.T, name string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("cmd", name, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.PackageClauseOnly)
		if err != nil {
			t.Fatal(err)
		}
		if parsed.Name.Name == "main" {
			return
		}
	}
	t.Errorf("cmd/%s is no program", name)
}
