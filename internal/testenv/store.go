package testenv

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/lib/pq" // the driver, to make databases
	"github.com/redis/go-redis/v9"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

// template is the migrated database that every Store is a copy of: copying takes a tenth of migrating.
var template struct {
	sync.Mutex
	name string
}

// addresses holds, for each Store that is open, where its database is.
var addresses sync.Map // *store.Store: string

// direct holds, for each Store that is open, a connection of its own to the same database.
var direct sync.Map // *store.Store: *sql.DB

// idle holds the databases that no test uses at the moment; they are empty.
var idle struct {
	sync.Mutex
	names []string
}

// Store returns a store over a migrated, empty database that no other test uses as long as tb runs.
func Store(tb testing.TB) *store.Store {
	tb.Helper()
	return storeOn(tb, Postgres(tb))
}

// DurableStore is Store on a server that waits for the disk at every commit, for benchmarks: it is slow to test with.
func DurableStore(tb testing.TB) *store.Store {
	tb.Helper()
	server, err := suite(tb).durable()
	if err != nil {
		tb.Fatalf("no Postgres for the benchmark: %v", err)
	}
	name := "d_" + strings.ReplaceAll(growth.NewID(), "-", "")
	if err := execute(server.URL(), `CREATE DATABASE `+name); err != nil {
		tb.Fatalf("database for the benchmark: %v", err)
	}
	s, err := store.Open(tb.Context(), inDatabase(server.URL(), name), store.Options{})
	if err != nil {
		tb.Fatalf("open the benchmark's database: %v", err)
	}
	db, err := sql.Open("postgres", inDatabase(server.URL(), name))
	if err != nil {
		tb.Fatalf("open the benchmark's database: %v", err)
	}
	direct.Store(s, db)
	tb.Cleanup(func() {
		direct.Delete(s)
		_, _ = s.Close(), db.Close()
		_ = execute(server.URL(), `DROP DATABASE `+name+` WITH (FORCE)`) // the server ends with the run
	})
	if _, err := s.Migrate(tb.Context()); err != nil {
		tb.Fatalf("migrate the benchmark's database: %v", err)
	}
	return s
}

func storeOn(tb testing.TB, server string) *store.Store {
	tb.Helper()
	name, err := database(tb, server)
	if err != nil {
		tb.Fatalf("database for the test: %v", err)
	}
	s, err := store.Open(tb.Context(), inDatabase(server, name), store.Options{MaxConns: 12})
	if err != nil {
		tb.Fatalf("open the test's database: %v", err)
	}
	db, err := sql.Open("postgres", inDatabase(server, name))
	if err != nil {
		tb.Fatalf("open the test's database: %v", err)
	}
	direct.Store(s, db)
	addresses.Store(s, inDatabase(server, name))
	tb.Cleanup(func() {
		direct.Delete(s)
		addresses.Delete(s)
		_, _ = s.Close(), db.Close()
		if err := execute(inDatabase(server, name), emptyAll); err != nil {
			tb.Logf("database %s could not be emptied and is not used again: %v", name, err)
			return
		}
		idle.Lock()
		defer idle.Unlock()
		idle.names = append(idle.names, name)
	})
	return s
}

// database gives an idle database, or a new copy of the template: emptying one takes a fraction of copying.
func database(tb testing.TB, server string) (string, error) {
	tb.Helper()
	idle.Lock()
	if n := len(idle.names); n > 0 {
		name := idle.names[n-1]
		idle.names = idle.names[:n-1]
		idle.Unlock()
		return name, nil
	}
	idle.Unlock()
	from, err := templateOf(tb, server)
	if err != nil {
		return "", err
	}
	name := "t_" + strings.ReplaceAll(growth.NewID(), "-", "")
	if err := execute(server, `CREATE DATABASE `+name+` TEMPLATE `+from); err != nil {
		return "", err
	}
	suite(tb).atEnd(func() error { return execute(server, `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`) })
	return name, nil
}

// emptyAll ends whatever the test left running, deletes every row and begins every count anew. Deleting is faster than
// truncating as long as there is little to delete.
const emptyAll = `DO $$
	DECLARE x record;
	BEGIN
		PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
		SET LOCAL session_replication_role = replica;
		FOR x IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'goose_db_version' LOOP
			EXECUTE format('DELETE FROM %I', x.tablename);
		END LOOP;
		FOR x IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' AND sequencename NOT LIKE 'goose%' LOOP
			EXECUTE format('ALTER SEQUENCE %I RESTART', x.sequencename);
		END LOOP;
	END $$`

// SQL returns a connection to the database of a Store, for what a test has to see or break behind the store's back.
func SQL(tb testing.TB, s *store.Store) *sql.DB {
	tb.Helper()
	found, _ := direct.Load(s)
	db, ok := found.(*sql.DB)
	if !ok {
		tb.Fatal("the store was not made by testenv.Store")
	}
	return db
}

// Address returns the address of the database of a Store, for a process of its own that works on it too.
func Address(tb testing.TB, s *store.Store) string {
	tb.Helper()
	found, _ := addresses.Load(s)
	url, ok := found.(string)
	if !ok {
		tb.Fatal("the store was not made by testenv.Store")
	}
	return url
}

// Workspace makes a workspace that no other test has.
func Workspace(tb testing.TB, s *store.Store) growth.Workspace {
	tb.Helper()
	slug := "w-" + growth.NewID()
	w, err := s.EnsureWorkspace(tb.Context(), slug, "Workspace of "+tb.Name())
	if err != nil {
		tb.Fatalf("workspace: %v", err)
	}
	return w
}

// RedisClient returns a client of a Redis database of its own; see Redis.
func RedisClient(tb testing.TB) redis.UniversalClient {
	tb.Helper()
	rdb, err := tasks.Redis(Redis(tb))
	if err != nil {
		tb.Fatalf("redis client: %v", err)
	}
	tb.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

// templateOf makes the migrated database once in the life of the test binary.
func templateOf(tb testing.TB, server string) (string, error) {
	tb.Helper()
	template.Lock()
	defer template.Unlock()
	if template.name != "" {
		return template.name, nil
	}
	name := fmt.Sprintf("template_%d_%s", os.Getpid(), strings.ReplaceAll(growth.NewID(), "-", "")[:12])
	if err := execute(server, `CREATE DATABASE `+name); err != nil {
		return "", err
	}
	suite(tb).atEnd(func() error { return execute(server, `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`) })
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	s, err := store.Open(ctx, inDatabase(server, name), store.Options{MaxConns: 2})
	if err != nil {
		return "", err
	}
	_, err = s.Migrate(ctx)
	_ = s.Close() // nobody may be connected to what is copied
	if err != nil {
		return "", err
	}
	template.name = name
	return name, nil
}

// execute runs one statement on a connection of its own.
func execute(server, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second) // the test's own context may have ended
	defer cancel()
	db, err := sql.Open("postgres", server)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	_, err = db.ExecContext(ctx, statement)
	return err
}

// inDatabase is the server's address with another database.
func inDatabase(server, name string) string {
	u, err := url.Parse(server)
	if err != nil || u.Scheme == "" {
		return server + " dbname=" + name // the last one of a word counts
	}
	u.Path = "/" + name
	return u.String()
}
