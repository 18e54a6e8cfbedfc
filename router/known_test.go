package router_test

import (
	"strings"
	"testing"

	"github.com/zakibelm/astrogrowth/providers"
)

func TestUnknownModelsAreNamedWithNearOnes(t *testing.T) {
	t.Parallel()
	ch := newChain(t)
	ch.a.served = []providers.Model{{ID: "maker/large-model"}, {ID: "z:latest"}}
	ch.LearnCatalogues(t.Context())
	for name, want := range map[[2]string]string{
		{"a", "maker/large-model"}: "",
		{"a", "z"}:                 "", // the list has it with a tag
		{"a", "1"}:                 "", // a route has it, though the list does not
		{"a", "maker/lrge-model"}:  "did you mean maker/large-model?",
		{"a", "large-model"}:       "did you mean maker/large-model?",
		{"a", "something else"}:    "see /v1/routes",
		{"nobody", "x"}:            `there is no provider "nobody"; use a, b, c`,
	} {
		if got := ch.Unknown(name[0], name[1]); !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("%v: %q, want %q", name, got, want)
		}
	}
}
