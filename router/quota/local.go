package quota

import (
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// local is what one process knows of a pool by itself: it goes on with that when Redis does not answer.
type local struct {
	made      []time.Time // its own calls of the last window, oldest first
	processes int         // that took part when Redis last answered
	left      int         // calls of the day, for all processes together; -1: any number
	day       int64       // that left belongs to
}

// add notes a call. Not more than limit are kept; the others could not matter.
func (l *local) add(now time.Time, limit int) {
	if limit <= 0 {
		return
	}
	l.made = append(l.made, now)
	if n := len(l.made) - limit; n > 0 {
		l.made = append(l.made[:0], l.made[n:]...)
	}
}

func (l *local) forget(before time.Time) {
	n := 0
	for n < len(l.made) && !l.made[n].After(before) {
		n++
	}
	l.made = append(l.made[:0], l.made[n:]...)
}

func (q *pool) dayOf(now time.Time) int64 { return now.UnixMilli() / q.Day.Milliseconds() }

// alone answers without Redis: this process may use its share of each limit, one call at least. It keeps no line.
func (q *pool) alone(now time.Time) Grant {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := &q.local
	processes := max(l.processes, 2) // who has never heard of the others does not take it all
	if l.processes == 1 {
		processes = 1
	}
	if day := q.dayOf(now); l.day != day || l.processes == 0 {
		l.day, l.left = day, -1
		if q.perDay() > 0 {
			l.left = q.perDay()
		}
	}
	window := q.Window + q.margin()
	l.forget(now.Add(-window))
	share := max(q.Calls/processes, 1)
	switch {
	case l.left == 0:
		return Grant{Until: time.UnixMilli((l.day + 1) * q.Day.Milliseconds()).Add(q.margin()), Code: growth.Exhausted, pool: q}
	case q.Calls > 0 && len(l.made) >= share:
		return Grant{Until: l.made[len(l.made)-share].Add(window), Code: growth.Throttled, pool: q}
	}
	l.add(now, q.Calls)
	if l.left > 0 {
		l.left -= min(processes, l.left) // the others take as much meanwhile
	}
	if l.processes == 0 {
		l.processes = processes
	}
	return Grant{OK: true, pool: q}
}
