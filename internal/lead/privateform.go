package lead

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// The forms by which anybody's private values are known.
const (
	emailForm   = `(?i)[\p{L}\p{N}._%+\-']+\s?(?:@|\(at\)|\[at\])\s?[\p{L}\p{N}\-]+(?:\.[\p{L}\p{N}\-]+)+`
	profileForm = `(?i)(?:https?://)?(?:[a-z]+\.)?linkedin\.com/in/[^\s"'<>)\]]+`
	streetForm  = `(?i)\b` + houseNumber + `,?\s+(?:rue|avenue|av\.?|boul\.?|boulevard|chemin|ch\.|rang|mont[ée]e|c[ôo]te|route|place|impasse|all[ée]e|quai|ruelle|promenade|esplanade)\s+(?:(?:de|du|des|la|le|les|st|ste|saint|sainte)\.?\s+|d['’]|l['’])*[\p{L}\p{N}\-'’.]+(?:\s+(?:est|ouest|nord|sud|[eons]\.))?` + doorNumber + `|` +
		`\b` + houseNumber + `,?\s+\d{1,3}(?:er|[èe]re|[èe]me|[eè]|st|nd|rd|th)\s+(?:rue|avenue|av\.?|ave\.?|rang|boulevard|boul\.?|street|st\.)(?:\s+(?:est|ouest|nord|sud|[eons]\.))?` + doorNumber + `|` +
		`\b` + houseNumber + `\s+(?:[\p{L}\p{N}.'\-]+\s+){1,3}(?:street|st\.?|avenue|ave\.?|road|rd\.?|boulevard|blvd\.?|drive|lane|crescent|cres\.|court|parkway|pkwy|highway|hwy)\b` + doorNumber
	houseNumber = `\d{1,5}(?:\s?½|\s?[\-–]\s?\d{1,5}[a-z]?|(?:\s?[\-–]\s?|\s)?[a-z])?(?:\s?(?:bis|ter|quater))?`
	doorNumber  = `(?:,?\s+(?:app|apt|bureau|suite|unit[ée]?|local)\.?\s*#?\w+)?`
	boxForm     = `\b(?:(?i:c\.\s?p\.|b\.\s?p\.|p\.\s?o\.\s?box|po\s?box|case\spostale|casier\spostal|bo[iî]te\spostale|post\soffice\sbox)|CP|BP)\s?(?:(?i:n[o°º]\.?|num[ée]ro|number)\s?|#\s?)?\d{1,6}\b`
	titledForm  = `\b(?:M\.|MM\.|Mme|Mlle|Me|Dr|Dre|Mr|Mrs|Ms|Prof|Monsieur|Madame|Mademoiselle|Maître)\.?\s+(\p{Lu}[\p{L}'’\-]+(?:\s+\p{Lu}[\p{L}'’\-]+)?)`
	saidForm    = `(?i:je m['’]appelle|mon nom est|my name is|moi c['’]est|je me nomme)\s+(\p{L}[\p{L}'’\-]+(?:\s+\p{Lu}[\p{L}'’\-]+)?)`
)

// Over a whole text these expressions take a hundred times as long as all the rest. Each is tried only where it can begin,
// or on the stretch around its surest sign, and finds the same.
var (
	anyEmail    = regexp.MustCompile(emailForm)
	anyProfile  = regexp.MustCompile(profileForm)
	streetHere  = regexp.MustCompile(`^(?:` + streetForm + `)`)
	boxHere     = regexp.MustCompile(`^(?:` + boxForm + `)`)
	titledHere  = regexp.MustCompile(`^(?:` + titledForm + `)`)
	saidHere    = regexp.MustCompile(`^(?:` + saidForm + `)`)
	placeholder = regexp.MustCompile(`(?i)\[((?:NAME|EMAIL|PHONE|ADDRESS|LINKEDIN)_\d+)\]`)
)

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isSpace is \s of an expression.
func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' && c != '\v' }

func isLetter(c byte) bool { c |= 0x20; return c >= 'a' && c <= 'z' }

