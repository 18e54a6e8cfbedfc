package simulator

import (
	"regexp"
	"strings"

	"github.com/shopspring/decimal"
)

var spokenOperators = strings.NewReplacer(
	"multiplied by", "*", "divided by", "/", "multiplie par", "*", "divise par", "/",
	" plus ", " + ", " minus ", " - ", " times ", " * ", " moins ", " - ", " fois ", " * ",
	"×", "*", "÷", "/", "−", "-", "·", "*",
)

var (
	expression = regexp.MustCompile(`[-(]?[\d(][\d.,\s()+*/x-]*[\d)]`)
	asked      = regexp.MustCompile(`what is|what's|whats|how much|calculate|compute|evaluate|solve|combien|calcul|donne|egal|=|\?`)
	codeLike   = regexp.MustCompile(`^\d+(?:-\d+){1,}$|^\d+(?:/\d+){2,}$|^\(?\d{3}\)? ?\d{3}-\d{4}$`)
	crossSign  = regexp.MustCompile(`(\d|\))\s*x\s*(\d|\()`)
)

// arithmetic finds a sum in a question and works it out; written is the sum as it was understood.
func arithmetic(text string) (written, result string, ok bool) {
	f := spokenOperators.Replace(fold(text))
	f = crossSign.ReplaceAllString(f, "$1*$2")
	cued := asked.MatchString(f) || len(strings.TrimSpace(f)) < 40
	for _, candidate := range expression.FindAllString(f, -1) {
		candidate = strings.TrimSpace(candidate)
		if !strings.ContainsAny(candidate[1:], "+-*/") || (codeLike.MatchString(candidate) && !asked.MatchString(f)) || !cued {
			continue
		}
		p := &sum{text: strings.ReplaceAll(candidate, ",", "")}
		if n, good := p.whole(); good {
			return candidate, n.String(), true
		} else if p.byZero {
			return candidate, "undefined", true
		}
	}
	return "", "", false
}

// sum is a recursive-descent parser of + - * / and parentheses over exact decimals.
type sum struct {
	text   string
	at     int
	depth  int
	byZero bool
}

const (
	maxDepth  = 50
	maxDigits = 60
)

func (p *sum) whole() (decimal.Decimal, bool) {
	n, ok := p.terms()
	p.blanks()
	return n, ok && p.at == len(p.text)
}

func (p *sum) blanks() {
	for p.at < len(p.text) && (p.text[p.at] == ' ' || p.text[p.at] == '\n' || p.text[p.at] == '\t') {
		p.at++
	}
}

// next takes one of the given signs, 0 when none follows.
func (p *sum) next(signs string) byte {
	p.blanks()
	if p.at < len(p.text) && strings.IndexByte(signs, p.text[p.at]) >= 0 {
		p.at++
		return p.text[p.at-1]
	}
	return 0
}

func (p *sum) terms() (decimal.Decimal, bool) {
	n, ok := p.factors()
	for ok {
		op := p.next("+-")
		if op == 0 {
			return n, true
		}
		var m decimal.Decimal
		if m, ok = p.factors(); op == '+' {
			n = n.Add(m)
		} else {
			n = n.Sub(m)
		}
	}
	return n, false
}

func (p *sum) factors() (decimal.Decimal, bool) {
	n, ok := p.unit()
	for ok {
		op := p.next("*/")
		if op == 0 {
			return n, true
		}
		m, good := p.unit()
		switch {
		case !good || n.NumDigits()+m.NumDigits() > maxDigits:
			return n, false
		case op == '*':
			n = n.Mul(m)
		case m.IsZero():
			p.byZero = true
			return n, false
		default:
			n = n.DivRound(m, 12)
		}
	}
	return n, false
}

func (p *sum) unit() (decimal.Decimal, bool) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxDepth {
		return decimal.Zero, false
	}
	switch {
	case p.next("-") != 0:
		n, ok := p.unit()
		return n.Neg(), ok
	case p.next("(") != 0:
		n, ok := p.terms()
		return n, ok && p.next(")") != 0
	}
	p.blanks()
	start := p.at
	for p.at < len(p.text) && (digitAt(p.text, p.at) || p.text[p.at] == '.') {
		p.at++
	}
	if p.at-start > maxDigits/2 {
		return decimal.Zero, false
	}
	n, err := decimal.NewFromString(p.text[start:p.at])
	return n, err == nil
}
