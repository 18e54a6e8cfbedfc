package lead

import (
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	growth "github.com/zakibelm/astrogrowth"
)

// Kinds of further fields that are personal data by their very name. The first four are those of placeholders; what is
// of another kind has none, for it is looked for nowhere else.
const (
	kindName    = "NAME"
	kindEmail   = "EMAIL"
	kindPhone   = "PHONE"
	kindAddress = "ADDRESS"
	kindOther   = "OTHER"
	kindSocial  = "SOCIAL" // an account, unless the name says that something is counted there
	kindCalled  = "CALLED" // a name, unless the name says of what thing
)

// privateWords are the words of a field's name that make it personal data, in English and French, folded.
var privateWords = kinds(map[string]string{
	kindEmail: "email mail courriel mel",
	kindPhone: "phone telephone tel mobile cell cellphone cellulaire fax telecopieur telecopie gsm sms whatsapp",
	kindAddress: "address adresse addr street rue addresses adresses streetaddress latitude longitude lat lng gps geolocation coordonnees " +
		"coordinates domicile",
	kindName: "surname prenom prenoms nom firstname lastname fullname middlename forename initials initiales " +
		"owner owners proprietaire proprietaires contact contacts responsable manager gerant gerante directeur directrice director president presidente " +
		"founder fondateur fondatrice cofounder cofondateur ceo pdg associe associee spouse conjoint conjointe epoux epouse employe employee " +
		"assistant assistante adjoint adjointe secretaire representant representante rep salesperson vendeur vendeuse signataire signatory " +
		"attn nickname surnom pseudo pseudonyme pseudonym personne person mother mere father pere maiden",
	kindCalled: "name",
	kindSocial: "twitter instagram insta ig facebook fb tiktok snapchat linkedin telegram messenger skype wechat viber discord mastodon bluesky pinterest " +
		"youtube handle username login userid screenname",
	kindOther: "birth naissance birthday birthdate dob ddn anniversaire born nee " +
		"ip ipv4 ipv6 ipaddress useragent gclid fbclid deviceid " +
		"sin nas ssn nir nam ramq passport passeport iban swift creditcard cvv password passwd motdepasse " +
		"religion ethnicity ethnicite nationality nationalite",
})

// privatePhrases are those of more than one word.
var privatePhrases = []string{
	"social insurance", "social security", "assurance sociale", "assurance maladie", "securite sociale", "permis conduire", "permis de conduire",
	"driver license", "drivers license", "driver licence", "drivers licence", "driving licence", "driving license", "credit card", "carte credit",
	"carte de credit", "card number", "numero carte", "account number", "numero compte", "bank account", "compte bancaire", "mot passe", "mot de passe",
	"user agent", "device id", "session id", "user id", "cookie id", "health card", "health insurance", "dossier medical",
}

// thingWords say, beside "name", of what that is: no person.
var thingWords = set("business company companies organization organisation account brand product campaign event file domain store restaurant shop site website " +
	"project list form legal trade trading commercial operating entity dba franchise chain city town street region country province state category service " +
	"plan package industry sector venue location school club team department group partner agency source tag page")

// thingWordsFR are the same beside "nom".
var thingWordsFR = set("entreprise societe compagnie commerce commercial etablissement marque produit campagne evenement fichier domaine magasin restaurant " +
	"boutique site projet liste formulaire legal organisme organisation enseigne ville region pays province categorie service industrie secteur lieu ecole club " +
	"equipe departement groupe agence source page")

// countWords say that something is measured or bought at a social network.
var countWords = set("followers follower abonnes abonne likes like posts post publications publication reviews review avis rating ratings note notes count number nombre nb " +
	"ads ad pub pubs publicite publicites budget spend depense depenses engagement active actif presence score views vues reach portee frequency rate taux " +
	"campaign campagne strategy strategie marketing management gestion has use uses using utilise last since depuis")

// screenWords say, beside "mobile", that it is about screens.
var screenWords = set("app application friendly site responsive traffic visits users")

func kinds(in map[string]string) map[string]string {
	out := map[string]string{}
	for kind, words := range in {
		for w := range strings.FieldsSeq(words) {
			out[w] = kind
		}
	}
	return out
}

// privateName says whether a further field holds personal data by its very name, as "email_2", "managerName" and
// "dateNaissance" do.
func privateName(name string) bool { return privateKind(name) != "" }

