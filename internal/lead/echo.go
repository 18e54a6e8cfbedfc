package lead

import (
	"slices"
	"strings"
)

// echoWords is how many words in a row a sentence may share with the instructions that its writer was given.
const echoWords = 8

// WithoutEcho drops the sentences in which a reader repeats what it was told rather than what the lead says. The
// questions behind the first code fence are no secret: to repeat one is to say that it is open.
func (e Extraction) WithoutEcho(instructions string) Extraction {
	told, _, _ := strings.Cut(instructions, "```")
	runs := wordRuns(told)
	echoes := func(s string) bool {
		for run := range wordRuns(s) {
			if runs[run] {
				return true
			}
		}
		return false
	}
	e.PainPoints = slices.DeleteFunc(slices.Clone(e.PainPoints), echoes)
	e.MissingInformation = slices.DeleteFunc(slices.Clone(e.MissingInformation), echoes)
	if echoes(e.RecommendedApproach) {
		e.RecommendedApproach = ""
	}
	return e
}

func wordRuns(s string) map[string]bool {
	words := strings.Fields(Fold(capText(s, 16_000)))
	out := map[string]bool{}
	for i := 0; i+echoWords <= len(words); i++ {
		out[strings.Join(words[i:i+echoWords], " ")] = true
	}
	return out
}
