package content_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/content"
)

const goodFR = "Votre terrasse est prête, mais vos clients le savent-ils?\n\n" +
	"Chaque printemps, les restaurants du quartier rouvrent leurs terrasses sans le dire à personne. " +
	"Une photo, deux phrases et l'heure d'ouverture font souvent la différence.\n\n" +
	"Écrivez-nous pour en parler, nous connaissons bien le quartier."

const goodEN = "Your patio is ready, but do your customers know?\n\n" +
	"Every spring the restaurants on our street open their patios without telling anyone. " +
	"One photo and two lines about your hours often make the difference.\n\n" +
	"Write to us and we will talk it through with you."

const longerFR = "Notre équipe passe aussi chez vous pour prendre les photos, choisir les mots et préparer le calendrier de la saison avec votre chef. " +
	"Nous regardons ensemble ce que vos voisins affichent, ce que vos clients demandent au téléphone et ce qui manque sur votre page. " +
	"Ensuite, nous écrivons trois publications simples que vous approuvez depuis votre cuisine, entre deux services, sans ouvrir un seul tableau."

// changedFR is goodFR with a word in six changed.
const changedFR = "Votre terrasse est prête, mais tes clients le savent-ils?\n\n" +
	"Chaque été, les restaurants du coin rouvrent leurs terrasses sans l'annoncer à personne. " +
	"Une image, deux phrases et les heures d'ouverture font parfois la différence.\n\n" +
	"Appelez-nous pour en parler, nous connaissons très bien le quartier."

const spanish = "Su hijo viene por primera vez a nuestra clínica?\n\n" +
	"Cuéntele una historia sencilla y traiga su juguete preferido para la visita con el dentista."

func goodDraft(body string) content.Draft {
	return content.Draft{Title: "Terrasse", Body: body, Hashtags: []string{"#Restaurants", "#Montréal", "#Terrasse"}}
}

// check runs all rules and gives the one asked for.
func check(t *testing.T, rule string, d content.Draft, b content.Brief, brand growth.Brand, earlier ...string) growth.Check {
	t.Helper()
	for _, c := range content.Check(d, b, brand, content.Nearby{Posts: earlier}) {
		if c.Rule == rule {
			if c.OK != (c.Detail == "") {
				t.Errorf("%s: ok %v with detail %q", rule, c.OK, c.Detail)
			}
			return c
		}
	}
	t.Fatalf("no rule %s", rule)
	return growth.Check{}
}

func TestGoodPostsPassEveryRule(t *testing.T) {
	t.Parallel()
	for language, body := range map[string]string{"fr-CA": goodFR, "en-CA": goodEN} {
		for _, c := range content.Check(goodDraft(body), content.Brief{Language: language}, growth.Brand{}, content.Nearby{}) {
			if !c.OK {
				t.Errorf("%s: %s: %s", language, c.Rule, c.Detail)
			}
		}
	}
}

