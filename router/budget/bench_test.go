package budget_test

import (
	"testing"

	"github.com/zakibelm/astrogrowth/router/budget"
)

// BenchmarkReserveAndSettle is what a budget adds to a call, beside one bare round trip to the same Redis and the
// memory alone that is read where no budget covers the call.
func BenchmarkReserveAndSettle(b *testing.B) {
	b.Run("a bare round trip", func(b *testing.B) {
		l := newTill(b)
		b.ReportAllocs()
		for b.Loop() {
			l.must(l.rdb.Ping(b.Context()).Err())
		}
	})
	b.Run("reserve and settle", func(b *testing.B) {
		l := newTill(b)
		l.limit("1000000")
		cost := dollars("0.001")
		b.ReportAllocs()
		for b.Loop() {
			l.must(l.Settle(b.Context(), l.takes(l.spend("0.002")), &cost))
		}
	})
	b.Run("reserve, confirm and settle", func(b *testing.B) {
		l := newTill(b)
		l.limit("1000000")
		cost := dollars("0.001")
		b.ReportAllocs()
		for b.Loop() {
			r := l.takes(l.spend("0.002"))
			l.must(l.Confirm(b.Context(), r))
			l.must(l.Settle(b.Context(), r, &cost))
		}
	})
	b.Run("no budget", func(b *testing.B) {
		l := newTill(b)
		l.must(l.Load(b.Context()))
		s := l.spend("0.002")
		b.ReportAllocs()
		for b.Loop() {
			if l.Applies(s) {
				b.Fatal("a budget covers the call")
			}
		}
	})
	b.Run("ten budgets of which none covers the call", func(b *testing.B) {
		l := newTill(b)
		for range 10 {
			l.limit("1", forContent)
		}
		s := l.spend("0.002")
		b.ReportAllocs()
		for b.Loop() {
			if l.Applies(s) {
				b.Fatal("a budget covers the call")
			}
		}
	})
}

var _ budget.Book = (*book)(nil)
