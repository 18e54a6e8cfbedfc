package content

import (
	"fmt"
	"strings"

	growth "github.com/zakibelm/astrogrowth"
)

// The names of the rules, as they stand in a content's checks.
const (
	RuleLength      = "length"
	RuleFold        = "fold"
	RuleHashtags    = "hashtags"
	RuleBanned      = "banned"
	RuleAvoid       = "avoid"
	RuleNumbers     = "numbers"
	RuleLinks       = "links"
	RuleLanguage    = "language"
	RuleTypography  = "typography"
	RulePlaceholder = "placeholder"
	RuleApology     = "apology"
	RuleCloseness   = "closeness"
	RuleElsewhere   = "closeness_elsewhere"
	RuleClaims      = "judge_claims"     // the judge's, not in Check
	RuleTone        = "judge_tone"       // the judge's, not in Check
	RuleSameModel   = "judge_same_model" // whether another model judged than wrote, not in Check
)

// piece is everything a rule may look at.
type piece struct {
	draft  Draft
	text   string // what is posted
	brief  Brief
	brand  growth.Brand
	nearby Nearby
}

// language is the base of the language asked for: for example "fr" or "en".
func (p piece) language() string {
	l := p.brief.Language
	if l == "" {
		l = p.brand.Language
	}
	base, _, _ := strings.Cut(strings.ToLower(l), "-")
	return base
}

// rules are tried in this order. Each gives what is wrong, or nothing.
var rules = []struct {
	name string
	hard bool
	find func(piece) string
}{
	{RuleLength, true, length},
	{RuleFold, false, hook},
	{RuleHashtags, true, hashtags},
	{RuleBanned, true, banned},
	{RuleAvoid, false, avoided},
	{RuleNumbers, true, numbers},
	{RuleLinks, true, links},
	{RuleLanguage, true, language},
	{RuleTypography, false, typography},
	{RulePlaceholder, true, placeholders},
	{RuleApology, true, apology},
	{RuleCloseness, true, closeness},
	{RuleElsewhere, true, elsewhere},
}

// Check tries every rule on a draft.
func Check(d Draft, b Brief, brand growth.Brand, near Nearby) []growth.Check {
	p := piece{draft: d.Plain(), text: Text(d), brief: b, brand: brand, nearby: near}
	out := make([]growth.Check, 0, len(rules))
	for _, r := range rules {
		detail := r.find(p)
		out = append(out, growth.Check{Rule: r.name, Hard: r.hard, OK: detail == "", Detail: detail})
	}
	return out
}

// Faults gives the checks that failed as sentences for the writer of a revision.
func Faults(checks []growth.Check) []string {
	var out []string
	for _, c := range checks {
		if !c.OK {
			out = append(out, fmt.Sprintf("%s: %s", c.Rule, c.Detail))
		}
	}
	return out
}

// list shortens an enumeration for a detail.
func list(items []string) string {
	const most = 5
	if len(items) > most {
		return strings.Join(items[:most], ", ") + fmt.Sprintf(" and %d more", len(items)-most)
	}
	return strings.Join(items, ", ")
}
