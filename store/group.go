package store

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"

	growth "github.com/zakibelm/astrogrowth"
)

// The bounds of group commit.
const (
	groupSize    = 256              // requests of one statement
	groupsAtOnce = 2                // statements of one kind in flight: while one waits for the disk, the next is filled
	groupTimeout = 15 * time.Second // of one statement
)

// group lets callers that come at the same moment share one statement, and so one commit and one wait for the disk. It
// waits for nobody: who comes alone goes alone, and who comes while the statements are in flight goes with the next. A
// statement that one request spoils is made again for each of its requests, so that only the spoiler fails.
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
	s := &seat[Q, A]{q: q, done: make(chan struct{})}
	if err := ctx.Err(); err != nil {
		return s.a, err
	}
	g.mu.Lock()
	g.waiting = append(g.waiting, s)
	if g.running < groupsAtOnce {
		g.running++
		go g.lead() //nolint:contextcheck // the statement is every waiting caller's, not this one's alone
	}
	g.mu.Unlock()
	select {
	case <-s.done:
		return s.a, s.err
	case <-ctx.Done():
		return s.a, ctx.Err()
	}
}

// lead serves whoever waits until nobody does.
func (g *group[Q, A]) lead() {
	for {
		runtime.Gosched() // let callers that are about to ask join
		g.mu.Lock()
		n := min(len(g.waiting), groupSize)
		if n == 0 {
			g.running--
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
	if err != nil && len(seats) > 1 && growth.CodeOf(err) != growth.Unavailable {
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
	db     *sqlx.DB
	byText sync.Map // string: *sqlx.Stmt
}

func (p *statements) get(ctx context.Context, text string) (*sqlx.Stmt, error) {
	if st, ok := p.byText.Load(text); ok {
		return st.(*sqlx.Stmt), nil //nolint:forcetypeassert // nothing else is stored
	}
	st, err := p.db.PreparexContext(ctx, text)
	if err != nil {
		return nil, err
	}
	if first, raced := p.byText.LoadOrStore(text, st); raced {
		_ = st.Close()
		return first.(*sqlx.Stmt), nil //nolint:forcetypeassert // as above
	}
	return st, nil
}

// query runs a prepared statement on its own, which is a transaction.
func (s *Store) query(ctx context.Context, into any, text string, args ...any) error {
	st, err := s.statements.get(ctx, text)
	if err != nil {
		return err
	}
	return st.SelectContext(ctx, into, args...)
}

// query runs a prepared statement inside the transaction.
func (tx *Tx) query(ctx context.Context, into any, text string, args ...any) error {
	st, err := tx.statements.get(ctx, text)
	if err != nil {
		return err
	}
	return tx.tx.StmtxContext(ctx, st).SelectContext(ctx, into, args...)
}

// querier is a store or a transaction of it.
type querier interface {
	query(ctx context.Context, into any, text string, args ...any) error
}
