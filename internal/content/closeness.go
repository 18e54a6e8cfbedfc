package content

import (
	"fmt"
	"hash/maphash"
	"iter"
	"math"
	"strings"
)

// How close two posts may come: shared runs of four words, as a share of all of both (Jaccard), of the new one's, and of
// the earlier one's, as long as that one is more than a line that every post ends with. Honest posts of one brand share
// their set sentences, up to six tenths of a short one.
const (
	shingleWords   = 4
	maxJaccard     = 0.4
	maxContainment = 0.6
	maxCovered     = 0.75
	minCovered     = 12 // runs
)

// A text with some of its words changed shares few runs, yet most words in their order. Honest posts of one brand were
// seen to share up to 66 of a hundred, a copy with every fourth word changed shares 75.
const (
	maxOrdered = 0.72
	minOrdered = 20 // words: fewer are in order by chance
)

// Nearby is what a new text must not come close to.
type Nearby struct {
	Posts     []string // the last ones of the workspace
	Variants  []string // the other variants of the same job
	Elsewhere []Sketch // the last ones of the agency's other workspaces
}

var shingleSeed = maphash.MakeSeed()

// closeness finds a draft that says again what an earlier post, or another variant, has said in the same words.
func closeness(p piece) string {
	own := stems(p.draft.Body)
	runs := shingles(own)
	for _, e := range p.nearby.Posts {
		if n := repeats(own, runs, e); n > 0 {
			return fmt.Sprintf("it repeats %d %% of an earlier post", n)
		}
	}
	for _, e := range p.nearby.Variants {
		if n := repeats(own, runs, e); n > 0 {
			return fmt.Sprintf("it repeats %d %% of another variant", n)
		}
	}
	return ""
}

// repeats is how much of an earlier text the new one says again, in percent, 0 when they are far enough apart.
func repeats(own []string, runs map[uint64]bool, earlier string) int {
	other := stems(earlier)
	if n := likeness(runs, shingles(other)); n > 0 {
		return n
	}
	if ordered := inOrder(own, other); ordered >= maxOrdered {
		return percentOf(ordered)
	}
	return 0
}

// inOrder is the share of the longer text's words that both have in the same order.
func inOrder(a, b []string) float64 {
	longer := float64(max(len(a), len(b)))
	if min(len(a), len(b)) < minOrdered || float64(common(a, b)) < maxOrdered*longer { // which spares almost every text
		return 0
	}
	row, last := make([]int, len(b)+1), make([]int, len(b)+1) // of the longest common subsequence
	for _, x := range a {
		for j, y := range b {
			if x == y {
				row[j+1] = last[j] + 1
			} else {
				row[j+1] = max(last[j+1], row[j])
			}
		}
		row, last = last, row
	}
	return float64(last[len(b)]) / longer
}

// common is how many words both texts have, in any order.
func common(a, b []string) int {
	left := make(map[string]int, len(a))
	for _, w := range a {
		left[w]++
	}
	n := 0
	for _, w := range b {
		if left[w] > 0 {
			left[w]--
			n++
		}
	}
	return n
}

// elsewhere finds a draft that comes close to a post of another workspace. It says neither whose nor how close: who
// could try texts against a number could find out what the other one says.
func elsewhere(p piece) string {
	if len(p.nearby.Elsewhere) == 0 {
		return ""
	}
	own := SketchOf(p.draft.Body).set()
	for _, e := range p.nearby.Elsewhere {
		if likeness(own, e.set()) > 0 {
			return "it is too close to a post of another workspace: it repeats what was said there"
		}
	}
	return ""
}

func withoutHashtags(s string) string {
	if !strings.Contains(s, "#") {
		return s
	}
	return hashtagInRun.ReplaceAllString(s, " ")
}

// stems gives the words of a text as they are compared.
func stems(s string) []string {
	w := words(withoutHashtags(withoutLinks(s)))
	for i := range w {
		w[i] = stem(w[i])
	}
	return w
}

// runs yields a text's runs of words; of a text shorter than a run, the whole.
func runs(w []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := 0; len(w) > 0 && (i == 0 || i+shingleWords <= len(w)); i++ {
			if !yield(strings.Join(w[i:min(i+shingleWords, len(w))], " ")) {
				return
			}
		}
	}
}

// shingles is the set of a text's runs of words.
func shingles(w []string) map[uint64]bool {
	out := map[uint64]bool{}
	for run := range runs(w) {
		out[maphash.String(shingleSeed, run)] = true
	}
	return out
}

// likeness is the share of a that b holds, or of b that a holds, in percent, 0 when they are far enough apart.
func likeness(a, b map[uint64]bool) int {
	if len(a) == 0 || len(b) == 0 {
		return 0
	}
	shared := 0
	for h := range a {
		if b[h] {
			shared++
		}
	}
	contained := float64(shared) / float64(len(a))
	jaccard := float64(shared) / float64(len(a)+len(b)-shared)
	covered := float64(shared) / float64(len(b))
	switch {
	case jaccard >= maxJaccard || contained >= maxContainment:
		return percentOf(contained)
	case len(b) >= minCovered && covered >= maxCovered:
		return percentOf(covered)
	}
	return 0
}

func percentOf(share float64) int { return int(math.Round(100 * share)) }
