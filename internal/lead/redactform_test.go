package lead_test

import (
	"slices"
	"strings"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
)

// hiddenLead is somebody with a name of three parts, a number with an extension, and further fields about other people.
func hiddenLead(notes string) growth.Lead {
	return growth.Lead{
		BusinessName: "Boucherie Bouchard", ContactName: "Jean Tremblay-Roy", Phone: "514 555-0111 poste 7", Notes: notes,
		Extra: map[string]string{"manager_name": "Julie Bouchard-Côté", "owner": "Boucherie Bouchard", "adresse_livraison": "77, rue de la Commune"},
	}
}

func TestViewHidesOddForms(t *testing.T) {
	t.Parallel()
	r := load(t, "")
	for notes, want := range map[string]string{
		// numbers, however they are grouped
		"(438)-555.0192":                   "[PHONE_2]",
		"Cell: 438 555-0192":               "Cell: [PHONE_2]",
		"438/555-0192":                     "[PHONE_2]",
		"438\u00a0555\u20110192":           "[PHONE_2]",
		"438 – 555 – 0192.":                "[PHONE_2].",
		"438 555 01 92":                    "[PHONE_2]",
		"4 3 8 5 5 5 0 1 9 2":              "[PHONE_2]",
		"011 44 20 7946 0958":              "[PHONE_2]",
		"0033 6 12 34 56 78":               "[PHONE_2]",
		"+33 (0)6 12 34 56 78":             "[PHONE_2]",
		"+33\u00a06\u00a012 34\u202f56 78": "[PHONE_2]",
		"020 7946 0958":                    "[PHONE_2]",
		"438 555-0192 poste 204, svp":      "[PHONE_2], svp",
		"438-555-0192 x204":                "[PHONE_2]",
		"438.555.0192, ext. 12":            "[PHONE_2]",
		"tél. 555-0192":                    "tél. [PHONE_2]",
		"Call me at 555 0192":              "Call me at [PHONE_2]",
		"514.555.0111":                     "[PHONE_1]",
		"514-555-0111, ext. 7":             "[PHONE_1]",
		"514-555-0111 poste 9":             "[PHONE_2]",
		"514-555-0111 p. 7":                "[PHONE_1] p. 7",
		// streets and boxes
		"45 bis, avenue du Parc":         "[ADDRESS_2]",
		"1200-A rue Berri":               "[ADDRESS_2]",
		"1200-1204, rue Berri":           "[ADDRESS_2]",
		"1200 ½ rue Berri":               "[ADDRESS_2]",
		"6750, 5e Avenue, app. 3":        "[ADDRESS_2]",
		"12 rue St Paul":                 "[ADDRESS_2]",
		"C.P. 123, succ. B":              "[ADDRESS_2], succ. B",
		"P.O. Box 12":                    "[ADDRESS_2]",
		"boîte postale nº 44":            "[ADDRESS_2]",
		"case postale 44":                "[ADDRESS_2]",
		"livrer au 77 rue de la Commune": "livrer au [ADDRESS_1]",
		// names
		"jean.tremblay":                "[NAME_1]",
		"JeanTremblay":                 "[NAME_1]",
		"suivez @jeantremblayroy":      "suivez @[NAME_1]",
		"@jtremblay":                   "@[NAME_1]",
		"j.tremblay":                   "[NAME_1]",
		"jeantremblay514":              "[NAME_1]",
		"tremblay, jean":               "[NAME_1]",
		"Tremblay-Roy":                 "[NAME_1]",
		"tremblay-roy":                 "[NAME_1]",
		"TremblayRoy":                  "[NAME_1]",
		"mme roy":                      "mme [NAME_3]",
		"Madame Gagnon":                "Madame [NAME_3]",
		"demander julie bouchard-cote": "demander [NAME_2]",
	} {
		view, _ := lead.View(r, hiddenLead(notes))
		if view["notes"] != want {
			t.Errorf("%q is shown as %q, want %q", notes, view["notes"], want)
		}
	}
	view, secrets := lead.View(r, hiddenLead("Boucherie Bouchard, 514-555-0111"))
	if view["business_name"] != "Boucherie Bouchard" || view["notes"] != "Boucherie Bouchard, [PHONE_1]" {
		t.Errorf("the company's own name is shown as %q and %q", view["business_name"], view["notes"])
	}
	ext, hidden := lead.View(r, hiddenLead("au 514-555-0111 poste 9"))
	if got := hidden.Restore(ext["notes"]); got != "au 514-555-0111 poste 9" {
		t.Errorf("another extension is put back as %q", got)
	}
	if got := secrets.Restore("[NAME_2] au [ADDRESS_1]"); got != "Julie Bouchard-Côté au 77, rue de la Commune" {
		t.Errorf("Restore = %q", got)
	}
}

