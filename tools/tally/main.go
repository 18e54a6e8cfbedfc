// Command tally makes the output of go test -json readable. On its standard input it prints a line for each package
// and the output of what failed, and ends with 1 when anything did; with -total it reads files and prints how many
// tests passed, failed and were skipped in all of them.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	total := flag.Bool("total", false, "count the tests in the files that are named")
	flag.Parse()
	var t tally
	if err := run(&t, *total, flag.Args(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		os.Exit(2)
	}
	if *total {
		fmt.Fprintln(os.Stdout, t)
	}
	if t.failed > 0 {
		os.Exit(1)
	}
}

func run(t *tally, total bool, names []string, in io.Reader, out io.Writer) error {
	if !total {
		return t.read(in, out)
	}
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		err = t.read(f, io.Discard)
		_ = f.Close() // it was only read
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
