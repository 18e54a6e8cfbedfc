package lead_test

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
)

func opener(file string) lead.Opener {
	return func() (io.Reader, error) { return strings.NewReader(file), nil }
}

// planned reads a whole file as stated.
func planned(t *testing.T, file string, s lead.Stated) (lead.Plan, []lead.Row) {
	t.Helper()
	p, err := lead.NewPlan(opener(file), s)
	if err != nil {
		t.Fatalf("NewPlan: %v", err)
	}
	var out []lead.Row
	for row, err := range lead.Open(strings.NewReader(file), p.Format, p.Mapping).Rows() {
		if err != nil {
			t.Fatalf("Rows: %v", err)
		}
		out = append(out, row)
	}
	return p, out
}

func namesOf(rows []lead.Row) string {
	var out []string
	for _, r := range rows {
		if r.Bad != "" {
			out = append(out, fmt.Sprintf("line %d is bad", r.Line))
			continue
		}
		out = append(out, r.Lead.BusinessName)
	}
	return strings.Join(out, ", ")
}

func TestHeadingIsWhereSomebodySays(t *testing.T) {
	t.Parallel()
	const plain = "Café Un,Laval\nCafé Deux,Longueuil\nCafé Trois,Brossard\n"
	const byNumber = "#1=business_name,#2=city"
	for _, tc := range []struct {
		name, file  string
		stated      lead.Stated
		want, doubt string
		heading     string
	}{
		{"none is known", plain, lead.Stated{Mapping: byNumber}, "Café Deux, Café Trois", "no heading of line 1 is known", "yes"},
		{"there is none", plain, lead.Stated{Mapping: byNumber, Header: lead.NoHeading}, "Café Un, Café Deux, Café Trois", "", "no"},
		{"there is one", plain, lead.Stated{Mapping: byNumber, Header: 1}, "Café Deux, Café Trois", "", "yes"},
		{
			"below a title", "Clients, printemps\n\nNom,Ville\nA,Laval\nB,Laval\n",
			lead.Stated{Header: 3, Mapping: "Nom=business_name"},
			"A, B", "", "3",
		},
		{"below the delimiter", "sep=;\nname;address\nA;1, rue B\nB;2, rue B\n", lead.Stated{Mapping: "name=business_name"}, "A, B", "", "2"},
		{"a list of one column", "business_name\nA\nB, C\n", lead.Stated{Delimiter: lead.NoDelimiter}, "A, B, C", "", "yes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p, rows := planned(t, tc.file, tc.stated)
			if got := namesOf(rows); got != tc.want {
				t.Errorf("leads: %s; want %s", got, tc.want)
			}
			if doubts := strings.Join(p.Doubts(), "; "); (tc.doubt == "") != (doubts == "") || !strings.Contains(doubts, tc.doubt) {
				t.Errorf("doubts: %s; want %s", doubts, tc.doubt)
			}
			if got := p.Format.Heading().String(); got != tc.heading {
				t.Errorf("heading: %s, want %s", got, tc.heading)
			}
			if again, err := lead.ParseHeading(tc.heading); err != nil || again.String() != tc.heading {
				t.Errorf("%s is read as %s: %v", tc.heading, again, err)
			}
		})
	}
}

// One row that cannot be read does not cost the others.
func TestOneBadRowDoesNotRefuseTheFile(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{
		"a line that is too long": strings.Repeat("x", 3<<20) + ",x", "a NUL": "B\x00,Laval", "an open mark before it": "\"B,Laval\n" + strings.Repeat("x", 3<<20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, rows := planned(t, "business_name,city\nA,Laval\n"+line+"\nC,Laval\n", lead.Stated{})
			got := namesOf(rows)
			if !strings.HasPrefix(got, "A, line 3 is bad") || !strings.HasSuffix(got, ", C") {
				t.Errorf("leads: %s", got)
			}
			if last := rows[len(rows)-1].Line; last != strings.Count(line, "\n")+4 {
				t.Errorf("C stands in line %d", last)
			}
		})
	}
	_, err := lead.NewPlan(opener(strings.Repeat("x", 20<<20)), lead.Stated{})
	if growth.CodeOf(err) != growth.Invalid || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("a file of one long line: %v", err)
	}
}

