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

var (
	spaceBefore    = regexp.MustCompile(`([\pL\pN)»%$])[ \t]+([:;!?»]+)`)
	spaceAfter     = regexp.MustCompile(`«[ \t]+`)
	spaceUnit      = regexp.MustCompile(`(\d) ([%$€])`)
	linkThenSign   = regexp.MustCompile(`([^\s` + noBreak + `])[ \t]+([:;!?»](?:\s|$))`)
	bareBefore     = regexp.MustCompile(`([^\s` + noBreak + `])»`)
	bareAfter      = regexp.MustCompile(`«([^\s` + noBreak + `])`)
	signAfterWord  = regexp.MustCompile(`([\pL)»])([;!?])(\s|$)`)
	colonAfterWord = regexp.MustCompile(`([\pL)»]):(\s|$)`)
)

// Typeset sets the spaces of a French draft that do not break a line. A writer has no key for them, and a second draft
// with a second judge is a high price for a space.
func Typeset(d Draft, language string) Draft {
	if l, _, _ := strings.Cut(strings.ToLower(language), "-"); l == "fr" {
		france := strings.HasPrefix(strings.ToLower(language), "fr-fr")
		d.Title, d.Body = typeset(d.Title, france), typeset(d.Body, france)
	}
	return d
}

func typeset(s string, france bool) string {
	var b strings.Builder
	from := 0
	for _, at := range linkForm.FindAllStringIndex(s, -1) { // a link stays as it is
		b.WriteString(spaces(s[from:at[0]], france))
		b.WriteString(s[at[0]:at[1]])
		from = at[1]
	}
	b.WriteString(spaces(s[from:], france))
	return linkThenSign.ReplaceAllString(b.String(), "$1\u00a0$2")
}

func spaces(s string, france bool) string {
	for range 2 { // of two signs in a row, as in "» !", the second begins where the first ends
		s = spaceBefore.ReplaceAllString(s, "$1\u00a0$2")
	}
	s = bareAfter.ReplaceAllString(bareBefore.ReplaceAllString(s, "$1\u00a0»"), "«\u00a0$1")
	s = spaceAfter.ReplaceAllString(s, "«\u00a0")
	s = colonAfterWord.ReplaceAllString(s, "$1\u00a0:$2")
	if france {
		s = signAfterWord.ReplaceAllString(s, "$1\u202f$2$3")
	}
	return spaceUnit.ReplaceAllString(s, "$1\u00a0$2")
}
