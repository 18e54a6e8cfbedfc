package lead

import (
	"regexp"
	"strings"
)

// The forms of telephone numbers. phoneMark is what stands between two digits of one: French and print put other blanks
// and dashes there than keyboards do.
const (
	phoneMark   = `[\s.\-/\x{a0}\x{b7}\x{2009}\x{202f}\x{2010}-\x{2015}\x{2212}]`
	phoneNumber = `(?:\+?1[\s.\-]?)?(?:\(\d{3}\)\s?|\b\d{3}[\s.\-]?)\d{3}[\s.\-]?\d{4}\b|` +
		`(?:\+?1` + phoneMark + `{0,3})?(?:\([2-9]\d{2}\)` + phoneMark + `{0,3}|\b[2-9]\d{2}` + phoneMark + `{1,3})[2-9]\d{2}` + phoneMark + `{0,3}\d{2}` + phoneMark + `?\d{2}\b|` +
		`\+\d{1,3}(?:` + phoneMark + `{0,2}\(?\d{1,4}\)?){2,7}|` +
		`\b(?:011|00)` + phoneMark + `?[1-9]\d{0,2}(?:` + phoneMark + `{0,2}\(?\d{1,4}\)?){2,7}\b|` +
		`\b0[1-9](?:` + phoneMark + `\d{2}){4}\b|` +
		`\b0\d{2,4}` + phoneMark + `\d{3,4}` + phoneMark + `?\d{3,4}\b|` +
		`\b[2-9](?:[\s.\-]\d){9}\b`
	phoneExtension = `(?:[\s,;\x{a0}]{0,3}(?:(?i:poste|extension|ext|x)[.:]?|#)[\s\x{a0}]?#?\d{1,6}\b)?`
	phoneForm      = `(` + phoneNumber + `)` + phoneExtension

	// phoneLabel announces a number, so that less of one is enough: the seven digits that neighbours dial.
	phoneLabel = `(?i:\b(?:t[ée]l(?:[ée]phone)?|phone|cell(?:ulaire|phone)?|mobile|portable|fax|t[ée]l[ée]copieur|whatsapp|sms|texto|` +
		`(?:appelez|rappelez|joindre|rejoindre|call|text)(?:[\s-](?:moi|me|us|nous))?(?:\s(?:au|at))?))[\s.:°#\x{a0}]{1,4}`
	labelledNumber = `(\+?\(?\d(?:(?:` + phoneMark + `|[()]){0,3}\d){6,14})\b` + phoneExtension
)

var (
	anyPhone         = regexp.MustCompile(phoneForm)
	labelBefore      = regexp.MustCompile(phoneLabel + `$`)
	numberHere       = regexp.MustCompile(`^` + labelledNumber)
	extensionHere    = regexp.MustCompile(`^` + phoneExtension)
	withoutExtension = regexp.MustCompile(`^(.*\d.*?\d)[\s,;\x{a0}]{0,3}(?:(?i:poste|extension|ext|x)[.:]?|#)[\s\x{a0}]?#?\d{1,6}\s*$`)
	moneyHere        = regexp.MustCompile(`^[\s\x{a0}\x{202f}]?(?:[$€£%]|(?i:cad|usd|dollars?|euros?|millions?|milliards?|billion)\b)`)
)

// Digits of a whole number with a country code; what has fewer is a sum, and what has more is no number.
const (
	leastAbroad = 9
	mostDigits  = 15
)

// isPhone tells numbers from sums of money and times of the day that are grouped alike: it looks at what stands around,
// and how long it is.
func isPhone(s string, from, to int) bool {
	if s[from] == '0' && from > 0 && s[from-1] == ':' {
		return false
	}
	least := minPhone
	if abroad := s[from] == '+' || s[from] == '0'; abroad {
		least = leastAbroad
	}
	digits := countDigits(s[from:to])
	return digits >= least && digits <= mostDigits && !moneyHere.MatchString(s[to:])
}

// cutExtension is a number without its extension. Most have none, which a glance at their letters tells.
func cutExtension(s string) string {
	if !strings.ContainsAny(s, "tTxX#") {
		return s
	}
	if number := withoutExtension.FindStringSubmatch(s); number != nil {
		return number[1]
	}
	return s
}

// extensionAt is how long the extension at the beginning of s is; 0 when there is none.
func extensionAt(s string) int {
	for i := range min(len(s), 7) { // three blanks of two bytes at most, and a letter
		switch s[i] {
		case 'p', 'P', 'e', 'E', 'x', 'X', '#':
			return len(extensionHere.FindString(s))
		case ',', ';', 0xc2, 0xa0:
		default:
			if !isSpace(s[i]) {
				return 0
			}
		}
	}
	return 0
}

