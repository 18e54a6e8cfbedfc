package lead

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	growth "github.com/zakibelm/astrogrowth"
)

const (
	sniffBytes = 1 << 20
	sniffRows  = 1000
)

// Format is what a file of leads was taken to be. Every part of it can be overruled before Open.
type Format struct {
	Encoding  Encoding
	Delimiter rune
	Header    bool       // the first row names the columns
	Headers   []string   // the names; "column 1"… where the file has none
	Sample    [][]string // the first rows behind the header
	Doubts    []string   // what a person should look at, in sentences
	Rivals    []Encoding // encodings that read the file as well, as another text: a person has to name the right one
	macLines  bool       // lines end in a lone CR, as on old Macs
}

const opSniff = "lead.Sniff"

// Sniff reads the beginning of a file and says what it takes the file to be. The reader that it gives back begins at
// the file's beginning again. It refuses what is no table of text, and what has a single column.
func Sniff(r io.Reader) (Format, io.Reader, error) { return SniffAs(r, "", 0) }

// SniffAs is Sniff for a file whose encoding or delimiter a person has stated; zero values are found out.
func SniffAs(r io.Reader, e Encoding, delimiter rune) (Format, io.Reader, error) {
	head := make([]byte, sniffBytes)
	n, err := io.ReadFull(r, head)
	cut := err == nil
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return Format{}, nil, fmt.Errorf("read the file's beginning: %w", err)
	}
	head = head[:n]
	f, err := sniff(head, cut, e, delimiter)
	return f, io.MultiReader(bytes.NewReader(head), r), err
}

func sniff(head []byte, cut bool, e Encoding, delimiter rune) (Format, error) {
	if len(bytes.TrimSpace(bytes.TrimPrefix(head, bom))) == 0 {
		return Format{}, growth.InvalidField(opSniff, "file", "the file is empty")
	}
	if what := looksLike(head); what != "" {
		return Format{}, growth.InvalidField(opSniff, "file", "the file is %s, not a CSV file", what)
	}
	f := Format{Encoding: e, Delimiter: delimiter}
	guessed := false
	if e == "" {
		f.Encoding, guessed, f.Rivals = detectEncoding(head)
	}
	text, err := decodeSample(head, f.Encoding)
	if err != nil {
		return Format{}, err
	}
	if binaryText(text) {
		return Format{}, growth.InvalidField(opSniff, "file", "the file holds binary data, not lines of text")
	}
	if strings.TrimSpace(text) == "" {
		return Format{}, growth.InvalidField(opSniff, "file", "the file is empty")
	}
	f.macLines = !strings.Contains(text, "\n") && strings.Contains(text, "\r")
	rows, err := f.sampleRows(text, cut)
	if err != nil {
		return Format{}, err
	}
	f.nameColumns(rows)
	f.doubt(text, guessed)
	f.rivals(head)
	return f, nil
}

