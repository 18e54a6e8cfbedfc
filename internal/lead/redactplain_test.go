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
	name        nameForms
	re          *regexp.Regexp
	extension   string
	secrets     *Secrets
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
		}
		f.name = namesOf(f.words)
	case "PHONE":
		f.re, f.extension = plainPhoneForm(value), extensionOf(value)
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
	b.WriteString(`(?:\+?\d{1,3}(?:` + phoneMark + `|[()])*)?\(?`)
	for i := range len(d) {
		if i > 0 {
			b.WriteString(`(?:` + phoneMark + `|[()]){0,3}`)
		}
		b.WriteByte(d[i])
	}
	b.WriteString(phoneExtension)
	return regexp.MustCompile(b.String())
}

var (
	everyEmail   = regexp.MustCompile(emailForm)
	everyProfile = regexp.MustCompile(profileForm)
	everyPhone   = regexp.MustCompile(phoneForm)
	everyStreet  = regexp.MustCompile(streetForm)
	everyBox     = regexp.MustCompile(boxForm)
	// What is more than the number itself stands outside of the group.
	everyLabelled = regexp.MustCompile(phoneLabel + labelledNumber)
	everyTitled   = regexp.MustCompile(titledForm)
	everySaid     = regexp.MustCompile(saidForm)
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
		f.secrets = r.secrets
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
		apply(r.phones(everyPhone))
		apply(r.phones(everyLabelled))
	}
	if free {
		if digits > 0 {
			apply(r.pattern(everyStreet, "ADDRESS", 0))
			apply(r.pattern(everyBox, "ADDRESS", 0))
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
		n := f.match(s, words, i)
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
	for _, p := range plainCutOut(s, ranges, func(i int) string {
		written := s[ranges[i][0]:ranges[i][1]]
		if x := extensionOf(written); x != "" && x != f.extension {
			return f.secrets.hide("PHONE", written)
		}
		return f.placeholder
	}) {
		if p.hidden {
			out = append(out, p)
		} else {
			out = append(out, f.find(p.text)...)
		}
	}
	return out
}

// match says how many words from the i-th on are the value, 0 when they are not.
func (f plainFinder) match(text string, words []span, i int) int {
	for _, want := range [][]string{f.words, f.reverse} {
		if beginWith(words[i:], want) {
			return len(want)
		}
	}
	w := words[i]
	if f.name.joined[w.fold] || f.name.handles[w.fold] && (strings.HasSuffix(text[:w.from], "@") || strings.HasSuffix(text[:w.from], "/")) {
		return 1
	}
	if slices.ContainsFunc(f.name.inside, func(s string) bool { return strings.Contains(w.fold, s) }) {
		return 1
	}
	for _, run := range f.name.runs {
		var want []string
		for _, w := range run.words {
			want = append(want, w.fold)
		}
		if len(want) > len(words)-i || !slices.EqualFunc(want, words[i:i+len(want)], func(w string, s span) bool { return w == s.fold }) {
			continue
		}
		gap := text[w.to:words[i+len(want)-1].from]
		if !run.marked || len(want) == 2 && (gap == "." || gap == "_" || gap == "-") || len(want) > 2 && marked(text, words[i:i+len(want)]) {
			return len(want)
		}
	}
	return 0
}

func beginWith(words []span, want []string) bool {
	return len(want) > 0 && len(want) <= len(words) && slices.EqualFunc(want, words[:len(want)], func(w string, s span) bool {
		return w == s.fold || streetWords[s.fold] == w && w != ""
	})
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

// phones hides numbers with what belongs to them behind: from where the group begins, to the end of what was found.
func (r *plainRedactor) phones(re *regexp.Regexp) func(string) []plainPart {
	return func(s string) []plainPart {
		var ranges [][2]int
		for _, m := range re.FindAllStringSubmatchIndex(s, -1) {
			if isPhone(s, m[2], m[3]) {
				ranges = append(ranges, [2]int{m[2], m[1]})
			}
		}
		return plainCutOut(s, ranges, func(i int) string { return r.secrets.hide("PHONE", s[ranges[i][0]:ranges[i][1]]) })
	}
}

// singleNames hides the contact's first or last name where it stands alone and is written as a name.
func (r *plainRedactor) singleNames(s string) []plainPart {
	if len(r.names) == 0 {
		return []plainPart{{text: s}}
	}
	var ranges [][2]int
	words := spans(s)
	for i, w := range words {
		first, _ := utf8.DecodeRuneInString(s[w.from:])
		if (unicode.IsUpper(first) || i > 0 && titles[words[i-1].fold]) && slices.Contains(r.names, w.fold) {
			ranges = append(ranges, [2]int{w.from, w.to})
		}
	}
	return plainCutOut(s, ranges, func(i int) string { return r.secrets.hide("NAME", s[ranges[i][0]:ranges[i][1]]) })
}
