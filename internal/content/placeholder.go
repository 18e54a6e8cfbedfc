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

// placeholders finds what a writer left to be filled in.
func placeholders(p piece) string {
	for _, re := range blanks {
		if found := re.FindString(p.draft.Title + "\n" + p.text); found != "" {
			return "a placeholder is left: " + found
		}
	}
	return ""
}
