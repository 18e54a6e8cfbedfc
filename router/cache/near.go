package cache

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const maxNear = 2000 // bytes; longer texts are data more often than prose, and hardly ever come twice almost alike

// Near brings a request in ordinary prose into the form that it shares with those that differ from it in case, spacing
// and closing punctuation only. Beyond that it makes equal: what separates two parts of a sentence ("," ";" ":" " - "),
// "please" at either end, the two spellings of a few words (e-mail), small numbers in words, and the order of phrases
// that hang on one imperative (see reorder). Every other word stays, in its place, and so do numbers, names, addresses
// and negations: what differs in one of them has another form.
//
// ok is false for a text whose letters, spaces or marks may matter by themselves: anything quoted, code, JSON, lists,
// single letters, a sum, a long text. A form is its own form.
func Near(text string) (canonical string, ok bool) {
	if len(text) > maxNear || !utf8.ValidString(text) {
		return "", false
	}
	text = norm.NFC.String(strings.TrimSpace(text))
	if !prose(text) {
		return "", false
	}
	words, ok := tokens(text)
	if !ok {
		return "", false
	}
	words = trimmed(words)
	if len(words) == 0 || !fold(words) {
		return "", false
	}
	return join(reorder(words)), true
}

// proseMarks are the marks that prose is written with; no quotation marks, brackets or operators.
const proseMarks = ".,;:!?…-–—'’/%&+#@"

// prose says whether nothing in the text looks like quotation, code, data or layout.
func prose(text string) bool {
	lineStart, first := false, true
	for _, r := range text {
		switch {
		case r == '\n' || r == '\r':
			lineStart = !first
			continue
		case lineStart && (r == ' ' || r == '\t' || r == '-' || r == '#' || r == '+' || r == '•' || unicode.IsDigit(r)):
			return false // indented, or an item of a list
		case r == ' ' || r == '\t' || r == '\u00a0' || r == '\u202f' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || unicode.Is(unicode.Sc, r):
		case !strings.ContainsRune(proseMarks, r):
			return false
		}
		lineStart, first = false, false
	}
	return true
}

// token is a word or a separator.
type token struct {
	text  string
	sep   bool // it stands between words
	digit bool // it holds a number
	fixed bool // its letters count as they are: an address, a number with its unit
	caps  bool // it has a capital letter, so it may be a name
	raw   string
}

const separators = ".,;:!?…"

// tokens cuts a text into words and separators.
func tokens(text string) ([]token, bool) {
	out := make([]token, 0, 1+len(text)/5)
	for field := range strings.FieldsSeq(text) {
		word := strings.TrimRight(field, separators)
		marks := field[len(word):]
		switch word {
		case "":
		case "-", "–", "—":
			marks = "-" + marks
		default:
			var ok bool
			if out, ok = appendWord(out, word, marks); !ok {
				return nil, false
			}
		}
		for _, m := range marks {
			out = append(out, token{text: string(m), sep: true})
		}
	}
	return separate(out)
}

// appendWord reads one word, which may stand for several.
func appendWord(out []token, word, marks string) ([]token, bool) {
	t := token{text: word, raw: word, digit: strings.ContainsFunc(word, unicode.IsDigit), caps: strings.ContainsFunc(word, unicode.IsUpper)}
	switch {
	case t.digit:
		t.fixed = true
		return append(out, t), !strings.Contains(marks, "!") // a factorial
	case strings.ContainsAny(word, "./:@#&+%,;!?…"):
		t.fixed = true
		return append(out, t), !strings.HasPrefix(word, "-")
	case strings.HasPrefix(word, "-") || strings.HasSuffix(word, "-") || strings.ContainsAny(word, "–—"):
		return out, false
	}
	if t.text = strings.ReplaceAll(word, "’", "'"); strings.HasPrefix(t.text, "'") || strings.HasSuffix(t.text, "'") {
		return out, false // a quotation, or a plural's apostrophe that looks like one
	}
	same, known := spellings[strings.ToLower(t.text)]
	if !known {
		return append(out, t), true
	}
	for w := range strings.FieldsSeq(same) {
		number := strings.ContainsFunc(w, unicode.IsDigit)
		out = append(out, token{text: w, raw: w, digit: number, fixed: number})
	}
	return out, true
}

// separate makes the separators between words alike, but not those between numbers: a ratio, a range and two sums of
// money differ in nothing else.
func separate(in []token) ([]token, bool) {
	for i, t := range in {
		if !t.sep {
			continue
		}
		numberBefore := i > 0 && in[i-1].digit
		numberAfter := i+1 < len(in) && in[i+1].digit
		if t.text == "-" && (numberAfter || numberBefore && i+1 < len(in) && in[i+1].sep) {
			return nil, false // less, minus or to
		}
		if (t.text == ";" || t.text == ":" || t.text == "-") && (!numberBefore || !numberAfter) {
			in[i].text = ","
		}
	}
	return in, true
}

// trimmed takes away what opens or closes a request without changing it.
func trimmed(t []token) []token {
	for {
		switch last := len(t) - 1; {
		case last < 0:
			return t
		case t[last].sep:
			t = t[:last]
		case t[0].sep:
			t = t[1:]
		case last > 0 && strings.EqualFold(t[last].text, "please"):
			t = t[:last]
		case last > 0 && strings.EqualFold(t[0].text, "please"):
			t = t[1:]
		default:
			return t
		}
	}
}

// fold takes the case away where it means nothing. It is false when a single letter stands by itself.
func fold(t []token) bool {
	for i := range t {
		w := &t[i]
		opens := i == 0 || t[i-1].sep && strings.ContainsAny(t[i-1].text, ".?!…")
		lower := strings.ToLower(w.text)
		if letter(w.text) && !article(w.text, lower, opens) {
			return false
		}
		switch {
		case w.sep || w.fixed:
		case i > 0 && t[i-1].digit && utf8.RuneCountInString(w.text) <= 3: // a unit: mW and MW
		case caseMatters[lower] && (!opens || w.text == strings.ToUpper(w.text)): // us and US
		default:
			w.text = lower
		}
	}
	return true
}

func letter(s string) bool {
	r, n := utf8.DecodeRuneInString(s)
	return n == len(s) && unicode.IsLetter(r)
}

// article says whether a letter is a word of its own: a, I, à, y, ô, and not the name of a plan or a variable.
func article(word, lower string, opens bool) bool {
	switch lower {
	case "i":
		return true
	case "a", "à", "y", "ô":
		return word == lower || opens
	}
	return false
}

func join(t []token) string {
	var b strings.Builder
	b.Grow(8 * len(t))
	for i, w := range t {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w.text)
	}
	return b.String()
}
