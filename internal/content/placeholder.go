package content

import "regexp"

var blanks = []*regexp.Regexp{
	regexp.MustCompile(`(?i)\[(?:NAME|EMAIL|PHONE|ADDRESS|LINKEDIN)_\d+\]`),
	regexp.MustCompile(`\{\{[^}]*\}\}|\$\{[^}]*\}|\{%[^%]*%\}|<%[^%]*%>|%[A-Z_]{3,}%`),
	regexp.MustCompile(`(?i)\{[\pL_][\pL_ ]{1,30}\}`),
	regexp.MustCompile(`(?i)[\[<](?:insert|insérer|insérez|inserer|inserez|add|ajouter|ajoutez|your|votre|vos|nom|name|company|entreprise|link|lien|date|city|ville|url|phone|téléphone|email|courriel|brand|marque|topic|sujet|placeholder|xxx)(?:[\s'’_:][^\])>\n]{0,60})?[\]>]`),
	regexp.MustCompile(`(?i)\[(?:insert|insérer|insérez|votre|your|nom|name|lien|link)\b[^\]\n]{0,80}\]`),
	regexp.MustCompile(`\[[A-Z]+(?:_[A-Z0-9]+)+\]`), // "[EMPLOI]" opens many an honest post
	regexp.MustCompile(`(?i)\blorem ipsum\b`),
	regexp.MustCompile(`\b(?:X{3,}|TODO|TBD|FIXME)\b|\bXX+\s?[%$€]`),
	regexp.MustCompile(`(?i)\b(?:votresite|yoursite|votredomaine|yourdomain)\.[a-z]+\b`),
}

// What stands in brackets, and which of it, folded, asks to be filled in. Round brackets hold many an honest aside, so
// that less counts there.
var (
	bracketed   = regexp.MustCompile(`\[[^\[\]\n]{2,60}\]|<[^<>\n]{2,60}>`)
	parentheses = regexp.MustCompile(`\([^()\n]{2,60}\)`)
	asksInside  = regexp.MustCompile(`\b(?:noms?|prenoms?|names?|telephone|phone|courriel|e ?mail|adresse|address|a? ?(?:completer|preciser|remplir|inserer)|` +
		`(?:completez|precisez|inserez|indiquez)|insert|fill in|placeholder)\b|` +
		`^(?:(?:la|le|l|les|the|une?|an?) )?(?:date|lieu|heure|time|place|location|ville|city|montant|amount|prix|price|numero|number|lien|link|url|titre|title|` +
		`entreprise|company|clinique|clinic|nombre|chiffre|poste|secteur|industry)(?: (?:de|du|des|d|et|of|and|ici|here)\b.*)?$`)
	asksAside = regexp.MustCompile(`^(?:(?:a|to) )?(?:completer|preciser|remplir|inserer|inserez|insert|ajouter|add)(?: (?:le|la|l|les|votre|vos|un|une|the|your|an?|link|lien|date|ici|here)\b.*)?$|` +
		`^(?:(?:le |votre )?(?:nom (?:complet|de (?:la|l|votre|notre)|du|de famille)\b.*|nom|prenom|prenom et nom)|(?:votre|your|le|la|the) (?:nom|name|ville|city|lien|link|entreprise|company|telephone|phone)|` +
		`numero de telephone|phone number|(?:your )?(?:company|clinic|business|first|last|full|client|brand|product|restaurant|store|practice|firm|agency|city) name)$`)
	ruled = regexp.MustCompile(`\pL[^\n]*?(_{3,})|(_{3,})[^\n]*\pL`) // alone on its line it only parts paragraphs
)

// placeholders finds what a writer left to be filled in.
func placeholders(p piece) string {
	text := p.draft.Title + "\n" + p.text
	found := ""
	for _, re := range blanks {
		if found = re.FindString(text); found != "" {
			break
		}
	}
	if found == "" {
		found = blankIn(text)
	}
	if found == "" {
		return ""
	}
	return "a placeholder is left: " + found
}

func blankIn(text string) string {
	for _, form := range []struct{ open, asks *regexp.Regexp }{{bracketed, asksInside}, {parentheses, asksAside}} {
		for _, b := range form.open.FindAllString(text, -1) {
			if form.asks.MatchString(fold(b)) {
				return b
			}
		}
	}
	if m := ruled.FindStringSubmatch(text); m != nil {
		return m[1] + m[2]
	}
	return ""
}
