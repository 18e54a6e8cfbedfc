package content

import (
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
	return stem(a) == stem(b)
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
