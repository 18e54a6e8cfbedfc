package lead

import (
	"regexp"

	growth "github.com/zakibelm/astrogrowth"
)

// spoken are phrases, folded, in which a text speaks to a model about its work. Words of trade alone ("ignorer les
// anciens outils", "{"score": 100}") are none of them.
var spoken = []*regexp.Regexp{
	regexp.MustCompile(`\b(ignore|disregard|forget|override|bypass)\b( \w+){0,4} (instructions?|rules?|rubric|prompts?|guidelines|directives)\b`),
	regexp.MustCompile(`\b(oublie[rz]?|ignore[rz]?|contourne[rz]?|ne (tiens|tenez) pas compte)\b( \w+){0,3} (consignes?|instructions?|regles?|directives?|grille)\b`),
	regexp.MustCompile(`\b(answer|output|give|return|assign|set|respond with|reponds?|donne[rz]?|mets|attribue[rz]?)( \w+){0,3} (scores?|grades?|note|rating|next action)( \w+){0,2} ([a-c][1-3]?|\d{1,3})\b`),
	regexp.MustCompile(`\b(answer|output|give|assign|donne[rz]?|mets) (an? |une? )?a (grade|score|rating)\b`),
	regexp.MustCompile(`\b(note|score|grade) (of |de )?(100 (100|sur 100)|100 out of)\b`),
	regexp.MustCompile(`\b(are|is|sont) pre ?approved\b|\bpre approuves?\b`),
	regexp.MustCompile(`\b(your|votre|ton) (administrator|administrateur|developer|system prompt|full instructions|previous instructions)\b`),
	regexp.MustCompile(`\b(repeat|reveal|print|show|repete[rz]?|affiche[rz]?|revele[rz]?)( \w+){0,4} (instructions?|system prompt|api keys?|consignes?|cles? d api)\b`),
	regexp.MustCompile(`\bwhen you (write|draft|generate)\b|\b(quand|lorsque) (tu|vous) (ecris|ecrivez|rediges?|redigez)\b`),
	regexp.MustCompile(`\b(treat|consider|traite[rz]?|considere[rz]?)( \w+){1,4} (as|comme)( \w+){0,2} (\d{3,}|approved|approuve|priorit\w+)`),
	regexp.MustCompile(`\b(note|memo|message|instructions?|consignes?|directives?) (to|a l|au|aux|pour l|pour le)( \w+){0,2} (evaluator|grader|scorer|rater|assistant|evaluateur|correcteur)\b`),
	regexp.MustCompile(`\b(choose|pick|select|take|choisis|choisissez|prends|prenez|retiens|retenez|coche[rz]?)( \w+){0,3} (first|top|highest|strongest|premiere?|plus haute?)( \w+)? (option|level|answer|choice|reponse|niveau|palier|choix)\b`),
	regexp.MustCompile(`\b(all|every|each|tous|toutes|chaque)( \w+){0,2} (criteria|criterion|criteres?)( \w+){0,4} (top|highest|maximum|strongest|first|plus haut|maximal|premier)\b`),
	regexp.MustCompile(`\b(repeat|reveal|repete[rz]?|revele[rz]?)( \w+){0,2} (your|tes|vos) (rules|regles)\b|\bsystem (note|prompt)\b`),
	regexp.MustCompile(`\bin your (reasons?|answer|output|response)\b|\bdans (ta|votre) reponse\b`),
}

// shaped are forms in which a text poses as a part of the conversation.
var shaped = []*regexp.Regexp{
	regexp.MustCompile(`(?i)</?\s*(system|assistant|user|lead|instructions?|prompt)\s*>`),
	regexp.MustCompile(`(?im)^\s*(system|assistant)\s*:`),
	regexp.MustCompile(`(?i)<!--.*?(assistant|system|model|ai\b)`),
	regexp.MustCompile(`(?i)\[/?(INST|SYS)\]|<\|[a-z_]+\|>`),
	regexp.MustCompile(`(?i)^\s*[=@+]\s*(hyperlink|sum|cmd|concatenate|dde|exec|image|import\w+|webservice)\s*[(|]`), // to a spreadsheet
	regexp.MustCompile(`"\s*\}?\s*,\s*"(score|grade|next_action|criteria)"\s*:`),
}

// Suspicions gives the flags that a lead's own text raises. They send a lead to a person and never change its score.
func Suspicions(l growth.Lead) []string {
	var out []string
	said, hidden := false, false
	look := func(field, value string) {
		if value == "" {
			return
		}
		seen := Visible(capText(value, maxSearched))
		hidden = hidden || hidesText(value) || freeField(field) && spacedOut.MatchString(seen)
		said = said || speaksToModel(seen)
	}
	for name := range textFields {
		look(name, fieldText(&l, name))
	}
	for name, value := range l.Extra {
		look(extraPrefix+name, value)
	}
	if said {
		out = append(out, FlagInstructions)
	}
	if hidden {
		out = append(out, FlagHidden)
	}
	return out
}

// spacedOut finds words whose letters stand apart, which a model reads and a search does not. A name can be written so
// for its looks.
var spacedOut = regexp.MustCompile(`(?:^|[^\pL\pN])(?:\pL[ .\-_*·|]{1,3}){7,}\pL(?:$|[^\pL\pN])`)

// closedUp writes such words as others do: a wider gap parts them.
func closedUp(s string) string {
	return spacedOut.ReplaceAllStringFunc(s, func(run string) string {
		return narrowGap.ReplaceAllString(run, "$1")
	})
}

var narrowGap = regexp.MustCompile(`(\pL)[ .\-_*·|]`)

func speaksToModel(s string) bool {
	s = closedUp(s)
	for _, re := range shaped {
		if re.MatchString(s) {
			return true
		}
	}
	folded := Fold(s)
	for _, re := range spoken {
		if re.MatchString(folded) {
			return true
		}
	}
	return false
}