func TestColumnsBeyondALeadsRoomAreLeftOut(t *testing.T) {
	t.Parallel()
	head, row := []string{"business_name"}, []string{"A"}
	for i := range 299 {
		head, row = append(head, fmt.Sprintf("Champ %d", i)), append(row, fmt.Sprint(i))
	}
	file := strings.Join(head, ",") + "\n" + strings.Join(row, ",") + "\n"
	p, rows := planned(t, file, lead.Stated{Mapping: "#300=extra.last"})
	if namesOf(rows) != "A" || rows[0].Lead.Extra["last"] != "298" || rows[0].Lead.Extra["champ_0"] != "0" || len(rows[0].Lead.Extra) != 98 {
		t.Errorf("%d further fields, bad: %s", len(rows[0].Lead.Extra), rows[0].Bad)
	}
	if doubts := strings.Join(p.Doubts(), "; "); !strings.Contains(doubts, "are left out") || !strings.Contains(doubts, `"#3=-"`) {
		t.Errorf("doubts: %s", doubts)
	}
}

// The letters that tell encodings apart may come late in a file.
func TestEncodingIsToldByTheWholeFile(t *testing.T) {
	t.Parallel()
	filler := strings.Repeat("Chez Ann;Laval\n", 80_000)
	accents := strings.Repeat("Caf\xe9;Montr\xe9al\n", 90_000)
	for _, tc := range []struct {
		name, file, want string
		enc              lead.Encoding
	}{
		{"after accents", "business_name;city\n" + accents + "Le Sacr\xe9 C\xbdur;Laval\nPrix \xa4;Laval\n", "Prix €", lead.ISO885915},
		{"after plain letters", "business_name;city\n" + filler + "Le Sacr\xe9 C\x9cur;Laval\n", "Le Sacré Cœur", lead.Windows1252},
		{"after plain letters, in UTF-8", "business_name;city\n" + filler + "Le Sacré Cœur;Laval\n", "Le Sacré Cœur", lead.UTF8},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p, rows := planned(t, tc.file, lead.Stated{})
			if got := rows[len(rows)-1].Lead.BusinessName; p.Format.Encoding != tc.enc || got != tc.want || p.Decided() != nil {
				t.Errorf("%s: %q, %v", p.Format.Encoding, got, p.Decided())
			}
		})
	}
}

func TestBrokenBytesInUTF8(t *testing.T) {
	t.Parallel()
	good := strings.Repeat("Café d'été,Montréal\n", 20)
	p, rows := planned(t, "business_name,city\n"+good+"Caf\xe9,Laval\n", lead.Stated{})
	if p.Format.Encoding != lead.UTF8 || p.Decided() != nil || !strings.HasSuffix(namesOf(rows), "line 22 is bad") {
		t.Errorf("%s: %v: %s", p.Format.Encoding, p.Decided(), namesOf(rows))
	}
	doubts := strings.Join(p.Doubts(), "; ")
	if !strings.Contains(doubts, "some bytes are no utf-8, the first in line 22") || strings.Contains(doubts, "already broken") {
		t.Errorf("doubts: %s", doubts)
	}
	mixed, err := lead.NewPlan(opener("business_name,city\nCafé,Laval\nCaf\xe9,Laval\n"), lead.Stated{})
	if err != nil || mixed.Decided() == nil || !strings.Contains(mixed.Decided().Error(), `"Café" as utf-8`) {
		t.Errorf("half and half: %v, %v", err, mixed.Decided())
	}
}

