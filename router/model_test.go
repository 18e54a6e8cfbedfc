package router_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
)

func TestServedNamesWhatCanBeAskedFor(t *testing.T) {
	t.Parallel()
	ch := newChain(t)
	ch.a.served, ch.b.off = []providers.Model{{ID: "x/y"}, {ID: "z:latest"}}, true
	ch.c.served = []providers.Model{{ID: "1"}, {ID: "2"}}
	if diff := cmp.Diff([]string{"a/1", "a/2", "c/1", "c/2"}, names(ch.Served())); diff != "" {
		t.Errorf("before the catalogues are read (-want +got):\n%s", diff)
	}
	if !ch.Serves("a", "anything") {
		t.Error("a model is denied although nobody has read the list")
	}
	ch.LearnCatalogues(t.Context())
	if diff := cmp.Diff([]string{"a/x/y", "a/z:latest", "c/1", "c/2"}, names(ch.Served())); diff != "" {
		t.Errorf("after (-want +got):\n%s", diff)
	}
	for name, want := range map[[2]string]bool{
		{"a", "x/y"}: true, {"a", "x/y:nitro"}: true, {"a", "z"}: true, {"a", "1"}: false, {"a", ""}: false, {"b", "1"}: false, {"nobody", "x"}: false,
	} {
		if got := ch.Serves(name[0], name[1]); got != want {
			t.Errorf("%v served: %v", name, got)
		}
	}
}

func names(list []router.Served) []string {
	var out []string
	for _, s := range list {
		out = append(out, s.String())
	}
	return out
}
