package content

import (
	"fmt"
	"math"
	"strings"

	growth "github.com/zakibelm/astrogrowth"
)

// What faults cost, and how rules and judge weigh.
const (
	hardFault  = 30
	softFault  = 5
	claimFault = 15
	toneFault  = 20
	ruleWeight = 0.4
	// A post that breaks a hard rule, or claims what nobody said, stays below every sensible threshold.
	maxWithHardFault = 49
)

// DefaultThreshold and DefaultTrustAfter are what approval by machine asks for when nobody says otherwise.
const (
	DefaultThreshold  = 70
	DefaultTrustAfter = 5
)

// Score is 0 to 100: what the rules leave of 100 and what the judge says, the judge's own number never alone. Without a
// verdict only the rules count. Checks that came from a verdict are not counted twice.
func Score(checks []growth.Check, verdict *Verdict) int {
	score, _ := Parts(checks, verdict)
	return score
}

// Parts is Score with what it was made of.
func Parts(checks []growth.Check, verdict *Verdict) (int, growth.ScoreParts) {
	rules, barred := 100.0, false
	for _, c := range checks {
		if c.OK || c.Rule == RuleClaims || c.Rule == RuleTone || c.Rule == RuleSameModel {
			continue
		}
		if c.Hard {
			rules -= hardFault
			barred = true
		} else {
			rules -= softFault
		}
	}
	score := max(rules, 0)
	parts := growth.ScoreParts{Rules: int(score), Barred: barred}
	if verdict != nil {
		given := min(max(verdict.Score, 0), 100)
		parts.Judge, parts.Unsupported, parts.ToneMissed = &given, len(verdict.Unsupported()), !verdict.ToneOK
		judged := float64(given) - claimFault*float64(parts.Unsupported)
		if parts.ToneMissed {
			judged -= toneFault
		}
		parts.Barred = barred || parts.Unsupported > 0
		score = ruleWeight*score + (1-ruleWeight)*max(judged, 0)
	}
	if parts.Barred {
		score = min(score, maxWithHardFault)
	}
	return int(math.Round(score)), parts
}

// Approvable says whether a machine may approve: every hard rule holds, a judge has read the post, the judge's number
// and the score are at or above the threshold, and people have approved trustAfter posts of the brand before. Else it
// says why not.
func Approvable(checks []growth.Check, score int, parts growth.ScoreParts, threshold int, brand growth.Brand, trustAfter int) (bool, string) {
	var why []string
	for _, c := range checks {
		if c.Hard && !c.OK {
			why = append(why, c.Rule+": "+c.Detail)
		}
	}
	switch {
	case parts.Judge == nil:
		why = append(why, "no judge has read it")
	case *parts.Judge < threshold:
		why = append(why, fmt.Sprintf("the judge gives it %d, asked for is %d", *parts.Judge, threshold))
	}
	if score < threshold {
		why = append(why, fmt.Sprintf("the score is %d, asked for is %d", score, threshold))
	}
	if brand.Trusted < trustAfter {
		why = append(why, fmt.Sprintf("the brand's first %d posts go to a person; %d were approved so far", trustAfter, brand.Trusted))
	}
	return len(why) == 0, strings.Join(why, "; ")
}
