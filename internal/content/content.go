// Package content knows when a piece of content is fit to be posted: the rules that a draft must keep, what the judge's
// verdict adds, the score, the hash that an approval binds to, and when a machine may approve. It refuses to know models,
// databases and networks: everything here is a function of its arguments.
package content

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"

	"golang.org/x/text/unicode/norm"

	growth "github.com/zakibelm/astrogrowth"
)

// Draft is a post as a model wrote it.
type Draft struct {
	Title       string   `json:"title"`
	Body        string   `json:"body"`
	Hashtags    []string `json:"hashtags"`
	ImagePrompt string   `json:"image_prompt"`
}

// Brief is what a draft is written from. It goes to the model as it is, so it holds nothing that the model must not see.
type Brief struct {
	Topic    string            `json:"topic,omitempty"`
	Brief    string            `json:"brief,omitempty"`
	Audience string            `json:"audience,omitempty"`
	Tone     string            `json:"tone,omitempty"`
	CTA      string            `json:"cta,omitempty"`
	Link     string            `json:"link,omitempty"`
	Language string            `json:"language,omitempty"` // BCP 47
	Hashtags []string          `json:"hashtags,omitempty"`
	Business map[string]string `json:"business,omitempty"`
	Variant  int               `json:"variant,omitempty"` // 1-based
	Variants int               `json:"variants,omitempty"`
	Faults   []string          `json:"faults,omitempty"` // only in a revision: what to mend
	Draft    *Draft            `json:"draft,omitempty"`  // only in a revision: what to mend it in
}

// Decode reads a model's draft and brings it to its plain form: Unicode NFC, no invisible characters, no space around,
// hashtags with one '#'.
func Decode(answer string) (Draft, error) {
	var d Draft
	if err := decode(answer, &d); err != nil {
		return Draft{}, err
	}
	d = d.Plain()
	if d.Body == "" {
		return Draft{}, growth.Errorf(growth.Malformed, "content.Decode", "the draft has no body")
	}
	return d, nil
}

func decode(answer string, v any) error {
	dec := json.NewDecoder(strings.NewReader(answer))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil || dec.More() {
		return growth.Errorf(growth.Malformed, "content.Decode", "the answer is not the JSON that was asked for")
	}
	return nil
}

// Plain gives the draft in the form in which it is kept and compared.
func (d Draft) Plain() Draft {
	out := Draft{Title: plain(d.Title), Body: plain(d.Body), ImagePrompt: plain(d.ImagePrompt), Hashtags: []string{}}
	for _, h := range d.Hashtags {
		if h = strings.TrimLeft(plain(h), "#"); h != "" {
			out.Hashtags = append(out.Hashtags, "#"+h)
		}
	}
	return out
}

// plain keeps the joiners of emoji and the spaces of typography, and drops what hides text.
func plain(s string) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\r\n", "\n"), "\ufffd")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\u200d':
			return r
		case r == '\r':
			return '\n'
		case unicode.Is(unicode.C, r):
			return -1
		}
		return r
	}, s)
	return strings.TrimFunc(norm.NFC.String(s), unicode.IsSpace)
}

// Text is what is posted: the body, a blank line, the hashtags that the body does not hold already.
func Text(d Draft) string {
	d = d.Plain()
	in := bodyHashtags(d.Body)
	var more []string
	for _, h := range d.Hashtags {
		if f := fold(h); !slices.Contains(in, f) {
			more, in = append(more, h), append(in, f)
		}
	}
	if len(more) == 0 {
		return d.Body
	}
	return strings.TrimSpace(d.Body + "\n\n" + strings.Join(more, " "))
}

// Length counts as LinkedIn does, in UTF-16 units.
func Length(s string) int { return len(utf16.Encode([]rune(s))) }
