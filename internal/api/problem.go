package api

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/lead"
	"github.com/zakibelm/astrogrowth/router"
)

// Problem is an error as RFC 9457 describes it, with a message member that tools such as n8n show.
type Problem struct { //nolint:errname // RFC 9457's own word
	Type    string                `json:"type" doc:"Stable name of the kind of error" example:"urn:astrogrowth:problem:invalid"`
	Title   string                `json:"title"`
	Status  int                   `json:"status"`
	Detail  string                `json:"detail,omitempty"`
	Message string                `json:"message" doc:"The same for tools that look for a message"`
	Code    string                `json:"code" doc:"The failure taxonomy's name"`
	Errors  []Fault               `json:"errors,omitempty" doc:"The fields at fault and what would be right"`
	Calls   []growth.Call         `json:"calls,omitempty" doc:"What every candidate of the chain did"`
	Budget  *growth.BudgetRefusal `json:"budget,omitempty" doc:"The budget that has no money left, and when it frees"`
	WalkID  growth.WalkID         `json:"walk_id,omitempty" doc:"Groups the calls; see /v1/walks/{id}"`

	retryAfter int
	cause      error
}

// Fault is one field that is wrong. What was sent is not repeated, for it may be personal data; the text of a rubric is none.
type Fault struct {
	Field   string `json:"field" example:"body.lead.email"`
	Message string `json:"message"`
	Line    int    `json:"line,omitempty" doc:"Of the text of a rubric"`
	Got     string `json:"got,omitempty" doc:"What stands there; of the text of a rubric only"`
}

// Error is the problem's message.
func (p *Problem) Error() string { return p.Message }

// GetStatus is the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is problem+json, whatever was asked for.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders gives Retry-After when a wait is known.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	return h
}

var codeByStatus = map[int]growth.Code{
	400: growth.Invalid, 401: growth.Unauthorized, 402: growth.Exhausted, 403: growth.Forbidden, 404: growth.NotFound,
	409: growth.Conflict, 413: growth.TooLarge, 422: growth.Invalid, 429: growth.Throttled, 503: growth.Unavailable, 504: growth.Unavailable,
}

func newProblem(status int, message string, errs ...error) *Problem {
	code, ok := codeByStatus[status]
	if !ok && status < 500 {
		code = growth.Invalid
	}
	if status == http.StatusBadRequest && strings.HasPrefix(message, "request body too large") {
		status, code = http.StatusRequestEntityTooLarge, growth.TooLarge
	}
	if status == http.StatusRequestEntityTooLarge {
		message = "the body is larger than this call takes: 10 MiB, a batch 64 MiB"
	}
	p := &Problem{
		Type: "urn:astrogrowth:problem:" + code.String(), Title: http.StatusText(status), Status: status, Code: code.String(),
	}
	for _, err := range errs {
		d, ok := errors.AsType[*huma.ErrorDetail](err)
		if !ok {
			continue
		}
		p.Errors = append(p.Errors, faultOf(d))
	}
	if message == "request body is required" {
		p.Errors = append(p.Errors, Fault{Field: "body", Message: "is required"})
	}
	p.Detail = message
	if len(p.Errors) > 0 {
		first := p.Errors[0]
		p.Detail = first.Field + ": " + first.Message
		if more := len(p.Errors) - 1; more > 0 {
			p.Detail += " (and " + strconv.Itoa(more) + " more)"
		}
	}
	p.Message = p.Detail
	return p
}

// problemOf turns any error into what a caller may see.
func problemOf(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	e, ok := errors.AsType[*growth.Error](err)
	if !ok {
		p := newProblem(http.StatusInternalServerError, "a fault of ours; it has been reported")
		p.cause = err
		return p
	}
	message := e.Message
	if message == "" {
		message = strings.ReplaceAll(e.Code.String(), "_", " ")
	}
	p := newProblem(statusOf(e.Code), message)
	p.Type, p.Code, p.cause = "urn:astrogrowth:problem:"+e.Code.String(), e.Code.String(), err
	if e.Field != "" {
		p.Errors = []Fault{{Field: e.Field, Message: message}}
		p.Detail = e.Field + ": " + message
		p.Message = p.Detail
	}
	if rubric, ok := errors.AsType[*lead.RubricError](err); ok {
		p.Errors = nil
		for _, f := range rubric.Faults {
			p.Errors = append(p.Errors, Fault{Field: f.Field, Message: f.String(), Line: f.Line, Got: f.Got})
		}
	}
	p.retryAfter = int(math.Ceil(e.RetryAfter.Seconds()))
	if chain, ok := errors.AsType[*router.ChainError](err); ok {
		return chainProblem(p, chain)
	}
	return p
}

// shownChainError is the end of a chain with what its calls cost in the currency of the installation.
type shownChainError struct {
	error

	calls []growth.Call
}

// Unwrap is the error itself.
func (e *shownChainError) Unwrap() error { return e.error }

// inCurrency shows what the calls of a chain that failed have cost as those of one that answered are shown.
func (a *api) inCurrency(ctx context.Context, err error) error {
	chain, ok := errors.AsType[*router.ChainError](err)
	if !ok {
		return err
	}
	rate, unknown := a.rate(ctx)
	if unknown != nil {
		rate = decimal.Decimal{}
	}
	calls := slices.Clone(chain.Calls) // several callers may have waited for the same walk
	for i := range calls {
		calls[i].Cost = a.money(calls[i].Cost, rate)
	}
	return &shownChainError{err, calls}
}

// chainProblem is how the end of a chain looks from outside: a provider's status never becomes ours.
func chainProblem(p *Problem, chain *router.ChainError) *Problem {
	p.Calls, p.WalkID, p.Budget = chain.Calls, chain.Walk, chain.Budget
	if shown, ok := errors.AsType[*shownChainError](p.cause); ok {
		p.Calls = shown.calls
	}
	if chain.Budget != nil {
		return p
	}
	if p.Status == http.StatusUnprocessableEntity && len(p.Errors) == 0 { // what providers refuse is what was asked
		p.Errors = []Fault{{Field: "messages", Message: p.Message}}
	}
	switch chain.Fault.Code {
	case growth.Invalid, growth.TooLarge, growth.TooLong, growth.Refused, growth.Canceled, growth.Internal:
		return p
	default:
		p.Status = http.StatusServiceUnavailable
		if strings.Contains(chain.Fault.Message, "within the deadline") {
			p.Status = http.StatusGatewayTimeout
		}
		p.Title = http.StatusText(p.Status)
		if p.retryAfter == 0 {
			p.retryAfter = 5
		}
		return p
	}
}

func statusOf(c growth.Code) int {
	switch c {
	case growth.Invalid, growth.TooLong, growth.Refused:
		return http.StatusUnprocessableEntity
	case growth.TooLarge:
		return http.StatusRequestEntityTooLarge
	case growth.NotFound:
		return http.StatusNotFound
	case growth.Conflict:
		return http.StatusConflict
	case growth.Forbidden:
		return http.StatusForbidden
	case growth.Unauthorized:
		return http.StatusUnauthorized
	case growth.Throttled:
		return http.StatusTooManyRequests
	case growth.Exhausted:
		return http.StatusPaymentRequired
	case growth.Unavailable, growth.KeyRejected, growth.ModelGone, growth.Malformed, growth.Uncertain:
		return http.StatusServiceUnavailable
	case growth.Canceled:
		return 499
	case growth.Internal:
		return http.StatusInternalServerError
	}
	return http.StatusInternalServerError
}

func writeProblem(w http.ResponseWriter, p *Problem) {
	maps.Copy(w.Header(), p.GetHeaders())
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the caller may have left
}
