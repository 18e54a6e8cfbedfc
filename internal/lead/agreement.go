package lead

import "math"

// Pair is what two readers say about the same thing.
type Pair struct{ A, B string }

// Agreement says how far two readers agree. Kappa is Cohen's: the share of agreement beyond what chance would give, 1 at
// most; nil where chance alone explains everything, or nothing was compared.
type Agreement struct {
	Compared int      `json:"compared"`
	Equal    int      `json:"equal"`
	Share    *float64 `json:"exact_share" doc:"null: nothing was compared"`
	Kappa    *float64 `json:"kappa" doc:"Cohen's, 1 at most; null: chance alone explains the answers, or nothing was compared"`
}

// Agree compares two readers on one question.
func Agree(pairs []Pair) Agreement { return AgreeOn(map[string][]Pair{"": pairs}) }

// AgreeOn compares two readers on several questions. Chance is counted on each question by itself: that the levels of
// different criteria differ is no agreement.
func AgreeOn(questions map[string][]Pair) Agreement {
	var out Agreement
	chance := 0.0
	for _, pairs := range questions {
		a, b := map[string]int{}, map[string]int{}
		for _, p := range pairs {
			a[p.A]++
			b[p.B]++
			if p.A == p.B {
				out.Equal++
			}
		}
		for level, n := range a {
			chance += float64(n) * float64(b[level]) / float64(len(pairs))
		}
		out.Compared += len(pairs)
	}
	if out.Compared == 0 {
		return out
	}
	share := float64(out.Equal) / float64(out.Compared)
	out.Share = &share
	if left := float64(out.Compared) - chance; left > 1e-9 {
		kappa := (float64(out.Equal) - chance) / left
		out.Kappa = &kappa
	}
	return out
}

// Apart is the mean distance of two readers' scores; nil when nothing was compared.
func Apart(scores [][2]int) *float64 {
	if len(scores) == 0 {
		return nil
	}
	sum := 0.0
	for _, s := range scores {
		sum += math.Abs(float64(s[0] - s[1]))
	}
	mean := sum / float64(len(scores))
	return &mean
}
