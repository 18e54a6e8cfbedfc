package simulator

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

// span is a range of numbers that a level describes in words.
type span struct {
	low, high         float64
	openLow, openHigh bool // the bound itself is outside
	ok                bool
}

func (s span) holds(n float64) bool {
	if n < s.low || (s.openLow && n == s.low) {
		return false
	}
	return n < s.high || (!s.openHigh && n == s.high)
}

const num = `(\d+(?:[.,]\d+)?)`

var (
	spanBetween = regexp.MustCompile(`(?:between |entre |from |de |du |^|\D)` + num + `\s*(?:to|and|a|et|-|–|—|…|\.\.)\s*` + num)
	spanAtLeast = regexp.MustCompile(`(?:at least|minimum(?: of| de)?|no less than|au moins|au minimum|>=|≥|from|a partir de|des)\s*` + num)
	spanOrMore  = regexp.MustCompile(num + `\s*(?:\+|(?:\p{L}+ ){0,3}?(?:or|and|et|ou)\s+(?:more|higher|above|better|up|over|plus|superieure?))`)
	spanAbove   = regexp.MustCompile(`(?:above|over|more than|greater than|higher than|exceeds|plus de|superieure? a|au-dessus de|depasse|>)\s*` + num)
	spanAtMost  = regexp.MustCompile(`(?:at most|up to|no more than|au plus|jusqu'a|maximum(?: of| de)?|<=|≤)\s*` + num)
	spanOrLess  = regexp.MustCompile(num + `\s*(?:\p{L}+ ){0,3}?(?:or|and|et|ou)\s+(?:less|fewer|lower|below|under|moins|inferieure?)`)
	spanBelow   = regexp.MustCompile(`(?:below|under|less than|fewer than|lower than|moins de|inferieure? a|en dessous de|<)\s*` + num)
)

// readSpan understands "at least 4.5", "4,0 à 4,4", "moins de 10 avis" and the like; not ok when there is no range.
func readSpan(when string) span {
	f := fold(when)
	if !strings.ContainsAny(f, "0123456789") {
		return span{}
	}
	if m := spanBetween.FindStringSubmatch(f); m != nil {
		return span{low: number(m[1]), high: number(m[2]), ok: true}
	}
	s := span{low: math.Inf(-1), high: math.Inf(1)}
	if m := firstMatch(f, spanAtLeast, spanOrMore); m != "" {
		s.low, s.ok = number(m), true
	} else if m := firstMatch(f, spanAtMost, spanOrLess); m != "" {
		s.high, s.ok = number(m), true
	}
	if m := firstMatch(f, spanAbove); m != "" && !s.ok {
		s.low, s.openLow, s.ok = number(m), true, true
	}
	if m := firstMatch(f, spanBelow); m != "" && (!s.ok || s.openLow || math.IsInf(s.high, 1)) {
		s.high, s.openHigh, s.ok = number(m), true, true
	}
	return s
}

func firstMatch(f string, forms ...*regexp.Regexp) string {
	for _, re := range forms {
		if m := re.FindStringSubmatch(f); m != nil {
			return m[1]
		}
	}
	return ""
}

func number(s string) float64 {
	n, err := strconv.ParseFloat(strings.Replace(s, ",", ".", 1), 64)
	if err != nil {
		return math.NaN()
	}
	return n
}

// numberOf reads a value that is a number and nothing else.
func numberOf(value string) (float64, bool) {
	n := number(strings.TrimSpace(value))
	return n, !math.IsNaN(n) && !math.IsInf(n, 0)
}

// rangeWords belong to a range and do not say of what it is.
var rangeWords = wordSet(`least most more less fewer higher lower above below over under between up minimum maximum exactly about than
plus moins entre jusqu superieur superieure inferieur inferieure partir dessous dessus environ`)

// unitOf returns the words of a description that say what its numbers count.
func unitOf(part string) []string {
	var out []string
	for _, w := range wordsOf(part) {
		if w.content() && !rangeWords[w.fold] && !digitAt(w.fold, 0) {
			out = append(out, w.stem)
		}
	}
	return out
}

// byNumber looks for the field that counts what the level speaks of and compares its number with the range; without
// such a field it looks for a number beside the right word in a text.
func (q *qualification) byNumber(s *scale, sp unitSpan) finding {
	about := sp.unit
	if len(about) == 0 {
		about = s.question
	}
	var best finding
	named := 0
	for _, f := range q.lead {
		n, ok := numberOf(f.value)
		if shared := overlap(f.name, about); ok && shared > named {
			named, best = shared, finding{}
			if sp.holds(n) {
				best = finding{field: f.path, quote: strings.TrimSpace(f.value), weight: 3 + float64(shared)}
			}
		}
	}
	if named > 0 {
		return best
	}
	return q.byNumberInText(sp, about)
}

func (q *qualification) byNumberInText(sp unitSpan, about []string) finding {
	var best finding
	for _, f := range q.lead {
		for _, c := range f.clauses {
			at, near := -1, 0
			for k, w := range c.words {
				if n, ok := numberOf(w.fold); ok && digitAt(w.fold, 0) && sp.holds(n) && at < 0 {
					at = k
				} else if w.content() && holds(about, w.stem) {
					near++
				}
			}
			if weight := 1 + float64(near); at >= 0 && near > 0 && weight > best.weight {
				best = finding{field: f.path, quote: f.phrase(c, at, at), weight: weight}
			}
		}
	}
	return best
}

var (
	outsideWords = wordSet("not no neither nor outside different other unrelated none pas hors autre autres aucun aucune différente différent")
	nearWords    = wordSet("or ou partly partial partially adjacent related near close similar some partielle partiellement proche voisin voisine similaire")
)

// byProfile compares the whole lead with the ideal customer and takes the level that describes the result.
func (q *qualification) byProfile(g *gauge) finding {
	best, shared := q.likeness()
	outside, near := g.mentions(outsideWords), g.mentions(nearWords)
	switch {
	case len(q.icp) == 0:
		return finding{}
	case shared == 0 && outside:
		return q.kindOfBusiness()
	case shared == 0 || outside:
		return finding{}
	case (shared >= 2) != near: // the level is about as much likeness as there is
		best.weight += 2
	}
	return best
}

// likeness counts the different words that the lead shares with the ideal customer and quotes the best place.
func (q *qualification) likeness() (best finding, shared int) {
	seen := map[string]bool{}
	for _, f := range q.lead {
		for _, c := range f.clauses {
			here, first := 0, -1
			for k, w := range c.words {
				if !w.content() || !holds(q.icp, w.stem) {
					continue
				}
				seen[w.stem] = true
				here++
				if first < 0 {
					first = k
				}
			}
			if float64(here) > best.weight {
				best = finding{field: f.path, quote: f.phrase(c, first, first), weight: float64(here)}
			}
		}
	}
	return best, len(seen)
}

func (g *gauge) mentions(set map[string]bool) bool {
	for w := range g.raw {
		if set[w] {
			return true
		}
	}
	return false
}

// kindOfBusiness quotes what shows that a lead is of another kind.
func (q *qualification) kindOfBusiness() finding {
	for _, path := range []string{"business_type", "job_title", "business_name"} {
		for _, f := range q.lead {
			if f.path == path && len(f.clauses) > 0 {
				c := f.clauses[0]
				return finding{field: f.path, quote: f.phrase(c, 0, 0), weight: 1}
			}
		}
	}
	return finding{}
}
