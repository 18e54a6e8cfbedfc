package store

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"
	"golang.org/x/sync/singleflight"

	growth "github.com/zakibelm/astrogrowth"
)

// The bounds of group commit.
const (
	groupSize    = 256              // requests of one statement
	groupsAtOnce = 2                // statements of one kind in flight: while one waits for the disk, the next is filled
	groupTimeout = 15 * time.Second // of one statement
	groupLinger  = 4 * time.Millisecond
	groupBusy    = 3 // requests of the statement before, from which on the next one lingers for more
)

// group lets callers that come at the same moment share one statement, and so one commit and one wait for the disk. Who
// comes alone goes alone, at once; who comes while the statements are in flight goes with the next, and while many come
// that one waits a moment for more. A statement that one request spoils is made again for each of its requests, so that only the spoiler fails.
type group[Q, A any] struct {
	run func(ctx context.Context, qs []Q) ([]A, error) // one answer for each request, in order

	mu      sync.Mutex
	waiting []*seat[Q, A]
	running int
}

// seat is one caller's place in a group.
type seat[Q, A any] struct {
	q    Q
	a    A
	err  error
	done chan struct{}
}

// do answers q. When ctx ends first the request may still be carried out: the caller cannot know, as after any lost
// connection.
func (g *group[Q, A]) do(ctx context.Context, q Q) (A, error) {
	var none A // who leaves early reads nothing of a seat that somebody may be writing to
	if err := ctx.Err(); err != nil {
		return none, err
	}
	s := &seat[Q, A]{q: q, done: make(chan struct{})}
	g.mu.Lock()
	g.waiting = append(g.waiting, s)
	if g.running < groupsAtOnce {
		g.running++
		go g.lead()
	}
	g.mu.Unlock()
	select {
	case <-s.done:
		return s.a, s.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// lead serves whoever waits until nobody does.
func (g *group[Q, A]) lead() {
	for n := 0; ; {
		if n >= groupBusy {
			time.Sleep(groupLinger)
		} else {
			runtime.Gosched() // let callers that are about to ask join
		}
		g.mu.Lock()
		n = min(len(g.waiting), groupSize)
		if n == 0 {
			if g.running--; g.running == 0 {
				g.waiting = nil // what a burst has carried must not stay in memory
			}
			g.mu.Unlock()
			return
		}
		seats := g.waiting[:n:n]
		g.waiting = g.waiting[n:]
		g.mu.Unlock()
		g.serve(seats)
	}
}

func (g *group[Q, A]) serve(seats []*seat[Q, A]) {
	ctx, cancel := context.WithTimeout(context.Background(), groupTimeout)
	defer cancel()
	qs := make([]Q, len(seats))
	for i, s := range seats {
		qs[i] = s.q
	}
	as, err := g.run(ctx, qs)
	if deadlocked(err) { // it was chosen to give way, and nothing of it was done
		as, err = g.run(ctx, qs)
	}
	if err != nil && len(seats) > 1 && (growth.CodeOf(err) != growth.Unavailable || lockTimedOut(err)) {
		for i := range seats {
			g.serve(seats[i : i+1])
		}
		return
	}
	for i, s := range seats {
		if s.err = err; err == nil {
			s.a = as[i]
		}
		close(s.done)
	}
}

// statements are prepared once and kept on every connection: what runs for each job must not be parsed for each job.
type statements struct {
	db *sqlx.DB

	mu     sync.RWMutex
	byText map[string]*sqlx.Stmt
	making singleflight.Group
}

// known is the statement if it is prepared already, else nil.
func (p *statements) known(text string) *sqlx.Stmt {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.byText[text]
}

func (p *statements) get(ctx context.Context, text string) (*sqlx.Stmt, error) {
	if st := p.known(text); st != nil {
		return st, nil
	}
	// Made once: to close a second one would wait for the connection that it was prepared on, whatever that is doing.
	made, err, _ := p.making.Do(text, func() (any, error) {
		if st := p.known(text); st != nil {
			return st, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), groupTimeout) // the others' too
		defer cancel()
		st, err := p.db.PreparexContext(ctx, text) // lives as long as the store
		if err != nil {
			return nil, err
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.byText[text] = st
		return st, nil
	})
	st, _ := made.(*sqlx.Stmt) // nothing else is made
	return st, err
}

// query runs a prepared statement on its own, which is a transaction.
func (s *Store) query(ctx context.Context, into any, text string, args ...any) error {
	st, err := s.statements.get(ctx, text) //nolint:sqlclosecheck // kept
	if err != nil {
		return err
	}
	return st.SelectContext(ctx, into, args...)
}

// query runs a prepared statement inside the transaction. One that is not prepared yet is not prepared here, which would
// take a second connection while this one is held: as many transactions as there are connections would wait for each
// other. Who opens a transaction for it asks for it first.
func (tx *Tx) query(ctx context.Context, into any, text string, args ...any) error {
	st := tx.statements.known(text)
	if st == nil {
		return tx.tx.SelectContext(ctx, into, text, args...)
	}
	return tx.tx.StmtxContext(ctx, st).SelectContext(ctx, into, args...) //nolint:sqlclosecheck // ends with the transaction
}

// querier is a store or a transaction of it.
type querier interface {
	query(ctx context.Context, into any, text string, args ...any) error
}
