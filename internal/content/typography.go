package content

import (
	"regexp"
	"strings"
)

// The spaces that do not break a line.
const noBreak = `\x{a0}\x{202f}`

var (
	breakBefore  = regexp.MustCompile(`[\pL\pN)»%$][ \t]+[:;!?»]`)
	breakAfter   = regexp.MustCompile(`«[ \t]`)
	bareGuillems = regexp.MustCompile(`«[^\s` + noBreak + `]|[^\s` + noBreak + `]»`)
	noneBefore   = regexp.MustCompile(`[\pL)»][:](?:[\s` + noBreak + `]|$)`)
	noneBeforeFR = regexp.MustCompile(`[\pL)»][;!?](?:[\s` + noBreak + `]|$)`)
	breakUnit    = regexp.MustCompile(`\d [%$€]`)
	straight     = regexp.MustCompile(`"[^"\n]+"`)
)

// typography names what a French reader's eye stumbles on. In Canada no space stands before ; ! ? and one that does not
// break before the colon; in France it stands before all four.
func typography(p piece) string {
	if p.language() != "fr" {
		return ""
	}
	text := withoutLinks(p.draft.Title + "\n" + p.draft.Body)
	var found []string
	say := func(re *regexp.Regexp, what string) {
		if re.MatchString(text) {
			found = append(found, what)
		}
	}
	say(straight, `« » instead of " "`)
	say(breakBefore, "a no-break space before : ; ! ? »")
	say(breakAfter, "a no-break space behind «")
	say(bareGuillems, "a no-break space inside « »")
	say(noneBefore, "a no-break space before :")
	say(breakUnit, "a no-break space between a number and % $ €")
	if strings.HasPrefix(strings.ToLower(p.brief.Language), "fr-fr") {
		say(noneBeforeFR, "a no-break space before ; ! ?")
	}
	if len(found) == 0 {
		return ""
	}
	return "French typography asks for " + strings.Join(found, "; ")
}
