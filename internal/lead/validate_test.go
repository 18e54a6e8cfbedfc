package lead_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	f := func(x float64) *float64 { return &x }
	n := func(x int) *int { return &x }
	now := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	before := now.Add(-time.Hour)
	for _, tc := range []struct {
		name  string
		l     growth.Lead
		field string // "" when valid
	}{
		{"business", growth.Lead{BusinessName: "A"}, ""},
		{"id alone", growth.Lead{ExternalID: "1"}, ""},
		{"everything", growth.Lead{
			ContactName: "Ann", Email: "a.b+c@x.qc.ca", Phone: "+1 (514) 555-0199 #12", Website: "x.ca", LinkedInURL: "linkedin.com/in/ann",
			GoogleRating: f(5), GoogleReviews: n(0), Extra: map[string]string{"Company Size": "5"}, Consent: &growth.Consent{At: &before, ExpiresAt: &now},
		}, ""},
		{"nobody", growth.Lead{City: "Laval", Notes: "hi"}, "lead"},
		{"no e-mail", growth.Lead{Email: "ann at x.ca"}, "lead.email"},
		{"e-mail with a name", growth.Lead{Email: "Ann <a@x.ca>"}, "lead.email"},
		{"e-mail without a domain", growth.Lead{Email: "a@localhost"}, "lead.email"},
		{"short phone", growth.Lead{Phone: "911"}, "lead.phone"},
		{"long phone", growth.Lead{Phone: strings.Repeat("5", 19)}, "lead.phone"},
		{"no site", growth.Lead{BusinessName: "A", Website: "javascript:alert(1)"}, "lead.website"},
		{"other network", growth.Lead{BusinessName: "A", LinkedInURL: "https://linkedin.com.evil.example/in/a"}, "lead.linkedin_url"},
		{"rating", growth.Lead{BusinessName: "A", GoogleRating: f(5.1)}, "lead.google_rating"},
		{"no number", growth.Lead{BusinessName: "A", GoogleRating: f(math.NaN())}, "lead.google_rating"},
		{"reviews", growth.Lead{BusinessName: "A", GoogleReviews: n(-1)}, "lead.google_reviews"},
		{"long name", growth.Lead{BusinessName: strings.Repeat("é", 501)}, "lead.business_name"},
		{"long notes", growth.Lead{BusinessName: "A", Notes: strings.Repeat("é", 20_001)}, "lead.notes"},
		{"bytes", growth.Lead{BusinessName: "A\xff"}, "lead.business_name"},
		{"NUL", growth.Lead{BusinessName: "A", Extra: map[string]string{"x": "a\x00b"}}, "lead.extra.x"},
		{"extra name", growth.Lead{BusinessName: "A", Extra: map[string]string{strings.Repeat("x", 65): "1"}}, "lead.extra"},
		{"consent", growth.Lead{BusinessName: "A", Consent: &growth.Consent{At: &now, ExpiresAt: &before}}, "lead.consent.expires_at"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			err := lead.Validate(tc.l)
			if tc.field == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			e, ok := errors.AsType[*growth.Error](err)
			if !ok || e.Code != growth.Invalid || e.Field != tc.field {
				t.Errorf("err = %v (%+v), want one about %s", err, e, tc.field)
			}
		})
	}
}
