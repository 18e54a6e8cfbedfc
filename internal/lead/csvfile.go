package lead

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

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
	Above     int        // lines above the table that are no part of it: a title, or what a spreadsheet says of the delimiter
	Headers   []string   // the names; "column 1"… where the file has none
	Sample    [][]string // the first rows behind the header
	Doubts    []string   // what a person should look at, in sentences
	Rivals    []Encoding // encodings that read the file as well, as another text: a person has to name the right one
	stated    bool       // a person has said whether a line names the columns
	named     bool       // a heading is known, or stated
	macLines  bool       // lines end in a lone CR, as on old Macs
}

const opSniff = "lead.Sniff"

// Sniff reads the beginning of a file and says what it takes the file to be. The reader that it gives back begins at
// the file's beginning again. It refuses what is no table of text, and what has a single column.
func Sniff(r io.Reader) (Format, io.Reader, error) { return SniffAs(r, "", 0) }

// SniffAs is Sniff for a file whose encoding or delimiter a person has stated; zero values are found out.
func SniffAs(r io.Reader, e Encoding, delimiter rune) (Format, io.Reader, error) {
	head, cut, err := readHead(r)
	if err != nil {
		return Format{}, nil, err
	}
	f, err := sniff(head, nil, cut, Stated{Encoding: e, Delimiter: delimiter})
	return f, io.MultiReader(bytes.NewReader(head), r), err
}

func readHead(r io.Reader) (head []byte, cut bool, err error) {
	head = make([]byte, sniffBytes)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, false, fmt.Errorf("read the file's beginning: %w", err)
	}
	return head[:n], err == nil, nil
}

// sniff takes a file for what its beginning looks like. later are lines behind that which tell encodings apart.
func sniff(head, later []byte, cut bool, s Stated) (Format, error) {
	if len(bytes.TrimSpace(bytes.TrimPrefix(head, bom))) == 0 {
		return Format{}, growth.InvalidField(opSniff, "file", "the file is empty")
	}
	if what := looksLike(head); what != "" {
		return Format{}, growth.InvalidField(opSniff, "file", "the file is %s, not a CSV file", what)
	}
	f := Format{Encoding: s.Encoding, Delimiter: s.Delimiter}
	guessed := false
	if f.Encoding == "" {
		f.Encoding, guessed, f.Rivals = detectEncoding(slices.Concat(wholeLines(head, later), later))
	}
	text, err := decodeSample(head, f.Encoding)
	if err != nil {
		return Format{}, err
	}
	if strings.TrimSpace(text) == "" {
		return Format{}, growth.InvalidField(opSniff, "file", "the file is empty")
	}
	if line := binaryLine(text); line > 0 {
		return Format{}, growth.InvalidField(opSniff, "file", "the file holds binary data, not lines of text: see line %d", line)
	}
	if cut && !strings.ContainsAny(text, "\r\n") {
		return Format{}, growth.InvalidField(opSniff, "file", "line 1 is longer than %d bytes: this is no table of leads", maxRecord)
	}
	f.macLines = !strings.Contains(text, "\n") && strings.Contains(text, "\r")
	f.skip(text, s.Header)
	rows, err := f.sampleRows(text, cut)
	if err != nil {
		return Format{}, err
	}
	f.nameColumns(rows, s.Header)
	f.doubt(text, wordOf(later, text, f.Encoding), guessed)
	f.rivals(slices.Concat(head, later))
	return f, nil
}

// wholeLines is what later lines can be put behind.
func wholeLines(head, later []byte) []byte {
	if len(later) == 0 {
		return head
	}
	return head[:bytes.LastIndexByte(head, '\n')+1]
}

// wordOf is a word by which a person can judge the encoding: rather one of the lines that told it.
func wordOf(later []byte, text string, e Encoding) string {
	if told, err := decodeSample(later, e); err == nil {
		if w := accentedWord(told); w != "" {
			return w
		}
	}
	return accentedWord(text)
}

// sepLine is how spreadsheets say what parts the fields of the lines below.
var sepLine = regexp.MustCompile(`(?i)^"?sep=(.)"?\r?$`)

// skip finds the lines above the table.
func (f *Format) skip(text string, stated Heading) {
	if stated > 1 {
		f.Above = int(stated) - 1
		return
	}
	first, _, _ := strings.Cut(text, "\n")
	m := sepLine.FindStringSubmatch(first)
	if m == nil {
		return
	}
	f.Above = 1
	if d, _ := utf8.DecodeRuneInString(m[1]); f.Delimiter == 0 {
		f.Delimiter = d
	}
}

// Heading is what is known of the line that names the columns: its number, or that there is none. Zero: it is found out.
type Heading int

// NoHeading says that the first line is a lead.
const NoHeading Heading = -1

// ParseHeading reads what a person says of the heading: yes, no, or the number of its line; empty is found out.
func ParseHeading(s string) (Heading, error) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "":
		return 0, nil
	case "yes", "true":
		return 1, nil
	case "no", "none", "false":
		return NoHeading, nil
	}
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || n < 1 || n > maxAbove {
		return 0, growth.InvalidField("lead.ParseHeading", "header", "%q says nothing about the heading; use yes, no, or the number of its line, 1 to %d", s, maxAbove)
	}
	return Heading(n), nil
}

// maxAbove is how far down a heading is looked for.
const maxAbove = 1000

