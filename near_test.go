package growth_test

import (
	"slices"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"axis", "levels", "openai/gpt-4o", "openai/gpt-4o-mini", "mistralai/mistral-small"}
	for written, want := range map[string][]string{
		"axes": {"axis"}, "Levls": {"levels"}, "gpt-4o-mini": {"openai/gpt-4o-mini"}, "openai/gpt-4o-mni": {"openai/gpt-4o-mini", "openai/gpt-4o"},
		"shoe_size": {}, "": {}, "mistral-small": {"mistralai/mistral-small"},
	} {
		if got := growth.Nearest(written, known, 3); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", written, got, want)
		}
	}
	if got := growth.Nearest("gpt-4o", known, 1); len(got) != 1 {
		t.Errorf("at most one: %q", got)
	}
}
