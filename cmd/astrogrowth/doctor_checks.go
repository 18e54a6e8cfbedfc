package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zakibelm/astrogrowth/internal/config"
	"github.com/zakibelm/astrogrowth/internal/daemon"
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
	var out []finding
	if d.cfg.Embedded() {
		out = append(out, d.postgresProgram(ctx), d.data(ctx))
	} else {
		out = append(out, d.database(ctx)...)
	}
	if d.cfg.EmbeddedRedis() {
		return append(out, redisProgram())
	}
	return append(out, d.redis(ctx)...)
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
		return []finding{failing("postgres", explain(err), "check DATABASE_URL, and that the server runs and can be reached from here")}
	}
	defer func() { _ = db.Close() }() // nothing was written
	clock := d.clock(ctx, db, time.Now)
	if err := db.CheckSchema(ctx); err != nil {
		return []finding{failing("postgres", explain(err), "run 'astrogrowth migrate', or the programs of the database's version"), clock}
	}
	return []finding{found("postgres", "answers, and its schema is this program's"), clock}
}

func (d doctor) redis(ctx context.Context) []finding {
	const mend = "check REDIS_URL, and that the server runs and can be reached from here"
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

// ports says of each port whether it is free or ours.
func (d doctor) ports(ctx context.Context) []finding {
	var out []finding
	for _, p := range []struct {
		variable string
		port     int
		used     bool
	}{
		{"PORT", d.cfg.Port, true},
		{"MONITOR_PORT", d.cfg.MonitorPort, true},
		{"WORKER_PORT", d.cfg.WorkerPort, true},
		{"SIMULATOR_PORT", d.cfg.SimulatorPort, d.cfg.SimulatorWanted()},
	} {
		if p.used {
			out = append(out, d.port(ctx, p.variable, p.port))
		}
	}
	return out
}

func (d doctor) port(ctx context.Context, variable string, port int) finding {
	name := fmt.Sprintf("%s %d", variable, port)
	if daemon.PortFree(ctx, d.cfg.Addr(port), variable) == nil {
		return found(name, "free")
	}
	var alive struct {
		Program string `json:"program"`
		Version string `json:"version"`
	}
	status, body := d.ask(ctx, "http://"+localAddr(d.cfg, port)+"/healthz")
	if status == http.StatusOK && json.Unmarshal(body, &alive) == nil && alive.Program != "" {
		return found(name, fmt.Sprintf("ours: %s %s", alive.Program, alive.Version))
	}
	return failing(name, "taken by another program", "stop that one, or set "+variable+" to another port")
}

// ask gives status 0 when there is no answer.
func (d doctor) ask(ctx context.Context, address string) (status int, body []byte) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, nil
	}
	resp, err := d.http.Do(req)
	if err != nil {
		return 0, nil
	}
	defer func() { _ = resp.Body.Close() }() // it has been read as far as anyone cares
	body, _ = io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, body
}

// api asks whether the API can work, and whether it knows the key that the commands here would send.
func (d doctor) api(ctx context.Context, s surroundings, f *apiFlags) []finding {
	c, err := f.client(s)
	if err != nil {
		return []finding{failing("api", explain(err), "set APP_URL or --url to the address of the API, as http://localhost:3000")}
	}
	status, body := d.ask(ctx, c.base+"/readyz")
	var ready daemon.Readiness
	switch {
	case status == 0:
		return []finding{failing("api", "no answer from "+c.base, "start it with 'astrogrowth up', or set APP_URL")}
	case json.Unmarshal(body, &ready) != nil || ready.Program == "":
		return []finding{failing("api", fmt.Sprintf("%s answers %d, but not as AstroGrowth does", c.base, status), "set APP_URL to the API's address")}
	case status != http.StatusOK:
		return []finding{failing("api", fmt.Sprintf("%s is %s: %s", c.base, ready.Status, unready(ready)), "mend what is named, above or in its log")}
	}
	out := []finding{found("api", fmt.Sprintf("%s is ready (%s %s)", c.base, ready.Program, ready.Version))}
	who, err := c.me(ctx)
	if err != nil {
		return append(out, failing("key", explain(err), "set ASTROGROWTH_API_KEY to a key of this API, or ADMIN_API_KEY to the one that the programs have"))
	}
	return append(out, found("key", fmt.Sprintf("accepted in the workspace %q (%s)", who.Workspace, strings.Join(who.Scopes, ", "))))
}

func unready(r daemon.Readiness) string {
	var out []string
	for name, check := range r.Checks {
		if !check.OK {
			out = append(out, name+" "+check.Error)
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// configured says which providers can be called, by name.
func (d doctor) configured() map[string]bool {
	if d.cfg.SimulatorWanted() {
		return map[string]bool{"openrouter": true, "huggingface": true, "ollama": true}
	}
	return map[string]bool{
		"openrouter": !d.cfg.OpenRouterAPIKey.Empty(), "huggingface": !d.cfg.HuggingFaceToken.Empty(), "ollama": d.cfg.OllamaURL != "",
	}
}

func (d doctor) providers() []finding {
	if d.cfg.SimulatorWanted() {
		return []finding{doubtful("providers", "the built-in simulator stands in for all of them: its answers are not real",
			"set OPENROUTER_API_KEY, HUGGINGFACE_TOKEN or OLLAMA_URL, and SIMULATOR=auto")}
	}
	if !d.cfg.ProvidersConfigured() {
		return []finding{failing("providers", "none is configured and SIMULATOR is off", "set OPENROUTER_API_KEY, HUGGINGFACE_TOKEN or OLLAMA_URL")}
	}
	have := d.configured()
	var out []finding
	for _, p := range []struct{ name, variable string }{
		{"openrouter", "OPENROUTER_API_KEY"}, {"huggingface", "HUGGINGFACE_TOKEN"}, {"ollama", "OLLAMA_URL"},
	} {
		if have[p.name] {
			out = append(out, found(p.name, "configured"))
			continue
		}
		out = append(out, doubtful(p.name, "not configured; its candidates are skipped", "set "+p.variable))
	}
	return out
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
func (d doctor) routes(ctx context.Context, s surroundings, f *apiFlags) []finding {
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
	for _, name := range now.Unread {
		out = append(out, doubtful(name+" models", "the list of models could not be read", "check the address and the key, and that the provider can be reached from here"))
	}
	for _, r := range now.Routes {
		out = append(out, routeFinding(r))
	}
	return out
}

// routeFinding words how one route stands.
func routeFinding(r router.ResolvedRoute) finding {
	name := "route " + string(r.Task)
	var chain, ending []string
	usable, keyed := 0, 0
	for _, c := range r.Candidates {
		if c.Status != "not_configured" {
			keyed++
		}
		if c.Model == "" {
			chain = append(chain, fmt.Sprintf("%s at %s (%s)", c.Family, c.Provider, reason(c)))
			continue
		}
		usable++
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
	case len(ending) > 0:
		return doubtful(name, strings.Join(ending, ", ")+": "+detail, "put a successor into the family before then")
	}
	return found(name, detail)
}
