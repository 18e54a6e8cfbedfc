// Package timetable says when a cron expression comes due in a time zone, clock changes included, and what became due
// while nobody looked. It knows clocks and calendars alone: what is done at a tick, and where ticks are kept, it refuses
// to know.
package timetable

import (
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the zones are in the binary: a machine without zone files keeps the same times

	"github.com/robfig/cron/v3"

	growth "github.com/zakibelm/astrogrowth"
)

// Bounds of what is read.
const (
	maxExpression = 200 // characters
	maxZone       = 64
)

// Timetable is a cron expression in a zone. It is a value and safe for use by many goroutines.
type Timetable struct {
	wall  *cron.SpecSchedule // over wall-clock times, which are written as if they were UTC
	zone  *time.Location
	every bool // each hour of the day: no hour is named, so the clock's readings do not matter, only the time that passes
}

// Change says what a change of the clock did to a time.
type Change string

// The changes. A time that is read on the clock exactly once has none.
const (
	Skipped  Change = "skipped"  // the clock jumped over it: it comes at the first instant after the gap
	Repeated Change = "repeated" // the clock shows it twice: the first time counts
)

// Occurrence is a time at which a timetable comes due.
type Occurrence struct {
	At     time.Time // in the timetable's zone
	Change Change
}

var parser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// allHours are the bits of an hour field that leaves no hour out.
const allHours = 1<<24 - 1

// Parse reads an expression of five fields (minute, hour, day of month, month, day of week), or one of @hourly, @daily,
// @weekly, @monthly and @yearly, in an IANA zone. It returns growth.InvalidField errors for the fields cron and zone.
//
// @every is refused: it counts from the start of a process, and there are many of them. An expression says the same on
// the clock, as */15 * * * *.
func Parse(expression, zone string) (Timetable, error) {
	const op = "timetable.Parse"
	loc, err := parseZone(zone)
	if err != nil {
		return Timetable{}, err
	}
	expression = strings.TrimSpace(expression)
	switch {
	case expression == "" || len(expression) > maxExpression:
		return Timetable{}, growth.InvalidField(op, "cron", "give five fields: minute hour day month weekday, such as 0 9 * * 1-5")
	case strings.Contains(expression, "TZ="):
		return Timetable{}, growth.InvalidField(op, "cron", "leave the zone out of the expression: it has a field of its own")
	case strings.HasPrefix(expression, "@every"):
		return Timetable{}, growth.InvalidField(op, "cron", "@every has no fixed times; use the clock, such as */15 * * * *")
	}
	parsed, err := parser.Parse(expression)
	if err != nil {
		return Timetable{}, growth.InvalidField(op, "cron", "%s", wrongPart(expression))
	}
	wall, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return Timetable{}, growth.InvalidField(op, "cron", "give five fields: minute hour day month weekday, such as 0 9 * * 1-5")
	}
	wall.Location = time.UTC
	t := Timetable{wall: wall, zone: loc, every: wall.Hour&allHours == allHours}
	if t.wall.Next(time.Unix(0, 0).UTC()).IsZero() {
		return Timetable{}, growth.InvalidField(op, "cron", "there is no such date, so it would never come due")
	}
	return t, nil
}

// parts are the fields of an expression and what each takes.
var parts = [...]struct{ name, takes string }{
	{"minute", "0 to 59"},
	{"hour", "0 to 23"},
	{"day of the month", "1 to 31"},
	{"month", "1 to 12, or JAN to DEC"},
	{"weekday", "0 (Sunday, which is not 7) to 6 (Saturday), or SUN to SAT"},
}

// wrongPart says which field of an expression is at fault, and what it takes. The library's own words are for programmers.
func wrongPart(expression string) string {
	fields := strings.Fields(expression)
	if strings.HasPrefix(expression, "@") {
		return fmt.Sprintf("there is no %q; use @hourly, @daily, @weekly, @monthly or @yearly", fields[0])
	}
	if len(fields) != len(parts) {
		return fmt.Sprintf("these are %d fields where there must be five; give minute hour day month weekday, such as 0 9 * * 1-5", len(fields))
	}
	for i, p := range parts {
		alone := []string{"*", "*", "*", "*", "*"}
		alone[i] = fields[i]
		if _, err := parser.Parse(strings.Join(alone, " ")); err != nil {
			return fmt.Sprintf("the %s %q is not accepted: it takes %s, and lists such as 1,3, ranges such as 1-3, steps such as */2", p.name, fields[i], p.takes)
		}
	}
	return "the expression cannot be read"
}