// TestRules is one table for the rules that look at the draft and the brief alone. Each has posts in both languages that
// keep it and that break it.
func TestRules(t *testing.T) {
	t.Parallel()
	brief := content.Brief{
		Topic: "Soirée vins le 15 mars 2026", Brief: "Menu à 45 $, 20 places, rabais de 10 %, budget 8k CAD, 1 700 clients, ouvert de 18h30 à 22 h, " +
			"le dimanche de 9 à 17 h, depuis quinze ans, téléphone 514 555-0199",
		Link: "https://bistro.example/menu", Business: map[string]string{"google_rating": "4.6", "website": "bistro.example"},
	}
	for _, tc := range []struct {
		rule, language, body string
		want                 string // "" when the rule is kept
	}{
		{content.RuleLength, "fr", "Bonjour à tous.", ""},
		{content.RuleLength, "en", strings.Repeat("a", 2900), ""},
		{content.RuleLength, "fr", strings.Repeat("é", 2980), "3014 characters"},
		{content.RuleLength, "en", strings.Repeat("👍", 1490), "3014 characters"}, // two units each

		{content.RuleFold, "fr", "Une phrase courte. " + strings.Repeat("suite ", 80), ""},
		{content.RuleFold, "fr", strings.Repeat("très longue phrase ", 14) + ".", "fold cuts"},
		{content.RuleFold, "en", "#Deals\nCome and see.", "hashtag or a link"},
		{content.RuleFold, "en", "Wow!\n" + strings.Repeat("more words ", 30), "says nothing"},

		{content.RuleNumbers, "fr", "Le menu est à 45 $, il reste 20 places et 1700 clients nous suivent.", ""},
		{content.RuleNumbers, "en", "The menu is $45, with 10% off and 1,700 customers.", ""},
		{content.RuleNumbers, "fr", "Notre note Google est de 4,6.", ""},
		{content.RuleNumbers, "fr", "Rendez-vous le 15 mars à 18 h 30, le budget est de 8 000 $.", ""},
		{content.RuleNumbers, "en", "Join us on March 15, 2026.", ""},
		{content.RuleNumbers, "en", "Three tips:\n1. Taste\n2. Smell\n3. Talk", ""},
		{content.RuleNumbers, "fr", "Trois conseils :\n1️⃣ Goûter\n2️⃣ Sentir", ""},
		{content.RuleNumbers, "en", "B2B in 3D near H2L 2J5.", ""},
		{content.RuleNumbers, "fr", "Déjà 95 % de nos clients reviennent.", "95 %"},
		{content.RuleNumbers, "fr", "Une hausse de 20 % des ventes.", "20 %"}, // 20 places are not 20 %
		{content.RuleNumbers, "en", "Join 5,000 happy customers.", "5,000"},
		{content.RuleNumbers, "en", "Only $20 a head.", "$20"},
		{content.RuleNumbers, "fr", "Rendez-vous le 20 mars.", "20 mars"}, // both 20 and March are known, the day is not
		{content.RuleNumbers, "en", "Since 1998 in the neighbourhood.", "1998"},
		{content.RuleNumbers, "fr", "Deux parents sur trois nous choisissent.", "deux parents sur trois"},
		{content.RuleNumbers, "en", "Nine out of ten parents agree, one in three twice.", "nine out of ten, one in three"},
		{content.RuleNumbers, "fr", "Quatre-vingt-dix pour cent des clients reviennent.", "quatre vingt dix pour cent"},
		{content.RuleNumbers, "fr", "Trois fois moins d'attente.", "trois fois moins"},
		{content.RuleNumbers, "en", "Five times faster.", "five times faster"},
		{content.RuleNumbers, "fr", "Depuis 20 ans dans le quartier.", "20"}, // 20 places are not 20 years
		{content.RuleNumbers, "fr", "Déjà ９９ familles.", "99"},
		{content.RuleNumbers, "fr", "Notre 40e anniversaire.", "40"},
		{content.RuleNumbers, "fr", "Appelez le 438 555-7777.", "438"},
		{content.RuleNumbers, "fr", "3 conseils pour la terrasse.", "3"},
		{content.RuleNumbers, "fr", "3 fermes :\n- Une\n- Deux\n- Trois", "3"},
		{content.RuleNumbers, "fr", "3 conseils :\n- Goûter\n- Sentir\n- Parler", ""},
		{content.RuleNumbers, "en", "3 tips:\n1. Taste\n2. Smell\n3. Talk", ""},
		{content.RuleNumbers, "fr", "La 1re visite, le 2e rendez-vous, la 3e fois.", ""},
		{content.RuleNumbers, "fr", "Ouvert de 9\u00a0h\u00a000 à 22:00, fermé dès 22 h.", ""},
		{content.RuleNumbers, "fr", "Venez à notre 5 à 7, on répond 24/7.", ""},
		{content.RuleNumbers, "fr", "Les enfants de 5 à 7 ans.", "5"},
		{content.RuleNumbers, "fr", "Appelez le 514-555-0199 ou (514) 555.0199.", ""},
		{content.RuleNumbers, "fr", "Dix pour cent de rabais, depuis 15 ans.", ""},
		{content.RuleNumbers, "fr", "Deux ateliers sur trois jours, six jours sur sept, une vue sur deux places.", ""},
		{content.RuleNumbers, "en", "Rated number one in 2026, one of two in the city.", ""},

		{content.RuleLinks, "fr", "Réservez sur https://www.bistro.example/menu.", ""},
		{content.RuleLinks, "en", "Book at bistro.example today.", ""},
		{content.RuleLinks, "fr", "Réservez sur https://evil.example/menu.", "evil.example/menu"},
		{content.RuleLinks, "en", "Book at cheap-wine.com today.", "cheap-wine.com"},
		{content.RuleLinks, "fr", "Réservez : bit.ly/menu-vin.", "bit.ly/menu-vin"},
		{content.RuleLinks, "en", "Book at lnkd.in/abc or forms.gle/xyz.", "lnkd.in/abc, forms.gle/xyz"},
		{content.RuleLinks, "en", "Made with Next.js/React and Node.js, for B.A./M.A. and/or others.", ""},

		{content.RuleLanguage, "fr-CA", goodFR, ""},
		{content.RuleLanguage, "en-CA", goodEN, ""},
		{content.RuleLanguage, "fr-CA", goodEN, "in English, asked for is French"},
		{content.RuleLanguage, "en-CA", goodFR, "in French, asked for is English"},
		{content.RuleLanguage, "fr-CA", goodFR + "\n\nCome and see us on the patio this week, we will be there for you.", "a part is in English"},
		{content.RuleLanguage, "fr-CA", "Happy Hour chez nous", ""},
		{content.RuleLanguage, "fr-CA", spanish, "in Spanish, asked for is French"},
		{content.RuleLanguage, "en-CA", spanish, "in Spanish, asked for is English"},
		{content.RuleLanguage, "fr-CA", "Zażółć gęślą jaźń " + strings.Repeat("kolejny dzień pracy ", 7), "in another language"},
		{content.RuleLanguage, "fr-CA", "Smile bright kids love visiting our clinic. Happy families share great stories here.\n\n" + goodFR, "a part is in English"},
		{content.RuleLanguage, "fr-CA", "Au menu : huîtres, homard, crevettes, pétoncles, turbot, flétan, truite.\n\nVenez chez nous goûter homard, bavette, frites et gâteau, avec un verre.", ""},
		{content.RuleLanguage, "de-DE", goodEN, ""},

		{content.RuleTypography, "fr-CA", "Bonjour! Voici\u00a0: une «\u00a0belle\u00a0» soirée à 45\u00a0$; venez.", ""},
		{content.RuleTypography, "fr-CA", "Bonjour ! Venez.", "before : ; ! ? »"},
		{content.RuleTypography, "fr-CA", "Une \"belle\" soirée.", "« »"},
		{content.RuleTypography, "fr-CA", "Voici: une soirée.", "before :"},
		{content.RuleTypography, "fr-CA", "Une « belle » soirée.", "behind «"},
		{content.RuleTypography, "fr-CA", "Un menu à 45 $.", "between a number"},
		{content.RuleTypography, "fr-FR", "Bonjour! Venez.", "before ; ! ?"},
		{content.RuleTypography, "fr-FR", "Bonjour\u202f! Venez.", ""},
		{content.RuleTypography, "fr-CA", "Ouvert dès 18:30 sur https://x.example/a?b=c.", ""},
		{content.RuleTypography, "en-CA", "Hello ! A \"nice\" evening.", ""},

		{content.RulePlaceholder, "fr", "[EMPLOI] Nous cherchons un chef [sic] (urgent).", ""},
		{content.RulePlaceholder, "fr", "Bonjour [NAME_1], venez.", "[NAME_1]"},
		{content.RulePlaceholder, "fr", "Chez [Nom de l'entreprise], on goûte.", "[Nom de l'entreprise]"},
		{content.RulePlaceholder, "fr", "[Insérez votre lien ici]", "[Insérez votre lien ici]"},
		{content.RulePlaceholder, "en", "Hello {{first_name}}.", "{{first_name}}"},
		{content.RulePlaceholder, "en", "At [Your Company] we care.", "[Your Company]"},
		{content.RulePlaceholder, "en", "Lorem ipsum dolor.", "Lorem ipsum"},
		{content.RulePlaceholder, "en", "Save XX% today.", "XX%"},
		{content.RulePlaceholder, "en", "Hi {name}, hello.", "{name}"},
		{content.RulePlaceholder, "fr", "Rendez-vous le [à compléter].", "[à compléter]"},
		{content.RulePlaceholder, "fr", "Bonjour [Prénom], venez.", "[Prénom]"},
		{content.RulePlaceholder, "fr", "Appelez le [numéro de téléphone].", "[numéro de téléphone]"},
		{content.RulePlaceholder, "fr", "Le [date et heure] au [lieu].", "[date et heure]"},
		{content.RulePlaceholder, "fr", "Une visite chez (nom de la clinique).", "(nom de la clinique)"},
		{content.RulePlaceholder, "fr", "Une visite (à préciser).", "(à préciser)"},
		{content.RulePlaceholder, "fr", "On se voit le ______ à midi.", "______"},
		{content.RulePlaceholder, "en", "Come to [Clinic Name] today.", "[Clinic Name]"},
		{content.RulePlaceholder, "en", "Come to (your company name) or (company name).", "(your company name)"},
		{content.RulePlaceholder, "en", "Call us <insert link here>.", "<insert link here>"},
		{content.RulePlaceholder, "fr", "[NOUVELLE DATE] Le marché (et son nom le dit) revient.\n______\nUn formulaire (à compléter en ligne) vous attend.", ""},
		{content.RulePlaceholder, "en", "[UPDATE] A place (the name says it) to meet [and eat].", ""},

		{content.RuleApology, "fr", "Je ne peux pas vivre sans fromage.", ""},
		{content.RuleApology, "en", "I can't believe it has been a year. Here is the wine list.", ""},
		{content.RuleApology, "fr", "Voici la version 2 de notre carte.", ""},
		{content.RuleApology, "fr", "En tant qu'IA, je ne bois pas.", "en tant qu ia"},
		{content.RuleApology, "fr", "Je suis désolé, mais ce sujet est délicat.", "je suis desole mais"},
		{content.RuleApology, "fr", "Voici votre publication LinkedIn :", "voici votre publication"},
		{content.RuleApology, "fr", "Je ne peux pas rédiger ce texte.", "je ne peux pas rediger"},
		{content.RuleApology, "en", "As an AI language model, I love wine.", "as an ai"},
		{content.RuleApology, "en", "Sure! Here's your post:", "sure here"},
		{content.RuleApology, "en", "Here is a LinkedIn post about wine.", "here is a linkedin post"},
		{content.RuleApology, "en", "I'm sorry, but no.", "i m sorry"},
		{content.RuleApology, "en", "Absolutely! Here is a warm LinkedIn post you can use:\n\nTaste it.", "absolutely here is a warm linkedin post"},
		{content.RuleApology, "fr", "Avec plaisir! Voici une proposition de publication :\n\nGoûtez.", "avec plaisir voici"},
		{content.RuleApology, "fr", "Voici le texte demandé :\n\nGoûtez.", "voici le texte demande"},
		{content.RuleApology, "fr", "Sorry, but I cannot taste.", "sorry but i can"},
		{content.RuleApology, "fr", "Malheureusement, je ne peux pas goûter.", "malheureusement je ne peux pas"},
		{content.RuleApology, "en", "Taste it.\n\nLet me know if you'd like me to adjust the tone or make it shorter!\n\n#Wine", "let me know if you d like"},
		{content.RuleApology, "en", "Taste it.\n\nFeel free to edit this post.", "feel free to edit"},
		{content.RuleApology, "en", "Taste it.\n\nNote: this post uses the brand voice.", "note this post"},
		{content.RuleApology, "fr", "Goûtez.\n\nN'hésitez pas à me dire si vous souhaitez que je modifie ce texte.", "n hesitez pas a me dire"},
		{content.RuleApology, "fr", "Goûtez.\n\nDites-moi si vous voulez que j'ajuste le ton.", "dites moi si"},
		{content.RuleApology, "fr", "Malheureusement, je ne compte plus les enfants qui arrivent inquiets.", ""},
		{content.RuleApology, "fr", "Voici le texte que nous lisons à chaque enfant avant sa première visite.", ""},
		{content.RuleApology, "fr", "« Je ne peux pas créer de liens avec mon dentiste », disait un patient.", ""},
		{content.RuleApology, "fr", "Parfait pour l'été. Voici notre carte.\n\nN'hésitez pas à me dire si ce texte vous parle, ou à adapter la recette.", ""},
		{content.RuleApology, "en", "Sorry, but nobody likes the sound of the drill.", ""},
		{content.RuleApology, "en", "Unfortunately, I see many children who are afraid.\n\nLet me know if you'd like a table, and feel free to change your mind.", ""},
		{content.RuleApology, "en", "Of course we are open. Here is a story about wine.\n\nLet me know if you'd like me to send you the list.", ""},
	} {
		t.Run(tc.rule+" "+tc.language, func(t *testing.T) {
			t.Parallel()
			b := brief
			b.Language = tc.language
			got := check(t, tc.rule, goodDraft(tc.body), b, growth.Brand{})
			switch {
			case tc.want == "" && !got.OK:
				t.Errorf("%.60q is turned down: %s", tc.body, got.Detail)
			case tc.want != "" && (got.OK || !strings.Contains(got.Detail, tc.want)):
				t.Errorf("%.60q: ok %v %q, want a fault with %q", tc.body, got.OK, got.Detail, tc.want)
			}
		})
	}
}

