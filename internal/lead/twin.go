package lead

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
	"strings"

	growth "github.com/zakibelm/astrogrowth"
)

// FlagTwin says that the lead's free text earned points which nothing but the model's word explains.
const FlagTwin = "twin_gap"

const (
	reviewGap = 10 // from above this gap on a person looks
	heldGap   = 5  // what a suspicious lead may earn beyond what is explained, before its score is held down
)

// Twin gives the lead as a reader would see it without its free text, in which a stranger can speak to a model: without
// notes, job title and further fields, and without the sentences of other fields that speak to one. It is false when
// the lead has nothing of the kind, so that both readings would be the same.
func Twin(r Rubric, l growth.Lead) (growth.Lead, bool) {
	twin := l
	twin.Notes, twin.JobTitle, twin.Extra = "", "", nil
	for _, field := range textFields {
		if value := field(&twin); *value != "" {
			*value = strings.TrimSpace(strings.ReplaceAll(withoutOrders(*value), gap, " "))
		}
	}
	with, _ := View(r, l)
	without, _ := View(r, twin)
	return twin, !maps.Equal(with, without)
}

// WantsTwin says whether a lead is read a second time without its free text: always when its text raises a suspicion,
// else for the given share of leads. The fingerprint decides which, so that a retry decides alike.
func WantsTwin(l growth.Lead, fingerprint string, rate float64) bool {
	if suspicious(Suspicions(l)) {
		return true
	}
	sum := sha256.Sum256([]byte("twin " + fingerprint))
	return float64(binary.BigEndian.Uint32(sum[:4]))/(1<<32) < rate
}

func suspicious(flags []string) bool {
	return slices.Contains(flags, FlagInstructions) || slices.Contains(flags, FlagHidden)
}

// Weigh is Score with a second opinion: the reading of the lead's twin. What the lead's free text earns counts as
// explained where the twin earns it too, or where the rubric's own rules find it in the text; the points beyond are the
// gap. A gap above 10 sends the lead to a person. A suspicious lead with a gap gets the explained score until then; a
// suspicion alone, or a gap alone, lowers nobody.
func Weigh(r Rubric, l growth.Lead, e, twin Extraction, by growth.ScoredBy) growth.Qualification {
	q := Score(r, l, e, by)
	if slices.Contains(q.Flags, FlagGated) {
		return q
	}
	explained := Score(r, l, r.explained(l, e, twin), by)
	points := max(0, q.Score-explained.Score)
	if suspicious(q.Flags) && points > heldGap {
		q = explained
	}
	q.TwinGap = &points
	if points > reviewGap {
		q.Flags = append(q.Flags, FlagTwin)
		q.NextAction = ActionReview
		q.RecommendedApproach = approach[ActionReview].In(r.Language())
	}
	return q
}

// explained is the extraction e with each level brought down to what the twin earns too, or what the rules find in the
// text that the twin's reader did not see.
func (r Rubric) explained(l growth.Lead, e, twin Extraction) Extraction {
	view, secrets := View(r, l)
	proof := provable(view)
	without, _ := Twin(r, l)
	seen, _ := View(r, without)
	rules := Rules(r, l)
	claimed, byTwin, byRules := r.reasons(e, view, proof, secrets), r.reasons(twin, view, proof, secrets), r.reasons(rules, view, proof, secrets)
	out := e
	out.Criteria = nil
	for i, c := range r.Criteria {
		best, from := byTwin[i].Points, twin
		if f := byRules[i].Field; byRules[i].Points > best && seen[f] != view[f] {
			best, from = byRules[i].Points, rules
		}
		if claimed[i].Points < best || !byTwin[i].Verified && best == 0 && claimed[i].Points == 0 {
			from = e
		}
		if j := slices.IndexFunc(from.Criteria, func(f Finding) bool { return f.Criterion == c.ID }); j >= 0 {
			out.Criteria = append(out.Criteria, from.Criteria[j])
		}
	}
	return out
}
