package providers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// verdict is the one thing that callers need to know of a fault: the code that names the next move, and what the fault
// speaks against.
type verdict struct {
	code  growth.Code
	scope growth.FaultScope
}

var (
	gone        = verdict{growth.ModelGone, growth.ScopeNone}
	refused     = verdict{growth.Refused, growth.ScopeNone}
	tooLong     = verdict{growth.TooLong, growth.ScopeNone}
	tooLarge    = verdict{growth.TooLarge, growth.ScopeNone}
	invalid     = verdict{growth.Invalid, growth.ScopeNone}
	throttled   = verdict{growth.Throttled, growth.ScopeNone}
	exhausted   = verdict{growth.Exhausted, growth.ScopeNone}
	keyRejected = verdict{growth.KeyRejected, growth.ScopeProvider}
	offline     = verdict{growth.Unavailable, growth.ScopeProvider}
	unwell      = verdict{growth.Unavailable, growth.ScopeModel}
	declined    = verdict{growth.Unavailable, growth.ScopeNone} // this request, by a status that blames nobody
	broken      = verdict{growth.Malformed, growth.ScopeModel}  // on the wire
	useless     = verdict{growth.Malformed, growth.ScopeNone}   // whole, but without the text that was asked for
)

// words explain a code to people without a word of the provider's.
var words = map[growth.Code]string{
	growth.ModelGone:   "the provider does not serve this model",
	growth.Refused:     "the provider refused the request by policy",
	growth.TooLong:     "the prompt does not fit this model's context",
	growth.TooLarge:    "the request is too large for the provider",
	growth.Invalid:     "the provider turned the request down as invalid",
	growth.Throttled:   "too many requests for the provider",
	growth.Exhausted:   "the provider's quota or credit is spent",
	growth.KeyRejected: "the provider turned the key down",
	growth.Unavailable: "the provider is not available",
	growth.Malformed:   "the provider's answer is not usable",
}

func (v verdict) fault(message string) *growth.Error {
	if message == "" {
		message = words[v.code]
	}
	return &growth.Error{Code: v.code, Scope: v.scope, Message: message}
}

// statusFault classifies an answer whose status is a failure.
func statusFault(r reply, now time.Time) *growth.Error {
	f := parseFault(r.body)
	html := r.html()
	v := judge(r.status, f, html)
	if html {
		f.text = "an HTML page"
	}
	return v.explain(r.status, f, r.header, now)
}

// innerFault classifies a failure that came inside a 200.
func innerFault(f fault, r reply, now time.Time) *growth.Error {
	status := f.status
	if status < 400 || status > 599 {
		status = 0 // a code that is no HTTP status says nothing that the table knows
	}
	v := judge(status, f, false)
	return v.explain(0, f, r.header, now)
}

func (v verdict) explain(status int, f fault, h http.Header, now time.Time) *growth.Error {
	e := v.fault("")
	e.Err = &saying{status: status, kind: f.kind(), text: f.text, tier: tierOf(f, h)}
	if v.code == growth.Invalid {
		e.Field = f.field()
	}
	if e.Code.Retryable() {
		e.RetryAfter = retryAfter(h, f, now)
	}
	if v.code == growth.Exhausted && (freePerDay.MatchString(f.text) || e.RetryAfter == 0 && perDay.MatchString(f.text)) {
		e.RetryAfter = untilMidnight(now)
		if reset := resetWait(h.Get("X-Ratelimit-Reset"), now); reset > 0 {
			e.RetryAfter = reset // which is the end of the day by the provider's clock
		}
	}
	return e
}

// judge is the table: status first, because bodies are free-form and statuses are not, then the words of the body for
// the statuses that mean many things. A status of 0 stands for a fault that names none.
func judge(status int, f fault, html bool) verdict {
	if v, ok := byAvailability(f); ok {
		return v
	}
	switch {
	case status == http.StatusUnauthorized:
		return keyRejected
	case status == http.StatusPaymentRequired:
		return exhausted
	case status == http.StatusTooManyRequests:
		if perDay.MatchString(f.text) || slices.Contains(f.kinds, "insufficient_quota") {
			return exhausted
		}
		return throttled
	case html:
		return unwell // the page of an edge says nothing about the request
	case status == http.StatusInternalServerError && badFormat.MatchString(f.text):
		return invalid // Ollama's way to say that the schema is at fault
	case status == http.StatusRequestTimeout, status >= 500:
		return unwell
	case status >= 300 && status < 400:
		return offline // a redirect is not followed: the address is not the provider's
	}
	return byWords(status, f)
}

// byWords reads what the body says, from the most exact to the least.
func byWords(status int, f fault) verdict {
	switch {
	case f.flagged, policy.MatchString(f.text), noEndpoint.MatchString(f.text):
		return refused
	case tooLongText.MatchString(f.text):
		return tooLong
	case status == http.StatusForbidden && spentText.MatchString(f.text):
		return exhausted
	}
	for _, kind := range f.kinds {
		if v, ok := kinds[kind]; ok {
			return v
		}
	}
	if status != http.StatusForbidden && goneText.MatchString(f.text) {
		return gone
	}
	switch status {
	case 0:
		if f.blamesRequest() {
			return invalid
		}
		return broken
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		if f.unread {
			return declined // nobody said that the request is at fault, so it must not end the whole call
		}
		return invalid
	case http.StatusRequestEntityTooLarge:
		return tooLarge
	case http.StatusNotFound, http.StatusGone:
		return gone
	case http.StatusForbidden:
		return keyRejected
	case http.StatusUnavailableForLegalReasons:
		return refused
	}
	return declined
}