func TestHashtags(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		tags  []string
		body  string
		asked []string
		want  string
	}{
		{"three", []string{"#Vin", "Montréal", "##Bistro_2"}, "x", nil, ""},
		{"two and one in the text", []string{"Vin", "Bistro"}, "Vive #Montréal", nil, ""},
		{"the same in the text", []string{"Vin", "Bistro", "Montréal"}, "Vive #montreal", nil, ""},
		{"asked for", []string{"PetitesEntreprises", "b", "c"}, "x", []string{"#petites entreprises"}, ""},
		{"two", []string{"a", "b"}, "x", nil, "has 2 hashtags"},
		{"six", []string{"a", "b", "c", "d", "e"}, "x #f", nil, "has 6 hashtags"},
		{"twice", []string{"Été", "ete", "c"}, "x", nil, "comes twice"},
		{"a space", []string{"deux mots", "b", "c"}, "x", nil, "is no hashtag"},
		{"digits only", []string{"2026", "b", "c"}, "x", nil, "is no hashtag"},
		{"missing", []string{"a", "b", "c"}, "x", []string{"Vin"}, "asks for #Vin"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := check(t, content.RuleHashtags, content.Draft{Body: tc.body, Hashtags: tc.tags}, content.Brief{Hashtags: tc.asked}, growth.Brand{})
			if got.OK != (tc.want == "") || !strings.Contains(got.Detail, tc.want) {
				t.Errorf("ok %v %q, want %q", got.OK, got.Detail, tc.want)
			}
		})
	}
}

