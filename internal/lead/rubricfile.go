package lead

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

const opParse = "lead.Parse"

// maxPointsOfLevel keeps sums of points far from where numbers lose their last digits.
const maxPointsOfLevel = 1_000_000

// Parse reads a rubric from YAML. A *RubricError tells everything that is wrong with it, each fault with its place. The
// same text is read once: what is given back is shared and is not to be changed.
func Parse(src []byte) (Rubric, error) { return parsed.of(src, parse) }

// ParseKept reads a rubric that was taken before. What rubrics must not do since then it may go on to have: a second
// document is passed over, and a rule on a field that has become private finds nothing.
func ParseKept(src []byte) (Rubric, error) { return parsedKept.of(src, parseKept) }

func parse(src []byte) (Rubric, error) { return parseRubric(src, false) }

func parseKept(src []byte) (Rubric, error) { return parseRubric(src, true) }

func parseRubric(src []byte, kept bool) (Rubric, error) {
	r := Rubric{
		Formula:  Formula{Fit: 0.6, Intent: 0.4},
		Grade:    Thresholds{First: 70, Second: 40},
		Priority: Thresholds{First: 70, Second: 40},
	}
	tree, err := oneDocument(src, kept)
	if err != nil {
		return Rubric{}, err
	}
	c := rubricCheck{tree: tree, kept: kept}
	shape := rubricTree{faults: &c.faults}
	shape.look(tree, reflect.TypeFor[Rubric](), nil)
	if err := tree.Decode(&r); err != nil && len(c.all) == 0 {
		return Rubric{}, syntaxFault(err)
	}
	c.check(&r)
	if err := c.err(); err != nil {
		return Rubric{}, err
	}
	r.digest = digestOf(src)
	return r, nil
}

