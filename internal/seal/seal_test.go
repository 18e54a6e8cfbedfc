package seal_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/zakibelm/astrogrowth/internal/seal"
)

const (
	keyA = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	keyB = "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY="
)

func ring(t *testing.T, keys ...string) *seal.Keyring {
	t.Helper()
	r, err := seal.New(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSealedValueOpensOnlyForItsOwner(t *testing.T) {
	t.Parallel()
	r := ring(t, keyA)
	box := r.Seal([]byte("token"), "row-1")
	if strings.Contains(box, "token") {
		t.Errorf("envelope %q holds the plain text", box)
	}
	if got, err := r.Open(box, "row-1"); err != nil || !bytes.Equal(got, []byte("token")) {
		t.Errorf("Open = %q, %v", got, err)
	}
	if _, err := r.Open(box, "row-2"); !errors.Is(err, seal.ErrCannotOpen) {
		t.Errorf("swapped into another row: err = %v, want ErrCannotOpen", err)
	}
}

func TestKeyRotation(t *testing.T) {
	t.Parallel()
	old := ring(t, keyA).Seal([]byte("token"), "row")
	rotated := ring(t, keyB, keyA)
	if got, err := rotated.Open(old, "row"); err != nil || string(got) != "token" {
		t.Errorf("old envelope under the new ring = %q, %v", got, err)
	}
	if _, err := ring(t, keyB).Open(old, "row"); err == nil {
		t.Error("an envelope opened without its key")
	}
	if _, err := ring(t, keyA).Open(rotated.Seal([]byte("x"), "row"), "row"); err == nil {
		t.Error("the ring did not seal with its first key")
	}
}

func TestTamperedEnvelopes(t *testing.T) {
	t.Parallel()
	r := ring(t, keyA)
	good := r.Seal([]byte("token"), "row")
	for i := range good {
		bad := good[:i] + string(rune(good[i]^1)) + good[i+1:]
		if plain, err := r.Open(bad, "row"); err == nil && i < len(good)-1 {
			t.Fatalf("byte %d changed and it opened as %q", i, plain)
		}
	}
	for _, junk := range []string{"", "v1", "v1..", "v2.a.b", "v1.00000000.AAAA"} {
		if _, err := r.Open(junk, "row"); err == nil {
			t.Errorf("Open(%q) succeeded", junk)
		}
	}
}

func TestWeakKeysAreRefused(t *testing.T) {
	t.Parallel()
	for _, k := range []string{"", "short", "MDEyMzQ1"} {
		if _, err := seal.New(k); err == nil {
			t.Errorf("New(%q) succeeded", k)
		}
	}
	if _, err := seal.New(); err == nil {
		t.Error("New() without a key succeeded")
	}
}

func TestUnknownKeyIsToldFromDamage(t *testing.T) {
	t.Parallel()
	a, b := ring(t, keyA), ring(t, keyB, keyA)
	box := a.Seal([]byte("token"), "row")
	if !strings.HasPrefix(box, a.Prefix()) || strings.HasPrefix(box, b.Prefix()) {
		t.Errorf("prefixes %q and %q of %q", a.Prefix(), b.Prefix(), box)
	}
	if !b.Knows(box) || ring(t, keyB).Knows(box) || b.Knows("") || b.Knows("v1.x.y") {
		t.Error("a keyring does not know its keys")
	}
}
