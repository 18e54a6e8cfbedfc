package lead_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
)

func TestFold(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"  AU BON CAFÉ ":          "au bon cafe",
		"Pho-Maisonneuve":         "pho maisonneuve",
		"Œuf & Bœuf":              "oeuf et boeuf",
		"L’Entrepôt":              "l entrepot",
		"E\u0301te\u0301":         "ete",
		"Ca\u00adfe\u200b":        "cafe",
		"ＦＵＬＬ width":              "full width",
		"1\u00a0700,50\u00a0$ !!": "1 700 50",
		"—":                       "",
	} {
		if got := lead.Fold(in); got != want {
			t.Errorf("Fold(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	got := lead.Keys(growth.Lead{
		ExternalID: " 003Ab ", BusinessName: "Charcuterie Snowdon Ltée", Email: "Info@Example.COM ",
		LinkedInURL: "https://ca.linkedin.com/company/Snowdon/?trk=x", Website: "HTTP://www.Example.com/fr",
		Address: "5265 Boul. Décarie", City: "Montréal",
	})
	want := []lead.Key{
		{Kind: lead.KeyExternalID, Value: "003Ab"},
		{Kind: lead.KeyEmail, Value: "info@example.com"},
		{Kind: lead.KeyLinkedIn, Value: "linkedin.com/company/snowdon"},
		{Kind: lead.KeyWebsiteName, Value: "example.com|charcuterie snowdon"},
		{Kind: lead.KeyNameAddress, Value: "charcuterie snowdon|5265 boul decarie|montreal"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("Keys (-want +got):\n%s", d)
	}
	if keys := lead.Keys(growth.Lead{BusinessName: "Nobody"}); len(keys) != 0 {
		t.Errorf("a bare name gives keys: %v", keys)
	}
}

func TestSameBusinessWrittenDifferently(t *testing.T) {
	t.Parallel()
	at := func(name, address string) growth.Lead { return growth.Lead{BusinessName: name, Address: address} }
	for _, tc := range []struct {
		name string
		a, b growth.Lead
		want bool
	}{
		{"accents and case", at("AU BON CAFE", "7275 Rue Sherbrooke Est"), at("Au Bon Café", "7275, rue Sherbrooke est"), true},
		{"street type", at("Pizza", "948 Boul. De Maisonneuve E."), at("Pizza", "948 boulevard de Maisonneuve Est"), true},
		{"legal form", at("Laser Pizza inc.", "1 Rue A"), at("LASER PIZZA", "1 rue A"), true},
		{"dotted legal form", at("Roy et Fils, S.E.N.C.", "1 Rue A"), at("Roy & fils", "1 rue A"), true},
		{"and", at("Grill and Bar", "1 Rue A"), at("Grill & Bar", "1 rue A"), true},
		{"numbered companies", at("9052-9975 Québec inc.", "1 Rue A"), at("9052-9976 Québec inc.", "1 Rue A"), false},
		{"other number", at("Double Pizza", "620 90e Av."), at("Double Pizza", "7180 Boul. Pie-IX"), false},
		{
			"other town",
			growth.Lead{BusinessName: "Subway", Address: "100 rue Principale", City: "Granby"},
			growth.Lead{BusinessName: "Subway", Address: "100 rue Principale", City: "Laval"},
			false,
		},
		{
			"glued postal code",
			growth.Lead{BusinessName: "X", Address: "1 rue A", City: "Verdun H4G 1W2"},
			growth.Lead{BusinessName: "X", Address: "1 rue A", City: "VERDUN"},
			true,
		},
		{
			"e-mail decides before the name",
			growth.Lead{Email: "a@x.ca", BusinessName: "X", Address: "1 rue A"},
			growth.Lead{Email: "b@x.ca", BusinessName: "X", Address: "1 rue A"},
			false,
		},
		{"name and address when one has no e-mail", growth.Lead{Email: "a@x.ca", BusinessName: "X", Address: "1 rue A"}, at("x", "1 Rue A"), true},
		{
			"branches of a chain",
			growth.Lead{BusinessName: "Subway", Website: "subway.com", Address: "1 rue A"},
			growth.Lead{BusinessName: "Subway", Website: "https://www.subway.com/fr", Address: "2 rue B"},
			false,
		},
		{
			"website and name",
			growth.Lead{BusinessName: "Chez Moi", Website: "chezmoi.ca"},
			growth.Lead{BusinessName: "Chez moi inc.", Website: "https://www.chezmoi.ca/"},
			true,
		},
		{"nothing in common", growth.Lead{Email: "a@x.ca"}, at("X", "1 rue A"), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, got := lead.Same(lead.Keys(tc.a), lead.Keys(tc.b))
			_, back := lead.Same(lead.Keys(tc.b), lead.Keys(tc.a))
			if got != tc.want || back != tc.want {
				t.Errorf("Same = %v and %v, want %v\n%v\n%v", got, back, tc.want, lead.Keys(tc.a), lead.Keys(tc.b))
			}
		})
	}
}
