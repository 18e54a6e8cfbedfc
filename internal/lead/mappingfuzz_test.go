package lead_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
)

// FuzzMapping holds that each column goes to one place and no two to the same, whatever the headings, the values and what
// a person says, that what was decided can be stated in words and is decided so again, and that a good row loses no value
// of a further field.
func FuzzMapping(f *testing.F) {
	f.Add("Nom de l'entreprise;Courriel;Ville", "Café;a@b.ca;Laval H2H 2H2", "Ville=extra.where")
	f.Add("x_3;x;x", "1;2;3", "#1=email,#2=-")
	f.Add("/a/b;name;name;Note", "v;w;z;4,6/5", "name=contact_name")
	f.Add("a=b;,;#2", "=1;'2;-", "a=b=extra.q")
	f.Add("Rating;extra.google_rating", "many;5", "#2=extra.google_rating")
	f.Fuzz(func(t *testing.T, head, data, spec string) {
		headers, row := strings.Split(head, ";"), strings.Split(data, ";")
		sample := slices.Repeat([][]string{row}, 3)
		guessed := lead.Guess(headers, sample)
		onePlaceEach(t, guessed, headers)
		m, err := guessed.Override(spec)
		if err != nil {
			if e, ok := errors.AsType[*growth.Error](err); !ok || e.Field != "map" || e.Code != growth.Invalid {
				t.Fatalf("error %v does not name the flag", err)
			}
			m = guessed
		}
		onePlaceEach(t, m, headers)
		again, err := guessed.Override(stated(m))
		if err != nil || !slices.Equal(mapped(again), mapped(m)) {
			t.Fatalf("%q was decided; stated again it is %q: %v", mapped(m), mapped(again), err)
		}
		keepsFurtherFields(t, m, headers, row)
	})
}

// stated says a whole mapping as a person would.
func stated(m lead.Mapping) string {
	var pairs []string
	for i, c := range m.Columns {
		field := c.Field
		if field == "" {
			field = "-"
		}
		pairs = append(pairs, fmt.Sprintf("#%d=%s", i+1, field))
	}
	return strings.Join(pairs, ",")
}

func onePlaceEach(t *testing.T, m lead.Mapping, headers []string) {
	t.Helper()
	taken := map[string]bool{}
	if len(m.Columns) != len(headers) || len(m.Explain()) != len(headers) {
		t.Fatalf("%d columns for %d headings", len(m.Columns), len(headers))
	}
	for _, c := range m.Columns {
		if c.Field != "" && taken[c.Field] {
			t.Fatalf("two columns are %s: %q", c.Field, mapped(m))
		}
		taken[c.Field] = true
	}
}

func keepsFurtherFields(t *testing.T, m lead.Mapping, headers, row []string) {
	t.Helper()
	if len(headers) != len(row) || strings.ContainsAny(strings.Join(row, ""), "\"\r\n") {
		return
	}
	format := lead.Format{Encoding: lead.UTF8, Delimiter: ';', Headers: headers}
	for r, err := range lead.Open(strings.NewReader(strings.Join(row, ";")), format, m).Rows() {
		if err != nil || r.Bad != "" {
			return
		}
		if err := lead.Validate(r.Lead); err != nil {
			t.Fatalf("a good row is invalid: %v", err)
		}
		values := slices.Collect(maps.Values(r.Lead.Extra))
		for i, c := range m.Columns {
			v := strings.TrimPrefix(strings.TrimSpace(row[i]), "'")
			if strings.HasPrefix(c.Field, "extra.") && c.Junk == "" && v != "" && !slices.ContainsFunc(values, func(s string) bool { return strings.HasSuffix(s, v) }) {
				t.Fatalf("%q of %s is lost: %v", v, c.Field, r.Lead.Extra)
			}
		}
	}
}
