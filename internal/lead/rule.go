package lead

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Rule is a deterministic test of a lead: it holds when, in one of its fields, all of its conditions hold.
type Rule struct {
	Field   string   `yaml:"field"`    // one field, or
	Fields  []string `yaml:"fields"`   // several, of which one must do
	Present bool     `yaml:"present"`  // the lead says something there
	Is      []string `yaml:"is"`       // the whole value, folded, is one of these
	Words   []string `yaml:"words"`    // one of these stands in it, folded, as whole words
	Unless  []string `yaml:"unless"`   // none of these does
	AtLeast *float64 `yaml:"at_least"` // the value is a number and not below
	Below   *float64 `yaml:"below"`    // the value is a number and below
	Matches string   `yaml:"matches"`  // a regular expression (RE2) finds something; that is the quote

	re *regexp.Regexp
}

// place is the key of a rule, and which of its values; "" is the rule as a whole, a negative index its only value.
type place struct {
	key   string
	index int
}

// prepare checks the rule and folds its words once. An error says which key is at fault.
func (r *Rule) prepare() (place, error) {
	if r.Field != "" {
		r.Fields = append([]string{r.Field}, r.Fields...)
		r.Field = ""
	}
	if len(r.Fields) == 0 {
		return place{"field", -1}, errors.New("the rule names no field")
	}
	if !r.Present && len(r.Is) == 0 && len(r.Words) == 0 && r.AtLeast == nil && r.Below == nil && r.Matches == "" {
		return place{"", -1}, errors.New("the rule has no condition: present, is, words, at_least, below or matches")
	}
	for i, f := range r.Fields {
		if !knownField(f) {
			return place{"fields", i}, fmt.Errorf("%q is no field of a lead%s", f, meantField(f))
		}
		if privateFields[f] != "" && (!r.Present || len(r.Is)+len(r.Words)+len(r.Unless) > 0 || r.AtLeast != nil || r.Below != nil || r.Matches != "") {
			return place{"fields", i}, fmt.Errorf("%q is personal data: a rule may only ask whether it is present", f)
		}
	}
	if r.Matches != "" {
		re, err := regexp.Compile(r.Matches)
		if err != nil {
			return place{"matches", -1}, fmt.Errorf("matches must be a regular expression (RE2): %w", err)
		}
		r.re = re
	}
	for _, list := range []struct {
		key   string
		words []string
	}{{"is", r.Is}, {"words", r.Words}, {"unless", r.Unless}} {
		for i, w := range list.words {
			if list.words[i] = Fold(w); list.words[i] == "" {
				return place{list.key, i}, fmt.Errorf("%q holds no word", w)
			}
		}
	}
	return place{}, nil
}

// find gives the words of the view that make the rule hold, and their field.
func (r *Rule) find(view map[string]string) (quote, field string, ok bool) {
	for _, f := range r.Fields {
		if quote, ok := r.holds(view[f]); ok {
			return quote, f, true
		}
	}
	return "", "", false
}

func (r *Rule) holds(value string) (quote string, ok bool) {
	if strings.TrimSpace(value) == "" {
		return "", false
	}
	quote = shortQuote(value)
	said := blank(value)
	if r.AtLeast != nil || r.Below != nil {
		n, isNumber := parseNumber(value)
		if !isNumber || r.AtLeast != nil && n < *r.AtLeast || r.Below != nil && n >= *r.Below {
			return "", false
		}
	}
	if len(r.Is)+len(r.Words)+len(r.Unless) > 0 {
		folded := Fold(said)
		if len(r.Is) > 0 && !slices.Contains(r.Is, folded) {
			return "", false
		}
		if slices.ContainsFunc(r.Unless, func(w string) bool { return hasPhrase(folded, w) }) {
			return "", false
		}
		if len(r.Words) > 0 {
			i := slices.IndexFunc(r.Words, func(w string) bool { return hasPhrase(folded, w) })
			if i < 0 {
				return "", false
			}
			quote = quotePhrase(said, r.Words[i])
		}
	}
	if r.re != nil {
		at := r.re.FindStringIndex(said)
		if at == nil || strings.TrimSpace(said[at[0]:at[1]]) == "" {
			return "", false
		}
		quote = strings.TrimSpace(value[at[0]:at[1]])
	}
	if wordChars(quote) < minProof { // "VP", or the first digit of a sum: the words around it say what it is
		quote = shortQuote(value)
	}
	return quote, true
}

// quotePhrase finds the words in value that fold to phrase, as value writes them.
func quotePhrase(value, phrase string) string {
	words := spans(value)
	want := strings.Fields(phrase)
	for i := 0; i+len(want) <= len(words); i++ {
		match := true
		for j, w := range want {
			if words[i+j].fold != w {
				match = false
				break
			}
		}
		if match {
			return value[words[i].from:words[i+len(want)-1].to]
		}
	}
	return shortQuote(value) // "&" folds to a word that spans does not see
}

// shortQuote is the beginning of a value, cut between words.
func shortQuote(value string) string {
	const limit = 120
	value = strings.TrimSpace(value)
	if len(value) <= limit {
		return value
	}
	cut := strings.LastIndexByte(value[:limit], ' ')
	if cut <= 0 {
		cut = len(string([]rune(value[:limit])[:limit/4]))
	}
	return strings.TrimSpace(value[:cut])
}
