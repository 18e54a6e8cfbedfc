package dashboard

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
)

// What parts of a page get, beside the page itself.
type (
	pair struct {
		Page  *page
		Value any
	}
	tab struct {
		Page       *page
		Name, Path string
	}
	jobOn struct {
		Page *page
		Job  JobLine
	}
	pager struct {
		Page  *page
		First bool
		Next  string
	}
)

// Chip is a state as a coloured word.
type Chip struct {
	Class, Text string
}

// Chip gives the word for a state, with the state itself as its class.
func (p *page) Chip(group string, value any) Chip {
	return Chip{Class: fmt.Sprint(value), Text: p.Word(group, value)}
}

// CallChip says what the chain did with a candidate.
func (p *page) CallChip(c growth.Call) Chip {
	switch c.Status {
	case growth.CallStarted:
		return Chip{Class: "running", Text: p.Word("call", growth.CallStarted)}
	case growth.CallUnknown:
		return Chip{Class: "unknown", Text: p.Word("call", growth.CallUnknown)}
	default:
	}
	return Chip{Class: string(c.Decision), Text: p.Word("decision", c.Decision)}
}

// Sent says whether a request went out for a candidate.
func (*page) Sent(c growth.Call) bool { return c.Decision != growth.DecisionSkipped }

// Points writes points of a score.
func (p *page) Points(n float64) string { return p.Lang.fraction(strconv.FormatFloat(n, 'f', -1, 64)) }

// FaultTitle is the phrase above a fault.
func (*page) FaultTitle(status int) string {
	switch {
	case status == http.StatusNotFound, status == http.StatusConflict, status == http.StatusForbidden:
		return "fault." + strconv.Itoa(status)
	case status >= http.StatusInternalServerError:
		return "fault.5xx"
	}
	return "fault.4xx"
}

// shortOf is the end of an id of any kind.
func shortOf(id any) string { return short(fmt.Sprint(reflect.Indirect(reflect.ValueOf(id)))) }

// T says a phrase.
func (p *page) T(key string, args ...any) string { return p.Lang.say(key, args...) }

// Word says a value of the machine.
func (p *page) Word(group string, value any) string { return p.Lang.sayOr(group, fmt.Sprint(value)) }

// N writes a whole number of any size.
func (p *page) N(n any) string {
	switch n := n.(type) {
	case int:
		return p.Lang.number(int64(n))
	case int64:
		return p.Lang.number(n)
	}
	return fmt.Sprint(n)
}

// USD writes an amount of US dollars in the page's currency.
func (p *page) USD(usd decimal.Decimal) string {
	return p.Lang.amount(p.convert(usd), p.Currency)
}

func (p *page) convert(usd decimal.Decimal) decimal.Decimal {
	if p.rated {
		return usd.Mul(p.rate)
	}
	return usd
}

// Cost writes money; what nobody knows is said to be unknown.
func (p *page) Cost(m growth.Money) string {
	if m.USD == nil {
		return p.T("unknown")
	}
	return p.USD(*m.USD)
}

// Ms writes a duration in milliseconds.
func (p *page) Ms(ms any) string {
	switch ms := ms.(type) {
	case int64:
		return p.Lang.millis(float64(ms))
	case float64:
		return p.Lang.millis(ms)
	}
	return fmt.Sprint(ms)
}

// Share writes a share of 1 as a percentage.
func (p *page) Share(share float64) string { return p.Lang.percent(share, 1) }

// Is says whether a name is the page that is shown, or the list that it belongs to.
func (p *page) Is(name string) bool { return p.Name == name || p.Name+"s" == name }

// With is the address of this page with one parameter of its query changed. The cursor belongs to the old list and goes.
func (p *page) With(name, value string) string {
	q := url.Values{}
	for k, v := range p.query {
		if k != "cursor" && k != "done" && k != "lang" {
			q[k] = v
		}
	}
	q.Set(name, value)
	if value == "" {
		q.Del(name)
	}
	if len(q) == 0 {
		return p.path
	}
	return p.path + "?" + q.Encode()
}
