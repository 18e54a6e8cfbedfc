package lead

import (
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	growth "github.com/zakibelm/astrogrowth"
)

// MaxRubric is how long the YAML of a rubric may be, in bytes.
const MaxRubric = 256 << 10

// BuiltIn gives the YAML of a built-in rubric by its name.
func BuiltIn(name string) ([]byte, error) {
	src, err := builtIn.ReadFile("rubrics/" + name + ".yaml")
	if err != nil {
		return nil, growth.Errorf(growth.NotFound, "lead.BuiltIn", "there is no built-in rubric %q", name)
	}
	return src, nil
}

// Document is the YAML of a rubric as JSON: what was written, without the defaults.
func Document(src []byte) (json.RawMessage, error) {
	var tree map[string]any
	if err := yaml.Unmarshal(src, &tree); err != nil {
		return nil, fmt.Errorf("read rubric: %w", err)
	}
	b, err := json.Marshal(tree)
	if err != nil {
		return nil, fmt.Errorf("encode rubric: %w", err)
	}
	return b, nil
}

// Knows says what is wrong with a level of a criterion; empty: the rubric has both.
func (r Rubric) Knows(criterion, level string) string {
	c, ok := r.criterion(criterion)
	if !ok {
		names := make([]string, len(r.Criteria))
		for i, c := range r.Criteria {
			names[i] = c.ID
		}
		return fmt.Sprintf("%s has no such criterion; it has %s", r.ID(), strings.Join(names, ", "))
	}
	if _, ok := c.level(level); ok || level == Unknown {
		return ""
	}
	names := []string{Unknown}
	for _, l := range c.Levels {
		names = append(names, l.Level)
	}
	return fmt.Sprintf("%s has no such level; use %s", criterion, strings.Join(names, ", "))
}
