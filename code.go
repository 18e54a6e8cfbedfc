package growth

import (
	"errors"
	"fmt"
	"time"
)

// Code names what a failure means for the next move. Router, breaker, queue, HTTP and metrics read the code and never
// a status number or a message. The zero value is Internal, so that a forgotten code is loud.
type Code uint8

// The failure taxonomy. The comment says what the chain does with it.
const (
	Internal     Code = iota // our own fault: next candidate, retry, alarm
	Invalid                  // the request itself is wrong: stop
	TooLarge                 // the request is too big to be read: stop
	NotFound                 // no such thing in this workspace: stop
	Conflict                 // the thing is in another state: stop
	Forbidden                // our key lacks the scope: stop
	Unauthorized             // our key is missing or unknown: stop
	TooLong                  // the prompt does not fit this model's context: next candidate
	KeyRejected              // the provider turned our key down (401, 403): next; counts against the provider
	Refused                  // policy or content filter: next; final when every candidate refuses
	Uncertain                // the effect may have happened: read back, or a person decides
	Throttled                // too many requests: next; skip until RetryAfter
	Exhausted                // quota, credit or budget spent: next; wait for the window
	ModelGone                // the model is not served any more: next; take the slug out
	Malformed                // answer empty, cut, or turned down by Accept: repair, ask again, next
	Unavailable              // network, 5xx, timeout: next, retry with growing delay
	Canceled                 // the caller left: stop
)

var codeNames = [...]string{
	Internal: "internal", Invalid: "invalid", TooLarge: "too_large", NotFound: "not_found", Conflict: "conflict",
	Forbidden: "forbidden", Unauthorized: "unauthorized", TooLong: "too_long", KeyRejected: "key_rejected",
	Refused: "refused", Uncertain: "uncertain", Throttled: "throttled", Exhausted: "exhausted", ModelGone: "model_gone",
	Malformed: "malformed", Unavailable: "unavailable", Canceled: "canceled",
}

// String is the code's stable name, used as metric label and in the API.
func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return "internal"
}

// ParseCode is the inverse of String; an unknown name is Internal.
func ParseCode(name string) Code {
	for i, n := range codeNames {
		if n == name {
			return Code(i)
		}
	}
	return Internal
}

// MarshalText writes the code by its name.
func (c Code) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (c *Code) UnmarshalText(b []byte) error { *c = ParseCode(string(b)); return nil }

// Retryable says whether the same work may succeed later without a change by a person.
func (c Code) Retryable() bool {
	switch c {
	case Internal, KeyRejected, Throttled, Exhausted, ModelGone, Malformed, Unavailable:
		return true
	case Invalid, TooLarge, NotFound, Conflict, Forbidden, Unauthorized, TooLong, Refused, Uncertain, Canceled:
		return false
	}
	return false
}

// Error is a failure with the code that decides the next move. Message is safe to show to the caller: it holds no
// secret and no personal data. Err may hold more and is for the log of the border that handles it.
type Error struct {
	Code       Code
	Op         string        // what was being done, as "openrouter.Complete"
	Message    string        // for people; empty: the code's name
	Field      string        // the input field at fault, as a path ("lead.email"); empty when none is
	RetryAfter time.Duration // how long to wait before trying again; 0: unknown
	Scope      FaultScope    // what the fault speaks against, for the breakers
	Err        error
}

// FaultScope says whether a provider's fault speaks against the provider as a whole or against one model.
type FaultScope uint8

// The scopes of a fault. The zero value counts against nobody.
const (
	ScopeNone FaultScope = iota
	ScopeProvider
	ScopeModel
)

// Error reads as "op: message: cause".
func (e *Error) Error() string {
	s := e.Message
	if s == "" {
		s = e.Code.String()
	}
	if e.Op != "" {
		s = e.Op + ": " + s
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of the first *Error in err's chain, Internal when there is none.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Internal
}

// RetryAfterOf returns the wait that the first *Error in err's chain asks for, 0 when it asks for none.
func RetryAfterOf(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.RetryAfter
	}
	return 0
}

// Errorf makes an *Error whose message is safe to show to the caller.
func Errorf(code Code, op, format string, args ...any) *Error {
	return &Error{Code: code, Op: op, Message: fmt.Sprintf(format, args...)}
}

// InvalidField makes an Invalid error that names the field at fault and what would be right.
func InvalidField(op, field, format string, args ...any) *Error {
	return &Error{Code: Invalid, Op: op, Field: field, Message: fmt.Sprintf(format, args...)}
}
