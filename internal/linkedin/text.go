package linkedin

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	growth "github.com/zakibelm/astrogrowth"
)

// reserved are the characters that mean something in LinkedIn's "little" text format. One that stands bare where it
// means nothing cuts the post at that place, and the answer is a success all the same.
const reserved = `\|{}@[]()<>#*_~`

// MaxText is how long a post can be, as Length counts.
const MaxText = 3000

// Commentary writes plain text in the little text format, so that it reads on LinkedIn as it reads here. Hashtags stay
// clickable: a # at the start of a word that holds a letter is left bare, and everything else that is reserved gets a
// backslash. The first "@Name" of each mention becomes a link with the name as its text.
func Commentary(text string, mentions []growth.Mention) string {
	var out strings.Builder
	out.Grow(len(text) + len(text)/16)
	runes := []rune(text)
	links := linksIn(text, mentions)
	for i := 0; i < len(runes); i++ {
		if m, ok := links[i]; ok {
			out.WriteString("@[" + escapeAll(m.Name) + "](" + m.URN + ")")
			i += utf8.RuneCountInString(m.Name) // and the loop steps over the @
			continue
		}
		if strings.ContainsRune(reserved, runes[i]) && !startsHashtag(runes, i) {
			out.WriteByte('\\')
		}
		out.WriteRune(runes[i])
	}
	return out.String()
}

// linksIn finds where each mention stands, by the number of the rune. Longer names go first, so that "@Ada" does not
// take a part of "@Ada Li"; no two share a place.
func linksIn(text string, mentions []growth.Mention) map[int]growth.Mention {
	links := map[int]growth.Mention{}
	byLength := slices.Clone(mentions)
	slices.SortStableFunc(byLength, func(a, b growth.Mention) int { return len(b.Name) - len(a.Name) })
	taken := make([]bool, len(text))
	for _, m := range byLength {
		for from := 0; ; {
			at := strings.Index(text[from:], "@"+m.Name)
			if at < 0 {
				break
			}
			start, end := from+at, from+at+1+len(m.Name)
			from = start + 1
			if slices.Contains(taken[start:end], true) {
				continue
			}
			for i := start; i < end; i++ {
				taken[i] = true
			}
			links[utf8.RuneCountInString(text[:start])] = m
			break
		}
	}
	return links
}

// escapeAll escapes every reserved character: inside a mention's name nothing else means anything.
func escapeAll(s string) string {
	var out strings.Builder
	for _, r := range s {
		if strings.ContainsRune(reserved, r) {
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
