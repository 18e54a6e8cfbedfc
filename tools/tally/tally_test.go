package main

import (
	"strings"
	"testing"
)

const events = `go test -json ./...
{"Action":"start","Package":"a"}
{"Action":"run","Package":"a","Test":"TestX"}
{"Action":"output","Package":"a","Test":"TestX","Output":"secret of a passing test\n"}
{"Action":"pass","Package":"a","Test":"TestX/sub","Elapsed":0}
{"Action":"pass","Package":"a","Test":"TestX","Elapsed":0}
{"Action":"output","Package":"a","Test":"TestY","Output":"=== RUN   TestY\n"}
{"Action":"output","Package":"a","Test":"TestY","Output":"    y_test.go:3: no data here\n"}
{"Action":"skip","Package":"a","Test":"TestY","Elapsed":0}
{"Action":"pass","Package":"a","Elapsed":1.25}
{"Action":"output","Package":"b","Test":"TestZ","Output":"    z_test.go:9: got 1, want 2\n"}
{"Action":"fail","Package":"b","Test":"TestZ","Elapsed":0}
{"Action":"fail","Package":"b","Elapsed":0.5}
{"ImportPath":"c","Action":"build-output","Output":"c.go:1: syntax error\n"}
{"Action":"fail","Package":"c","Elapsed":0,"FailedBuild":"c"}
{"Action":"skip","Package":"d","Elapsed":0}
`

func TestTallyCountsAndShowsWhatMatters(t *testing.T) {
	t.Parallel()
	var got tally
	var out strings.Builder
	if err := got.read(strings.NewReader(events), &out); err != nil {
		t.Fatal(err)
	}
	if want := "2 passed, 2 failed, 1 skipped"; got.String() != want {
		t.Errorf("tally = %s, want %s", got, want)
	}
	for _, want := range []string{
		"go test -json ./...\n", "ok    a  1.2s\n", "skip  a TestY: y_test.go:3: no data here\n",
		"FAIL  b TestZ\n    z_test.go:9: got 1, want 2\n", "c.go:1: syntax error\n", "FAIL  c  0.0s\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "passing test") {
		t.Errorf("output shows what a passing test said:\n%s", &out)
	}
}

func TestTallyAddsUpFiles(t *testing.T) {
	t.Parallel()
	var got tally
	for range 2 {
		if err := got.read(strings.NewReader(events), &strings.Builder{}); err != nil {
			t.Fatal(err)
		}
	}
	if want := "4 passed, 4 failed, 2 skipped"; got.String() != want {
		t.Errorf("tally = %s, want %s", got, want)
	}
}
