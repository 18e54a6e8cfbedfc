package lead_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
)

// importAll reads a whole file the way an import does.
func importAll(t *testing.T, data []byte) (lead.Format, lead.Mapping, *lead.Collector, []growth.Lead) {
	t.Helper()
	f, r, err := lead.Sniff(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("Sniff: %v", err)
	}
	m := lead.Guess(f.Headers, f.Sample)
	c := lead.NewCollector()
	for row, err := range lead.Open(r, f, m).Rows() {
		if err != nil {
			t.Fatalf("Rows: %v", err)
		}
		if row.Bad != "" {
			t.Errorf("line %d set aside: %s", row.Line, row.Bad)
			continue
		}
		c.Add(row.Line, row.Lead)
	}
	return f, m, c, c.Drain()
}

func montreal(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile(testFile(t, "leads_montreal_restaurants.cp1252.csv"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestMontrealFile(t *testing.T) {
	t.Parallel()
	f, m, c, leads := importAll(t, montreal(t))

	if f.Encoding != lead.Windows1252 || f.Delimiter != ';' || !f.Header {
		t.Errorf("format = %v %q header %v", f.Encoding, f.Delimiter, f.Header)
	}
	if len(f.Doubts) != 1 || !strings.Contains(f.Doubts[0], "windows-1252") {
		t.Errorf("doubts = %q, want the guessed encoding only", f.Doubts)
	}
	var fields []string
	for _, col := range m.Columns {
		field := col.Field
		if col.Junk != "" {
			field = "junk"
		}
		fields = append(fields, field)
	}
	want := []string{
		"junk", "address", "business_type", "extra.date_infraction", "extra.date_jugement", "extra.description",
		"business_name", "extra.montant", "extra.status", "city",
	}
	if d := cmp.Diff(want, fields); d != "" {
		t.Errorf("mapping (-want +got):\n%s", d)
	}
	rows, distinct, dups, folded := c.Counts()
	if rows != 1167 || distinct != 666 || dups != 501 || folded != 2 || len(leads) != 666 {
		t.Errorf("rows %d, leads %d (%d), duplicates %d, by folding %d; want 1167, 666, 501, 2", rows, distinct, len(leads), dups, folded)
	}
	exact := map[string]bool{}
	for _, l := range leads {
		exact[l.BusinessName+"|"+l.Address] = true
	}
	var pairs []string
	for _, d := range c.Duplicates() {
		if d.ByFoldingOnly {
			pairs = append(pairs, fmt.Sprintf("%s = %s at %s (%s)", d.Name, d.OfName, d.Address, d.Key))
			exact[d.Name+"|"+d.Address] = true
		}
	}
	if len(exact) != 668 {
		t.Errorf("%d businesses by exact name and address, want 668", len(exact))
	}
	if len(pairs) != 2 || !strings.Contains(strings.Join(pairs, "\n"), "MAISONNEUVE") || !strings.Contains(strings.Join(pairs, "\n"), "AU BON CAF") {
		t.Errorf("joined by folding: %q", pairs)
	}
}

func TestMontrealLeads(t *testing.T) {
	t.Parallel()
	_, _, _, leads := importAll(t, montreal(t))
	rubric, err := lead.Load("local-business")
	if err != nil {
		t.Fatal(err)
	}
	closed := 0
	seen := map[string]bool{}
	for _, l := range leads {
		seen[l.City] = true
		if l.PostalCode == "" || strings.Contains(l.City, l.PostalCode) {
			t.Errorf("city %q, postal code %q", l.City, l.PostalCode)
		}
		if strings.ContainsRune(l.Address+l.BusinessName+l.Extra["description"], '\ufffd') {
			t.Errorf("broken letters in %q %q", l.BusinessName, l.Address)
		}
		gates := lead.Gates(rubric, l)
		if (len(gates) > 0) != (l.Extra["status"] == "Fermé") {
			t.Errorf("status %q: gates %q", l.Extra["status"], gates)
		}
		if len(gates) > 0 {
			closed++
		}
	}
	if closed != 89 {
		t.Errorf("%d closed businesses, want 89", closed)
	}
	for _, city := range []string{"Verdun", "Montréal", "St-Léonard", "Côte Saint-Luc"} {
		if !seen[city] {
			t.Errorf("no business in %q", city)
		}
	}
}

func TestMontrealInOtherEncodings(t *testing.T) {
	t.Parallel()
	data := montreal(t)
	text, err := charmap.Windows1252.NewDecoder().Bytes(data)
	if err != nil {
		t.Fatal(err)
	}
	_, _, _, want := importAll(t, data)
	for _, tc := range []struct {
		name string
		enc  encoding.Encoding
		bom  string
		want lead.Encoding
	}{
		{"UTF-8", encoding.Nop, "", lead.UTF8},
		{"UTF-8 with a mark", encoding.Nop, "\ufeff", lead.UTF8},
		{"UTF-16 with a mark", unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), "", lead.UTF16LE},
		{"UTF-16 without a mark", unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), "", lead.UTF16BE},
		{"Mac Roman", charmap.Macintosh, "", lead.MacRoman},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			coded, err := encoding.ReplaceUnsupported(tc.enc.NewEncoder()).Bytes(text)
			if err != nil {
				t.Fatal(err)
			}
			f, _, _, got := importAll(t, append([]byte(tc.bom), coded...))
			if f.Encoding != tc.want {
				t.Errorf("encoding = %s, want %s", f.Encoding, tc.want)
			}
			if n := closedOnes(t, got); len(got) != 666 || n != 89 {
				t.Errorf("%d businesses, %d of them gated as closed; want 666 and 89", len(got), n)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("other leads than from Windows-1252 (-want +got):\n%s", d)
			}
		})
	}
}

// closedOnes counts the leads that the default rubric's gates turn down.
func closedOnes(t *testing.T, leads []growth.Lead) int {
	t.Helper()
	rubric, err := lead.Load(lead.DefaultRubric)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, l := range leads {
		if len(lead.Gates(rubric, l)) > 0 {
			n++
		}
	}
	return n
}