// signatures are the beginnings of files that people upload by mistake.
var signatures = []struct{ prefix, what string }{
	{"\x89PNG", "a PNG picture"},
	{"\xff\xd8\xff", "a JPEG picture"},
	{"GIF8", "a GIF picture"},
	{"%PDF", "a PDF document"},
	{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel or Word document; save it as CSV first"},
	{"\x1f\x8b", "a gzip archive; unpack it first"},
	{"7z\xbc\xaf", "a 7-Zip archive; unpack it first"},
	{"Rar!", "a RAR archive; unpack it first"},
	{"\x28\xb5\x2f\xfd", "a zstd archive; unpack it first"},
	{"SQLite format 3", "an SQLite database"},
	{"\x7fELF", "a program"},
	{"MZ\x90", "a program"},
	{"PAR1", "a Parquet file"},
	{"{\\rtf", "an RTF document"},
	{"<?xml", "an XML document"},
	{"<!doctype html", "a web page"},
	{"<html", "a web page"},
}

func looksLike(head []byte) string {
	start := bytes.TrimPrefix(head, bom)
	if bytes.HasPrefix(start, []byte("PK\x03\x04")) {
		if bytes.Contains(start, []byte("xl/")) || bytes.Contains(start, []byte("[Content_Types].xml")) {
			return "an Excel workbook (or another Office document); save it as CSV first"
		}
		return "a ZIP archive; unpack it first"
	}
	lower := strings.ToLower(strings.TrimSpace(string(start[:min(len(start), 64)])))
	for _, s := range signatures {
		if bytes.HasPrefix(start, []byte(s.prefix)) || s.prefix[0] == '<' && strings.HasPrefix(lower, s.prefix) {
			return s.what
		}
	}
	if strings.HasPrefix(lower, "[{") || strings.HasPrefix(lower, "{\"") || strings.HasPrefix(lower, "[\n") {
		return "JSON"
	}
	return ""
}

func decodeSample(head []byte, e Encoding) (string, error) {
	c := e.codec()
	if c == nil {
		return string(bytes.TrimPrefix(trimPartialRune(head), bom)), nil
	}
	text, err := c.NewDecoder().Bytes(head)
	if err != nil {
		return "", growth.InvalidField(opSniff, "encoding", "the file cannot be read as %s", e)
	}
	return strings.TrimPrefix(string(text), string(bom)), nil
}

func binaryText(text string) bool {
	odd := 0
	for _, r := range text {
		if r == 0 {
			return true
		}
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' && r != '\f' {
			odd++
		}
	}
	return odd*100 > len(text)
}

// sampleRows finds the delimiter, unless it is known, and cuts the sample with it.
func (f *Format) sampleRows(text string, cut bool) ([][]string, error) {
	if f.Delimiter != 0 {
		rows := cutSample(text, *f, cut)
		if width(rows) < 2 {
			return nil, growth.InvalidField(opSniff, "delimiter", "with %s between the fields the file has one column", delimiterName(f.Delimiter))
		}
		return rows, nil
	}
	var best [][]string
	bestScore := 0.0
	for _, d := range ";,\t|" {
		try := *f
		try.Delimiter = d
		rows := cutSample(text, try, cut)
		if s := tableScore(rows); s > bestScore {
			best, bestScore, f.Delimiter = rows, s, d
		}
	}
	if best == nil {
		return nil, growth.InvalidField(opSniff, "file",
			"the file has a single column: no semicolon, comma, tab or bar parts its lines into fields")
	}
	return best, nil
}

func cutSample(text string, f Format, cut bool) [][]string {
	rd := newRecords(strings.NewReader(text), f)
	var rows [][]string
	for len(rows) <= sniffRows {
		rec, err := rd.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			rows = append(rows, slices.Clone(rec.fields))
		} else if _, bad := errors.AsType[*rowError](err); !bad {
			break
		}
	}
	if cut && len(rows) > 1 && len(rows) <= sniffRows {
		rows = rows[:len(rows)-1] // the sample's end cut the last one
	}
	return rows
}

func width(rows [][]string) int {
	if len(rows) == 0 {
		return 0
	}
	return len(rows[0])
}

// tableScore is the higher the more rows agree with the first one about the number of fields; 0 for a single column.
func tableScore(rows [][]string) float64 {
	n := width(rows)
	if n < 2 {
		return 0
	}
	same := 0
	for _, r := range rows {
		if len(r) == n {
			same++
		}
	}
	share := float64(same) / float64(len(rows))
	return share*share*100 + float64(min(n, 50))*share
}

func (f *Format) nameColumns(rows [][]string) {
	f.Header = isHeader(rows)
	if f.Header {
		for _, h := range rows[0] {
			f.Headers = append(f.Headers, strings.TrimSpace(h))
		}
		rows = rows[1:]
	} else {
		for i := range rows[0] {
			f.Headers = append(f.Headers, fmt.Sprintf("column %d", i+1))
		}
	}
	f.Sample = rows
}

