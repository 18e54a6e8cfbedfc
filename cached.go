package growth

import "time"

// CachedAs says how an answer came out of the cache.
type CachedAs string

// The ways in which an answer can be cached.
const (
	CachedNo    CachedAs = "no"
	CachedExact CachedAs = "exact" // the same request
	CachedNear  CachedAs = "near"  // the same request but for case, spacing and closing punctuation
)

// CacheHit is one answer that the cache gave.
type CacheHit struct {
	As    CachedAs
	Saved Money // what the answer had cost when it was made
	Bytes int
	Age   time.Duration
}
