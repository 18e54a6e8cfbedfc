package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/zakibelm/astrogrowth/internal/config"
	"github.com/zakibelm/astrogrowth/internal/devstack"
	"github.com/zakibelm/astrogrowth/internal/linkedin"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

// doctor looks at an installation whose configuration can be read. It changes nothing.
type doctor struct {
	cfg  config.Config
	http *http.Client
}

func (d doctor) stores(ctx context.Context) []finding {
	postgres, redis := devstack.Down, devstack.Down
	var out []finding
	if d.cfg.Embedded() || d.cfg.EmbeddedRedis() {
		out = append(out, d.directory())
		postgres, redis = devstack.Look(ctx, devstack.Config{DataDir: d.cfg.DataDir})
	}
	if d.cfg.Embedded() {
		out = append(out, d.ownStore("postgres", postgres, func() finding { return d.postgresProgram(ctx) }))
		if len(out) > 0 && out[0].Status != checkFail {
			out = append(out, d.data(ctx))
		}
	} else {
		out = append(out, d.database(ctx)...)
	}
	if d.cfg.EmbeddedRedis() {
		return append(out, d.ownStore("redis", redis, redisProgram))
	}
	return append(out, d.redis(ctx)...)
}

// directory says whether DATA_DIR can be written, or made.
func (d doctor) directory() finding {
	const name, mend = "DATA_DIR", "set DATA_DIR to a directory that you may write, or run 'astrogrowth up' and the doctor as a user who may write this one"
	path, err := filepath.Abs(d.cfg.DataDir)
	if err != nil {
		return failing(name, err.Error(), mend)
	}
	at := path
	info, err := os.Stat(at)
	for (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)) && at != filepath.Dir(at) {
		at = filepath.Dir(at)
		info, err = os.Stat(at)
	}
	switch {
	case err != nil:
		return failing(name, path+": "+pathReason(err), mend)
	case !info.IsDir() && at == path:
		return failing(name, path+" is no directory", "set DATA_DIR to a directory")
	case !info.IsDir():
		return failing(name, fmt.Sprintf("%s cannot be made: %s is no directory", path, at), "set DATA_DIR to a directory")
	}
	const mayWriteAndEnter = 0x2 | 0x1
	if err := syscall.Access(at, mayWriteAndEnter); err != nil {
		return failing(name, fmt.Sprintf("%s may not be written: %s", at, err), mend)
	}
	if at != path {
		return found(name, path+" can be made")
	}
	return found(name, path+" can be written")
}

// pathReason is what is wrong with a path, without the path again.
func pathReason(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}

// ownStore says how a store stands that 'astrogrowth up' brings along; installed looks for its program while it does not run.
func (d doctor) ownStore(name string, s devstack.Standing, installed func() finding) finding {
	switch s {
	case devstack.Answers:
		return found(name, "runs, and answers")
	case devstack.Hangs:
		return failing(name, "runs, and does not answer", d.storeMend(name))
	case devstack.Closed:
		return found(name, "runs; only the user who started it may ask it")
	case devstack.Down:
	}
	return installed()
}

// storeMend says what to do about a store that does not work.
func (d doctor) storeMend(name string) string {
	if name == "postgres" && !d.cfg.Embedded() {
		return "check DATABASE_URL, and that the server runs and can be reached from here"
	}
	if name == "redis" && !d.cfg.EmbeddedRedis() {
		return "check REDIS_URL, and that the server runs and can be reached from here"
	}
	return fmt.Sprintf("stop 'astrogrowth up' with Ctrl-C and start it again; %s ends with what the server said", filepath.Join(d.cfg.DataDir, "logs", name+".log"))
}

// postgresProgram asks for what `up` will start, and installs nothing.
func (d doctor) postgresProgram(ctx context.Context) finding {
	if err := devstack.Ensure(ctx, devstack.Config{DataDir: d.cfg.DataDir}); err != nil {
		return failing("postgres", explain(err), "install it, or set DATABASE_URL")
	}
	return found("postgres", "installed; 'astrogrowth up' starts it")
}

// data compares the version of the data on disk with the servers that are there: a Postgres opens its own version only.
func (d doctor) data(ctx context.Context) finding {
	path := filepath.Join(d.cfg.DataDir, "postgres", "PG_VERSION")
	b, err := os.ReadFile(path) //nolint:gosec // G304: the operator names the directory
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return found("data", d.cfg.DataDir+" holds no database yet")
	case err != nil:
		return doubtful("data", path+" may not be read by you", "run the doctor as the user who runs 'astrogrowth up'")
	}
	version := strings.TrimSpace(string(b))
	if _, err := strconv.Atoi(version); err != nil {
		return failing("data", path+" holds no version", "restore "+d.cfg.DataDir+" from a backup, or choose another DATA_DIR")
	}
	if !postgresInstalled(ctx, version) {
		return failing("data", fmt.Sprintf("%s is of PostgreSQL %s, which was not found here", d.cfg.DataDir, version),
			fmt.Sprintf("install PostgreSQL %s, or choose another DATA_DIR", version))
	}
	return found("data", fmt.Sprintf("%s is of PostgreSQL %s, which is installed", d.cfg.DataDir, version))
}

