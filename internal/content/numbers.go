package content

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// numbers finds figures and dates that neither the brief nor the brand's claims state: a model likes to invent them.
func numbers(p piece) string {
	source := p.sources()
	known := append(figures(source), figures(withoutListMarks(withoutLinks(source)))...)
	var invented []string
	for _, f := range figures(withoutListMarks(withoutLinks(p.draft.Title + "\n" + p.text))) {
		if !f.in(known) && !slices.Contains(invented, f.written) {
			invented = append(invented, f.written)
		}
	}
	dates := datesIn(source)
	for _, d := range datesIn(p.draft.Title + "\n" + p.text) {
		if !d.in(dates) && !slices.Contains(invented, d.written) {
			invented = append(invented, d.written)
		}
	}
	if len(invented) > 0 {
		return "neither the brief nor the brand's claims state " + list(invented)
	}
	return ""
}

// sources is everything a figure may come from.
func (p piece) sources() string {
	b := p.brief
	parts := []string{b.Topic, b.Brief, b.Audience, b.CTA, b.Link}
	parts = append(parts, b.Hashtags...)
	for _, v := range b.Business {
		parts = append(parts, v)
	}
	for _, c := range p.brand.Claims {
		parts = append(parts, c.Text, c.Source)
	}
	return plain(strings.Join(append(parts, p.brand.Name), "\n"))
}

type unit uint8

const (
	bare unit = iota
	percent
	money
)

// figure is one number as it is written, with every value that the writing can stand for.
type figure struct {
	written string
	values  []float64
	unit    unit
}

var figureForm = regexp.MustCompile(`(?i)([$€£]\s?)?(\d{1,3}(?:[ \x{a0}\x{202f}]\d{3})+\b(?:[.,]\d+)?|\d+(?:[.,']\d+)*)` +
	`(?:[ \x{a0}\x{202f}]?(k\s?(?:\$|€|cad|usd)|m\$|m€|%|\$|€|£|k)(?:\b|\z|[^\pL\d])|[ \x{a0}\x{202f}]?(pour cent|percent|per cent|p\.\s?100|dollars?|euros?|cad|usd)\b)?`)

func figures(s string) []figure {
	var out []figure
	for _, m := range figureForm.FindAllStringSubmatchIndex(s, -1) {
		group := func(i int) string {
			if m[2*i] < 0 {
				return ""
			}
			return s[m[2*i]:m[2*i+1]]
		}
		mark := group(3) + group(4)
		if mark == "" && partOfName(s, m[4], m[5]) {
			continue
		}
		f := figure{written: strings.TrimSpace(group(1) + group(2)), values: readings(group(2)), unit: unitOf(group(1), strings.ToLower(mark))}
		if mark != "" {
			f.written += " " + mark
		}
		switch strings.ToLower(mark + "  ")[:1] {
		case "k":
			f.values = times(f.values, 1e3)
		case "m":
			f.values = times(f.values, 1e6)
		}
		out = append(out, f)
	}
	return out
}

func unitOf(before, mark string) unit {
	switch {
	case mark == "%" || strings.Contains(mark, "cent") || strings.HasPrefix(mark, "p."):
		return percent
	case before != "" || mark != "" && mark != "k":
		return money
	}
	return bare
}

// partOfName says whether the digits at from:to belong to a word, as in "B2B", "3D" or a postal code.
func partOfName(s string, from, to int) bool {
	before, size := utf8.DecodeLastRuneInString(s[:from])
	if (before == 'h' || before == 'H') && from > size && s[from-size-1] >= '0' && s[from-size-1] <= '9' {
		return false // the minutes of "18h30"
	}
	after, _ := utf8.DecodeRuneInString(s[to:])
	return from > 0 && (unicode.IsLetter(before) || before == '_') || to < len(s) && unicode.IsUpper(after)
}

func times(values []float64, by float64) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = v * by
	}
	return out
}

