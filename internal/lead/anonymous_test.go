package lead_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
)

func TestAnonymousLeadIsReadAlikeAndNamesNobody(t *testing.T) {
	t.Parallel()
	rating := 4.5
	l := growth.Lead{
		ExternalID: "crm-77", BusinessName: "Café Été", BusinessType: "Restaurant", ContactName: "Marguerite Quenneville",
		Email: "mq@cafe.example", Phone: "514-555-0142", Address: "4821 rue Sainte-Zotique", City: "Montréal", GoogleRating: &rating,
		Notes: "Appeler Marguerite au 514-555-0142 pour une soumission urgente.", Website: "https://cafe.example/private?x=1",
		Extra: map[string]string{"budget": "5000", "courriel": "autre@cafe.example"},
	}
	r, err := lead.Load("")
	if err != nil {
		t.Fatal(err)
	}
	a := lead.Anonymous(r, l)
	b, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"crm-77", "Marguerite", "Quenneville", "cafe.example/", "mq@", "555-0142", "4821", "autre@"} {
		if strings.Contains(string(b), secret) {
			t.Errorf("%q stands in %s", secret, b)
		}
	}
	if diff := cmp.Diff(lead.Score(r, l, lead.Rules(r, l), growth.ScoredByRules).Score, lead.Score(r, a, lead.Rules(r, a), growth.ScoredByRules).Score); diff != "" {
		t.Errorf("the score differs: %s\n%s", diff, b)
	}
}
