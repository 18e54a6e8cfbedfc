// Package cache keeps finished answers of language models, each under a key that covers the whole request and its
// workspace. It has two levels: a bounded one in the process and Redis. A cache that is down is a miss, never a fault.
// It refuses to know routes and providers.
package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/maypok86/otter/v2"
	"github.com/redis/go-redis/v9"

	growth "github.com/zakibelm/astrogrowth"
)

const (
	localBytes    = 32 << 20 // the process's level holds at most this much
	compressAbove = 1 << 10  // bytes; smaller values gain nothing
	redisTimeout  = 250 * time.Millisecond
	prefix        = "astrogrowth:llm:"
)

// Entry is a kept answer.
type Entry struct {
	Text         string       `json:"text"`
	Provider     string       `json:"provider"`
	Model        string       `json:"model"`
	FinishReason string       `json:"finish_reason"`
	Usage        growth.Usage `json:"usage"`
	Cost         growth.Money `json:"cost"` // what the answer had cost when it was made
	Simulated    bool         `json:"simulated"`
	At           time.Time    `json:"at"`
}

// Key names an entry. Its parts can be matched when entries are invalidated; the digest covers everything.
type Key struct {
	Workspace growth.WorkspaceID
	Task      growth.TaskType
	Digest    string
}

func (k Key) redis() string {
	return prefix + string(k.Workspace) + ":" + string(k.Task) + ":" + k.Digest
}

// NewKey digests a request in its canonical encoding: JSON with sorted map keys and struct fields in their order.
func NewKey(ws growth.WorkspaceID, task growth.TaskType, request any) (Key, error) {
	b, err := json.Marshal(request)
	if err != nil {
		return Key{}, fmt.Errorf("encode request for the cache: %w", err)
	}
	sum := sha256.Sum256(append([]byte(string(ws)+"\x00"+string(task)+"\x00"), b...))
	return Key{Workspace: ws, Task: task, Digest: hex.EncodeToString(sum[:])}, nil
}

// held is an entry in the process with the end of its life.
type held struct {
	Entry
	until time.Time
}

// localTTL is how long an entry stays in the process before Redis is asked again.
const localTTL = time.Minute

// Cache holds both levels. It is safe for use by many goroutines.
type Cache struct {
	rdb   redis.UniversalClient
	local *otter.Cache[string, held]
	enc   *zstd.Encoder
	dec   *zstd.Decoder
}

// New makes a cache over rdb.
func New(rdb redis.UniversalClient) (*Cache, error) {
	local, err := otter.New(&otter.Options[string, held]{
		MaximumWeight: localBytes,
		Weigher: func(k string, e held) uint32 {
			return uint32(len(k) + len(e.Text) + 256) //nolint:gosec // answers are bounded far below 4 GiB
		},
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[string, held]) time.Duration {
			return max(min(time.Until(e.Value.until), localTTL), time.Millisecond)
		}),
	})
	if err != nil {
		return nil, fmt.Errorf("make local cache: %w", err)
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("make compressor: %w", err)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
	if err != nil {
		return nil, fmt.Errorf("make decompressor: %w", err)
	}
	return &Cache{rdb: rdb, local: local, enc: enc, dec: dec}, nil
}

// Close frees what the cache holds; the Redis client stays open.
func (c *Cache) Close() {
	c.local.StopAllGoroutines()
	c.dec.Close()
}

// Get returns the entry under k.
func (c *Cache) Get(ctx context.Context, k Key) (Entry, bool) {
	name := k.redis()
	if h, ok := c.local.GetIfPresent(name); ok && time.Now().Before(h.until) {
		return h.Entry, true
	}
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	var value *redis.StringCmd
	var left *redis.DurationCmd
	_, err := c.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		value, left = p.Get(ctx, name), p.PTTL(ctx, name)
		return nil
	})
	if err != nil || value.Val() == "" || left.Val() <= 0 {
		return Entry{}, false
	}
	e, ok := c.decode([]byte(value.Val()))
	if ok {
		c.local.Set(name, held{e, time.Now().Add(left.Val())})
	}
	return e, ok
}

// Put keeps an entry for ttl.
func (c *Cache) Put(ctx context.Context, k Key, e Entry, ttl time.Duration) {
	b, err := json.Marshal(e)
	if err != nil || ttl <= 0 {
		return
	}
	b = c.encode(b)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisTimeout)
	defer cancel()
	name := k.redis()
	if c.rdb.Set(ctx, name, b, ttl).Err() == nil {
		c.local.Set(name, held{e, time.Now().Add(ttl)})
	}
}

// A value begins with a byte that says how it is written.
const (
	plain      = 'j'
	compressed = 'z'
)

func (c *Cache) encode(b []byte) []byte {
	if len(b) < compressAbove {
		return append([]byte{plain}, b...)
	}
	return c.enc.EncodeAll(b, []byte{compressed})
}

func (c *Cache) decode(b []byte) (e Entry, ok bool) {
	body := b[1:]
	if b[0] == compressed {
		var err error
		if body, err = c.dec.DecodeAll(body, nil); err != nil {
			return e, false
		}
	}
	return e, json.Unmarshal(body, &e) == nil
}

// Invalidate removes the entries of a workspace that match pattern, and returns how many. The pattern is "" or "*" for
// all, a task type, or as older clients write it "llm:cache:<task type>:*". Other processes forget them within a minute,
// when their local copies expire, or at once when they listen (see Listen).
func (c *Cache) Invalidate(ctx context.Context, ws growth.WorkspaceID, pattern string) (int, error) {
	match, err := c.match(ws, pattern)
	if err != nil {
		return 0, err
	}
	var n atomic.Int64 // a cluster's masters are walked at once
	each := func(ctx context.Context, client *redis.Client) error {
		it := client.Scan(ctx, 0, match, 1000).Iterator()
		for it.Next(ctx) {
			deleted, err := c.rdb.Del(ctx, it.Val()).Result()
			if err != nil {
				return err
			}
			n.Add(deleted)
		}
		return it.Err()
	}
	switch r := c.rdb.(type) {
	case *redis.ClusterClient:
		err = r.ForEachMaster(ctx, each)
	case *redis.Client:
		err = each(ctx, r)
	}
	if err != nil {
		return int(n.Load()), fmt.Errorf("invalidate cache: %w", err)
	}
	c.local.InvalidateAll()
	return int(n.Load()), c.rdb.Publish(ctx, invalidations, match).Err()
}

const invalidations = "astrogrowth:cache-invalidations"

// Listen forgets local copies when another process invalidates, until ctx ends.
func (c *Cache) Listen(ctx context.Context) {
	sub := c.rdb.Subscribe(ctx, invalidations)
	defer func() { _ = sub.Close() }()
	messages := sub.Channel()
	for {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-messages:
			if !ok {
				return
			}
			c.local.InvalidateAll()
		}
	}
}

func (c *Cache) match(ws growth.WorkspaceID, pattern string) (string, error) {
	task := strings.TrimSuffix(strings.TrimPrefix(pattern, "llm:cache:"), ":*")
	if task == "" || task == "*" || task == "llm:cache" {
		return prefix + string(ws) + ":*", nil
	}
	if !growth.TaskType(task).Valid() {
		return "", growth.InvalidField("cache.Invalidate", "pattern", "use *, a task type, or llm:cache:<task type>:*")
	}
	return prefix + string(ws) + ":" + task + ":*", nil
}
