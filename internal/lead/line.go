package lead

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// lines cuts a text into its lines. A line that is too long for a row is passed over, not held: one such line must not
// cost a file its other rows.
type lines struct {
	r   *bufio.Reader
	end byte // what ends a line
	buf []byte
}

func newLines(r io.Reader, mac bool) *lines {
	l := &lines{r: bufio.NewReaderSize(r, 64<<10), end: '\n'}
	if mac {
		l.end = '\r'
	}
	return l
}

// next gives the next line without its end, or says that it is too long; io.EOF behind the last one.
func (l *lines) next() (line string, long bool, err error) {
	l.buf = l.buf[:0]
	for {
		part, err := l.r.ReadSlice(l.end)
		if !long && len(l.buf)+len(part) <= maxRecord {
			l.buf = append(l.buf, part...)
		} else {
			long = true
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(l.buf) == 0 && !long:
			return "", false, io.EOF
		case err != nil && !errors.Is(err, io.EOF):
			return "", false, err
		}
		return string(bytes.TrimSuffix(l.buf, []byte{l.end})), long, nil
	}
}
