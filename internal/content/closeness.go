package content

import (
	"fmt"
	"hash/maphash"
	"math"
	"strings"
)

// How close two posts may come: shared runs of four words, as a share of all of both (Jaccard) and of the new one's.
const (
	shingleWords   = 4
	maxJaccard     = 0.4
	maxContainment = 0.6
)

var shingleSeed = maphash.MakeSeed()

// closeness finds a draft that says again what an earlier post, or another variant, has said in the same words.
func closeness(p piece) string {
	own := shingles(p.draft.Body)
	for _, e := range p.earlier {
		if n := likeness(own, shingles(e)); n > 0 {
			return fmt.Sprintf("it repeats %d %% of an earlier post or another variant", n)
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

// shingles is the set of a text's runs of words; of a text shorter than a run, the whole.
func shingles(s string) map[uint64]bool {
	w := words(withoutHashtags(withoutLinks(s)))
	for i := range w {
		w[i] = stem(w[i])
	}
	out := map[uint64]bool{}
	if len(w) == 0 {
		return out
	}
	for i := 0; i == 0 || i+shingleWords <= len(w); i++ {
		var h maphash.Hash
		h.SetSeed(shingleSeed)
		for _, x := range w[i:min(i+shingleWords, len(w))] {
			_, _ = h.WriteString(x) // never fails, by its documentation
			_ = h.WriteByte(' ')
		}
		out[h.Sum64()] = true
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