// readings gives the values that a written number can have: "1,700" is 1700 or 1.7.
func readings(s string) []float64 {
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '\'' {
			return -1
		}
		return r
	}, s)
	var out []float64
	for _, form := range []string{
		strings.NewReplacer(",", "", ".", "").Replace(s), // both part thousands
		strings.ReplaceAll(s, ",", ""),
		strings.ReplaceAll(strings.ReplaceAll(s, ".", ""), ",", "."),
	} {
		if form != s && !grouped(s) && strings.Count(form, ".") == 0 {
			continue // "4,5" is never 45
		}
		if v, err := strconv.ParseFloat(form, 64); err == nil && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

var groupedForm = regexp.MustCompile(`^\d{1,3}([.,]\d{3})+$`)

func grouped(s string) bool { return groupedForm.MatchString(s) || !strings.ContainsAny(s, ".,") }

// in says whether the source states the figure: the same value, and where the draft says percent or money, as such.
func (f figure) in(known []figure) bool {
	return slices.ContainsFunc(known, func(k figure) bool {
		if k.written == f.written {
			return true // "12.5.3" has no value
		}
		if f.unit != bare && f.unit != k.unit {
			return false
		}
		return slices.ContainsFunc(f.values, func(v float64) bool { return slices.Contains(k.values, v) })
	})
}

var listMark = regexp.MustCompile(`(?m)^[ \t]*(?:\d{1,2}[.)][ \t]+|\d{1,2}\x{fe0f}?\x{20e3}[ \t]*)`)

// withoutListMarks drops the numbers that only count the lines of a list.
func withoutListMarks(s string) string { return listMark.ReplaceAllString(s, "") }

// day is a date as far as it is written.
type day struct {
	written          string
	day, month, year int
}

const monthNames = `janvier|january|f[ée]vrier|february|mars|march|avril|april|mai|may|juin|june|juillet|july|ao[ûu]t|august|septembre|september|octobre|october|novembre|november|d[ée]cembre|december`

var (
	dayMonth = regexp.MustCompile(`(?i)\b(\d{1,2})(?:er|st|nd|rd|th)?(?:\s+of)?[\s\x{a0}]+(` + monthNames + `)(?:,?[\s\x{a0}]+(\d{4}))?`)
	monthDay = regexp.MustCompile(`(?i)\b(` + monthNames + `)[\s\x{a0}]+(\d{1,2})(?:st|nd|rd|th)?\b(?:,?[\s\x{a0}]+(\d{4}))?`)
	isoDay   = regexp.MustCompile(`\b(\d{4})-(\d{2})-(\d{2})`)
)

var months = map[string]int{
	"janvier": 1, "january": 1, "fevrier": 2, "february": 2, "mars": 3, "march": 3, "avril": 4, "april": 4, "mai": 5, "may": 5,
	"juin": 6, "june": 6, "juillet": 7, "july": 7, "aout": 8, "august": 8, "septembre": 9, "september": 9, "octobre": 10, "october": 10,
	"novembre": 11, "november": 11, "decembre": 12, "december": 12,
}

func datesIn(s string) []day {
	var out []day
	number := func(s string) int { n, _ := strconv.Atoi(s); return n } // the forms hold digits only; no year is 0
	for _, m := range dayMonth.FindAllStringSubmatch(s, -1) {
		out = append(out, day{m[0], number(m[1]), months[fold(m[2])], number(m[3])})
	}
	for _, m := range monthDay.FindAllStringSubmatch(s, -1) {
		out = append(out, day{m[0], number(m[2]), months[fold(m[1])], number(m[3])})
	}
	for _, m := range isoDay.FindAllStringSubmatch(s, -1) {
		out = append(out, day{m[0], number(m[3]), number(m[2]), number(m[1])})
	}
	return out
}

func (d day) in(known []day) bool {
	return slices.ContainsFunc(known, func(k day) bool {
		return d.day == k.day && d.month == k.month && (d.year == 0 || k.year == 0 || d.year == k.year)
	})
}
