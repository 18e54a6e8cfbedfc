package lead_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
)

func mapped(m lead.Mapping) []string {
	var out []string
	for _, c := range m.Columns {
		out = append(out, c.Field)
	}
	return out
}

// A heading can look like the number that a second column of the same name gets.
func TestGuessGivesEachColumnItsOwnPlace(t *testing.T) {
	t.Parallel()
	got := mapped(lead.Guess([]string{"shade_3", "shade", "shade", "shade"}, nil))
	want := []string{"extra.shade_3", "extra.shade", "extra.shade_4", "extra.shade_5"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("fields (-want +got):\n%s", d)
	}
}

func TestGuess(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		headings string
		want     string
	}{
		{
			"English", "Company Name|Email Address|Phone Number|Website|City|State|Zip|Rating|Reviews",
			"business_name|email|phone|website|city|province|postal_code|google_rating|google_reviews",
		},
		{
			"French", "Nom de l'entreprise|Courriel|Téléphone|Site web|Ville|Province|Code postal|Nombre d'avis|Poste",
			"business_name|email|phone|website|city|province|postal_code|google_reviews|job_title",
		},
		{
			"paths", "/contrevenants|/contrevenant/adresse|/contrevenant/categorie|/contrevenant/etablissement|/contrevenant/statut",
			"extra.contrevenants|address|business_type|business_name|extra.status",
		},
		{"names of a person", "First Name|Last Name|Company|Title", "first_name|last_name|business_name|job_title"},
		{"prénom and nom", "Prénom|Nom|Entreprise", "first_name|last_name|business_name"},
		{"bare name beside a company", "Name|Company", "contact_name|business_name"},
		{"bare name", "Nom|Ville", "business_name|city"},
		{"camel case and snake case", "companyName|contact_email|jobTitle", "business_name|email|job_title"},
		{"the same twice", "Email|E-mail|Company", "email|extra.e_mail|business_name"},
		{"unknown and empty", "Company|Nb. de chaises (été)|", "business_name|extra.nb_de_chaises_ete|extra.column_3"},
		{"our own names", "business_name|extra.size|extra.message|linkedin_url", "business_name|extra.size|extra.message|linkedin_url"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			m := lead.Guess(strings.Split(tc.headings, "|"), nil)
			if d := cmp.Diff(strings.Split(tc.want, "|"), mapped(m)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if n := len(m.Explain()); n != len(m.Columns) {
				t.Errorf("%d sentences for %d columns", n, len(m.Columns))
			}
		})
	}
}

func TestGuessByValues(t *testing.T) {
	t.Parallel()
	var sample [][]string
	for i := range 30 {
		sample = append(sample, []string{
			fmt.Sprintf("A%d", i), fmt.Sprintf("a%d@x.ca", i), fmt.Sprintf("514 555-01%02d", i), fmt.Sprintf("H2X %dY4", i%10), "same", "",
		})
	}
	m := lead.Guess([]string{"Company", "x1", "x2", "x3", "x4", "x5"}, sample)
	want := []string{"business_name", "email", "phone", "postal_code", "extra.x4", "extra.x5"}
	if d := cmp.Diff(want, mapped(m)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if m.Columns[4].Junk != "same" || m.Columns[0].Junk != "" || m.Columns[5].Junk != "" {
		t.Errorf("junk: %+v", m.Columns)
	}
	if len(m.Doubts) != 3 {
		t.Errorf("doubts = %q, want one for each column read by its values", m.Doubts)
	}
}

func TestGuessDoubtsImplausibleColumns(t *testing.T) {
	t.Parallel()
	var sample [][]string
	for i := range 200 {
		sample = append(sample, []string{[]string{"cellular", "telephone"}[i%2], "yes"})
	}
	m := lead.Guess([]string{"contact", "email"}, sample)
	if d := cmp.Diff([]string{"extra.contact", "extra.email"}, mapped(m)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if !strings.Contains(strings.Join(m.Doubts, "\n"), "every row will be set aside") {
		t.Errorf("doubts = %q", m.Doubts)
	}
}

func TestJunkThatChangesIsKept(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("company,batch\n")
	for i := range 1500 {
		fmt.Fprintf(&b, "Shop %d,same\n", i)
	}
	b.WriteString("Last,other\n")
	all := rows(t, b.String())
	if got := all[0].Lead.Extra["batch"]; got != "" {
		t.Errorf("batch = %q, want it left out", got)
	}
	if got := all[1500].Lead.Extra["batch"]; got != "other" {
		t.Errorf("batch = %q, want the value that differs", got)
	}
}

func TestCellsBecomeFields(t *testing.T) {
	t.Parallel()
	in := "Nom de l'entreprise;Prénom;Nom;Courriel;Ville;Note Google;Avis;Montant\n" +
		"Chez Ann;Ann;Roy;n/a;Montréal (QC) H2L2J5;4,6;(1 234);1 700 $ \n" +
		"Chez Bob;;;bob@x.ca;75011 Paris;excellent;beaucoup;250 $\n"
	all := rows(t, in)
	rating, reviews := 4.6, 1234
	want := growth.Lead{
		BusinessName: "Chez Ann", ContactName: "Ann Roy", City: "Montréal", Province: "QC", PostalCode: "H2L 2J5",
		GoogleRating: &rating, GoogleReviews: &reviews, Extra: map[string]string{"montant": "1 700 $"},
	}
	if d := cmp.Diff(want, all[0].Lead); d != "" {
		t.Errorf("first row (-want +got):\n%s", d)
	}
	want = growth.Lead{
		BusinessName: "Chez Bob", Email: "bob@x.ca", City: "Paris", PostalCode: "75011",
		Extra: map[string]string{"montant": "250 $", "google_rating": "excellent", "google_reviews": "beaucoup"},
	}
	if d := cmp.Diff(want, all[1].Lead); d != "" {
		t.Errorf("second row (-want +got):\n%s", d)
	}
	if len(all[1].Warnings) != 2 {
		t.Errorf("warnings = %q, want two", all[1].Warnings)
	}
}

func TestOverride(t *testing.T) {
	t.Parallel()
	m := lead.Guess([]string{"/c/etablissement", "/c/ville", "Site", "Note"}, nil)
	got, err := m.Override("etablissement=contact_name, #3=-, Note=extra.remark")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"contact_name", "city", "", "extra.remark"}, mapped(got)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	got, err = m.Override("ville=business_name")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"extra.etablissement", "business_name", "website", "google_rating"}, mapped(got)); d != "" {
		t.Errorf("a field given to another column (-want +got):\n%s", d)
	}
}

func TestOverrideRefuses(t *testing.T) {
	t.Parallel()
	m := lead.Guess([]string{"Company", "Ville"}, nil)
	for spec, want := range map[string]string{
		"Company":                    "has no '='",
		"nothing=city":               `no column "nothing"; it has "Company", "Ville"`,
		"Company=colour":             `"colour" is no field`,
		"Company=city,Company=email": "mapped twice",
		"Company=email,Ville=email":  "two columns are mapped to email",
		"#7=city":                    "there is no column #7",
		"=city":                      "no column",
		"Company=extra.":             "no field",
		"Company=extra.Été":          "no field",
	} {
		_, err := m.Override(spec)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Override(%q) = %v, want an error with %q", spec, err, want)
		}
	}
}
