package lead

import (
	"bytes"
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
	Header    Heading
	Dates     DateOrder
	Mapping   string // heading=field,…
}

// Opener gives a file from its beginning.
type Opener func() (io.Reader, error)

// NewPlan finds out what has not been stated about a file, by its beginning, and where that leaves open what the letters
// or the dates are by reading on to its end.
func NewPlan(open Opener, s Stated) (Plan, error) {
	var p Plan
	r, err := open()
	if err != nil {
		return p, err
	}
	head, cut, err := readHead(r)
	if err != nil {
		return p, err
	}
	var later []byte
	if cut && s.Encoding == "" && untold(head) {
		rest := io.MultiReader(bytes.NewReader(head[bytes.LastIndexByte(head, '\n')+1:]), r)
		if later, err = tellingLines(rest, highBytes(head) == 0); err != nil {
			return p, err
		}
	}
	if p.Format, err = sniff(head, later, cut, s); err != nil {
		return p, err
	}
	p.Mapping = Guess(p.Format.Headers, p.Format.Sample)
	if s.Mapping != "" {
		if p.Mapping, err = p.Mapping.Override(s.Mapping); err != nil {
			return p, err
		}
	}
	return p, p.findDates(open, s.Dates)
}

// Decided refuses a file of which only a person can say how it is meant.
func (p Plan) Decided() error {
	if err := p.Format.Decided(); err != nil {
		return err
	}
	return p.Mapping.datesDecided()
}

// Explain says in sentences what the file and its columns were taken for, without the doubts.
func (p Plan) Explain() []string { return slices.Concat(p.Format.Explain(), p.Mapping.Explain()) }

// NoDelimiter stands between no fields: the file is a list of one column.
const NoDelimiter = '\n'

// DelimiterText is a delimiter as ParseDelimiter reads it.
func DelimiterText(d rune) string {
	switch d {
	case 0:
		return ""
	case NoDelimiter:
		return "none"
	}
	return string(d)
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
	case "none":
		return NoDelimiter, nil
	}
	d, size := utf8.DecodeRuneInString(s)
	if size != len(s) || strings.ContainsRune("\"\r\n", d) || d == utf8.RuneError {
		return 0, growth.InvalidField("lead.ParseDelimiter", "delimiter", "%q is not one character; give one, or comma, semicolon, tab, bar, none", s)
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
	// Erased says which of these leads, by their places, stand for somebody who was erased. It is asked about each row as
	// it stands in the file: once rows are merged, another one's e-mail address would hide whom the first one stands for.
	Erased func(context.Context, []growth.Lead) (map[int]bool, error)
	// Past bounds the memory of a scan: it keeps what is to be known of the leads that were handed out. Without one that
	// stays in memory, about 200 bytes for each lead.
	Past Past
}

// Scan reads a whole file and hands out its leads, each once, and its bad rows. However often a file is read, its leads
// come in the same order: who was interrupted can count them.
func (p Plan) Scan(ctx context.Context, r io.Reader, to Sinks) (Tally, error) {
	s := scan{Sinks: to, c: NewCollector(), holding: defaultHolding}
	s.c.past = to.Past
	return s.all(ctx, Open(r, p.Format, p.Mapping))
}

// scan is one reading of a file. Rows are taken in blocks: within one, rows that stand for the same lead are merged.
type scan struct {
	Sinks
	Tally
	c       *Collector
	holding int
	block   []collected
}

func (s *scan) all(ctx context.Context, rows *Reader) (Tally, error) {
	for row, err := range rows.Rows() {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = s.take(ctx, row)
		}
		if err != nil {
			return s.Tally, err
		}
	}
	if err := s.settle(ctx, true); err != nil {
		return s.Tally, err
	}
	var good int
	good, s.Tally.Leads, s.Repeated, s.Folded = s.c.Counts()
	s.Rows, s.Duplicates = good+s.Tally.Bad, s.c.Duplicates()
	return s.Tally, nil
}

func (s *scan) take(ctx context.Context, row Row) error {
	if row.Bad != "" {
		s.Tally.Bad++
		if s.Sinks.Bad == nil {
			return nil
		}
		return s.Sinks.Bad(row)
	}
	if len(row.Warnings) > 0 {
		s.Moved++
		if len(s.Moves) < SomeLines {
			s.Moves = append(s.Moves, fmt.Sprintf("line %d: %s", row.Line, strings.Join(row.Warnings, "; ")))
		}
	}
	s.block = append(s.block, collected{line: row.Line, lead: row.Lead, keys: s.c.digest(row.Lead)})
	if len(s.block) < s.holding {
		return nil
	}
	return s.settle(ctx, false)
}

func (s *scan) settle(ctx context.Context, last bool) error {
	if err := s.mark(ctx); err != nil {
		return err
	}
	leads, err := s.c.settle(ctx, s.block, last)
	clear(s.block)
	s.block = s.block[:0]
	if err != nil {
		return err
	}
	return s.give(leads)
}

func (s *scan) mark(ctx context.Context) error {
	if s.Erased == nil || len(s.block) == 0 {
		return nil
	}
	leads := make([]growth.Lead, len(s.block))
	for i, r := range s.block {
		leads[i] = r.lead
	}
	erased, err := s.Erased(ctx, leads)
	for i := range erased {
		s.block[i].erased = true
	}
	return err
}

func (s Sinks) give(leads []growth.Lead) error {
	if s.Leads == nil || len(leads) == 0 {
		return nil
	}
	return s.Leads(leads)
}
