package content

import (
	"fmt"
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
	if whole != "" && whole != want {
		return fmt.Sprintf("the post is in %s, asked for is %s", languageName(whole), languageName(want))
	}
	for _, par := range append(strings.Split(p.draft.Body, "\n"), p.draft.Title) {
		for _, part := range append(sentenceEnd.Split(par, -1), par) {
			if got := detect(part); got != "" && got != want {
				return fmt.Sprintf("a part is in %s, asked for is %s: %q", languageName(got), languageName(want), firstWords(part, 6))
			}
		}
	}
	return ""
}

// sentenceEnd parts a paragraph, so that one foreign sentence in it does not drown among the others.
var sentenceEnd = regexp.MustCompile(`[.!?…]+["»”]?\s+`)

func languageName(l string) string {
	return map[string]string{"fr": "French", "en": "English"}[l]
}

func firstWords(s string, n int) string {
	w := strings.Fields(s)
	return strings.Join(slices.Clone(w[:min(n, len(w))]), " ")
}
