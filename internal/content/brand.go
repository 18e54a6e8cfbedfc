package content

import (
	"fmt"
	"strings"
	"unicode/utf8"

	growth "github.com/zakibelm/astrogrowth"
)

// Bounds of a brand kit: all of it goes to the model with each draft.
const (
	maxName    = 100
	maxVoice   = 20_000
	maxSamples = 10
	maxSample  = 3_000
	maxWords   = 200
	maxWord    = 200
	maxClaims  = 100
	maxClaim   = 500
	maxTrust   = 1000
)

// CheckBrand refuses a brand kit that is too large or not complete, and names the member at fault below prefix.
func CheckBrand(b growth.Brand, prefix string) error {
	const op = "content.CheckBrand"
	language := strings.ToLower(b.Language)
	switch n := utf8.RuneCountInString(b.Name); {
	case strings.TrimSpace(b.Name) == "" || n > maxName:
		return growth.InvalidField(op, prefix+"name", "give a name of at most %d characters", maxName)
	case utf8.RuneCountInString(b.Voice) > maxVoice:
		return growth.InvalidField(op, prefix+"voice", "use at most %d characters", maxVoice)
	case b.TrustAfter != nil && (*b.TrustAfter < 0 || *b.TrustAfter > maxTrust):
		return growth.InvalidField(op, prefix+"trust_after", "use 0 to %d posts", maxTrust)
	case language != "" && !strings.HasPrefix(language, "fr") && !strings.HasPrefix(language, "en"):
		return growth.InvalidField(op, prefix+"language", "use a French or an English one, for example fr-CA or en-CA")
	}
	for _, l := range []struct {
		name         string
		items        []string
		most, length int
	}{{"samples", b.Samples, maxSamples, maxSample}, {"use", b.Use, maxWords, maxWord}, {"avoid", b.Avoid, maxWords, maxWord}, {"banned", b.Banned, maxWords, maxWord}} {
		if err := checkList(prefix+l.name, l.items, l.most, l.length); err != nil {
			return err
		}
	}
	return checkClaims(prefix+"claims", b.Claims)
}

func checkList(field string, items []string, most, length int) error {
	const op = "content.CheckBrand"
	if len(items) > most {
		return growth.InvalidField(op, field, "use at most %d", most)
	}
	for i, s := range items {
		if strings.TrimSpace(s) == "" || utf8.RuneCountInString(s) > length {
			return growth.InvalidField(op, fmt.Sprintf("%s[%d]", field, i), "use 1 to %d characters", length)
		}
	}
	return nil
}

// checkClaims demands a source: a claim that nobody can prove is what the list is there to keep out.
func checkClaims(field string, claims []growth.Claim) error {
	const op = "content.CheckBrand"
	if len(claims) > maxClaims {
		return growth.InvalidField(op, field, "use at most %d", maxClaims)
	}
	for i, c := range claims {
		switch {
		case strings.TrimSpace(c.Text) == "" || utf8.RuneCountInString(c.Text) > maxClaim:
			return growth.InvalidField(op, fmt.Sprintf("%s[%d].text", field, i), "use 1 to %d characters", maxClaim)
		case strings.TrimSpace(c.Source) == "" || utf8.RuneCountInString(c.Source) > maxClaim:
			return growth.InvalidField(op, fmt.Sprintf("%s[%d].source", field, i), "say where the claim is proved, in 1 to %d characters", maxClaim)
		}
	}
	return nil
}
