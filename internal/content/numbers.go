package content

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// numbers finds figures and dates that neither the brief nor the brand's claims state: a model likes to invent them.
func numbers(p piece) string {
	source, draft := arabic(p.sources()), arabic(p.draft.Title+"\n"+p.text)
	phones := phonesIn(source)
	plainly := plainFigures(source, phones)
	known := slices.Concat(figures(source), figures(plainly), spelledFigures(source))
	var invented []string
	say := func(written string) {
		if !slices.Contains(invented, written) {
			invented = append(invented, written)
		}
	}
	own := plainFigures(draft, phones)
	for _, f := range figures(own) {
		if !f.in(known) && !f.counts(draft) {
			say(f.written)
		}
	}
	for _, f := range spelledFigures(own) {
		if f.unit == percent && !f.in(known) { // other numbers in words are too often none: "one of us", "for two"
			say(f.written)
		}
	}
	measured := measures(source + "\n" + plainly)
	for _, m := range measures(own) {
		if !m.in(measured) {
			say(m.written)
		}
	}
	dates := datesIn(source)
	for _, d := range datesIn(draft) {
		if !d.in(dates) {
			say(d.written)
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
	inYears
	inMonths
	inWeeks
	inDays
	inHours
	inMinutes
	inSeconds
)

// figure is one number as it is written, with every value that the writing can stand for.
type figure struct {
	written string
	values  []float64
	unit    unit
	of      string // the folded word behind a bare number: what it counts
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
		if f.unit == bare {
			f.unit, f.of = counted(s[m[5]:])
		}
		out = append(out, f)
	}
	return out
}

var (
	spansOfTime = map[string]unit{
		"an": inYears, "annee": inYears, "year": inYears, "yr": inYears, "mois": inMonths, "month": inMonths, "semaine": inWeeks, "week": inWeeks,
		"jour": inDays, "day": inDays, "heure": inHours, "h": inHours, "hour": inHours, "hr": inHours, "minute": inMinutes, "min": inMinutes, "seconde": inSeconds, "second": inSeconds,
	}
	wordBehind = regexp.MustCompile(`^[ \x{a0}\x{202f}-]?(\pL+)`)
)

// counted gives what stands behind a number: a span of time, or the word for anything else.
func counted(behind string) (unit, string) {
	m := wordBehind.FindStringSubmatch(behind)
	if m == nil {
		return bare, ""
	}
	w := fold(m[1])
	if u, ok := spansOfTime[w]; ok {
		return u, ""
	}
	if u, ok := spansOfTime[strings.TrimSuffix(w, "s")]; ok {
		return u, ""
	}
	const shortest = 3 // "à", "et", "to" stand between two numbers
	if stopWords["fr"][w] || stopWords["en"][w] || utf8.RuneCountInString(w) < shortest {
		return bare, ""
	}
	return bare, w
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

// in says whether the source states the figure: the same value, and where the draft says percent, money or a span of
// time, as such. A span of time may rest on a number that counts nothing else: "20" in a field, the 9 of "9 to 17 h".
func (f figure) in(known []figure) bool {
	return slices.ContainsFunc(known, func(k figure) bool {
		switch {
		case f.unit == k.unit, f.unit == bare:
		case f.unit < inYears, k.unit != bare, k.of != "":
			return false
		}
		if k.written == f.written {
			return true // "12.5.3" has no value
		}
		return slices.ContainsFunc(f.values, func(v float64) bool { return slices.Contains(k.values, v) })
	})
}

var pointsNamed = wordSet(`conseils astuces etapes gestes raisons facons questions erreurs idees points trucs choses signes cles regles lecons habitudes moyens pistes
	tips steps ways reasons mistakes ideas things signs keys rules lessons habits points tricks`)

var listLine = regexp.MustCompile(`(?m)^[ \t]*(?:\d{1,2}[.)]|\d{1,2}\x{fe0f}?\x{20e3}|[-–—•·*→►▪✓✔✅☑👉➡‣◦])`)

// counts says whether the figure only counts the points of the text's own list, as in "3 tips" over three lines.
func (f figure) counts(draft string) bool {
	return pointsNamed[f.of] && slices.Contains(f.values, float64(len(listLine.FindAllString(draft, -1))))
}

var (
	// fullHour is a time with no minutes: "9 h 00" and "9:00" are the brief's "9 h".
	fullHour = regexp.MustCompile(`(?i)\b([01]?\d|2[0-4])[ \x{a0}\x{202f}]?(?:h[ \x{a0}\x{202f}]?|:)00\b`)
	// firstOnes are the ordinals that tell of an order and of no quantity: "2e rendez-vous". A 40th anniversary is a fact.
	firstOnes = regexp.MustCompile(`(?i)\b(?:1(?:ers?|[èe]?res?|st)|2(?:e|es|[èe]mes?|nde?s?)|3(?:e|es|[èe]mes?|rd))(\P{L}|$)`)
	// setPhrases are figures that everybody says and nobody counts.
	setPhrases = regexp.MustCompile(`(?i)\b24[ \x{a0}\x{202f}]?/[ \x{a0}\x{202f}]?7\b|\b((?:le|un|du|au|ce|notre|votre|nos|vos|des|les)[ \x{a0}\x{202f}])5[ \x{a0}\x{202f}]à[ \x{a0}\x{202f}]7\b([^\pL\d%$€]{2}|[.,;:!?»)\n]|[ \x{a0}](?:et|pour|où|de|du|avec|chez|au|à|qui|dans|en|sur|vous|nous)\b|$)`)
)

// plainFigures leaves out of a text the digits that state nothing, and the telephone numbers that are known.
func plainFigures(s string, phones []string) string {
	s = withoutListMarks(withoutLinks(s))
	s = phoneForm.ReplaceAllStringFunc(s, func(p string) string {
		if slices.Contains(phones, phone(p)) {
			return " "
		}
		return p
	})
	return setPhrases.ReplaceAllString(firstOnes.ReplaceAllString(fullHour.ReplaceAllString(s, "$1 h"), " $1"), "$1 $2")
}

var phoneForm = regexp.MustCompile(`(?:\+?1[ \x{a0}.-]?)?\(?\b\d{3}\)?[ \x{a0}\x{202f}.-]?\d{3}[ \x{a0}\x{202f}.-]?\d{4}\b`)

// phone is a North American number in the one form in which it is compared.
func phone(s string) string {
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
	const national = 10
	return digits[max(0, len(digits)-national):]
}

func phonesIn(s string) []string {
	var out []string
	for _, p := range phoneForm.FindAllString(s, -1) {
		out = append(out, phone(p))
	}
	return out
}

// arabic writes the digits of other scripts and widths, as "９９", the way that figures are read.
func arabic(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= unicode.MaxASCII || !unicode.IsDigit(r) {
			return r
		}
		if d := norm.NFKD.String(string(r)); len(d) == 1 {
			return rune(d[0])
		}
		return r
	}, s)
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
