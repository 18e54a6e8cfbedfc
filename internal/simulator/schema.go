package simulator

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// conform returns a value that fits the schema and is as near to want as the schema allows; what want does not say is
// filled in from the source text. Without a schema, or with one that is none, it returns want as it is.
func conform(raw json.RawMessage, want any, source string) any {
	var schema any
	if len(raw) == 0 || json.Unmarshal(raw, &schema) != nil {
		return orAny(want, map[string]any{})
	}
	f := &form{root: schema, source: source, sentences: sentences(source), left: maxNodes}
	if len(f.sentences) > 50 {
		f.sentences = f.sentences[:50]
	}
	return f.fill(schema, want, "", 0)
}

func orAny(v, otherwise any) any {
	if v == nil {
		return otherwise
	}
	return v
}

// form fills in one schema. The limits keep a schema that a stranger wrote from costing more than an answer may.
type form struct {
	root      any
	source    string
	sentences []string
	left      int // nodes that may still be made
}

const (
	maxNodes  = 20_000
	maxNest   = 40
	shyNest   = 8 // below this only what is required is filled in
	maxItems  = 1000
	maxLength = 20_000
)

func (f *form) fill(schema, want any, name string, depth int) any {
	f.left--
	s := f.resolve(schema, depth)
	if f.left < 0 || depth > maxNest {
		return nil
	}
	if v, ok := s["const"]; ok {
		return v
	}
	if list, ok := s["enum"].([]any); ok && len(list) > 0 {
		return f.choose(list, want)
	}
	switch kindOf(s, want) {
	case "object":
		return f.object(s, want, depth)
	case "array":
		return f.array(s, want, name, depth)
	case "string":
		return f.text(s, want, name)
	case "integer":
		return f.number(s, want, name, true)
	case "number":
		return f.number(s, want, name, false)
	case "boolean":
		if b, ok := want.(bool); ok {
			return b
		}
		return overlap(stems(strings.ReplaceAll(name, "_", " ")), stems(clip(f.source, 4000))) > 0
	case "null":
		return nil
	}
	return want
}

// resolve follows references and folds allOf, anyOf and oneOf into one object of keywords.
func (f *form) resolve(schema any, depth int) map[string]any {
	for range maxNest {
		s, ok := schema.(map[string]any)
		if !ok {
			return nil
		}
		ref, ok := s["$ref"].(string)
		if !ok {
			return f.merged(s, depth)
		}
		schema = f.lookUp(ref)
	}
	return nil
}

func (f *form) lookUp(ref string) any {
	path, ok := strings.CutPrefix(ref, "#")
	if !ok {
		return nil
	}
	at := f.root
	for part := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if part == "" {
			continue
		}
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		switch v := at.(type) {
		case map[string]any:
			at = v[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(v) {
				return nil
			}
			at = v[i]
		default:
			return nil
		}
	}
	return at
}

func (f *form) merged(s map[string]any, depth int) map[string]any {
	var parts []any
	if all, ok := s["allOf"].([]any); ok {
		parts = append(parts, all...)
	}
	for _, key := range []string{"anyOf", "oneOf"} {
		if list, ok := s[key].([]any); ok && len(list) > 0 {
			parts = append(parts, f.firstNotNull(list))
		}
	}
	if len(parts) == 0 || depth > maxNest {
		return s
	}
	out := map[string]any{}
	for _, p := range parts {
		f.left--
		if f.left < 0 {
			return out
		}
		merge(out, f.resolve(p, depth+1))
	}
	merge(out, s)
	return out
}

func (f *form) firstNotNull(list []any) any {
	for _, p := range list {
		if s, ok := p.(map[string]any); !ok || s["type"] != "null" {
			return p
		}
	}
	return list[0]
}

// merge adds the keywords of from to into; properties and required ones are united.
func merge(into, from map[string]any) {
	for k, v := range from {
		switch k {
		case "properties":
			old, _ := into[k].(map[string]any)
			both := map[string]any{}
			merge(both, old)
			if m, ok := v.(map[string]any); ok {
				maps.Copy(both, m)
			}
			into[k] = both
		case "required":
			old, _ := into[k].([]any)
			list, _ := v.([]any)
			into[k] = slices.Concat(old, list)
		default:
			into[k] = v
		}
	}
}

