package lead

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	growth "github.com/zakibelm/astrogrowth"
)

// SomeLines is how many examples of a thing are shown to a person.
const SomeLines = 5

// Plan is how a file of leads is going to be read.
type Plan struct {
	Format  Format
	Mapping Mapping
}

// Stated is what a person says about a file; zero values are found out.
type Stated struct {
	Encoding  Encoding
	Delimiter rune
	Mapping   string // heading=field,…
}

// NewPlan reads the beginning of a file and finds out what has not been stated about it.
func NewPlan(r io.Reader, s Stated) (Plan, error) {
	var p Plan
	var err error
	if p.Format, _, err = SniffAs(r, s.Encoding, s.Delimiter); err != nil {
		return p, err
	}
	p.Mapping = Guess(p.Format.Headers, p.Format.Sample)
	if s.Mapping != "" {
		p.Mapping, err = p.Mapping.Override(s.Mapping)
	}
	return p, err
}

// ParseDelimiter reads what parts the fields as a person types it: a word or the character; empty is 0, found out.
func ParseDelimiter(s string) (rune, error) {
	switch strings.ToLower(s) {
	case "":
		return 0, nil
	case "comma":
		return ',', nil
	case "semicolon":
		return ';', nil
	case "tab", `\t`:
		return '\t', nil
	case "bar", "pipe":
		return '|', nil
	}
	d, size := utf8.DecodeRuneInString(s)
	if size != len(s) || strings.ContainsRune("\"\r\n", d) || d == utf8.RuneError {
		return 0, growth.InvalidField("lead.ParseDelimiter", "delimiter", "%q is not one character; give one, or comma, semicolon, tab, bar", s)
	}
	return d, nil
}

// Doubts are what a person should look at before anything is written.
func (p Plan) Doubts() []string { return slices.Concat(p.Format.Doubts, p.Mapping.Doubts) }

// Tally is what one reading of a file found.
type Tally struct {
	Rows       int // the bad ones too
	Bad        int
	Leads      int
	Duplicates []Duplicate // at most 10,000
	Repeated   int         // rows that stand for a lead of an earlier row
	Folded     int         // of these, joined by folding only
	Moved      int         // rows with a value that was kept in another place than the mapping says
	Moves      []string    // the first few of them
}

// Sinks take what a file holds; nil ones are left out.
type Sinks struct {
	Leads func([]growth.Lead) error
	Bad   func(Row) error
}

// Scan reads a whole file and hands out its leads, each once, and its bad rows. However often a file is read, its leads
// come in the same order and in the same batches: who was interrupted can count them.
func (p Plan) Scan(ctx context.Context, r io.Reader, to Sinks) (Tally, error) {
	var t Tally
	c := NewCollector()
	for row, err := range Open(r, p.Format, p.Mapping).Rows() {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return t, err
		}
		if err := t.take(row, c, to); err != nil {
			return t, err
		}
	}
	if err := to.give(c.Drain()); err != nil {
		return t, err
	}
	var good int
	good, t.Leads, t.Repeated, t.Folded = c.Counts()
	t.Rows, t.Duplicates = good+t.Bad, c.Duplicates()
	return t, nil
}

func (t *Tally) take(row Row, c *Collector, to Sinks) error {
	if row.Bad != "" {
		t.Bad++
		if to.Bad == nil {
			return nil
		}
		return to.Bad(row)
	}
	if len(row.Warnings) > 0 {
		t.Moved++
		if len(t.Moves) < SomeLines {
			t.Moves = append(t.Moves, fmt.Sprintf("line %d: %s", row.Line, strings.Join(row.Warnings, "; ")))
		}
	}
	c.Add(row.Line, row.Lead)
	if !c.Full() {
		return nil
	}
	return to.give(c.Drain())
}

func (s Sinks) give(leads []growth.Lead) error {
	if s.Leads == nil || len(leads) == 0 {
		return nil
	}
	return s.Leads(leads)
}
