package lead_test

import (
	"math"
	"testing"

	"github.com/zakibelm/astrogrowth/internal/lead"
)

func times(n int, a, b string) (out []lead.Pair) {
	for range n {
		out = append(out, lead.Pair{A: a, B: b})
	}
	return out
}

func TestAgreementIsCountedBeyondChance(t *testing.T) {
	t.Parallel()
	// The textbook case: 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no. Observed 0.7, by chance 0.5.
	book := append(append(times(20, "y", "y"), times(5, "y", "n")...), append(times(10, "n", "y"), times(15, "n", "n")...)...)
	for _, tc := range []struct {
		name         string
		of           map[string][]lead.Pair
		share, kappa float64 // NaN: none
	}{
		{"textbook", map[string][]lead.Pair{"": book}, 0.7, 0.4},
		{"always apart", map[string][]lead.Pair{"": append(times(5, "a", "b"), times(5, "b", "a")...)}, 0, -1},
		{"one level only", map[string][]lead.Pair{"": times(9, "a", "a")}, 1, math.NaN()},
		{"nothing", nil, math.NaN(), math.NaN()},
		{"two constant questions are no agreement", map[string][]lead.Pair{"p": times(5, "a", "a"), "q": times(5, "b", "b")}, 1, math.NaN()},
		{"the textbook twice", map[string][]lead.Pair{"p": book, "q": book}, 0.7, 0.4},
	} {
		got := lead.AgreeOn(tc.of)
		for what, v := range map[string]struct {
			got  *float64
			want float64
		}{"share": {got.Share, tc.share}, "kappa": {got.Kappa, tc.kappa}} {
			if (v.got == nil) != math.IsNaN(v.want) || v.got != nil && math.Abs(*v.got-v.want) > 1e-9 {
				t.Errorf("%s: %s = %v, want %v", tc.name, what, v.got, v.want)
			}
		}
	}
	if d := lead.Apart([][2]int{{10, 20}, {50, 45}}); d == nil || *d != 7.5 {
		t.Errorf("apart = %v, want 7.5", d)
	}
	if d := lead.Apart(nil); d != nil {
		t.Errorf("apart of nothing = %v", *d)
	}
}