// extensionOf gives the digits of a number's extension; "" when it has none.
func extensionOf(s string) string {
	number := cutExtension(s)
	if number == s {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s[len(number):])
}

// phonesIn tries the form on each run of the characters that it is made of, with one more at either side to tell where a
// word ends.
func phonesIn(p *piece) [][2]int {
	var out [][2]int
	s := p.text
	for i := 0; i < len(s); i++ {
		if !startsPhone(s[i]) {
			continue
		}
		from := i
		digits, plus := 0, false
		i, digits, plus = phoneRun(s, i)
		if digits < leastAbroad && (!plus || digits < 3) {
			continue
		}
		start := max(0, from-1)
		for _, m := range anyPhone.FindAllStringSubmatchIndex(s[start:min(len(s), i+1)], -1) {
			to := start + m[3]
			to += extensionAt(s[to:])
			if isPhone(s, start+m[2], start+m[3]) {
				out = append(out, [2]int{start + m[2], to})
			}
			i = max(i, to-1)
		}
	}
	return out
}

func startsPhone(c byte) bool { return isDigit(c) || c == '+' || c == '(' }

// phoneRun says where the characters that numbers are made of end, how many of them are digits, and whether one is a plus.
func phoneRun(s string, i int) (end, digits int, plus bool) {
	for i < len(s) {
		switch {
		case isDigit(s[i]):
			digits++
			i++
		case s[i] == '+':
			plus = true
			i++
		default:
			size := groupSign(s, i)
			if size == 0 {
				return i, digits, plus
			}
			i += size
		}
	}
	return i, digits, plus
}

// longestLabel is longer than what can announce a number, in bytes.
const longestLabel = 64

// labelledPhonesIn looks in front of each number that is too short to be known by its form.
func labelledPhonesIn(p *piece) [][2]int {
	var out [][2]int
	s := p.text
	for i := 0; i < len(s); i++ {
		if !startsPhone(s[i]) {
			continue
		}
		end, digits, _ := phoneRun(s, i)
		if digits >= 7 && labelBefore.MatchString(s[max(0, i-longestLabel):i]) {
			if m := numberHere.FindStringSubmatchIndex(s[i:]); m != nil {
				if isPhone(s, i, i+m[3]) {
					out = append(out, [2]int{i, i + m[1]})
				}
				end = max(end, i+m[1])
			}
		}
		i = end
	}
	return out
}

// numbers looks for a number however its digits are grouped, with or without a country code in front.
func (f *finder) numbers(p *piece) [][2]int {
	var out [][2]int
	s := p.text
	for i := 0; i < len(s); i++ {
		if !startsPhone(s[i]) {
			continue
		}
		if end := f.numberAt(s, i); end > 0 {
			end += extensionAt(s[end:])
			out = append(out, [2]int{i, end})
			i = end - 1
		}
	}
	return out
}

// numberAt says where the number that begins at i ends; 0 when none does. The longest country code comes first.
func (f *finder) numberAt(s string, i int) int {
	at := i
	if s[at] == '+' {
		at++
	}
	code := 0
	for code < 3 && at+code < len(s) && isDigit(s[at+code]) {
		code++
	}
	for ; code > 0; code-- {
		n := at + code
		for size := groupSign(s, n); size > 0; size = groupSign(s, n) {
			n += size
		}
		if end := f.digitsAt(s, n); end > 0 {
			return end
		}
	}
	switch s[i] {
	case '+':
		return 0
	case '(':
		i++
	}
	return f.digitsAt(s, i)
}

// digitsAt says where the digits that begin at i end, with at most three signs between two of them.
func (f *finder) digitsAt(s string, i int) int {
	for n := range len(f.digits) {
		for signs := 0; n > 0 && signs < 3; signs++ {
			size := groupSign(s, i)
			if size == 0 {
				break
			}
			i += size
		}
		if i >= len(s) || s[i] != f.digits[n] {
			return 0
		}
		i++
	}
	return i
}

// groupSign is how long the sign at i is that can part the digits of a number: phoneMark or a bracket. The blanks and
// dashes of print take two or three bytes.
func groupSign(s string, i int) int {
	switch {
	case i >= len(s):
		return 0
	case isSpace(s[i]), strings.IndexByte(".-()/", s[i]) >= 0:
		return 1
	case i+2 <= len(s) && s[i] == 0xc2 && (s[i+1] == 0xa0 || s[i+1] == 0xb7):
		return 2
	case i+3 > len(s):
		return 0
	case s[i] == 0xe2 && s[i+1] == 0x80 && (s[i+2] == 0x89 || s[i+2] >= 0x90 && s[i+2] <= 0x95 || s[i+2] == 0xaf),
		s[i] == 0xe2 && s[i+1] == 0x88 && s[i+2] == 0x92:
		return 3
	}
	return 0
}
