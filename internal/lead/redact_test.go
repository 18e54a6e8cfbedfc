package lead

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	growth "github.com/zakibelm/astrogrowth"
)

// redacted is what one way of redaction makes of a text, and which values it keeps.
type redacted struct {
	text   string
	values []secret
}

// bothWays redacts a text about a lead in the fast and in the plain way.
func bothWays(l growth.Lead, text string, free bool) (fast, plain redacted) {
	var a, b Secrets
	quick := redactor{secrets: &a, names: nameWords(l.ContactName)}
	slow := plainRedactor{secrets: &b, names: nameWords(l.ContactName)}
	for _, f := range privateOrder {
		value, kind := Visible(fieldText(&l, f)), privateFields[f]
		if value == "" {
			continue
		}
		quick.finders = append(quick.finders, literal(kind, value, a.hide(kind, value)))
		slow.finders = append(slow.finders, plainLiteral(kind, value, b.hide(kind, value)))
	}
	text = Visible(text)
	return redacted{quick.clean(text, free), a.values}, redacted{slow.clean(text, free), b.values}
}

// fragments are the pieces out of which texts are made that the forms almost find.
var fragments = []string{
	"514", "555", "0199", "5145550199", "+1 ", "+33 6 12 34 56 78", "06 12 34 56 78", "(514) 555-0199", "1", "12", "12345", "123456", "0", "+",
	"(", ")", "-", ".", ",", " ", " ", " ", "\n", "\u00a0", "\u2010", "\u2013", "/", "'", "\u2019", "_", "é", "É", "ſ", "\u212a", "ı", "a", "S", "²", "½",
	"rue", "Rue des Érables", "boul.", "BOUL", "av", "chemin", "Ch. du Lac", "côte", "Montée", "mont", "des", "d'", "ouest", "app. 3", "bureau #2",
	"Main Street", "ſtreet", "Old Mill Road", "st.", "Ave", "lane", "suite", "boulevard", "Boulevard Saint-Laurent",
	"M.", "MM.", "Mme", "Me", "Dr", "Dre", "Mr", "Mrs", "Ms", "Prof.", "Tremblay", "Roy", "Jean-Luc", "JEAN", "gagne", "Gagné", "JeanLucGagné",
	"je m'appelle", "Je m\u2019appelle ", "mon nom est ", "My name is ", "moi c'est", "je me nomme ",
	"@", "(at)", "[AT]", "(at]", "at", "jl", "example.com", "x.ca", "a@b", "jl.gagne@example.com", "%", "\u0345",
	"https://", "www.linkedin.com/in/ann", "LIN\u212aEDIN.com/in/bob", "linkedin", "fr.linkedin.com/in/", "[NAME_1]", "[email_2", "[", "]", "4230", "4230A",
}

// The fast way finds what the plain one finds: no more, no less, in the same order.
func TestRedactionIsAsThePlainOne(t *testing.T) {
	t.Parallel()
	piece := rapid.SampledFrom(fragments)
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string, most int) string {
			s := ""
			for _, f := range rapid.SliceOfN(piece, 0, most).Draw(t, name) {
				s += f
			}
			return s
		}
		l := growth.Lead{ContactName: draw("name", 4), Email: draw("email", 3), Phone: draw("phone", 5), Address: draw("address", 5), LinkedInURL: draw("linkedin", 3)}
		text := draw("text", 40)
		for _, free := range []bool{false, true} {
			if fast, plain := bothWays(l, text, free); fast.text != plain.text || !slices.Equal(fast.values, plain.values) {
				t.Fatalf("%q of %+v\n fast %q %q\nplain %q %q", text, l, fast.text, fast.values, plain.text, plain.values)
			}
		}
	})
}

// FuzzRedaction holds the same of any text.
func FuzzRedaction(f *testing.F) {
	f.Add("Jean Roy", "jean@x.ca", "514 555-0199", "1 rue A", "Jean Roy 514-555-0199 jean@x.ca 1, rue A", true)
	f.Add("Ann", "", "", "", "12 Old Mill Road, Mme Côté, je m'appelle Luc; a @ b @ c.d", true)
	f.Add("M. Roy", "a(at)b.ca", "+33 6 12 34 56 78", "4230A Boul. Saint-Laurent", "06 12 34 56 78 linkedin.com/in/x [NAME_1]", false)
	f.Add("½", "@", "11111", "", "(111) 1111-1111 111111+1111", true)
	f.Fuzz(func(t *testing.T, name, email, phone, street, text string, free bool) {
		l := growth.Lead{ContactName: name, Email: email, Phone: phone, Address: street}
		if fast, plain := bothWays(l, text, free); fast.text != plain.text || !slices.Equal(fast.values, plain.values) {
			t.Fatalf("fast %q %q\nplain %q %q", fast.text, fast.values, plain.text, plain.values)
		}
	})
}

// Words are folded from a table; Fold is its measure.
func TestWordsFoldAsTextsDo(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := rapid.StringOf(rapid.RuneFrom(nil, unicode.L, unicode.N, unicode.M)).Draw(t, "word")
		if got, want := foldWord(w), strings.ReplaceAll(Fold(w), " ", ""); got != want {
			t.Fatalf("%q folds to %q, want %q", w, got, want)
		}
	})
	for r := range rune(0x400) {
		if got, want := foldWord("a"+string(r)), strings.ReplaceAll(Fold("a"+string(r)), " ", ""); got != want {
			t.Errorf("%U folds to %q, want %q", r, got, want)
		}
	}
}
