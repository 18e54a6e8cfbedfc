package router_test

import (
	"context"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/router"
)

// nobook is a ledger that costs nothing.
type nobook struct{}

func (nobook) Start(context.Context, growth.Call) error { return nil }
func (nobook) End(context.Context, growth.Call)         {}

// BenchmarkRouterOverhead is what the chain adds to a provider that answers at once.
func BenchmarkRouterOverhead(b *testing.B) {
	for name, change := range map[string]func(*router.Request){"text": func(*router.Request) {}, "schema": structured} {
		b.Run(name, func(b *testing.B) {
			ch := newChain(b, func(c *router.Config) { c.Ledger = nobook{} })
			ch.a.will(says(`{"n":4}`))
			req := ask(change)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ch.Complete(b.Context(), req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRouterCached is a whole call that the cache answers.
func BenchmarkRouterCached(b *testing.B) {
	ch := newChain(b, withCache(b))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ch.Complete(b.Context(), ask(cached)); err != nil {
			b.Fatal(err)
		}
	}
}
