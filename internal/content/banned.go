package content

import (
	"strings"
	"unicode"
)

// banned finds what a brand must never say, in any inflection, with or without accents.
func banned(p piece) string {
	if found := phrases(p, p.brand.Banned); len(found) > 0 {
		return "the brand must not say " + list(found)
	}
	return ""
}

// avoided finds words that a brand would rather not use.
func avoided(p piece) string {
	if found := phrases(p, p.brand.Avoid); len(found) > 0 {
		return "the brand avoids " + list(found)
	}
	return ""
}

func phrases(p piece, list []string) []string {
	text := words(splitCamel(p.draft.Title + "\n" + p.text))
	var found []string
	for _, phrase := range list {
		if findPhrase(text, words(phrase)) {
			found = append(found, `"`+phrase+`"`)
		}
	}
	return found
}

// splitCamel parts "#GuaranteedResults", which reads as two words.
func splitCamel(s string) string {
	var b strings.Builder
	prev := ' '
	for _, r := range s {
		if unicode.IsUpper(r) && unicode.IsLower(prev) {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
		prev = r
	}
	return b.String()
}
