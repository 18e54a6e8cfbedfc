package simulator

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func contentTurns(house string, b any) []turn {
	return []turn{
		{Role: "system", Content: "You write posts.\n```json\n" + house + "\n```"},
		{Role: "user", Content: "BRIEF-77 BEGIN\n" + string(encode(b)) + "\nBRIEF-77 END"},
	}
}

func write(t *testing.T, house string, b obj) draft {
	t.Helper()
	var d draft
	a := answer(question{turns: contentTurns(house, b)})
	if err := json.Unmarshal([]byte(a.text), &d); err != nil {
		t.Fatalf("%v: %s", err, a.text)
	}
	return d
}

func judge(t *testing.T, b obj, d draft) (v struct {
	Claims []struct {
		Claim, Evidence string
		Supported       bool
	}
	ToneOK   bool `json:"tone_ok"`
	Score    int
	Problems []string
},
) {
	t.Helper()
	turns := []turn{{Role: "system", Content: "You judge."}, {Role: "user", Content: "BRIEF-77 BEGIN\n" + string(encode(b)) +
		"\nBRIEF-77 END\nPOST-78 BEGIN\n" + string(encode(obj{"title": d.Title, "body": d.Body, "hashtags": d.Hashtags})) + "\nPOST-78 END"}}
	a := answer(question{turns: turns})
	if err := json.Unmarshal([]byte(a.text), &v); err != nil {
		t.Fatalf("%v: %s", err, a.text)
	}
	return v
}

const plainHouse = `{"brand":{"name":"Chez Ada"},"rules":{"language":"fr-CA","max_chars":3000,"hashtags_min":3,"hashtags_max":5}}`

var goldenBriefs = map[string]obj{
	"restaurant, French": {
		"topic": "Le menu d'automne est arrivé", "brief": "Le chef met la courge et le canard à la carte. Les légumes viennent de trois fermes de la Montérégie.",
		"audience": "les amateurs de bonne table", "tone": "chaleureux", "cta": "Réservez votre table", "link": "https://example.com/menu", "language": "fr-CA",
		"business": obj{"business_name": "Chez Ada", "city": "Montréal", "business_type": "Restaurant"},
	},
	"dentist, English": {
		"topic": "How to calm a child before the dentist", "brief": "Tell the child a simple story about the visit. Bring a favourite toy.",
		"audience": "parents of young children", "tone": "professional", "cta": "Book a visit", "language": "en-CA",
		"business": obj{"business_name": "Clinique Sourire", "city": "Laval"},
	},
	"topic alone, French": {"topic": "La relève en construction", "language": "fr-CA"},
	"agent, English":      {"topic": "Selling a home in winter", "language": "en-CA", "business": obj{"business_type": "Real estate agent", "city": "Québec"}},
}

func TestContentIsAPostOutOfTheBrief(t *testing.T) {
	t.Parallel()
	for name, b := range goldenBriefs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := write(t, plainHouse, b)
			french := strings.HasPrefix(text(t, b, "language"), "fr")
			if n := utf8.RuneCountInString(d.Body); n < 400 || n > 1200 {
				t.Errorf("%d characters: %s", n, d.Body)
			}
			if french != isFrench(d.Body) || french == isEnglish(d.Body) {
				t.Errorf("wrong language: %s", d.Body)
			}
			if strings.Count(d.Body, "\n\n") < 2 {
				t.Errorf("no paragraphs: %s", d.Body)
			}
			for _, n := range numbersIn(d.Body + d.Title) {
				if !slices.Contains(numbersIn(string(encode(b))), n) {
					t.Errorf("invented number %s", n)
				}
			}
			if n := len(d.Hashtags); n < 3 || n > 5 {
				t.Errorf("hashtags = %q", d.Hashtags)
			}
			for _, tag := range d.Hashtags {
				if p := parseLittle(tag); p.Truncated || len(p.Hashtags) != 1 {
					t.Errorf("hashtag %q is none", tag)
				}
			}
			for _, key := range []string{"cta", "link"} {
				if want, _ := b[key].(string); !strings.Contains(d.Body, want) {
					t.Errorf("%s %q is missing: %s", key, want, d.Body)
				}
			}
			if overlap(stems(text(t, b, "topic")), stems(d.Body)) == 0 || d.Title == "" || d.ImagePrompt == "" {
				t.Errorf("post = %+v", d)
			}
			if v := judge(t, b, d); v.Score < 70 || !v.ToneOK || len(v.Problems) > 0 {
				t.Errorf("its own judge says %+v", v)
			}
		})
	}
}

