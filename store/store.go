// Package store keeps what must survive: jobs and their steps, the ledger of calls, leads, content, publications. It is
// the only package that speaks SQL, and the only one that knows that the database is Postgres. An exported method is a
// transaction; methods of Tx run inside one. It refuses to know the queue, the providers and HTTP.
package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store/migrations"
)

// Store is two pools of connections to the database. It is safe for use by many goroutines.
type Store struct {
	db         *sqlx.DB // for lists, sums and migrations: the planner decides by statistics
	points     *sqlx.DB // for transactions, and for what runs for each job: rows by their keys; see pointSettings
	statements *statements
	claims     group[claimRequest, *Claimed]
	beats      group[beat, beaten]
	deposits   group[deposit, bool]
	finishes   group[ending, growth.JobState]
	onCalls    atomic.Pointer[func([]growth.Call)]
	pasts      chan struct{} // as many as there may be at once
	maxMedia   int64         // bytes of pictures of one workspace; 0: MaxMediaBytes
}

// Options tune the pools; the zero value means the stated defaults.
type Options struct {
	MaxConns int // open connections at most for transactions; default 10. Lists and sums have half as many beside
}

// pointSettings hold for the connections of transactions. Their statements find rows by keys, whatever the statistics
// say: a table that was empty when a plan was made has millions of rows a day later, and a plan that reads all of it,
// or that is made anew for each job, would then be what the product spends its time on. Plain index scans also clear
// away the entries of dead rows, which the engine's short-lived states leave by the thousand.
var pointSettings = []string{
	"plan_cache_mode=force_generic_plan", "enable_seqscan=off", "enable_hashjoin=off", "enable_mergejoin=off", "enable_bitmapscan=off",
	"jit=off", // the costs of what is switched off would make every plan look worth compiling
	// A process that was frozen in the middle of a transaction must not hold other jobs up for long.
	"lock_timeout=10s", "idle_in_transaction_session_timeout=30s",
}

// Open connects to the database at address (postgres://… or a lib/pq connection string) and checks that it answers.
func Open(ctx context.Context, address string, o Options) (*Store, error) {
	if o.MaxConns == 0 {
		o.MaxConns = 10
	}
	db, err := pool(address, Options{MaxConns: max(o.MaxConns/2, 2)})
	if err != nil {
		return nil, err
	}
	points, err := pool(with(address, pointSettings), o)
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	s := newStore(db, points)
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for _, p := range []*sqlx.DB{db, points} { // a server that cannot be reached is told of once
		if err := p.PingContext(ctx); err != nil {
			_ = s.Close()
			return nil, fmt.Errorf("reach database: %w", err)
		}
	}
	return s, nil
}

func pool(address string, o Options) (*sqlx.DB, error) {
	db, err := sqlx.Open("postgres", address)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db.SetMaxOpenConns(o.MaxConns)
	db.SetMaxIdleConns(o.MaxConns)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return db, nil
}

// with adds settings to a connection string of either form.
func with(address string, settings []string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "" {
		return address + " " + strings.Join(settings, " ")
	}
	q := u.Query()
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		q.Set(name, value)
	}
	u.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20")
	return u.String()
}

func newStore(db, points *sqlx.DB) *Store {
	s := &Store{db: db, points: points, statements: &statements{db: points, byText: map[string]*sqlx.Stmt{}}, pasts: make(chan struct{}, maxPasts)}
	s.claims.run, s.beats.run, s.deposits.run = s.claimAll, s.beatAll, s.depositAll
	s.finishes.run = func(ctx context.Context, es []ending) ([]growth.JobState, error) { return finishAll(ctx, s, es) }
	return s
}

// Close ends every connection.
func (s *Store) Close() error { return errors.Join(s.db.Close(), s.points.Close()) }

// Ping says whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.db.PingContext(ctx) }

func (s *Store) migrator() (*goose.Provider, error) {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, s.db.DB, migrations.FS, goose.WithSessionLocker(locker))
}

// Migrate brings the schema up to this program's version and returns how many migrations it applied. A schema that is
// newer than the program is a SchemaError: there is nothing that this program could do with it. Several programs may
// call it at once.
func (s *Store) Migrate(ctx context.Context) (int, error) {
	p, err := s.migrator()
	if err != nil {
		return 0, fmt.Errorf("read migrations: %w", err)
	}
	done, err := p.Up(ctx)
	if err != nil {
		return 0, fmt.Errorf("migrate: %w", err)
	}
	return len(done), checkVersions(ctx, p)
}

// CheckSchema returns an error when the database's schema is not the one that this program was built for.
func (s *Store) CheckSchema(ctx context.Context) error {
	p, err := goose.NewProvider(goose.DialectPostgres, s.db.DB, migrations.FS)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	return checkVersions(ctx, p)
}

func checkVersions(ctx context.Context, p *goose.Provider) error {
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if have != want {
		return &SchemaError{Have: have, Want: want}
	}
	return nil
}

// SchemaError is a schema of another version than the program's.
type SchemaError struct{ Have, Want int64 }

// Newer says whether the database is ahead of the program: then the program is to be replaced, not the schema.
func (e *SchemaError) Newer() bool { return e.Have > e.Want }

