package testenv

import "testing"

// Long marks a test whose worth lies in its volume, as a sum over thousands of rows. `make race` leaves it out with
// -short: the race detector sees what goroutines do beside each other, and makes volume dear.
func Long(tb testing.TB) {
	tb.Helper()
	if testing.Short() {
		tb.Skip("a test of volume, left out with -short")
	}
}

// Volume is n, and a fifth of it with -short: for tests that are about both volume and what runs side by side.
func Volume(n int) int {
	if testing.Short() {
		return max(n/5, 1)
	}
	return n
}
