package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/config"
	"github.com/zakibelm/astrogrowth/internal/daemon"
)

// The exit codes. Whatever fails without saying otherwise has done nothing.
const (
	exitDone    = 0
	exitPartial = 1 // some of it: bad rows, jobs that failed, a check that fails
	exitNothing = 2 // nothing was done: wrong usage, bad input, no server
)

// codedError ends the program with a code of its own. Without err all has been said already.
type codedError struct {
	code int
	err  error
}

// Error is the cause's text.
func (e *codedError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

// Unwrap gives the cause.
func (e *codedError) Unwrap() error { return e.err }

// usageError is a command line that cannot be followed; its report ends with where to read what can.
type usageError struct{ text string }

// Error is what is wrong with the command line.
func (e *usageError) Error() string { return e.text }

func wrongUsage(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// surroundings are what the commands find around them: the environment and the file that fills it in.
type surroundings struct {
	environ map[string]string
	dotenv  string
}

// config reads the whole configuration: a command that needs one value of it still reports every problem at once.
func (s surroundings) config() (config.Config, error) { return config.Load(s.environ, s.dotenv) }

// newRoot builds the command with all its subcommands.
func newRoot(s surroundings) *cobra.Command {
	root := &cobra.Command{
		Use:   "astrogrowth",
		Short: "Qualify leads, write content and publish it to LinkedIn",
		Long: "AstroGrowth qualifies leads, writes marketing content and publishes it to LinkedIn.\n\n" +
			"`astrogrowth up` starts everything on this machine; the other commands talk to the API that it brings up\n" +
			"(APP_URL, default http://localhost:3000). Where the API wants a key, they take it from ASTROGROWTH_API_KEY or\n" +
			"ADMIN_API_KEY. What reads prints JSON with --json. Colours are for terminals only, and for none with NO_COLOR set.\n" +
			"'astrogrowth completion bash' (or zsh, fish, powershell) prints the completion of a shell.\n\n" +
			"Exit codes: 0 all done, 1 part of it (some bad rows, a failed job or check), 2 nothing done.",
		Args:                       knownCommand,
		RunE:                       showHelp,
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return wrongUsage("%v", err) })
	root.AddCommand(
		upCommand(), migrateCommand(), simulatorCommand(),
		importCommand(s), jobsCommand(s), schedulesCommand(s), doctorCommand(s), routesCommand(s), cacheCommand(s), rehearseCommand(s), keysCommand(s), versionCommand(),
		leadsCommand(s), contentsCommand(s), calendarCommand(s),
	)
	withExamples(root)
	withCompletions(root, s)
	return root
}

func showHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }

// knownCommand refuses words behind a command that only has subcommands, and guesses what was meant.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("there is no command %q", cmd.CommandPath()+" "+args[0])
	if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
		text += "; did you mean " + strings.Join(like, " or ") + "?"
	}
	return wrongUsage("%s", text)
}

// takes accepts exactly the named arguments.
func takes(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return wrongUsage("%s is missing", names[len(args)])
		case len(args) > len(names):
			return wrongUsage("%q is one argument too many", args[len(names)])
		}
		return nil
	}
}

// execute runs the command line and reports how it went.
func execute(ctx context.Context, root *cobra.Command) int {
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	code := exitNothing
	if c, ok := errors.AsType[*codedError](err); ok {
		code = c.code
		if c.err == nil {
			return code
		}
	}
	say(root.ErrOrStderr(), "astrogrowth: %s", inFlags(cmd, err))
	if _, usage := errors.AsType[*usageError](err); usage {
		say(root.ErrOrStderr(), "Run '%s --help' to see what there is.", cmd.CommandPath())
	}
	return code
}

// explain words an error for the person at the terminal: without the name of the operation, which is for logs.
func explain(err error) string {
	text := err.Error()
	e, ok := errors.AsType[*growth.Error](err)
	if !ok || e.Op == "" {
		return text
	}
	return strings.Replace(text, e.Op+": ", "", 1)
}

// apiField is a field of a request in a refusal of the API's, and what is wrong with it.
var apiField = regexp.MustCompile(`^(?:(path|query|body|header)\.)?([A-Za-z][A-Za-z0-9_-]*)(?:\[\d+\])?: (.+)$`)

// inFlags words a refusal of the API's for somebody who typed a command: a field of the request is the flag that it came
// from, and what the API's schema says of a value is said as a person would.
func inFlags(cmd *cobra.Command, err error) string {
	text := explain(err)
	m := apiField.FindStringSubmatch(text)
	if _, api := errors.AsType[*growth.Error](err); !api || growth.CodeOf(err) != growth.Invalid || m == nil {
		return text
	}
	place, field, fault := m[1], m[2], m[3]
	flag := strings.ReplaceAll(field, "_", "-")
	if other, known := flagOf[field]; known {
		flag = other
	}
	switch {
	case place == "path":
		return strings.ToUpper(field) + ": " + plainly(fault)
	case cmd.Flag(flag) != nil:
		return "--" + flag + ": " + plainly(fault)
	case place == "":
		return text
	}
	return field + ": " + plainly(fault)
}

// flagOf has the fields of the API whose flags have other names.
var flagOf = map[string]string{"campaign_id": "campaign", "q": "query", "task_type": "task", "Last-Event-ID": "after", "expires_at": "days"}

// plainly words what the schema of the API says of a value.
func plainly(fault string) string {
	switch {
	case strings.HasPrefix(fault, "expected string to be RFC 4122 uuid"):
		return "this is no id; ids are UUIDs such as " + someID
	case strings.HasPrefix(fault, "expected length >= 1"):
		return "a value is missing"
	case strings.HasPrefix(fault, "expected string to match pattern ^[ABC][123]?$"):
		return "use A1 to C3, or A to C"
	}
	if among, ok := strings.CutPrefix(fault, "expected value to be one of "); ok {
		return "use one of " + strings.ReplaceAll(strings.Trim(among, `"`), `"`, "")
	}
	for schema, plain := range map[string]string{"expected number >= ": "use at least ", "expected number <= ": "use at most "} {
		if bound, ok := strings.CutPrefix(fault, schema); ok {
			return plain + bound
		}
	}
	return fault
}

// say writes one line for people. Nothing can be done about a terminal that went away.
func say(w io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(w, format+"\n", args...)
}

// terminal says whether a person is at the other end of v. The null device looks like one and is none.
func terminal(v any) bool {
	f, ok := v.(*os.File)
	if !ok || !daemon.Terminal(f) {
		return false
	}
	info, err := f.Stat()
	null, nullErr := os.Stat(os.DevNull)
	return err == nil && (nullErr != nil || !os.SameFile(info, null))
}

func versionCommand() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), map[string]string{
					"version": programVersion(), "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH,
				})
			}
			say(cmd.OutOrStdout(), "astrogrowth %s (%s, %s/%s)", programVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
