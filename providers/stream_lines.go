package providers

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxLine bounds one line of a stream: an envelope with a few words in it, or at worst a whole answer.
const maxLine = maxAnswer + 64<<10

// capped fails where io.LimitReader would pretend that the body had ended.
type capped struct {
	r    io.Reader
	left int64
}

// Read reads on.
func (c *capped) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errAnswerTooBig
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// lines cuts a body at its line ends. A message is valid until the next one is asked for.
type lines struct {
	r    *bufio.Reader
	long []byte
}

func newLines(r io.Reader) *lines { return &lines{r: bufio.NewReaderSize(r, 16<<10)} }

// next is the next line that is not blank.
func (l *lines) next() ([]byte, error) {
	for {
		line, err := l.line()
		if line = bytes.TrimSpace(line); len(line) > 0 || err != nil {
			return line, err
		}
	}
}

// line is the next line without its end. The last line may lack an end; io.EOF comes after it.
func (l *lines) line() ([]byte, error) {
	l.long = l.long[:0]
	for {
		part, err := l.r.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			if len(l.long)+len(part) > maxLine {
				return nil, errAnswerTooBig
			}
			l.long = append(l.long, part...)
			continue
		case err != nil && (!errors.Is(err, io.EOF) || len(part)+len(l.long) == 0):
			return nil, err
		}
		if len(l.long) > 0 {
			l.long = append(l.long, part...)
			part = l.long
		}
		return bytes.TrimRight(part, "\r\n"), nil
	}
}

// events reads server-sent events and gives their data. Comments, which keep a connection alive, and every field but
// data are passed over: what an event means stands in its data.
type events struct {
	lines *lines
	data  []byte
}

func newEvents(r io.Reader) *events { return &events{lines: newLines(r)} }

// next is the data of the next event that has any.
func (e *events) next() ([]byte, error) {
	e.data = e.data[:0]
	for {
		line, err := e.lines.line()
		if err != nil {
			if errors.Is(err, io.EOF) && len(e.data) > 0 { // some hosts leave out the blank line behind the last event
				return e.data, nil
			}
			return nil, err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			if len(line) == 0 && len(e.data) > 0 {
				return e.data, nil
			}
			continue // a line of blanks is one more way to keep a connection alive
		}
		value, ok := bytes.CutPrefix(line, []byte("data:"))
		if !ok {
			continue
		}
		if len(e.data) > 0 {
			e.data = append(e.data, '\n')
		}
		e.data = append(e.data, bytes.TrimPrefix(value, []byte(" "))...)
		if len(e.data) > maxLine {
			return nil, errAnswerTooBig
		}
	}
}
