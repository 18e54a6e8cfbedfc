package lead

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// DateOrder says which number of a date such as 03/04/2026 is the day. Empty: it is found out.
type DateOrder string

// The orders of day and month.
const (
	DayFirst   DateOrder = "dmy"
	MonthFirst DateOrder = "mdy"
)

// ParseDateOrder reads the order of day and month as a person says it.
func ParseDateOrder(s string) (DateOrder, error) {
	switch Fold(s) {
	case "":
		return "", nil
	case "dmy", "day", "day first", "jour":
		return DayFirst, nil
	case "mdy", "month", "month first", "mois":
		return MonthFirst, nil
	}
	return "", growth.InvalidField("lead.ParseDateOrder", "dates", "%q is no order of day and month; use dmy (the day first) or mdy", s)
}

func (o DateOrder) words() string {
	if o == MonthFirst {
		return "the month first"
	}
	return "the day first"
}

const clockForm = `(?:[ T,]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?$`

var (
	numericDate = regexp.MustCompile(`^(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4})` + clockForm)
	yearDate    = regexp.MustCompile(`^(\d{4})[/.\-](\d{1,2})[/.\-](\d{1,2})` + clockForm)
)

// months are the names of the months in English and French, folded.
var months = func() map[string]time.Month {
	out := map[string]time.Month{}
	for i, names := range strings.Split("jan janv january janvier|feb fev fevr february fevrier|mar mars march|apr avr april avril|may mai|jun june juin|"+
		"jul july juil juillet|aug august aout|sep sept september septembre|oct october octobre|nov november novembre|dec december decembre", "|") {
		for n := range strings.FieldsSeq(names) {
			out[n] = time.Month(i + 1)
		}
	}
	return out
}()

// parseDate reads a date as people and programs write it. Without a zone it is meant in UTC, without a time at the day's
// beginning: a consent rather ends some hours early than late.
func parseDate(s string, order DateOrder) (time.Time, bool) {
	s = strings.TrimSpace(s)
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UTC(), true
	}
	if m := yearDate.FindStringSubmatch(s); m != nil {
		return dateOf(m[1], m[2], m[3], m[4:])
	}
	if m := numericDate.FindStringSubmatch(s); m != nil {
		first, second := number(m[1]), number(m[2])
		switch {
		case order == DayFirst || order == "" && first == second:
			return dateOf(m[3], m[2], m[1], m[4:])
		case order == MonthFirst:
			return dateOf(m[3], m[1], m[2], m[4:])
		}
		return time.Time{}, false
	}
	return namedDate(strings.Fields(Fold(s)))
}

// namedDate reads "31 janvier 2026" and "Jan 31, 2026".
func namedDate(words []string) (time.Time, bool) {
	if len(words) != 3 {
		return time.Time{}, false
	}
	month, day := months[words[1]], strings.TrimSuffix(words[0], "er")
	if month == 0 {
		month, day = months[words[0]], words[1]
	}
	if month == 0 || len(words[2]) != 4 {
		return time.Time{}, false
	}
	return dateOf(words[2], strconv.Itoa(int(month)), day, nil)
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

// dateOf refuses what the calendar does not have.
func dateOf(year, month, day string, clock []string) (time.Time, bool) {
	var c [3]int
	for i, s := range clock {
		c[i] = number(s)
	}
	y, m, d := number(year), number(month), number(day)
	t := time.Date(y, time.Month(m), d, c[0], c[1], c[2], 0, time.UTC)
	return t, y > 0 && t.Month() == time.Month(m) && t.Day() == d && c[0] < 24 && c[1] < 60 && c[2] < 60
}

// dateCensus counts which order of day and month the dates of a file have.
type dateCensus struct {
	day, month, open          int    // open: it may be either
	dayText, monthText        string // examples
	openConsent, consentDates string // of columns that are read as dates
}

func (c *dateCensus) add(s string, consent bool) {
	m := numericDate.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return
	}
	first, second := number(m[1]), number(m[2])
	switch {
	case first > 12 && first <= 31 && second <= 12:
		c.day++
		c.dayText = orElse(c.dayText, s)
	case second > 12 && second <= 31 && first <= 12:
		c.month++
		c.monthText = orElse(c.monthText, s)
	case first != second && first <= 12 && second <= 12:
		c.open++
		if consent {
			c.openConsent = orElse(c.openConsent, s)
		}
	}
	if consent {
		c.consentDates = orElse(c.consentDates, s)
	}
}

func orElse(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// order is what the file tells.
func (c *dateCensus) order() DateOrder {
	switch {
	case c.day > 0 && c.month == 0:
		return DayFirst
	case c.month > 0 && c.day == 0:
		return MonthFirst
	}
	return ""
}

// findDates finds out which number of a date is the day. Only what is read as a date matters; then the whole file is
// asked, and its other columns too: who wrote them wrote these.
func (p *Plan) findDates(open Opener, stated DateOrder) error {
	p.Mapping.Dates = stated
	if stated != "" || !p.Mapping.holdsDates() {
		return nil
	}
	r, err := open()
	if err != nil {
		return err
	}
	var c dateCensus
	rows := newRecords(p.Format.Encoding.text(r), p.Format)
	for {
		rec, err := rows.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if _, bad := errors.AsType[*rowError](err); bad {
			continue
		}
		if err != nil {
			return err
		}
		for _, col := range p.Mapping.Columns {
			if col.Index < len(rec.fields) && len(rec.fields[col.Index]) <= 40 {
				c.add(rec.fields[col.Index], consentTimes[col.Field] != nil)
			}
		}
	}
	p.Mapping.dated(c)
	return nil
}

func (m *Mapping) holdsDates() bool {
	for _, c := range m.Columns {
		if consentTimes[c.Field] != nil {
			return true
		}
	}
	return false
}

// dated takes over what the dates of a file tell.
func (m *Mapping) dated(c dateCensus) {
	m.Dates = c.order()
	switch {
	case c.consentDates == "": // others are told by themselves
	case m.Dates == DayFirst:
		m.datesWhy = fmt.Sprintf("dates are read with %s, as in %q", m.Dates.words(), c.dayText)
	case m.Dates == MonthFirst:
		m.datesWhy = fmt.Sprintf("dates are read with %s, as in %q", m.Dates.words(), c.monthText)
	case c.openConsent == "" && c.day == 0:
	case c.day > 0:
		m.datesOpen = fmt.Sprintf("some dates have the day first (%q) and some the month (%q), so that others cannot be told; name the right order, or mend the file",
			c.dayText, c.monthText)
	default:
		m.datesOpen = fmt.Sprintf("whether %q has the day or the month first cannot be told from the file; name the right one", c.openConsent)
	}
	if m.datesOpen != "" {
		m.Doubts = append(m.Doubts, m.datesOpen)
	}
}

func (m Mapping) datesDecided() error {
	if m.datesOpen == "" {
		return nil
	}
	return growth.InvalidField("lead.Decided", "dates", "%s: dmy or mdy", m.datesOpen)
}
