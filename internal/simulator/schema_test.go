package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"
)

type failer interface {
	Helper()
	Fatalf(string, ...any)
}

// mustFit validates a document with an independent implementation of JSON Schema.
func mustFit(t failer, schema, doc []byte) {
	t.Helper()
	s, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		t.Fatalf("schema %s: %v", schema, err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err = c.AddResource("s.json", s); err != nil {
		t.Fatalf("%v", err)
	}
	compiled, err := c.Compile("s.json")
	if err != nil {
		t.Fatalf("schema %s: %v", schema, err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		t.Fatalf("answer %s: %v", doc, err)
	}
	if err := compiled.Validate(v); err != nil {
		t.Fatalf("answer %s does not fit %s: %v", doc, schema, err)
	}
}

// genSchema draws schemas of the keywords that callers use.
func genSchema(t *rapid.T, depth int) obj {
	kinds := []string{"string", "integer", "number", "boolean", "null", "enum", "pattern", "format", "nullable"}
	if depth < 4 {
		kinds = append(kinds, "object", "object", "array", "ref", "anyOf", "allOf")
	}
	switch kind := rapid.SampledFrom(kinds).Draw(t, "kind"); kind {
	case "string":
		least := rapid.IntRange(0, 30).Draw(t, "minLength")
		return obj{"type": "string", "minLength": least, "maxLength": least + rapid.IntRange(0, 30).Draw(t, "more")}
	case "integer", "number":
		low := rapid.IntRange(-100, 100).Draw(t, "minimum")
		s := obj{"type": kind, "minimum": low, "maximum": low + rapid.IntRange(5, 50).Draw(t, "range")}
		if rapid.Bool().Draw(t, "exclusive") {
			s["exclusiveMinimum"], s["exclusiveMaximum"] = s["minimum"], s["maximum"]
			delete(s, "minimum")
			delete(s, "maximum")
		} else if rapid.Bool().Draw(t, "step") {
			s["multipleOf"] = rapid.IntRange(1, 5).Draw(t, "multipleOf")
		}
		return s
	case "enum":
		return obj{"enum": []any{"red", 7, nil, true, "green"}[rapid.IntRange(0, 3).Draw(t, "from"):]}
	case "pattern":
		return obj{"type": "string", "pattern": rapid.SampledFrom([]string{`^[A-Z]{3}-\d{2,4}$`, `^(fit|intent)_\w+$`, `^#\S+$`, `[0-9a-f]{8}`}).Draw(t, "pattern")}
	case "format":
		return obj{"type": "string", "format": rapid.SampledFrom([]string{"date", "date-time", "email", "uri", "uuid", "ipv4"}).Draw(t, "format")}
	case "nullable":
		return obj{"type": []string{"null", "string"}}
	case "array":
		least := rapid.IntRange(0, 4).Draw(t, "minItems")
		return obj{"type": "array", "items": genSchema(t, depth+1), "minItems": least, "maxItems": least + rapid.IntRange(0, 3).Draw(t, "more")}
	case "ref":
		return obj{"$ref": "#/$defs/shared"}
	case "anyOf":
		return obj{"anyOf": []any{obj{"type": "null"}, genSchema(t, depth+1)}}
	case "allOf":
		return obj{"allOf": []any{genObject(t, depth+1, "a"), genObject(t, depth+1, "b")}}
	case "object":
		return genObject(t, depth, "p")
	default:
		return obj{"type": kind}
	}
}

func genObject(t *rapid.T, depth int, prefix string) obj {
	props, required := obj{}, []string{}
	for i := range rapid.IntRange(0, 4).Draw(t, "properties") {
		name := fmt.Sprint(prefix, "_", i)
		props[name] = genSchema(t, depth+1)
		if rapid.Bool().Draw(t, "required") {
			required = append(required, name)
		}
	}
	s := obj{"type": "object", "properties": props, "required": required}
	if prefix == "p" && rapid.Bool().Draw(t, "closed") {
		s["additionalProperties"] = false
	}
	return s
}

// Every answer fits its schema, with any wish and any text to fill it from.
func TestConformFits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		root := genObject(t, 0, "p")
		root["$defs"] = obj{"shared": obj{"type": "object", "properties": obj{"n": obj{"type": "integer"}}, "required": []string{"n"}}}
		schema := encode(root)
		source := rapid.SampledFrom([]string{"", "Red bikes cost 12 dollars. The green ones are 40.", "Un café, s'il vous plaît\nVite !"}).Draw(t, "source")
		want := rapid.SampledFrom([]any{nil, obj{"p_0": "x", "p_1": 3.5, "p_2": []any{"a", 1.0}}, "text", []any{1.0}}).Draw(t, "want")
		mustFit(t, schema, encode(conform(schema, want, source)))
	})
}

