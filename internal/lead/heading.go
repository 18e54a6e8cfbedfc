package lead

import (
	"regexp"
	"strings"
	"unicode"
)

// headings are the names that columns of leads have in English and French, folded.
var headings = dictionary(map[string]string{
	"external_id": "id|external id|lead id|contact id|company id|record id|reference|ref|identifiant|no client|numero client|customer id|crm id",
	"business_name": "business name|business|company|company name|organization|organisation|organization name|account|account name|" +
		"establishment|restaurant name|store|etablissement|entreprise|nom entreprise|nom de l entreprise|nom de l etablissement|" +
		"nom etablissement|nom commercial|raison sociale|societe|compagnie|nom de la compagnie|commerce|nom du commerce|organisme",
	"business_type": "business type|type|category|categories|categorie|industry|sector|secteur|secteur d activite|industrie|activity|" +
		"activite|type d entreprise|type de commerce|domaine|vertical|genre",
	"contact_name": "contact|contact name|full name|person|nom du contact|personne ressource|personne contact|nom complet|responsable|owner|" +
		"proprietaire|owner name|gerant|gerante|nom du gerant|nom de la gerante|dirigeant|nom du dirigeant|nom du responsable|nom du proprietaire",
	"first_name": "first name|firstname|given name|prenom|prenom du contact",
	"last_name":  "last name|lastname|surname|family name|nom de famille",
	"job_title":  "job title|title|position|role|job|titre|poste|fonction|occupation",
	"email": "email|e mail|mail|email address|e mail address|contact email|courriel|adresse courriel|adresse email|adresse e mail|" +
		"adresse electronique|mel",
	"phone": "phone|phone number|telephone|tel|mobile|cell|cellphone|cellulaire|numero de telephone|no de telephone|telephone number|" +
		"contact phone|no tel|portable|work phone",
	"website": "website|web site|site|site web|url|web|homepage|domain|site internet|adresse web|company website|domaine web",
	"linkedin_url": "linkedin|linkedin url|linkedin profile|profil linkedin|profile url|linkedin page|page linkedin|url linkedin|" +
		"company linkedin|person linkedin url",
	"address": "address|street|street address|adresse|rue|adresse civique|address 1|address line 1|adresse 1|full address|adresse complete|" +
		"address1|adresse postale",
	"city":        "city|town|ville|municipalite|municipality|localite|commune|locality",
	"province":    "province|state|region|etat|province state|state province|departement",
	"postal_code": "postal code|postcode|zip|zip code|code postal|cp|postal",
	"country":     "country|pays|country code",
	"google_rating": "google rating|rating|stars|average rating|note google|note|etoiles|note moyenne|evaluation|score google|cote|" +
		"review rating|total score",
	"google_reviews": "google reviews|reviews|review count|reviews count|number of reviews|nombre d avis|avis|avis google|nb avis|" +
		"nombre avis|user ratings total",
	"source": "source|lead source|origin|origine|provenance|utm source|canal|channel",
	"notes": "notes|comment|comments|message|remarks|remarque|remarques|commentaire|commentaires|description du besoin|details|" +
		"question|observations",
	"extra.status": "status|statut|business status|etat de l etablissement",
	"extra.lead_status": "lead status|lead stage|sales stage|deal stage|contact status|prospect status|client status|statut du lead|statut du prospect|" +
		"statut du client|statut du contact|etape de vente",
	"consent.basis": "consent basis|consent type|lawful basis|legal basis|legal basis for processing|type de consentement|base legale|base juridique|" +
		"fondement juridique|base du consentement",
	"consent.source": "consent source|opt in source|source du consentement",
	"consent.at": "consent at|consent date|date of consent|consented at|consent given|consent given at|opt in date|opt in at|optin date|" +
		"date du consentement|date de consentement",
	"consent.expires_at": "consent expires at|consent expires|consent expiry|consent expiry date|consent expiration|consent expiration date|consent end|" +
		"consent end date|consent until|fin du consentement|expiration du consentement|date d expiration du consentement|echeance du consentement|" +
		"consentement jusqu au",
	"consent.withdrawn_at": "consent withdrawn at|consent withdrawn|withdrawn at|consent withdrawal|opt out date|opt out at|optout date|unsubscribed at|" +
		"unsubscribe date|unsubscribed on|retrait du consentement|date de retrait|date du retrait|date de desabonnement|desabonne le",
	"extra.size":   "size|company size|employees|number of employees|taille|nombre d employes|employes|effectif|effectifs|staff|headcount",
	"extra.budget": "budget|monthly budget|budget mensuel",
	"name":         "name|nom",
})

