package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/config"
	"github.com/zakibelm/astrogrowth/router"
)

func routesCommand(s surroundings) *cobra.Command {
	var f apiFlags
	builtIn := false
	cmd := &cobra.Command{
		Use:   "routes",
		Short: "Print the routes in force, whether they are valid, and what they mean now",
		Long: "Prints the file that says which models are tried in which order: ROUTES_FILE, else the one that is built in; behind\n" +
			"it, as comments, which model each family means now and why. What is wrong with the file is said on standard error,\n" +
			"so 'astrogrowth routes --default > routes.yaml' begins a file of one's own.",
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.config()
			if err != nil {
				return err
			}
			if builtIn {
				cfg.RoutesFile = ""
			}
			text, source, err := routesText(cfg)
			if err != nil {
				return err
			}
			ask := func(routes router.Routes) standing { return standingOf(cmd.Context(), s, &f, cfg, routes) }
			if builtIn {
				ask = nil
			}
			if f.json {
				return routesJSON(cmd, text, source, ask)
			}
			return printRoutes(cmd, text, source, ask)
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&builtIn, "default", false, "print the built-in routes, whatever ROUTES_FILE says, and nothing else")
	return cmd
}

// routesJSON prints what the routes mean now for programs; of a broken file what is wrong with it.
func routesJSON(cmd *cobra.Command, text []byte, source string, ask func(router.Routes) standing) error {
	out := struct {
		File     string                `json:"file"`
		Valid    bool                  `json:"valid"`
		Problems []router.RouteProblem `json:"problems"`
		standing
	}{File: source, Problems: []router.RouteProblem{}}
	routes, err := router.ParseRoutes(text)
	if bad, ok := errors.AsType[*router.RouteFileError](err); ok {
		out.Problems = bad.Problems
	}
	if out.Valid = err == nil; out.Valid && ask != nil {
		out.standing = ask(routes)
	}
	if err := writeJSON(cmd.OutOrStdout(), out); err != nil {
		return err
	}
	if !out.Valid {
		return &codedError{code: exitPartial}
	}
	return nil
}

func printRoutes(cmd *cobra.Command, text []byte, source string, ask func(router.Routes) standing) error {
	if _, err := cmd.OutOrStdout().Write(text); err != nil {
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
	if ask != nil {
		say(cmd.OutOrStdout(), "")
		ask(routes).write(cmd.OutOrStdout(), "# ")
	}
	say(cmd.ErrOrStderr(), "%s: valid, %s with %s", source, plural(len(routes), "route"), plural(candidates, "candidate"))
	return nil
}

// routesText gives the route file in force and what to call it.
func routesText(cfg config.Config) (text []byte, source string, err error) {
	if cfg.RoutesFile == "" {
		return router.DefaultRoutes, "the built-in routes", nil
	}
	text, err = router.ReadRouteFile(cfg.RoutesFile)
	if err != nil {
		return nil, "", fmt.Errorf("ROUTES_FILE: %w", err)
	}
	return text, cfg.RoutesFile, nil
}
