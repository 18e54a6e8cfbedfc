package router

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	growth "github.com/zakibelm/astrogrowth"
)

// maxRouteFile bounds what is read as a route file; the built-in one has 3 kB.
const maxRouteFile = 1 << 20

// RouteProblem is one thing that is wrong with a route file.
type RouteProblem struct {
	Line int    `json:"line"` // 0: of the file as a whole
	Text string `json:"text"`
}

// String names the line first, as compilers do.
func (p RouteProblem) String() string {
	if p.Line == 0 {
		return p.Text
	}
	return fmt.Sprintf("line %d: %s", p.Line, p.Text)
}

// RouteFileError holds everything that is wrong with a route file, in the order of its lines.
type RouteFileError struct{ Problems []RouteProblem }

// Error has one problem on each line.
func (e *RouteFileError) Error() string {
	lines := make([]string, 0, len(e.Problems))
	for _, p := range e.Problems {
		lines = append(lines, "routes: "+p.String())
	}
	return strings.Join(lines, "\n")
}

// ParseRoutes reads a route file. Every problem is reported, each with its line, as a *RouteFileError.
func ParseRoutes(b []byte) (Routes, error) {
	p := &routeParser{families: map[string]Candidate{}, known: map[string]bool{}}
	routes := p.file(b)
	if len(p.problems) == 0 {
		return routes, nil
	}
	slices.SortStableFunc(p.problems, func(a, b RouteProblem) int { return a.Line - b.Line })
	return nil, &RouteFileError{p.problems}
}

// routeParser reads the tree of a route file by hand: a decoder into structs knows neither where a value stood nor which
// keys nobody reads, and an operator who misspells a key must be told so.
type routeParser struct {
	problems []RouteProblem
	families map[string]Candidate
	known    map[string]bool // families by name, faulty ones too: a second complaint about them would only confuse
}

func (p *routeParser) complain(line int, format string, args ...any) {
	p.problems = append(p.problems, RouteProblem{line, fmt.Sprintf(format, args...)})
}

var (
	yamlLine = regexp.MustCompile(`^yaml: (?:line ([0-9]+): )?`)
	// The library counts the lines of these faults from 0, and those of all others from 1.
	fromZero = regexp.MustCompile(`did not find expected (<|node content|'-' indicator|key|',' or)`)
)

// tree gives the file's only document.
func (p *routeParser) tree(b []byte) *yaml.Node {
	if len(b) > maxRouteFile {
		p.complain(0, "the file is larger than %d bytes", maxRouteFile)
		return nil
	}
	var doc, next yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(b))
	err := dec.Decode(&doc)
	switch {
	case errors.Is(err, io.EOF):
		p.complain(0, "the file is empty")
		return nil
	case err != nil:
		line := 0
		if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
			line, _ = strconv.Atoi(m[1])
		}
		if line > 0 && fromZero.MatchString(err.Error()) {
			line++
		}
		p.complain(line, "not YAML: %s", yamlLine.ReplaceAllString(err.Error(), ""))
		return nil
	}
	if err := dec.Decode(&next); err == nil {
		p.complain(next.Line, "a second document begins here; only the first would be read")
	}
	if len(doc.Content) == 0 {
		p.complain(0, "the file is empty")
		return nil
	}
	return doc.Content[0]
}

func (p *routeParser) file(b []byte) Routes {
	root := p.tree(b)
	if root == nil {
		return nil
	}
	fields := p.mapping(root, "the file", "version", "families", "routes")
	if n := fields["version"]; n == nil {
		p.complain(root.Line, "version is missing; write version: 1")
	} else if n.Value != "1" {
		p.complain(n.Line, "version is %s, and 1 is the only one known", shown(n))
	}
	p.readFamilies(root, fields["families"])
	return p.readRoutes(root, fields["routes"])
}

func (p *routeParser) readFamilies(root, n *yaml.Node) {
	if n == nil {
		p.complain(root.Line, "families is missing")
		return
	}
	p.entries(n, "families", func(name string, key, value *yaml.Node) {
		p.known[name] = true
		if name == "" {
			p.complain(key.Line, "a family has no name")
		}
		p.families[name] = p.family(name, key.Line, value)
	})
}

