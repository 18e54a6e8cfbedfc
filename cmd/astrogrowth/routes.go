package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/config"
	"github.com/zakibelm/astrogrowth/router"
)

func routesCommand(s surroundings) *cobra.Command {
	builtIn := false
	cmd := &cobra.Command{
		Use:   "routes",
		Short: "Print the routes in force, and whether they are valid",
		Long: "Prints the file that says which models are tried in which order: ROUTES_FILE, else the one that is built in. What\n" +
			"is wrong with it is said on standard error, so 'astrogrowth routes --default > routes.yaml' begins a file of one's own.",
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.config()
			if err != nil {
				return err
			}
			if builtIn {
				cfg.RoutesFile = ""
			}
			return printRoutes(cmd, cfg)
		},
	}
	cmd.Flags().BoolVar(&builtIn, "default", false, "print the built-in routes, whatever ROUTES_FILE says")
	return cmd
}

func printRoutes(cmd *cobra.Command, cfg config.Config) error {
	text, source, err := routesText(cfg)
	if err != nil {
		return err
	}
	if _, err = cmd.OutOrStdout().Write(text); err != nil {
		return fmt.Errorf("print the routes: %w", err)
	}
	routes, err := router.ParseRoutes(text)
	if err != nil {
		return &codedError{exitPartial, fmt.Errorf("%s is not valid:\n%w", source, err)}
	}
	candidates := 0
	for _, task := range growth.TaskTypes() {
		candidates += len(routes[task].Candidates)
	}
	say(cmd.ErrOrStderr(), "%s: valid, %s with %s", source, plural(len(routes), "route"), plural(candidates, "candidate"))
	return nil
}

// routesText gives the route file in force and what to call it.
func routesText(cfg config.Config) (text []byte, source string, err error) {
	if cfg.RoutesFile == "" {
		return router.DefaultRoutes, "the built-in routes", nil
	}
	text, err = os.ReadFile(cfg.RoutesFile)
	if err != nil {
		return nil, "", fmt.Errorf("ROUTES_FILE: %w", err)
	}
	return text, cfg.RoutesFile, nil
}
