package providers

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	growth "github.com/zakibelm/astrogrowth"
)

const (
	maxSaying = 300 // bytes of a provider's text that are kept in an error
	minEcho   = 16  // bytes in a row that count as an echo of the prompt
	minKey    = 6   // bytes; anything shorter is a placeholder that occurs in ordinary words
	blackened = "[…]"
)

// looksSecret finds keys that are not ours, such as an upstream's, and keys that a provider echoes with parts masked.
var looksSecret = regexp.MustCompile(`(?i)\b(sk-[a-z0-9_*.-]{6,}|hf_[a-z0-9_*.]{6,}|bearer\s+\S+)`)

// scrub makes a provider's text fit for an error: without the key, without pieces of the prompt, on one line, short.
func scrub(text, key string, messages []growth.Message) string {
	text = cut(text, maxFaultText)
	if len(key) >= minKey {
		text = strings.ReplaceAll(text, key, "[secret]")
	}
	text = cut(looksSecret.ReplaceAllString(text, "[secret]"), maxSaying)
	text = withoutEcho(text, messages)
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	return cut(strings.TrimSpace(text), maxSaying)
}

// withoutEcho blackens every run of bytes that also stands in a message. A provider that quotes the prompt in its
// error must not bring a lead's data into a log.
func withoutEcho(text string, messages []growth.Message) string {
	var out strings.Builder
	for i := 0; i < len(text); {
		n := echo(text[i:], messages)
		if n == 0 {
			out.WriteByte(text[i])
			i++
			continue
		}
		out.WriteString(blackened)
		i += n
	}
	return out.String()
}

// echo is the length of the longest start of text that stands in a message, 0 when it is shorter than minEcho.
func echo(text string, messages []growth.Message) int {
	if len(text) < minEcho {
		return 0
	}
	longest := 0
	for _, m := range messages {
		n := minEcho
		for n <= len(text) && strings.Contains(m.Content, text[:n]) {
			longest = max(longest, n)
			n++
		}
	}
	return longest
}

// cut shortens s to at most n bytes without splitting a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
