package simulator

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	onlyNumber = regexp.MustCompile(`(just|only|seulement|uniquement|juste|simplement)\b.{0,40}(number|nombre|chiffre|result|resultat|answer|repons)|(number|nombre|chiffre|resultat|answer) (only|seulement|uniquement)`)
	summing    = regexp.MustCompile(`summar|resum|tl;dr|shorten|raccourci|main points|points principaux`)
)

// chatter answers a free question: sums are worked out, texts are summed up, and anything else gets a short answer
// made of the question's own words.
func chatter(text string) string {
	f := fold(text)
	if sum, result, ok := arithmetic(text); ok {
		if onlyNumber.MatchString(f) {
			return result
		}
		return sum + " = " + result
	}
	if summing.MatchString(f) {
		if s := summary(text); s != "" {
			return s
		}
	}
	return remark(text)
}

// summary keeps the sentences of a text that hold the most of its words, in their order; the instruction is not part
// of the text.
func summary(text string) string {
	if _, after, found := strings.Cut(text, "\n"); found && strings.TrimSpace(after) != "" {
		text = after
	} else if _, after, found := strings.Cut(text, ": "); found {
		text = after
	}
	all := sentences(text)
	if len(all) == 0 {
		return ""
	}
	if len(all) > 200 {
		all = all[:200]
	}
	whole := stems(strings.Join(all, " "))
	best, second := 0, -1
	weights := make([]float64, len(all))
	for i, s := range all {
		own := stems(s)
		weights[i] = float64(overlap(own, whole)) / float64(12+len(own))
		if i == 0 {
			weights[i] += 0.2 // texts say first what they are about
		}
		if weights[i] > weights[best] {
			best = i
		}
	}
	for i := range all {
		if i != best && (second < 0 || weights[i] > weights[second]) {
			second = i
		}
	}
	if second < 0 {
		return closed(all[best])
	}
	return closed(all[min(best, second)]) + " " + closed(all[max(best, second)])
}

// remark says something about the subject of a question without claiming anything about it.
func remark(text string) string {
	french := isFrench(text)
	subject := keywords(text, 4)
	if subject == "" {
		if french {
			return "Pouvez-vous préciser votre question\u00a0?"
		}
		return "Could you say a little more about what you need?"
	}
	if french {
		return pick(text,
			"Pour répondre à propos de "+subject+", le mieux est de partir des faits que vous connaissez, puis de choisir une seule prochaine étape.",
			"Trois choses comptent ici ("+subject+")\u00a0: le but, les personnes concernées et le moment. Commencez par le but.",
			"À propos de "+subject+", une réponse simple\u00a0: gardez ce qui sert vos clients et laissez le reste.")
	}
	return pick(text,
		"On "+subject+", the best start is the facts you already have, followed by one clear next step.",
		"Three things matter for "+subject+": the goal, the people concerned and the timing. Begin with the goal.",
		"A simple answer about "+subject+": keep what serves your customers and leave the rest.")
}

// keywords joins the first meaningful words of a text, each once and as it was written.
func keywords(text string, n int) string {
	var out []string
	seen := map[string]bool{}
	for _, w := range wordsOf(text) {
		if !w.content() || seen[w.stem] || askingWords[w.fold] || len(w.fold) < 3 {
			continue
		}
		seen[w.stem] = true
		out = append(out, text[w.from:w.to])
		if len(out) == n {
			break
		}
	}
	return strings.Join(out, ", ")
}

var askingWords = wordSet(`please give tell explain write answer reply describe list show make create short one two sentence sentences word words
question text following peux pouvez donne donnez explique expliquez ecris ecrivez reponds repondez decris phrase phrases mot mots svp quel quelle quels quelles`)

// pick chooses among sentences by the text, so that one text always has the same and different texts differ.
func pick(text string, choices ...string) string { return choices[spread(text)%len(choices)] }

// spread is a small hash, never negative.
func spread(text string) int {
	h := uint32(2166136261)
	for i := range len(text) {
		h = (h ^ uint32(text[i])) * 16777619
	}
	return int((h ^ h>>15) >> 1)
}

// closed gives a sentence its full stop.
func closed(s string) string {
	s = strings.TrimSpace(s)
	r, _ := utf8.DecodeLastRuneInString(s)
	if s == "" || strings.ContainsRune(".!?…»", r) {
		return s
	}
	return strings.TrimRight(s, ",;: ") + "."
}

// capital begins a sentence with a capital letter.
func capital(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToUpper(r)) + s[n:]
}
