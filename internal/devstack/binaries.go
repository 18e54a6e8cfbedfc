package devstack

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// errNotInstalled: the server is not on this machine and could not be installed.
var errNotInstalled = errors.New("not installed")

// oldestPostgres is the oldest major version that is worth starting.
const oldestPostgres = 13

// postgresBin is one installed Postgres.
type postgresBin struct {
	dir     string // holds postgres and initdb
	version string // "15.14"
}

// major is the part of the version that the data on disk depends on, as its PG_VERSION file spells it.
func (b postgresBin) major() string { return postgresMajor.FindString(b.version) }

func (b postgresBin) majorNumber() int {
	n, _ := strconv.Atoi(b.major())
	return n
}

var (
	postgresVersion = regexp.MustCompile(`\(PostgreSQL\) (\d+[.\w]*)`)
	postgresMajor   = regexp.MustCompile(`^\d+`)
	redisVersion    = regexp.MustCompile(`v=(\d+\.\d+\.\d+)`)
)

// installedPostgres lists what is installed: the one on the PATH first, then the others, newest first.
func (h *host) installedPostgres(ctx context.Context) []postgresBin {
	var dirs []string
	for _, pattern := range h.postgresDirs {
		found, _ := filepath.Glob(pattern) // the patterns are constants
		dirs = append(dirs, found...)
	}
	var bins []postgresBin
	for _, dir := range dirs {
		if b, ok := h.postgresIn(ctx, dir); ok {
			bins = append(bins, b)
		}
	}
	slices.SortStableFunc(bins, func(a, b postgresBin) int { return b.majorNumber() - a.majorNumber() })
	if path, err := h.lookPath("postgres"); err == nil {
		// A link on the PATH stands apart from initdb, which is beside what it points to.
		if target, err := filepath.EvalSymlinks(path); err == nil {
			path = target
		}
		if b, ok := h.postgresIn(ctx, filepath.Dir(path)); ok {
			bins = append([]postgresBin{b}, bins...)
		}
	}
	return slices.DeleteFunc(bins, func(b postgresBin) bool { return b.majorNumber() < oldestPostgres })
}

func (h *host) postgresIn(ctx context.Context, dir string) (postgresBin, bool) {
	if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
		return postgresBin{}, false
	}
	out, err := h.run(ctx, filepath.Join(dir, "postgres"), "postgres", "--version")
	if err != nil {
		return postgresBin{}, false
	}
	m := postgresVersion.FindStringSubmatch(out)
	if m == nil {
		return postgresBin{}, false
	}
	return postgresBin{dir: dir, version: m[1]}, true
}

// findPostgres finds the Postgres to use, and installs one when there is none and it may. Existing data asks for its
// own major version; empty: any will do.
func (c Config) findPostgres(ctx context.Context, major string) (postgresBin, error) {
	bins := c.host.installedPostgres(ctx)
	if len(bins) == 0 {
		if err := c.install(ctx, "PostgreSQL", postgresPackages); err != nil {
			return postgresBin{}, err
		}
		bins = c.host.installedPostgres(ctx)
	}
	if len(bins) == 0 {
		return postgresBin{}, c.missing("PostgreSQL", postgresPackages, errNotInstalled)
	}
	if major == "" {
		return bins[0], nil
	}
	for _, b := range bins {
		if b.major() == major {
			return b, nil
		}
	}
	return bins[0], nil // the caller compares, and knows the directory to name
}

// redisBin is an installed Redis.
type redisBin struct {
	path    string
	name    string // what it must be called as: the program chooses by that what it is
	version string
}

// findRedis finds the Redis to use, and installs one when there is none and it may.
func (c Config) findRedis(ctx context.Context) (redisBin, error) {
	if b, ok := c.host.installedRedis(ctx); ok {
		return b, nil
	}
	if err := c.install(ctx, "Redis", redisPackages); err != nil {
		return redisBin{}, err
	}
	if b, ok := c.host.installedRedis(ctx); ok {
		return b, nil
	}
	return redisBin{}, c.missing("Redis", redisPackages, errNotInstalled)
}

// installedRedis also takes redis-check-rdb: Debian's redis-tools holds the server under that name, and its
// redis-server package only adds a link and a system service.
func (h *host) installedRedis(ctx context.Context) (redisBin, bool) {
	for _, program := range []string{"redis-server", "valkey-server", "redis-check-rdb"} {
		paths := make([]string, 0, len(h.redisDirs)+1)
		if path, err := h.lookPath(program); err == nil {
			paths = append(paths, path)
		}
		for _, dir := range h.redisDirs {
			paths = append(paths, filepath.Join(dir, program))
		}
		for _, path := range paths {
			if b, ok := h.redisAt(ctx, path); ok {
				return b, true
			}
		}
	}
	return redisBin{}, false
}

func (h *host) redisAt(ctx context.Context, path string) (redisBin, bool) {
	if _, err := os.Stat(path); err != nil {
		return redisBin{}, false
	}
	name := "redis-server"
	if filepath.Base(path) == "valkey-server" {
		name = "valkey-server"
	}
	out, err := h.run(ctx, path, name, "--version")
	if err != nil {
		return redisBin{}, false
	}
	m := redisVersion.FindStringSubmatch(out)
	if m == nil {
		return redisBin{}, false
	}
	return redisBin{path: path, name: name, version: m[1]}, true
}
