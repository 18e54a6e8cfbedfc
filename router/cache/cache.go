// Package cache keeps finished answers of language models, each under a key that covers the whole request and its
// workspace. It has two levels: a bounded one in the process and Redis, where each workspace has a bound of its own,
// because that Redis evicts nothing by itself. Equal calls in flight wait for one of them (Await). A cache that is down
// is a miss, never a fault, and is left alone for a moment. It refuses to know routes and providers.
package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/maypok86/otter/v2"
	"github.com/redis/go-redis/v9"

	growth "github.com/zakibelm/astrogrowth"
)

// The bounds.
const (
	localBytes     = 32 << 20  // the process's level holds at most this much
	workspaceBytes = 32 << 20  // what Redis holds for one workspace, the book-keeping included
	maxValue       = 256 << 10 // a larger value is not kept at all
	overhead       = 400       // bytes of book-keeping that Redis holds beside a value
	maxMembers     = 1000      // entries that one job, call or lead can name
	maxDecoded     = 8 << 20   // what a compressed value may become

	localTTL        = time.Minute // how long an entry stays in the process before Redis is asked again
	defaultPatience = 250 * time.Millisecond
	restAfter       = time.Second // for so long a Redis that did not answer is not asked again
)

// Entry is a kept answer.
type Entry struct {
	Text         string
	Provider     string
	Model        string
	FinishReason string
	Usage        growth.Usage
	Cost         growth.Money // what the answer had cost when it was made
	Simulated    bool
	Fallbacks    int // candidates before the one that answered
	Call         growth.CallID
	At           time.Time
	Exact        Digest // of the request that was answered

	// Seen ties a Put to the look-up before it: an answer that was under way when its workspace was invalidated is not
	// kept. Get and Await set it, also when they find nothing; 0 is an answer without a look-up.
	Seen int64
	// Job and Lead are for whom the answer was made: they find it when it turns out wrong or has to be erased.
	Job  growth.JobID
	Lead growth.LeadID

	until time.Time
}

// unseen is the Seen of a look-up that failed: nobody can say what was invalidated since.
const unseen = -1

// Digest is what a request comes down to.
type Digest [sha256.Size]byte

// Key names an entry: by Near when there is one, else by Exact.
type Key struct {
	Workspace growth.WorkspaceID
	Task      growth.TaskType
	Exact     Digest
	Near      Digest // shared by all requests that may have the same answer; zero: there are none
}

// NewKey digests a request in its canonical encoding.
func NewKey(ws growth.WorkspaceID, task growth.TaskType, request []byte) Key {
	return Key{Workspace: ws, Task: task, Exact: digest("exact", ws, task, request)}
}

// WithNear adds the digest of what the request has in common with those that differ from it in nothing that counts.
func (k Key) WithNear(canonical []byte) Key {
	k.Near = digest("near", k.Workspace, k.Task, canonical)
	return k
}

func digest(kind string, ws growth.WorkspaceID, task growth.TaskType, b []byte) Digest {
	buf := make([]byte, 0, 1024)
	buf = append(append(buf, kind...), 0)
	buf = append(append(buf, ws...), 0)
	buf = append(append(buf, task...), 0)
	return sha256.Sum256(append(buf, b...))
}

// Name is the digest that the entry lies under; equal calls are those with the same one.
func (k Key) Name() Digest {
	if k.Near != (Digest{}) {
		return k.Near
	}
	return k.Exact
}

func (k Key) member() string {
	name := k.Name()
	b := make([]byte, 0, 128)
	return string(hex.AppendEncode(append(append(b, k.Task...), ':'), name[:]))
}

// entryName is the member's name in Redis, made in one piece: every look-up needs it.
func (k Key) entryName() string {
	name := k.Name()
	b := make([]byte, 0, 256)
	b = append(append(append(b, prefix...), '{'), k.Workspace...)
	b = append(append(append(b, "}:e:"...), k.Task...), ':')
	return string(hex.AppendEncode(b, name[:]))
}

func (k Key) generationName() string { return prefix + "{" + string(k.Workspace) + "}:generation" }

// All of a workspace lies in one slot of a cluster, so that a script can reach it.
const prefix = "astrogrowth:llm:"

