package content

import (
	"regexp"
	"strings"
)

// Phrases, folded, by which a model speaks of itself; those that a person might write count at the beginning only.
var (
	anywhere = regexp.MustCompile(`\b(?:as an? (?:ai|artificial intelligence|large language model|language model)|i am an ai|i m an ai|my training data|` +
		`my knowledge cutoff|en tant qu (?:ia|intelligence artificielle|assistant virtuel|assistant ia)|en tant que (?:modele|grand modele|chatbot)|je suis une ia|` +
		`je suis un modele|modele de langage|mes donnees d entrainement|` +
		`(?:i (?:cannot|can t|am unable to)|je ne (?:peux|puis) pas|je suis incapable de) (?:write|create|generate|fulfill|comply with|assist|help with that|` +
		`rediger|creer|generer|satisfaire|repondre a (?:cette|votre)|vous aider avec))\b`)
	atStart = regexp.MustCompile(`^(?:i m sorry|i am sorry|sorry but|i apologi[sz]e|unfortunately i|je suis desolee? mais|desolee? mais|je regrette mais|` +
		`je ne peux pas (?:vous|t)|malheureusement je|sure here|certainly here|of course here|here is (?:your|the|a) (?:\w+ )?(?:post|draft|text)|` +
		`here s (?:your|the|a) (?:\w+ )?(?:post|draft|text)|bien sur voici|certainement voici|` +
		`voici (?:votre|le|la|une?|mon) (?:\w+ )?(?:publication|post|texte|brouillon|proposition))\b`)
)

// apology finds a model that speaks about itself or about its task instead of writing the post.
func apology(p piece) string {
	for _, part := range []string{p.draft.Title, p.draft.Body} {
		folded := fold(part)
		if m := anywhere.FindString(folded); m != "" {
			return "the writer speaks of itself: " + m
		}
		if m := atStart.FindString(folded); m != "" {
			return "the text speaks to the person who asked for it: " + strings.TrimSpace(m)
		}
	}
	return ""
}
