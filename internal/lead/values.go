package lead

import (
	"maps"
	"slices"
	"strings"

	growth "github.com/zakibelm/astrogrowth"
)

// CheckField says what is wrong with the name of a field: those of FieldNames, consent.basis, consent.source, and
// further ones as extra.<name>.
func CheckField(name string) error {
	if knownField(name) || name == "consent.basis" || name == "consent.source" {
		return nil
	}
	return growth.InvalidField("lead.CheckField", name, "a lead has no such field; use %s, consent.basis, consent.source, or extra. and a name of a to z, 0 to 9 and _",
		strings.Join(FieldNames(), ", "))
}

// FromValues makes a lead of texts by the names of its fields. What cannot be read as the number that it should be is
// kept as a further field, and said in the warnings.
func FromValues(values map[string]string) (l growth.Lead, warnings []string, err error) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if err := CheckField(name); err != nil {
			return l, nil, err
		}
		value := strings.TrimSpace(Visible(values[name]))
		switch name {
		case "consent.basis", "consent.source":
			setConsent(&l, name, value)
		default:
			if w := setField(&l, name, value); w != "" {
				warnings = append(warnings, w)
			}
		}
	}
	return l, warnings, nil
}

func setConsent(l *growth.Lead, name, value string) {
	if value == "" {
		return
	}
	if l.Consent == nil {
		l.Consent = &growth.Consent{}
	}
	if name == "consent.basis" {
		l.Consent.Basis = value
	} else {
		l.Consent.Source = value
	}
}
