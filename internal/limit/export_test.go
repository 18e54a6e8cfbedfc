package limit

import "time"

// SetClock has a limiter go by another clock than Redis's.
func SetClock(l *Limiter, now func() time.Time) { l.now = now }
