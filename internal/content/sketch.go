package content

import (
	"encoding/binary"
	"hash/fnv"
	"slices"
)

// Sketch is the set of a text's runs of words as digests of 32 bits, sorted. Two sketches tell how close two texts are;
// none tells what its text says, so sketches may be compared where texts may not be read.
type Sketch []byte

// maxSketch bounds a sketch: a post of 3,000 characters has fewer runs.
const maxSketch = 1500

const digestBytes = 4

// SketchOf digests a text. The digest is the same in every process and version: sketches are kept.
func SketchOf(body string) Sketch {
	var all []uint32
	for run := range runs(stems(body)) {
		h := fnv.New32a()
		_, _ = h.Write([]byte(run)) // never fails, by its documentation
		all = append(all, h.Sum32())
	}
	slices.Sort(all)
	all = slices.Compact(all)
	out := make(Sketch, 0, digestBytes*min(len(all), maxSketch))
	for _, d := range all[:min(len(all), maxSketch)] {
		out = binary.BigEndian.AppendUint32(out, d)
	}
	return out
}

// set is nothing when the bytes are no sketch.
func (s Sketch) set() map[uint64]bool {
	out := make(map[uint64]bool, len(s)/digestBytes)
	for ; len(s) >= digestBytes; s = s[digestBytes:] {
		out[uint64(binary.BigEndian.Uint32(s))] = true
	}
	return out
}