func redisName(ws growth.WorkspaceID, parts ...string) string {
	return prefix + "{" + string(ws) + "}:" + strings.Join(parts, ":")
}

// Settings bound a cache; the zero value is the default.
type Settings struct {
	WorkspaceBytes int           // what Redis holds for one workspace at most; 0: 32 MiB
	Lease          time.Duration // how long a silent holder keeps others waiting (Await); 0: 3 s
	Live           bool          // the simulator is not in use: what it answered while it was is not found
	Patience       time.Duration // how long Redis has for an answer, after which a look-up is a miss; 0: 250 ms
}

// Cache holds both levels. It is safe for use by many goroutines.
type Cache struct {
	rdb      redis.UniversalClient
	settings Settings
	local    *otter.Cache[Digest, *Entry]
	enc      *zstd.Encoder
	dec      *zstd.Decoder

	began time.Time
	sure  atomic.Int64 // until then, counted from began, no invalidation can have been missed
	rest  atomic.Int64 // until then, counted from began, Redis is not asked
	epoch atomic.Int64 // counts how often the process's level was emptied
	known atomic.Int64 // the invalidations, of all workspaces, that this process has followed

	listens atomic.Bool
}

// New makes a cache over rdb, which must obey the deadlines of contexts (ContextTimeoutEnabled). The process's level
// serves while Listen runs.
func New(rdb redis.UniversalClient, s ...Settings) (*Cache, error) {
	c := &Cache{rdb: rdb, began: time.Now(), settings: Settings{WorkspaceBytes: workspaceBytes, Lease: leaseLife, Patience: defaultPatience}}
	for _, s := range s {
		if s.WorkspaceBytes > 0 {
			c.settings.WorkspaceBytes = s.WorkspaceBytes
		}
		if s.Lease > 0 {
			c.settings.Lease = s.Lease
		}
		if s.Patience > 0 {
			c.settings.Patience = s.Patience
		}
		c.settings.Live = c.settings.Live || s.Live
	}
	var err error
	c.local, err = otter.New(&otter.Options[Digest, *Entry]{
		MaximumWeight: localBytes,
		Weigher: func(_ Digest, e *Entry) uint32 {
			return uint32(len(e.Text) + overhead) //nolint:gosec // answers are bounded far below 4 GiB
		},
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[Digest, *Entry]) time.Duration {
			return max(min(time.Until(e.Value.until), localTTL), time.Millisecond)
		}),
	})
	if err != nil {
		return nil, fmt.Errorf("make local cache: %w", err)
	}
	if c.enc, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1)); err != nil {
		return nil, fmt.Errorf("make compressor: %w", err)
	}
	if c.dec, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxDecoded)); err != nil {
		return nil, fmt.Errorf("make decompressor: %w", err)
	}
	return c, nil
}

// Close frees what the cache holds; the Redis client stays open.
func (c *Cache) Close() {
	c.local.StopAllGoroutines()
	c.dec.Close()
}

// As says how e answers the request of k.
func (e Entry) As(k Key) growth.CachedAs {
	if e.Exact == k.Exact {
		return growth.CachedExact
	}
	return growth.CachedNear
}

// Peek looks for the very request of k, as it was answered before, in the process alone: no wait, no network.
func (c *Cache) Peek(k Key) (Entry, bool) { return c.peek(k.Exact) }

func (c *Cache) peek(d Digest) (Entry, bool) {
	e, ok := c.local.GetIfPresent(d)
	if !ok {
		return Entry{}, false
	}
	now := time.Now()
	if int64(now.Sub(c.began)) > c.sure.Load() || !now.Before(e.until) {
		return Entry{}, false
	}
	return *e, true
}

// Get returns the entry under k.
func (c *Cache) Get(ctx context.Context, k Key) (Entry, bool) {
	epoch := c.epoch.Load()
	if e, ok := c.peek(k.Name()); ok {
		if k.Name() != k.Exact {
			c.remember(k, e, epoch) // as what this very request gets
		}
		return e, true
	}
	if c.resting() {
		return Entry{Seen: unseen}, false
	}
	ctx, cancel := context.WithTimeout(ctx, c.settings.Patience)
	defer cancel()
	found, err := c.rdb.MGet(ctx, k.entryName(), k.generationName()).Result()
	if c.failed(ctx, err) {
		return Entry{Seen: unseen}, false
	}
	return c.read(k, found, epoch)
}

