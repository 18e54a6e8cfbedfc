package cache_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/redis/go-redis/v9"
	"github.com/shopspring/decimal"
	"go.uber.org/goleak"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/router/cache"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(testenv.Around(m)) }

const ours, theirs = growth.WorkspaceID("0190a000-0000-7000-8000-000000000001"), growth.WorkspaceID("0190a000-0000-7000-8000-000000000002")

func newCache(t testing.TB, rdb redis.UniversalClient, s ...cache.Settings) *cache.Cache {
	t.Helper()
	c, err := cache.New(rdb, append([]cache.Settings{{Patience: 10 * time.Second}}, s...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// listening lets the process's level serve, until the test ends.
func listening(t testing.TB, c *cache.Cache) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { c.Listen(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	k := key(ours, growth.TaskSimple, "is anybody listening")
	c.Put(ctx, k, entry("yes"), time.Hour)
	eventually(t, "the process's level serves", func() bool { return local(c, k) })
}

// local says whether the process serves a key by itself, if only it is sure to have missed nothing.
func local(c *cache.Cache, k cache.Key) bool {
	_, _ = c.Get(context.Background(), k)
	_, ok := c.Peek(k)
	return ok
}

// eventually waits for something to come true.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	end := time.After(time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("not after a minute: %s", what)
		}
	}
}

func key(ws growth.WorkspaceID, task growth.TaskType, request any) cache.Key {
	return cache.NewKey(ws, task, fmt.Append(nil, request))
}

func entry(text string) cache.Entry {
	return cache.Entry{
		Text: text, Provider: "p", Model: "m", FinishReason: "stop", Usage: growth.Usage{PromptTokens: 1, CompletionTokens: 2, TotalTokens: 3},
		Cost: growth.USD(decimal.RequireFromString("0.000001"), growth.CostReported), Simulated: true, Fallbacks: 2,
		Call: "0190a000-0000-7000-8000-00000000000c", At: time.Now().UTC().Truncate(time.Millisecond),
	}
}

var sameEntry = cmp.Options{
	cmp.Comparer(func(a, b decimal.Decimal) bool { return a.Equal(b) }),
	cmpopts.IgnoreUnexported(cache.Entry{}), cmpopts.IgnoreFields(cache.Entry{}, "Seen", "Exact"),
}

// has says whether a cache serves a key.
func has(t testing.TB, c *cache.Cache, k cache.Key) bool {
	t.Helper()
	_, ok := c.Get(t.Context(), k)
	return ok
}

func leaseName(k cache.Key) string {
	d := k.Name()
	return "astrogrowth:llm:{" + string(k.Workspace) + "}:lease:" + hex.EncodeToString(d[:])
}

// abandon leaves a lease of a process that died.
func abandon(t testing.TB, rdb redis.UniversalClient, k cache.Key, life time.Duration) {
	t.Helper()
	if err := rdb.Set(t.Context(), leaseName(k), "of the dead", life).Err(); err != nil {
		t.Fatal(err)
	}
}
