package lead_test

import (
	"strings"
	"testing"

	"github.com/zakibelm/astrogrowth/internal/lead"
)

func TestRubricsOfNumbersThatAreNone(t *testing.T) {
	t.Parallel()
	src, err := lead.BuiltIn("local-business")
	if err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{
		"formula: {fit: 0.6, intent: 0.4}": "formula: {fit: .nan, intent: .nan}",
		"points: 30\n":                     "points: 1e308\n",
	} {
		changed := strings.Replace(string(src), from, to, 1)
		if _, err := lead.Parse([]byte(changed)); changed == string(src) || err == nil {
			t.Errorf("%q is accepted", to)
		}
	}
}

func TestRatingsOfAScaleThatNobodyKnowsAreNone(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{"4,6/5": true, "4.6 / 5": true, "4/7": false, "9/12": false, "4/": false} {
		l, warnings, err := lead.FromValues(map[string]string{"google_rating": value})
		if err != nil || (l.GoogleRating != nil) != want || (len(warnings) == 0) != want {
			t.Errorf("%q: %v, %q, %v", value, l.GoogleRating, warnings, err)
		}
	}
}