// mergedFields are no fields of a lead: first and last name become the contact, a bare name the business or the contact.
var mergedFields = set("first_name last_name name")

func dictionary(in map[string]string) map[string]string {
	out := map[string]string{}
	for field, names := range in {
		for n := range strings.SplitSeq(names, "|") {
			out[n] = field
		}
		out[strings.ReplaceAll(field, "_", " ")] = field
	}
	return out
}

// guessHeading gives the lead's field that a heading stands for, "" when it knows none, and the heading without the path
// in front of it.
func guessHeading(h string) (field, name string) {
	name = headingName(h)
	folded := Fold(splitCamel(name))
	if f, ok := headings[folded]; ok {
		return f, name
	}
	if f, ok := strings.CutPrefix(strings.TrimSpace(strings.ToLower(name)), extraPrefix); ok && validExtraName(f) {
		return extraPrefix + f, name
	}
	for _, cut := range []string{"lead ", "contact ", "company ", "business ", "prospect ", "client "} {
		if f, ok := headings[strings.TrimPrefix(folded, cut)]; ok && strings.HasPrefix(folded, cut) && !mergedFields[f] {
			return f, name
		}
	}
	return "", name
}

// headingName is the last step of a heading that is a path, as exports of XML have them, or the heading itself.
func headingName(h string) string {
	h = strings.TrimSpace(h)
	if strings.HasPrefix(h, "/") && !strings.Contains(h, " ") {
		h = strings.TrimRight(h, "/")
		h = h[strings.LastIndexByte(h, '/')+1:]
		h = strings.TrimPrefix(h, "@")
	}
	return h
}

// splitCamel parts "companyName" as "company Name".
func splitCamel(s string) string {
	var b strings.Builder
	prev := ' '
	for _, r := range s {
		if unicode.IsUpper(r) && unicode.IsLower(prev) {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
		prev = r
	}
	return b.String()
}

// extraName makes the name of a further field out of a heading.
func extraName(name string) string {
	s := strings.ReplaceAll(Fold(splitCamel(name)), " ", "_")
	s = strings.Map(func(r rune) rune {
		if r == '_' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
	if len(s) > maxExtraName {
		s = strings.TrimRight(s[:maxExtraName], "_")
	}
	return s
}

var valueForms = []struct {
	field string
	form  *regexp.Regexp
}{
	{"email", regexp.MustCompile(`^[^@\s]+@[^@\s]+\.[^@\s]+$`)},
	{"linkedin_url", regexp.MustCompile(`(?i)^(https?://)?([a-z]+\.)?linkedin\.com/\S+$`)},
	{"postal_code", regexp.MustCompile(`(?i)^[a-z]\d[a-z] ?\d[a-z]\d$`)},
	{"phone", regexp.MustCompile(`^(\+?1[ .-]?)?\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}$`)},
	{"website", regexp.MustCompile(`(?i)^(https?://|www\.)\S+\.\S+$`)},
}

// guessValues gives the field whose form nearly all the values of a column have.
func guessValues(values []string) string {
	for _, v := range valueForms {
		fit, all := 0, 0
		for _, s := range values {
			if s = strings.TrimSpace(s); s != "" {
				all++
				if v.form.MatchString(s) {
					fit++
				}
			}
		}
		if all >= 2 && fit*10 >= all*9 {
			return v.field
		}
	}
	return ""
}

var (
	gluedCanadian = regexp.MustCompile(`(?i)^(.*?)[\s,]*(?:\(?\b(QC|Qu[ée]bec|ON|Ontario|NB|N\.-B\.|BC|AB|MB|SK|NS|PE|NL|YT|NT|NU)\)?[\s,]+)?([ABCEGHJ-NPRSTVXY]\d[A-Z])[ -]?(\d[A-Z]\d)$`)
	gluedFrench   = regexp.MustCompile(`^(?:F-)?(\d{5})\s+(\D{2,})$`)
)

// splitPostal parts a city from the postal code that is glued to it, and from a province between the two.
func splitPostal(s string) (city, province, code string) {
	s = strings.TrimSpace(s)
	if m := gluedCanadian.FindStringSubmatch(s); m != nil {
		return strings.TrimRight(m[1], " ,("), m[2], strings.ToUpper(m[3] + " " + m[4])
	}
	if m := gluedFrench.FindStringSubmatch(s); m != nil {
		return m[2], "", m[1]
	}
	return s, "", ""
}