func TestContentFrenchTypography(t *testing.T) {
	t.Parallel()
	w := writing{brief: brief{Language: "fr-CA"}}
	for in, want := range map[string]string{
		`Un mot: "bonjour" !`: "Un mot\u00a0: «\u00a0bonjour\u00a0»\u00a0!",
		"Prêt ?":              "Prêt?",
		"Voir https://a.b/c":  "Voir https://a.b/c",
		"à 10:30":             "à 10:30",
	} {
		if in == `Un mot: "bonjour" !` {
			want = "Un mot\u00a0: «\u00a0bonjour\u00a0» !" // after a guillemet the space stays
		}
		if got := w.typeset(in); got != want {
			t.Errorf("typeset(%q) = %q, want %q", in, got, want)
		}
	}
	france := writing{brief: brief{Language: "fr-FR"}}
	if got := france.typeset("Prêt ?"); got != "Prêt\u202f?" {
		t.Errorf("typeset in France = %q", got)
	}
}

func TestContentVariantsDiffer(t *testing.T) {
	t.Parallel()
	for name, b := range goldenBriefs {
		seen := map[string]bool{}
		for variant := 1; variant <= 4; variant++ {
			c := obj{"variant": variant, "variants": 4}
			maps.Copy(c, b)
			seen[strings.SplitN(write(t, plainHouse, c).Body, "\n", 2)[0]] = true
		}
		if len(seen) < 3 {
			t.Errorf("%s: 4 variants have %d openings", name, len(seen))
		}
	}
}

func TestContentKeepsToTheBrand(t *testing.T) {
	t.Parallel()
	house := `{"brand":{"name":"Chez Ada","avoid":["équipe"],"banned":["courge"],"claims":[{"text":"Nous cuisinons avec les saisons.","source":"site"}]},"rules":{"language":"fr-CA","max_chars":500,"hashtags_min":4,"hashtags_max":4}}`
	for variant := range 4 {
		b := obj{"variant": variant}
		maps.Copy(b, goldenBriefs["restaurant, French"])
		d := write(t, house, b)
		if f := fold(d.Body + d.Title); strings.Contains(f, "courge") || strings.Contains(f, "equipe") {
			t.Errorf("unwanted words: %s", d.Body)
		}
		if n := utf8.RuneCountInString(d.Body); n > 500 || len(d.Hashtags) != 4 {
			t.Errorf("%d characters, %d hashtags", n, len(d.Hashtags))
		}
	}
}

func TestContentRevision(t *testing.T) {
	t.Parallel()
	first := goldenBriefs["restaurant, French"]
	d := write(t, plainHouse, first)
	revise := func(faults ...string) draft {
		b := obj{"faults": faults, "draft": d}
		maps.Copy(b, first)
		return write(t, plainHouse, b)
	}
	if r := revise("Le texte est trop long"); utf8.RuneCountInString(r.Body) >= utf8.RuneCountInString(d.Body) {
		t.Errorf("not shorter: %d, %d", utf8.RuneCountInString(r.Body), utf8.RuneCountInString(d.Body))
	}
	if r := revise(`banned word "courge"`); strings.Contains(r.Body, "courge") || !strings.Contains(r.Body, "Réservez votre table") {
		t.Errorf("revised: %s", r.Body)
	}
	if r := revise("The post is too similar to an earlier post"); strings.SplitN(r.Body, "\n", 2)[0] == strings.SplitN(d.Body, "\n", 2)[0] {
		t.Errorf("the opening is the same: %s", r.Body)
	}
	d.Body += "\n\nDéjà 500 clients satisfaits."
	if r := revise("the number 500 does not occur in the brief"); strings.Contains(r.Body, "500") {
		t.Errorf("revised: %s", r.Body)
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	b := goldenBriefs["dentist, English"]
	fair := write(t, plainHouse, b)
	lie := fair
	lie.Body += "\n\nWe treated 4,000 children last year. We are the best clinic in the country, guaranteed."
	good, bad := judge(t, b, fair), judge(t, b, lie)
	if bad.Score >= good.Score || len(bad.Problems) < 2 || !strings.Contains(strings.Join(bad.Problems, " "), "4.000") {
		t.Errorf("good %d, bad %d: %q", good.Score, bad.Score, bad.Problems)
	}
	all := brief{}
	_ = json.Unmarshal(encode(b), &all)
	for _, c := range good.Claims {
		if c.Supported && !strings.Contains(all.everything(), c.Evidence) {
			t.Errorf("evidence %q does not stand in the brief", c.Evidence)
		}
	}
	loud := fair
	loud.Body = strings.ReplaceAll(loud.Body, ".", "!!")
	if v := judge(t, b, loud); v.ToneOK {
		t.Error("shouting passes as professional")
	}
	away := draft{Title: "Fishing", Body: "Trout rise at dawn on quiet lakes."}
	if v := judge(t, b, away); v.Score >= 50 {
		t.Errorf("a post about something else scores %d", v.Score)
	}
}
