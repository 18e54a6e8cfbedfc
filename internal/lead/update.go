package lead

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	growth "github.com/zakibelm/astrogrowth"
)

// Sure says whether a key of this kind names one person or one business by itself. The others are shared by those who
// work at one place.
func (k Key) Sure() bool {
	return k.Kind == KeyExternalID || k.Kind == KeyEmail || k.Kind == KeyLinkedIn
}

// Alike says whether two leads are one.
func Alike(a, b growth.Lead) bool {
	_, same := Same(Keys(a), Keys(b))
	return same
}

// Update lets new data win and keeps what it leaves empty. Both are plain JSON objects, so JSON does it. It leaves old as
// it is: what an import found is kept, to be given back.
func Update(old, update growth.Lead) growth.Lead {
	var merged growth.Lead
	for _, l := range []growth.Lead{old, update} {
		b, err := json.Marshal(l)
		if err != nil {
			return update
		}
		if err := json.Unmarshal(b, &merged); err != nil {
			return update
		}
	}
	return merged
}

// Names says whether a row holds one of these keys anywhere: in a field of its own, in one that the mapping took for
// something else, or in a row that could not be read as a lead.
func (r Row) Names(keys []Key) bool {
	for _, own := range Keys(r.Lead) {
		if slices.Contains(keys, own) {
			return true
		}
	}
	texts := append(slices.Collect(maps.Values(r.Lead.Extra)), r.Lead.Notes)
	for _, f := range append(texts, r.Fields...) {
		f = strings.ToLower(f)
		for _, k := range keys {
			if (k.Kind == KeyEmail || k.Kind == KeyLinkedIn) && strings.Contains(f, strings.ToLower(k.Value)) {
				return true
			}
		}
	}
	return false
}
