package tasks_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/content"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/tasks"
)

// goldenBriefs are four trades in two languages, each with facts that a post may state.
var goldenBriefs = map[string]tasks.ContentArgs{
	"restaurant, French": {
		Topic: "Le menu d'automne est arrivé", Language: "fr-CA", Audience: "les amateurs de bonne table", Tone: "chaleureux",
		Brief: "Le chef met la courge et le canard à la carte. Les légumes viennent de 3 fermes de la Montérégie. Le menu du midi est à 24 $ dès le 6 octobre.",
		CTA:   "Réservez votre table", Link: "https://bistro.example/menu", Hashtags: []string{"Montréal"},
	},
	"restaurant, English": {
		Topic: "Our autumn menu is here", Language: "en-CA", Audience: "people who love good food", Tone: "warm",
		Brief: "The chef brings squash and duck to the table. The vegetables come from 3 farms nearby. Lunch is $24 from October 6.",
		CTA:   "Book your table", Link: "https://bistro.example/menu",
	},
	"dentist, French": {
		Topic: "Calmer un enfant avant le dentiste", Language: "fr-CA", Audience: "les parents de jeunes enfants", Tone: "professionnel",
		Brief: "Racontez la visite à l'enfant avec une histoire simple. Apportez un jouet préféré. La première visite dure 20 minutes.",
		CTA:   "Prenez rendez-vous",
	},
	"dentist, English": {
		Topic: "How to calm a child before the dentist", Language: "en-CA", Audience: "parents of young children", Tone: "professional",
		Brief: "Tell the child a simple story about the visit. Bring a favourite toy. The first visit takes 20 minutes.", CTA: "Book a visit",
	},
	"real-estate agent, French": {
		Topic: "Vendre sa maison en hiver", Language: "fr-CA", Audience: "les propriétaires de Québec",
		Brief: "Dégagez l'entrée et allumez toutes les lampes avant chaque visite. Les photos d'été restent utiles pour montrer le jardin.", CTA: "Demandez une évaluation",
	},
	"real-estate agent, English": {
		Topic: "Selling a home in winter", Language: "en-CA", Audience: "home owners",
		Brief: "Clear the driveway and switch on every lamp before a visit. Summer photos still help to show the garden.", CTA: "Ask for a valuation",
	},
	"SaaS, French": {
		Topic: "Moins de saisie pour les petites équipes", Language: "fr-CA", Audience: "les responsables des finances",
		Brief: "Notre logiciel lit les factures et propose les écritures. L'essai dure 14 jours. Les données restent au Canada.", CTA: "Essayez avec vos propres factures", Link: "https://compta.example",
	},
	"SaaS, English": {
		Topic: "Less typing for small teams", Language: "en-CA", Audience: "finance managers",
		Brief: "Our software reads invoices and proposes the entries. The trial lasts 14 days. The data stays in Canada.", CTA: "Try it with your own invoices", Link: "https://books.example",
	},
}

// guide reads the voice of a real house from the test data.
func guide(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("ASTROGROWTH_TESTDATA")
	if dir == "" {
		t.Skip("ASTROGROWTH_TESTDATA is not set: the brand guide is not there")
	}
	files, err := filepath.Glob(filepath.Join(dir, "brand_guide_18f_*.md"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no brand guide in the test data: %v", err)
	}
	var all strings.Builder
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}

// house stores a brand of the plant's workspace.
func (p *plant) house(change func(*growth.Brand)) growth.Brand {
	p.t.Helper()
	none := 0
	b := growth.Brand{
		Name: "Atelier", TrustAfter: &none, Banned: []string{"garanti", "guaranteed", "guérit", "cures"},
		Claims: []growth.Claim{{Text: "Fondée en 2011 / founded in 2011", Source: "registre des entreprises"}},
	}
	if change != nil {
		change(&b)
	}
	if err := content.CheckBrand(b, ""); err != nil {
		p.t.Fatal(err)
	}
	b, err := p.sc.CreateBrand(p.t.Context(), b)
	p.must(err)
	return b
}

func TestGoldenBriefsKeepEveryRule(t *testing.T) {
	t.Parallel()
	voice := guide(t)
	w, p := newWorld(t), newPlant(t)
	p.writes(w.chain())
	brand := p.house(func(b *growth.Brand) { b.Voice = voice })
	for name, args := range goldenBriefs {
		args.BrandID, args.AutoApprove = brand.ID, &tasks.AutoApprove{}
		v := result[written](t, p.becomes(p.enqueue(args, growth.JobOptions{}), growth.JobSucceeded)).Variants[0]
		var kept []string
		for _, c := range v.Checks {
			if !c.OK {
				t.Errorf("%s: %s: %s\n%s", name, c.Rule, c.Detail, v.Body)
			}
			kept = append(kept, c.Rule)
		}
		c, err := p.sc.Content(t.Context(), v.ContentID)
		p.must(err)
		if v.Status != growth.ContentApproved || v.Score < content.DefaultThreshold || c.ScoreParts.Judge == nil || c.ScoreParts.Rules != 100 {
			t.Errorf("%s: %s with score %d (%+v)", name, v.Status, v.Score, c.ScoreParts)
		}
		if c.PromptVersion != "content.v2" || c.BrandID == nil || *c.BrandID != brand.ID || router.Lineage(c.Model) == router.Lineage(c.JudgeModel) {
			t.Errorf("%s: prompt %q, brand %v, written by %q, judged by %q", name, c.PromptVersion, c.BrandID, c.Model, c.JudgeModel)
		}
		for _, rule := range []string{
			content.RuleLength, content.RuleFold, content.RuleHashtags, content.RuleBanned, content.RuleNumbers, content.RuleLinks, content.RuleLanguage,
			content.RuleTypography, content.RulePlaceholder, content.RuleApology, content.RuleCloseness, content.RuleElsewhere, content.RuleClaims, content.RuleTone, content.RuleSameModel,
		} {
			if !slices.Contains(kept, rule) {
				t.Errorf("%s: the rule %s was not tried", name, rule)
			}
		}
		t.Logf("%-27s %s score %d (rules %d, judge %d), %d rules kept, %s judged by %s",
			name, v.Status, v.Score, c.ScoreParts.Rules, *c.ScoreParts.Judge, len(kept), c.Model, c.JudgeModel)
	}
}
