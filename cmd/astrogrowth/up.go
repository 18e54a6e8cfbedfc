package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/config"
	"github.com/zakibelm/astrogrowth/internal/daemon"
	"github.com/zakibelm/astrogrowth/internal/devstack"
	"github.com/zakibelm/astrogrowth/internal/seal"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

func upCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "up",
		Short: "Start everything on this machine: stores, API, workers, dashboard",
		Long: `Starts what is not configured elsewhere (a real Postgres and a real Redis as child processes), brings the schema
up to date, starts the enqueuer, a worker and the monitor, and prints their addresses. Without a key for any
provider it runs against the built-in simulator, and says so everywhere. Ctrl-C stops all of it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(config.Environ(), config.DotEnv)
			if err != nil {
				return err
			}
			return up(cmd.Context(), cfg, cmd.OutOrStdout())
		},
	}
}

// stack is what up has started, in the order in which it was started.
type stack struct {
	cfg  config.Config
	out  io.Writer
	env  map[string]string // what the programs get beside our own environment
	stop []func(context.Context)

	postgres *devstack.Postgres
	redis    *devstack.Redis
}

func up(ctx context.Context, cfg config.Config, out io.Writer) error {
	began := time.Now()
	s := &stack{cfg: cfg, out: out, env: map[string]string{}}
	defer s.shutdown() //nolint:contextcheck // ctx has ended by then, and stopping needs time
	release, err := s.lock()
	if err != nil {
		return err
	}
	defer release()
	if err := s.portsFree(ctx); err != nil {
		return err
	}
	if err := s.stores(ctx); err != nil {
		return err
	}
	if err := s.encryptionKey(); err != nil {
		return err
	}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	programs, err := s.programs()
	if err != nil {
		return err
	}
	crashed := make(chan error, len(programs))
	for _, p := range programs {
		if err := s.run(ctx, p, crashed); err != nil {
			return err
		}
	}
	s.welcome(time.Since(began))
	return s.watch(ctx, crashed)
}

func (s *stack) say(format string, args ...any) { _, _ = fmt.Fprintf(s.out, format+"\n", args...) }

// lock keeps a second copy from using the same data. It goes before the ports: a second copy would find those taken too,
// and that would say less.
func (s *stack) lock() (func(), error) {
	if !s.cfg.Embedded() && !s.cfg.EmbeddedRedis() {
		return func() {}, nil
	}
	release, err := devstack.Lock(s.cfg.DataDir)
	if _, refusal := errors.AsType[*growth.Error](err); refusal { // it says what to do
		return nil, fmt.Errorf("DATA_DIR: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("DATA_DIR: %w; set it to a directory that you may write", err)
	}
	return release, nil
}

// portsFree finds a taken port before anything has been started.
func (s *stack) portsFree(ctx context.Context) error {
	var problems []error
	for _, u := range portsOf(s.cfg) {
		err := daemon.PortFree(ctx, s.cfg.Addr(u.port), u.variable)
		if err == nil {
			continue
		}
		at := localAddr(s.cfg, u.port)
		if who, ours := programOf(doctor{http: &http.Client{Timeout: time.Second}}.ask(ctx, "http://"+at+"/healthz")); ours {
			err = fmt.Errorf("AstroGrowth runs here already: its %s listens on %s; stop that copy, or set %s to a free port", who.Program, at, u.variable)
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

func (s *stack) stores(ctx context.Context) error {
	dev := devstack.Config{DataDir: s.cfg.DataDir, Install: true, Out: s.out, Log: zerolog.Nop(), Sync: true}
	s.env["DATABASE_URL"], s.env["REDIS_URL"] = s.cfg.DatabaseURL.Reveal(), s.cfg.RedisURL.Reveal()
	if s.cfg.Embedded() {
		s.env["OWN_STORES"] = "true"
		s.say("starting Postgres …")
		pg, err := devstack.StartPostgres(ctx, dev)
		if err != nil {
			return err
		}
		s.postgres = pg
		s.stop = append(s.stop, func(ctx context.Context) { _ = pg.Stop(ctx) })
		s.env["DATABASE_URL"] = pg.URL()
	}
	if s.cfg.EmbeddedRedis() {
		s.say("starting Redis …")
		rd, err := devstack.StartRedis(ctx, dev)
		if err != nil {
			return err
		}
		s.redis = rd
		s.stop = append(s.stop, func(ctx context.Context) { _ = rd.Stop(ctx) })
		s.env["REDIS_URL"] = strings.Replace(rd.URL(), "unix://", "redis-socket://", 1)
		return nil
	}
	return s.awaitRedis(ctx)
}

// redisPatience is how long a Redis of REDIS_URL may take, which the machine may be starting as we are.
const redisPatience = 20 * time.Second

// awaitRedis waits for the Redis of REDIS_URL: a worker without one never gets ready, and does not say why.
func (s *stack) awaitRedis(ctx context.Context) error {
	rdb, err := tasks.Redis(s.cfg.RedisURL.Reveal())
	if err != nil {
		return fmt.Errorf("REDIS_URL: %w", err)
	}
	defer func() { _ = rdb.Close() }() // nothing was written
	ctx, cancel := context.WithTimeout(ctx, redisPatience)
	defer cancel()
	var last error // the end of our patience would say nothing of Redis
	for {
		asking, done := context.WithTimeout(ctx, 2*time.Second)
		err := rdb.Ping(asking).Err()
		done()
		if err == nil {
			return nil
		}
		if last == nil {
			s.say("waiting for the Redis of REDIS_URL …")
		}
		if ctx.Err() == nil || last == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("REDIS_URL: Redis does not answer: %w; start it, or leave REDIS_URL out for one that comes along", last)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// encryptionKey makes the key of an installation that has none, and keeps it beside its data. In production the
// configuration has refused to go this far without one.
func (s *stack) encryptionKey() error {
	if !s.cfg.EncryptionKey.Empty() {
		return nil
	}
	path := filepath.Join(s.cfg.DataDir, "encryption.key")
	key, err := os.ReadFile(path) //nolint:gosec // the operator's own directory
	if errors.Is(err, os.ErrNotExist) {
		if err := os.MkdirAll(s.cfg.DataDir, 0o755); err != nil { //nolint:gosec // the stores' accounts must pass through
			return fmt.Errorf("DATA_DIR: %w", err)
		}
		key = []byte(seal.NewKey())
		err = os.WriteFile(path, key, 0o600)
	}
	if err != nil {
		return fmt.Errorf("encryption key: %w", err)
	}
	s.env["ENCRYPTION_KEY"] = strings.TrimSpace(string(key))
	return nil
}

func (s *stack) migrate(ctx context.Context) error {
	n, err := migrate(ctx, s.env["DATABASE_URL"])
	if err != nil {
		return err
	}
	if n > 0 {
		s.say("applied %d migrations", n)
	}
	return nil
}

func migrate(ctx context.Context, url string) (int, error) {
	db, err := store.Open(ctx, url, store.Options{})
	if err != nil {
		return 0, fmt.Errorf("DATABASE_URL: %w", err)
	}
	defer func() { _ = db.Close() }()
	return db.Migrate(ctx)
}

// program is one of the child processes.
type program struct {
	name string
	args []string
	path string
	port int
}

func (s *stack) programs() ([]program, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own program: %w", err)
	}
	var out []program
	if s.cfg.SimulatorWanted() {
		out = append(out, program{name: "simulator", path: self, args: []string{"simulator"}, port: s.cfg.SimulatorPort})
	}
	for _, p := range []program{
		{name: "enqueuer", port: s.cfg.Port}, {name: "worker", port: s.cfg.WorkerPort}, {name: "monitor", port: s.cfg.MonitorPort},
	} {
		p.path = filepath.Join(filepath.Dir(self), p.name)
		if _, err := os.Stat(p.path); err != nil {
			return nil, fmt.Errorf("the program %s is not beside this one: build all four with `make build`", p.name)
		}
		out = append(out, p)
	}
	return out, nil
}

// run starts a program, waits until it is ready, and keeps it running: a child that dies is started again.
func (s *stack) run(ctx context.Context, p program, crashed chan<- error) error {
	s.say("starting %s …", p.name)
	child, err := s.start(p)
	if err != nil {
		return err
	}
	if err := s.ready(ctx, p, child); err != nil {
		_ = child.Stop(ctx, time.Second)
		return err
	}
	keeping, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		crashed <- s.keep(keeping, p, child)
	}()
	s.stop = append(s.stop, func(context.Context) {
		cancel()
		<-ended
	})
	return nil
}

func (s *stack) start(p program) (*devstack.Child, error) {
	vars := config.Environ()
	maps.Copy(vars, s.env)
	env := make([]string, 0, len(vars))
	for k, v := range vars {
		env = append(env, k+"="+v)
	}
	return devstack.StartProgram(devstack.Program{Path: p.path, Args: p.args, Env: env})
}

// ready waits until the program says that it can work.
func (s *stack) ready(ctx context.Context, p program, child *devstack.Child) error {
	url := "http://" + localAddr(s.cfg, p.port) + "/readyz"
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	for {
		if get(ctx, url) == nil {
			return nil
		}
		select {
		case <-child.Done():
			return fmt.Errorf("%s ended before it was ready (%s); its last lines above say why", p.name, child.Outcome())
		case <-ctx.Done():
			return s.unready(p, url) //nolint:contextcheck // ctx has ended, and asking once more needs time
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// unready says what keeps a program that runs from being ready.
func (s *stack) unready(p program, url string) error {
	d := doctor{cfg: s.cfg, http: &http.Client{Timeout: checkTimeout}}
	status, body := d.ask(context.Background(), url)
	if status == 0 {
		return fmt.Errorf("%s is not ready after a minute, and does not answer at %s", p.name, url)
	}
	var why []string
	for _, f := range d.readiness(p.name, status, body) {
		why = append(why, f.Detail+" ("+f.Mend+")")
	}
	return fmt.Errorf("%s is not ready after a minute: %s", p.name, strings.Join(why, "; "))
}

func get(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{}).Do(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s answers %d", url, resp.StatusCode)
	}
	return nil
}

// How often a program may die before up gives up, and within which time.
const (
	maxDeaths   = 5
	deathWindow = time.Minute
)

// keep starts a program again whenever it dies, until ctx ends; then it stops it. A program that dies all the time is
// an error.
func (s *stack) keep(ctx context.Context, p program, child *devstack.Child) error {
	var deaths []time.Time
	for {
		select {
		case <-ctx.Done():
			return child.Stop(context.WithoutCancel(ctx), 40*time.Second)
		case <-child.Done():
		}
		now := time.Now()
		deaths = append(deaths, now)
		if len(deaths) >= maxDeaths && now.Sub(deaths[len(deaths)-maxDeaths]) < deathWindow {
			return fmt.Errorf("%s ended %d times within a minute (%s)", p.name, maxDeaths, child.Outcome())
		}
		s.say("%s ended (%s); starting it again", p.name, child.Outcome())
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
		next, err := s.start(p)
		if err != nil {
			return err
		}
		child = next
	}
}

// watch waits for the end: a signal, a program that cannot be kept, or a store that died.
func (s *stack) watch(ctx context.Context, crashed <-chan error) error {
	var pgGone, redisGone <-chan struct{}
	if s.postgres != nil {
		pgGone = s.postgres.Done()
	}
	if s.redis != nil {
		redisGone = s.redis.Done()
	}
	for {
		select {
		case <-ctx.Done():
			s.say("\nstopping …")
			return nil
		case err := <-crashed:
			return err
		case <-pgGone:
			s.say("Postgres ended; starting it again")
			if err := s.restartPostgres(ctx); err != nil {
				return err
			}
			pgGone = s.postgres.Done()
		case <-redisGone:
			s.say("Redis ended; starting it again")
			if err := s.restartRedis(ctx); err != nil {
				return err
			}
			redisGone = s.redis.Done()
		}
	}
}

func (s *stack) restartPostgres(ctx context.Context) error {
	_ = s.postgres.Stop(ctx) // it is dead; this lets go of its directory
	pg, err := devstack.StartPostgres(ctx, devstack.Config{DataDir: s.cfg.DataDir, Out: s.out, Log: zerolog.Nop(), Sync: true})
	if err != nil {
		return err
	}
	s.postgres = pg
	s.stop = append([]func(context.Context){func(ctx context.Context) { _ = pg.Stop(ctx) }}, s.stop...)
	return nil
}

func (s *stack) restartRedis(ctx context.Context) error {
	_ = s.redis.Stop(ctx) // as above
	rd, err := devstack.StartRedis(ctx, devstack.Config{DataDir: s.cfg.DataDir, Out: s.out, Log: zerolog.Nop(), Sync: true})
	if err != nil {
		return err
	}
	s.redis = rd
	s.stop = append([]func(context.Context){func(ctx context.Context) { _ = rd.Stop(ctx) }}, s.stop...)
	return nil
}

// shutdown stops what was started, the last first: programs before the stores that they write to.
func (s *stack) shutdown() {
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	for _, stop := range slices.Backward(s.stop) {
		stop(ctx)
	}
}

func (s *stack) welcome(took time.Duration) {
	s.say("\nAstroGrowth is ready (%.1f s).\n", took.Seconds())
	if s.cfg.SimulatorWanted() {
		s.say("  SIMULATED: no provider is configured, so a built-in simulator answers and posts go nowhere.")
		s.say("             Set OPENROUTER_API_KEY, HUGGINGFACE_TOKEN or OLLAMA_URL (see .env.example) for real ones.\n")
	}
	api := "http://localhost:" + strconv.Itoa(s.cfg.Port)
	s.say("  API          %s         (described at %s/docs)", api, api)
	s.say("  dashboard    http://localhost:%d", s.cfg.MonitorPort)
	s.say("  queues       http://localhost:%d/queues/", s.cfg.MonitorPort)
	if s.cfg.SimulatorWanted() {
		s.say("  simulator    http://localhost:%d/_book", s.cfg.SimulatorPort)
	}
	s.say("\n  try:  curl -X POST %s/api/trpc/llm.complete -H 'Content-Type: application/json' \\", api)
	s.say(`          -d '{"taskType":"simple","messages":[{"role":"user","content":"What is 2+2? Just answer with the number."}]}'`)
	s.say("\n  Ctrl-C stops everything; what is running is handed back and goes on at the next start.\n")
}