func TestConformTakesFromTheSource(t *testing.T) {
	t.Parallel()
	schema := json.RawMessage(`{"type":"object","properties":{"colour":{"enum":["red","green"]},"price":{"type":"integer"},"complaint":{"type":"string"}},"required":["colour","price","complaint"]}`)
	v, _ := conform(schema, nil, "The bike is green. Its price is 250 dollars. My complaint is that the bell is broken.").(map[string]any)
	if v["colour"] != "green" || v["price"] != 250.0 || !strings.Contains(fmt.Sprint(v["complaint"]), "bell is broken") {
		t.Errorf("answer = %v", v)
	}
}

func TestConformRecursion(t *testing.T) {
	t.Parallel()
	tree := []byte(`{"$ref":"#/$defs/node","$defs":{"node":{"type":"object","required":["name"],"properties":{"name":{"type":"string"},"children":{"type":"array","items":{"$ref":"#/$defs/node"}}}}}}`)
	mustFit(t, tree, encode(conform(tree, nil, "A tree of things.")))
	for _, endless := range []string{
		`{"$ref":"#"}`, `{"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}},"$ref":"#/$defs/a"}`,
		`{"type":"object","required":["a"],"properties":{"a":{"$ref":"#"}}}`, `{"allOf":[{"$ref":"#"},{"$ref":"#"}]}`,
		`{"type":"array","minItems":1000,"items":{"$ref":"#"}}`, `{"type":"string","minLength":1e18}`, `{"type":"array","minItems":900,"items":{"type":"string","minLength":20000}}`,
	} {
		if n := len(encode(conform(json.RawMessage(endless), nil, "x"))); n > 8<<20 {
			t.Errorf("%s makes %d bytes", endless, n)
		}
	}
}

func TestConformUniqueItems(t *testing.T) {
	t.Parallel()
	for _, schema := range []string{
		`{"type":"array","minItems":3,"uniqueItems":true,"items":{"enum":["a","b","c"]}}`,
		`{"type":"array","minItems":4,"uniqueItems":true,"items":{"type":"string","maxLength":12}}`,
		`{"type":"array","minItems":4,"uniqueItems":true,"items":{"type":"integer","minimum":0}}`,
	} {
		mustFit(t, []byte(schema), encode(conform(json.RawMessage(schema), nil, "one text")))
	}
}

func TestStructuredAnswersOverHTTP(t *testing.T) {
	t.Parallel()
	s := start(t)
	schema := obj{"type": "object", "required": []string{"mood", "n"}, "properties": obj{"mood": obj{"enum": []string{"happy", "sad"}}, "n": obj{"type": "integer", "minimum": 1, "maximum": 5}}}
	format := obj{"type": "json_schema", "json_schema": obj{"name": "mood", "strict": true, "schema": schema}}
	ask := userSays("I am so sad today, rate it")
	answers := map[string]string{
		OpenRouter:  content(t, s.post(orChat, obj{"model": gpt, "messages": ask, "response_format": format}, bearer...)),
		HuggingFace: content(t, s.post(hfChat, obj{"model": "openai/gpt-oss-20b", "messages": ask, "response_format": format}, bearer...)),
		Ollama:      content(t, s.post(olChat, obj{"model": "phi3:mini", "messages": ask, "format": schema, "stream": false})),
	}
	for p, a := range answers {
		mustFit(t, encode(schema), []byte(a))
		if !strings.Contains(a, `"sad"`) {
			t.Errorf("%s: %s", p, a)
		}
	}
}
