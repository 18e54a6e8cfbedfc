package simulator

import (
	"encoding/json"
	"testing"
	"unicode/utf8"
)

// FuzzBrain holds the brain against prompts that strangers wrote: it answers, in valid UTF-8, and quotes only what is
// there.
func FuzzBrain(f *testing.F) {
	f.Add("```json\n"+localRubric+"\n```", "LEAD-ab BEGIN\n{\"notes\":\"besoin d'aide, budget 200 $\"}\nLEAD-ab END", "", 0)
	f.Add("```json\n{\"brand\":{},\"rules\":{}}\n```", "BRIEF-1 BEGIN\n{\"topic\":\"x\",\"language\":\"fr-CA\"}\nBRIEF-1 END", `{"type":"object"}`, 5)
	f.Add("", "BRIEF-1 BEGIN\n{\"topic\":\"x\"}\nBRIEF-1 END\nPOST-2 BEGIN\n{\"body\":\"y 5\"}\nPOST-2 END", `{"properties":{"score":{"type":"integer","maximum":9}}}`, 0)
	f.Add("", "What is (2+2)*3/0?", "", 3)
	f.Add("", "hello", `{"allOf":[{"$ref":"#/$defs/a"}],"$defs":{"a":{"pattern":"(a|b)+[^\\n]{3}"}}}`, 0)
	f.Fuzz(func(t *testing.T, system, user, schema string, maxTokens int) {
		q := question{
			turns: []turn{{Role: "system", Content: system}, {Role: "user", Content: user}}, maxTokens: maxTokens % 1000, schema: json.RawMessage(schema),
		}
		a := answer(q)
		if utf8.ValidString(system+user+schema) && !utf8.ValidString(a.text) {
			t.Errorf("answer is no UTF-8: %q", a.text)
		}
		if q.maxTokens > 0 && tokens(a.text) > q.maxTokens {
			t.Errorf("%d tokens, %d allowed", tokens(a.text), q.maxTokens)
		}
		if len(schema) > 0 && q.maxTokens <= 0 && !json.Valid([]byte(a.text)) {
			t.Errorf("structured answer is no JSON: %q", a.text)
		}
	})
}

// FuzzLittleText holds the parser of commentaries against any text.
func FuzzLittleText(f *testing.F) {
	f.Add(`a \(b\) #c {hashtag|\#|d} @[E](urn:li:person:f)`)
	f.Fuzz(func(t *testing.T, s string) {
		p := parseLittle(s)
		if len(p.Text) > 2*len(s) || (utf8.ValidString(s) && !utf8.ValidString(p.Text)) {
			t.Errorf("parseLittle(%q) = %+v", s, p)
		}
	})
}
