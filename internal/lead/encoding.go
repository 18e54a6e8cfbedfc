package lead

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	utf16 "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	growth "github.com/zakibelm/astrogrowth"
)

// Encoding names how a file's bytes stand for letters.
type Encoding string

// The encodings that are read.
const (
	UTF8        Encoding = "utf-8"
	UTF16LE     Encoding = "utf-16le"
	UTF16BE     Encoding = "utf-16be"
	Windows1252 Encoding = "windows-1252"
	ISO885915   Encoding = "iso-8859-15"
	MacRoman    Encoding = "macintosh"
)

// codec is nil for UTF-8, which is checked line by line instead of being rewritten.
func (e Encoding) codec() encoding.Encoding {
	switch e {
	case UTF8:
		return nil
	case UTF16LE:
		return utf16.UTF16(utf16.LittleEndian, utf16.IgnoreBOM)
	case UTF16BE:
		return utf16.UTF16(utf16.BigEndian, utf16.IgnoreBOM)
	case Windows1252:
		return charmap.Windows1252
	case ISO885915:
		return charmap.ISO8859_15
	case MacRoman:
		return charmap.Macintosh
	}
	return nil
}

// ParseEncoding reads the name of an encoding as a person types it.
func ParseEncoding(s string) (Encoding, error) {
	switch Fold(s) {
	case "utf 8", "utf8":
		return UTF8, nil
	case "utf 16le", "utf16le", "utf 16":
		return UTF16LE, nil
	case "utf 16be", "utf16be":
		return UTF16BE, nil
	case "windows 1252", "cp1252", "ansi", "latin1", "iso 8859 1":
		return Windows1252, nil
	case "iso 8859 15", "latin9":
		return ISO885915, nil
	case "macintosh", "mac roman", "macroman", "x mac roman":
		return MacRoman, nil
	}
	return "", growth.InvalidField("lead.ParseEncoding", "encoding",
		"%q is no encoding that is read here: utf-8, utf-16le, utf-16be, windows-1252, iso-8859-15, macintosh", s)
}

var bom = []byte("\ufeff")

// text gives r as UTF-8 without its byte order mark.
func (e Encoding) text(r io.Reader) io.Reader {
	if c := e.codec(); c != nil {
		r = transform.NewReader(r, c.NewDecoder())
	}
	return &bomReader{r: r}
}

// bomReader drops the byte order mark that a text may begin with.
type bomReader struct {
	r     io.Reader
	begun bool
}

func (b *bomReader) Read(p []byte) (int, error) {
	if b.begun {
		return b.r.Read(p)
	}
	b.begun = true
	head := make([]byte, len(bom))
	n, err := io.ReadFull(b.r, head)
	rest := bytes.TrimPrefix(head[:n], bom)
	if err == nil || err == io.ErrUnexpectedEOF || err == io.EOF {
		b.r = io.MultiReader(bytes.NewReader(rest), b.r)
		return b.r.Read(p)
	}
	return 0, err
}

// detectEncoding reads the signs in head. guessed says that other encodings were possible. rivals are encodings that
// would read the file as well, but as another text: then nobody but a person can know.
func detectEncoding(head []byte) (e Encoding, guessed bool, rivals []Encoding) {
	switch {
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}):
		return UTF16LE, false, nil
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return UTF16BE, false, nil
	}
	if e, ok := detectUTF16(head); ok {
		return e, true, nil
	}
	good, bad := countUTF8(trimPartialRune(head))
	if bad == 0 {
		return UTF8, false, nil
	}
	if good >= 10*bad { // letters of other encodings do not form UTF-8 by chance: single bytes are broken
		return UTF8, true, nil
	}
	e, rivals = detectSingleByte(head)
	if 2*good >= bad {
		rivals = append(rivals, UTF8)
	}
	return e, true, rivals
}

// countUTF8 counts the characters of more than one byte, and the bytes that belong to none.
func countUTF8(b []byte) (good, bad int) {
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && size == 1:
			bad++
		case size > 1:
			good++
		}
		b = b[size:]
	}
	return good, bad
}

// untold says whether a file's beginning leaves open what the rest of it may tell: there is no letter outside ASCII yet,
// or none that windows-1252 and iso-8859-15 read as different ones.
func untold(head []byte) bool {
	e, _, _ := detectEncoding(head)
	return e == Windows1252 || e == ISO885915 || e == UTF8 && highBytes(head) == 0
}

const maxTelling = 256 << 10

