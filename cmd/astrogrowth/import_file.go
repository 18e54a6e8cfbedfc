package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

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
	header    string
	dates     string
}

// openLeadFile opens the file at path and finds out what it is.
func openLeadFile(path string, r reading) (*leadFile, error) {
	stated, err := r.stated()
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
	if err := l.find(stated); err != nil {
		_ = f.Close() // it was only read
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return l, nil
}

func (l *leadFile) find(stated lead.Stated) error {
	p, err := lead.NewPlan(l.again, stated)
	l.format, l.mapping = p.Format, p.Mapping
	return err
}

func (r reading) stated() (out lead.Stated, err error) {
	out.Mapping = r.mapping
	if r.encoding != "" {
		if out.Encoding, err = lead.ParseEncoding(r.encoding); err != nil {
			return out, wrongUsage("--encoding: %s", explain(err))
		}
	}
	if out.Delimiter, err = lead.ParseDelimiter(r.delimiter); err != nil {
		return out, wrongUsage("--delimiter %s", explain(err))
	}
	if out.Header, err = lead.ParseHeading(r.header); err != nil {
		return out, wrongUsage("--header %s", explain(err))
	}
	if out.Dates, err = lead.ParseDateOrder(r.dates); err != nil {
		return out, wrongUsage("--dates %s", explain(err))
	}
	return out, nil
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

// again gives the file from its beginning.
func (l *leadFile) again() (io.Reader, error) {
	if _, err := l.file.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read %s again: %w", filepath.Base(l.path), err)
	}
	return io.NopCloser(l.file), nil // the request must not close it
}

// Close lets go of the file.
func (l *leadFile) Close() error { return l.file.Close() }

// doubts are what a person should look at before anything is written.
func (l *leadFile) doubts() []string { return l.plan().Doubts() }

func (l *leadFile) plan() lead.Plan { return lead.Plan{Format: l.format, Mapping: l.mapping} }

const someLines = lead.SomeLines // how many examples of a thing are shown

// scan reads the whole file and hands out its leads, each once, and its bad rows.
func (l *leadFile) scan(ctx context.Context, to lead.Sinks) (lead.Tally, error) {
	if _, err := l.file.Seek(0, io.SeekStart); err != nil {
		return lead.Tally{}, fmt.Errorf("read %s again: %w", l.path, err)
	}
	t, err := l.plan().Scan(ctx, l.file, to)
	if err != nil {
		return t, fmt.Errorf("%s: %w", filepath.Base(l.path), err)
	}
	return t, nil
}