// isHeader says whether the first row names the columns: two of its cells are headings that leads have, or none looks
// like a value (a number, an e-mail address, the same text again further down).
func isHeader(rows [][]string) bool {
	known := 0
	for _, h := range rows[0] {
		if field, _ := guessHeading(h); field != "" {
			known++
		}
	}
	if known >= 2 {
		return true
	}
	seen := map[string]bool{}
	for _, h := range rows[0] {
		h = strings.TrimSpace(h)
		if _, number := parseNumber(h); number || strings.Contains(h, "@") || seen[h] && h != "" {
			return false
		}
		seen[h] = true
	}
	return known > 0 || !comesAgain(rows)
}

// comesAgain says whether a cell of the first row stands in its column further down; a heading does not.
func comesAgain(rows [][]string) bool {
	for _, r := range rows[1:] {
		for i, v := range r {
			if i < len(rows[0]) && v != "" && v == rows[0][i] {
				return true
			}
		}
	}
	return false
}

func (f *Format) doubt(text string, guessed bool) {
	say := func(format string, args ...any) { f.Doubts = append(f.Doubts, fmt.Sprintf(format, args...)) }
	if guessed {
		if w := accentedWord(text); w != "" {
			say("the encoding is not stated in the file; read as %s, as in %q", f.Encoding, w)
		} else {
			say("the encoding is not stated in the file; read as %s", f.Encoding)
		}
	}
	if strings.Contains(text, "Ã©") || strings.Contains(text, "Ã¨") || strings.ContainsRune(text, '\ufffd') {
		say("some accents were already broken when the file was saved (as in \"Ã©\" or \"\ufffd\"); they are kept as they are")
	}
	if !f.Header {
		say("the first line looks like data, so no line names the columns")
	}
	ragged := 0
	for _, r := range f.Sample {
		if len(r) != len(f.Headers) {
			ragged++
		}
	}
	if ragged > 0 {
		say("%d of the first %d rows have another number of fields than the first line; they will be set aside", ragged, len(f.Sample))
	}
}

// rivals says how the encodings between which the file does not decide would read it.
func (f *Format) rivals(head []byte) {
	var readings []string
	for _, e := range append([]Encoding{f.Encoding}, f.Rivals...) {
		if text, err := decodeSample(head, e); err == nil && len(f.Rivals) > 0 {
			readings = append(readings, fmt.Sprintf("%q as %s", accentedWord(text), e))
		}
	}
	if len(readings) > 0 {
		f.Doubts = append(f.Doubts, "the encoding cannot be told from the file: "+strings.Join(readings, ", ")+"; name the right one")
	}
}

// Decided refuses a file whose encoding only a person can name: a wrong guess would break its letters for good.
func (f Format) Decided() error {
	if len(f.Rivals) == 0 {
		return nil
	}
	return growth.InvalidField("lead.Decided", "encoding", "%s", f.Doubts[len(f.Doubts)-1])
}

// accentedWord is the first word of text with a letter outside ASCII, so that a person can judge the encoding.
func accentedWord(text string) string {
	for w := range strings.FieldsFuncSeq(text, func(r rune) bool { return !unicode.IsLetter(r) && r != '-' }) {
		if len(w) <= 40 && strings.IndexFunc(w, func(r rune) bool { return r > 127 }) >= 0 {
			return w
		}
	}
	return ""
}

// Explain says in sentences what the file was taken to be, without the doubts.
func (f Format) Explain() []string {
	head := "the first line names the columns"
	if !f.Header {
		head = "no line names the columns"
	}
	return []string{fmt.Sprintf("%s, fields parted by %s, %d columns, %s", f.Encoding, delimiterName(f.Delimiter), len(f.Headers), head)}
}

func delimiterName(d rune) string {
	switch d {
	case ';':
		return "semicolons"
	case ',':
		return "commas"
	case '\t':
		return "tabs"
	case '|':
		return "bars"
	}
	return fmt.Sprintf("%q", d)
}
