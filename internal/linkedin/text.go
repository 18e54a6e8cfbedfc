package linkedin

import (
	"strings"
	"unicode"
	"unicode/utf16"
)

// reserved are the characters that mean something in LinkedIn's "little" text format. One that stands bare where it
// means nothing cuts the post at that place, and the answer is a success all the same.
const reserved = `\|{}@[]()<>#*_~`

// Escape writes plain text in the little text format, so that it reads on LinkedIn as it reads here. Hashtags stay
// clickable: a # at the start of a word that holds a letter is left bare, and everything else that is reserved gets a
// backslash.
func Escape(text string) string {
	var out strings.Builder
	out.Grow(len(text) + len(text)/16)
	runes := []rune(text)
	for i, r := range runes {
		if strings.ContainsRune(reserved, r) && !startsHashtag(runes, i) {
			out.WriteByte('\\')
		}
		out.WriteRune(r)
	}
	return out.String()
}

// startsHashtag says whether the # at i begins a hashtag: nothing but a space or an opening mark before it, and a word
// with a letter behind it. The # of "C#", of "#1" and of an address is none.
func startsHashtag(runes []rune, i int) bool {
	if runes[i] != '#' {
		return false
	}
	if i > 0 && !unicode.IsSpace(runes[i-1]) && !strings.ContainsRune("([{\"'«“‘,;", runes[i-1]) {
		return false
	}
	for _, r := range runes[i+1:] {
		if unicode.IsLetter(r) {
			return true
		}
		if !unicode.IsDigit(r) {
			return false
		}
	}
	return false
}

// Length is the number of characters of a text as LinkedIn counts them: UTF-16 units, so that most emoji count twice.
func Length(text string) int {
	n := 0
	for _, r := range text {
		n += max(utf16.RuneLen(r), 1) // a broken character is sent as U+FFFD, which counts one
	}
	return n
}
