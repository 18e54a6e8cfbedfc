package timetable

import "time"

// Due is what became of the time from one look at a timetable to the next.
type Due struct {
	Run         []time.Time // to be done now, oldest first
	MissedFrom  time.Time   // the first occurrence that is let go; zero: none is
	MissedUntil time.Time   // the occurrence before which they end: the first of Run, else Next
	Next        time.Time   // zero: there is none
}

// Due divides the occurrences from an instant up to now: those that are at most within old are done, but no more than
// the newest most of them; older ones are missed. Nothing happens after end (zero: no end).
func (t Timetable) Due(from, now, end time.Time, within time.Duration, most int) Due {
	var d Due
	last := now
	if !end.IsZero() && end.Before(now) {
		last = end
	}
	first, found := t.upTo(from.Add(-time.Nanosecond), last)
	// Occurrences that are too old are not even counted: an outage may have lasted for months.
	after := from.Add(-time.Nanosecond)
	if oldest := now.Add(-within - time.Nanosecond); oldest.After(after) {
		after = oldest
	}
	for at, ok := t.upTo(after, last); ok; at, ok = t.upTo(at, last) {
		d.Run = append(d.Run, at)
		if len(d.Run) > most {
			d.Run = d.Run[1:]
		}
	}
	if o, ok := t.Next(now); ok && (end.IsZero() || !o.At.After(end)) {
		d.Next = o.At
	}
	switch {
	case !found:
	case len(d.Run) == 0:
		d.MissedFrom, d.MissedUntil = first, d.Next
	case first.Before(d.Run[0]):
		d.MissedFrom, d.MissedUntil = first, d.Run[0]
	}
	return d
}

// upTo is the first occurrence after an instant, when it is no later than last.
func (t Timetable) upTo(after, last time.Time) (time.Time, bool) {
	o, ok := t.Next(after)
	return o.At, ok && !o.At.After(last)
}
