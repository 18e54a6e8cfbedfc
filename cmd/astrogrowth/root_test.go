package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
)

func TestExitCodesAndMessages(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		environ map[string]string
		args    []string
		code    int
		out     string
		err     []string
	}{
		{"help", nil, nil, exitDone, "Exit codes: 0 all done", nil},
		{"version", nil, []string{"version"}, exitDone, "astrogrowth ", nil},
		{"unknown command", nil, []string{"improt"}, exitNothing, "", []string{`there is no command "astrogrowth improt"`, "did you mean import?", "Run 'astrogrowth --help'"}},
		{"unknown subcommand", nil, []string{"jobs", "lst"}, exitNothing, "", []string{`there is no command "astrogrowth jobs lst"`, "did you mean list?"}},
		{"unknown flag", nil, []string{"--frobnicate"}, exitNothing, "", []string{"unknown flag: --frobnicate", "Run 'astrogrowth --help'"}},
		{"unknown flag of a subcommand", nil, []string{"jobs", "list", "--sate", "x"}, exitNothing, "", []string{"unknown flag: --sate", "Run 'astrogrowth jobs list --help'"}},
		{"flag of another kind", nil, []string{"jobs", "list", "--limit", "many"}, exitNothing, "", []string{"--limit"}},
		{
			"every problem of the configuration",
			map[string]string{"PORT": "x", "DATABASE_URL": "mysql://u:hunter2@h/d"},
			[]string{"jobs", "list"},
			exitNothing, "",
			[]string{"2 problems in the configuration", "PORT", "DATABASE_URL"},
		},
		{"routes", nil, []string{"routes"}, exitDone, "version: 1", []string{"the built-in routes: valid, 5 routes with 20 candidates"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := runCLI(t, tc.environ, tc.args...)
			if got.code != tc.code {
				t.Errorf("code = %d, want %d: %s", got.code, tc.code, got.err)
			}
			wantContains(t, "output", got.out, tc.out)
			wantContains(t, "error", got.err, tc.err...)
			if strings.Contains(got.err, "hunter2") {
				t.Error("a password is printed")
			}
		})
	}
}

func TestRoutesNamesTheLineAtFault(t *testing.T) {
	t.Parallel()
	own := runCLI(t, nil, "routes", "--default")
	broken := strings.Replace(own.out, "candidates: [", "candidates: [no-such-family, ", 1)
	if broken == own.out {
		t.Fatal("the built-in file has no such line any more")
	}
	environ := map[string]string{"ROUTES_FILE": file(t, "routes.yaml", broken)}
	got := runCLI(t, environ, "routes")
	if got.code != exitPartial || got.out != broken {
		t.Errorf("code = %d, want %d", got.code, exitPartial)
	}
	wantContains(t, "error", got.err, "routes.yaml is not valid", "line ", `"no-such-family"`)
	if got := runCLI(t, environ, "routes", "--default"); got.code != exitDone || got.out != own.out {
		t.Errorf("--default: code %d", got.code)
	}
}

func TestExplainLeavesOperationsToLogs(t *testing.T) {
	t.Parallel()
	inner := growth.InvalidField("lead.Sniff", "file", "the file is empty")
	for _, tc := range []struct {
		err  error
		want string
	}{
		{errors.New("plain"), "plain"},
		{inner, "the file is empty"},
		{fmt.Errorf("a.csv: %w", inner), "a.csv: the file is empty"},
		{&growth.Error{Code: growth.Conflict, Op: "devstack"}, "conflict"},
	} {
		if got := explain(tc.err); got != tc.want {
			t.Errorf("explain(%v) = %q, want %q", tc.err, got, tc.want)
		}
	}
}

func TestNobodyIsAtTheNullDevice(t *testing.T) {
	t.Parallel()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = null.Close() }()
	if terminal(null) || terminal(strings.NewReader("y")) {
		t.Error("a terminal is seen where there is none")
	}
}
