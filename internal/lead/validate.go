package lead

import (
	"math"
	"net/mail"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	growth "github.com/zakibelm/astrogrowth"
)

// The bounds of a lead, in characters. They are wide for people and narrow for machines that send garbage.
const (
	maxField      = 500
	maxURL        = 2_000
	maxNotes      = 20_000
	maxExtra      = 100
	maxExtraName  = 64
	maxExtraValue = 10_000
	minPhone      = 5
	maxPhone      = 18
)

const opValidate = "lead.Validate"

// Validate says what is wrong with a lead first, naming the field and what would be right.
func Validate(l growth.Lead) error {
	if l.BusinessName+l.ContactName+l.Email+l.ExternalID+l.LinkedInURL+l.Website+l.Phone == "" {
		return growth.InvalidField(opValidate, "lead", "say who the lead is: business_name, contact_name, email, phone, website, linkedin_url or external_id")
	}
	for _, name := range FieldNames() {
		limit := maxField
		switch name {
		case "notes":
			limit = maxNotes
		case "website", "linkedin_url":
			limit = maxURL
		}
		if err := checkText("lead."+name, fieldText(&l, name), limit); err != nil {
			return err
		}
	}
	for _, check := range []func(*growth.Lead) error{checkEmail, checkPhone, checkAddresses, checkGoogle, checkConsent, checkExtra} {
		if err := check(&l); err != nil {
			return err
		}
	}
	return nil
}

func checkText(path, s string, limit int) error {
	if !utf8.ValidString(s) {
		return growth.InvalidField(opValidate, path, "must be valid UTF-8")
	}
	if strings.ContainsRune(s, 0) {
		return growth.InvalidField(opValidate, path, "must not hold a NUL character")
	}
	if n := utf8.RuneCountInString(s); n > limit {
		return growth.InvalidField(opValidate, path, "has %d characters, at most %d are taken", n, limit)
	}
	return nil
}

func checkEmail(l *growth.Lead) error {
	if l.Email == "" {
		return nil
	}
	a, err := mail.ParseAddress(l.Email)
	if err != nil || a.Name != "" || a.Address != strings.TrimSpace(l.Email) || len(a.Address) > 254 ||
		!strings.Contains(a.Address[strings.LastIndexByte(a.Address, '@'):], ".") {
		return growth.InvalidField(opValidate, "lead.email", "must be one e-mail address, as name@example.com")
	}
	return nil
}

func checkPhone(l *growth.Lead) error {
	if l.Phone == "" {
		return nil
	}
	digits := 0
	for _, r := range l.Phone {
		if unicode.IsDigit(r) {
			digits++
		}
	}
	if digits < minPhone || digits > maxPhone {
		return growth.InvalidField(opValidate, "lead.phone", "must hold %d to %d digits", minPhone, maxPhone)
	}
	return nil
}

func checkAddresses(l *growth.Lead) error {
	if l.Website != "" && parseURL(l.Website) == nil {
		return growth.InvalidField(opValidate, "lead.website", "must be a web address, as https://example.com")
	}
	if l.LinkedInURL == "" {
		return nil
	}
	if u := parseURL(l.LinkedInURL); u == nil || !isLinkedIn(u.Hostname()) {
		return growth.InvalidField(opValidate, "lead.linkedin_url", "must be an address on linkedin.com")
	}
	return nil
}

func checkGoogle(l *growth.Lead) error {
	if r := l.GoogleRating; r != nil && (math.IsNaN(*r) || *r < 0 || *r > 5) {
		return growth.InvalidField(opValidate, "lead.google_rating", "must be a number from 0 to 5")
	}
	if n := l.GoogleReviews; n != nil && *n < 0 {
		return growth.InvalidField(opValidate, "lead.google_reviews", "must be a count, 0 or more")
	}
	return nil
}

func checkConsent(l *growth.Lead) error {
	c := l.Consent
	if c == nil {
		return nil
	}
	if err := checkText("lead.consent.basis", c.Basis, maxField); err != nil {
		return err
	}
	if err := checkText("lead.consent.source", c.Source, maxField); err != nil {
		return err
	}
	if c.Basis != "" && !slices.Contains(growth.ConsentBases(), c.Basis) && !slices.Contains(growth.OtherBases(), c.Basis) {
		return growth.InvalidField(opValidate, "lead.consent.basis", "use one of %s, %s",
			strings.Join(growth.ConsentBases(), ", "), strings.Join(growth.OtherBases(), ", "))
	}
	if c.At != nil && c.ExpiresAt != nil && c.ExpiresAt.Before(*c.At) {
		return growth.InvalidField(opValidate, "lead.consent.expires_at", "must not lie before consent.at")
	}
	if c.At != nil && c.WithdrawnAt != nil && c.WithdrawnAt.Before(*c.At) {
		return growth.InvalidField(opValidate, "lead.consent.withdrawn_at", "must not lie before consent.at")
	}
	return nil
}

func checkExtra(l *growth.Lead) error {
	if len(l.Extra) > maxExtra {
		return growth.InvalidField(opValidate, "lead.extra", "has %d fields, at most %d are taken", len(l.Extra), maxExtra)
	}
	for name, value := range l.Extra {
		if n := utf8.RuneCountInString(name); name == "" || n > maxExtraName || !utf8.ValidString(name) {
			return growth.InvalidField(opValidate, "lead.extra", "field names must have 1 to %d characters", maxExtraName)
		}
		if err := checkText("lead.extra."+name, value, maxExtraValue); err != nil {
			return err
		}
	}
	return nil
}