// privateKind is what kind of personal data a field's name says that it holds; "" when none.
func privateKind(name string) string {
	words := headingWords(name)
	joined := " " + strings.Join(words, " ") + " "
	for _, phrase := range privatePhrases {
		if strings.Contains(joined, " "+phrase+" ") {
			return kindOther
		}
	}
	kind := ""
	for _, w := range words {
		k := privateWords[w]
		if k == "" {
			k = gluedKind(w)
		}
		switch {
		case k == kindSocial && has(words, countWords):
			k = ""
		case k == kindSocial:
			k = kindOther
		case k == kindCalled && has(words, thingWords), w == "nom" && has(words, thingWordsFR),
			w == "mobile" && has(words, screenWords):
			k = ""
		case k == kindCalled:
			k = kindName
		}
		// "owner_email" is an address of mail: what stands last says what it is.
		if k != "" && (kind == "" || kind == kindName) {
			kind = k
		}
	}
	return kind
}

func has(words []string, known map[string]bool) bool {
	for _, w := range words {
		if known[w] {
			return true
		}
	}
	return false
}

// headingWords are the folded words of a field's name, however they are parted; a number at the end of one counts the
// fields of that name.
func headingWords(name string) []string {
	words := strings.Fields(Fold(splitCamel(name)))
	out := words[:0]
	for _, w := range words {
		if privateWords[w] == "" {
			w = strings.TrimRightFunc(w, unicode.IsDigit)
		}
		if w != "" {
			out = append(out, w)
		}
	}
	return out
}

// gluedKind takes a word apart that is several of the table in one: "ownername", "dateofbirth", "emailaddress". Words
// between them, as "of", make nothing personal.
func gluedKind(w string) string {
	if len(w) < 6 || len(w) > 32 {
		return ""
	}
	kind, ok := glued(w)
	if !ok {
		return ""
	}
	return kind
}

var gluedWords = set("date of de du la the num number numero no my your mon client customer prospect lead user home work personal first last full")

func glued(w string) (kind string, ok bool) {
	if w == "" {
		return "", true
	}
	for n := len(w); n >= 2; n-- {
		part := ""
		if n >= 3 { // words of two letters begin too many others
			part = privateWords[w[:n]]
		}
		if part == "" && !gluedWords[w[:n]] {
			continue
		}
		rest, ok := glued(w[n:])
		if !ok {
			continue
		}
		switch part {
		case kindCalled:
			part = kindName
		case kindSocial:
			part = kindOther
		}
		if rest != "" && rest != kindName || part == "" {
			return rest, true
		}
		return part, true
	}
	return "", false
}

// Bounds of the values of further fields that are looked for in the texts: what is longer, or no name, is no value of
// one person.
const (
	maxPrivateExtra = 200 // characters
	maxPrivateNames = 20  // fields
	leastName       = 2   // words of a name; one alone may be any word
	mostName        = 5
)

// privateExtras are the further fields that are personal by their name, with what is to be looked for elsewhere.
func privateExtras(l growth.Lead) (values []kindedValue) {
	business := Fold(l.BusinessName)
	for _, name := range slices.Sorted(maps.Keys(l.Extra)) {
		kind := privateKind(name)
		if kind == "" || kind == kindOther {
			continue
		}
		value := strings.TrimSpace(Visible(l.Extra[name]))
		if utf8.RuneCountInString(value) > maxPrivateExtra || !tellsOne(kind, value) {
			continue
		}
		// An owner may be a company, or have given it their name, which is no secret of theirs.
		if kind == kindName && hasPhrase(business, Fold(value)) {
			continue
		}
		values = append(values, kindedValue{kind, value})
		if len(values) == maxPrivateNames {
			break
		}
	}
	return values
}

type kindedValue struct{ kind, value string }

// tellsOne says whether a value is long enough to be looked for in a text.
func tellsOne(kind, value string) bool {
	words := spans(value)
	switch kind {
	case kindName:
		if len(words) < leastName || len(words) > mostName {
			return false
		}
		return strings.IndexFunc(value, unicode.IsDigit) < 0
	case kindPhone:
		return len(lastDigits(value)) >= 7
	case kindAddress:
		return len(words) >= 3 && countDigits(value) > 0
	}
	return len(words) >= 2 && strings.IndexByte(value, '@') > 0
}
