package growth

import (
	"cmp"
	"slices"
	"strings"
)

// Nearest gives those of the known names that a written one was probably meant to be, the nearest first and at most so
// many; none when none is near.
func Nearest(written string, known []string, most int) []string {
	type near struct {
		name     string
		distance int
	}
	var all []near
	written = strings.ToLower(written)
	least := max(2, len(written)/3)
	for _, name := range known {
		folded := strings.ToLower(name)
		d := distance(written, folded)
		if len(written) >= 4 && strings.Contains(folded, written) { // as a model without its maker
			d = min(d, 1)
		}
		if d <= least {
			all = append(all, near{name, d})
		}
	}
	slices.SortStableFunc(all, func(a, b near) int { return cmp.Compare(a.distance, b.distance) })
	out := make([]string, 0, most)
	for _, n := range all[:min(len(all), most)] {
		out = append(out, n.name)
	}
	return out
}

// distance is how many letters have to be put in, left out or changed to make one word of the other.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			here := row[j+1]
			change := before
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, here+1, row[j]+1)
			before = here
		}
	}
	return row[len(b)]
}
