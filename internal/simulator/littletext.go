package simulator

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// littleText is a commentary as LinkedIn understands it.
type littleText struct {
	Text      string   // what people see
	Hashtags  []string // without the sign
	Mentions  []string // URNs
	Truncated bool     // an unescaped reserved character has cut it
}

const reserved = `\|{}@[]()<>#*_~`

var (
	hashtagTemplate = regexp.MustCompile(`^\{hashtag\|\\?#\|([^|{}\\]+|(?:[^|{}\\]|\\.)+)\}`)
	mentionElement  = regexp.MustCompile(`^@\[((?:[^\[\]\\]|\\.)+)\]\((urn:li:(?:organization|person):[A-Za-z0-9_-]+)\)`)
)

// parseLittle reads a commentary by the grammar of the little text format: each of the fifteen reserved characters
// has to be escaped by one backslash or be part of a hashtag, a hashtag template or a mention. At the first that is
// neither, the post ends, without any error: that is what the real service does.
func parseLittle(s string) littleText {
	var (
		out  littleText
		text strings.Builder
		prev = ' '
	)
	for s != "" {
		r, size := utf8.DecodeRuneInString(s)
		taken, shown := size, s[:size]
		switch {
		case r == '\\':
			next, n := utf8.DecodeRuneInString(s[size:])
			if n == 0 || !strings.ContainsRune(reserved, next) {
				return out.end(text.String())
			}
			taken, shown = size+n, s[size:size+n]
		case strings.ContainsRune(reserved, r):
			taken, shown = out.element(s, prev)
			if taken == 0 {
				return out.end(text.String())
			}
		}
		text.WriteString(shown)
		prev, _ = utf8.DecodeLastRuneInString(shown)
		s = s[taken:]
	}
	out.Text = text.String()
	return out
}

func (t littleText) end(text string) littleText {
	t.Text, t.Truncated = text, true
	return t
}

// element reads a hashtag, a template or a mention at the head of s; taken is 0 when there is none.
func (t *littleText) element(s string, prev rune) (taken int, shown string) {
	if m := hashtagTemplate.FindStringSubmatch(s); m != nil {
		word := unescapeLittle(m[1])
		t.Hashtags = append(t.Hashtags, word)
		return len(m[0]), "#" + word
	}
	if m := mentionElement.FindStringSubmatch(s); m != nil {
		t.Mentions = append(t.Mentions, m[2])
		return len(m[0]), unescapeLittle(m[1])
	}
	if s[0] == '#' && !isWord(prev) {
		if word, n := tagWord(s[1:]); word != "" {
			t.Hashtags = append(t.Hashtags, word)
			return 1 + n, "#" + word
		}
	}
	return 0, ""
}

// tagWord reads the word of a plain hashtag, in which an escaped underscore counts as a letter.
func tagWord(s string) (word string, taken int) {
	var b strings.Builder
	for taken < len(s) {
		if strings.HasPrefix(s[taken:], `\_`) {
			b.WriteByte('_')
			taken += 2
			continue
		}
		r, n := utf8.DecodeRuneInString(s[taken:])
		if !isWord(r) {
			break
		}
		b.WriteString(s[taken : taken+n])
		taken += n
	}
	return b.String(), taken
}

func isWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r)
}

// unescapeLittle takes the backslashes away that stand before reserved characters.
func unescapeLittle(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && strings.IndexByte(reserved, s[i+1]) >= 0 {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// utf16Length counts as LinkedIn's limit is understood: in UTF-16 units.
func utf16Length(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}
