package content

import (
	"regexp"
	"strings"
)

// What a model says of itself or to whoever asked it, folded. What a person might write, too, counts in its place only.
var (
	anywhere = regexp.MustCompile(`\b(?:as an? (?:ai|artificial intelligence|large language model|language model)|i am an ai|i m an ai|my training data|` +
		`my knowledge cutoff|en tant qu (?:ia|intelligence artificielle|assistant virtuel|assistant ia)|en tant que (?:modele|grand modele|chatbot)|je suis une ia|` +
		`je suis un modele|modele de langage|mes donnees d entrainement|` +
		`(?:i (?:cannot|can t|am unable to)|je ne (?:peux|puis) pas|je suis incapable de) (?:(?:write|create|generate|rediger|creer|generer) (?:\w+ ){0,3}?` + written + `|` +
		`fulfill|comply with|assist|help with that|satisfaire|repondre a (?:cette|votre)|vous aider avec))\b`)
	atStart = regexp.MustCompile(`^(?:i m sorry|i am sorry|sorry but i (?:cannot|can t|am (?:unable|not able)|m (?:unable|not able)|won t)|i apologi[sz]e|unfortunately i (?:cannot|can t|am unable|am not able|m unable|m not able|don t have|do not have)|` +
		`je suis desolee? mais|desolee? mais je n|je regrette mais|je ne peux pas (?:vous|t)|malheureusement je (?:ne (?:peux|puis|suis) pas|n ai pas (?:acces|assez))|` +
		`sure here|certainly here|of course here|bien sur voici|certainement voici|` +
		openers + `(?:here is|here s|here are|voici)(?: \w+){0,4} ` + written + `|` +
		`(?:here is|here s) (?:your (?:\w+ )?|(?:the|a) (?:\w+ ){0,2}linkedin )` + written + `|` +
		`voici (?:votre (?:\w+ )?` + written + `|(?:le|la|une?|mon) (?:\w+ )?` + written + ` linkedin))\b`)
	announced = regexp.MustCompile(`^(?:here is|here s|voici) (?:the|a|le|la|une?|mon) (?:\w+ ){0,2}?` + written + `(?: \w+){0,2}$`) // and a colon
	atEnd     = regexp.MustCompile(`\b(?:let me know if (?:you d like|you would like|you want|you need|i should)(?: me to| to)? (?:any (?:\w+ )?)?` + mend + `|` +
		`feel free to ` + mend + ` (?:it|this|the (?:\w+ )?` + written + `)|would you like me to ` + mend + `|` +
		`n hesitez pas a (?:me )?(?:dire|faire savoir|demander|indiquer|signaler) (?:si (?:vous|tu) (?:souhait|voul|desir|prefer|aim)\w+ (?:\w+ ){0,4}?|(?:pour|de|des|les|d autres) (?:\w+ ){0,2}?)` + mend + `|` +
		`n hesitez pas a ` + mend + ` (?:ce|cette|le|la) ` + written + `|` +
		`(?:dites moi|faites moi savoir) si (?:\w+ ){1,5}?(?:que je )?` + mend + `)\b|` +
		`^(?:note|remarque|nb|n b) (?:that )?(?:this|the|ce|cette|la|le) ` + written + `\b|^(?:i hope this|j espere que (?:ce|cette)) ` + written + `\b`)
)

const (
	written = `(?:posts?|content|draft|text|caption|version|publications?|texte|contenu|brouillon|proposition)`
	openers = `(?:sure(?: thing)?|certainly|of course|absolutely|great|gladly|definitely|happy to help|bien sur|certainement|avec plaisir|absolument|parfait|d accord|volontiers) `
	mend    = `(?:adjust(?:ments?)?|chang(?:es?)|modif(?:y|ications?|ier|ie)|rewrite|revis(?:e|ions?)|edit|edits|tweaks?|shorten|refine|adapt|make it|make any|ajust(?:e|er|ements?)|adapt(?:e|er)|reecri(?:re|ve)|raccourci(?:r|sse)|retravailler?)`
)

// apology finds a model that speaks about itself or about its task instead of writing the post.
func apology(p piece) string {
	for _, part := range []string{p.draft.Title, p.draft.Body} {
		folded := fold(part)
		if m := anywhere.FindString(folded); m != "" {
			return "the writer speaks of itself: " + m
		}
		if m := asides(part, folded); m != "" {
			return "the text speaks to the person who asked for it: " + strings.TrimSpace(m)
		}
	}
	return ""
}

// asides finds what a model says before and behind the post.
func asides(part, folded string) string {
	if m := atStart.FindString(folded); m != "" {
		return m
	}
	first, _, _ := strings.Cut(part, "\n")
	if strings.HasSuffix(strings.TrimSpace(first), ":") {
		if m := announced.FindString(fold(first)); m != "" {
			return m
		}
	}
	return atEnd.FindString(fold(lastLine(part)))
}

// lastLine leaves out lines of hashtags alone.
func lastLine(s string) string {
	lines := strings.Split(s, "\n")
	for i := len(lines) - 1; i > 0; i-- {
		if fold(withoutHashtags(lines[i])) != "" {
			return lines[i]
		}
	}
	return lines[0]
}
