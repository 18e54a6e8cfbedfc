package lead_test

import (
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
)

const frenchShops = "nom;ville;notes\n" +
	"Café de l'Île;Montréal;Fermé à Noël, crème brûlée\nForêt d'Été;Québec;Où ça ? Là-bas\nÉpicerie Bœuf;Trois-Rivières;10 € l'assiette\n"

func encoded(t *testing.T, cm *charmap.Charmap, s string) string {
	t.Helper()
	out, err := cm.NewEncoder().String(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEncodingsOfOneByteAreToldApart(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		want lead.Encoding
		cm   *charmap.Charmap
	}{{lead.Windows1252, charmap.Windows1252}, {lead.ISO885915, charmap.ISO8859_15}, {lead.MacRoman, charmap.Macintosh}} {
		t.Run(string(tc.want), func(t *testing.T) {
			t.Parallel()
			f, _, err := lead.Sniff(strings.NewReader(encoded(t, tc.cm, frenchShops)))
			if err != nil {
				t.Fatal(err)
			}
			if f.Encoding != tc.want || len(f.Rivals) != 0 || f.Decided() != nil {
				t.Errorf("encoding %s, rivals %v; want %s alone", f.Encoding, f.Rivals, tc.want)
			}
			if f.Sample[0][2] != "Fermé à Noël, crème brûlée" || f.Sample[2][0] != "Épicerie Bœuf" {
				t.Errorf("sample %q", f.Sample)
			}
			if len(f.Doubts) == 0 || !strings.Contains(f.Doubts[0], string(tc.want)) {
				t.Errorf("doubts %q: the guess is not said", f.Doubts)
			}
		})
	}
}

// What no encoding here reads as a text, or two read equally well, is not guessed at.
func TestEncodingsThatCannotBeToldAreRefused(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, in string }{
		{"DOS", encoded(t, charmap.CodePage850, "nom;ville\nCafé;Montréal\nForêt;Trois-Rivières\n")},
		{"Polish", encoded(t, charmap.ISO8859_2, "nom;ville\nŁódź;Kraków\nŻółw;Gdańsk\n")},
		{"Cyrillic", encoded(t, charmap.Windows1251, "nom;ville\nКафе;Москва\n")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f, _, err := lead.Sniff(strings.NewReader(tc.in))
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Decided(); growth.CodeOf(err) != growth.Invalid {
				t.Errorf("read as %s (%q): %v", f.Encoding, f.Sample, err)
			}
			stated, _, err := lead.SniffAs(strings.NewReader(tc.in), lead.Windows1252, 0)
			if err != nil || stated.Decided() != nil {
				t.Errorf("a stated encoding is not taken: %v, %v", err, stated.Decided())
			}
		})
	}
}

func TestParseEncoding(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]lead.Encoding{
		"ISO-8859-15": lead.ISO885915, "latin9": lead.ISO885915, "Mac Roman": lead.MacRoman, "macintosh": lead.MacRoman,
		"x-mac-roman": lead.MacRoman, "UTF-8": lead.UTF8, "utf_16": lead.UTF16LE, "CP1252": lead.Windows1252,
	} {
		if got, err := lead.ParseEncoding(name); err != nil || got != want {
			t.Errorf("%s is %s (%v), want %s", name, got, err, want)
		}
	}
	if _, err := lead.ParseEncoding("ebcdic"); growth.CodeOf(err) != growth.Invalid {
		t.Errorf("ebcdic: %v", err)
	}
}
