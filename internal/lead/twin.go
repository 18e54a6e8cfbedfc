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
	reviewGap  = 10 // from above this gap on a person looks
	heldGap    = 5  // what a suspicious lead may earn beyond what is explained, before its score is held down
	honestGap  = 40 // what free text may earn beyond what is explained: about all that it can say of an intent
	twiceGain  = 40 // from above this gain over the rules on a lead is read twice
	deniedGain = 10 // the same where the rules read a denial in the text
	manyProven = 3  // so many criteria are not proven by one quote, unless the rules find them there
)

// Twin gives the lead as a reader would see it without its free text, in which a stranger can speak to a model: without
// notes, job title and further fields, without other fields that hold prose, and without the sentences that speak to
// one. It is false when the lead has nothing of the kind, so that both readings would be the same.
func Twin(r Rubric, l growth.Lead) (growth.Lead, bool) {
	twin := l
	twin.Notes, twin.JobTitle, twin.Extra = "", "", nil
	for _, field := range textFields {
		value := field(&twin)
		switch {
		case *value == "":
		case prose(*value):
			*value = ""
		default:
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

// Overreaches says whether a reading makes so much more of the lead than the rubric's own rules do that the text may
// have talked its reader round. It goes by what came of the text, not by its words: those have no end.
func Overreaches(r Rubric, l growth.Lead, e Extraction) bool {
	o := r.overreach(l, e)
	return o.gain > twiceGain || o.denied && o.gain > deniedGain || o.spread >= manyProven
}

// overreach is what a reading claims beyond the rules.
type overreach struct {
	gain   int  // the points of the score that free text earns
	spread int  // how many criteria one quote proves at most
	denied bool // of one of them the rules read in free text that there is nothing
}

func (r Rubric) overreach(l growth.Lead, e Extraction) overreach {
	view, secrets := View(r, l)
	proof := provable(view)
	claimed, byRules := r.reasons(e, view, proof, secrets), r.reasons(Rules(r, l), view, proof, secrets)
	capped := slices.Clone(claimed)
	var o overreach
	var quotes []growth.Reason
	for i, x := range claimed {
		known := byRules[i]
		if !x.Verified || x.Points <= known.Points {
			continue
		}
		quotes = append(quotes, growth.Reason{Field: x.Field, Quote: Fold(x.Quote)})
		if freeField(x.Field) || prose(view[x.Field]) {
			capped[i].Points = known.Points
			o.denied = o.denied || known.Verified && known.Points == 0 && freeField(known.Field)
		}
	}
	for _, q := range quotes {
		same := func(other growth.Reason) bool {
			return q.Field == other.Field && (strings.Contains(q.Quote, other.Quote) || strings.Contains(other.Quote, q.Quote))
		}
		n := 0
		for _, other := range quotes {
			if same(other) {
				n++
			}
		}
		o.spread = max(o.spread, n)
	}
	o.gain = r.scoreOf(claimed) - r.scoreOf(capped)
	return o
}

func (r Rubric) scoreOf(reasons []growth.Reason) int {
	fit, intent, _ := r.sum(reasons)
	return r.weighed(fit, intent)
}

// prose says whether the value of a short field, as a name or a town, is a text: names have no sentences in them.
func prose(value string) bool {
	words := len(strings.Fields(value))
	return words >= 10 || words >= 5 && strings.ContainsAny(strings.TrimRight(value, " .!"), ".!?:;\n")
}

// Weigh is Score with a second opinion: the reading of the lead's twin. What the lead's free text earns counts as
// explained where the twin earns it too, or where the rubric's own rules find it in the text; the points beyond are the
// gap. A gap above 10 sends the lead to a person. Until then a lead gets the explained score, and no sentence of the
// model, when its text is suspicious, when the reading overreaches in a way that no honest text explains, or when the
// gap is above 40. A suspicion alone, or a smaller gap alone, lowers nobody.
func Weigh(r Rubric, l growth.Lead, e, twin Extraction, by growth.ScoredBy) growth.Qualification {
	q := Score(r, l, e, by)
	if slices.Contains(q.Flags, FlagGated) {
		return q
	}
	explained := Score(r, l, r.explained(l, e, twin, false), by)
	points := max(0, q.Score-explained.Score)
	o := r.overreach(l, e)
	overdone := o.denied || o.spread >= manyProven || points > honestGap
	held := points > heldGap && (overdone || suspicious(q.Flags))
	if held {
		q = Score(r, l, r.explained(l, e, twin, true), by)
	}
	q.TwinGap = &points
	if points > reviewGap || held && overdone {
		q.Flags = append(q.Flags, FlagTwin)
		q.NextAction = ActionReview
		q.RecommendedApproach = approach[ActionReview].In(r.Language())
	}
	return q
}

// explained is the extraction e with each level brought down to what the twin earns too, or what the rules find in the
// text that the twin's reader did not see, and without the reader's own sentences. A reading that is not trusted at all
// loses its unproven claims, too: what they say of a criterion is left to the twin.
func (r Rubric) explained(l growth.Lead, e, twin Extraction, distrusted bool) Extraction {
	view, secrets := View(r, l)
	proof := provable(view)
	without, _ := Twin(r, l)
	seen, _ := View(r, without)
	rules := Rules(r, l)
	claimed, byTwin, byRules := r.reasons(e, view, proof, secrets), r.reasons(twin, view, proof, secrets), r.reasons(rules, view, proof, secrets)
	out := Extraction{NextAction: e.NextAction}
	for i, c := range r.Criteria {
		best, from := byTwin[i].Points, twin
		if unproven := distrusted && !claimed[i].Verified; unproven {
			if j := slices.IndexFunc(twin.Criteria, func(f Finding) bool { return f.Criterion == c.ID }); j >= 0 {
				out.Criteria = append(out.Criteria, twin.Criteria[j])
			}
			continue
		}
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
