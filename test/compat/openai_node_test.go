package compat

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// The official client for Node. It is installed for the test, in this version.
const nodeClient = "openai@6.49.0"

// step is what node/openai.mjs says of one thing that it tried.
type step struct {
	Name, Fault string
}

func TestNodeClient(t *testing.T) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skip("npm is not on this machine")
	}
	dir := t.TempDir()
	script, err := os.ReadFile("node/openai.mjs")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "openai.mjs"), script, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	install := exec.CommandContext(ctx, npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--legacy-peer-deps", nodeClient)
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("install: %v\n%s", err, out)
	}
	up.fault(t, `[{"provider":"openrouter","model":"google/gemini-2.5-flash-lite","kind":"429"},
		{"provider":"openrouter","model":"google/gemini-3.1-flash-lite","kind":"error_in_200","params":{"after":2}},
		{"provider":"openrouter","model":"google/gemini-3.5-flash","kind":"stall","params":{"after":2}}]`)
	before := up.canceled(t)
	run := exec.CommandContext(ctx, "node", "openai.mjs", up.api+"/v1")
	run.Dir, run.Stderr = dir, os.Stderr
	out, err := run.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var steps []step
	if err := json.Unmarshal(out, &steps); err != nil || len(steps) < 12 {
		t.Fatalf("%d steps, %v: %s", len(steps), err, out)
	}
	for _, s := range steps {
		t.Run(s.Name, func(t *testing.T) {
			if s.Fault != "" {
				t.Error(s.Fault)
			}
		})
	}
	up.await(t, "the simulator to see its client leave twice", func() bool { return up.canceled(t) == before+2 })
}