// kindOf decides the type; of several it takes that of want, else the first that is not null.
func kindOf(s map[string]any, want any) string {
	switch t := s["type"].(type) {
	case string:
		return t
	case []any:
		first := ""
		for _, v := range t {
			name, _ := v.(string)
			if name == typeOf(want) && want != nil {
				return name
			}
			if first == "" && name != "null" {
				first = name
			}
		}
		return orText(first, "null")
	}
	switch {
	case s["properties"] != nil || s["required"] != nil || s["additionalProperties"] != nil:
		return "object"
	case s["items"] != nil || s["minItems"] != nil || s["prefixItems"] != nil:
		return "array"
	case s["minimum"] != nil || s["maximum"] != nil || s["multipleOf"] != nil:
		return "number"
	case s["pattern"] != nil || s["format"] != nil || s["minLength"] != nil || s["maxLength"] != nil:
		return "string"
	case want != nil:
		return "" // everything is allowed
	}
	return "string"
}

func typeOf(v any) string {
	switch v.(type) {
	case map[string]any:
		return "object"
	case []any:
		return "array"
	case string:
		return "string"
	case float64, int:
		return "number"
	case bool:
		return "boolean"
	}
	return "null"
}

// choose takes the wanted value, else the one whose words stand in the source, else the first.
func (f *form) choose(list []any, want any) any {
	for _, v := range list {
		if encodeEqual(v, want) {
			return v
		}
	}
	best, most := list[0], 0
	own := stems(clip(f.source, 8000))
	for _, v := range list {
		text, ok := v.(string)
		if !ok {
			continue
		}
		if n := overlap(stems(strings.ReplaceAll(text, "_", " ")), own); n > most {
			best, most = v, n
		}
	}
	return best
}

func encodeEqual(a, b any) bool { return b != nil && string(encode(a)) == string(encode(b)) }

// object fills in the properties; what want holds beside them stays only where the schema allows it.
func (f *form) object(s map[string]any, want any, depth int) any {
	given, _ := want.(map[string]any)
	props, _ := s["properties"].(map[string]any)
	required := names(s["required"])
	out := map[string]any{}
	for _, name := range slices.Sorted(mapKeys(props)) {
		value, has := given[name]
		if !has && depth >= shyNest && !slices.Contains(required, name) {
			continue
		}
		out[name] = f.fill(props[name], value, name, depth+1)
	}
	closedObject := s["additionalProperties"] == false
	for _, name := range required {
		if _, ok := out[name]; !ok && !closedObject {
			out[name] = f.fill(orAny(s["additionalProperties"], map[string]any{}), given[name], name, depth+1)
		}
	}
	if s["additionalProperties"] == nil && len(props) == 0 {
		maps.Copy(out, given)
	}
	return out
}

func mapKeys(m map[string]any) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func names(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, n := range list {
		if s, ok := n.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// array keeps the wanted items and makes as many more as the schema insists on.
func (f *form) array(s map[string]any, want any, name string, depth int) any {
	given, has := want.([]any)
	least := min(max(int(keyword(s, "minItems", 0)), 0), maxItems)
	most := int(keyword(s, "maxItems", maxItems))
	n := len(given)
	if !has && depth < shyNest {
		n = min(2, most)
	}
	n = max(min(n, most), least)
	prefix, _ := s["prefixItems"].([]any)
	out := []any{}
	for i := 0; i < n && f.left > 0; i++ {
		item := s["items"]
		if i < len(prefix) {
			item = prefix[i]
		}
		var value any
		if i < len(given) {
			value = given[i]
		}
		v := f.fill(orAny(item, map[string]any{}), value, name+" "+strconv.Itoa(i), depth+1)
		if s["uniqueItems"] == true {
			v = f.unlike(out, v, f.resolve(item, depth+1))
		}
		out = append(out, v)
	}
	return out
}

// unlike changes a value that is in the list already into one that is not, where the schema leaves a choice.
func (f *form) unlike(list []any, v any, s map[string]any) any {
	in := func(v any) bool {
		return slices.ContainsFunc(list, func(o any) bool { return encodeEqual(o, v) })
	}
	if !in(v) {
		return v
	}
	if options, ok := s["enum"].([]any); ok {
		for _, o := range options {
			if !in(o) {
				return o
			}
		}
		return v
	}
	for i := range maxItems {
		var o any
		switch old := v.(type) {
		case string:
			o = clipRunes(old, int(keyword(s, "maxLength", maxLength))-4) + strconv.Itoa(i)
		case float64:
			o = old + float64(i)
		default:
			return v
		}
		if !in(o) {
			return o
		}
	}
	return v
}

// keyword reads a number out of a schema.
func keyword(s map[string]any, name string, otherwise float64) float64 {
	if n, ok := s[name].(float64); ok && !math.IsNaN(n) {
		return max(-1e15, min(1e15, n))
	}
	return otherwise
}

func clipRunes(s string, n int) string {
	if n <= 0 {
		return ""
	}
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n])
}
