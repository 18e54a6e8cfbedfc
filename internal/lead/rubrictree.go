package lead

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxNodes bounds what aliases can make of a text.
const maxNodes = 100_000

// rubricTree holds the tree of a text against the shape of a rubric: what YAML's own decoder stops at is told with its
// place, and all of it at once.
type rubricTree struct {
	faults *faults
	nodes  int
}

// look compares a node with the type that it is read into.
func (t *rubricTree) look(n *yaml.Node, want reflect.Type, path []any) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if t.nodes++; t.nodes > maxNodes {
		t.faults.add(RubricFault{Field: "rubric", Line: n.Line, Want: "the aliases of this text make too much of it; write it out"})
		return
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return // as if it were not there
	}
	for want.Kind() == reflect.Pointer {
		want = want.Elem()
	}
	switch want.Kind() {
	case reflect.Struct:
		t.mapping(n, want, path)
	case reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			t.wrong(n, path, "must be a list, as [a, b]")
			return
		}
		for i, item := range n.Content {
			t.look(item, want.Elem(), append(slices.Clip(path), i))
		}
	default:
		t.scalar(n, want, path)
	}
}

func (t *rubricTree) scalar(n *yaml.Node, want reflect.Type, path []any) {
	if n.Decode(reflect.New(want).Interface()) == nil {
		return
	}
	switch want.Kind() {
	case reflect.Float64:
		t.wrong(n, path, "must be a number, as 10 or 0.5")
	case reflect.Int:
		t.wrong(n, path, "must be a whole number")
	case reflect.Bool:
		t.wrong(n, path, "must be true or false")
	default:
		t.wrong(n, path, "must be one text")
	}
}

func (t *rubricTree) mapping(n *yaml.Node, want reflect.Type, path []any) {
	fields := keysOf(want)
	known := make([]string, 0, len(fields))
	for _, f := range fields {
		known = append(known, f.key)
	}
	if n.Kind != yaml.MappingNode {
		t.wrong(n, path, "must be a group of the keys "+strings.Join(known, ", "))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := append(slices.Clip(path), key.Value)
		if key.Tag == "!!merge" {
			t.merged(value, want, path)
			continue
		}
		j := slices.Index(known, key.Value)
		switch {
		case j < 0:
			t.unknown(key, at, known, path)
		case seen[key.Value]:
			t.faults.add(RubricFault{Field: pathText(at), Line: key.Line, Want: "the key comes twice; keep one"})
		default:
			seen[key.Value] = true
			t.look(value, fields[j].of, at)
		}
	}
}

// merged looks at what "<<" takes over.
func (t *rubricTree) merged(n *yaml.Node, want reflect.Type, path []any) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.SequenceNode {
		t.look(n, want, path)
		return
	}
	for _, item := range n.Content {
		t.look(item, want, path)
	}
}

// unknown names the key that was meant. That key is not called missing besides.
func (t *rubricTree) unknown(key *yaml.Node, at []any, known []string, parent []any) {
	says := fmt.Sprintf("there is no key %q here; use %s", key.Value, strings.Join(known, ", "))
	if near := nearest(key.Value, known); near != "" {
		says = fmt.Sprintf("there is no key %q here; did you mean %s?", key.Value, near)
		t.faults.meant(pathText(append(slices.Clip(parent), near)))
	}
	t.faults.add(RubricFault{Field: pathText(at), Line: key.Line, Got: key.Value, Want: says})
}

func (t *rubricTree) wrong(n *yaml.Node, path []any, want string) {
	got := n.Value
	switch n.Kind {
	case yaml.SequenceNode:
		got = "a list"
	case yaml.MappingNode:
		got = "a group of keys"
	default:
	}
	t.faults.add(RubricFault{Field: pathText(path), Line: n.Line, Got: got, Want: want})
}

type yamlKey struct {
	key string
	of  reflect.Type
}

func keysOf(t reflect.Type) []yamlKey {
	var out []yamlKey
	for f := range t.Fields() {
		if key := f.Tag.Get("yaml"); key != "" {
			out = append(out, yamlKey{key, f.Type})
		}
	}
	return out
}
