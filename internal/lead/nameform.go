package lead

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// nameForms are the ways in which somebody's name is written without its order, its blanks or all of its parts.
type nameForms struct {
	runs    []nameRun
	joined  map[string]bool // written together: "jeantremblay", "tremblayroy"
	handles map[string]bool // the same with an initial, which is a word of its own as often as not: "@jtremblay"
	inside  []string        // so long that it is known inside of another word: "drjeantremblay514"
	begin   *starts         // the first bytes of all these but inside
}

// nameRun is words of a name, one after the other.
type nameRun struct {
	words  []wanted
	marked bool // with nothing but one sign between two of them, as in "j.tremblay"
}

const (
	nameMarks     = "._-"
	manyParts     = 6 // of a name; longer ones are only looked for as they are
	longInitialed = 4 // letters of a last name that an initial makes a handle
	longInside    = 8
)

// namesOf takes the folded words of a name apart. The first is the given name.
func namesOf(words []string) nameForms {
	for len(words) > 1 && titles[words[0]] {
		words = words[1:]
	}
	var f nameForms
	if len(words) < 2 || len(words) > manyParts {
		return f
	}
	f.joined, f.handles = map[string]bool{}, map[string]bool{}
	first, initials := words[0], ""
	for i, w := range words {
		if i < len(words)-1 {
			initials += firstLetter(w)
		}
	}
	f.join(strings.Join(words, ""))
	f.join(words[len(words)-1] + strings.Join(words[:len(words)-1], ""))
	for _, other := range words[1:] {
		if utf8.RuneCountInString(other) < 3 || particles[other] {
			continue
		}
		f.join(first + other)
		f.join(other + first)
		f.runs = append(f.runs, nameRun{words: wantAll(first, other)}, nameRun{words: wantAll(other, first)})
		if utf8.RuneCountInString(other) < longInitialed {
			continue
		}
		for _, initial := range []string{firstLetter(first), initials} {
			f.handles[initial+other], f.handles[other+initial] = true, true
			f.runs = append(f.runs, nameRun{words: wantAll(initial, other), marked: true})
		}
	}
	if last := words[1:]; len(last) > 1 {
		f.join(strings.Join(last, ""))
		f.runs = append(f.runs, nameRun{words: wantAll(last...), marked: true})
	}
	// Nearly every word of a text is none of them, and its first letter tells that.
	f.begin = new(starts)
	for _, forms := range []map[string]bool{f.joined, f.handles} {
		for w := range forms {
			f.begin[w[0]] = true
		}
	}
	for _, run := range f.runs {
		f.begin[run.words[0].fold[0]] = true
	}
	return f
}

func (f *nameForms) join(s string) {
	f.joined[s] = true
	if len(s) >= longInside {
		f.inside = append(f.inside, s)
	}
}

func firstLetter(w string) string {
	_, size := utf8.DecodeRuneInString(w)
	return w[:size]
}

func wantAll(words ...string) []wanted {
	out := make([]wanted, len(words))
	for i, w := range words {
		out[i] = wanted{fold: w}
	}
	return out
}

// match says how many of the words from the i-th on are the name in one of its forms, 0 when they are not.
func (f *nameForms) match(text string, words []span, i int) int {
	if f.begin == nil {
		return 0
	}
	w := words[i]
	if len(w.fold) > longInside {
		for _, s := range f.inside {
			if len(w.fold) > len(s) && strings.Contains(w.fold, s) {
				return 1
			}
		}
	}
	if !f.begin[w.fold[0]] {
		return 0
	}
	if f.joined[w.fold] || f.handles[w.fold] && w.from > 0 && strings.IndexByte("@/", text[w.from-1]) >= 0 {
		return 1
	}
	for _, run := range f.runs {
		if stand(words[i:], run.words) && (!run.marked || marked(text, words[i:i+len(run.words)])) {
			return len(run.words)
		}
	}
	return 0
}

// marked says whether one sign stands between each of the words, and no blank.
func marked(text string, words []span) bool {
	for i := 1; i < len(words); i++ {
		if between := text[words[i-1].to:words[i].from]; len(between) != 1 || !strings.Contains(nameMarks, between) {
			return false
		}
	}
	return true
}

// nameWords are the parts of a name that can stand for it alone.
func nameWords(name string) []string {
	var out []string
	for _, w := range spans(Visible(name)) {
		if utf8.RuneCountInString(w.fold) >= 3 && !particles[w.fold] && !titles[w.fold] {
			out = append(out, w.fold)
		}
	}
	return out
}

var (
	particles = set("von van der den des del della the les")
	titles    = set("m mm mme mlle me dr dre mr mrs ms miss prof monsieur madame mademoiselle")
)

// singleNames finds the contact's first or last name where it stands alone and is written as a name, or behind a title.
func (r *redactor) singleNames(p *piece) [][2]int {
	if len(r.names) == 0 {
		return nil
	}
	var ranges [][2]int
	words := p.spans()
	for i, w := range words {
		if !slices.Contains(r.names, w.fold) {
			continue
		}
		first, _ := utf8.DecodeRuneInString(p.text[w.from:])
		if unicode.IsUpper(first) || i > 0 && titles[words[i-1].fold] {
			ranges = append(ranges, [2]int{w.from, w.to})
		}
	}
	return ranges
}
