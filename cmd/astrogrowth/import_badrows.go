package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/zakibelm/astrogrowth/internal/lead"
)

// badRows writes the rows that could not be read as leads into a file of their own, so that they can be mended there and
// imported: their line, the reason, and the fields as they stood in the file. The file is made by the first bad row.
type badRows struct {
	path      string
	delimiter rune
	headers   []string

	file *os.File
	csv  *csv.Writer
	n    int
}

// badRowsPath is beside the file, where whoever made the file will look.
func badRowsPath(path string) string {
	return strings.TrimSuffix(path, filepath.Ext(path)) + ".bad-rows.csv"
}

// add writes one row.
func (b *badRows) add(row lead.Row) error {
	if b.file == nil {
		if err := b.create(); err != nil {
			return err
		}
	}
	b.n++
	return b.csv.Write(lead.Harmless(append([]string{strconv.Itoa(row.Line), row.Bad}, row.Fields...)))
}

func (b *badRows) create() error {
	f, err := os.OpenFile(b.path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600) // leads are nobody else's business
	if err != nil {
		return fmt.Errorf("file of bad rows: %w (name another one with --bad-rows)", err)
	}
	b.file = f
	if _, err := f.WriteString("\ufeff"); err != nil { // spreadsheets need the mark to see that it is UTF-8
		return fmt.Errorf("file of bad rows: %w", err)
	}
	b.csv = csv.NewWriter(f)
	b.csv.Comma = b.delimiter
	return b.csv.Write(lead.Harmless(append([]string{"line", "reason"}, b.headers...)))
}

// close finishes the file and says what went wrong since it was made.
func (b *badRows) close() error {
	if b.file == nil {
		return nil
	}
	if b.csv != nil {
		b.csv.Flush()
		if err := b.csv.Error(); err != nil {
			_ = b.file.Close() // the first fault is told
			return fmt.Errorf("file of bad rows: %w", err)
		}
	}
	if err := b.file.Close(); err != nil {
		return fmt.Errorf("file of bad rows: %w", err)
	}
	return nil
}
