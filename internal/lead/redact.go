package lead

import (
	"strings"
)

// finder finds one private value of the lead wherever it is written.
type finder struct {
	placeholder string
	words       []wanted // its words, one after the other, whatever stands between them
	reverse     []wanted // the same, last name first
	name        nameForms
	extension   string // of a telephone number
	digits      string // of a telephone number, found however they are grouped
}

// wanted is one folded word of a value, and whether it is what streetWords makes of others.
type wanted struct {
	fold   string
	street bool
}

var streetForms = func() map[string]bool {
	out := map[string]bool{}
	for _, form := range streetWords {
		out[form] = true
	}
	return out
}()

func want(fold string) wanted { return wanted{fold: fold, street: streetForms[fold]} }

func literal(kind, value, placeholder string) finder {
	f := finder{placeholder: placeholder}
	for _, w := range spans(value) {
		f.words = append(f.words, want(wordForm(kind, w.fold)))
	}
	switch kind {
	case "NAME":
		if len(f.words) > 1 {
			f.reverse = append([]wanted{f.words[len(f.words)-1]}, f.words[:len(f.words)-1]...)
		}
		f.name = namesOf(foldsOf(value))
	case "PHONE":
		if d := lastDigits(value); len(d) >= minPhone {
			f.digits, f.extension = d, extensionOf(value)
		}
	}
	return f
}

func foldsOf(value string) []string {
	var out []string
	for _, w := range spans(value) {
		out = append(out, w.fold)
	}
	return out
}

func wordForm(kind, w string) string {
	if kind != "ADDRESS" {
		return w
	}
	if v, ok := streetWords[w]; ok {
		return v
	}
	return w
}

// lastDigits gives the digits of a number without a North American country code and without an extension.
func lastDigits(s string) string {
	s = cutExtension(s)
	d := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, Fold(s))
	if len(d) == 11 && d[0] == '1' {
		d = d[1:]
	}
	return d
}

// redactor replaces private values in the texts of one lead.
type redactor struct {
	secrets *Secrets
	finders []finder
	names   []string // the contact's single names, folded
}

// clean replaces the lead's own private values, and what looks like anybody's. In free text it also takes the contact's
// first or last name alone for what it is; in the name of a business it may be just that name.
func (r *redactor) clean(s string, free bool) string {
	if strings.IndexByte(s, '[') >= 0 {
		// A stranger can type a placeholder; Restore would fill it.
		s = placeholder.ReplaceAllString(s, "($1)")
	}
	digits := countDigits(s)
	p := pieces{{text: s}}
	for i := range r.finders {
		if f := &r.finders[i]; f.digits != "" {
			p = p.cut(f.numbers, r.insteadOfNumber(f))
		}
		p = p.cut(r.finders[i].find, r.finders[i].instead)
	}
	p = p.cut(profilesIn, r.instead("LINKEDIN"))
	p = p.cut(emailsIn, r.instead("EMAIL"))
	if digits >= 7 {
		p = p.cut(phonesIn, r.instead("PHONE")).cut(labelledPhonesIn, r.instead("PHONE"))
	}
	if free {
		name := r.instead("NAME")
		if digits > 0 {
			p = p.cut(streetsIn, r.instead("ADDRESS")).cut(boxesIn, r.instead("ADDRESS"))
		}
		p = p.cut(titledNamesIn, name).cut(saidNamesIn, name).cut(r.singleNames, name)
	}
	return p.join()
}

// instead gives what stands for a value of this kind from now on.
func (r *redactor) instead(kind string) func(string) string {
	return func(value string) string { return r.secrets.hide(kind, value) }
}

// insteadOfNumber gives what stands for a lead's own number. With an extension that is not its own it is another value:
// what is put back must say what was written.
func (r *redactor) insteadOfNumber(f *finder) func(string) string {
	return func(value string) string {
		if x := extensionOf(value); x != "" && x != f.extension {
			return r.secrets.hide("PHONE", value)
		}
		return f.placeholder
	}
}

func countDigits(s string) int {
	n := 0
	for i := range len(s) {
		if isDigit(s[i]) {
			n++
		}
	}
	return n
}

// piece is a stretch of text, and whether it is a placeholder already. Its words are found when they are asked for.
type piece struct {
	text   string
	hidden bool
	words  []span
	parted bool
}

func (p *piece) spans() []span {
	if !p.parted {
		p.words, p.parted = spans(p.text), true
	}
	return p.words
}

type pieces []piece

// cut replaces what find finds in the open pieces: byte ranges, in order and apart. Most texts hold none, and stay as
// they are.
func (ps pieces) cut(find func(*piece) [][2]int, instead func(string) string) pieces {
	var out pieces
	for i := range ps {
		var ranges [][2]int
		if !ps[i].hidden {
			ranges = find(&ps[i])
		}
		if len(ranges) > 0 && out == nil {
			out = append(make(pieces, 0, len(ps)+2*len(ranges)), ps[:i]...)
		}
		switch {
		case len(ranges) > 0:
			out = append(out, ps[i].without(ranges, instead)...)
		case out != nil:
			out = append(out, ps[i])
		}
	}
	if out == nil {
		return ps
	}
	return out
}

// without cuts the ranges out of a piece.
func (p *piece) without(ranges [][2]int, instead func(string) string) pieces {
	out := make(pieces, 0, 2*len(ranges)+1)
	at := 0
	for _, r := range ranges {
		if r[0] > at {
			out = append(out, piece{text: p.text[at:r[0]]})
		}
		out = append(out, piece{text: instead(p.text[r[0]:r[1]]), hidden: true})
		at = r[1]
	}
	if at < len(p.text) {
		out = append(out, piece{text: p.text[at:]})
	}
	return out
}

func (ps pieces) join() string {
	if len(ps) == 1 {
		return ps[0].text
	}
	var b strings.Builder
	for _, p := range ps {
		b.WriteString(p.text)
	}
	return b.String()
}

func (f *finder) instead(string) string { return f.placeholder }

// find looks for the words of the value.
func (f *finder) find(p *piece) [][2]int {
	var ranges [][2]int
	words := p.spans()
	for i := 0; i < len(words); {
		n := f.match(p.text, words, i)
		if n == 0 {
			i++
			continue
		}
		ranges = append(ranges, [2]int{words[i].from, words[i+n-1].to})
		i += n
	}
	return ranges
}

// match says how many words from the i-th on are the value, 0 when they are not.
func (f *finder) match(text string, words []span, i int) int {
	if stand(words[i:], f.words) {
		return len(f.words)
	}
	if stand(words[i:], f.reverse) {
		return len(f.reverse)
	}
	return f.name.match(text, words, i)
}

// stand says whether words begins with the wanted ones.
func stand(words []span, value []wanted) bool {
	if len(value) == 0 || len(value) > len(words) {
		return false
	}
	for i, w := range value {
		if fold := words[i].fold; fold != w.fold && (!w.street || streetWords[fold] != w.fold) {
			return false
		}
	}
	return true
}
