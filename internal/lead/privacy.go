package lead

import (
	"fmt"
	"slices"
	"strings"

	growth "github.com/zakibelm/astrogrowth"
)

// privateFields are the personal data that no score needs, with the name of their placeholders.
var privateFields = map[string]string{
	"contact_name": "NAME",
	"email":        "EMAIL",
	"phone":        "PHONE",
	"address":      "ADDRESS",
	"linkedin_url": "LINKEDIN",
}

// privateOrder is the order in which private values are looked for: what may hold another one comes first.
var privateOrder = []string{"linkedin_url", "email", "phone", "address", "contact_name"}

// What a model sees of one field and of a whole lead, in characters.
const (
	maxView      = 300
	maxViewNotes = 2_000
	maxViewExtra = 40
	maxViewAll   = 8_000
	// A longer text is cut before the search for private values: what stands behind cannot end up in the view, because
	// even a text of nothing but e-mail addresses does not shrink from here to maxViewNotes.
	maxSearched = 128 << 10
)

// Secrets are the private values behind the placeholders of one view. It never prints them.
type Secrets struct{ values []secret }

type secret struct{ kind, placeholder, value, folded string }

// String hides what it holds.
func (s Secrets) String() string { return fmt.Sprintf("[%d private values]", len(s.values)) }

// GoString hides what it holds.
func (s Secrets) GoString() string { return s.String() }

// MarshalText hides what it holds.
func (s Secrets) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Restore puts the private values back into a text that a model wrote about the view.
func (s Secrets) Restore(text string) string {
	if !strings.Contains(text, "[") {
		return text
	}
	pairs := make([]string, 0, 2*len(s.values))
	for _, v := range s.values {
		pairs = append(pairs, v.placeholder, v.value)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// hide gives the placeholder of a private value, the same for the same value.
func (s *Secrets) hide(kind, value string) string {
	value = strings.TrimSpace(value)
	folded := Fold(value)
	if kind == "PHONE" {
		folded = lastDigits(value)
		if x := extensionOf(value); x != "" {
			folded += "x" + x
		}
	}
	n := 1
	for _, v := range s.values {
		if v.kind == kind {
			if v.folded == folded {
				return v.placeholder
			}
			n++
		}
	}
	p := fmt.Sprintf("[%s_%d]", kind, n)
	s.values = append(s.values, secret{kind: kind, placeholder: p, value: value, folded: folded})
	return p
}

// View gives the lead as a model may see it: the fields that the rubric's score needs, without invisible characters,
// bounded in length, and with stable placeholders in place of the contact's name, e-mail addresses, telephone numbers,
// street addresses and LinkedIn profiles, wherever in the text they stand. Empty fields are absent.
func View(r Rubric, l growth.Lead) (map[string]string, Secrets) {
	var s Secrets
	view := map[string]string{}
	finders := []finder{}
	for _, f := range privateOrder {
		value := strings.TrimSpace(Visible(fieldText(&l, f)))
		if value == "" {
			continue
		}
		p := s.hide(privateFields[f], value)
		view[f] = p
		finders = append(finders, literal(privateFields[f], value, p))
	}
	for _, x := range privateExtras(l) {
		finders = append(finders, literal(x.kind, x.value, s.hide(x.kind, x.value)))
	}
	hide := redactor{secrets: &s, finders: finders, names: nameWords(l.ContactName)}
	left := maxViewAll
	for _, f := range r.viewFields(l) {
		free := f == "notes" || f == "job_title" || strings.HasPrefix(f, extraPrefix)
		limit := maxView
		if f == "notes" || strings.HasPrefix(f, extraPrefix) {
			limit = maxViewNotes
		}
		value := strings.TrimSpace(Visible(fieldText(&l, f)))
		if f == "website" {
			value = siteOnly(value)
		}
		full := hide.clean(capText(value, maxSearched), free)
		if value = capText(full, min(limit, left)); len(value) < len(full) {
			value = withoutHalf(value)
		}
		value = strings.TrimSpace(value)
		if value == "" {
			continue
		}
		view[f] = value
		left = max(0, left-len([]rune(value)))
	}
	return view, s
}

// withoutHalf takes away what is left of a placeholder at the end of a text that was cut.
func withoutHalf(value string) string {
	if i := strings.LastIndexByte(value, '['); i >= 0 && halfHidden.MatchString(value[i:]) {
		return value[:i]
	}
	return value
}

// viewFields lists the fields that the rubric shows and the lead has, in a stable order, the further fields last and
// bounded in number.
func (r Rubric) viewFields(l growth.Lead) []string {
	var out, extra []string
	for _, f := range FieldNames() {
		if privateFields[f] == "" && slices.Contains(r.Fields, f) && fieldText(&l, f) != "" {
			out = append(out, f)
		}
	}
	for name := range l.Extra {
		// A field's name goes to the model too, so only plain names do.
		if f := extraPrefix + name; l.Extra[name] != "" && validExtraName(name) && r.shows(f) {
			extra = append(extra, f)
		}
	}
	slices.Sort(extra)
	return append(out, extra[:min(len(extra), maxViewExtra)]...)
}

// siteOnly is a website's host: the path and the query of an address can hold anything.
func siteOnly(s string) string {
	if h := foldHost(s); h != "" {
		return h
	}
	return s
}