// parseZone refuses what depends on the machine: "" and "Local".
func parseZone(name string) (*time.Location, error) {
	loc, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" || len(name) > maxZone {
		shown := name
		if len(shown) > maxZone {
			shown = shown[:maxZone] + "…"
		}
		return nil, growth.InvalidField("timetable.Parse", "zone", "there is no zone %s; use an IANA name such as America/Toronto", fmt.Sprintf("%q", shown))
	}
	return loc, nil
}

// Next is the first occurrence after an instant. ok is false when there is none within five years.
func (t Timetable) Next(after time.Time) (o Occurrence, ok bool) {
	if t.every {
		return t.nextElapsed(after)
	}
	for w := t.reading(after); ; {
		w = t.wall.Next(w)
		if w.IsZero() {
			return Occurrence{}, false
		}
		// The readings of a gap share an instant, and those of a repeated hour have passed when the clock shows them again.
		if o := t.instant(w); o.At.After(after) {
			return o, true
		}
	}
}

// nextElapsed is Next for an expression that names no hour. "Every 15 minutes" goes on through a repeated hour, and a
// skipped hour has nothing to be made up for.
func (t Timetable) nextElapsed(after time.Time) (Occurrence, bool) {
	for range 32 { // two changes a year, and an expression that has no date within five years has none
		_, end := after.In(t.zone).ZoneBounds()
		w := t.wall.Next(t.reading(after))
		if w.IsZero() {
			return Occurrence{}, false
		}
		at := time.Unix(w.Unix()-offset(after.In(t.zone)), 0).In(t.zone)
		if end.IsZero() || at.Before(end) {
			return Occurrence{At: at}, true
		}
		// Go on behind the change: its own instant may be due.
		if w := wallClock(end.In(t.zone)); t.wall.Next(w.Add(-time.Nanosecond)).Equal(w) {
			return Occurrence{At: end.In(t.zone)}, true
		}
		after = end
	}
	return Occurrence{}, false
}

// Upcoming lists the next n occurrences after an instant, none of them after the end (zero: no end).
func (t Timetable) Upcoming(after, end time.Time, n int) []Occurrence {
	out := make([]Occurrence, 0, n)
	for range n {
		o, ok := t.Next(after)
		if !ok || (!end.IsZero() && o.At.After(end)) {
			break
		}
		out = append(out, o)
		after = o.At
	}
	return out
}

// reading is what the clock shows at an instant, written as if it were UTC.
func (t Timetable) reading(at time.Time) time.Time { return wallClock(at.In(t.zone)) }

func wallClock(at time.Time) time.Time {
	return time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), time.UTC)
}

func offset(at time.Time) int64 {
	_, seconds := at.Zone()
	return int64(seconds)
}

// instant is when the clock first shows a reading, or the first instant after the gap that swallows it. time.Date alone
// leaves open which of the two sides of a change it takes.
func (t Timetable) instant(reading time.Time) Occurrence {
	guess := time.Date(reading.Year(), reading.Month(), reading.Day(), reading.Hour(), reading.Minute(), reading.Second(), 0, t.zone)
	var shown []time.Time
	changes := changesAround(guess)
	for _, side := range append([]time.Time{guess}, changes...) {
		for _, in := range []time.Time{side.Add(-time.Second), side} {
			at := time.Unix(reading.Unix()-offset(in), 0).In(t.zone)
			if wallClock(at).Equal(reading) {
				shown = append(shown, at)
			}
		}
	}
	if len(shown) > 0 {
		first, last := slices.MinFunc(shown, time.Time.Compare), slices.MaxFunc(shown, time.Time.Compare)
		if first.Equal(last) {
			return Occurrence{At: first}
		}
		return Occurrence{At: first, Change: Repeated}
	}
	for _, c := range changes {
		if reading.After(wallClock(c.Add(-time.Second))) && reading.Before(wallClock(c)) {
			return Occurrence{At: c, Change: Skipped}
		}
	}
	return Occurrence{At: guess, Change: Skipped} // not reached: no zone changes twice within the hours of one gap
}

// changesAround are the changes of the clock before and after an instant, as far as there are any.
func changesAround(at time.Time) []time.Time {
	var out []time.Time
	start, end := at.ZoneBounds()
	for _, c := range []time.Time{start, end} {
		if !c.IsZero() {
			out = append(out, c)
		}
	}
	return out
}
