package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// event is one line of go test -json, as `go doc test2json` describes it.
type event struct {
	Action      string
	Package     string
	ImportPath  string
	Test        string
	Output      string
	Elapsed     float64
	FailedBuild string
}

// tally counts tests and subtests. A package that fails without a failed test (it does not compile, or it panics
// outside of one) counts as one failure.
type tally struct {
	passed, failed, skipped int

	output map[string][]string // what a test said, until it is known whether anybody wants to read it
	faulty map[string]bool     // packages with a failed test
}

// String is the line that a build ends with.
func (t tally) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", t.passed, t.failed, t.skipped)
}

// read counts the events of r and writes what people want to see of them to w. Lines that are no events pass through.
func (t *tally) read(r io.Reader, w io.Writer) error {
	t.output, t.faulty = map[string][]string{}, map[string]bool{}
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			t.take(line, w)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (t *tally) take(line string, w io.Writer) {
	var e event
	if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &e) != nil || e.Action == "" {
		fmt.Fprintln(w, strings.TrimRight(line, "\n"))
		return
	}
	key := e.Package + "\x00" + e.Test
	switch e.Action {
	case "build-output":
		fmt.Fprint(w, e.Output)
	case "output":
		t.output[key] = append(t.output[key], e.Output)
	case "pass", "skip":
		t.finished(e, w)
		delete(t.output, key)
	case "fail":
		t.broken(e, w)
		delete(t.output, key)
	}
}

// finished takes the end of a test, or of a package, that did not fail.
func (t *tally) finished(e event, w io.Writer) {
	switch {
	case e.Test == "" && e.Action == "pass":
		fmt.Fprintf(w, "ok    %s  %.1fs\n", e.Package, e.Elapsed)
	case e.Test == "":
	case e.Action == "pass":
		t.passed++
	default:
		t.skipped++
		fmt.Fprintf(w, "skip  %s %s: %s\n", e.Package, e.Test, reason(t.output[e.Package+"\x00"+e.Test]))
	}
}

// broken takes the end of a test, or of a package, that failed.
func (t *tally) broken(e event, w io.Writer) {
	said := t.output[e.Package+"\x00"+e.Test]
	if e.Test != "" {
		t.failed++
		t.faulty[e.Package] = true
		fmt.Fprintf(w, "FAIL  %s %s\n%s", e.Package, e.Test, strings.Join(said, ""))
		return
	}
	if !t.faulty[e.Package] {
		t.failed++
	}
	fmt.Fprintf(w, "FAIL  %s  %.1fs\n%s", e.Package, e.Elapsed, strings.Join(said, ""))
}

// reason is the line in which a skipped test says why.
func reason(said []string) string {
	for _, line := range said {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "===") && !strings.HasPrefix(line, "---") {
			return line
		}
	}
	return "no reason given"
}
