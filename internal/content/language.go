package content

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// The commonest words of each language that the other does not have.
var stopWords = map[string]map[string]bool{
	"fr": wordSet(`le la les un une des du de et est sont dans pour avec sur au aux ce cette ces qui que quoi nous vous ils elles je tu il elle
		notre nos votre vos mon ma mes son sa ses leur leurs pas ne plus mais ou donc chez sans sous entre vers depuis comme quand tout tous toute
		toutes etre avoir avez avons ont etes sommes faire fait peut c d l j n s qu y en par se si ainsi aussi meme tres bien encore votre voici`),
	"en": wordSet(`the an and is are was were in for with on at this that these those who which what we you they he she it our your their my his her
		its not no but or so without under between from to of as when all every be have has had do does did can will would should by if also very
		just more than then there here how why i us them about into out up get make your yours let s t re ve ll`),
}

// foreignWords are the commonest words of languages that nobody asks for; French and English have none of them.
var foreignWords = map[string]map[string]bool{
	"es": wordSet(`el los las del por para con una muy pero porque cuando donde nuestra nuestro nuestras nuestros usted ustedes esta estos
		hay mas tambien hasta desde lo su sus y es al como`),
	"pt": wordSet(`uma nao com voce voces nossa nosso nossas nossos sua seu seus em da das dos ao pelo pela para por muito tambem isso quando`),
	"it": wordSet(`il gli della delle dei degli che di una sono nostra nostro nostri per con piu anche non questo questa molto`),
	"de": wordSet(`der und ist nicht mit fur auf ein eine einen wir sie ihr ihre das auch oder zu im bei von sich werden haben`),
}

func wordSet(list string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		m[w] = true
	}
	return m
}

const (
	enoughWords = 8 // a shorter paragraph can be a slogan, a name, a quotation
	clearShare  = 0.25

	wholeWords = 20   // a text as long as this shows its language
	leastShare = 0.08 // of its words are the commonest ones of its language
)

// detect gives the language of a text, "" when its words do not tell.
func detect(s string) string {
	all := words(withoutLinks(s))
	if len(all) < enoughWords {
		return ""
	}
	count := map[string]int{}
	for _, w := range all {
		for l, stop := range stopWords {
			if stop[w] {
				count[l]++
			}
		}
	}
	for l, n := range count {
		other := 0
		for o, m := range count {
			if o != l {
				other = max(other, m)
			}
		}
		if float64(n) >= clearShare*float64(len(all)) && n >= 2*other+1 {
			return l
		}
	}
	return ""
}

// language finds paragraphs that are clearly in another language than the one asked for.
func language(p piece) string {
	want := p.language()
	if stopWords[want] == nil {
		return ""
	}
	whole := detect(p.draft.Body)
	if whole == "" {
		whole = unlike(p.draft.Body, want)
	}
	if whole != "" && whole != want {
		return fmt.Sprintf("the post is in %s, asked for is %s", languageName(whole), languageName(want))
	}
	for _, par := range append(strings.Split(p.draft.Body, "\n"), p.draft.Title) {
		for _, part := range append(sentenceEnd.Split(par, -1), par) {
			got := detect(part)
			if got == "" {
				got = slogan(part, want)
			}
			if got != "" && got != want {
				return fmt.Sprintf("a part is in %s, asked for is %s: %q", languageName(got), languageName(want), firstWords(part, 6))
			}
		}
	}
	return ""
}

// unlike gives the language that a longer text is in instead of the one that was asked for: one that has more of its
// words, "other" when they are of none; "" when the text is as it should be.
func unlike(s, want string) string {
	all := words(withoutHashtags(withoutLinks(s)))
	if len(all) < wholeWords {
		return ""
	}
	own := share(all, stopWords[want])
	for _, l := range slices.Sorted(maps.Keys(foreignWords)) {
		if n := share(all, foreignWords[l]); n > own && n >= leastShare {
			return l
		}
	}
	if own < leastShare {
		return "other"
	}
	return ""
}

// slogan gives the other language of a paragraph that has words of it and none of the one asked for. A sentence
// without any of the commonest words of its language is too short to be told.
func slogan(s, want string) string {
	all := words(withoutHashtags(withoutLinks(s)))
	if len(all) < enoughWords || share(all, stopWords[want]) > 0 {
		return ""
	}
	const least = 2
	for _, l := range slices.Sorted(maps.Keys(stopWords)) {
		if l != want && share(all, stopWords[l])*float64(len(all)) >= least {
			return l
		}
	}
	return ""
}

func share(all []string, of map[string]bool) float64 {
	n := 0
	for _, w := range all {
		if of[w] {
			n++
		}
	}
	return float64(n) / float64(len(all))
}

// sentenceEnd parts a paragraph, so that one foreign sentence in it does not drown among the others.
var sentenceEnd = regexp.MustCompile(`[.!?…]+["»”]?\s+`)

func languageName(l string) string {
	return map[string]string{
		"fr": "French", "en": "English", "es": "Spanish", "pt": "Portuguese", "it": "Italian", "de": "German", "other": "another language",
	}[l]
}

func firstWords(s string, n int) string {
	w := strings.Fields(s)
	return strings.Join(slices.Clone(w[:min(n, len(w))]), " ")
}
