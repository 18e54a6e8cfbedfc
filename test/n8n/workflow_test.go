// Package n8n holds the workflows of n8n-workflows to what n8n takes. The lint needs nothing but the files and runs with
// every test: importing a workflow checks neither node types nor parameters, so a fault would be met by a user first.
// Behind the build tag n8n a genuine n8n imports the same files and runs them against the built product.
package n8n

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

const workflowDir = "../../n8n-workflows"

// workflow is a file as n8n exports and imports it, with the members that a file may carry.
type workflow struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Nodes       []node            `json:"nodes"`
	Connections map[string]ways   `json:"connections"`
	Settings    map[string]any    `json:"settings"`
	PinData     map[string]any    `json:"pinData"`
	Active      bool              `json:"active"`
	Meta        map[string]any    `json:"meta"`
	Tags        []json.RawMessage `json:"tags"`
}

type node struct {
	ID          string                       `json:"id"`
	Name        string                       `json:"name"`
	Type        string                       `json:"type"`
	Version     float64                      `json:"typeVersion"`
	Position    []float64                    `json:"position"`
	Parameters  map[string]any               `json:"parameters"`
	Credentials map[string]map[string]string `json:"credentials"`
	WebhookID   string                       `json:"webhookId"`
	RetryOnFail bool                         `json:"retryOnFail"`
	MaxTries    int                          `json:"maxTries"`
	Wait        int                          `json:"waitBetweenTries"`
	OnError     string                       `json:"onError"`
	Notes       string                       `json:"notes"`
	NotesInFlow bool                         `json:"notesInFlow"`
}

// ways are the connections out of a node: for each output the inputs that it leads to.
type ways struct {
	Main [][]way `json:"main"`
}

type way struct {
	Node  string `json:"node"`
	Type  string `json:"type"`
	Index int    `json:"index"`
}

func (w *workflow) node(name string) *node {
	for i := range w.Nodes {
		if w.Nodes[i].Name == name {
			return &w.Nodes[i]
		}
	}
	return nil
}

// next lists the nodes that an output of a node leads to.
func (w *workflow) next(name string, output int) []string {
	var out []string
	if outs := w.Connections[name].Main; output < len(outs) {
		for _, to := range outs[output] {
			out = append(out, to.Node)
		}
	}
	return out
}

// at follows member names into the parameters.
func (n *node) at(path ...string) any {
	var v any = n.Parameters
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

func (n *node) str(path ...string) string {
	s, _ := n.at(path...).(string)
	return s
}

// files reads every workflow of the repository.
func files(t *testing.T) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(workflowDir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	out := map[string][]byte{}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(name)] = raw
	}
	return out
}
