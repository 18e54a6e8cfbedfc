package simulator

import (
	"strings"
)

// scale is a criterion prepared for weighing.
type scale struct {
	question []string // stems of the question and the criterion's name
	gauges   []*gauge
	aboutICP bool // the levels compare the lead with the ideal customer
}

// gauge is one level: what has to be found in a lead for it to be met.
type gauge struct {
	raw     map[string]bool // every word of its name and description
	words   []meaning       // what tells it from the other levels
	ideas   []*idea         // what its words stand for
	spans   []unitSpan      // ranges of numbers
	present bool            // it is enough that the lead has the thing
}

// meaning is a word that is affirmed or denied.
type meaning struct {
	stem   string
	denied bool
}

// unitSpan is a range with the words that say of what.
type unitSpan struct {
	span
	unit []string
}

var (
	profileWords = []string{"icp", "profile", "profil", "ideal", "target", "cibl"}
	havingWords  = wordSet("has have having provides provided given lists listed present a un dispose possede existe exists donne donnee fourni indique")
	// sayingWords describe the reading and not what is read.
	sayingWords = wordSet("lead prospect client customer named spoken speaks wants says asks asked given kind place describes mentions stated other similar anything something demande dit parle nomme veut")
)

func newScale(c criterion) *scale {
	s := &scale{question: stems(strings.ReplaceAll(c.ID, "_", " ") + " " + c.Question)}
	s.aboutICP = overlap(profileWords, s.question) > 0
	for _, l := range c.Levels {
		g := newGauge(l)
		s.aboutICP = s.aboutICP || (l.ID != unknownLevel && overlap(profileWords, stems(l.When)) > 0)
		s.gauges = append(s.gauges, g)
	}
	s.separate(c)
	return s
}

func newGauge(l level) *gauge {
	g := &gauge{raw: map[string]bool{}}
	all := wordsOf(l.When)
	having := false
	for _, w := range append(wordsOf(strings.ReplaceAll(l.ID, "_", " ")), all...) {
		g.raw[w.fold] = true
	}
	for _, w := range all {
		having = having || havingWords[w.fold]
	}
	g.present = having && !negated(all)
	for _, part := range parts(l.When) {
		if sp := readSpan(part); sp.ok {
			g.spans = append(g.spans, unitSpan{span: sp, unit: unitOf(part)})
			continue
		}
		words := wordsOf(part)
		for i, w := range words {
			if w.content() && !sayingWords[w.fold] && !negations[w.fold] {
				g.words = append(g.words, meaning{stem: w.stem, denied: denied(words, i, 2)})
			}
		}
	}
	g.ideas = ideasOf(all)
	return g
}

// parts cuts a description at its commas, but not at those of numbers.
func parts(s string) []string {
	var out []string
	start := 0
	for i := range len(s) {
		if s[i] == ';' || (s[i] == ',' && (!digitAt(s, i-1) || !digitAt(s, i+1))) {
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return append(out, s[start:])
}

// denied says whether one of the n words before the i-th denies it.
func denied(words []word, i, n int) bool {
	for k := max(0, i-n); k < i; k++ {
		if negations[words[k].fold] {
			return true
		}
	}
	return false
}

// separate takes from each level the words that every other level has too: they say what is asked, not the answer.
func (s *scale) separate(c criterion) {
	kept := make([][]meaning, len(s.gauges))
	for i, g := range s.gauges {
		for _, m := range g.words {
			if !s.everywhere(c, i, m) {
				kept[i] = append(kept[i], m)
			}
		}
	}
	for i, g := range s.gauges {
		if len(kept[i]) > 0 {
			g.words = kept[i]
		}
	}
}

func (s *scale) everywhere(c criterion, self int, m meaning) bool {
	others := 0
	for i, g := range s.gauges {
		if i == self || c.Levels[i].ID == unknownLevel {
			continue
		}
		others++
		found := false
		for _, o := range g.words {
			found = found || (o.denied == m.denied && akin(o.stem, m.stem))
		}
		if !found {
			return false
		}
	}
	return others > 0
}

// match weighs a clause against a level and says where the words stand that they share.
func (s *scale) match(g *gauge, c clause) (weight float64, first, last int) {
	first = len(c.words)
	hit := func(from, to int) {
		first, last = min(first, from), max(last, to)
	}
	hits := make(map[string]bool, 4)
	asked := 0
	for at, w := range c.words {
		if !w.content() {
			continue
		}
		if holds(s.question, w.stem) {
			asked++
		}
		for _, m := range g.words {
			if akin(m.stem, w.stem) && m.denied == (c.negated && denied(c.words, at, 3)) {
				hits[m.stem] = true
				hit(at, at)
				break
			}
		}
	}
	for _, d := range g.ideas {
		if from, to, ok := d.in(c); ok {
			weight += d.weight()
			hit(from, to)
		}
	}
	if len(hits) == 0 && weight == 0 {
		return 0, 0, 0
	}
	weight += float64(len(hits)) + 0.5*float64(len(hits))/float64(max(1, len(g.words)))
	return weight + 0.2*float64(min(asked, 2)), first, last
}
