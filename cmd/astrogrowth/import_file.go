package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
)

// leadFile is a file of leads with what it was taken to be. It is read twice: once to say what is in it, once to send
// it; a file of any size goes through without being held.
type leadFile struct {
	path    string
	file    *os.File
	format  lead.Format
	mapping lead.Mapping
}

// reading is what the person has stated about a file; zero values are found out.
type reading struct {
	mapping   string
	encoding  string
	delimiter string
}

// openLeadFile opens the file at path and finds out what it is.
func openLeadFile(path string, r reading) (*leadFile, error) {
	encoding, delimiter, err := r.stated()
	if err != nil {
		return nil, err
	}
	if err = regularFile(path); err != nil {
		return nil, err
	}
	f, err := os.Open(path) //nolint:gosec // G304: the person at the terminal names the file
	if err != nil {
		return nil, pathFault(path, err)
	}
	l := &leadFile{path: path, file: f}
	if err := l.find(encoding, delimiter, r.mapping); err != nil {
		_ = f.Close() // it was only read
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return l, nil
}

func (l *leadFile) find(encoding lead.Encoding, delimiter rune, mapping string) error {
	var err error
	if l.format, _, err = lead.SniffAs(l.file, encoding, delimiter); err != nil {
		return err
	}
	l.mapping = lead.Guess(l.format.Headers, l.format.Sample)
	if mapping != "" {
		l.mapping, err = l.mapping.Override(mapping)
	}
	return err
}

func (r reading) stated() (lead.Encoding, rune, error) {
	var encoding lead.Encoding
	if r.encoding != "" {
		var err error
		if encoding, err = lead.ParseEncoding(r.encoding); err != nil {
			return "", 0, wrongUsage("--encoding: %s", explain(err))
		}
	}
	switch strings.ToLower(r.delimiter) {
	case "":
		return encoding, 0, nil
	case "comma":
		return encoding, ',', nil
	case "semicolon":
		return encoding, ';', nil
	case "tab", `\t`:
		return encoding, '\t', nil
	case "bar", "pipe":
		return encoding, '|', nil
	}
	d, size := utf8.DecodeRuneInString(r.delimiter)
	if size != len(r.delimiter) || strings.ContainsRune("\"\r\n", d) || d == utf8.RuneError {
		return "", 0, wrongUsage("--delimiter %q is not one character; give one, or comma, semicolon, tab, bar", r.delimiter)
	}
	return encoding, d, nil
}

func regularFile(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return pathFault(path, err)
	case info.IsDir():
		return fmt.Errorf("%s is a directory; name a CSV file", path)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no regular file; save what it gives to a file first", path)
	}
	return nil
}

func pathFault(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no file %s", path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s may not be read by you", path)
	}
	return fmt.Errorf("%s cannot be read: %w", path, err)
}

// Close lets go of the file.
func (l *leadFile) Close() error { return l.file.Close() }

// doubts are what a person should look at before anything is written.
func (l *leadFile) doubts() []string {
	return slices.Concat(l.format.Doubts, l.mapping.Doubts)
}

// tally is what one reading of a file found.
type tally struct {
	rows       int // the bad ones too
	bad        int
	leads      int
	duplicates []lead.Duplicate // at most 10,000
	repeated   int              // rows that stand for a lead of an earlier row
	folded     int              // of these, joined by folding only
	moved      int              // rows with a value that was kept in another place than the mapping says
	moves      []string         // the first few of them
}

// sinks take what a file holds; nil ones are left out.
type sinks struct {
	leads func([]growth.Lead) error
	bad   func(lead.Row) error
}

const someLines = 5 // how many examples of a thing are shown

// scan reads the whole file and hands out its leads, each once, and its bad rows.
func (l *leadFile) scan(ctx context.Context, to sinks) (tally, error) {
	var t tally
	if _, err := l.file.Seek(0, io.SeekStart); err != nil {
		return t, fmt.Errorf("read %s again: %w", l.path, err)
	}
	c := lead.NewCollector()
	for row, err := range lead.Open(l.file, l.format, l.mapping).Rows() {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return t, fmt.Errorf("%s: %w", filepath.Base(l.path), err)
		}
		if err := t.take(row, c, to); err != nil {
			return t, err
		}
	}
	if err := to.give(c.Drain()); err != nil {
		return t, err
	}
	var good int
	good, t.leads, t.repeated, t.folded = c.Counts()
	t.rows, t.duplicates = good+t.bad, c.Duplicates()
	return t, nil
}

func (t *tally) take(row lead.Row, c *lead.Collector, to sinks) error {
	if row.Bad != "" {
		t.bad++
		if to.bad == nil {
			return nil
		}
		return to.bad(row)
	}
	if len(row.Warnings) > 0 {
		t.moved++
		if len(t.moves) < someLines {
			t.moves = append(t.moves, fmt.Sprintf("line %d: %s", row.Line, strings.Join(row.Warnings, "; ")))
		}
	}
	c.Add(row.Line, row.Lead)
	if !c.Full() {
		return nil
	}
	return to.give(c.Drain())
}

func (s sinks) give(leads []growth.Lead) error {
	if s.leads == nil || len(leads) == 0 {
		return nil
	}
	return s.leads(leads)
}
