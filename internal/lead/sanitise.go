package lead

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Visible removes what a reader cannot see and a model can: zero-width and bidirectional characters, the Unicode tag
// block, variation selectors, private use, and controls other than line breaks and tabs.
func Visible(s string) string {
	if plainText(s) {
		return s
	}
	s = strings.ToValidUTF8(s, "\ufffd")
	if strings.IndexByte(s, '\r') >= 0 {
		s = strings.ReplaceAll(s, "\r\n", "\n")
	}
	return norm.NFC.String(strings.Map(visible, s))
}

// plainText says whether s holds only letters and signs of which nothing has to be removed or composed: nearly all texts.
func plainText(s string) bool {
	for _, r := range s {
		if (r < ' ' || r > '~') && (r <= '\u00a0' || r > '\u02ff' || r == '\u00ad') && (r < '\u2010' || r > '\u2027') && r != '\n' && r != '\t' && r != '€' {
			return false
		}
	}
	return true
}

func visible(r rune) rune {
	switch {
	case r >= ' ' && r <= '~', r == '\n', r == '\t': // nearly all
		return r
	case r == '\u2028' || r == '\u2029' || r == '\r':
		return '\n'
	case unicode.Is(unicode.C, r), unicode.Is(unicode.Variation_Selector, r), hiddenLetter(r):
		return -1
	}
	return r
}

// hiddenLetter knows the characters that count as letters or marks and show nothing.
func hiddenLetter(r rune) bool {
	switch r {
	case '\u034f', '\u115f', '\u1160', '\u17b4', '\u17b5', '\u3164', '\uffa0', '\u2800':
		return true
	}
	return false
}

// hidesText says whether s holds characters that serve to hide text from readers. The joiners of emoji and soft hyphens
// of pasted prose do not count.
func hidesText(s string) bool {
	for _, r := range s {
		switch {
		case r >= 0xe0000 && r <= 0xe007f, r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069',
			r == '\u200b', r == '\u2060', hiddenLetter(r):
			return true
		}
	}
	return false
}

// capText cuts s to at most n characters, between words where it can.
func capText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	i, count := 0, 0
	for i = range s {
		if count == n {
			break
		}
		count++
	}
	if count < n {
		return s
	}
	cut := s[:i]
	if j := strings.LastIndexFunc(cut, unicode.IsSpace); j > len(cut)*3/4 {
		cut = cut[:j]
	}
	return strings.TrimRightFunc(cut, unicode.IsSpace)
}
