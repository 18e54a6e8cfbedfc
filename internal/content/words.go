package content

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// fold brings a text to the form in which it is compared: lower case, no accents, words parted by one space.
func fold(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	gap := false
	for _, r := range norm.NFKD.String(s) {
		r = unicode.ToLower(r)
		switch {
		case unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Cf, r):
			continue
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			gap = true
			continue
		}
		if gap && b.Len() > 0 {
			b.WriteByte(' ')
		}
		gap = false
		switch r {
		case 'œ':
			b.WriteString("oe")
		case 'æ':
			b.WriteString("ae")
		case 'ß':
			b.WriteString("ss")
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func words(s string) []string { return strings.Fields(fold(s)) }

const minStem = 3

// endings are taken off in two rounds, the first that fits of each.
var endings = [][]struct{ from, to string }{
	{{"eaux", "eau"}, {"aux", "al"}, {"s", ""}, {"x", ""}},
	{
		{"issement", ""},
		{"issons", ""},
		{"isson", ""},
		{"issent", ""},
		{"issant", ""},
		{"issez", ""},
		{"ement", ""},
		{"ing", ""},
		{"ed", ""},
		{"er", ""},
		{"ir", ""},
		{"ez", ""},
	},
}

// stem takes the simple endings of French and English off a folded word: plurals, feminine forms, -ed, -ing, infinitives.
// Short words stay as they are; what is left is for comparing only.
func stem(w string) string {
	if utf8.RuneCountInString(w) <= minStem {
		return w
	}
	for _, group := range endings {
		for _, e := range group {
			if cut, ok := strings.CutSuffix(w, e.from); ok && utf8.RuneCountInString(cut) >= minStem {
				w = cut + e.to
				break
			}
		}
	}
	for strings.HasSuffix(w, "e") && utf8.RuneCountInString(w) > minStem {
		w = strings.TrimSuffix(w, "e")
	}
	// "garanti", "garantir", "garantie": the verb's own i goes too.
	if cut, ok := strings.CutSuffix(w, "i"); ok && utf8.RuneCountInString(cut) >= minStem+1 {
		w = cut
	}
	return w
}

// sameWord compares folded words by their stems; words of up to three letters must be the same.
func sameWord(a, b string) bool {
	if a == b {
		return true
	}
	if utf8.RuneCountInString(a) <= minStem || utf8.RuneCountInString(b) <= minStem {
		return false
	}
	return stem(a) == stem(b) || conjugated(a, b)
}

// The forms of French verbs, folded: those in -ir are found by the i that all of them share, those in -er only where one
// of the two is the infinitive, or the ending is no noun's.
var (
	verbIR      = regexp.MustCompile(`^(\pL{3,}?i)(?:r|t|s|e|es|mes|tes|ss(?:ons|ez|ent|e|es|ions|iez|ais|ait|aient|ants?|antes?|ements?)|r(?:a|ai|as|ons|ez|ont|ais|ait|ions|iez|aient|ent))?$`)
	verbER      = regexp.MustCompile(`^(\pL{3,}?)(?:e|es|er|ee|ees|ons|ez|ent|a|ai|as|ais|ait|aient|ions|iez|ants?|antes?|er(?:a|ai|as|ons|ez|ont|ais|ait|ions|iez|aient|ent))$`)
	verbERClear = regexp.MustCompile(`^(\pL{3,}?)(?:aient|er(?:ai|ons|ez|ont|ait|aient))$`)
)

// conjugated says whether two folded words of more than three letters are forms of one French verb. It stands beside stem, on which kept digests rest.
func conjugated(a, b string) bool {
	if a[:minStem] != b[:minStem] { // most words
		return false
	}
	if root := base(verbIR, a); root != "" && root == base(verbIR, b) {
		return true
	}
	if strings.HasSuffix(a, "er") {
		a, b = b, a
	}
	if root, ok := strings.CutSuffix(b, "er"); ok && root == base(verbER, a) {
		return true
	}
	return clearly(a, b) || clearly(b, a)
}

// clearly says whether form is one that only verbs have, of the verb that the other word looks like.
func clearly(form, other string) bool {
	root := base(verbERClear, form)
	return root != "" && root == base(verbER, other)
}

func base(form *regexp.Regexp, w string) string {
	if m := form.FindStringSubmatch(w); m != nil {
		return m[1]
	}
	return ""
}

// findPhrase says whether the words of phrase stand in text one after the other, in any inflection.
func findPhrase(text, phrase []string) bool {
	if len(phrase) == 0 {
		return false
	}
	for i := 0; i+len(phrase) <= len(text); i++ {
		found := true
		for j, w := range phrase {
			if !sameWord(text[i+j], w) {
				found = false
				break
			}
		}
		if found {
			return true
		}
	}
	return false
}
