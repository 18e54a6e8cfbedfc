package store

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
)

// The bounds of the group-commit writer.
const (
	ledgerQueue  = 4096 // calls that may wait; then callers wait
	ledgerBatch  = 512  // rows of one commit
	ledgerLinger = 10 * time.Millisecond
)

// LedgerWriter writes the ledger rows of direct calls in groups: many calls share one commit. A crash loses at most
// what waited, a few milliseconds' worth. Jobs do not use it: their rows commit with their steps.
type LedgerWriter struct {
	store *Store
	log   zerolog.Logger
	queue chan growth.Call
}

// NewLedgerWriter makes a writer; Run must be running for it to write.
func NewLedgerWriter(s *Store, log zerolog.Logger) *LedgerWriter {
	return &LedgerWriter{store: s, log: log, queue: make(chan growth.Call, ledgerQueue)}
}

// Start takes over the row of a call that is about to be made. It waits when too many rows wait already.
func (w *LedgerWriter) Start(ctx context.Context, c growth.Call) error {
	select {
	case w.queue <- c:
		return nil
	case <-ctx.Done():
		return &growth.Error{Code: growth.Unavailable, Op: "store.LedgerWriter", Message: "the ledger cannot be written fast enough", Err: ctx.Err()}
	}
}

// End takes over the end of a call. A call that was made is never dropped: when the queue is full the caller waits.
func (w *LedgerWriter) End(_ context.Context, c growth.Call) { w.queue <- c }

// Run writes until ctx ends, and then what is left.
func (w *LedgerWriter) Run(ctx context.Context) {
	for {
		select {
		case c := <-w.queue:
			w.write(w.gather(c)) //nolint:contextcheck // what was called is written, whoever has left
		case <-ctx.Done():
			for {
				select {
				case c := <-w.queue:
					w.write(w.gather(c)) //nolint:contextcheck // ctx has ended; this is what is left
				default:
					return
				}
			}
		}
	}
}

// gather takes what comes within the linger time. Of a call whose start and end are both here, only the end is written.
func (w *LedgerWriter) gather(first growth.Call) []growth.Call {
	batch, at := []growth.Call{first}, map[growth.CallID]int{first.ID: 0}
	timer := time.NewTimer(ledgerLinger)
	defer timer.Stop()
	for len(batch) < ledgerBatch {
		select {
		case c := <-w.queue:
			if i, ok := at[c.ID]; ok {
				batch[i] = c
				continue
			}
			at[c.ID] = len(batch)
			batch = append(batch, c)
		case <-timer.C:
			return batch
		}
	}
	return batch
}

// write commits a group, and keeps trying for as long as the database may be restarting.
func (w *LedgerWriter) write(batch []growth.Call) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := w.store.InTx(ctx, func(tx *Tx) error { return tx.SaveCalls(ctx, batch, 0) })
		if err == nil {
			return
		}
		if growth.CodeOf(err) != growth.Unavailable && len(batch) > 1 { // one bad row must not take the good ones along
			for i := range batch {
				w.write(batch[i : i+1])
			}
			return
		}
		if growth.CodeOf(err) != growth.Unavailable || ctx.Err() != nil {
			w.log.Error().Err(err).Int("calls", len(batch)).Msg("ledger rows lost")
			return
		}
		time.Sleep(pause)
	}
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
}

// NewCacheStats makes an empty tally.
func NewCacheStats(s *Store, log zerolog.Logger) *CacheStats {
	return &CacheStats{store: s, log: log, counts: map[cacheGroup]*CacheCount{}}
}

// Hit notes an answer from the cache and what it had cost when it was made.
func (s *CacheStats) Hit(ws growth.WorkspaceID, task growth.TaskType, saved growth.Money) {
	s.add(ws, task, func(c *CacheCount) {
		c.Hits++
		if saved.USD != nil {
			c.SavedUSD = c.SavedUSD.Add(*saved.USD)
		}
	})
}

// Miss notes a look-up that found nothing.
func (s *CacheStats) Miss(ws growth.WorkspaceID, task growth.TaskType) {
	s.add(ws, task, func(c *CacheCount) { c.Misses++ })
}

func (s *CacheStats) add(ws growth.WorkspaceID, task growth.TaskType, f func(*CacheCount)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := cacheGroup{ws, task}
	if s.counts[g] == nil {
		s.counts[g] = &CacheCount{Workspace: ws, Task: task, SavedUSD: decimal.Zero}
	}
	f(s.counts[g])
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
			s.add(g.ws, g.task, func(now *CacheCount) {
				now.Hits, now.Misses, now.SavedUSD = now.Hits+c.Hits, now.Misses+c.Misses, now.SavedUSD.Add(c.SavedUSD)
			})
		}
	}
}
