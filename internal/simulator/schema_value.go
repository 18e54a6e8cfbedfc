package simulator

import (
	"math"
	"net/mail"
	"net/url"
	"regexp"
	"regexp/syntax"
	"strings"
	"time"
	"unicode/utf8"
)

// number keeps the wanted number inside the bounds; without one it takes a number that the source holds, else one near
// the lower bound.
func (f *form) number(s map[string]any, want any, name string, whole bool) any {
	low, high := keyword(s, "minimum", math.Inf(-1)), keyword(s, "maximum", math.Inf(1))
	step := keyword(s, "multipleOf", 0)
	if whole && step == 0 {
		step = 1
	}
	if x, ok := s["exclusiveMinimum"].(float64); ok && x >= low {
		low = above(x, step)
	}
	if x, ok := s["exclusiveMaximum"].(float64); ok && x <= high {
		high = below(x, step)
	}
	n, ok := wanted(want)
	if !ok {
		n, ok = f.numberFor(name, low, high)
	}
	if !ok {
		n = 0
		if math.IsInf(low, -1) && high < 0 {
			n = high
		}
	}
	n = max(low, min(high, n))
	if step > 0 {
		n = math.Round(n/step) * step
		if n < low {
			n += step
		}
		if n > high {
			n -= step
		}
	}
	return n
}

func above(x, step float64) float64 {
	if step > 0 {
		return x + step
	}
	return x + max(1e-6, math.Abs(x)*1e-9)
}

func below(x, step float64) float64 {
	if step > 0 {
		return x - step
	}
	return x - max(1e-6, math.Abs(x)*1e-9)
}

func wanted(v any) (float64, bool) {
	switch n := v.(type) {
	case float64:
		return n, true
	case int:
		return float64(n), true
	}
	return 0, false
}

// numberFor finds a number within the bounds in the source, best in a sentence that has the property's name.
func (f *form) numberFor(name string, low, high float64) (float64, bool) {
	own := stems(strings.ReplaceAll(name, "_", " "))
	var best float64
	found, near := false, false
	for _, s := range f.sentences {
		named := overlap(own, stems(s)) > 0
		if found && (near || !named) {
			continue
		}
		for _, t := range numbersIn(s) {
			if n := number(t); n >= low && n <= high {
				best, found, near = n, true, named
				break
			}
		}
	}
	return best, found
}

// text keeps the wanted text as far as the schema allows; without one it quotes the source.
func (f *form) text(s map[string]any, want any, name string) any {
	least := min(max(int(keyword(s, "minLength", 0)), 0), maxLength)
	most := max(int(keyword(s, "maxLength", maxLength)), 0)
	t, ok := want.(string)
	if pattern, has := s["pattern"].(string); has {
		if re, err := regexp.Compile(pattern); err == nil && !re.MatchString(t) {
			t, ok = fromPattern(pattern), true
		}
	}
	if format, has := s["format"].(string); has && (!ok || !written(format, t)) {
		if sample, known := formats[format]; known {
			return sample
		}
	}
	if !ok {
		t = f.quoteFor(name)
	}
	if n := utf8.RuneCountInString(t); n < least {
		f.left -= least / 100 // long texts count like many values
		t += strings.Repeat(" text", (least-n)/len(" text")+1)
		t = clipRunes(t, least)
	}
	return clipRunes(t, most)
}

// formats holds an example of each format, reserved ones where there are such.
var formats = map[string]string{
	"date": "2000-01-01", "date-time": "2000-01-01T00:00:00Z", "time": "00:00:00Z", "email": "nobody@example.com",
	"uri": "https://example.com/", "url": "https://example.com/", "uuid": "00000000-0000-4000-8000-000000000000",
	"ipv4": "192.0.2.1", "ipv6": "2001:db8::1", "hostname": "example.com", "duration": "P1D",
}

// written says whether a text has a format; of those that it does not know it says no.
func written(format, t string) bool {
	var err error
	switch format {
	case "date":
		_, err = time.Parse(time.DateOnly, t)
	case "date-time":
		_, err = time.Parse(time.RFC3339, t)
	case "email":
		_, err = mail.ParseAddress(t)
	case "uri", "url":
		var u *url.URL
		u, err = url.ParseRequestURI(t)
		return err == nil && u.IsAbs()
	default:
		return false
	}
	return err == nil
}

// quoteFor takes the sentence of the source that speaks of the property, else one by turns.
func (f *form) quoteFor(name string) string {
	if len(f.sentences) == 0 {
		return orText(strings.TrimSpace(name), "text")
	}
	own := stems(strings.ReplaceAll(name, "_", " "))
	best, most := f.sentences[spread(name)%len(f.sentences)], 0
	for _, s := range f.sentences {
		if n := overlap(own, stems(s)); n > most {
			best, most = s, n
		}
	}
	return clipRunes(best, 200)
}

// fromPattern makes a short text that a regular expression matches.
func fromPattern(pattern string) string {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return ""
	}
	var b strings.Builder
	writePattern(&b, re, 0)
	return b.String()
}

func writePattern(b *strings.Builder, re *syntax.Regexp, depth int) {
	if b.Len() > maxLength || depth > maxNest {
		return
	}
	times := 0
	switch re.Op { //nolint:exhaustive // the others match without a character
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		b.WriteRune(runeOf(re.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('a')
	case syntax.OpPlus, syntax.OpCapture:
		times = 1
	case syntax.OpRepeat:
		times = re.Min
	case syntax.OpAlternate:
		writePattern(b, re.Sub[0], depth+1)
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			writePattern(b, sub, depth+1)
		}
	}
	for range times {
		writePattern(b, re.Sub[0], depth+1)
	}
}

// runeOf takes a letter or digit out of a character class, else its first member.
func runeOf(ranges []rune) rune {
	for _, r := range "a0A_- ." {
		for i := 0; i+1 < len(ranges); i += 2 {
			if ranges[i] <= r && r <= ranges[i+1] {
				return r
			}
		}
	}
	for i := 0; i+1 < len(ranges); i += 2 {
		if ranges[i] > ' ' {
			return ranges[i]
		}
	}
	if len(ranges) > 0 {
		return ranges[0]
	}
	return 'a'
}
