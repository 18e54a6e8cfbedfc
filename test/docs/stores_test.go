//go:build e2e

package docs

import (
	"context"
	"database/sql"
	"net/url"
	"strings"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/devstack"
	"github.com/zakibelm/astrogrowth/internal/seal"
	"github.com/zakibelm/astrogrowth/internal/testenv"
)

// ownStores gives the page what it says an operator has in the environment: DATABASE_URL and REDIS_URL of servers that
// run, ENCRYPTION_KEY, ADMIN_API_KEY, and RESTORED_URL of an empty database on another server. That one is younger: transactions of
// the first are in its future, as they are after a real restore. At the end nothing may have been lost or be out of order.
func (r *reader) ownStores() {
	r.t.Helper()
	first := testenv.Store(r.t)
	db := testenv.SQL(r.t, first)
	if _, err := db.ExecContext(r.t.Context(), `DO $$ BEGIN FOR i IN 1..5000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$`); err != nil {
		r.t.Fatal(err)
	}
	u, err := url.Parse(youngServer(r.t))
	if err != nil {
		r.t.Fatal(err)
	}
	other, err := sql.Open("postgres", u.String())
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	if _, err := other.ExecContext(r.t.Context(), `CREATE DATABASE restored`); err != nil {
		r.t.Fatal(err)
	}
	u.Path = "/restored"
	r.env = append(r.env, "DATABASE_URL="+testenv.Address(r.t, first), "RESTORED_URL="+u.String(), "REDIS_URL="+ownRedis(r.t),
		"ENCRYPTION_KEY="+seal.NewKey(), "ADMIN_API_KEY=ag_live_"+growth.NewID())
	r.finally = func() { inOrder(r.t, db, u.String()) }
}

// youngServer starts a Postgres that has made no transactions yet and gives its address.
func youngServer(t *testing.T) string {
	t.Helper()
	p, err := devstack.StartPostgres(t.Context(), devstack.Config{DataDir: dataDir(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Stop(context.WithoutCancel(t.Context())) })
	return p.URL()
}

// ownRedis starts a Redis and gives its address in the form that REDIS_URL takes.
func ownRedis(t *testing.T) string {
	t.Helper()
	rd, err := devstack.StartRedis(t.Context(), devstack.Config{DataDir: dataDir(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rd.Stop(context.WithoutCancel(t.Context())) })
	return strings.Replace(rd.URL(), "unix://", "redis-socket://", 1)
}

// inOrder sees that the restored database has what the first one had, that its events were out of order, and that they
// are not any more.
func inOrder(t *testing.T, first *sql.DB, restored string) {
	t.Helper()
	second, err := sql.Open("postgres", restored)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = second.Close() }()
	var had, newest, kept, lost int64
	const ours = `SELECT count(*), coalesce(max(tx::text::bigint), 0) FROM events`
	if err := first.QueryRowContext(t.Context(), ours).Scan(&had, &newest); err != nil {
		t.Fatal(err)
	}
	const theirs = `SELECT count(*), pg_snapshot_xmax(pg_current_snapshot())::text::bigint FROM events WHERE tx < pg_snapshot_xmax(pg_current_snapshot())`
	var now int64
	if err := second.QueryRowContext(t.Context(), theirs).Scan(&kept, &now); err != nil {
		t.Fatal(err)
	}
	if err := second.QueryRowContext(t.Context(), `SELECT count(*) FROM events WHERE tx >= pg_snapshot_xmax(pg_current_snapshot())`).Scan(&lost); err != nil {
		t.Fatal(err)
	}
	t.Logf("events: %d before, %d after; newest transaction %d there, %d here", had, kept, newest, now)
	if had == 0 || kept < had || lost != 0 {
		t.Errorf("events: %d before the restore, %d after it, %d out of order", had, kept, lost)
	}
	if newest <= now {
		t.Errorf("the events were never out of order: transaction %d, now %d", newest, now)
	}
}
