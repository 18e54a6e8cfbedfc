package content_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/content"
)

func TestPostOfAnotherWorkspaceIsRefusedWithoutShowingIt(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body, theirs string
		close        bool
	}{
		"the same":               {goodFR, goodFR, true},
		"other case and accents": {goodFR, strings.ToUpper(goodFR), true},
		"theirs and more":        {goodEN + "\n\nAnd bring a friend.", goodEN, true},
		"another post":           {goodFR, "Nos dentistes répondent à vos questions sur les soins des enfants.", false},
		"another language":       {goodFR, goodEN, false},
		"an empty one":           {goodFR, "", false},
	} {
		near := content.Nearby{Elsewhere: []content.Sketch{content.SketchOf("Tout autre chose."), content.SketchOf(tc.theirs)}}
		for _, c := range content.Check(goodDraft(tc.body), content.Brief{}, growth.Brand{}, near) {
			if c.Rule != content.RuleElsewhere {
				continue
			}
			if c.OK == tc.close || !c.Hard {
				t.Errorf("%s: %+v, want close %v", name, c, tc.close)
			}
			if strings.ContainsAny(c.Detail, "0123456789") {
				t.Errorf("%s: %q says how close it is", name, c.Detail)
			}
		}
	}
}

// The digests are kept: a program of tomorrow must make the same of the same text.
func TestSketchStaysTheSame(t *testing.T) {
	t.Parallel()
	if got := fmt.Sprintf("%x", content.SketchOf("Un café crème, s'il vous plaît")); got != "3e0167825a44e8cfb3fb4bfeb8872662" {
		t.Errorf("sketch = %s", got)
	}
	if long := content.SketchOf(strings.Repeat("autres mots ", 9000)); len(long) > 4*1500 || len(long)%4 != 0 {
		t.Errorf("%d bytes", len(long))
	}
	if content.SketchOf(" \n") == nil || len(content.SketchOf("")) != 0 {
		t.Error("an empty text has an empty sketch")
	}
}

func TestAuditTakesFiveOfAHundred(t *testing.T) {
	t.Parallel()
	const texts = 20_000
	n := 0
	for i := range texts {
		if content.InAudit(content.Hash(fmt.Sprint(i), "", nil, "", nil)) {
			n++
		}
	}
	if share := float64(n) / texts; share < 0.045 || share > 0.055 {
		t.Errorf("%.3f of the texts, want 0.05", share)
	}
	if !content.InAudit("") || !content.InAudit("not a hash") {
		t.Error("what has no hash of ours is looked at")
	}
}

func TestBrandKitsAreChecked(t *testing.T) {
	t.Parallel()
	minus := -1
	for field, b := range map[string]growth.Brand{
		"brand.name":             {},
		"brand.voice":            {Name: "a", Voice: strings.Repeat("x", 20_001)},
		"brand.samples":          {Name: "a", Samples: slices.Repeat([]string{"x"}, 11)},
		"brand.use[1]":           {Name: "a", Use: []string{"x", " "}},
		"brand.banned[0]":        {Name: "a", Banned: []string{strings.Repeat("x", 201)}},
		"brand.claims[0].text":   {Name: "a", Claims: []growth.Claim{{Source: "s"}}},
		"brand.claims[0].source": {Name: "a", Claims: []growth.Claim{{Text: "the best"}}},
		"brand.trust_after":      {Name: "a", TrustAfter: &minus},
		"brand.language":         {Name: "a", Language: "de"},
	} {
		err := content.CheckBrand(b, "brand.")
		if growth.CodeOf(err) != growth.Invalid || !strings.Contains(fmt.Sprintf("%+v", fieldOf(err)), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	if err := content.CheckBrand(growth.Brand{Name: "a", Language: "fr-CA", Claims: []growth.Claim{{Text: "b", Source: "c"}}}, ""); err != nil {
		t.Error(err)
	}
}

func fieldOf(err error) string {
	if e, ok := err.(*growth.Error); ok { //nolint:errorlint // made right there
		return e.Field
	}
	return ""
}

func TestFoldKeepsSignsWhole(t *testing.T) {
	t.Parallel()
	above, below := content.Fold(strings.Repeat("a", 209) + "e\u0301" + "fin")
	if above != strings.Repeat("a", 209) || below != "e\u0301fin" {
		t.Errorf("above ends with %q, below is %q", above[len(above)-3:], below)
	}
	if above, below = content.Fold("court"); above != "court" || below != "" {
		t.Errorf("%q and %q", above, below)
	}
	if above, _ = content.Fold(strings.Repeat("👍", 200)); content.Length(above) != content.FoldChars {
		t.Errorf("%d units above the fold", content.Length(above))
	}
	p := content.PreviewOf(content.Draft{Body: strings.Repeat("mot ", 100), Hashtags: []string{"a"}})
	if p.Text != p.AboveFold+p.BelowFold || p.Characters != content.Length(p.Text) || !strings.HasSuffix(p.Text, "#a") {
		t.Errorf("preview %+v", p)
	}
}

func TestOneForeignSentenceInAParagraph(t *testing.T) {
	t.Parallel()
	french := "Chaque printemps, les restaurants du quartier rouvrent leurs terrasses sans le dire à personne. "
	got := check(t, content.RuleLanguage, goodDraft(french+"Come and see us on the patio this week with your team. "+french), content.Brief{Language: "fr-CA"}, growth.Brand{})
	if got.OK || !strings.Contains(got.Detail, "Come and see us") {
		t.Errorf("%+v", got)
	}
}

func TestTypesetCostsNoRevision(t *testing.T) {
	t.Parallel()
	d := content.Draft{
		Title: "Voici: la carte",
		Body:  "« Bonjour » ! Un menu à 45 $ : goûtez ; dès 18:30 ?\nSur https://x.example/a:b?c=1 : venez, 10 % de rabais.",
	}
	want := content.Draft{
		Title: "Voici\u00a0: la carte",
		Body: "«\u00a0Bonjour\u00a0»\u00a0! Un menu à 45\u00a0$\u00a0: goûtez\u00a0; dès 18:30\u00a0?\n" +
			"Sur https://x.example/a:b?c=1\u00a0: venez, 10\u00a0% de rabais.",
	}
	got := content.Typeset(d, "fr-CA")
	if got.Title != want.Title || got.Body != want.Body {
		t.Errorf("got %q", got)
	}
	if again := content.Typeset(got, "fr-CA"); again.Body != got.Body {
		t.Errorf("again %q", again.Body)
	}
	for _, language := range []string{"fr-CA", "fr-FR"} {
		if c := check(t, content.RuleTypography, got, content.Brief{Language: language}, growth.Brand{}); !c.OK {
			t.Errorf("%s: %s", language, c.Detail)
		}
	}
	if france := content.Typeset(content.Draft{Body: "Un «mot» juste! Voici."}, "fr-FR"); france.Body != "Un «\u00a0mot\u00a0» juste\u202f! Voici." {
		t.Errorf("in France %q", france.Body)
	}
	if other := content.Typeset(d, "en-CA"); other.Body != d.Body {
		t.Errorf("English: %q", other.Body)
	}
}