func TestViewLeavesWhatIsNotPrivate(t *testing.T) {
	t.Parallel()
	r := load(t, "")
	for _, notes := range []string{
		"+25 000 $ de ventes en 2014 et 2015", "100 000 $ à 1 700 000 $", "1 700 000 000", "budget 250 000 - 300 000 CAD", "2 500 000 000 dollars",
		"4.5 sur 5, 350 avis", "du 2014-05-15 au 2015-06-16", "15.05.2014 10:00 12.06.2014", "de 10:00 à 22:00, 7 jours",
		"40 places en terrasse", "12 cours de yoga", "facture 2025-0001234", "30 % de 1 200 000", "une marche, un grand jean bleu, le roy du pneu",
		"CP de 30 jours", "3 po de neige", "box 12", "un service après-vente 24/7", "ISO 9001:2015", "code 2345-678", "Madame la présidente", "portable 1 299 999 $",
		"tremblay", "la commune", "extra 204", "le 77",
	} {
		if view, _ := lead.View(r, hiddenLead(notes)); view["notes"] != notes {
			t.Errorf("%q is shown as %q", notes, view["notes"])
		}
	}
}

func TestFieldsThatArePrivateByTheirName(t *testing.T) {
	t.Parallel()
	r := load(t, "b2b")
	shown := func(name string) bool {
		view, _ := lead.View(r, growth.Lead{BusinessName: "B", Extra: map[string]string{name: "vingt et un"}})
		return view["extra."+name] != ""
	}
	for name := range strings.FieldsSeq(`
		manager_name owner_name owner nom_du_gerant gerante managername nom prenom first_name firstname full_name name user_name username contact_person
		date_of_birth dob dateofbirth birthdate date_naissance anniversaire ip ip_address adresse_ip ipv4 ipaddress
		twitter twitter_handle instagram instagram_url facebook fb compte_facebook tiktok linkedin whatsapp handle
		sin nas ssn numero_nas no_assurance_sociale social_insurance_number passport_number permis_de_conduire
		email_2 email2 courriel emailaddress phone phone2 tel_bureau mobile cellulaire address address1 adresse_livraison rue latitude
		credit_card_number iban bank_account_number`) {
		if shown(name) {
			t.Errorf("extra.%s is shown", name)
		}
	}
	for name := range strings.FieldsSeq(`
		company_name nom_entreprise nom_commercial brand_name campaign_name project_name event_name
		facebook_followers instagram_posts nb_abonnes_instagram budget_facebook_ads mobile_app mobile_friendly
		size budget timing message besoin status age job campaign rating montant description date_jugement number_of_employees managers_count
		passion nominal single tele rueil cellar igname`) {
		if !shown(name) {
			t.Errorf("extra.%s is hidden", name)
		}
	}
	// A field whose name is no plain one is not shown at all.
	for _, name := range []string{"managerName", "Owner-Name", "Prénom", "IPAddress"} {
		if shown(name) {
			t.Errorf("extra.%s is shown", name)
		}
	}
	if names := []string{"extra.manager_name", "extra.ip", "extra.twitter"}; slices.ContainsFunc(names, func(f string) bool {
		_, err := lead.Parse([]byte(ruleOn(f)))
		return err == nil
	}) {
		t.Error("a new rubric may read a field that no model and no rule is shown")
	}
}

// ruleOn is a rubric with a rule on a field.
func ruleOn(field string) string {
	return `
name: r
version: "1"
title: {en: R, fr: R}
fields: [business_name, extra.*]
criteria:
  - {id: a, axis: fit, question: {en: "?", fr: "?"}, levels: [{level: l, points: 1, when: w, rules: [{field: ` + field + `, present: true}]}]}
  - {id: b, axis: intent, question: {en: "?", fr: "?"}, levels: [{level: l, points: 1, when: w}]}
`
}

// Who runs a business is whom to call, whatever a file calls them.
func TestManagersAreContacts(t *testing.T) {
	t.Parallel()
	for _, heading := range []string{"Nom du gérant", "Gérante", "NOM_DU_DIRIGEANT"} {
		m := lead.Guess([]string{"Entreprise", heading}, nil)
		if got := m.Columns[1].Field; got != "contact_name" {
			t.Errorf("%q is %q", heading, got)
		}
	}
}
