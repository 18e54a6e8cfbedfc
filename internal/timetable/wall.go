package timetable

import (
	"fmt"
	"slices"
	"strings"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// wallLayouts are the ways to write what a clock shows, without an offset.
var wallLayouts = []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04"}

// At is the instant at which the clock of a zone shows a reading such as 2026-11-28T09:00. A reading that a change of
// the clock skips means the first instant after the gap, a repeated one the first time. It returns growth.InvalidField
// errors for the fields publish_at and zone.
func At(reading, zone string) (Occurrence, error) {
	loc, err := parseZone(zone)
	if err != nil {
		return Occurrence{}, err
	}
	for _, layout := range wallLayouts {
		if at, err := time.Parse(layout, strings.TrimSpace(reading)); err == nil {
			return Timetable{zone: loc}.instant(at), nil
		}
	}
	return Occurrence{}, growth.InvalidField("timetable.At", "publish_at", "%s is not a time; use an instant such as 2026-11-28T14:00:00Z, or what the clock shows, 2026-11-28T09:00, with a zone", fmt.Sprintf("%.40q", reading))
}

// maxSlots bounds a week.
const maxSlots = 50

// weekdays are the names that a slot may use, in cron's order.
var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// Week is a set of weekly times in a zone. It is a value and safe for use by many goroutines.
type Week struct{ slots []Timetable }

// ParseWeek reads the slots of a posting plan. It returns growth.InvalidField errors for the fields zone and slots.
func ParseWeek(zone string, slots []growth.PostingSlot) (Week, error) {
	if _, err := parseZone(zone); err != nil {
		return Week{}, err
	}
	if len(slots) > maxSlots {
		return Week{}, growth.InvalidField("timetable.ParseWeek", "slots", "use at most %d slots", maxSlots)
	}
	var w Week
	for i, s := range slots {
		t, err := parseSlot(zone, s, fmt.Sprintf("slots[%d]", i))
		if err != nil {
			return Week{}, err
		}
		w.slots = append(w.slots, t)
	}
	return w, nil
}

func parseSlot(zone string, s growth.PostingSlot, field string) (Timetable, error) {
	at, err := time.Parse("15:04", s.Time)
	if err != nil {
		return Timetable{}, growth.InvalidField("timetable.ParseWeek", field+".time", "use the clock of 24 hours, such as 09:30")
	}
	if len(s.Days) == 0 {
		return Timetable{}, growth.InvalidField("timetable.ParseWeek", field+".days", "name at least one day: %s", strings.Join(weekdays, ", "))
	}
	days := make([]string, 0, len(s.Days))
	for _, d := range s.Days {
		n := slices.Index(weekdays, strings.ToLower(d))
		if n < 0 {
			return Timetable{}, growth.InvalidField("timetable.ParseWeek", field+".days", "there is no day %s; use %s", fmt.Sprintf("%.20q", d), strings.Join(weekdays, ", "))
		}
		days = append(days, fmt.Sprint(n))
	}
	return Parse(fmt.Sprintf("%d %d * * %s", at.Minute(), at.Hour(), strings.Join(days, ",")), zone)
}

// Next is the first slot after an instant. ok is false when the week has none. Slots that a change of the clock pushes
// onto one instant are one.
func (w Week) Next(after time.Time) (next Occurrence, ok bool) {
	for _, s := range w.slots {
		if o, found := s.Next(after); found && (!ok || o.At.Before(next.At)) {
			next, ok = o, true
		}
	}
	return next, ok
}
