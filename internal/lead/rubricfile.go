package lead

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	growth "github.com/zakibelm/astrogrowth"
)

const opParse = "lead.Parse"

// maxPointsOfLevel keeps sums of points far from where numbers lose their last digits.
const maxPointsOfLevel = 1_000_000

// Parse reads a rubric from YAML. An error names the line at fault. The same text is read once: what is given back is
// shared and is not to be changed.
func Parse(src []byte) (Rubric, error) { return parsed.of(src, parse) }

func parse(src []byte) (Rubric, error) {
	r := Rubric{
		Formula:  Formula{Fit: 0.6, Intent: 0.4},
		Grade:    Thresholds{First: 70, Second: 40},
		Priority: Thresholds{First: 70, Second: 40},
	}
	dec := yaml.NewDecoder(bytes.NewReader(src))
	dec.KnownFields(true)
	if err := dec.Decode(&r); err != nil {
		if errors.Is(err, io.EOF) {
			return Rubric{}, growth.InvalidField(opParse, "rubric", "the rubric is empty")
		}
		return Rubric{}, growth.InvalidField(opParse, "rubric", "%s", strings.ReplaceAll(err.Error(), "lead.", ""))
	}
	var tree yaml.Node
	if err := yaml.Unmarshal(src, &tree); err != nil {
		return Rubric{}, growth.InvalidField(opParse, "rubric", "%s", err)
	}
	c := rubricCheck{tree: &tree}
	if err := c.check(&r); err != nil {
		return Rubric{}, err
	}
	r.digest = digestOf(src)
	return r, nil
}

// rubricCheck finds what YAML's own types do not, with the line where it stands.
type rubricCheck struct{ tree *yaml.Node }

// at makes an error about the node at path, a list of keys and indexes.
func (c rubricCheck) at(path []any, format string, args ...any) error {
	n := c.tree
	if n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
		n = n.Content[0]
	}
	line := n.Line
	for _, step := range path {
		if n = child(n, step); n == nil {
			break
		}
		line = n.Line
	}
	return growth.InvalidField(opParse, "rubric", "line %d: %s", line, fmt.Sprintf(format, args...))
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

func (c rubricCheck) check(r *Rubric) error {
	switch {
	case !rubricName.MatchString(r.Name):
		return c.at([]any{"name"}, "name must be lower-case letters, digits, '-', '_' and '.'")
	case !rubricName.MatchString(r.Version):
		return c.at([]any{"version"}, "version must be lower-case letters, digits, '-', '_' and '.'")
	case len(r.Criteria) == 0:
		return c.at([]any{"criteria"}, "there are no criteria")
	case !(math.Abs(r.Formula.Fit+r.Formula.Intent-1) <= 1e-9) || // also what is no number
		r.Formula.Fit < 0 || r.Formula.Intent < 0:
		return c.at([]any{"formula"}, "the weights of fit and intent must make 1 together")
	}
	for name, t := range map[string]Thresholds{"grade": r.Grade, "priority": r.Priority} {
		if t.Second < 0 || t.First < t.Second || t.First > 100 {
			return c.at([]any{name}, "%s: first must not be below second, both from 0 to 100", name)
		}
	}
	for i, f := range r.Fields {
		if f != extraPrefix+"*" && !knownField(f) {
			return c.at([]any{"fields", i}, "%q is no field of a lead", f)
		}
		if privateFields[f] != "" {
			return c.at([]any{"fields", i}, "%q is personal data and is never shown to a model", f)
		}
	}
	for i := range r.Gates {
		if err := c.gate(r, i); err != nil {
			return err
		}
	}
	return c.criteria(r)
}

func (c rubricCheck) gate(r *Rubric, i int) error {
	g := &r.Gates[i]
	path := []any{"gates", i}
	if g.ID == "" || g.Reason.EN == "" || g.Reason.FR == "" {
		return c.at(path, "a gate needs an id and a reason in en and fr")
	}
	return c.rule(r, &g.Rule, append(path, "rule"))
}

func (c rubricCheck) criteria(r *Rubric) error {
	most := map[Axis]float64{}
	seen := map[string]bool{}
	for i := range r.Criteria {
		cr := &r.Criteria[i]
		path := []any{"criteria", i}
		switch {
		case !rubricName.MatchString(cr.ID):
			return c.at(append(path, "id"), "a criterion needs an id of lower-case letters, digits, '-', '_' and '.'")
		case seen[cr.ID]:
			return c.at(append(path, "id"), "the criterion %q comes twice", cr.ID)
		case cr.Axis != Fit && cr.Axis != Intent:
			return c.at(append(path, "axis"), "axis must be fit or intent")
		case cr.Question.EN == "" || cr.Question.FR == "":
			return c.at(append(path, "question"), "a criterion needs its question in en and fr")
		case len(cr.Levels) == 0:
			return c.at(append(path, "levels"), "a criterion needs levels")
		}
		seen[cr.ID] = true
		if err := c.levels(r, cr, append(path, "levels")); err != nil {
			return err
		}
		most[cr.Axis] += cr.Max()
	}
	for _, a := range []Axis{Fit, Intent} {
		if most[a] <= 0 {
			return c.at([]any{"criteria"}, "no criterion of the axis %s earns points", a)
		}
	}
	return nil
}

func (c rubricCheck) levels(r *Rubric, cr *Criterion, path []any) error {
	seen := map[string]bool{Unknown: true}
	for j := range cr.Levels {
		l := &cr.Levels[j]
		at := append(slices.Clip(path), j)
		switch {
		case !rubricName.MatchString(l.Level) || seen[l.Level]:
			return c.at(append(at, "level"), "the level %q of %s comes twice, is %q, or is no plain name", l.Level, cr.ID, Unknown)
		case !(l.Points >= 0 && l.Points <= maxPointsOfLevel):
			return c.at(append(at, "points"), "points must be from 0 to %d", maxPointsOfLevel)
		case l.When == "":
			return c.at(at, "the level %q needs the words (when) by which a reader knows it", l.Level)
		}
		seen[l.Level] = true
		for k := range l.Rules {
			if err := c.rule(r, &l.Rules[k], append(slices.Clip(at), "rules", k)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c rubricCheck) rule(r *Rubric, rule *Rule, path []any) error {
	if err := rule.prepare(); err != nil {
		return c.at(path, "%s", err)
	}
	for _, f := range rule.Fields {
		if !r.shows(f) {
			return c.at(path, "the rule reads %q, which this rubric does not show: it is not among its fields, or personal data by its name", f)
		}
	}
	return nil
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
