package content

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
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
	text := words(unmask(splitCamel(p.draft.Title + "\n" + p.text)))
	spaced := letterSpaced(text)
	var found []string
	for _, phrase := range list {
		if w := words(unmask(phrase)); findPhrase(text, w) || inSpaced(spaced, strings.Join(w, "")) {
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

// unmask gives letters that only look Latin, as in "gаrаnti" with Cyrillic ones, their Latin form.
func unmask(s string) string {
	return strings.Map(func(r rune) rune {
		if r < lookalikesFrom {
			return r
		}
		if latin, ok := lookalikes[r]; ok {
			return latin
		}
		return r
	}, s)
}

const lookalikesFrom = '\u0251' // nothing before it is one

var lookalikes = func() map[rune]rune {
	m := map[rune]rune{}
	for pair := range strings.FieldsSeq("аa еe оo рp сc уy хx іi ѕs јj ԁd ԛq ԝw һh ґr вb кk мm нh тt АA ВB ЕE КK МM НH ОO РP СC ТT ХX ІI ЅS ЈJ УY " +
		"αa εe οo ρp νv ιi κk υu τt γy ΑA ΒB ΕE ΖZ ΗH ΙI ΚK ΜM ΝN ΟO ΡP ΤT ΥY ΧX ɑa ɡg ɩi ʀr") {
		r := []rune(pair)
		m[r[0]] = r[1]
	}
	return m
}()

// minSpaced is how many single letters in a row are a word with spaces in it, and no elisions.
const minSpaced = 4

// letterSpaced gives the words that are written letter by letter, as "g a r a n t i".
func letterSpaced(text []string) []string {
	var out []string
	run := ""
	for _, w := range append(slices.Clone(text), "end") {
		if utf8.RuneCountInString(w) == 1 {
			run += w
			continue
		}
		if utf8.RuneCountInString(run) >= minSpaced {
			out = append(out, run)
		}
		run = ""
	}
	return out
}

// inSpaced looks inside the words, for an elision may stand before them and an ending behind.
func inSpaced(spaced []string, phrase string) bool {
	return utf8.RuneCountInString(phrase) >= minSpaced && slices.ContainsFunc(spaced, func(w string) bool { return strings.Contains(w, phrase) })
}