func postgresInstalled(ctx context.Context, major string) bool {
	for _, dir := range []string{
		"/usr/lib/postgresql/" + major, "/usr/pgsql-" + major, "/opt/homebrew/opt/postgresql@" + major, "/usr/local/opt/postgresql@" + major,
	} {
		if _, err := os.Stat(filepath.Join(dir, "bin", "postgres")); err == nil { //nolint:gosec // G703: the version in the path is a number
			return true
		}
	}
	out, err := exec.CommandContext(ctx, "postgres", "--version").Output()
	return err == nil && strings.Contains(string(out), "(PostgreSQL) "+major+".")
}

func redisProgram() finding {
	for _, name := range []string{"redis-server", "valkey-server", "redis-check-rdb"} {
		if path, err := exec.LookPath(name); err == nil {
			return found("redis", path+" is installed; 'astrogrowth up' starts it")
		}
	}
	return doubtful("redis", "not installed: 'astrogrowth up' installs it, or uses a stand-in that forgets everything at its end",
		"install redis-server, or set REDIS_URL")
}

func (d doctor) database(ctx context.Context) []finding {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	db, err := store.Open(ctx, d.cfg.DatabaseURL.Reveal(), store.Options{MaxConns: 1})
	if err != nil {
		return []finding{failing("postgres", explain(err), d.storeMend("postgres"))}
	}
	defer func() { _ = db.Close() }() // nothing was written
	clock := d.clock(ctx, db, time.Now)
	if err := db.CheckSchema(ctx); err != nil {
		mend := "run 'astrogrowth migrate'"
		if e, ok := errors.AsType[*store.SchemaError](err); ok && e.Newer() {
			mend = "run the programs of the release that migrated this database, or restore the backup from before that"
		}
		return []finding{failing("postgres", explain(err), mend), clock}
	}
	return []finding{found("postgres", "answers, and its schema is this program's"), clock}
}

func (d doctor) redis(ctx context.Context) []finding {
	mend := d.storeMend("redis")
	rdb, err := tasks.Redis(d.cfg.RedisURL.Reveal())
	if err != nil {
		return []finding{failing("redis", explain(err), mend)}
	}
	defer func() { _ = rdb.Close() }() // nothing was written
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if err := rdb.Ping(ctx).Err(); err != nil {
		return []finding{failing("redis", "does not answer: "+err.Error(), mend)}
	}
	return append([]finding{found("redis", "answers")}, redisKeeps(ctx, rdb)...)
}

// linkedInVersion says how long LinkedIn will take the version that is asked for.
func (d doctor) linkedInVersion(now time.Time) finding {
	version := d.cfg.LinkedInVersion
	at, _ := linkedin.Sunset(version)
	text := linkedin.VersionWarning(version, now)
	switch {
	case text == "":
		return found("linkedin version", fmt.Sprintf("%s works until about %s", version, at.Format(time.DateOnly)))
	case !now.Before(at):
		return failing("linkedin version", text, "set LINKEDIN_VERSION to a newer one")
	}
	return doubtful("linkedin version", text, "set LINKEDIN_VERSION to a newer one before then")
}

// routes says what each route's candidates mean now: as the API knows, else as the providers' lists say.
func (d doctor) routes(ctx context.Context, s surroundings, f *apiFlags, open map[string]bool) []finding {
	text, source, err := routesText(d.cfg)
	if err != nil {
		return []finding{failing("routes", err.Error(), "set ROUTES_FILE to a file that can be read")}
	}
	routes, err := router.ParseRoutes(text)
	if err != nil {
		return []finding{failing("routes", source+": "+err.Error(), "begin anew with 'astrogrowth routes --default'")}
	}
	var out []finding
	now := standingOf(ctx, s, f, d.cfg, routes)
	if len(now.Unread) > 0 && d.cfg.SimulatorWanted() {
		out = append(out, doubtful("simulator", "does not run, so its lists of models could not be read", "start it with 'astrogrowth up'"))
	} else {
		for _, name := range now.Unread {
			out = append(out, doubtful(name+" models", "the list of models could not be read", "check the address and the key, and that the provider can be reached from here"))
		}
	}
	for _, r := range now.Routes {
		out = append(out, routeFinding(r, open))
	}
	return out
}

// routeFinding words how one route stands, with these breakers open.
func routeFinding(r router.ResolvedRoute, open map[string]bool) finding {
	name := "route " + string(r.Task)
	var chain, ending []string
	usable, keyed, barred := 0, 0, 0
	for _, c := range r.Candidates {
		if c.Status != "not_configured" {
			keyed++
		}
		if c.Model == "" {
			chain = append(chain, fmt.Sprintf("%s at %s (%s)", c.Family, c.Provider, reason(c)))
			continue
		}
		usable++
		if open[c.Provider] || open[c.Provider+"/"+c.Model] {
			barred++
		}
		chain = append(chain, c.Provider+"/"+c.Model)
		if c.Expires != nil {
			ending = append(ending, fmt.Sprintf("%s/%s ends on %s", c.Provider, c.Model, c.Expires.Format(time.DateOnly)))
		}
	}
	detail := strings.Join(chain, ", then ")
	switch {
	case keyed == 0:
		return failing(name, "no candidate has a configured provider: "+detail, "configure a provider of this route, or change it")
	case usable == 0:
		return failing(name, "no candidate can be asked: "+detail, "change the route's families: see 'astrogrowth routes'")
	case usable == barred:
		return failing(name, "the breaker of every candidate is open, so calls are refused: "+detail,
			"mend what is named above; the breakers try again by themselves, or close them: POST /v1/breakers/reset")
	case len(ending) > 0:
		return doubtful(name, strings.Join(ending, ", ")+": "+detail, "put a successor into the family before then")
	}
	return found(name, detail)
}
