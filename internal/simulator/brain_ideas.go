package simulator

import (
	"strings"
	"sync"
)

// idea is what several ways of speaking, in French and in English, have in common: a description that says one of the
// triggers is met by a text that says one of the phrases. It is the little that this model knows of the world.
type idea struct {
	triggers [][]word
	phrases  [][]word
	special  func(clause) (from, to int, ok bool)
}

func newIdea(triggers, phrases string, special func(clause) (int, int, bool)) *idea {
	d := &idea{special: special}
	for p := range strings.SplitSeq(triggers, ";") {
		d.triggers = append(d.triggers, wordsOf(strings.TrimSpace(p)))
	}
	for p := range strings.SplitSeq(phrases, ";") {
		if p = strings.TrimSpace(p); p != "" {
			d.phrases = append(d.phrases, wordsOf(p))
		}
	}
	return d
}

// ideas is built once and never changed.
var ideas = sync.OnceValue(func() []*idea {
	return []*idea{
		newIdea("sum; amount; montant; somme", "", amountIn),
		newIdea("money; argent", "budget; invest; investir; investment; financement; funding; subvention", nil),
		newIdea("at once; immediately; right away; this week; tout de suite; immédiatement; cette semaine",
			"asap; urgent; urgence; right away; immediately; immédiatement; tout de suite; dès que possible; as soon as possible; this week; cette semaine; this month; ce mois-ci; today; aujourd'hui; tomorrow; demain", nil),
		newIdea("next year; some day; later; not now; plus tard; l'an prochain",
			"next year; l'an prochain; année prochaine; not now; pas maintenant; some day; un jour; maybe later; plus tard; no rush; rien ne presse", nil),
		newIdea("three months; month is named; next month; trois mois; mois prochain",
			"next month; mois prochain; coming weeks; prochaines semaines; this quarter; ce trimestre; coming months; prochains mois", monthIn),
		newIdea("wants nothing; only looking; just looking; not interested; ne veut rien",
			"just browsing; only looking; just looking; not interested; pas intéressé; pas intéressée; no need; aucun besoin; je magasine; juste curieux; school project; projet scolaire; class project", nil),
		newIdea("asks for; demande; wants a quote; request",
			"a quote; quotation; devis; soumission; une offre; an offer; proposal; proposition; pricing; tarifs; price list; call me; call us; rappelez; appelez; need help; besoin d'aide; nous cherchons; on cherche; je cherche; looking for; pouvez-vous; can you; a demo; démonstration; free trial; période d'essai; we need; we want; nous voulons; nous aimerions; j'aimerais", nil),
		newIdea("problem; plan; problème; projet",
			"opening; ouverture; ouvrir; expanding; agrandir; renovated; rénové; new location; nouvelle succursale; slow season; saison morte; few customers; peu de clients; competition; concurrence; hiring; embauchons; no time; pas le temps; losing; perdons; too slow; trop lent; complaints; plaintes", nil),
		newIdea("restaurant; café; shop; store; commerce; boutique",
			"pizzeria; bistro; brasserie; casse-croûte; taverne; cantine; cafétéria; traiteur; boulangerie; pâtisserie; bakery; deli; crèmerie; bar laitier; rôtisserie; épicerie; grocery; marché; boucherie; boutique; magasin; coiffure; barber; pharmacie; fleuriste; auberge; resto", nil),
		newIdea("trade; professional service; métier; service professionnel",
			"plombier; plumber; électricien; electrician; entrepreneur; contractor; rénovation; paysagement; landscaping; notaire; avocat; lawyer; comptable; accountant; assurance; nettoyage; cleaning; photographe; photographer", nil),
		newIdea("public body; school; organisme public; école",
			"école; school; ministère; gouvernement; government; municipalité; église; church; université; university; hôpital; hospital; grossiste; wholesale; association", nil),
		newIdea("several locations; plusieurs succursales", "succursales; franchise; franchises; deuxième succursale; second location; locations; chaîne", nil),
		newIdea("list; directory; liste; annuaire", "csv; import; scraped; annuaire; directory; open data; données ouvertes; fichier; purchased", nil),
		newIdea("referral; form on the site; recommandation; formulaire",
			"referral; referred; recommandation; référence; webhook; web form; formulaire; inbound; demo request; event; typeform", nil),
	}
})

// ideasOf lists the ideas that a description names without denying them.
func ideasOf(words []word) []*idea {
	var out []*idea
	for _, d := range ideas() {
		for _, t := range d.triggers {
			if at := find(words, t); at >= 0 && !denied(words, at, 2) {
				out = append(out, d)
				break
			}
		}
	}
	return out
}

// weight is more than a word's; a sum or a date that was found says more than any word about it.
func (d *idea) weight() float64 {
	if d.special != nil {
		return 3.5
	}
	return 1.5
}

// in finds the idea in a clause of a lead. A phrase that a negation stands before is not found, unless the phrase
// itself begins with one.
func (d *idea) in(c clause) (from, to int, ok bool) {
	if d.special != nil {
		if from, to, ok = d.special(c); ok {
			return from, to, true
		}
	}
	for _, p := range d.phrases {
		if at := find(c.words, p); at >= 0 && (!c.negated || !denied(c.words, at, 3)) {
			return at, at + len(p) - 1, true
		}
	}
	return 0, 0, false
}

// find returns where phrase begins in text, -1 when it does not.
func find(text, phrase []word) int {
	if len(phrase) == 0 {
		return -1
	}
	for i := 0; i+len(phrase) <= len(text); i++ {
		if sameWords(text[i:], phrase) {
			return i
		}
	}
	return -1
}

func sameWords(text, phrase []word) bool {
	for k, p := range phrase {
		if text[k].fold != p.fold && text[k].stem != p.stem {
			return false
		}
	}
	return true
}

var moneyWords = wordSet("budget budgets dollar dollars cad usd eur euro euros k par per mois month monthly mensuel")

// amountIn finds a sum of money: a number next to a word of money.
func amountIn(c clause) (from, to int, ok bool) {
	for i, w := range c.words {
		if !digitAt(w.fold, 0) {
			continue
		}
		for k := max(0, i-3); k < min(len(c.words), i+3); k++ {
			if moneyWords[c.words[k].fold] {
				return min(i, k), max(i, k), true
			}
		}
		if c.money || strings.HasSuffix(w.fold, "k") {
			return i, i, true
		}
	}
	return 0, 0, false
}

var months = wordSet(`january february march april june july august september october november december
janvier fevrier mars avril mai juin juillet aout septembre octobre novembre décembre`)

// monthIn finds a month by its name.
func monthIn(c clause) (from, to int, ok bool) {
	for i, w := range c.words {
		if months[w.fold] {
			return max(0, i-1), i, true
		}
	}
	return 0, 0, false
}
