package router

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/providers"
)

// refusedAnswerError is an answer that came over the wire intact and was turned down here. It never counts against a breaker.
type refusedAnswerError struct {
	fault *growth.Error
	text  string // the answer
	why   string // the fault, in words that a model understands
}

func (e *refusedAnswerError) Error() string { return e.fault.Error() }

func (e *refusedAnswerError) Unwrap() error { return e.fault }

func refuse(text, why string) error {
	return &refusedAnswerError{
		fault: &growth.Error{Code: growth.Malformed, Op: "router.accept", Message: "the answer was turned down: " + shorten(why, 200)},
		text:  text,
		why:   why,
	}
}

// accept checks an answer. What can be mended without guessing is mended: a fence of backticks, a trailing comma. A cut
// answer is never mended nor asked for again: half an object that parses is worse than none, and the next try would be
// cut as well. limit is how many tokens were asked for.
func (w *walker) accept(resp providers.Response, limit int) (string, error) {
	text := resp.Text
	if resp.FinishReason == "length" && (w.checked() || !reached(resp, limit)) {
		return text, growth.Errorf(growth.Malformed, "router.accept", "the answer was cut at the token limit")
	}
	if w.req.Schema != nil {
		text = mend(text)
		if err := checkSchema(w.req.Schema, text); err != nil {
			return text, refuse(resp.Text, err.Error())
		}
	}
	if w.req.Accept != nil {
		if err := w.req.Accept(text); err != nil {
			return text, refuse(resp.Text, err.Error())
		}
	}
	return text, nil
}

// checked says whether somebody depends on the form of the answer.
func (w *walker) checked() bool { return w.req.Schema != nil || w.req.Accept != nil }

// reached says whether free text was cut where the request itself said. Every other candidate would cut it there too, so
// it is given as it is, with the finish reason that says so. A host that cuts earlier has a limit of its own.
func reached(resp providers.Response, limit int) bool {
	return limit > 0 && resp.UsageKnown && resp.Usage.CompletionTokens >= limit
}

// withFault asks again with the fault named.
func withFault(messages []growth.Message, r *refusedAnswerError) []growth.Message {
	out := append([]growth.Message(nil), messages...)
	return append(out,
		growth.Message{Role: "assistant", Content: shorten(r.text, 4000)},
		growth.Message{Role: "user", Content: "Your answer was turned down: " + shorten(r.why, 1000) +
			"\nAnswer the first request again, with nothing but the corrected JSON."})
}

// withSchema asks in words for what a model cannot be held to by its host. The answer is checked here either way.
func withSchema(messages []growth.Message, schema json.RawMessage) []growth.Message {
	out := append([]growth.Message(nil), messages...)
	return append(out, growth.Message{Role: "system", Content: "Answer with one JSON value and nothing else. It must fit this JSON Schema:\n" + string(schema)})
}

// mend removes what models put around JSON.
func mend(text string) string {
	t := strings.TrimSpace(text)
	if strings.HasPrefix(t, "```") {
		t = strings.TrimPrefix(strings.TrimPrefix(t, "```json"), "```")
		t = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(t), "```"))
	}
	if json.Valid([]byte(t)) {
		return t
	}
	if from, to := strings.IndexByte(t, '{'), strings.LastIndexByte(t, '}'); from >= 0 && to > from && json.Valid([]byte(t[from:to+1])) {
		return t[from : to+1]
	}
	if fixed := dropTrailingCommas(t); json.Valid([]byte(fixed)) {
		return fixed
	}
	return t
}

// dropTrailingCommas removes commas before a closing bracket, outside of strings.
func dropTrailingCommas(t string) string {
	var b strings.Builder
	inString, escaped := false, false
	for i := 0; i < len(t); i++ {
		c := t[i]
		switch {
		case escaped:
			escaped = false
		case inString && c == '\\':
			escaped = true
		case c == '"':
			inString = !inString
		case !inString && c == ',':
			rest := strings.TrimLeft(t[i+1:], " \t\r\n")
			if strings.HasPrefix(rest, "}") || strings.HasPrefix(rest, "]") {
				continue
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}

// schemas keeps compiled schemas by their text. There are few: the product's own and those of direct callers, and the
// table is emptied before it grows large.
var schemas struct {
	sync.Mutex
	byText map[string]*jsonschema.Schema
}

const maxSchemas = 256

// CompileSchema checks that a JSON Schema is one.
func CompileSchema(schema json.RawMessage) (*jsonschema.Schema, error) {
	schemas.Lock()
	defer schemas.Unlock()
	if s, ok := schemas.byText[string(schema)]; ok {
		return s, nil
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, growth.InvalidField("router.CompileSchema", "schema", "is not JSON")
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(jsonschema.SchemeURLLoader{}) // no scheme: a schema may not fetch another
	if err := c.AddResource("mem:///schema.json", doc); err != nil {
		return nil, growth.InvalidField("router.CompileSchema", "schema", "is not a JSON Schema")
	}
	s, err := c.Compile("mem:///schema.json")
	if err != nil {
		return nil, growth.InvalidField("router.CompileSchema", "schema", "is not a valid JSON Schema, or refers to another document")
	}
	if schemas.byText == nil || len(schemas.byText) >= maxSchemas {
		schemas.byText = map[string]*jsonschema.Schema{}
	}
	schemas.byText[string(schema)] = s
	return s, nil
}

func checkSchema(schema json.RawMessage, text string) error {
	s, err := CompileSchema(schema)
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return fmt.Errorf("it is not JSON: %w", err)
	}
	if err := s.Validate(v); err != nil {
		return fmt.Errorf("it does not fit the schema: %w", err)
	}
	return nil
}

func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
