package content

import (
	"fmt"
	"hash/maphash"
	"iter"
	"math"
	"strings"
)

// How close two posts may come: shared runs of four words, as a share of all of both (Jaccard) and of the new one's.
const (
	shingleWords   = 4
	maxJaccard     = 0.4
	maxContainment = 0.6
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
	own := shingles(p.draft.Body)
	for _, e := range p.nearby.Posts {
		if n := likeness(own, shingles(e)); n > 0 {
			return fmt.Sprintf("it repeats %d %% of an earlier post", n)
		}
	}
	for _, e := range p.nearby.Variants {
		if n := likeness(own, shingles(e)); n > 0 {
			return fmt.Sprintf("it repeats %d %% of another variant", n)
		}
	}
	return ""
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

// runs yields a text's runs of words; of a text shorter than a run, the whole.
func runs(s string) iter.Seq[string] {
	w := words(withoutHashtags(withoutLinks(s)))
	for i := range w {
		w[i] = stem(w[i])
	}
	return func(yield func(string) bool) {
		for i := 0; len(w) > 0 && (i == 0 || i+shingleWords <= len(w)); i++ {
			if !yield(strings.Join(w[i:min(i+shingleWords, len(w))], " ")) {
				return
			}
		}
	}
}

// shingles is the set of a text's runs of words.
func shingles(s string) map[uint64]bool {
	out := map[uint64]bool{}
	for run := range runs(s) {
		out[maphash.String(shingleSeed, run)] = true
	}
	return out
}

// likeness is the share of a that b holds, in percent, 0 when they are far enough apart.
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
	if jaccard >= maxJaccard || contained >= maxContainment {
		return int(math.Round(100 * contained))
	}
	return 0
}
