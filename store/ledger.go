package store

import (
	"context"
	"time"

	"github.com/rs/zerolog"

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