// kinds are the words by which providers name a fault.
var kinds = map[string]verdict{
	"context_length_exceeded": tooLong, "token_limit_exceeded": tooLong, "max_tokens_exceeded": tooLong,
	"string_too_long":          tooLong,
	"content_policy_violation": refused, "content_filter": refused, "refusal": refused, "moderation": refused,
	"authentication": keyRejected, "authentication_error": keyRejected, "invalid_api_key": keyRejected,
	"permission_denied": keyRejected,
	"payment_required":  exhausted, "insufficient_quota": exhausted,
	"not_found": gone, "not_found_error": gone, "model_not_found": gone, "model_not_supported": gone,
	"model_decommissioned": gone, "model_deprecated": gone, "invalid_model": gone,
	"rate_limit_exceeded": throttled, "too_many_requests": throttled,
	"payload_too_large": tooLarge,
	"timeout":           unwell, "server": unwell, "server_error": unwell, "internal_server_error": unwell,
	"unmapped": unwell, "provider_unavailable": unwell, "provider_overloaded": unwell, "overloaded_error": unwell,
	"service_unavailable": unwell,
}

// blamesRequest holds the words that only say "bad request". A status says as much, and the text may say more (that the
// model is unknown, say), so they count only where there is no status.
func (f fault) blamesRequest() bool {
	return slices.ContainsFunc(f.kinds, func(kind string) bool {
		return kind == "invalid_request" || kind == "invalid_request_error" || kind == "invalid_prompt" || kind == "unprocessable"
	})
}

// byAvailability reads OpenRouter's own account of why a model could not be reached, which says more than the status.
// What holds for this request only (privacy, constraints) must not take the model out for everybody.
func byAvailability(f fault) (verdict, bool) {
	switch f.availability {
	case "privacy_restricted", "constraint_filtered":
		return refused, true
	case "capacity_exhausted":
		return throttled, true
	case "temporarily_unavailable":
		return unwell, true
	case "model_not_found", "wrong_endpoint", "no_endpoints", "model_deprecated", "model_unavailable_upstream",
		"free_variant_ended", "region_restricted":
		if f.retryable != nil && *f.retryable {
			return unwell, true
		}
		return gone, true
	}
	return verdict{}, false
}

var (
	freePerDay  = regexp.MustCompile(`(?i)free-models-per-day`)
	perDay      = regexp.MustCompile(`(?i)per[- ]day|\bdaily\b`)
	spentText   = regexp.MustCompile(`(?i)(key|credit|quota|spend\w*) limit exceeded|insufficient credits`)
	badFormat   = regexp.MustCompile(`(?i)^invalid format`)
	noEndpoint  = regexp.MustCompile(`(?i)no endpoints found .*(data policy|requested parameters|support)`)
	tooLongText = regexp.MustCompile(`(?i)context.?(length|window|size)|maximum context|prompt is too long|` +
		`too many (input )?tokens|reduce the length|input length exceeds|exceeds the available context`)
	policy = regexp.MustCompile(`(?i)content.?(policy|filter|management)|moderation|flagged|guardrail|` +
		`usage polic|safety (system|filter|polic)|violat\w+ .{0,40}polic`)
	goneText = regexp.MustCompile(`(?i)not a valid model|model\b.{0,160}\bnot (found|supported by|available|exist)|` +
		`model\b.{0,160}\bdoes not exist|no such model|unknown model|no endpoints found|is not a chat model|` +
		`does not support chat|decommissioned|no longer (available|supported|served)`)
)

// transportFault classifies a request that got no answer at all.
func transportFault(ctx context.Context, err error, connected bool) *growth.Error {
	if cause := ended(ctx); cause != nil {
		if connected {
			return left(cause, growth.ScopeModel)
		}
		return left(cause, growth.ScopeProvider)
	}
	scope := growth.ScopeProvider
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() && connected {
		scope = growth.ScopeModel
	}
	return &growth.Error{
		Code: growth.Unavailable, Scope: scope, Message: "the provider cannot be reached", Err: quiet(err),
	}
}

// bodyFault classifies a success whose body broke off.
func bodyFault(ctx context.Context, err error) *growth.Error {
	if cause := ended(ctx); cause != nil {
		return left(cause, growth.ScopeModel)
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return unwell.fault("the provider took too long")
	}
	if errors.Is(err, errAnswerTooBig) {
		return broken.fault("the answer is too big")
	}
	e := broken.fault("the answer was cut off")
	e.Err = quiet(err)
	return e
}

// ended is why ctx is over, nil while it is not. A context can be canceled because a time ran out that is no deadline of
// its own, as a stream's silence; its cause says so.
func ended(ctx context.Context) error {
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// left tells a caller who went away, which is nobody's fault, from time that ran out, which speaks against scope.
func left(cause error, scope growth.FaultScope) *growth.Error {
	if errors.Is(cause, context.Canceled) {
		return &growth.Error{Code: growth.Canceled, Message: "the caller left", Err: cause}
	}
	return &growth.Error{Code: growth.Unavailable, Scope: scope, Message: "the provider took too long", Err: cause}
}

// quiet takes the address out of a transport's error, which may hold what an operator wrote into a base URL, and keeps
// the kind of failure. Certificates and TLS alerts are named by kind because their texts quote the peer.
func quiet(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return errors.New("certificate not trusted")
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return errors.New("certificate of another host")
	}
	return err
}