// bounded says whether an expression's \b stands before the letter or digit at i.
func bounded(s string, i int) bool {
	return i == 0 || !isDigit(s[i-1]) && !isLetter(s[i-1]) && s[i-1] != '_'
}

// sign is where the surest sign of a form stands in a text, and how long it is; negative when there is none.
type sign func(s string) (at, size int)

// around tries an expression on the stretches around a sign: the characters up to the next space, and, where the form
// allows one, those behind a single space. Stretches that touch are one.
func around(s string, next sign, space bool, re *regexp.Regexp) [][2]int {
	var out [][2]int
	at, size := next(s)
	for at >= 0 {
		from, to := stretch(s, at, size, space)
		for {
			var more int
			if more, size = next(s[at+1:]); more < 0 {
				at = -1
				break
			}
			at += 1 + more
			left, right := stretch(s, at, size, space)
			if left > to {
				break
			}
			to = max(to, right)
		}
		for _, m := range re.FindAllStringIndex(s[from:to], -1) {
			out = append(out, [2]int{from + m[0], from + m[1]})
		}
	}
	return out
}

func stretch(s string, at, size int, space bool) (from, to int) {
	from, to = at, at+size
	if space && from > 0 && isSpace(s[from-1]) {
		from--
	}
	for from > 0 && !isSpace(s[from-1]) {
		from--
	}
	if space && to < len(s) && isSpace(s[to]) {
		to++
	}
	for to < len(s) && !isSpace(s[to]) {
		to++
	}
	return from, to
}

func emailsIn(p *piece) [][2]int { return around(p.text, emailSign, true, anyEmail) }

// emailSign is an @ or what people write for it.
func emailSign(s string) (at, size int) {
	for i := range len(s) {
		switch {
		case s[i] == '@':
			return i, 1
		case (s[i] == '(' || s[i] == '[') && i+4 <= len(s) && strings.EqualFold(s[i+1:i+3], "at"):
			return i, 4
		}
	}
	return -1, 0
}

func profilesIn(p *piece) [][2]int { return around(p.text, profileSign, false, anyProfile) }

// profileSign leaves out the k: an expression that is blind to case takes the sign of the kelvin for one too.
func profileSign(s string) (at, size int) {
	for i := 0; i+3 <= len(s); i++ {
		if s[i]|0x20 == 'l' && s[i+1]|0x20 == 'i' && s[i+2]|0x20 == 'n' {
			return i, 3
		}
	}
	return -1, 0
}

// starts are the letters with which a form can begin.
type starts [256]bool

func startsOf(letters string) *starts {
	var out starts
	for i := range len(letters) {
		out[letters[i]] = true
	}
	return &out
}

var (
	streetStarts = startsOf("0123456789")
	titledStarts = startsOf("MDP")
	saidStarts   = startsOf("jJmM")
	boxStarts    = startsOf("cCbBpP")
)

// beginning tries an expression wherever may says that it can begin, and gives its group.
func beginning(s string, at *starts, may func(s string, i int) bool, re *regexp.Regexp, group int) [][2]int {
	var out [][2]int
	for i := 0; i < len(s); i++ {
		if !at[s[i]] || !may(s, i) {
			continue
		}
		m := re.FindStringSubmatchIndex(s[i:])
		if m == nil {
			continue
		}
		out = append(out, [2]int{i + m[2*group], i + m[2*group+1]})
		i += m[1] - 1
	}
	return out
}

func streetsIn(p *piece) [][2]int {
	return beginning(p.text, streetStarts, mayBeStreet, streetHere, 0)
}

func boxesIn(p *piece) [][2]int {
	return beginning(p.text, boxStarts, mayBeBox, boxHere, 0)
}

func titledNamesIn(p *piece) [][2]int {
	return beginning(p.text, titledStarts, mayBeTitle, titledHere, 1)
}

func saidNamesIn(p *piece) [][2]int {
	return beginning(p.text, saidStarts, mayBeSaid, saidHere, 1)
}