func TestBannedWords(t *testing.T) {
	t.Parallel()
	brand := growth.Brand{Banned: []string{"garanti", "guérit le cancer", "guaranteed", "cures", "meilleur prix", "journal", "bar", "soigner"}}
	for body, found := range map[string]bool{
		"Résultats garantis!":                   true,
		"Une réussite GARANTIE.":                true,
		"Nous garantissons tout.":               true,
		"We guarantee it.":                      true,
		"It will cure you, really curing.":      true,
		"Ce vin guérit le\ncancer":              true,
		"#GuaranteedResults":                    true,
		"Les meilleurs prix en ville":           true,
		"Nos journaux préférés":                 true,
		"Notre équipe garantit le prix.":        true,
		"Nous garantirons le prix.":             true,
		"Il peut guérir le cancer.":             true,
		"Nous guérissons le cancer.":            true,
		"Résultat g a r a n t i.":               true,
		"C'est g.a.r.a.n.t.i.e.s":               true,
		"Résultat gаrаnti, et 𝗴𝗮𝗿𝗮𝗻𝘁𝗶":          true, // Cyrillic а
		"Le vin soignera tout.":                 true,
		"Nous soignons tout, soignez-vous.":     true,
		"Un vin soigneux, Gare du Nord, un gar": false,
		"L'a-t-on dit à G. A. Roy?":             false,
		"Un gant de cuisine, une curiosité.":    false,
		"Il guérit les rhumes, pas le cancer.":  false,
		"Le prix du meilleur vin":               false,
		"Une barre de chocolat, bare":           false,
		"Le cancérologue guérit, un cancer non": false,
	} {
		if got := check(t, content.RuleBanned, content.Draft{Body: body}, content.Brief{}, brand); got.OK == found || !got.Hard {
			t.Errorf("%q: %+v, want found %v", body, got, found)
		}
	}
	if got := check(t, content.RuleAvoid, content.Draft{Body: "Quelle synergie"}, content.Brief{}, growth.Brand{Avoid: []string{"synergies"}}); got.OK || got.Hard {
		t.Errorf("avoided word: %+v, want a soft fault", got)
	}
}

