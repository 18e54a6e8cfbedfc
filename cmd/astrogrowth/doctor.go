package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/zakibelm/astrogrowth/internal/config"
)

// checkTimeout bounds every look at something outside this process.
const checkTimeout = 5 * time.Second

// The outcomes of a check. Only a failure counts against the installation.
const (
	checkOK   = "ok"
	checkWarn = "warn"
	checkFail = "fail"
)

// finding is what one check of the doctor found.
type finding struct {
	Name   string `json:"name"`
	Status string `json:"status"`
	Detail string `json:"detail"`
	Mend   string `json:"mend,omitempty"` // what to do about it
}

func found(name, detail string) finding { return finding{Name: name, Status: checkOK, Detail: detail} }

func failing(name, detail, mend string) finding {
	return finding{Name: name, Status: checkFail, Detail: detail, Mend: mend}
}

func doubtful(name, detail, mend string) finding {
	return finding{Name: name, Status: checkWarn, Detail: detail, Mend: mend}
}

func doctorCommand(s surroundings) *cobra.Command {
	var f apiFlags
	probe := ""
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check the installation and say how to mend what is wrong",
		Long: "Checks the configuration, the stores, the ports, what the programs say of themselves, the providers' keys, the\n" +
			"breakers, the LinkedIn accounts and the routes. Each provider that is configured is asked once whether it takes the\n" +
			"key, which costs nothing. Exit code 1 when a check fails.\n\n" +
			"With --http it only asks that address, and ends with 0 when the answer is 2xx, else 1: a health check for\n" +
			"containers, which needs no configuration.",
		Example: "  astrogrowth doctor\n  astrogrowth doctor --http http://127.0.0.1:3000/readyz",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("http") {
				return askHealth(cmd.Context(), probe)
			}
			return examine(cmd, s, &f)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&probe, "http", "", "only ask this address whether it is well")
	return cmd
}

// askHealth is the health check for containers.
func askHealth(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return wrongUsage("--http %q is no address; write one as http://127.0.0.1:3000/readyz", address)
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if err := get(ctx, address); err != nil {
		return &codedError{exitPartial, err}
	}
	return nil
}

// examine runs every check and prints what it found.
func examine(cmd *cobra.Command, s surroundings, f *apiFlags) error {
	findings := diagnose(cmd.Context(), s, f)
	well := true
	for _, x := range findings {
		well = well && x.Status != checkFail
	}
	if f.json {
		if err := writeJSON(cmd.OutOrStdout(), map[string]any{"ok": well, "checks": findings}); err != nil {
			return err
		}
	} else {
		writeFindings(cmd.OutOrStdout(), findings, well, painter(s, cmd.OutOrStdout()))
	}
	if !well {
		return &codedError{code: exitPartial}
	}
	return nil
}

// diagnose gives the findings in the order in which a person would mend them: nothing can be checked without a
// configuration.
func diagnose(ctx context.Context, s surroundings, f *apiFlags) []finding {
	cfg, err := s.config()
	if invalid, ok := errors.AsType[*config.InvalidError](err); ok {
		return configProblems(invalid)
	}
	if err != nil {
		return []finding{failing("configuration", err.Error(), "mend .env and the environment: .env.example has every variable with its default")}
	}
	d := doctor{cfg: cfg, http: &http.Client{Timeout: checkTimeout}}
	out := []finding{found("configuration", "every value is accepted")}
	out = append(out, d.encryption())
	out = append(out, d.stores(ctx)...)
	out = append(out, d.ports(ctx)...)
	api, known := d.api(ctx, s, f)
	out = append(out, api...)
	open := map[string]bool{}
	if known != nil {
		out = append(out, d.accounts(ctx, known)...)
		var breakers []finding
		breakers, open = d.breakers(ctx, known)
		out = append(out, breakers...)
	}
	out = append(out, d.providers(ctx)...)
	out = append(out, d.linkedInVersion(time.Now()))
	return append(out, d.routes(ctx, s, f, open)...)
}

func configProblems(e *config.InvalidError) []finding {
	out := make([]finding, 0, len(e.Problems)+1)
	for _, p := range e.Problems {
		mend := "see " + p.Name + " in .env.example"
		if p.Accepted != "" {
			mend = "set " + p.Name + " to " + p.Accepted
		}
		p.Accepted = ""
		out = append(out, failing("configuration", p.String(), mend))
	}
	return append(out, doubtful("the rest", "was not checked", "mend the configuration, then run the doctor again"))
}

func writeFindings(w io.Writer, findings []finding, well bool, p paint) {
	looks := map[string]look{checkOK: good, checkWarn: doubt, checkFail: bad}
	for _, x := range findings {
		say(w, "%s  %s: %s", p(looks[x.Status], fmt.Sprintf("%-4s", x.Status)), x.Name, x.Detail)
		if x.Mend != "" {
			say(w, "      -> %s", x.Mend)
		}
	}
	if well {
		say(w, "\nAll is well.")
		return
	}
	say(w, "\nSomething is wrong; the arrows say how to mend it.")
}
