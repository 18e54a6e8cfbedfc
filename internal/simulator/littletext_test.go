package simulator

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParseLittle(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in   string
		want littleText
	}{
		{"plain", littleText{Text: "plain"}},
		{`a \(b\) \\ \#c`, littleText{Text: `a (b) \ #c`}},
		{"cut (here) and gone", littleText{Text: "cut ", Truncated: true}},
		{"a_b", littleText{Text: "a", Truncated: true}},
		{"me@example.com", littleText{Text: "me", Truncated: true}},
		{`lone \ backslash`, littleText{Text: "lone ", Truncated: true}},
		{`ends with \`, littleText{Text: "ends with ", Truncated: true}},
		{"go #Montréal now", littleText{Text: "go #Montréal now", Hashtags: []string{"Montréal"}}},
		{`#AI\_tools`, littleText{Text: "#AI_tools", Hashtags: []string{"AI_tools"}}},
		{"# alone", littleText{Text: "", Truncated: true}},
		{"a#b", littleText{Text: "a", Truncated: true}},
		{`{hashtag|\#|café}!`, littleText{Text: "#café!", Hashtags: []string{"café"}}},
		{`Hi @[Ada \(A\)](urn:li:person:abc)`, littleText{Text: "Hi Ada (A)", Mentions: []string{"urn:li:person:abc"}}},
		{`{x}`, littleText{Truncated: true}},
	} {
		if diff := cmp.Diff(tc.want, parseLittle(tc.in)); diff != "" {
			t.Errorf("parseLittle(%q) (-want +got):\n%s", tc.in, diff)
		}
	}
}

// What is escaped character by character comes out as it was meant, whatever it is.
func TestParseLittleUndoesEscaping(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.StringOf(rapid.RuneFrom([]rune(reserved+"aé1 \n😀"))).Draw(t, "text")
		var b strings.Builder
		for _, r := range want {
			if strings.ContainsRune(reserved, r) {
				b.WriteByte('\\')
			}
			b.WriteRune(r)
		}
		got := parseLittle(b.String())
		if got.Text != want || got.Truncated {
			t.Fatalf("parseLittle(%q) = %+v, want %q", b.String(), got, want)
		}
	})
}
