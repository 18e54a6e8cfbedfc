// Package wiring builds what the programs stand on out of their configuration: logger, health, store, Redis, and the
// chain with its providers. It holds no behaviour of its own, and each program's main decides what it runs.
package wiring

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/config"
	"github.com/zakibelm/astrogrowth/internal/daemon"
	"github.com/zakibelm/astrogrowth/internal/seal"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

// Base is a program's footing. Close undoes it.
type Base struct {
	Program string
	Config  config.Config
	Log     zerolog.Logger
	Health  *daemon.Health
	Store   *store.Store
	Redis   redis.UniversalClient
	Keyring *seal.Keyring

	closers []func() error
}

// Open reads the configuration and connects. A database that cannot be reached is an error: nothing works without it.
// Redis may be down: accepting works without it.
func Open(ctx context.Context, program string) (*Base, error) {
	cfg, err := config.Load(config.Environ(), config.DotEnv)
	if err != nil {
		return nil, err
	}
	b := &Base{Program: program, Config: cfg}
	if err := b.open(ctx); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

func (b *Base) open(ctx context.Context) error {
	cfg := b.Config
	if cfg.DatabaseURL.Empty() || cfg.RedisURL.Empty() {
		return errors.New("DATABASE_URL and REDIS_URL must say where the stores are; `astrogrowth up` starts both for you")
	}
	log, logFiles := daemon.NewLogger(daemon.LogOptions{
		Level: cfg.LogLevel, Dir: cfg.LogDir, Console: daemon.Terminal(os.Stderr), Program: b.Program, Out: os.Stderr,
	})
	b.Log = log
	QuietRedis(log)
	b.closers = append(b.closers, logFiles.Close)
	b.sayWhatIsNotBuilt()
	flush, err := daemon.Sentry(cfg.SentryDSN.Reveal(), string(cfg.AppEnv), Version())
	if err != nil {
		return err
	}
	b.closers = append(b.closers, func() error { flush(); return nil })
	if err := b.keyring(); err != nil {
		return err
	}
	if b.Store, err = store.Open(ctx, cfg.DatabaseURL.Reveal(), store.Options{}); err != nil {
		return fmt.Errorf("DATABASE_URL: %w", err)
	}
	b.closers = append(b.closers, b.Store.Close)
	if err := b.Store.CheckSchema(ctx); err != nil {
		return err
	}
	if b.Redis, err = tasks.Redis(cfg.RedisURL.Reveal()); err != nil {
		return fmt.Errorf("REDIS_URL: %w", err)
	}
	b.closers = append(b.closers, b.Redis.Close)
	b.Health = daemon.NewHealth(b.Program, Version(), log)
	b.Health.Check("postgres", 2*time.Second, b.Store.Ping)
	return nil
}

// sayWhatIsNotBuilt names settings that are read and checked and do nothing yet, so that nobody relies on them.
func (b *Base) sayWhatIsNotBuilt() {
	cfg := b.Config
	for _, v := range []struct {
		name string
		set  bool
		what string
	}{
		{"OTEL_EXPORTER_OTLP_ENDPOINT", cfg.OTLPEndpoint != "", "traces are not exported yet; request ids join the logs"},
	} {
		if v.set {
			b.Log.Warn().Str("variable", v.name).Msg("this setting does nothing yet: " + v.what)
		}
	}
}

func (b *Base) keyring() error {
	keys := b.Config.SealingKeys() // in whichever of base64's alphabets they were written
	if len(keys) == 0 {
		return errors.New("ENCRYPTION_KEY is missing: LinkedIn tokens are sealed with it (openssl rand -base64 32); `astrogrowth up` makes one for you")
	}
	var err error
	b.Keyring, err = seal.NewRaw(keys...)
	return err
}

// Close frees what Open took, the last first.
func (b *Base) Close() {
	for _, free := range slices.Backward(b.closers) {
		_ = free() // the program ends: there is nobody left to tell
	}
}

// Report sends a fault that a person should look at to the log and to Sentry.
func (b *Base) Report(ctx context.Context, err error) {
	b.Log.Error().Err(err).Str("code", growth.CodeOf(err).String()).Msg("fault")
	daemon.CaptureError(ctx, err)
}

// Process names this process in rows and in messages to others.
func (b *Base) Process() string {
	host, err := os.Hostname()
	if err != nil {
		host = "host"
	}
	return fmt.Sprintf("%s@%s/%d", b.Program, host, os.Getpid())
}

// Version is the program's version, from its build.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "development"
	}
	return info.Main.Version
}

// Main runs a program and says how it ended, as an exit code.
func Main(stderr io.Writer, run func(ctx context.Context) error) int {
	ctx, stop := daemon.Signals(context.Background())
	defer stop()
	if err := run(ctx); err != nil {
		_, _ = fmt.Fprintln(stderr, "error:", err)
		return 1
	}
	return 0
}