// read makes an entry of the answer to MGET: the value and the workspace's generation.
func (c *Cache) read(k Key, found []any, epoch int64) (Entry, bool) {
	value, _ := found[0].(string)
	generation, _ := found[1].(string)
	e, ok := c.decode(value)
	if !ok || !time.Now().Before(e.until) || c.settings.Live && e.Simulated {
		e, ok = Entry{}, false
	}
	n, _ := strconv.ParseInt(generation, 10, 64) // an absent one is 0
	e.Seen = n + 1
	if ok {
		c.remember(k, e, epoch)
	}
	return e, ok
}

// remember keeps an entry in the process, unless that was told to forget since epoch. It lies there also under the very
// request, where Peek finds it without a canonical form.
func (c *Cache) remember(k Key, e Entry, epoch int64) {
	if !c.listens.Load() {
		return
	}
	kept := e // on the heap from here on only
	c.local.Set(k.Exact, &kept)
	if k.Name() != k.Exact {
		c.local.Set(k.Name(), &kept)
	}
	if c.epoch.Load() != epoch {
		c.local.Invalidate(k.Exact)
		c.local.Invalidate(k.Name())
	}
}

// Put keeps an entry for ttl, when it is not too large and its workspace was not invalidated since the look-up.
func (c *Cache) Put(ctx context.Context, k Key, e Entry, ttl time.Duration) {
	if ttl < time.Millisecond || e.Seen == unseen || c.settings.Live && e.Simulated || c.resting() {
		return
	}
	e.Exact, e.until = k.Exact, time.Now().Add(ttl)
	value := c.encode(e)
	if len(value) > min(maxValue, c.settings.WorkspaceBytes) {
		return
	}
	epoch := c.epoch.Load()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.settings.Patience)
	defer cancel()
	kept, err := storeScript.Run(ctx, c.rdb, c.storeKeys(k, e), e.Seen, k.member(), value, ttl.Milliseconds(),
		len(value)+overhead, e.Provider+"/"+e.Model, c.settings.WorkspaceBytes, redisName(k.Workspace, "e")+":", maxMembers).Int()
	if !c.failed(ctx, err) && kept == 1 {
		c.remember(k, e, epoch)
	}
}

// Link notes that the entry under k has also served this job and lead.
func (c *Cache) Link(ctx context.Context, k Key, job growth.JobID, lead growth.LeadID) {
	keys := append([]string{k.entryName()}, owners(k.Workspace, "", job, lead)...)
	if len(keys) == 1 || c.resting() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.settings.Patience)
	defer cancel()
	c.failed(ctx, linkScript.Run(ctx, c.rdb, keys, k.member(), maxMembers).Err())
}

// Size is what Redis holds for a workspace.
type Size struct {
	Entries int64
	Bytes   int64 // with the book-keeping
}

// Size counts what is kept for a workspace, entries that have just ended included.
func (c *Cache) Size(ctx context.Context, ws growth.WorkspaceID) (Size, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	entries, err := c.rdb.ZCard(ctx, redisName(ws, "index")).Result()
	if err != nil {
		return Size{}, unavailable("cache.Size", err)
	}
	bytes, err := c.rdb.Get(ctx, redisName(ws, "bytes")).Int64()
	if err != nil && !errors.Is(err, redis.Nil) {
		return Size{}, unavailable("cache.Size", err)
	}
	return Size{Entries: entries, Bytes: bytes}, nil
}

func unavailable(op string, err error) error {
	return &growth.Error{Code: growth.Unavailable, Op: op, Message: "the cache cannot be reached", Err: err}
}

// resting says whether Redis is left alone for now.
func (c *Cache) resting() bool { return int64(time.Since(c.began)) < c.rest.Load() }

// failed says whether Redis gave no answer. One that did not answer in time would cost every call that time again, so
// it is not asked for a moment; a caller who left says nothing about Redis.
func (c *Cache) failed(ctx context.Context, err error) bool {
	if err == nil || errors.Is(err, redis.Nil) {
		return false
	}
	if !errors.Is(ctx.Err(), context.Canceled) {
		c.rest.Store(int64(time.Since(c.began) + restAfter))
	}
	return true
}
