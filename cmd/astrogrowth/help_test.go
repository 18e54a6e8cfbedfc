package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestEveryCommandHasAnExampleThatItWouldTake(t *testing.T) {
	t.Parallel()
	root := newRoot(surroundings{})
	seen := 0
	eachCommand(root, func(c *cobra.Command) {
		seen++
		if c.Short == "" || c.Example == "" {
			t.Errorf("%s: Short %q, Example %q", c.CommandPath(), c.Short, c.Example)
		}
		for line := range strings.SplitSeq(strings.ReplaceAll(c.Example, "\\\n", ""), "\n") {
			takenBy(t, c, strings.TrimSpace(line))
		}
	})
	if seen < 35 {
		t.Errorf("only %d commands were seen", seen)
	}
}

// takenBy finds the command of an example's line and has it read the flags.
func takenBy(t *testing.T, c *cobra.Command, line string) {
	t.Helper()
	_, args, found := strings.Cut(line, "astrogrowth ")
	if !found {
		t.Errorf("%s: %q is no command line of ours", c.CommandPath(), line)
		return
	}
	args, _, _ = strings.Cut(args, " > ")
	cmd, rest, err := newRoot(surroundings{}).Find(words(args))
	if err != nil {
		t.Errorf("%q: %v", line, err)
		return
	}
	if err := cmd.ParseFlags(rest); err != nil {
		t.Errorf("%q: %v", line, err)
		return
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		t.Errorf("%q: %v", line, err)
	}
	if c.HasParent() && !strings.HasPrefix(cmd.CommandPath(), c.CommandPath()) {
		t.Errorf("%q is an example of %s, but runs %s", line, c.CommandPath(), cmd.CommandPath())
	}
}

// words splits a line as a shell does, as far as examples go: at blanks outside of quotes.
func words(line string) []string {
	var out []string
	word, quote, begun := "", rune(0), false
	for _, r := range line {
		switch {
		case r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, begun = r, true
		case quote == 0 && r == ' ':
			if begun {
				out = append(out, word)
			}
			word, begun = "", false
		default:
			word, begun = word+string(r), true
		}
	}
	if begun {
		out = append(out, word)
	}
	return out
}

func TestShellsComplete(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		args []string
		want []string
	}{
		{[]string{"completion", "bash"}, []string{"__start_astrogrowth"}},
		{[]string{"completion", "zsh"}, []string{"#compdef astrogrowth"}},
		{[]string{"__complete", "jobs", "t"}, []string{"tail\tShow what happens"}},
		{[]string{"__complete", "jobs", "list", "--state", "f"}, []string{"failed\n"}},
		{[]string{"__complete", "contents", "list", "--status", "in"}, []string{"in_review\n"}},
		{[]string{"__complete", "leads", "list", "--priority", ""}, []string{"high\n", "unscored\n"}},
		{[]string{"__complete", "jobs", "list", "--type", ""}, []string{"callback\n", "maintenance\n"}},
		{[]string{"__complete", "jobs", "tail", "--types", "job.f"}, []string{"job.failed\n"}},
		{[]string{"__complete", "keys", "create", "n8n", "--scopes", ""}, []string{"approve\n"}},
		{[]string{"__complete", "import", "--encoding", "win"}, []string{"windows-1252\n"}},
		{[]string{"__complete", "import", "--delimiter", ""}, []string{"semicolon\n"}},
		{[]string{"__complete", "cache", "invalidate", "--task", ""}, []string{"qualification\n"}},
		{[]string{"__complete", "schedules", "add", "n", "--catch-up", ""}, []string{"last\n", "all\n"}},
		{[]string{"__complete", "schedules", "add", "n", "--overlap", ""}, []string{"skip\n"}},
	} {
		got := runCLI(t, nil, tc.args...)
		if got.code != exitDone {
			t.Errorf("%v: code %d, %s", tc.args, got.code, got.err)
		}
		wantContains(t, strings.Join(tc.args, " "), got.out, tc.want...)
	}
}

func TestEveryCompletionIsOfAFlagThatThereIs(t *testing.T) {
	t.Parallel()
	for path, flags := range completions() {
		cmd, _, err := newRoot(surroundings{}).Find(strings.Fields(path))
		if err != nil {
			t.Fatal(err)
		}
		for flag := range flags {
			if cmd.Flag(flag) == nil || cmd.CommandPath() != "astrogrowth "+path {
				t.Errorf("%s has no --%s", path, flag)
			}
		}
	}
}

func TestShellsCompleteTheNamesOfSchedules(t *testing.T) {
	t.Parallel()
	address := serve(t, map[string]string{"GET /v1/schedules?limit=200": `{"data":[` + scheduleJSON("") + `]}`})
	for _, verb := range []string{"show", "run", "enable", "disable", "delete"} {
		got := runCLI(t, nil, "__complete", "schedules", verb, "--url", address, "mon")
		wantContains(t, verb, got.out, "monday posts\n")
	}
	if got := runCLI(t, nil, "__complete", "schedules", "show", "--url", deadAddress(t), ""); strings.Contains(got.out, "monday") || got.code != exitDone {
		t.Errorf("without an API: %d %q", got.code, got.out)
	}
}

func TestColoursAreForTerminals(t *testing.T) {
	t.Parallel()
	if got := colours(true)(bad, "fail"); got != "\x1b[31mfail\x1b[0m" {
		t.Errorf("on: %q", got)
	}
	if got := colours(false)(bad, "fail"); got != "fail" {
		t.Errorf("off: %q", got)
	}
	if got := painter(surroundings{}, &strings.Builder{})(bad, "fail"); got != "fail" {
		t.Errorf("a buffer is taken for a terminal: %q", got)
	}
	got := runCLI(t, map[string]string{"PORT": "x"}, "doctor")
	if strings.Contains(got.out, "\x1b") {
		t.Errorf("coloured without a terminal: %q", got.out)
	}
}

func TestEveryCommandThatReadsPrintsJSON(t *testing.T) {
	t.Parallel()
	// What starts, stops or writes something else than an answer of the API's.
	others := map[string]bool{"up": true, "migrate": true, "simulator": true, "keys reseal": true}
	root := newRoot(surroundings{})
	eachCommand(root, func(c *cobra.Command) {
		path := strings.TrimPrefix(c.CommandPath(), "astrogrowth ")
		if !c.Runnable() || c.HasSubCommands() && path != "import" || others[path] {
			return
		}
		if c.Flag("json") == nil {
			t.Errorf("%s has no --json", path)
		}
	})
}
