package router_test

import (
	"context"
	"sync"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/router"
)

// BenchmarkCacheHit is a whole call that the cache answers, from the process's memory, for the same request and for one
// that is nearly the same.
func BenchmarkCacheHit(b *testing.B) {
	for name, text := range map[string]string{"exact": "What is the capital of Canada?", "near": "what is the capital of canada"} {
		b.Run(name, func(b *testing.B) {
			kept := newCache(b, testenv.RedisClient(b))
			ctx, cancel := context.WithCancel(b.Context())
			var wg sync.WaitGroup
			wg.Go(func() { kept.Listen(ctx) })
			defer wg.Wait()
			defer cancel()
			ch := newChain(b, over(kept))
			req := ask(direct)
			req.Messages = []growth.Message{{Role: "user", Content: "What is the capital of Canada?"}}
			if _, err := ch.Complete(ctx, req); err != nil {
				b.Fatal(err)
			}
			req.Messages = []growth.Message{{Role: "user", Content: text}}
			b.ReportAllocs()
			for b.Loop() {
				if a, err := ch.Complete(ctx, req); err != nil || a.Cached == router.CachedNo {
					b.Fatal(a.Cached, err)
				}
			}
		})
	}
}

// BenchmarkCacheShared is a hit in Redis beside a bare GET of the same value in the same run.
func BenchmarkCacheShared(b *testing.B) {
	rdb := testenv.RedisClient(b)
	kept := newCache(b, rdb) // which listens to nobody, so the process's level does not serve
	ch := newChain(b, over(kept))
	req := ask(direct)
	if _, err := ch.Complete(b.Context(), req); err != nil {
		b.Fatal(err)
	}
	b.Run("call", func(b *testing.B) {
		for b.Loop() {
			if a, err := ch.Complete(b.Context(), req); err != nil || a.Cached != router.CachedExact {
				b.Fatal(a.Cached, err)
			}
		}
	})
	b.Run("GET", func(b *testing.B) {
		if err := rdb.Set(b.Context(), "value", make([]byte, 150), time.Hour).Err(); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, err := rdb.Get(b.Context(), "value").Bytes(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