// oneDocument reads the only document of a text. What follows a line of three dashes would be dropped without a word.
func oneDocument(src []byte, kept bool) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(src))
	var first *yaml.Node
	for {
		var doc yaml.Node
		switch err := dec.Decode(&doc); {
		case errors.Is(err, io.EOF) && first == nil:
			return nil, &RubricError{[]RubricFault{{Field: "rubric", Want: "the rubric is empty; see /v1/rubrics/" + DefaultRubric + "/yaml for one"}}}
		case errors.Is(err, io.EOF), err != nil && first != nil && kept:
			return first, nil
		case err != nil:
			return nil, syntaxFault(err)
		case len(doc.Content) == 0 || doc.Content[0].Tag == "!!null":
		case first == nil:
			first = doc.Content[0]
		case !kept:
			return nil, &RubricError{[]RubricFault{{
				Field: "rubric", Line: doc.Content[0].Line, Want: "a second document begins here, behind a line of ---; send one rubric at a time",
			}}}
		}
	}
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:unmarshal errors:\s*)?(?:line (\d+): )?`)

// syntaxFault is what keeps a text from being YAML at all.
func syntaxFault(err error) error {
	m := yamlLine.FindStringSubmatch(err.Error())
	line, _ := strconv.Atoi(m[1]) // 0 where the library names none
	return &RubricError{[]RubricFault{{
		Field: "rubric", Line: line, Want: "the text is no YAML from here on, or a little above: " + err.Error()[len(m[0]):],
	}}}
}

// rubricCheck finds what the shape of a rubric does not tell, with the place where it stands.
type rubricCheck struct {
	faults

	tree *yaml.Node
	kept bool
}

// at keeps a fault of the node at path, a list of keys and indexes.
func (c *rubricCheck) at(path []any, got, format string, args ...any) {
	field := pathText(path)
	if c.covers(field) {
		return
	}
	n := c.tree
	line := n.Line
	for _, step := range path {
		if n = child(n, step); n == nil {
			break
		}
		line = n.Line
	}
	c.add(RubricFault{Field: field, Line: line, Got: got, Want: fmt.Sprintf(format, args...)})
}

func child(n *yaml.Node, step any) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch s := step.(type) {
	case int:
		if n.Kind == yaml.SequenceNode && s < len(n.Content) {
			return n.Content[s]
		}
	case string:
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == s {
				return n.Content[i+1]
			}
		}
	}
	return nil
}

var rubricName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

const plainName = "must be lower-case letters, digits, '-', '_' and '.', at most 64"

func (c *rubricCheck) check(r *Rubric) {
	c.name(r.Name, "name")
	c.name(r.Version, "version")
	if len(r.Criteria) == 0 {
		c.at([]any{"criteria"}, "", "there are no criteria; a rubric needs one of the axis fit and one of the axis intent at least")
	}
	sum := r.Formula.Fit + r.Formula.Intent
	if !(math.Abs(sum-1) <= 1e-9) || r.Formula.Fit < 0 || r.Formula.Intent < 0 { // also what is no number
		c.at([]any{"formula"}, fmt.Sprintf("%v + %v = %v", r.Formula.Fit, r.Formula.Intent, sum),
			"the weights of fit and intent must make 1 together, as 0.6 and 0.4")
	}
	c.thresholds("grade", r.Grade)
	c.thresholds("priority", r.Priority)
	for i, f := range r.Fields {
		switch {
		case f != extraPrefix+"*" && !knownField(f):
			c.at([]any{"fields", i}, f, "must be a field of a lead%s", meantField(f))
		case privateFields[f] != "":
			c.at([]any{"fields", i}, "", "%q is personal data and is never shown to a model", f)
		}
	}
	gates := map[string]bool{}
	for i := range r.Gates {
		c.gate(r, i, gates)
	}
	c.criteria(r)
}

func (c *rubricCheck) name(value, key string) {
	if !rubricName.MatchString(value) {
		c.at([]any{key}, value, "%s %s", key, plainName)
	}
}

func (c *rubricCheck) thresholds(name string, t Thresholds) {
	if t.Second < 0 || t.First < t.Second || t.First > 100 {
		c.at([]any{name}, fmt.Sprintf("first %d, second %d", t.First, t.Second), "first must not be below second, both from 0 to 100")
	}
}

// meantField names the field that was meant, where one is near.
func meantField(f string) string {
	if near := nearest(f, FieldNames()); near != "" {
		return "; did you mean " + near + "?"
	}
	return ", as " + strings.Join(FieldNames(), ", ") + ", or extra. and a name"
}

func (c *rubricCheck) texts(t Text, what string, path []any) {
	for _, l := range []struct{ language, text string }{{"en", t.EN}, {"fr", t.FR}} {
		if l.text == "" {
			c.at(append(slices.Clip(path), l.language), "", "%s is needed in en and fr", what)
		}
	}
}

func (c *rubricCheck) gate(r *Rubric, i int, seen map[string]bool) {
	g := &r.Gates[i]
	path := []any{"gates", i}
	switch {
	case g.ID == "":
		c.at(append(path, "id"), "", "a gate needs an id")
	case seen[g.ID] && !c.kept:
		c.at(append(path, "id"), g.ID, "the id of a gate must be its own")
	}
	seen[g.ID] = true
	c.texts(g.Reason, "the reason of a gate", append(slices.Clip(path), "reason"))
	c.rule(r, &g.Rule, append(slices.Clip(path), "rule"))
}

func (c *rubricCheck) criteria(r *Rubric) {
	most := map[Axis]float64{}
	seen := map[string]int{}
	for i := range r.Criteria {
		cr := &r.Criteria[i]
		path := []any{"criteria", i}
		at := func(key string) []any { return append(slices.Clip(path), key) }
		first, twice := seen[cr.ID]
		switch {
		case !rubricName.MatchString(cr.ID):
			c.at(at("id"), cr.ID, "a criterion needs an id; it %s", plainName)
		case twice:
			c.at(at("id"), "", "the criterion %q comes twice; criteria[%d] has that id", cr.ID, first)
		default:
			seen[cr.ID] = i
		}
		if cr.Axis != Fit && cr.Axis != Intent {
			c.at(at("axis"), string(cr.Axis), "axis must be fit or intent")
		}
		c.texts(cr.Question, "the question of a criterion", at("question"))
		if len(cr.Levels) == 0 {
			c.at(at("levels"), "", "a criterion needs levels")
		}
		c.levels(r, cr, at("levels"))
		most[cr.Axis] += cr.Max()
	}
	for _, a := range []Axis{Fit, Intent} {
		if most[a] <= 0 && len(c.all) == 0 { // else the fault is one of those that are told already
			c.at([]any{"criteria"}, "", "no criterion of the axis %s earns points", a)
		}
	}
}

func (c *rubricCheck) levels(r *Rubric, cr *Criterion, path []any) {
	seen := map[string]bool{}
	for j := range cr.Levels {
		l := &cr.Levels[j]
		at := func(keys ...any) []any { return append(append(slices.Clip(path), j), keys...) }
		switch {
		case l.Level == Unknown:
			c.at(at("level"), l.Level, "every criterion has this level by itself; leave it out")
		case !rubricName.MatchString(l.Level):
			c.at(at("level"), l.Level, "level %s", plainName)
		case seen[l.Level]:
			c.at(at("level"), l.Level, "the levels of a criterion must differ")
		}
		seen[l.Level] = true
		if !(l.Points >= 0 && l.Points <= maxPointsOfLevel) {
			c.at(at("points"), fmt.Sprint(l.Points), "points must be from 0 to %d", maxPointsOfLevel)
		}
		if l.When == "" {
			c.at(at("when"), "", "the level %q needs the words (when) by which a reader knows it", l.Level)
		}
		for k := range l.Rules {
			c.rule(r, &l.Rules[k], at("rules", k))
		}
	}
}

func (c *rubricCheck) rule(r *Rubric, rule *Rule, path []any) {
	if field := pathText(path); c.covers(field) || c.within(field) { // what is at fault in it may be all that it lacks
		return
	}
	single := rule.Field != ""
	key := func(i int) []any {
		switch {
		case single && i == 0:
			return append(slices.Clip(path), "field")
		case single:
			i--
		}
		return append(slices.Clip(path), "fields", i)
	}
	if at, err := rule.prepare(); err != nil {
		where := append(slices.Clip(path), at.key)
		switch {
		case at.key == "fields":
			where = key(at.index)
		case at.key == "":
			where = path
		case at.index >= 0:
			where = append(where, at.index)
		}
		c.at(where, "", "%s", err)
		return
	}
	for i, f := range rule.Fields {
		if known := r.shows(f) || c.kept && strings.HasPrefix(f, extraPrefix); !known {
			c.at(key(i), "", "the rule reads %q, which this rubric does not show: it is not among its fields, or personal data by its name", f)
		}
	}
}

// shows says whether the view of this rubric holds the field.
func (r *Rubric) shows(field string) bool {
	if privateFields[field] != "" {
		return true
	}
	if name, ok := strings.CutPrefix(field, extraPrefix); ok && privateName(name) {
		return false
	}
	for _, f := range r.Fields {
		if f == field || f == extraPrefix+"*" && strings.HasPrefix(field, extraPrefix) {
			return true
		}
	}
	return false
}
