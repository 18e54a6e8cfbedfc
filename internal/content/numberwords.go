package content

import (
	"slices"
	"strconv"
	"strings"
)

var numberWords = map[string]int{
	"un": 1, "une": 1, "deux": 2, "trois": 3, "quatre": 4, "cinq": 5, "six": 6, "sept": 7, "huit": 8, "neuf": 9, "dix": 10, "onze": 11, "douze": 12,
	"treize": 13, "quatorze": 14, "quinze": 15, "seize": 16, "vingt": 20, "vingts": 20, "trente": 30, "quarante": 40, "cinquante": 50, "soixante": 60,
	"septante": 70, "octante": 80, "huitante": 80, "nonante": 90, "cent": 100, "cents": 100, "mille": 1000,
	"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13,
	"fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50,
	"sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "hundred": 100, "thousand": 1000,
}

// spelled reads the number that stands in words at the beginning of w, and says how many of them it takes, 0 for none.
func spelled(w []string) (value, taken int) {
	total, part := 0, 0 // thousands, and what is below
	for i := 0; i < len(w); i++ {
		n, ok := numberWords[w[i]]
		if !ok && (w[i] == "et" || w[i] == "and") && taken > 0 && i+1 < len(w) && part%10 == 0 { // "vingt et un"
			i++
			n, ok = numberWords[w[i]]
		}
		switch {
		case !ok:
			return total + part, taken
		case n == 1000:
			total, part = total+max(part, 1)*n, 0
		case n == 100:
			part = max(part, 1) * n
		case n == 20 && part%100 == 4: // "quatre-vingts"
			part += 76
		case part%10 != 0: // "deux, trois": another number
			return total + part, taken
		default:
			part += n
		}
		taken = i + 1
	}
	return total + part, taken
}

// number is spelled for digits too.
func number(w []string) (value, taken int) {
	if len(w) == 0 {
		return 0, 0
	}
	if n, err := strconv.Atoi(w[0]); err == nil {
		return n, 1
	}
	return spelled(w)
}

// spelledFigures are the numbers that a text gives in words.
func spelledFigures(s string) []figure {
	var out []figure
	w := words(s)
	for i := 0; i < len(w); i++ {
		if size := percentWords(w[i:]); size > 0 {
			i += size - 1 // its "cent" is no number
			continue
		}
		v, n := spelled(w[i:])
		if n == 0 {
			continue
		}
		size := percentWords(w[i+n:])
		f := figure{written: strings.Join(w[i:i+n+size], " "), values: []float64{float64(v)}}
		if size > 0 {
			f.unit = percent
		} else if i+n < len(w) {
			f.unit, f.of = counted(w[i+n])
		}
		out = append(out, f)
		i += n - 1
	}
	return out
}

// percentWords says how many words at the beginning say "percent".
func percentWords(w []string) int {
	switch {
	case len(w) > 0 && w[0] == "percent":
		return 1
	case len(w) > 1 && (w[0] == "pour" || w[0] == "per") && (w[1] == "cent" || w[1] == "100"):
		return 2
	}
	return 0
}

// measure is a number that says how two things compare: "three times less" (3 of 0), "two parents out of three" (2 of 3).
type measure struct {
	written   string
	value, of int
}

func (m measure) in(known []measure) bool {
	return slices.ContainsFunc(known, func(k measure) bool { return k.value == m.value && k.of == m.of })
}

// measures finds what a text measures, in words or digits.
func measures(s string) []measure {
	var out []measure
	for line := range strings.Lines(s) {
		for _, sentence := range sentenceEnd.Split(line, -1) {
			w := words(sentence)
			for i := 0; i < len(w); i++ {
				v, n := number(w[i:])
				if n == 0 {
					continue
				}
				if of, size := compared(v, w[i+n:]); size > 0 {
					out = append(out, measure{strings.Join(w[i:i+n+size], " "), v, of})
				}
				i += n - 1
			}
		}
	}
	return out
}

var moreOrLess = wordSet("plus moins mieux more less fewer faster better as")

// compared says what the number v is compared with in the words behind it, and how many of them that takes.
func compared(v int, rest []string) (of, size int) {
	if len(rest) > 1 && v > 1 && (rest[0] == "fois" || rest[0] == "times") && moreOrLess[rest[1]] {
		return 0, 2
	}
	const most = 3 // words between the part and the whole
	for i := range min(len(rest), most+1) {
		if _, n := number(rest[i:]); n > 0 {
			return 0, 0
		}
		by := outOf(rest[i:], i)
		if by == 0 {
			continue
		}
		whole, n := number(rest[i+by:])
		if n == 0 || whole <= v || rest[i] == "in" && whole > 100 || i > 0 && isSpan(rest[i-1]) || rest[i] != "out" && counts(rest[i+by+n:], rest[i] == "sur") {
			return 0, 0
		}
		return whole, i + by + n
	}
	return 0, 0
}

// outOf says how many words at the beginning part a share from its whole. "In" does so right behind the number alone.
func outOf(w []string, at int) int {
	switch {
	case w[0] == "sur", w[0] == "in" && at == 0:
		return 1
	case w[0] == "out" && len(w) > 1 && w[1] == "of":
		return 2
	}
	return 0
}

func isSpan(w string) bool { u, _ := counted(w); return u != bare }

// counts says whether a number counts the word behind it: "sur trois jours", "sur deux étages" are no shares. In French a
// share has no noun behind it.
func counts(behind []string, french bool) bool {
	if len(behind) == 0 {
		return false
	}
	u, of := counted(behind[0])
	return u != bare || french && (strings.HasSuffix(of, "s") || strings.HasSuffix(of, "x"))
}
