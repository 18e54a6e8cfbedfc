package lead

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// finder finds one private value of the lead wherever it is written.
type finder struct {
	placeholder string
	words       []string // its folded words, one after the other, whatever stands between them
	reverse     []string // the same, last name first
	joined      string   // its words written together
	re          *regexp.Regexp
}

func literal(kind, value, placeholder string) finder {
	f := finder{placeholder: placeholder}
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
		f.re = phoneForm(value)
	}
	return f
}

func wordForm(kind, w string) string {
	if kind != "ADDRESS" {
		return w
	}
	if v, ok := streetWords[w]; ok {
		return v
	}
	return w
}

// phoneForm finds a number however its digits are grouped, with or without the 1 in front.
func phoneForm(value string) *regexp.Regexp {
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

// lastDigits gives the digits of a number without a North American country code.
func lastDigits(s string) string {
	d := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, Fold(s))
	if len(d) == 11 && d[0] == '1' {
		d = d[1:]
	}
	return d
}

var (
	anyEmail    = regexp.MustCompile(`(?i)[\p{L}\p{N}._%+\-']+\s?(?:@|\(at\)|\[at\])\s?[\p{L}\p{N}\-]+(?:\.[\p{L}\p{N}\-]+)+`)
	anyProfile  = regexp.MustCompile(`(?i)(?:https?://)?(?:[a-z]+\.)?linkedin\.com/in/[^\s"'<>)\]]+`)
	anyPhone    = regexp.MustCompile(`(?:\+?1[\s.\-]?)?(?:\(\d{3}\)\s?|\b\d{3}[\s.\-]?)\d{3}[\s.\-]?\d{4}\b|\+\d{1,3}(?:[\s.\-]?\(?\d{1,4}\)?){2,5}|\b0[1-9](?:[\s.\-]\d{2}){4}\b`)
	anyStreet   = regexp.MustCompile(`(?i)\b\d{1,5}[a-z]?,?\s+(?:rue|avenue|av\.?|boul\.?|boulevard|chemin|ch\.|rang|mont[ée]e|c[ôo]te|route|place|impasse|all[ée]e)\s+(?:(?:de|du|des|la|le|les)\s+|d['’]|l['’])*[\p{L}\p{N}\-'’.]+(?:\s+(?:est|ouest|nord|sud|[eons]\.))?(?:,?\s+(?:app|apt|bureau|suite|unit[ée]?|local)\.?\s*#?\w+)?|\b\d{1,5}[a-z]?\s+(?:[\p{L}\p{N}.'\-]+\s+){1,3}(?:street|st\.?|avenue|ave\.?|road|rd\.?|boulevard|blvd\.?|drive|lane|crescent|court)\b(?:,?\s+(?:apt|suite|unit)\.?\s*#?\w+)?`)
	titledName  = regexp.MustCompile(`\b(?:M\.|MM\.|Mme|Mlle|Me|Dr|Dre|Mr|Mrs|Ms|Prof)\.?\s+(\p{Lu}[\p{L}'’\-]+(?:\s+\p{Lu}[\p{L}'’\-]+)?)`)
	saidName    = regexp.MustCompile(`(?i:je m['’]appelle|mon nom est|my name is|moi c['’]est|je me nomme)\s+(\p{L}[\p{L}'’\-]+(?:\s+\p{Lu}[\p{L}'’\-]+)?)`)
	placeholder = regexp.MustCompile(`(?i)\[((?:NAME|EMAIL|PHONE|ADDRESS|LINKEDIN)_\d+)\]`)
)

// redactor replaces private values in the texts of one lead.
type redactor struct {
	secrets *Secrets
	finders []finder
	names   []string // the contact's single names, folded
}

