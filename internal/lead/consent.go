package lead

import (
	"fmt"
	"slices"
	"strings"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// consentTexts and consentTimes are the fields of a consent by the names that files and the API give them.
var (
	consentTexts = map[string]func(*growth.Consent) *string{
		"consent.basis":  func(c *growth.Consent) *string { return &c.Basis },
		"consent.source": func(c *growth.Consent) *string { return &c.Source },
	}
	consentTimes = map[string]func(*growth.Consent) **time.Time{
		"consent.at":           func(c *growth.Consent) **time.Time { return &c.At },
		"consent.expires_at":   func(c *growth.Consent) **time.Time { return &c.ExpiresAt },
		"consent.withdrawn_at": func(c *growth.Consent) **time.Time { return &c.WithdrawnAt },
	}
)

// consentFields lists what a file can say of a consent.
var consentFields = []string{"consent.basis", "consent.source", "consent.at", "consent.expires_at", "consent.withdrawn_at"}

func consentField(path string) bool { return slices.Contains(consentFields, path) }

// bases are other words for the grounds on which a lead may be contacted, folded.
var bases = map[string]string{
	"consentement": "consent", "explicit": "express", "explicite": "express", "expres": "express", "exprime": "express", "expresse": "express",
	"implicit": "implied", "implicite": "implied", "tacite": "implied", "contrat": "contract", "obligation legale": "legal_obligation",
	"interet legitime": "legitimate_interests", "interets legitimes": "legitimate_interests", "legitimate interest": "legitimate_interests",
}

// consentBasis is the ground that a text names; one that it does not know is left as it is, and refused by Validate.
func consentBasis(s string) string {
	folded := Fold(s)
	if b := bases[folded]; b != "" {
		return b
	}
	b := strings.ReplaceAll(folded, " ", "_")
	if slices.Contains(growth.ConsentBases(), b) || slices.Contains(growth.OtherBases(), b) {
		return b
	}
	return s
}

// setConsentField puts a value of a file into the lead's consent. A date that cannot be read makes the row a bad one: a
// consent that has ended must not look as if it went on.
func setConsentField(l *growth.Lead, path, value string, order DateOrder) (bad string) {
	if value == "" || blankWords[strings.ToLower(value)] {
		return ""
	}
	if l.Consent == nil {
		l.Consent = &growth.Consent{}
	}
	if text := consentTexts[path]; text != nil {
		if path == "consent.basis" {
			value = consentBasis(value)
		}
		*text(l.Consent) = value
		return ""
	}
	t, ok := parseDate(value, order)
	if !ok {
		as := ""
		if order != "" && numericDate.MatchString(value) {
			as = " with " + order.words()
		}
		return fmt.Sprintf("%s: %q is no date%s; write it as 2026-01-31", path, shorten(value, 40), as)
	}
	*consentTimes[path](l.Consent) = &t
	return ""
}

// noConsent says why a column cannot hold what its heading promises of a consent.
func noConsent(field string, values []string) string {
	fit := func(v string) bool {
		_, day := parseDate(v, DayFirst)
		_, month := parseDate(v, MonthFirst)
		return day || month
	}
	why := "its values are no dates"
	switch {
	case field == "consent.basis":
		why = "its values are no grounds for a contact"
		fit = func(v string) bool {
			b := consentBasis(v)
			return slices.Contains(growth.ConsentBases(), b) || slices.Contains(growth.OtherBases(), b)
		}
	case consentTimes[field] == nil:
		return ""
	}
	filled := slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" || blankWords[strings.ToLower(v)] })
	if len(filled) == 0 || slices.ContainsFunc(filled, fit) {
		return ""
	}
	return why
}
