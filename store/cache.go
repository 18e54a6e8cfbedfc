package store

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
)

// CacheCount is what the cache did for one workspace and task type on one UTC day.
type CacheCount struct {
	Workspace growth.WorkspaceID `db:"-"`
	Day       time.Time          `db:"day"` // zero: today
	Task      growth.TaskType    `db:"task_type"`
	Hits      int64              `db:"hits"`
	NearHits  int64              `db:"near_hits"` // of the hits
	Misses    int64              `db:"misses"`
	Bytes     int64              `db:"bytes"`  // that hits gave
	AgeMS     int64              `db:"age_ms"` // the hits' ages together
	SavedUSD  decimal.Decimal    `db:"saved_usd"`
	Unknown   int64              `db:"unknown_saved"` // hits on answers whose cost nobody knows
}

func (c *CacheCount) add(o CacheCount) {
	c.Hits, c.NearHits, c.Misses = c.Hits+o.Hits, c.NearHits+o.NearHits, c.Misses+o.Misses
	c.Bytes, c.AgeMS, c.Unknown = c.Bytes+o.Bytes, c.AgeMS+o.AgeMS, c.Unknown+o.Unknown
	if !o.SavedUSD.IsZero() {
		c.SavedUSD = c.SavedUSD.Add(o.SavedUSD)
	}
}

// AddCacheCounts adds to the cache's statistics.
func (s *Store) AddCacheCounts(ctx context.Context, counts []CacheCount) error {
	for _, c := range counts {
		day := c.Day
		if day.IsZero() {
			day = time.Now()
		}
		if _, err := s.db.ExecContext(ctx, `
			INSERT INTO cache_days AS d (workspace_id, day, task_type, hits, near_hits, misses, bytes, age_ms, saved_usd, unknown_saved)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
			ON CONFLICT (workspace_id, day, task_type) DO UPDATE SET
				hits = d.hits + excluded.hits, near_hits = d.near_hits + excluded.near_hits, misses = d.misses + excluded.misses,
				bytes = d.bytes + excluded.bytes, age_ms = d.age_ms + excluded.age_ms,
				saved_usd = d.saved_usd + excluded.saved_usd, unknown_saved = d.unknown_saved + excluded.unknown_saved`,
			c.Workspace, day.UTC().Format(time.DateOnly), c.Task, c.Hits, c.NearHits, c.Misses, c.Bytes, c.AgeMS, c.SavedUSD, c.Unknown); err != nil {
			return wrap("cache counts", err)
		}
	}
	return nil
}

// CacheDays returns what the cache did by UTC day and task type, oldest first; quiet days are not there.
func (sc Scoped) CacheDays(ctx context.Context, since time.Time) ([]CacheCount, error) {
	out := []CacheCount{}
	err := sc.s.db.SelectContext(ctx, &out, `
		SELECT day, task_type, hits, near_hits, misses, bytes, age_ms, saved_usd, unknown_saved
		FROM cache_days WHERE workspace_id = $1 AND day >= ($2::timestamptz AT TIME ZONE 'UTC')::date ORDER BY day, task_type`, sc.ws, since)
	return out, wrap("cache days", err)
}

// CacheStats adds up what the cache does and writes it to the database now and then.
type CacheStats struct {
	store *Store
	log   zerolog.Logger

	mu     sync.Mutex
	counts map[cacheGroup]*CacheCount
}

type cacheGroup struct {
	ws   growth.WorkspaceID
	task growth.TaskType
	day  int64 // since 1970, UTC
}

// NewCacheStats makes an empty tally.
func NewCacheStats(s *Store, log zerolog.Logger) *CacheStats {
	return &CacheStats{store: s, log: log, counts: map[cacheGroup]*CacheCount{}}
}

// Hit notes an answer from the cache.
func (s *CacheStats) Hit(ws growth.WorkspaceID, task growth.TaskType, hit growth.CacheHit) {
	c := CacheCount{Hits: 1, Bytes: int64(hit.Bytes), AgeMS: hit.Age.Milliseconds()}
	if hit.As == growth.CachedNear {
		c.NearHits = 1
	}
	if hit.Saved.USD == nil {
		c.Unknown = 1
	} else {
		c.SavedUSD = *hit.Saved.USD
	}
	s.add(groupNow(ws, task), c)
}

// Miss notes a look-up that found nothing.
func (s *CacheStats) Miss(ws growth.WorkspaceID, task growth.TaskType) {
	s.add(groupNow(ws, task), CacheCount{Misses: 1})
}

func groupNow(ws growth.WorkspaceID, task growth.TaskType) cacheGroup {
	return cacheGroup{ws, task, time.Now().Unix() / (24 * 60 * 60)}
}

func (s *CacheStats) add(g cacheGroup, more CacheCount) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counts[g]
	if c == nil {
		c = &CacheCount{Workspace: g.ws, Task: g.task, Day: time.Unix(g.day*24*60*60, 0), SavedUSD: decimal.Zero}
		s.counts[g] = c
	}
	c.add(more)
}

// Run writes every second until ctx ends, and then what is left.
func (s *CacheStats) Run(ctx context.Context) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			s.Flush(context.WithoutCancel(ctx))
			return
		case <-t.C:
			s.Flush(ctx)
		}
	}
}

// Flush writes what has been counted. What cannot be written stays for the next time.
func (s *CacheStats) Flush(ctx context.Context) {
	s.mu.Lock()
	counts := s.counts
	s.counts = map[cacheGroup]*CacheCount{}
	s.mu.Unlock()
	for g, c := range counts {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := s.store.AddCacheCounts(ctx, []CacheCount{*c})
		cancel()
		if err != nil {
			s.log.Warn().Err(err).Msg("cache counts not written yet")
			s.add(g, *c)
		}
	}
}
