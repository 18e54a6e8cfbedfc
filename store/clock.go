package store

import (
	"context"
	"time"
)

// Clock is the time by the database's clock, which schedules and leases go by.
func (s *Store) Clock(ctx context.Context) (time.Time, error) {
	var now time.Time
	err := s.db.GetContext(ctx, &now, `SELECT clock_timestamp()`)
	return now.UTC(), wrap("read the clock", err)
}
