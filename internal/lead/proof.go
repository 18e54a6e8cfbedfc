package lead

import (
	"regexp"
	"slices"
	"strings"
)

// hiddenValue is a placeholder as View writes them.
var hiddenValue = regexp.MustCompile(`\[(?:NAME|EMAIL|PHONE|ADDRESS|LINKEDIN)_\d+\]`)

// halfHidden is what is left of a placeholder at the end of a text that was cut.
var halfHidden = regexp.MustCompile(`^\[(?:[A-Z]{1,8}(?:_\d*)?)?$`)

// stands says whether the quote stands in the value, and whether it does so anywhere without cutting through a
// placeholder: a half of one is nobody's words, and what it stands for could not be put back.
func stands(value, quote string) (found, whole bool) {
	hidden := hiddenValue.FindAllStringIndex(value, -1)
	for at := 0; at <= len(value); {
		i := strings.Index(value[at:], quote)
		if i < 0 {
			return found, false
		}
		from, to := at+i, at+i+len(quote)
		if !slices.ContainsFunc(hidden, func(h []int) bool { return cuts(h, from) || cuts(h, to) }) {
			return true, true
		}
		found, at = true, from+1
	}
	return found, false
}

func cuts(hidden []int, at int) bool { return hidden[0] < at && at < hidden[1] }

// blank overwrites the placeholders, so that no rule takes their letters and digits for the lead's. Offsets stay.
func blank(value string) string {
	if !strings.Contains(value, "[") {
		return value
	}
	return hiddenValue.ReplaceAllStringFunc(value, func(m string) string { return strings.Repeat(" ", len(m)) })
}

// gap stands where a sentence was taken out of a view. No view holds it otherwise, so no quote reaches across it.
const gap = "\x00"

// provable gives a view without the sentences that speak to a model: whatever they claim, they prove nothing. What the
// lead says beside them stays.
func provable(view map[string]string) map[string]string {
	out := make(map[string]string, len(view))
	for field, value := range view {
		out[field] = withoutOrders(value)
	}
	return out
}

func withoutOrders(value string) string {
	if !speaksToModel(value) {
		return value
	}
	var b strings.Builder
	for _, s := range splitSentences(value) {
		if speaksToModel(s) {
			s = gap
		}
		b.WriteString(s)
	}
	// An order can be spread over sentences of which none is one by itself.
	if kept := b.String(); kept != value && !speaksToModel(kept) {
		return kept
	}
	return gap
}

var sentenceEnd = regexp.MustCompile(`[.!?…]+["'»)]*\s+|\n+`)

// splitSentences cuts a text behind its sentences; the pieces make the text again.
func splitSentences(text string) []string {
	var out []string
	at := 0
	for _, m := range sentenceEnd.FindAllStringIndex(text, -1) {
		out = append(out, text[at:m[1]])
		at = m[1]
	}
	return append(out, text[at:])
}