func TestDatesOfConsent(t *testing.T) {
	t.Parallel()
	const head = "email,Créé le,Consent basis,Consent date,Consent expires\n"
	for _, tc := range []struct{ name, file, dates, want, doubt string }{
		{"day first", "a@x.ca,,express,03/04/2026,31/12/2026\n", "", "2026-04-03 2026-12-31", ""},
		{"month first", "a@x.ca,,express,03/04/2026,12/31/2026\n", "", "2026-03-04 2026-12-31", ""},
		{"told by another column", "a@x.ca,25/12/2025,express,03/04/2026,05/06/2026\n", "", "2026-04-03 2026-06-05", ""},
		{"told by a person", "a@x.ca,,express,03/04/2026,05/06/2026\n", "mdy", "2026-03-04 2026-05-06", ""},
		{"cannot be told", "a@x.ca,,express,03/04/2026,05/06/2026\n", "", "", "cannot be told"},
		{"both ways", "a@x.ca,31/01/2026,express,03/04/2026,12/31/2026\n", "", "", "some dates have the day first"},
		{"by their names", "a@x.ca,,exprès,3 avril 2026,\"Dec 31, 2026\"\n", "", "2026-04-03 2026-12-31", ""},
		{"the year first", "a@x.ca,,express,2026-04-03 10:15,2026-12-31T23:00:00-05:00\n", "", "2026-04-03 2027-01-01", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			order, err := lead.ParseDateOrder(tc.dates)
			if err != nil {
				t.Fatal(err)
			}
			p, rows := planned(t, head+tc.file, lead.Stated{Dates: order})
			if tc.doubt != "" {
				if err := p.Decided(); err == nil || !strings.Contains(err.Error(), tc.doubt) || rows[0].Bad == "" {
					t.Errorf("decided: %v; row %+v", err, rows[0])
				}
				return
			}
			c := rows[0].Lead.Consent
			if c == nil || c.At == nil || c.ExpiresAt == nil || c.Basis != "express" || p.Decided() != nil {
				t.Fatalf("consent %+v, bad %q, decided %v", c, rows[0].Bad, p.Decided())
			}
			if got := c.At.Format(time.DateOnly) + " " + c.ExpiresAt.Format(time.DateOnly); got != tc.want {
				t.Errorf("dates %s, want %s", got, tc.want)
			}
		})
	}
	_, rows := planned(t, head+"a@x.ca,,express,2026-01-01,2026-12-31\nb@x.ca,,express,2026-01-01,bientôt\n", lead.Stated{})
	if !strings.Contains(rows[1].Bad, `consent.expires_at: "bientôt" is no date`) {
		t.Errorf("a consent without an end: %+v", rows[1])
	}
	p, _ := planned(t, "email,consent date\na@x.ca,oui\n", lead.Stated{})
	if p.Mapping.Columns[1].Field != "extra.consent_date" {
		t.Errorf("a column without a date is %s", p.Mapping.Columns[1].Field)
	}
}

func TestNumbersAsPeopleWriteThem(t *testing.T) {
	t.Parallel()
	_, rows := planned(t, "business_name,rating,reviews\nA,4/10,12.0\nB,9/10,1.234\nC,\"4,6/5\",1 234\nD,4/7,12.5\nE,\"4,6\",\"1,234\"\n", lead.Stated{})
	var got []string
	for _, r := range rows {
		s := r.Lead.BusinessName
		if r.Lead.GoogleRating != nil {
			s += fmt.Sprintf(" %v", *r.Lead.GoogleRating)
		}
		if r.Lead.GoogleReviews != nil {
			s += fmt.Sprintf(" of %d", *r.Lead.GoogleReviews)
		}
		got = append(got, s)
	}
	if diff := cmp.Diff([]string{"A 2 of 12", "B 4.5 of 1234", "C 4.6 of 1234", "D", "E 4.6 of 1234"}, got); diff != "" {
		t.Errorf("numbers (-want +got):\n%s", diff)
	}
	if w := strings.Join(rows[0].Warnings, ""); w != "the rating 4/10 is read as 2 of 5" {
		t.Errorf("warning %q", w)
	}
}

// A sale that is closed is no business that is closed.
func TestStatusOfALeadIsNotThatOfABusiness(t *testing.T) {
	t.Parallel()
	for heading, want := range map[string]string{"Lead Status": "extra.lead_status", "Status": "extra.lead_status", "Business Status": "extra.status"} {
		values := "A,Closed - Converted\nB,Open - Not Contacted\nC,Working - Contacted\n"
		if heading == "Business Status" {
			values = "A,Closed\nB,Open\n"
		}
		p, _ := planned(t, "company,"+heading+"\n"+values, lead.Stated{})
		if got := p.Mapping.Columns[1].Field; got != want {
			t.Errorf("%s is %s, want %s", heading, got, want)
		}
	}
}

// What an import found is kept to be given back: merging must not write into it.
func TestUpdateLeavesTheOldLeadAlone(t *testing.T) {
	t.Parallel()
	lead1 := func(rating float64, at time.Time, extra string) growth.Lead {
		return growth.Lead{BusinessName: "A", GoogleRating: &rating, Consent: &growth.Consent{Basis: "express", At: &at}, Extra: map[string]string{"a": extra}}
	}
	first, second := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	old := lead1(4, first, "x")
	merged := lead.Update(old, lead1(5, second, "y"))
	if diff := cmp.Diff(lead1(4, first, "x"), old); diff != "" {
		t.Errorf("old (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(lead1(5, second, "y"), merged); diff != "" {
		t.Errorf("merged (-want +got):\n%s", diff)
	}
}
