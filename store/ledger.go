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
	queue chan ledgerEntry
}

// ledgerEntry is a row on its way to its commit. committed, when not nil, is told how that went.
type ledgerEntry struct {
	call      growth.Call
	committed chan<- error
}

// NewLedgerWriter makes a writer; Run must be running for it to write.
func NewLedgerWriter(s *Store, log zerolog.Logger) *LedgerWriter {
	return &LedgerWriter{store: s, log: log, queue: make(chan ledgerEntry, ledgerQueue)}
}

// Start takes over the row of a call that is about to be made. It waits when too many rows wait already. A row that
// holds money of a budget is committed when Start returns: it is the reservation that outlives Redis and this process.
func (w *LedgerWriter) Start(ctx context.Context, c growth.Call) error {
	var committed chan error
	if c.Reserved != nil {
		committed = make(chan error, 1)
	}
	select {
	case w.queue <- ledgerEntry{c, committed}:
	case <-ctx.Done():
		return tooSlow(ctx)
	}
	if committed == nil {
		return nil
	}
	select {
	case err := <-committed:
		return err
	case <-ctx.Done():
		return tooSlow(ctx)
	}
}

func tooSlow(ctx context.Context) error {
	return &growth.Error{Code: growth.Unavailable, Op: "store.LedgerWriter", Message: "the ledger cannot be written fast enough", Err: ctx.Err()}
}

// End takes over the end of a call. A call that was made is never dropped: when the queue is full the caller waits.
func (w *LedgerWriter) End(_ context.Context, c growth.Call) { w.queue <- ledgerEntry{call: c} }

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
// Nobody who waits for the commit is made to linger: what comes during one commit makes the group of the next.
func (w *LedgerWriter) gather(first ledgerEntry) []ledgerEntry {
	batch, at := []ledgerEntry{first}, map[growth.CallID]int{first.call.ID: 0}
	timer := time.NewTimer(ledgerLinger)
	defer timer.Stop()
	awaited := first.committed != nil
	for len(batch) < ledgerBatch {
		if awaited && len(w.queue) == 0 {
			return batch
		}
		select {
		case e := <-w.queue:
			awaited = awaited || e.committed != nil
			if i, ok := at[e.call.ID]; ok && batch[i].committed == nil {
				batch[i] = e
				continue
			}
			at[e.call.ID] = len(batch)
			batch = append(batch, e)
		case <-timer.C:
			return batch
		}
	}
	return batch
}

// write commits a group, and keeps trying for as long as the database may be restarting.
func (w *LedgerWriter) write(batch []ledgerEntry) {
	calls := make([]growth.Call, len(batch))
	for i, e := range batch {
		calls[i] = e.call
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := w.store.InTx(ctx, func(tx *Tx) error { return tx.SaveCalls(ctx, calls, 0) })
		if err == nil {
			answer(batch, nil)
			w.store.committed(calls)
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
			answer(batch, err)
			return
		}
		time.Sleep(pause)
	}
}

// answer tells those who wait for a row how its commit went.
func answer(batch []ledgerEntry, err error) {
	for _, e := range batch {
		if e.committed != nil {
			e.committed <- err
		}
	}
}
