// Package devstack starts a real Postgres and a real Redis as child processes, for a person who has neither running and
// for the tests. It looks for the binaries (and installs them when it may), keeps their data where the account they
// run under can reach it, and stops them without leaving an orphan, whatever way the last run ended.
//
// It refuses to know what is stored in them: no table, no queue, no configuration but its own Config. It never wipes
// a data directory; what it does not recognise it refuses with an error that says what to do.
package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/rs/zerolog"
)

// Config says where the servers live and how they may behave. Its zero value is not usable: DataDir must be set.
type Config struct {
	// DataDir holds everything that has to survive a restart. It is created when missing; the caller should leave that
	// to this package, which knows what the servers' accounts must be able to traverse.
	DataDir string
	// RuntimeDir holds the sockets. Empty: "run" beneath the data, or a short directory beneath /tmp when that path
	// is too long for a unix socket.
	RuntimeDir string
	// Install allows a missing server to be installed by apt (as root or by a sudo that asks nothing) or by brew.
	Install bool
	// Out takes lines for people about what is being done; nil: nobody reads them. It is written to by every Start that
	// runs, one whole line at a time.
	Out io.Writer
	// Log takes events for the operator's log; the zero value logs nothing.
	Log zerolog.Logger
	// Sync makes Postgres wait for the disk. Without it a power cut may destroy the data: only tests leave it false.
	Sync bool
	// RedisDatabases is the number of numbered databases of Redis; 0: 16.
	RedisDatabases int

	host *host // where binaries and accounts are looked for; nil: this machine
}

// Ensure installs what is missing, if it may, so that the servers can be started at the same time without two package
// managers in each other's way. A missing Redis is no error, because StartRedis has a stand-in.
func Ensure(ctx context.Context, cfg Config) error {
	cfg = cfg.withDefaults()
	if _, err := cfg.findPostgres(ctx, ""); err != nil {
		return err
	}
	if _, err := cfg.findRedis(ctx); err != nil && !errors.Is(err, errNotInstalled) {
		return err
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.Out == nil {
		c.Out = io.Discard
	}
	if c.RedisDatabases == 0 {
		c.RedisDatabases = 16
	}
	if c.host == nil {
		c.host = thisHost()
	}
	return c
}

// say writes one line for people. That nobody can read it is no reason to stop.
func (c Config) say(format string, args ...any) {
	_, _ = io.WriteString(c.Out, fmt.Sprintf(format, args...)+"\n")
}