// Error says which versions they are, and what to do.
func (e *SchemaError) Error() string {
	if e.Newer() {
		return fmt.Sprintf("the database schema is version %d, newer than this program's %d: run a newer program", e.Have, e.Want)
	}
	return fmt.Sprintf("the database schema is version %d and this program needs %d: run `astrogrowth migrate`", e.Have, e.Want)
}

// Tx is a transaction. Its methods are statements that belong together with others.
type Tx struct {
	tx         *sqlx.Tx
	statements *statements
}

// InTx runs f in a transaction and commits it when f returns nil.
func (s *Store) InTx(ctx context.Context, f func(*Tx) error) error {
	tx, err := s.points.BeginTxx(ctx, nil)
	if err != nil {
		return wrap("begin", err)
	}
	if err := f(&Tx{tx: tx, statements: s.statements}); err != nil {
		_ = tx.Rollback() // the first error is the one that tells
		return err
	}
	return wrap("commit", tx.Commit())
}

// wrap gives a database fault its code: a lost connection or a server that is restarting is worth a retry.
func wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*growth.Error](err); ok {
		return err
	}
	e := &growth.Error{Code: growth.Internal, Op: "store." + op, Err: err}
	pqErr, ok := errors.AsType[*pq.Error](err)
	switch {
	case errors.Is(err, context.Canceled):
		e.Code = growth.Canceled
	case errors.Is(err, sql.ErrNoRows):
		e.Code, e.Message = growth.NotFound, "not found"
	case !ok: // the connection, not the statement
		e.Code, e.Message = growth.Unavailable, "the database cannot be reached"
	case lockTimedOut(err) || pqErr.Code.Class() == "57" || pqErr.Code.Class() == "08" || pqErr.Code.Class() == "53" || pqErr.Code.Class() == "40":
		e.Code, e.Message = growth.Unavailable, "the database is busy or restarting"
	case pqErr.Code.Class() == "22":
		e.Code, e.Message = growth.Invalid, "a text holds a character that cannot be stored, such as NUL"
	case pqErr.Code.Name() == "unique_violation":
		e.Code = growth.Conflict
	}
	return e
}

// lockNames holds names of a workspace until the transaction ends, taken in one order.
func (tx *Tx) lockNames(ctx context.Context, ws growth.WorkspaceID, names []string) error {
	if len(names) == 0 {
		return nil
	}
	_, err := tx.tx.ExecContext(ctx, `
		SELECT count(pg_advisory_xact_lock(h)) FROM (
			SELECT DISTINCT hashtextextended($1 || n, 1) AS h FROM unnest($2::text[]) AS n ORDER BY h) AS l`, string(ws), pq.Array(names))
	return wrap("lock names", err)
}

// deadlocked says that Postgres ended a statement so that another one could go on.
func deadlocked(err error) bool {
	pqErr, ok := errors.AsType[*pq.Error](err)
	return ok && pqErr.Code == "40P01"
}

// lockTimedOut says that a statement waited too long for another transaction's row.
func lockTimedOut(err error) bool {
	pqErr, ok := errors.AsType[*pq.Error](err)
	return ok && pqErr.Code == "55P03"
}

// none says that a query found no row.
func none(err error) bool { return errors.Is(err, sql.ErrNoRows) }

func violates(err error, constraint string) bool {
	pqErr, ok := errors.AsType[*pq.Error](err)
	return ok && pqErr.Constraint == constraint
}

// Scoped is the store as one workspace sees it: every query of it is bound to that workspace.
type Scoped struct {
	s  *Store
	ws growth.WorkspaceID
	by string // for whom leads are changed; their history keeps it
}

// In binds the store to a workspace.
func (s *Store) In(ws growth.WorkspaceID) Scoped { return Scoped{s: s, ws: ws} }

// As says for whom leads are changed: their history keeps it.
func (sc Scoped) As(who string) Scoped {
	sc.by = who
	return sc
}

// Page asks for a part of a list, newest first.
type Page struct {
	Limit  int    // 1 to 201, a page of the API and one that says whether another follows; 0 means 50
	Cursor string // id of the last one of the page before; empty: from the newest
}

func (p Page) limit() int {
	if p.Limit <= 0 {
		return 50
	}
	return min(p.Limit, 201)
}

// before turns the cursor into an upper bound for ids: UUIDv7 sort by time.
func (p Page) before() string {
	if p.Cursor == "" {
		return "ffffffff-ffff-ffff-ffff-ffffffffffff"
	}
	return p.Cursor
}

func nullString(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

// withoutNUL takes the escape \u0000 out of JSON: Postgres cannot store it, and what a model wrote and was paid for must
// not be lost to it.
func withoutNUL(b []byte) []byte {
	if !bytes.Contains(b, []byte(`\u0000`)) {
		return b
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' || i+1 >= len(b) {
			out = append(out, b[i])
			continue
		}
		if bytes.HasPrefix(b[i:], []byte(`\u0000`)) {
			i += len(`\u0000`) - 1
			continue
		}
		out = append(out, b[i], b[i+1])
		i++
	}
	return out
}
