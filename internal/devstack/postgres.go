package devstack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

const (
	databaseUser   = "astrogrowth"
	databaseName   = "astrogrowth"
	postgresSocket = ".s.PGSQL.5432" // the name is Postgres's, and the number part of it
)

// Postgres is a running Postgres that is ours.
type Postgres struct {
	srv *server
	bin postgresBin
}

// StartPostgres starts the Postgres of cfg.DataDir and returns when it answers and has the product's database. It makes
// the data directory when there is none, refuses one of another major version, and takes over from a server that an
// earlier run left behind. ctx bounds the start only.
func StartPostgres(ctx context.Context, cfg Config) (*Postgres, error) {
	s, err := newServer(cfg.withDefaults(), "postgres", postgresSocket, "postgres", "nobody")
	if err != nil {
		return nil, err
	}
	found := trace{
		programs: []string{"postgres"}, dir: s.place.data, pidFile: filepath.Join(s.place.data, "postmaster.pid"),
		titles: []string{"-D " + s.place.data + " ", "postgres: " + clusterName(s.place) + ": "},
	}
	s.find = func() []int { return residents(found) }
	s.steps = []step{{syscall.SIGINT, 8 * time.Second}, {syscall.SIGQUIT, 8 * time.Second}, {syscall.SIGKILL, 5 * time.Second}}
	p := &Postgres{srv: s}
	if err := p.open(ctx); err != nil {
		s.abandon(ctx)
		return nil, err
	}
	return p, nil
}

// open chooses the Postgres that fits the data, clears the way and starts it.
func (p *Postgres) open(ctx context.Context) error {
	s := p.srv
	has, err := clusterVersion(s.place.data)
	if err != nil {
		return err
	}
	p.bin, err = s.cfg.findPostgres(ctx, has)
	if err != nil {
		return err
	}
	if has != "" && has != p.bin.major() {
		return s.cfg.otherVersion(s.place.data, has, p.bin)
	}
	if err := s.prepare(ctx); err != nil {
		return err
	}
	return p.start(ctx, has == "")
}

// start makes the cluster if it is to be made, runs the server and waits for the database.
func (p *Postgres) start(ctx context.Context, fresh bool) error {
	s, begin := p.srv, time.Now()
	if fresh {
		if err := s.initCluster(ctx, p.bin); err != nil {
			return err
		}
	} else if err := s.place.own(s.place.data); err != nil {
		return err
	}
	if err := p.removeStale(); err != nil {
		return err
	}
	args := p.args()
	err := s.launch(command{
		path: args[0], args: args, death: syscall.SIGINT,
		env: []string{"LC_ALL=" + s.cfg.host.locale()},
	})
	if err != nil {
		return err
	}
	if err := s.await(ctx, p.answers); err != nil {
		return err
	}
	s.cfg.say("postgres: %s is ready (%s)", p.bin.version, time.Since(begin).Round(10*time.Millisecond))
	s.cfg.Log.Info().Str("server", s.name).Str("version", p.bin.version).Str("data", s.place.data).Dur("took", time.Since(begin)).Msg("server ready")
	return nil
}

// clusterName is shown in the title of each process of the server.
func clusterName(p place) string { return "astrogrowth-" + shortHash(p.data) }

// removeStale removes the lock files of a server that was killed. Postgres does so itself, except when another process
// has got the old number since. Nothing of this cluster runs any more: evict has seen to that, where it can.
func (p *Postgres) removeStale() error {
	if !seesHelpers {
		return nil
	}
	at := p.srv.place
	for _, path := range []string{filepath.Join(at.data, "postmaster.pid"), at.socket, at.socket + ".lock"} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove stale lock of postgres: %w", err)
		}
	}
	return nil
}

// args begin with the whole path, by which Postgres's programs find each other and their files.
func (p *Postgres) args() []string {
	settings := []string{
		"listen_addresses=",
		// The value is a list of names, in which a path with a comma or a space must be quoted.
		`unix_socket_directories="` + strings.ReplaceAll(p.srv.place.sockets, `"`, `""`) + `"`,
		"unix_socket_permissions=0700",
		"port=5432",
		"cluster_name=" + clusterName(p.srv.place),
		"max_connections=200",
		"timezone=UTC",
		"log_timezone=UTC",
		"logging_collector=off",
		// A statement that fails is told to who sent it; in the server's log it would be a copy of a lead's data.
		"log_min_messages=log",
		"log_min_error_statement=panic",
		"log_checkpoints=off",
	}
	if !p.srv.cfg.Sync {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off")
	}
	args := []string{filepath.Join(p.bin.dir, "postgres"), "-D", p.srv.place.data}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	return args
}

// answers asks the server for a connection to the product's database, which it makes on the way.
func (p *Postgres) answers(ctx context.Context) (answer, error) {
	err := p.exec(ctx, databaseName, "SELECT 1")
	if pq.As(err, pqerror.InvalidCatalogName) != nil {
		err = p.exec(ctx, "postgres", "CREATE DATABASE "+databaseName)
	}
	if err == nil {
		return ready, nil
	}
	if pq.As(err, pqerror.CannotConnectNow) != nil {
		return busy, nil //nolint:nilerr // the error is the answer
	}
	if ctx.Err() == nil && (pq.As(err) != nil || errors.Is(err, fs.ErrPermission)) {
		return silent, err // waiting does not help
	}
	return silent, nil
}

// exec runs one statement on a connection of its own. It speaks to the driver itself: the pool and what comes with it
// are the store's.
func (p *Postgres) exec(ctx context.Context, database, statement string) error {
	connector, err := pq.NewConnector(p.url(database))
	if err != nil {
		return fmt.Errorf("address of postgres: %w", err)
	}
	conn, err := connector.Connect(ctx)
	if err != nil {
		return fmt.Errorf("connect to postgres: %w", err)
	}
	defer func() { _ = conn.Close() }()
	stmt, err := conn.Prepare(statement)
	if err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	defer func() { _ = stmt.Close() }()
	if _, err := stmt.Exec(nil); err != nil { //nolint:staticcheck // StmtExecContext would need database/sql/driver, and the statements are short
		return fmt.Errorf("execute: %w", err)
	}
	return nil
}

func (p *Postgres) url(database string) string {
	query := url.Values{"host": {p.srv.place.sockets}, "port": {"5432"}, "sslmode": {"disable"}}
	// libpq, and so psql, takes a plus sign for itself and not for a space.
	raw := strings.ReplaceAll(query.Encode(), "+", "%20")
	u := url.URL{Scheme: "postgres", User: url.User(databaseUser), Path: "/" + database, RawQuery: raw}
	return u.String()
}

// URL is the address of the product's database, for lib/pq and psql alike. It holds no secret: who may enter the
// directory of the socket may use it.
func (p *Postgres) URL() string { return p.url(databaseName) }

// Version is the server's version, as "15.14".
func (p *Postgres) Version() string { return p.bin.version }

// Done is closed when the server ended without Stop.
func (p *Postgres) Done() <-chan struct{} { return p.srv.died }

// Stop ends the server: open transactions are rolled back and the data is left so that the next start has nothing to
// recover. When ctx ends first it is stopped harder, but never left behind. A second Stop returns what the first did.
func (p *Postgres) Stop(ctx context.Context) error { return p.srv.stop(ctx) }