// String is what ParseHeading reads.
func (h Heading) String() string {
	switch {
	case h == 0:
		return ""
	case h < 0:
		return "no"
	case h == 1:
		return "yes"
	}
	return strconv.Itoa(int(h))
}

// Heading is where the heading was found.
func (f Format) Heading() Heading {
	if !f.Header {
		return NoHeading
	}
	return Heading(f.Above + 1)
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

// binaryLine is the line at which a text turns out to be none, 0 when it is one. A few strange bytes are a fault of their
// rows.
func binaryLine(text string) int {
	odd, zero, at, line := 0, 0, 0, 1
	for _, r := range text {
		switch {
		case r == '\n':
			line++
			continue
		case r == 0:
			zero++
		case r >= ' ' || r == '\t' || r == '\r' || r == '\f':
			continue
		}
		odd++
		if at == 0 {
			at = line
		}
	}
	if odd*100 > len(text) && odd > 2 || zero > 2 && zero*1000 > len(text) {
		return at
	}
	return 0
}

// sampleRows finds the delimiter, unless it is known, and cuts the sample with it.
func (f *Format) sampleRows(text string, cut bool) ([][]string, error) {
	if f.Delimiter != 0 {
		rows := cutSample(text, *f, cut)
		if len(rows) == 0 {
			return nil, growth.InvalidField(opSniff, "header", "the file holds no row from line %d on", f.Above+1)
		}
		if width(rows) < 2 && f.Delimiter != NoDelimiter {
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
			"the file has a single column: no semicolon, comma, tab or bar parts its lines into fields; name what does, or none for a list of one column")
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

func (f *Format) nameColumns(rows [][]string, stated Heading) {
	known := knownHeadings(rows[0])
	f.Header, f.named = isHeader(rows, known), known > 0 || stated > 0
	f.stated = stated != 0
	if stated != 0 {
		f.Header = stated > 0
	}
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
func isHeader(rows [][]string, known int) bool {
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

func knownHeadings(row []string) int {
	known := 0
	for _, h := range row {
		if field, _ := guessHeading(h); field != "" {
			known++
		}
	}
	return known
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

func (f *Format) doubt(text, word string, guessed bool) {
	say := func(format string, args ...any) { f.Doubts = append(f.Doubts, fmt.Sprintf(format, args...)) }
	if guessed {
		if word != "" {
			say("the encoding is not stated in the file; read as %s, as in %q", f.Encoding, word)
		} else {
			say("the encoding is not stated in the file; read as %s", f.Encoding)
		}
	}
	if line := brokenLine(text); line > 0 {
		say("some bytes are no utf-8, the first in line %d; the rows that hold them will be set aside", line)
	}
	if strings.Contains(text, "Ã©") || strings.Contains(text, "Ã¨") || strings.Contains(text, "\ufffd") {
		say("some accents were already broken when the file was saved (as in \"Ã©\" or \"\ufffd\"); they are kept as they are")
	}
	switch {
	case !f.Header && !f.stated:
		say("the first line looks like data, so no line names the columns; if it does, say --header yes")
	case f.Header && !f.named:
		say("no heading of line %d is known (%s); if it is a lead, say --header no", f.Above+1, quoted(f.Headers, 3))
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

// quoted lists the first n of some words.
func quoted(words []string, n int) string {
	var out []string
	for _, w := range words[:min(n, len(words))] {
		out = append(out, strconv.Quote(shorten(w, 40)))
	}
	return strings.Join(out, ", ")
}

// brokenLine is the first line that holds bytes which are no UTF-8, 0 when there is none.
func brokenLine(text string) int {
	line := 1
	for l := range strings.Lines(text) {
		if !utf8.ValidString(l) {
			return line
		}
		line++
	}
	return 0
}

// rivals says how the encodings between which the file does not decide would read it.
func (f *Format) rivals(sample []byte) {
	if len(f.Rivals) == 0 {
		return
	}
	all := append([]Encoding{f.Encoding}, f.Rivals...)
	word := contested(sample, all)
	var readings []string
	for _, e := range all {
		if text, err := decodeSample(word, e); err == nil {
			readings = append(readings, fmt.Sprintf("%q as %s", strings.ToValidUTF8(text, "\ufffd"), e))
		}
	}
	f.Doubts = append(f.Doubts, "the encoding cannot be told from the file: "+strings.Join(readings, ", ")+"; name the right one")
}

// contested is the first word that the encodings read as different texts, in the file's bytes.
func contested(sample []byte, all []Encoding) []byte {
	var first []byte
	parts := func(r rune) bool { return r < utf8.RuneSelf && strings.ContainsRune(" \t\r\n,;|\"'()", r) }
	for w := range bytes.FieldsFuncSeq(sample, parts) {
		if len(w) > 40 || bytes.IndexFunc(w, func(r rune) bool { return r >= utf8.RuneSelf }) < 0 {
			continue
		}
		if first == nil {
			first = w
		}
		texts := map[string]bool{}
		for _, e := range all {
			if text, err := decodeSample(w, e); err == nil {
				texts[text] = true
			}
		}
		if len(texts) == len(all) && !texts[""] {
			return w
		}
	}
	return first
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
	switch {
	case !f.Header:
		head = "no line names the columns"
	case f.Above > 0:
		head = fmt.Sprintf("line %d names the columns", f.Above+1)
	}
	if f.Delimiter == NoDelimiter {
		return []string{fmt.Sprintf("%s, one column, %s", f.Encoding, head)}
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
