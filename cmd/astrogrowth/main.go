// Command astrogrowth is the product at a terminal: it starts everything on one machine, reads files of leads into the
// API, looks after jobs, and says what is wrong with an installation. It refuses to know how jobs are done: what it
// does with leads and jobs, it does through the API as any other client would.
package main

import (
	"cmp"
	"context"
	"os"

	"github.com/rs/zerolog"

	"github.com/zakibelm/astrogrowth/internal/config"
	"github.com/zakibelm/astrogrowth/internal/daemon"
	"github.com/zakibelm/astrogrowth/internal/wiring"
)

// version is set by the linker in releases (-X main.version=…).
var version string

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := daemon.Signals(context.Background())
	defer stop()
	wiring.QuietRedis(zerolog.Nop()) // the commands word themselves what they could not reach
	return execute(ctx, newRoot(surroundings{environ: config.Environ(), dotenv: config.DotEnv}))
}

// programVersion is the release's name, else what the build knows about its sources.
func programVersion() string { return cmp.Or(version, wiring.Version()) }
