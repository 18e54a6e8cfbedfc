package lead

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"maps"
	"slices"

	growth "github.com/zakibelm/astrogrowth"
)

// Fingerprint is the SHA-256 of what a score rests on: the lead as the model and the rules see it, the rubric with its
// text and language, and the ideal customer profile. A changed telephone number leaves it as it was.
func Fingerprint(l growth.Lead, r Rubric, icp string) string {
	view, _ := View(r, l)
	h := sha256.New()
	for _, s := range []string{"lead/1", r.ID(), r.digest, r.Language(), icp} {
		write(h, s)
	}
	for _, field := range slices.Sorted(maps.Keys(view)) {
		write(h, field)
		write(h, view[field])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// write puts the length in front, so that "ab"+"c" differs from "a"+"bc".
func write(h hash.Hash, s string) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(s)))
	h.Write(n[:])
	h.Write([]byte(s))
}