// mayBeStreet says whether a house number stands at i, and behind it, in time, the beginning of a word for a street.
func mayBeStreet(s string, i int) bool {
	if !bounded(s, i) {
		return false
	}
	n := i
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	if n-i > 5 {
		return false
	}
	for {
		street := n
		if street < len(s) && s[street] == ',' {
			street++
		}
		if street < len(s) && isSpace(s[street]) && namesStreet(s[street:]) {
			return true
		}
		more := numberSuffix(s[n:])
		if more == 0 {
			return false
		}
		n += more
	}
}

// numberSuffix is how long a part of a house number is that stands behind its digits: a letter, another number, a half,
// "bis"; what it is exactly the expression decides.
func numberSuffix(s string) int {
	n := 0
	for n < len(s) && (isSpace(s[n]) || s[n] == '-') {
		n++
	}
	if strings.HasPrefix(s[n:], "–") {
		n += len("–")
		if n < len(s) && isSpace(s[n]) {
			n++
		}
	}
	if n > 3+len("–") {
		return 0
	}
	if n < len(s) && isDigit(s[n]) {
		from := n
		for n < len(s) && isDigit(s[n]) {
			n++
		}
		if n-from > 5 {
			return 0
		}
		return n
	}
	for _, word := range numberWords {
		if len(s)-n >= len(word) && strings.EqualFold(s[n:n+len(word)], word) {
			return n + len(word)
		}
	}
	switch r, size := utf8.DecodeRuneInString(s[n:]); {
	case n < len(s) && isLetter(s[n]), r == '½', r == '\u017f', r == '\u212a': // to an expression that is blind to case these are s and k
		return n + size
	}
	return 0
}

var numberWords = []string{"bis", "ter", "quater"}

// mayBeBox looks at the first letters of the words for a box at the post office.
func mayBeBox(s string, i int) bool {
	if i+3 >= len(s) || !bounded(s, i) {
		return false
	}
	switch second, third := s[i+1]|0x20, s[i+2]|0x20; s[i] | 0x20 {
	case 'c':
		return s[i+1] == '.' || s[i+1] == 'P' || second == 'a' && third == 's'
	case 'b':
		return s[i+1] == '.' || s[i+1] == 'P' || second == 'o' && (third == 'i' || third >= utf8.RuneSelf)
	default:
		return s[i+1] == '.' || second == 'o' && (third == 's' || third == 'b' || isSpace(s[i+2]))
	}
}

// What the words for a street begin with: French ones are the first word behind the number, English ones the second to
// the fourth.
const (
	frenchStreets  = " ru av bo ch ra mo co ro pl im al qu pr es "
	englishStreets = " st av ro rd bo bl dr la cr co pa pk hi hw ru ra "
)

func namesStreet(s string) bool {
	begins := frenchStreets
	for range 4 {
		for s != "" && isSpace(s[0]) {
			s = s[1:]
		}
		if len(s) < 2 {
			return false
		}
		if s[0] >= utf8.RuneSelf || s[1] >= utf8.RuneSelf {
			return true // the expression decides
		}
		if strings.Contains(begins, string([]byte{' ', s[0] | 0x20, s[1] | 0x20, ' '})) {
			return true
		}
		for s != "" && !isSpace(s[0]) {
			s = s[1:]
		}
		begins = englishStreets
	}
	return false
}

func mayBeTitle(s string, i int) bool {
	if i+1 >= len(s) {
		return false
	}
	switch s[i] {
	case 'M':
		return strings.IndexByte(".Mmlersoa", s[i+1]) >= 0 && bounded(s, i)
	case 'D', 'P':
		return s[i+1] == 'r' && bounded(s, i)
	}
	return false
}

func mayBeSaid(s string, i int) bool {
	if i+4 > len(s) {
		return false
	}
	return said(s, i, "je m") || said(s, i, "mon ") || said(s, i, "my n") || said(s, i, "moi ")
}

// said compares four letters without their case.
func said(s string, i int, words string) bool {
	for n := range 4 {
		if s[i+n]|0x20 != words[n] {
			return false
		}
	}
	return true
}