func TestNumbersOfClaims(t *testing.T) {
	t.Parallel()
	brand := growth.Brand{Claims: []growth.Claim{{Text: "92 % de clients satisfaits", Source: "sondage 2025"}}}
	if got := check(t, content.RuleNumbers, goodDraft("92 % de nos clients sont satisfaits."), content.Brief{}, brand); !got.OK {
		t.Errorf("a claim's figure is turned down: %s", got.Detail)
	}
	if got := check(t, content.RuleNumbers, goodDraft("93 % de nos clients sont satisfaits."), content.Brief{}, brand); got.OK {
		t.Error("an invented figure passes")
	}
}

func TestCloseness(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body, earlier string
		close         bool
	}{
		"the same":                    {goodFR, goodFR, true},
		"other case and accents":      {goodFR, strings.ToUpper(goodFR), true},
		"other hashtags":              {goodFR, goodFR + "\n\n#Autre #Chose", true},
		"the earlier one and more":    {goodEN + "\n\nAnd bring a friend.", goodEN, true},
		"an earlier one in a longer":  {goodFR + "\n\n" + longerFR, goodFR, true},
		"its closing line in another": {longerFR + "\n\nÉcrivez-nous pour en parler, nous connaissons bien le quartier.", "Écrivez-nous pour en parler, nous connaissons bien le quartier.", false},
		"a word in six changed":       {changedFR, goodFR, true},
		"half of it":                  {strings.SplitN(changedFR, "\n\n", 2)[0] + "\n\n" + longerFR, goodFR, false},
		"a part of it":                {strings.SplitN(goodEN, "\n\n", 2)[0], goodEN, true},
		"another post":                {goodFR, "Nos dentistes répondent à vos questions sur les soins des enfants.", false},
		"another language":            {goodFR, goodEN, false},
		"a common opening":            {"Chaque printemps, les restaurants du quartier attendent le soleil, et cette année la pluie s'invite aussi sur les tables.", goodFR, false},
		"an empty one":                {goodFR, "", false},
	} {
		got := check(t, content.RuleCloseness, goodDraft(tc.body), content.Brief{}, growth.Brand{}, "Tout autre chose.", tc.earlier)
		if got.OK == tc.close {
			t.Errorf("%s: %+v, want close %v", name, got, tc.close)
		}
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	d := content.Draft{Title: "T", Body: " Vive #Montréal \r\n", Hashtags: []string{"montreal", "#Vin", "vin", " Bistro"}}
	if got, want := content.Text(d), "Vive #Montréal\n\n#Vin #Bistro"; got != want {
		t.Errorf("Text = %q, want %q", got, want)
	}
	if got := content.Text(content.Draft{Body: "x"}); got != "x" {
		t.Errorf("Text = %q", got)
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	d, err := content.Decode(`{"title":"T","body":"Cafe\u0301\u200b \ud83d\udc68\u200d\ud83d\udc69","hashtags":["##a"," "],"image_prompt":"p"}`)
	want := content.Draft{Title: "T", Body: "Café 👨\u200d👩", Hashtags: []string{"#a"}, ImagePrompt: "p"}
	if diff := cmp.Diff(want, d); err != nil || diff != "" {
		t.Errorf("err %v (-want +got):\n%s", err, diff)
	}
	for _, bad := range []string{"", "Here is your post", `{"title":"T"}`, `{"body":" "}`, `{"body":"x","score":100}`, `{"body":"x"} more`} {
		if _, err := content.Decode(bad); growth.CodeOf(err) != growth.Malformed {
			t.Errorf("Decode(%q) = %v, want malformed", bad, err)
		}
	}
	v, err := content.DecodeVerdict(`{"claims":[{"claim":"a","supported":false,"evidence":""}],"tone_ok":true,"score":80,"problems":[]}`)
	if err != nil || v.Score != 80 || len(v.Unsupported()) != 1 {
		t.Errorf("verdict %+v, %v", v, err)
	}
	if _, err := content.DecodeVerdict(`{"claims":[],"tone_ok":true,"score":101,"problems":[]}`); growth.CodeOf(err) != growth.Malformed {
		t.Errorf("a score of 101: %v", err)
	}
}

func TestSchemas(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		schema json.RawMessage
		doc    string
		ok     bool
	}{
		{content.Schema(), `{"title":"","body":"x","hashtags":["a"],"image_prompt":""}`, true},
		{content.Schema(), `{"title":"","body":"x","hashtags":["a"]}`, false},
		{content.Schema(), `{"title":"","body":"x","hashtags":["a"],"image_prompt":"","score":100}`, false},
		{content.JudgeSchema(), `{"claims":[{"claim":"a","supported":true,"evidence":"b"}],"tone_ok":true,"score":70,"problems":[]}`, true},
		{content.JudgeSchema(), `{"claims":[],"tone_ok":true,"score":700,"problems":[]}`, false},
		{content.JudgeSchema(), `{"claims":[{"claim":"a"}],"tone_ok":true,"score":70,"problems":[]}`, false},
	} {
		schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(tc.schema))
		if err != nil {
			t.Fatal(err)
		}
		c := jsonschema.NewCompiler()
		if err := c.AddResource("s.json", schema); err != nil {
			t.Fatal(err)
		}
		s, err := c.Compile("s.json")
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(tc.doc))
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Validate(doc) == nil; got != tc.ok {
			t.Errorf("%s: valid %v, want %v", tc.doc, got, tc.ok)
		}
	}
}

func TestBriefOmitsWhatIsEmpty(t *testing.T) {
	t.Parallel()
	raw, err := json.Marshal(content.Brief{Topic: "x"})
	if err != nil || string(raw) != `{"topic":"x"}` {
		t.Errorf("brief = %s, %v", raw, err)
	}
}
