package lead_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
)

func TestSniff(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, in string
		enc      lead.Encoding
		delim    rune
		header   bool
		headers  []string
	}{
		{"comma", "company,email\nA,a@b.ca\n", lead.UTF8, ',', true, []string{"company", "email"}},
		{"semicolon with commas inside", "nom;adresse\nA;\"1, rue B\"\nC;2, rue D\n", lead.UTF8, ';', true, []string{"nom", "adresse"}},
		{"tab", "name\tcity\nA\tB\n", lead.UTF8, '\t', true, []string{"name", "city"}},
		{"bar", "name|city\nA|B\n", lead.UTF8, '|', true, []string{"name", "city"}},
		{"mark", "\ufeffname,city\nA,B\n", lead.UTF8, ',', true, []string{"name", "city"}},
		{"CRLF", "name,city\r\nA,B\r\n", lead.UTF8, ',', true, []string{"name", "city"}},
		{"CR only", "name,city\rA,B\r", lead.UTF8, ',', true, []string{"name", "city"}},
		{"Windows-1252", "nom;ville\nCaf\xe9;Montr\xe9al\n", lead.Windows1252, ';', true, []string{"nom", "ville"}},
		{"ISO-8859-15", "nom;ville\nCaf\xe9 B\xbduf \xa4;Montr\xe9al\n", lead.ISO885915, ';', true, []string{"nom", "ville"}},
		{"Mac Roman", "nom;ville\nCaf\x8e;Montr\x8eal\n", lead.MacRoman, ';', true, []string{"nom", "ville"}},
		{"no header", "Chez Ann,ann@x.ca,5\nChez Bob,bob@x.ca,4\n", lead.UTF8, ',', false, []string{"column 1", "column 2", "column 3"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f, r, err := lead.Sniff(strings.NewReader(tc.in))
			if err != nil {
				t.Fatal(err)
			}
			if f.Encoding != tc.enc || f.Delimiter != tc.delim || f.Header != tc.header {
				t.Errorf("got %s %q header %v, want %s %q %v", f.Encoding, f.Delimiter, f.Header, tc.enc, tc.delim, tc.header)
			}
			if d := cmp.Diff(tc.headers, f.Headers); d != "" {
				t.Errorf("headers (-want +got):\n%s", d)
			}
			again, err := io.ReadAll(r)
			if err != nil || string(again) != tc.in {
				t.Errorf("the reader gives %q (%v), want the whole file", again, err)
			}
		})
	}
}

func TestSniffRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, in, want string }{
		{"empty", "", "empty"},
		{"blank", " \r\n\n", "empty"},
		{"only a mark", "\ufeff", "empty"},
		{"PNG", "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "PNG picture"},
		{"PDF", "%PDF-1.7\n%\xe2\xe3", "PDF document"},
		{"Excel", "PK\x03\x04\x14\x00\x06\x00[Content_Types].xml", "Excel workbook"},
		{"ZIP", "PK\x03\x04\x14\x00photo.jpg", "ZIP archive"},
		{"old Excel", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Excel"},
		{"gzip", "\x1f\x8b\x08\x00", "gzip"},
		{"web page", "<!DOCTYPE html><html>a;b</html>", "web page"},
		{"JSON", `[{"a":1,"b":2}]`, "JSON"},
		{"one column", "name\nA\nB\n", "single column"},
		{"binary", "a;b\x00\x01\x02\x03c\x00;d\n\x00\x05", "binary"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := lead.Sniff(strings.NewReader(tc.in))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("err = %v, want one about %q", err, tc.want)
			}
			if growth.CodeOf(err) != growth.Invalid {
				t.Errorf("code = %v, want invalid", growth.CodeOf(err))
			}
		})
	}
}

func TestSniffAsStated(t *testing.T) {
	t.Parallel()
	f, _, err := lead.SniffAs(strings.NewReader("nom|ville\nCaf\x8e|B, C\n"), lead.MacRoman, '|')
	if err != nil || f.Sample[0][0] != "Café" || len(f.Doubts) != 0 {
		t.Errorf("sample %q, doubts %q, err %v", f.Sample, f.Doubts, err)
	}
	if _, _, err := lead.SniffAs(strings.NewReader("a,b\n1,2\n"), "", ';'); err == nil {
		t.Error("a wrong delimiter was taken")
	}
}

func rows(tb testing.TB, in string) []lead.Row {
	tb.Helper()
	f, r, err := lead.Sniff(strings.NewReader(in))
	if err != nil {
		tb.Fatalf("Sniff: %v", err)
	}
	var out []lead.Row
	for row, err := range lead.Open(r, f, lead.Guess(f.Headers, f.Sample)).Rows() {
		if err != nil {
			tb.Fatalf("Rows: %v", err)
		}
		out = append(out, row)
	}
	return out
}

