package main

import (
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"github.com/zakibelm/astrogrowth/internal/config"
	"github.com/zakibelm/astrogrowth/internal/daemon"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/internal/wiring"
)

func simulatorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "simulator",
		Short: "Run the stand-in for the providers and LinkedIn on SIMULATOR_PORT",
		Long: `Speaks the wire formats of OpenRouter, Hugging Face, Ollama and LinkedIn, and can be told to be slow, to refuse and
to fail (PUT /_control/faults). /_book shows what it received and what it would have charged.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(config.Environ(), config.DotEnv)
			if err != nil {
				return err
			}
			log, files := daemon.NewLogger(daemon.LogOptions{
				Level: cfg.LogLevel, Dir: cfg.LogDir, Console: daemon.Terminal(os.Stderr), Program: "simulator", Out: os.Stderr,
			})
			defer func() { _ = files.Close() }()
			sim := simulator.New(simulator.Config{Log: log, Latency: cfg.SimulatorLatency.Duration()})
			health := daemon.NewHealth("simulator", wiring.Version(), log)
			mux := http.NewServeMux()
			health.Mount(mux)
			mux.Handle("/", sim)
			// Faults of the simulator are connections cut and bodies broken: no middleware may stand in between.
			return daemon.Serve(cmd.Context(), daemon.Server{
				Addr: cfg.Addr(cfg.SimulatorPort), Handler: mux, Log: log, Name: "simulator", Variable: "SIMULATOR_PORT", Health: health,
			})
		},
	}
}
