package dashboard

import (
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

const narrowSpace = "\u202f" // between groups of digits and before units, where French puts one

// number writes a whole number with its groups of thousands.
func (l language) number(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	return sign + l.groups(s)
}

func (l language) groups(digits string) string {
	gap := ","
	if l == french {
		gap = narrowSpace
	}
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteString(gap)
		}
		b.WriteRune(d)
	}
	return b.String()
}

// fraction writes the text of a decimal number ("1234.50") as the language does.
func (l language) fraction(s string) string {
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	whole, part, found := strings.Cut(s, ".")
	out := sign + l.groups(whole)
	if !found {
		return out
	}
	if l == french {
		return out + "," + part
	}
	return out + "." + part
}

// amount writes money: whole sums to the cent, the small sums that calls cost with as many digits as they need.
func (l language) amount(d decimal.Decimal, currency string) string {
	small := d.Abs()
	places := int32(2)
	switch {
	case small.IsZero(), small.GreaterThanOrEqual(decimal.NewFromInt(1)):
	case small.GreaterThanOrEqual(decimal.New(1, -2)):
		places = 4
	case small.LessThan(decimal.New(1, -6)):
		return "< " + l.fraction("0.000001") + "\u00a0" + currency
	default:
		return l.fraction(strings.TrimRight(d.StringFixed(6), "0")) + "\u00a0" + currency
	}
	return l.fraction(d.StringFixed(places)) + "\u00a0" + currency
}

// percent writes a share of 1. It rounds down, so that a target is never shown as reached when it is not.
func (l language) percent(share float64, places int) string {
	scale := math.Pow(10, float64(places))
	s := strconv.FormatFloat(math.Floor(share*100*scale+1e-9)/scale, 'f', places, 64)
	if l == french {
		return l.fraction(s) + narrowSpace + "%"
	}
	return l.fraction(s) + "%"
}

// millis writes a duration of a call.
func (l language) millis(ms float64) string {
	if ms < 1000 {
		return strconv.FormatFloat(ms, 'f', 0, 64) + "\u00a0ms"
	}
	return l.fraction(strconv.FormatFloat(ms/1000, 'f', 2, 64)) + "\u00a0s"
}

// moment writes a time in UTC; the page's script turns it into the reader's own.
func moment(t time.Time) template.HTML { return timeTag(t, "") }

// exactly is moment for a time that a sentence names ("until …"): the script never makes it "in 5 minutes".
func exactly(t time.Time) template.HTML { return timeTag(t, " data-exact") }

func timeTag(t time.Time, attribute string) template.HTML {
	if t.IsZero() {
		return ""
	}
	t = t.UTC()
	// All parts consist of digits, letters and signs that mean nothing in HTML.
	return template.HTML(`<time datetime="` + t.Format(time.RFC3339) + `"` + attribute + `>` + t.Format("2006-01-02 15:04") + ` UTC</time>`) //nolint:gosec // see above
}