// clean replaces the lead's own private values, and what looks like anybody's. In free text it also takes the contact's
// first or last name alone for what it is; in the name of a business it may be just that name.
func (r *redactor) clean(s string, free bool) string {
	// A stranger can type a placeholder; Restore would fill it.
	s = placeholder.ReplaceAllString(s, "($1)")
	parts := []part{{text: s}}
	apply := func(f func(string) []part) {
		var out []part
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
	digits := countDigits(s)
	if strings.Contains(strings.ToLower(s), "linkedin") {
		apply(r.pattern(anyProfile, "LINKEDIN", 0))
	}
	if strings.ContainsRune(s, '@') || strings.Contains(strings.ToLower(s), "at") && strings.ContainsAny(s, "([") {
		apply(r.pattern(anyEmail, "EMAIL", 0))
	}
	if digits >= 7 {
		apply(r.pattern(anyPhone, "PHONE", 0))
	}
	if free {
		if digits > 0 {
			apply(r.pattern(anyStreet, "ADDRESS", 0))
		}
		apply(r.pattern(titledName, "NAME", 1))
		apply(r.pattern(saidName, "NAME", 1))
		apply(r.singleNames)
	}
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.text)
	}
	return b.String()
}

func countDigits(s string) int {
	n := 0
	for i := range len(s) {
		if s[i] >= '0' && s[i] <= '9' {
			n++
		}
	}
	return n
}

// part is a stretch of text, and whether it is a placeholder already.
type part struct {
	text   string
	hidden bool
}

// cutOut replaces the byte ranges of s, in order and apart, by placeholders.
func cutOut(s string, ranges [][2]int, name func(i int) string) []part {
	if len(ranges) == 0 {
		return []part{{text: s}}
	}
	var out []part
	at := 0
	for i, r := range ranges {
		if r[0] > at {
			out = append(out, part{text: s[at:r[0]]})
		}
		out = append(out, part{text: name(i), hidden: true})
		at = r[1]
	}
	if at < len(s) {
		out = append(out, part{text: s[at:]})
	}
	return out
}

func (f finder) find(s string) []part {
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
	return cutOut(s, ranges, func(int) string { return f.placeholder })
}

// rest looks for the words of a number between the places where its digits were found.
func (f finder) rest(s string, ranges [][2]int) []part {
	f.re = nil
	var out []part
	for _, p := range cutOut(s, ranges, func(int) string { return f.placeholder }) {
		if p.hidden {
			out = append(out, p)
		} else {
			out = append(out, f.find(p.text)...)
		}
	}
	return out
}

// match says how many words at the beginning of words are the value, 0 when they are not.
func (f finder) match(words []span) int {
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
func (r *redactor) pattern(re *regexp.Regexp, kind string, group int) func(string) []part {
	return func(s string) []part {
		var ranges [][2]int
		for _, m := range re.FindAllStringSubmatchIndex(s, -1) {
			ranges = append(ranges, [2]int{m[2*group], m[2*group+1]})
		}
		return cutOut(s, ranges, func(i int) string {
			return r.secrets.hide(kind, s[ranges[i][0]:ranges[i][1]])
		})
	}
}

// nameWords are the parts of a name that can stand for it alone.
func nameWords(name string) []string {
	var out []string
	for _, w := range spans(Visible(name)) {
		if utf8.RuneCountInString(w.fold) >= 3 && !particles[w.fold] {
			out = append(out, w.fold)
		}
	}
	return out
}

var particles = set("von van der den des del della the les mme mlle mrs miss dre prof")

// singleNames hides the contact's first or last name where it stands alone and is written as a name.
func (r *redactor) singleNames(s string) []part {
	if len(r.names) == 0 {
		return []part{{text: s}}
	}
	var ranges [][2]int
	for _, w := range spans(s) {
		first, _ := utf8.DecodeRuneInString(s[w.from:])
		if unicode.IsUpper(first) && slices.Contains(r.names, w.fold) {
			ranges = append(ranges, [2]int{w.from, w.to})
		}
	}
	return cutOut(s, ranges, func(i int) string { return r.secrets.hide("NAME", s[ranges[i][0]:ranges[i][1]]) })
}