func TestReaderSetsBadRowsAside(t *testing.T) {
	t.Parallel()
	in := "company,email,city\n" +
		"Good,a@x.ca,Laval\n" +
		"Too few,a@x.ca\n" +
		",,\n" +
		"Too many,a@x.ca,Laval,more\n" +
		"Trailing,b@x.ca,Laval,,\n" +
		"\"Two\nlines\",c@x.ca,Laval\n" +
		"\"After\" the quote,d@x.ca,Laval\n" +
		"Chez \"Ann\",e@x.ca,Laval\n" +
		"Bad mail,nobody,Laval\n" +
		"\"Never closed,f@x.ca,Laval\n" +
		"Last,g@x.ca,Laval\n"
	var got []string
	for _, r := range rows(t, in) {
		got = append(got, fmt.Sprintf("%d %s %s", r.Line, r.Lead.BusinessName, r.Bad))
	}
	want := []string{
		"2 Good ",
		"3  it has 2 fields, the first line has 3",
		"5  it has 4 fields, the first line has 3",
		"6 Trailing ",
		"7 Two\nlines ",
		"9  there is text behind a closing quotation mark",
		"10 Chez \"Ann\" ",
		"11 Bad mail email: must be one e-mail address, as name@example.com",
		"12  a quotation mark opens and does not close",
		"13 Last ",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("rows (-want +got):\n%s", d)
	}
}

func TestReaderNeverGuessesAtBytes(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a test of volume, left out with -short")
	}
	// The sample is ASCII, the letter that is none stands far behind it.
	in := "company,city\n" + strings.Repeat("Shop,Laval\n", 100_000) + "Caf\xe9,Laval\n"
	all := rows(t, in)
	last := all[len(all)-1]
	if last.Line != 100_002 || !strings.Contains(last.Bad, "no UTF-8") {
		t.Errorf("row %d: %q %q, want it set aside for its bytes", last.Line, last.Lead.BusinessName, last.Bad)
	}
}

// FuzzReader compares our rows with those of encoding/csv wherever the latter reads the text at all.
func FuzzReader(f *testing.F) {
	f.Add("a,b\n1,2\n")
	f.Add("a,b\n\"x\n\"\"y\",2\r\n\n3,\"4\"")
	f.Add("nom;ville\nCaf\xe9;Montr\xe9al\n")
	f.Add("a,b\n\"open,2\n3,4\n")
	f.Add("\ufeffcompany|email\nA|a@b.ca")
	f.Fuzz(func(t *testing.T, in string) {
		format, r, err := lead.Sniff(strings.NewReader(in))
		if err != nil {
			return
		}
		columns := make([]lead.Column, len(format.Headers))
		for i := range columns {
			columns[i] = lead.Column{Index: i, Field: fmt.Sprintf("extra.f%d", i)}
		}
		columns[0].Field = "business_name"
		good, seen := 0, 0
		lines := strings.Count(in, "\n") + strings.Count(in, "\r") + 1
		for row, err := range lead.Open(r, format, lead.Mapping{Columns: columns}).Rows() {
			if err != nil {
				return
			}
			if row.Line <= seen || row.Line > lines {
				t.Fatalf("line %d after line %d of %d", row.Line, seen, lines)
			}
			seen = row.Line
			if row.Bad == "" {
				good++
				if err := lead.Validate(row.Lead); err != nil {
					t.Fatalf("a good row is invalid: %v", err)
				}
			}
		}
		compareWithStandard(t, in, format)
	})
}

func compareWithStandard(t *testing.T, in string, format lead.Format) {
	t.Helper()
	if format.Encoding != lead.UTF8 || strings.Contains(in, "\r") || strings.Contains(in, " ") || !format.Header {
		return
	}
	std := csv.NewReader(bytes.NewReader(bytes.TrimPrefix([]byte(in), []byte("\ufeff"))))
	std.Comma, std.FieldsPerRecord = format.Delimiter, -1
	want, err := std.ReadAll()
	if err != nil || len(want) < 2 || !utf8.ValidString(in) || strings.TrimSpace(strings.Join(want[0], "")) == "" {
		return
	}
	want = want[1:]
	want = slices.DeleteFunc(want, func(row []string) bool { return strings.TrimSpace(strings.Join(row, "")) == "" }) // not ours
	if len(format.Sample) < len(want) && len(want) <= 1000 || len(format.Sample) > 0 && len(want) > 0 && !cmp.Equal(format.Sample[0], want[0]) {
		t.Fatalf("rows %q, encoding/csv reads %q", format.Sample, want)
	}
}

func FuzzSniff(f *testing.F) {
	f.Add([]byte("a;b\n1;2"))
	f.Add([]byte("\xff\xfea\x00;\x00b\x00"))
	f.Add([]byte("PK\x03\x04"))
	f.Add([]byte("\xfe\xff\x00"))
	f.Fuzz(func(t *testing.T, in []byte) {
		format, r, err := lead.Sniff(bytes.NewReader(in))
		if err != nil {
			if growth.CodeOf(err) != growth.Invalid {
				t.Fatalf("code %v: %v", growth.CodeOf(err), err)
			}
			return
		}
		if len(format.Headers) < 2 {
			t.Fatalf("headers %q", format.Headers)
		}
		if again, err := io.ReadAll(r); err != nil || !bytes.Equal(again, in) {
			t.Fatal("the reader does not give the file back")
		}
		m := lead.Guess(format.Headers, format.Sample)
		taken := map[string]bool{}
		for _, c := range m.Columns {
			if c.Field != "" && taken[c.Field] {
				t.Fatalf("two columns are %s", c.Field)
			}
			taken[c.Field] = true
		}
	})
}
