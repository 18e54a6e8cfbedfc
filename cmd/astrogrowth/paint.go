package main

import (
	"fmt"
	"io"
)

// look is how a word stands out on a terminal. What it means is always in the words, too.
type look int

const (
	plain look = 0
	good  look = 32 // green
	doubt look = 33 // yellow
	bad   look = 31 // red
)

// paint makes a text stand out, or leaves it as it is.
type paint func(look, string) string

// painter paints where a person is at the terminal w, unless NO_COLOR is set or the terminal is dumb.
func painter(s surroundings, w io.Writer) paint {
	return colours(terminal(w) && s.environ["NO_COLOR"] == "" && s.environ["TERM"] != "dumb")
}

func colours(on bool) paint {
	return func(l look, text string) string {
		if !on || l == plain {
			return text
		}
		return fmt.Sprintf("\x1b[%dm%s\x1b[0m", l, text)
	}
}
