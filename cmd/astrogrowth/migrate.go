package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/zakibelm/astrogrowth/internal/config"
)

func migrateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "Bring the schema of DATABASE_URL up to this program's version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(config.Environ(), config.DotEnv)
			if err != nil {
				return err
			}
			if cfg.DatabaseURL.Empty() {
				return errors.New("DATABASE_URL is empty: `astrogrowth up` migrates the embedded database by itself")
			}
			n, err := migrate(cmd.Context(), cfg.DatabaseURL.Reveal())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "applied %d migrations; the schema is up to date\n", n)
			return err
		},
	}
}
