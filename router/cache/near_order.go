package cache

import (
	"slices"
	"strings"
)

const (
	maxReordered = 24 // words of a request whose phrases may move
	maxPhrase    = 5  // words of a phrase that may move, its preposition included
)

// parts are a request taken apart: what is asked for, the phrases that hang on it, and the attributes between commas.
type parts struct {
	head       []token
	phrases    [][]token
	attributes [][]token
	split      bool // a phrase stood between the verb and what it asks for
}

// reorder puts the phrases of a plain imperative into one order: "list topics about insurance for buyers" and "list
// topics for buyers about insurance" ask for the same. It moves only short phrases that begin with different
// prepositions of a closed list, and two-word attributes between commas, in one sentence without any word that could
// bind them otherwise; never two that hold a number or a name, so that these stay in order.
func reorder(t []token) []token {
	if len(t) > maxReordered || !imperatives[t[0].text] {
		return t
	}
	for _, w := range t {
		if bound[strings.ToLower(w.text)] || w.sep && w.text != "," {
			return t
		}
	}
	p, ok := takeApart(t)
	if !ok || p.ambiguous() {
		return t
	}
	if p.named() {
		return keepNames(t)
	}
	return p.together()
}

// takeApart is false for a request of another shape.
func takeApart(t []token) (parts, bool) {
	p := parts{head: t[:1:1]}
	var phrase []token // the one that is being read; nil: the head
	clause := false    // a comma has been read, and no phrase after it
	end := func() {
		if phrase != nil {
			p.phrases = append(p.phrases, phrase)
		}
		phrase = nil
	}
	for i := 1; i < len(t); i++ {
		w := t[i]
		switch {
		case w.text == ",":
			end()
			clause = true
		case movable[w.text]:
			end()
			phrase, clause = []token{w}, false
		case clause:
			if i+1 >= len(t) || !attribute(t[i:min(i+3, len(t))]) {
				return p, false
			}
			p.attributes = append(p.attributes, t[i:i+2])
			i++
		case phrase == nil:
			p.head = append(p.head, w)
		case len(p.head) == 1 && len(phrase) > 2 && determiners[w.text]: // "describe for a shop the product"
			end()
			p.split = true
			p.head = append(p.head, w)
		default:
			phrase = append(phrase, w)
		}
	}
	end()
	return p, true
}

// attribute says whether two words between commas set one, and orders them: the attribute first.
func attribute(t []token) bool {
	if len(t) == 3 && t[2].text != "," || t[0].sep || t[1].sep || t[0].digit || t[1].digit {
		return false
	}
	return attributes[t[0].text] != attributes[t[1].text]
}

// ambiguous says whether two parts could be taken for each other.
func (p parts) ambiguous() bool {
	seen := map[string]bool{}
	for _, ph := range p.phrases {
		if seen[ph[0].text] || len(ph) < 2 || len(ph) > maxPhrase {
			return true
		}
		seen[ph[0].text] = true
	}
	for _, a := range p.attributes {
		name := a[0].text
		if attributes[a[1].text] {
			name = a[1].text
		}
		if seen[name] {
			return true
		}
		seen[name] = true
	}
	return false
}

// named says whether moving could change the order of numbers or names.
func (p parts) named() bool {
	n := 0
	for _, ph := range p.phrases {
		if marked(ph) {
			n++
		}
	}
	return n > 1 || p.split && n > 0 && marked(p.head[1:])
}

func marked(t []token) bool {
	return slices.ContainsFunc(t, func(w token) bool { return w.digit || w.caps || w.fixed })
}

// keepNames gives the words that may be names their capitals back: a request that keeps its order because of them must
// not look like one that was put into that order.
func keepNames(t []token) []token {
	for i := 1; i < len(t); i++ {
		if t[i].caps {
			t[i].text = t[i].raw
		}
	}
	return t
}

func (p parts) together() []token {
	slices.SortFunc(p.phrases, func(a, b []token) int { return strings.Compare(join(a), join(b)) })
	for _, a := range p.attributes {
		if attributes[a[1].text] {
			a[0], a[1] = a[1], a[0]
		}
	}
	slices.SortFunc(p.attributes, func(a, b []token) int { return strings.Compare(join(a), join(b)) })
	out := p.head
	for _, ph := range p.phrases {
		out = append(out, ph...)
	}
	for _, a := range p.attributes {
		out = append(out, token{text: ",", sep: true})
		out = append(out, a...)
	}
	return out
}
