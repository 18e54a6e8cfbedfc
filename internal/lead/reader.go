package lead

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"unicode/utf8"

	growth "github.com/zakibelm/astrogrowth"
)

// Row is one row of a file: a lead, or the reason why there is none.
type Row struct {
	Line     int // where the row begins in the file; the first line is 1
	Lead     growth.Lead
	Warnings []string // what was kept in another place than the mapping says
	Bad      string   // why the row was set aside; empty for a good one
	Fields   []string // the row as it stood in the file, for the file of bad rows; only when Bad is set
}

// Reader streams the rows of a file as leads. It holds one row at a time.
type Reader struct {
	rec *records
	f   Format
	m   Mapping
}

// Open begins to read a file of format f with its columns mapped by m. r must begin at the file's beginning, as the
// reader that Sniff gave back does.
func Open(r io.Reader, f Format, m Mapping) *Reader {
	return &Reader{rec: newRecords(f.Encoding.text(r), f), f: f, m: m}
}

// Rows gives every row of the file, the bad ones too. An error ends it: the file cannot be read further.
func (r *Reader) Rows() iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		head := r.f.Header
		for {
			rec, err := r.rec.next()
			if errors.Is(err, io.EOF) {
				return
			}
			if head && err == nil {
				head = false
				continue
			}
			bad, isBad := errors.AsType[*rowError](err)
			switch {
			case isBad:
				if !yield(Row{Line: bad.line, Bad: bad.reason}, nil) {
					return
				}
			case err != nil:
				yield(Row{}, err)
				return
			case !yield(r.row(rec), nil):
				return
			}
		}
	}
}

func (r *Reader) row(rec record) Row {
	row := Row{Line: rec.line}
	if bad := r.check(rec.fields); bad != "" {
		row.Bad = bad
	} else {
		row.Lead, row.Warnings, row.Bad = r.m.apply(rec.fields)
		if err := Validate(row.Lead); err != nil && row.Bad == "" {
			row.Bad = rowReason(err)
		}
	}
	if row.Bad != "" {
		row.Fields = append([]string(nil), rec.fields...)
	}
	return row
}

func (r *Reader) check(fields []string) string {
	if n, want := len(fields), len(r.f.Headers); n != want {
		// Spreadsheets like to end rows with empty fields too many.
		if n < want || strings.TrimSpace(strings.Join(fields[want:], "")) != "" {
			return fmt.Sprintf("it has %d fields, the first line has %d", n, want)
		}
	}
	for i, f := range fields {
		if strings.IndexFunc(f, r.unreadable) >= 0 {
			return fmt.Sprintf("field %d holds a character that cannot be read as %s", i+1, r.f.Encoding)
		}
	}
	return ""
}

// unreadable characters come of a wrong encoding: the controls that no text uses, and the replacement character. In UTF-8
// the latter was in the file before it came here, and the lead is worth more than one letter.
func (r *Reader) unreadable(c rune) bool {
	return c == 0 || c >= 0x80 && c < 0xa0 || c == utf8.RuneError && r.f.Encoding != UTF8
}

func rowReason(err error) string {
	if e, ok := errors.AsType[*growth.Error](err); ok {
		return strings.TrimPrefix(e.Field, "lead.") + ": " + e.Message
	}
	return err.Error()
}
