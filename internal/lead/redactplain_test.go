package lead

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What follows is redaction as it is told in the simplest way: every expression over the whole text. It is the measure of
// the fast one.

// plainFinder finds one private value of the lead wherever it is written.
type plainFinder struct {
	placeholder string
	words       []string // its folded words, one after the other, whatever stands between them
	reverse     []string // the same, last name first
	joined      string   // its words written together
	re          *regexp.Regexp
}

func plainLiteral(kind, value, placeholder string) plainFinder {
	f := plainFinder{placeholder: placeholder}
	for _, w := range spans(value) {
		f.words = append(f.words, wordForm(kind, w.fold))
	}
	switch kind {
	case "NAME":
		if len(f.words) > 1 {
			f.reverse = append([]string{f.words[len(f.words)-1]}, f.words[:len(f.words)-1]...)
			f.joined = strings.Join(f.words, "")
		}
	case "PHONE":
		f.re = plainPhoneForm(value)
	}
	return f
}

// plainPhoneForm finds a number however its digits are grouped, with or without the 1 in front.
func plainPhoneForm(value string) *regexp.Regexp {
	d := lastDigits(value)
	if len(d) < minPhone {
		return nil
	}
	var b strings.Builder
	b.WriteString(`(?:\+?\d{1,3}[\s.\-()/]*)?\(?`)
	for i := range len(d) {
		if i > 0 {
			b.WriteString(`[\s.\-()/\x{2010}-\x{2015}]{0,3}`)
		}
		b.WriteByte(d[i])
	}
	return regexp.MustCompile(b.String())
}

var (
	everyEmail   = regexp.MustCompile(emailForm)
	everyProfile = regexp.MustCompile(profileForm)
	everyPhone   = regexp.MustCompile(phoneForm)
	everyStreet  = regexp.MustCompile(streetForm)
	everyTitled  = regexp.MustCompile(titledForm)
	everySaid    = regexp.MustCompile(saidForm)
)

// plainRedactor replaces private values in the texts of one lead.
type plainRedactor struct {
	secrets *Secrets
	finders []plainFinder
	names   []string // the contact's single names, folded
}

// clean replaces the lead's own private values, and what looks like anybody's. In free text it also takes the contact's
// first or last name alone for what it is; in the name of a business it may be just that name.
func (r *plainRedactor) clean(s string, free bool) string {
	// A stranger can type a placeholder; Restore would fill it.
	s = placeholder.ReplaceAllString(s, "($1)")
	parts := []plainPart{{text: s}}
	apply := func(f func(string) []plainPart) {
		var out []plainPart
		for _, p := range parts {
			if p.hidden {
				out = append(out, p)
				continue
			}
			out = append(out, f(p.text)...)
		}
		parts = out
	}
	for _, f := range r.finders {
		apply(f.find)
	}
	// Most texts hold none of these; a glance is a hundred times cheaper than the expressions.
	digits := plainCountDigits(s)
	if strings.Contains(strings.ToLower(s), "linkedin") {
		apply(r.pattern(everyProfile, "LINKEDIN", 0))
	}
	if strings.ContainsRune(s, '@') || strings.Contains(strings.ToLower(s), "at") && strings.ContainsAny(s, "([") {
		apply(r.pattern(everyEmail, "EMAIL", 0))
	}
	if digits >= 7 {
		apply(r.pattern(everyPhone, "PHONE", 0))
	}
	if free {
		if digits > 0 {
			apply(r.pattern(everyStreet, "ADDRESS", 0))
		}
		apply(r.pattern(everyTitled, "NAME", 1))
		apply(r.pattern(everySaid, "NAME", 1))
		apply(r.singleNames)
	}
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.text)
	}
	return b.String()
}

func plainCountDigits(s string) int {
	n := 0
	for i := range len(s) {
		if s[i] >= '0' && s[i] <= '9' {
			n++
		}
	}
	return n
}

// plainPart is a stretch of text, and whether it is a placeholder already.
type plainPart struct {
	text   string
	hidden bool
}

// plainCutOut replaces the byte ranges of s, in order and apart, by placeholders.
func plainCutOut(s string, ranges [][2]int, name func(i int) string) []plainPart {
	if len(ranges) == 0 {
		return []plainPart{{text: s}}
	}
	var out []plainPart
	at := 0
	for i, r := range ranges {
		if r[0] > at {
			out = append(out, plainPart{text: s[at:r[0]]})
		}
		out = append(out, plainPart{text: name(i), hidden: true})
		at = r[1]
	}
	if at < len(s) {
		out = append(out, plainPart{text: s[at:]})
	}
	return out
}

func (f plainFinder) find(s string) []plainPart {
	var ranges [][2]int
	if f.re != nil {
		for _, m := range f.re.FindAllStringIndex(s, -1) {
			ranges = append(ranges, [2]int{m[0], m[1]})
		}
		if ranges != nil {
			return f.rest(s, ranges)
		}
	}
	words := spans(s)
	for i := 0; i < len(words); {
		n := f.match(words[i:])
		if n == 0 {
			i++
			continue
		}
		ranges = append(ranges, [2]int{words[i].from, words[i+n-1].to})
		i += n
	}
	return plainCutOut(s, ranges, func(int) string { return f.placeholder })
}

// rest looks for the words of a number between the places where its digits were found.
func (f plainFinder) rest(s string, ranges [][2]int) []plainPart {
	f.re = nil
	var out []plainPart
	for _, p := range plainCutOut(s, ranges, func(int) string { return f.placeholder }) {
		if p.hidden {
			out = append(out, p)
		} else {
			out = append(out, f.find(p.text)...)
		}
	}
	return out
}

// match says how many words at the beginning of words are the value, 0 when they are not.
func (f plainFinder) match(words []span) int {
	if f.joined != "" && words[0].fold == f.joined {
		return 1
	}
	for _, want := range [][]string{f.words, f.reverse} {
		if len(want) == 0 || len(want) > len(words) {
			continue
		}
		if slices.EqualFunc(want, words[:len(want)], func(w string, s span) bool {
			return w == s.fold || streetWords[s.fold] == w && w != ""
		}) {
			return len(want)
		}
	}
	return 0
}

// pattern hides what a form finds, or only its group.
func (r *plainRedactor) pattern(re *regexp.Regexp, kind string, group int) func(string) []plainPart {
	return func(s string) []plainPart {
		var ranges [][2]int
		for _, m := range re.FindAllStringSubmatchIndex(s, -1) {
			ranges = append(ranges, [2]int{m[2*group], m[2*group+1]})
		}
		return plainCutOut(s, ranges, func(i int) string {
			return r.secrets.hide(kind, s[ranges[i][0]:ranges[i][1]])
		})
	}
}

// singleNames hides the contact's first or last name where it stands alone and is written as a name.
func (r *plainRedactor) singleNames(s string) []plainPart {
	if len(r.names) == 0 {
		return []plainPart{{text: s}}
	}
	var ranges [][2]int
	for _, w := range spans(s) {
		first, _ := utf8.DecodeRuneInString(s[w.from:])
		if unicode.IsUpper(first) && slices.Contains(r.names, w.fold) {
			ranges = append(ranges, [2]int{w.from, w.to})
		}
	}
	return plainCutOut(s, ranges, func(i int) string { return r.secrets.hide("NAME", s[ranges[i][0]:ranges[i][1]]) })
}
