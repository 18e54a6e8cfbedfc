package lead

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// letters that Unicode does not take apart although readers see them as variants of plain ones.
var plainLetters = map[rune]string{
	'œ': "oe", 'æ': "ae", 'ß': "ss", 'ø': "o", 'ł': "l", 'đ': "d", 'ð': "d", 'þ': "th", 'ı': "i",
}

// Fold brings a text to the form in which it is compared: lower case, without accents and punctuation, words parted by
// one space. "&" becomes "et", so that it can be compared with the word.
func Fold(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	gap := false
	word := func(w string) {
		if gap && b.Len() > 0 {
			b.WriteByte(' ')
		}
		gap = false
		b.WriteString(w)
	}
	for _, r := range norm.NFKD.String(s) {
		r = unicode.ToLower(r)
		switch {
		case plainLetters[r] != "":
			word(plainLetters[r])
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			word(string(r))
		case unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Cf, r): // accents and invisible characters part no words
		case r == '&':
			gap = true
			word("et")
			gap = true
		default:
			gap = true
		}
	}
	return b.String()
}

// span is one word of a text, where it stands and how it compares.
type span struct {
	from, to int
	fold     string
}

// spans cuts a text into its words without losing where they stand.
func spans(s string) []span {
	out := make([]span, 0, len(s)/6+1)
	for i := 0; i < len(s); {
		from, plain := i, true // plain: it is its own folded form
		for i < len(s) {
			c := s[i]
			if c < utf8.RuneSelf {
				if !isLetter(c) && !isDigit(c) {
					break
				}
				plain = plain && (c >= 'a' || c <= '9')
				i++
				continue
			}
			r, size := utf8.DecodeRuneInString(s[i:])
			if !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r) {
				break
			}
			plain = false
			i += size
		}
		fold := s[from:i]
		if !plain {
			fold = foldWord(fold)
		}
		if fold != "" {
			out = append(out, span{from: from, to: i, fold: fold})
		}
		if i < len(s) {
			_, size := utf8.DecodeRuneInString(s[i:])
			i += size
		}
	}
	return out
}

// foldWord is Fold for one word. A written word can fold into several ("½" is "1 2"); they stand at the same place.
// Folding takes each letter by itself, so the letters of our languages come from a table.
func foldWord(w string) string {
	var b strings.Builder
	b.Grow(len(w))
	for _, r := range w {
		if int(r) >= len(foldedLetters) {
			return strings.ReplaceAll(Fold(w), " ", "")
		}
		b.WriteString(foldedLetters[r])
	}
	return b.String()
}

// foldedLetters are the folded forms of the Latin letters.
var foldedLetters = func() (out [0x250]string) {
	for r := range out {
		out[r] = strings.ReplaceAll(Fold(string(rune(r))), " ", "")
	}
	return out
}()

// hasPhrase says whether the folded words of phrase stand in the folded text as whole words, one after the other.
func hasPhrase(folded, phrase string) bool {
	return phrase != "" && strings.Contains(" "+folded+" ", " "+phrase+" ")
}
