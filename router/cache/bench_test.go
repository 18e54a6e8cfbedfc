package cache_test

import (
	"strings"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/router/cache"
)

func BenchmarkCacheHitLocal(b *testing.B) {
	c := newCache(b, testenv.RedisClient(b))
	listening(b, c)
	k := key(ours, growth.TaskSimple, "q")
	c.Put(b.Context(), k, entry(strings.Repeat("x", 2000)), time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := c.Get(b.Context(), k); !ok {
			b.Fatal("miss")
		}
	}
}

// BenchmarkCacheHitShared is a hit in Redis beside a bare GET of the same value.
func BenchmarkCacheHitShared(b *testing.B) {
	for name, text := range map[string]string{"short": "Ottawa", "long": strings.Repeat("The capital of Canada is Ottawa. ", 70), "compressed": strings.Repeat("The capital of Canada is Ottawa. ", 300)} {
		rdb := testenv.RedisClient(b)
		c := newCache(b, rdb) // which does not listen, so the process's level keeps nothing
		k := key(ours, growth.TaskSimple, "q")
		c.Put(b.Context(), k, entry(text), time.Hour)
		names, err := rdb.Keys(b.Context(), "astrogrowth:llm:{"+string(ours)+"}:e:simple:*").Result()
		if err != nil || len(names) != 1 {
			b.Fatal(names, err)
		}
		b.Run(name+"/Get", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := c.Get(b.Context(), k); !ok {
					b.Fatal("miss: on a machine this busy Redis takes more than its 250 ms")
				}
			}
		})
		b.Run(name+"/bare GET", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := rdb.Get(b.Context(), names[0]).Bytes(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkNear(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := cache.Near("List 10 blog topics about home insurance for first-time buyers."); !ok {
			b.Fatal("no prose")
		}
	}
}
