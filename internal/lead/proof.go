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

// admits says whether the field of a finding can prove anything about the criterion. The criterion's own rules say what
// kind of field that is. Rules that ask for numbers, or whether something is there, take proof from the fields they
// name; rules that read words for an intent, from those and from free text, for nobody's name or town says what they
// want. A private field is shown as a placeholder, which says no more than that it is there: it proves only what the
// rules ask of it. A criterion without rules is the reader's alone.
func (c Criterion) admits(f Finding) bool {
	rules, words, named := 0, false, false
	for _, l := range c.Levels {
		for i := range l.Rules {
			rule := &l.Rules[i]
			rules++
			words = words || len(rule.Is)+len(rule.Words) > 0 || rule.Matches != ""
			named = named || slices.Contains(rule.Fields, f.Field)
			// What a file calls a rating and is no number is kept beside the field of that name.
			name, further := strings.CutPrefix(f.Field, extraPrefix)
			named = named || further && slices.Contains(rule.Fields, name) && countDigits(f.Quote) > 0
		}
	}
	switch {
	case rules == 0 || named:
		return true
	case privateFields[f.Field] != "" || !words:
		return false
	}
	return c.Axis == Fit || freeField(f.Field)
}

// freeField says whether a stranger can write whatever they like in the field.
func freeField(field string) bool {
	return field == "notes" || field == "job_title" || strings.HasPrefix(field, extraPrefix)
}

// proven gives the level that a finding's words prove: the one it claims, or the lower one that the rules read in the
// same words, or around them in their sentence. A claim that the rules find in the field by themselves stands.
func (c Criterion) proven(claimed Level, f Finding, view map[string]string) Level {
	value := view[f.Field]
	said := f.Quote
	if f.Field == "google_rating" || f.Field == "google_reviews" { // a part of a number is another number
		said = value
	}
	if c.read(map[string]string{f.Field: value}).Level == claimed.Level {
		return claimed
	}
	for _, text := range []string{said, sentenceAround(value, f.Quote)} {
		if read, ok := c.level(c.read(map[string]string{f.Field: text}).Level); ok {
			if read.Points < claimed.Points {
				return read
			}
			return claimed
		}
	}
	return claimed
}

// sentenceAround gives the first sentence of a value that holds the quote, or the quote when it reaches over several.
func sentenceAround(value, quote string) string {
	quote = plain(quote)
	for _, s := range splitSentences(value) {
		if strings.Contains(plain(s), quote) {
			return s
		}
	}
	return quote
}