func (p *routeParser) family(name string, line int, n *yaml.Node) Candidate {
	where := fmt.Sprintf("family %q", name)
	fields := p.mapping(n, where, "provider", "slugs", "paid")
	c := Candidate{Family: name}
	if v := fields["provider"]; v == nil {
		p.complain(line, "%s: provider is missing", where)
	} else if c.Provider = p.text(v, where+": provider"); c.Provider != "" && !providerName.MatchString(c.Provider) {
		p.complain(v.Line, "%s: provider is %s; a name has letters, digits and dashes", where, shown(v))
	}
	seen := map[string]int{}
	if v := fields["slugs"]; v == nil {
		p.complain(line, "%s: slugs is missing; list at least one model", where)
	} else if c.Slugs = p.slugs(v, where+": slugs", seen); len(v.Content) == 0 && v.Kind == yaml.SequenceNode {
		p.complain(v.Line, "%s: slugs is empty; list at least one model", where)
	}
	if v := fields["paid"]; v != nil {
		c.Paid = p.slugs(v, where+": paid", seen)
	}
	return c
}

var (
	providerName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)
	blank        = regexp.MustCompile(`\s`)
)

// slugs reads a list of models; seen holds the lines of those that the family has already.
func (p *routeParser) slugs(n *yaml.Node, where string, seen map[string]int) []string {
	var out []string
	for _, v := range p.list(n, where) {
		slug := p.text(v, where)
		switch {
		case slug == "":
			continue // said already
		case blank.MatchString(slug):
			p.complain(v.Line, "%s: %s holds a blank", where, shown(v))
		case seen[slug] > 0:
			p.complain(v.Line, "%s: %s stands already in line %d", where, shown(v), seen[slug])
		default:
			seen[slug] = v.Line
			out = append(out, slug)
		}
	}
	return out
}

func (p *routeParser) readRoutes(root, n *yaml.Node) Routes {
	out := Routes{}
	if n == nil {
		p.complain(root.Line, "routes is missing")
		return out
	}
	read := map[*yaml.Node]Route{} // a route that another one repeats by alias is read, and its faults are told, once
	p.entries(n, "routes", func(name string, key, value *yaml.Node) {
		task := growth.TaskType(name)
		if !task.Valid() {
			p.complain(key.Line, "there is no task type %q; use one of %v", name, growth.TaskTypes())
			return
		}
		if _, again := read[value]; !again {
			read[value] = p.route(task, key.Line, value)
		}
		out[task] = read[value]
	})
	for _, task := range growth.TaskTypes() {
		if _, ok := out[task]; !ok {
			p.complain(n.Line, "there is no route for %s", task)
		}
	}
	return out
}

// text reads a value that must be a word; an empty one is said to be.
func (p *routeParser) text(n *yaml.Node, where string) string {
	n = plain(n)
	switch {
	case n.Kind != yaml.ScalarNode:
		p.complain(n.Line, "%s: a single value is expected", where)
	case strings.TrimSpace(n.Value) == "" || n.Tag == "!!null":
		p.complain(n.Line, "%s: a value is empty", where)
	default:
		return n.Value
	}
	return ""
}

func (p *routeParser) list(n *yaml.Node, where string) []*yaml.Node {
	n = plain(n)
	if n.Kind != yaml.SequenceNode {
		p.complain(n.Line, "%s: a list is expected, as [a, b]", where)
		return nil
	}
	return n.Content
}

// entries calls f for each member of a mapping; what stands there twice is said and read once.
func (p *routeParser) entries(n *yaml.Node, where string, f func(name string, key, value *yaml.Node)) {
	n = plain(n)
	if n.Kind != yaml.MappingNode {
		p.complain(n.Line, "%s: names with values are expected, as name: value", where)
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], plain(n.Content[i+1])
		if line := seen[key.Value]; line > 0 {
			p.complain(key.Line, "%s: %s stands already in line %d", where, key.Value, line)
			continue
		}
		seen[key.Value] = key.Line
		f(key.Value, key, value)
	}
}

// mapping reads a mapping whose keys are known.
func (p *routeParser) mapping(n *yaml.Node, where string, known ...string) map[string]*yaml.Node {
	out := map[string]*yaml.Node{}
	p.entries(n, where, func(name string, key, value *yaml.Node) {
		if !slices.Contains(known, name) {
			p.complain(key.Line, "%s: there is no key %q; known are %s", where, name, strings.Join(known, ", "))
			return
		}
		out[name] = value
	})
	return out
}

// plain follows an alias to what it stands for.
func plain(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

func shown(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode {
		return "no single value"
	}
	return strconv.Quote(shorten(n.Value, 80))
}
