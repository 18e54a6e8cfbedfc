package lead

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	growth "github.com/zakibelm/astrogrowth"
)

// textFields are the lead's fields of text by the names that the API gives them.
var textFields = map[string]func(*growth.Lead) *string{
	"external_id":   func(l *growth.Lead) *string { return &l.ExternalID },
	"business_name": func(l *growth.Lead) *string { return &l.BusinessName },
	"business_type": func(l *growth.Lead) *string { return &l.BusinessType },
	"contact_name":  func(l *growth.Lead) *string { return &l.ContactName },
	"job_title":     func(l *growth.Lead) *string { return &l.JobTitle },
	"email":         func(l *growth.Lead) *string { return &l.Email },
	"phone":         func(l *growth.Lead) *string { return &l.Phone },
	"website":       func(l *growth.Lead) *string { return &l.Website },
	"linkedin_url":  func(l *growth.Lead) *string { return &l.LinkedInURL },
	"address":       func(l *growth.Lead) *string { return &l.Address },
	"city":          func(l *growth.Lead) *string { return &l.City },
	"province":      func(l *growth.Lead) *string { return &l.Province },
	"postal_code":   func(l *growth.Lead) *string { return &l.PostalCode },
	"country":       func(l *growth.Lead) *string { return &l.Country },
	"source":        func(l *growth.Lead) *string { return &l.Source },
	"notes":         func(l *growth.Lead) *string { return &l.Notes },
}

const extraPrefix = "extra."

// FieldNames lists the names of a lead's fields; further ones are called "extra.<name>".
func FieldNames() []string {
	return append(slices.Sorted(maps.Keys(textFields)), "google_rating", "google_reviews")
}

func knownField(path string) bool {
	if name, ok := strings.CutPrefix(path, extraPrefix); ok {
		return validExtraName(name)
	}
	return textFields[path] != nil || path == "google_rating" || path == "google_reviews"
}

func validExtraName(name string) bool {
	if name == "" || len(name) > maxExtraName {
		return false
	}
	return strings.IndexFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_'
	}) < 0
}

// fieldText is the lead's field as text, "" when the lead does not say.
func fieldText(l *growth.Lead, path string) string {
	if name, ok := strings.CutPrefix(path, extraPrefix); ok {
		return l.Extra[name]
	}
	switch path {
	case "google_rating":
		if l.GoogleRating == nil {
			return ""
		}
		return strconv.FormatFloat(*l.GoogleRating, 'f', -1, 64)
	case "google_reviews":
		if l.GoogleReviews == nil {
			return ""
		}
		return strconv.Itoa(*l.GoogleReviews)
	}
	if f := textFields[path]; f != nil {
		return *f(l)
	}
	return ""
}

// blankWords are what files write where they know nothing. They are only read so in fields that have a form of their
// own; "unknown" may be a restaurant.
var blankWords = set("n/a na null none nil unknown inconnu s/o s.o. nd n.d. aucun - -- . ?")

var formedFields = set("email phone website linkedin_url google_rating google_reviews postal_code")

// setField puts a value of a file into the lead. What cannot be read as the number it should be is kept under extra, and
// the returned sentence says so.
func setField(l *growth.Lead, path, value string) (warning string) {
	if value == "" || formedFields[path] && blankWords[strings.ToLower(value)] {
		return ""
	}
	switch path {
	case "google_rating":
		f, of, ok := parseRating(value)
		if !ok {
			setExtra(l, "google_rating", value)
			return "the rating is no number from 0 to 5; kept as extra.google_rating"
		}
		l.GoogleRating = &f
		if of != 5 {
			return fmt.Sprintf("the rating %s is read as %s of 5", shorten(value, 20), strconv.FormatFloat(f, 'f', -1, 64))
		}
		return ""
	case "google_reviews":
		if n, ok := parseCount(value); ok {
			l.GoogleReviews = &n
			return ""
		}
		setExtra(l, "google_reviews", value)
		return "the number of reviews is no count; kept as extra.google_reviews"
	}
	if name, ok := strings.CutPrefix(path, extraPrefix); ok {
		setExtra(l, name, value)
		return ""
	}
	if f := textFields[path]; f != nil && *f(l) == "" {
		*f(l) = value
	}
	return ""
}

func setExtra(l *growth.Lead, name, value string) {
	if l.Extra == nil {
		l.Extra = map[string]string{}
	}
	l.Extra[name] = value
}

// parseRating reads "4.6", "4,6" and "4,6/5", and brings "9/10" to a rating of 5. of is what the rating is out of.
func parseRating(s string) (rating float64, of int, ok bool) {
	of = 5
	s, scale, scaled := strings.Cut(s, "/")
	if scaled {
		n, isCount := parseCount(scale)
		if !isCount || n != 5 && n != 10 && n != 20 && n != 100 {
			return 0, 0, false
		}
		of = n
	}
	f, ok := parseNumber(s)
	if of != 5 {
		f = math.Round(f*500/float64(of)) / 100
	}
	return f, of, ok && f >= 0 && f <= 5
}

// parseCount reads "1234", "1 234", "1,234", "1.234", "(1234)" and "12.0".
func parseCount(s string) (int, bool) {
	s = strings.Trim(strings.TrimSpace(s), "()")
	s = strings.NewReplacer(" ", "", "\u00a0", "", "\u202f", "", ",", "", "'", "").Replace(s)
	if whole, behind, ok := strings.Cut(s, "."); ok && strings.Trim(behind, "0") == "" && len(behind) < 3 {
		s = whole // programs that know no whole numbers write 12 so
	} else if ok && len(behind) == 3 && len(whole) <= 3 && whole != "0" {
		s = whole + behind // nobody has a part of a review
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 0
}

// parseNumber reads a number as French and English write it. Of a point and a comma the last one is the decimal one; a
// comma alone is, with other than three digits behind it.
func parseNumber(s string) (float64, bool) {
	s = strings.TrimSpace(strings.NewReplacer("\u00a0", " ", "\u202f", " ").Replace(s))
	s = strings.TrimSpace(strings.TrimRight(s, "$€% "))
	s = strings.ReplaceAll(strings.TrimLeft(s, "$€ "), " ", "")
	if i := strings.LastIndexByte(s, ','); i >= 0 {
		switch point := strings.LastIndexByte(s, '.'); {
		case strings.Count(s, ",") > 1 || point > i || point < 0 && len(s)-i-1 == 3:
			s = strings.ReplaceAll(s, ",", "")
		default:
			s = strings.Replace(strings.ReplaceAll(s, ".", ""), ",", ".", 1)
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
}
