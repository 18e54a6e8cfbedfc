package simulator

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// word is a word of a text with the place where it stands, so that it can be quoted as it was written.
type word struct {
	fold     string // lower case, without accents
	stem     string // fold without its ending, synonyms made one
	from, to int    // byte offsets
}

// content says whether the word carries meaning.
func (w word) content() bool { return len(w.fold) > 1 && !stopWords[w.fold] }

// wordsOf cuts a text into words; a number with a decimal point or comma is one word.
func wordsOf(text string) []word {
	var out []word
	start := -1
	emit := func(end int) {
		if start >= 0 {
			f := fold(text[start:end])
			out = append(out, word{fold: f, stem: stem(f), from: start, to: end})
			start = -1
		}
	}
	for i, r := range text {
		inside := unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r)
		if !inside && start >= 0 && (r == '.' || r == ',') && digitAt(text, i-1) && digitAt(text, i+1) {
			inside = true
		}
		switch {
		case inside && start < 0:
			start = i
		case !inside:
			emit(i)
		}
	}
	emit(len(text))
	return out
}

func digitAt(s string, i int) bool { return i >= 0 && i < len(s) && s[i] >= '0' && s[i] <= '9' }

// fold makes words of equal spelling equal: lower case, without accents and ligatures.
func fold(s string) string {
	plain := true
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || (c >= 'A' && c <= 'Z') {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	var b strings.Builder
	for _, r := range norm.NFD.String(s) {
		switch r {
		case 'œ', 'Œ':
			b.WriteString("oe")
		case 'æ', 'Æ':
			b.WriteString("ae")
		case '’':
			b.WriteByte('\'')
		default:
			if !unicode.Is(unicode.Mn, r) {
				b.WriteRune(unicode.ToLower(r))
			}
		}
	}
	return b.String()
}

// stem takes the commonest endings of French and English away and makes synonyms one; exactness does not matter,
// equality does.
func stem(f string) string {
	s := trimEnding(f)
	if c, ok := synonyms[s]; ok {
		return c
	}
	return s
}

func trimEnding(s string) string {
	if len(s) > 4 && strings.HasSuffix(s, "ies") {
		s = s[:len(s)-3] + "y"
	}
	if len(s) > 3 && (strings.HasSuffix(s, "s") || strings.HasSuffix(s, "x")) {
		s = s[:len(s)-1]
	}
	if len(s) > 4 && strings.HasSuffix(s, "e") {
		s = s[:len(s)-1]
	}
	return s
}

// akin says whether two words mean the same thing: equal stems, or long ones with a long common beginning.
func akin(a, b string) bool {
	if a == b {
		return true
	}
	short := min(len(a), len(b))
	if short < 6 {
		return false
	}
	need := max(5, short-3)
	return a[:need] == b[:need]
}

// synonyms joins words that the two languages, or two ways of speaking, have for one thing: the first of each line
// stands for the others.
var synonyms = synonymTable(`
rating rate rated note cote star stars etoile etoiles score
review reviews avis commentaire commentaires evaluation
website site web url
employee employe employes effectif staff personnel people personnes size taille
restaurant resto
city ville town
email courriel mail
phone telephone tel
help aide aider
need besoin
soon bientot
clinic clinique
dentist dentiste
company entreprise societe compagnie
closed ferme fermee fermes fermer
open ouvert ouverte
marketing publicite pub advertising
growth croissance expansion
owner proprietaire
founder fondateur fondatrice
director directeur directrice
manager gestionnaire
partner associe associee
money argent budget
bakery boulangerie
shop magasin boutique store
look cherche cherchons looking
problem probleme problemes
student etudiant etudiante
quote soumission devis
year annee
month mois
week semaine
post posts publication publications
`)

func synonymTable(lines string) map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(lines) {
		words := strings.Fields(line)
		for _, w := range words {
			m[trimEnding(w)] = trimEnding(words[0])
		}
	}
	return m
}

var stopWords = wordSet(`
a an the and or of to in on at for from by with as is are was were be been being it its this that these those their they them he she his her
we our you your i my me us not no nor do does did has have had will would can could should may might must than then there here what which who
how when where why if so but also any all some each very more most less least about into over under up down out before after while during only just says say said lead
le la les un une des du de d l et ou a au aux en dans sur pour par avec sans est sont etait etre ete il elle ils elles on ce cet cette ces
son sa ses leur leurs nous notre nos vous votre vos je mon ma mes me te se qui que quoi dont ou si mais donc car ni ne pas plus moins tres
aussi tout tous toute toutes comme ainsi chez entre vers avant apres pendant y c s n j m qu lorsque quand dit
`)

func wordSet(s string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(s) {
		m[fold(w)] = true
	}
	return m
}

var negations = wordSet("no not none never without nor cannot lacks lacking missing pas aucun aucune sans jamais ne ni rien absent absente manque")

// negated says whether a text denies something.
func negated(words []word) bool {
	for _, w := range words {
		if negations[w.fold] {
			return true
		}
	}
	return false
}

// stems returns the stems of a text's meaningful words, each once.
func stems(text string) []string {
	var out []string
	seen := map[string]bool{}
	for _, w := range wordsOf(text) {
		if w.content() && !seen[w.stem] {
			seen[w.stem] = true
			out = append(out, w.stem)
		}
	}
	return out
}

// overlap counts how many of the stems in a have a kin in b.
func overlap(a, b []string) int {
	n := 0
	for _, s := range a {
		if holds(b, s) {
			n++
		}
	}
	return n
}

func holds(list []string, s string) bool {
	for _, o := range list {
		if akin(o, s) {
			return true
		}
	}
	return false
}

// sentences cuts a text into sentences, without their line breaks.
func sentences(text string) []string {
	var out []string
	start := 0
	emit := func(end int) {
		if s := strings.TrimSpace(text[start:end]); s != "" {
			out = append(out, s)
		}
		start = end
	}
	for i, r := range text {
		switch r {
		case '\n':
			emit(i)
		case '.', '!', '?', '…':
			end := i + utf8.RuneLen(r)
			if end == len(text) || text[end] == ' ' || text[end] == '\n' {
				emit(end)
			}
		}
	}
	emit(len(text))
	return out
}

var (
	frenchWords  = wordSet("le la les un une des du de et est sont pour dans avec sur nous vous votre notre nos vos qui que pas plus au aux ce cette ces chez par en se il elle on")
	englishWords = wordSet("the and of to is are for in with on we you your our who that not more this these at by it they he she from be or as an")
)

// isFrench guesses the language of a text by its smallest words; it is false when neither language shows.
func isFrench(text string) bool {
	fr, en := 0, 0
	for _, w := range wordsOf(text) {
		if frenchWords[w.fold] {
			fr++
		}
		if englishWords[w.fold] {
			en++
		}
	}
	return fr > en
}

// isEnglish is isFrench for English.
func isEnglish(text string) bool {
	fr, en := 0, 0
	for _, w := range wordsOf(text) {
		if frenchWords[w.fold] {
			fr++
		}
		if englishWords[w.fold] {
			en++
		}
	}
	return en > fr
}