// tellingLines gives the lines of r that tell encodings apart, as far as it takes to judge.
func tellingLines(r io.Reader, ascii bool) ([]byte, error) {
	var out []byte
	for in := bufio.NewReaderSize(r, 64<<10); len(out) < maxTelling; {
		line, err := in.ReadSlice('\n') // a part of a line that is too long does as well
		if slices.ContainsFunc(line, func(c byte) bool { return telling(c) || ascii && c >= utf8.RuneSelf }) {
			out = append(out, line...)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, fmt.Errorf("read the file: %w", err)
		}
	}
	return out, nil
}

// telling says whether windows-1252 and iso-8859-15 read a byte as different characters.
func telling(c byte) bool {
	return c >= 0x80 && c < 0xa0 || bytes.IndexByte([]byte("\xa4\xa6\xa8\xb4\xb8\xbc\xbd\xbe"), c) >= 0
}

// singleByte are the encodings of one byte a letter, the likeliest first.
var singleByte = [...]Encoding{Windows1252, ISO885915, MacRoman}

// detectSingleByte tells apart what has no mark by which reading gives letters that people write.
func detectSingleByte(head []byte) (best Encoding, rivals []Encoding) {
	var texts [len(singleByte)]string
	var scores [len(singleByte)]int
	first := 0
	for i, e := range singleByte {
		texts[i], scores[i] = readAs(head, e)
		if scores[i] > scores[first] {
			first = i
		}
	}
	legible := scores[first] >= highBytes(head) && latin(texts[first]) // half of what is no ASCII at least is usual
	for i, e := range singleByte {
		if i != first && texts[i] != texts[first] && (scores[i] == scores[first] || !legible) {
			rivals = append(rivals, e)
		}
	}
	return singleByte[first], rivals
}

func highBytes(b []byte) int {
	n := 0
	for _, c := range b {
		if c >= utf8.RuneSelf {
			n++
		}
	}
	return n
}

// detectUTF16 knows UTF-16 without a mark by the zero bytes beside its Latin letters.
func detectUTF16(head []byte) (Encoding, bool) {
	var zero [2]int
	for i, b := range head {
		if b == 0 {
			zero[i%2]++
		}
	}
	half := len(head) / 2
	switch {
	case half < 2:
		return "", false
	case zero[1] > half*6/10 && zero[0] <= half/20:
		return UTF16LE, true
	case zero[0] > half*6/10 && zero[1] <= half/20:
		return UTF16BE, true
	}
	return "", false
}

// trimPartialRune drops a character that the end of the sample cut in two.
func trimPartialRune(b []byte) []byte {
	for i := 1; i <= utf8.UTFMax-1 && i <= len(b); i++ {
		if c := b[len(b)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(b[len(b)-i:]) {
				return b[:len(b)-i]
			}
			break
		}
	}
	return b
}

// usualLetters are what the high bytes of French and English texts stand for.
var usualLetters = func() map[rune]bool {
	m := map[rune]bool{}
	for _, r := range "éèêëàâäçîïôöùûüÿœæÉÈÊËÀÂÄÇÎÏÔÖÙÛÜŸŒÆ’‘“”«»–—…€°\u00a0ñáíóúÑ" {
		m[r] = true
	}
	return m
}()

// latin says that accents are the exception: the words that have letters outside ASCII have as many inside it. Other
// alphabets, read as Western letters, are accents only.
func latin(text string) bool {
	plain, high := 0, 0
	for w := range strings.FieldsFuncSeq(text, func(r rune) bool { return !unicode.IsLetter(r) }) {
		if utf8.RuneCountInString(w) < len(w) {
			for _, r := range w {
				if r >= utf8.RuneSelf {
					high++
				} else {
					plain++
				}
			}
		}
	}
	return plain >= high
}

// readAs reads head as e, and says how much that looks like what people write.
func readAs(head []byte, e Encoding) (text string, score int) {
	decoded, err := e.codec().NewDecoder().Bytes(head)
	if err != nil {
		return "", -1 << 30
	}
	text = string(decoded)
	prev := ' '
	for _, r := range text {
		switch {
		case r < utf8.RuneSelf:
		case usualLetters[r] && unicode.IsUpper(r) && unicode.IsLower(prev): // "MontrÉal" is nobody's spelling
			score -= 2
		case usualLetters[r]:
			score += 2
		case unicode.IsControl(r) || r == utf8.RuneError:
			score -= 10
		case unicode.IsLetter(r):
		default:
			score--
		}
		prev = r
	}
	return text, score
}
