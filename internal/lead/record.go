package lead

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// A record may span lines inside quotation marks, but not without bound: a mark that never closes must not swallow the
// rest of a file of a million rows.
const (
	maxRecord      = 1 << 20
	maxRecordLines = 500
)

// record is one row of a file: where it begins and its fields. fields is overwritten by the next call.
type record struct {
	line   int
	fields []string
}

// rowError says why one row cannot be read; the rows behind it can.
type rowError struct {
	line   int
	reason string
}

func (e *rowError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.reason) }

// records cuts a text into rows. Quotation marks around a field are read as RFC 4180 says; inside an unquoted field they
// are ordinary characters, as people type them.
type records struct {
	lines   *lines
	delim   rune
	line    int        // of the last line taken
	pending []textLine // lines that were read ahead of a row that turned out bad
	fields  []string
	cell    strings.Builder
}

// textLine is one line; the text of one that is too long is not held.
type textLine struct {
	text string
	long bool
}

// newRecords reads the rows of a table, without the lines above it.
func newRecords(r io.Reader, f Format) *records {
	out := &records{lines: newLines(r, f.macLines), delim: f.Delimiter}
	for out.line < f.Above {
		if _, _, err := out.lines.next(); err != nil {
			break // the first row says so too
		}
		out.line++
	}
	return out
}

// next gives the next row that is not blank, io.EOF at the end, or a *rowError after which next can be called again.
func (r *records) next() (record, error) {
	for {
		line, err := r.take()
		if err != nil {
			return record{}, err
		}
		if line.long {
			return record{}, &rowError{line: r.line, reason: fmt.Sprintf("it is longer than %d bytes", maxRecord)}
		}
		if strings.TrimSpace(line.text) == "" {
			continue
		}
		rec, err := r.parse(line.text)
		if err == nil && blankRow(rec.fields) {
			continue
		}
		return rec, err
	}
}

// blankRow knows the rows of bare delimiters that spreadsheets leave behind.
func blankRow(fields []string) bool {
	for _, f := range fields {
		if strings.TrimSpace(f) != "" {
			return false
		}
	}
	return true
}

func (r *records) take() (textLine, error) {
	if len(r.pending) > 0 {
		line := r.pending[0]
		r.pending = r.pending[1:]
		r.line++
		return line, nil
	}
	text, long, err := r.lines.next()
	switch {
	case errors.Is(err, io.EOF):
		return textLine{}, io.EOF
	case err != nil:
		return textLine{}, fmt.Errorf("read line %d: %w", r.line+1, err)
	}
	r.line++
	return textLine{text, long}, nil
}

// parse reads the row that begins with line, taking more lines while a quotation mark is open.
func (r *records) parse(line string) (record, error) {
	r.fields = r.fields[:0]
	r.cell.Reset()
	start := r.line
	size, quoted := 0, false
	var more []textLine
	for {
		size += len(line)
		var err error
		if quoted, err = r.split(line, quoted); err != nil {
			return record{}, r.giveUp(start, more, err.Error())
		}
		if !quoted {
			break
		}
		next, err := r.take()
		if errors.Is(err, io.EOF) || len(more) >= maxRecordLines || size > maxRecord || next.long {
			if err == nil {
				more = append(more, next)
			}
			return record{}, r.giveUp(start, more, "a quotation mark opens and does not close")
		}
		if err != nil {
			return record{}, err
		}
		r.cell.WriteByte('\n')
		more = append(more, next)
		line = next.text
	}
	for _, f := range r.fields {
		if !utf8.ValidString(f) {
			return record{}, &rowError{line: start, reason: "it holds bytes that are no UTF-8; the file's encoding may be another one"}
		}
	}
	return record{line: start, fields: r.fields}, nil
}

// giveUp sets only the line at start aside: the lines read ahead are read again as rows of their own.
func (r *records) giveUp(start int, more []textLine, reason string) error {
	r.pending = append(more, r.pending...)
	r.line = start
	return &rowError{line: start, reason: reason}
}

var errAfterQuote = errors.New("there is text behind a closing quotation mark")

// split cuts one line into fields, beginning inside a quoted field when quoted is true, and says whether it ends so.
func (r *records) split(line string, quoted bool) (bool, error) {
	line = strings.TrimSuffix(line, "\r")
	for {
		if !quoted {
			if rest, ok := strings.CutPrefix(line, `"`); ok {
				quoted, line = true, rest
				continue
			}
			i := strings.IndexRune(line, r.delim)
			if i < 0 {
				r.fields = append(r.fields, line)
				return false, nil
			}
			r.fields = append(r.fields, line[:i])
			line = line[i+utf8.RuneLen(r.delim):]
			continue
		}
		i := strings.IndexByte(line, '"')
		if i < 0 {
			r.cell.WriteString(line)
			return true, nil
		}
		r.cell.WriteString(line[:i])
		line = line[i+1:]
		if rest, ok := strings.CutPrefix(line, `"`); ok {
			r.cell.WriteByte('"')
			line = rest
			continue
		}
		quoted = false
		line = strings.TrimRight(line, " ")
		r.fields = append(r.fields, r.cell.String())
		r.cell.Reset()
		if line == "" {
			return false, nil
		}
		rest, ok := strings.CutPrefix(line, string(r.delim))
		if !ok {
			return false, errAfterQuote
		}
		line = rest
	}
}
