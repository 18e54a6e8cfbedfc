package events_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
)

// eventType is how the types of events look, and nothing else that is written in the code that makes them.
var eventType = regexp.MustCompile(`^(job|leads?|content|post|campaign|account|linkedin|budget|cost|alert|subscription|breaker)\.[a-z_]+$`)

// otherWords look like types and are none.
var otherWords = []string{"job.finished"} // the type of a callback's body

// documented reads the table of types: each type with its members.
func documented(t *testing.T) map[string]map[string]bool {
	t.Helper()
	page, err := os.ReadFile("../../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	quoted := regexp.MustCompile("`([a-z_.]+)`")
	out := map[string]map[string]bool{}
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 {
			continue
		}
		members := map[string]bool{}
		for _, m := range quoted.FindAllStringSubmatch(cells[3], -1) {
			members[m[1]] = true
		}
		for _, m := range quoted.FindAllStringSubmatch(cells[1], -1) {
			out[m[1]] = members
		}
	}
	return out
}

// made is what the code of a function writes: types of events, and names of members.
type made struct {
	where   string
	types   map[string]bool
	members map[string]bool
}

// makers are the functions that make events.
func makers(t *testing.T) []made {
	t.Helper()
	var out []made
	named := map[string]string{} // constants that hold types
	var files []*ast.File
	set := token.NewFileSet()
	for _, dir := range []string{"../../store", "../../tasks", "../wiring"} {
		names, err := filepath.Glob(dir + "/*.go")
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v", dir, err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
			for _, d := range f.Decls {
				constants(d, named)
			}
		}
	}
	for _, f := range files {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			m := made{where: set.Position(fn.Pos()).String(), types: map[string]bool{}, members: map[string]bool{}}
			ast.Inspect(fn.Body, func(n ast.Node) bool { return m.look(n, named) })
			if len(m.types) > 0 {
				out = append(out, m)
			}
		}
	}
	return out
}

func constants(d ast.Decl, into map[string]string) {
	g, ok := d.(*ast.GenDecl)
	if !ok || g.Tok != token.CONST {
		return
	}
	for _, spec := range g.Specs {
		if v, ok := spec.(*ast.ValueSpec); ok && len(v.Values) == 1 {
			if s := text(v.Values[0]); eventType.MatchString(s) {
				into[v.Names[0].Name] = s
			}
		}
	}
}

func text(e ast.Expr) string {
	if l, ok := e.(*ast.BasicLit); ok && l.Kind == token.STRING {
		if s, err := strconv.Unquote(l.Value); err == nil {
			return s
		}
	}
	return ""
}

func (m *made) look(n ast.Node, named map[string]string) bool {
	switch n := n.(type) {
	case *ast.AssignStmt: // the result of a job is no part of its event
		id, ok := n.Lhs[0].(*ast.Ident)
		return !ok || id.Name != "result"
	case *ast.BasicLit:
		if s := text(n); eventType.MatchString(s) && !slices.Contains(otherWords, s) {
			m.types[s] = true
		}
	case *ast.Ident:
		if s := named[n.Name]; s != "" {
			m.types[s] = true
		}
	case *ast.CompositeLit:
		if _, isMap := n.Type.(*ast.MapType); !isMap {
			return true
		}
		for _, e := range n.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok {
				if s := text(kv.Key); s != "" {
					m.members[s] = true
				}
			}
		}
	}
	return true
}

// Every type of event that the code makes is in the table of docs/events.md with the members that it has, and the table
// names no other.
func TestPageNamesEveryEventWithItsMembers(t *testing.T) {
	t.Parallel()
	page, inCode := documented(t), map[string]bool{}
	for _, end := range []string{"job.succeeded", "job.failed", "job.canceled"} { // in SQL: 'job.' || state
		inCode[end] = true
	}
	for _, m := range makers(t) {
		known := map[string]bool{}
		for kind := range m.types {
			inCode[kind] = true
			if page[kind] == nil {
				t.Errorf("%s makes %s, which docs/events.md does not name", m.where, kind)
			}
			maps.Copy(known, page[kind])
		}
		for member := range m.members {
			if !known[member] {
				t.Errorf("%s: docs/events.md does not name the member %q of %v", m.where, member, slices.Sorted(maps.Keys(m.types)))
			}
		}
	}
	for _, kind := range growth.EventTypes { // also what SQL alone puts together
		if page[kind] == nil {
			t.Errorf("docs/events.md does not name %s, which can be asked for", kind)
		}
	}
	for kind := range page {
		if eventType.MatchString(kind) && !inCode[kind] {
			t.Errorf("docs/events.md names %s, which nothing makes", kind)
		}
	}
	if len(inCode) < 25 {
		t.Errorf("only %d types were found", len(inCode))
	}
}
