package auth_test

import (
	"testing"

	"github.com/zakibelm/astrogrowth/internal/auth"
)

func TestKeysAreLongAndDiffer(t *testing.T) {
	t.Parallel()
	a, b := auth.NewKey(), auth.NewKey()
	if a == b || len(a) != len("ag_live_")+32 {
		t.Errorf("keys %q and %q", a, b)
	}
	if string(auth.Hash(a)) == string(auth.Hash(b)) || auth.Prefix(a) != a[:12] {
		t.Error("hash or prefix does not tell keys apart")
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	reader := auth.Principal{Scopes: []string{"read"}}
	admin := auth.Principal{Scopes: []string{"admin"}}
	if !reader.May(auth.ScopeRead) || reader.May(auth.ScopeEnqueue) || reader.May(auth.ScopeAdmin) {
		t.Error("a reader may just read")
	}
	for _, s := range auth.Scopes() {
		if !admin.May(s) {
			t.Errorf("admin may not %s", s)
		}
	}
}

func TestFromHeader(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ authorization, apiKey, want string }{
		{"Bearer k", "", "k"}, {"bearer  k ", "", "k"}, {"", "k2", "k2"}, {"Basic abc", "k2", "k2"}, {"", "", ""}, {"Bearer k", "k2", "k"},
	} {
		if got := auth.FromHeader(tc.authorization, tc.apiKey); got != tc.want {
			t.Errorf("FromHeader(%q, %q) = %q, want %q", tc.authorization, tc.apiKey, got, tc.want)
		}
	}
}
