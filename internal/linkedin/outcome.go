package linkedin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// Verdict says whether a post may exist although Publish returned an error.
type Verdict uint8

// The verdicts. The zero value is the one that is safe to assume.
const (
	Unknown    Verdict = iota // the post may exist: nobody may send it again but a person
	NotCreated                // it is certain that this request made no post
)

// String is the verdict's name.
func (v Verdict) String() string {
	if v == NotCreated {
		return "not_created"
	}
	return "unknown"
}

// PublishError is every failure of Publish: the classified error, and what it proves.
type PublishError struct {
	Verdict Verdict
	NotSent bool // LinkedIn never had the whole request
	Err     *growth.Error
}

// Error is the classified error's text.
func (e *PublishError) Error() string { return e.Err.Error() }

// Unwrap gives the classified error.
func (e *PublishError) Unwrap() error { return e.Err }

// DuplicateError is the cause of a Conflict: LinkedIn holds the same content already.
type DuplicateError struct {
	URN string // the post that LinkedIn names; empty when it names none
}

// Error names the post.
func (e *DuplicateError) Error() string {
	if e.URN == "" {
		return "duplicate of a post that LinkedIn does not name"
	}
	return "duplicate of " + e.URN
}

// Outcome is the verdict on an error of Publish. An error that it does not know proves nothing.
func Outcome(err error) Verdict {
	if e, ok := errors.AsType[*PublishError](err); ok {
		return e.Verdict
	}
	return Unknown
}

func notSent(err *growth.Error) error {
	return &PublishError{Verdict: NotCreated, NotSent: true, Err: err}
}

func unknown(s sending, message string, cause error) error {
	return &PublishError{Verdict: Unknown, Err: &growth.Error{
		Code: growth.Uncertain, Op: s.op, Message: message + ": " + s.what + " may have been made", Err: cause,
	}}
}

// ConflictError is the cause of an Unavailable: two writes met, and LinkedIn turned this one down.
type ConflictError struct{}

// Error says so.
func (*ConflictError) Error() string { return "write conflict" }

// VersionError is the cause of an Unavailable: LinkedIn has retired the version that this client asks for. It meets
// every call alike.
type VersionError struct{ Version string }

// Error names the version.
func (e *VersionError) Error() string { return "version " + e.Version + " is not active" }

// complaint is the body of a failure. Each member is optional.
type complaint struct {
	Status       int             `json:"status"`
	ServiceCode  int             `json:"serviceErrorCode"`
	Code         string          `json:"code"`
	Message      string          `json:"message"`
	ErrorDetails json.RawMessage `json:"errorDetails"`
}

func parseComplaint(body []byte) complaint {
	var c complaint
	_ = json.Unmarshal(body, &c) // a body that is none, or odd in one member, leaves the status to speak
	return c
}

func (c complaint) expired() bool {
	return c.ServiceCode == 65602 || c.Code == "EXPIRED_ACCESS_TOKEN" || strings.Contains(strings.ToLower(c.Message), "expired")
}

func (c complaint) revoked() bool {
	return c.ServiceCode == 65601 || c.Code == "REVOKED_ACCESS_TOKEN" || strings.Contains(strings.ToLower(c.Message), "revoked")
}

func (c complaint) duplicate() bool {
	return c.Code == "DUPLICATE_POST" || strings.Contains(string(c.ErrorDetails), `"DUPLICATE_POST"`) ||
		duplicateText.MatchString(c.Message)
}

var (
	duplicateText   = regexp.MustCompile(`(?i)content is a duplicate|duplicate post`)
	postURN         = regexp.MustCompile(`urn:li:(share|ugcPost|activity):[0-9]+`)
	inactiveVersion = regexp.MustCompile(`(?i)requested version .{1,20} is not active`)
	dayLimit        = regexp.MustCompile(`(?i)\bDAY\b|daily`)
	schemaField     = regexp.MustCompile(`ERROR :: /([A-Za-z0-9_/]{1,80}) ::`)
)

// refusal classifies an answer that is no success. Only answers that are given before a post can exist are proof;
// everything that is not listed is not.
func (c *Client) refusal(s sending, a answer) error {
	if e := c.classify(s.op, a); e != nil {
		return &PublishError{Verdict: NotCreated, Err: e}
	}
	return unknown(s, fmt.Sprintf("LinkedIn answered %d", a.status), nil)
}

// classify names a definite refusal, nil when the answer is none.
func (c *Client) classify(op string, a answer) *growth.Error {
	said := parseComplaint(a.body)
	e := classify(a, said, c.now())
	if e == nil {
		return nil
	}
	e.Op = op
	if retired(a, said) {
		e.Err = &VersionError{c.version}
	}
	return e
}

func retired(a answer, said complaint) bool {
	return a.status == http.StatusUpgradeRequired || said.Code == "NONEXISTENT_VERSION" || said.Code == "VERSION_MISSING" ||
		inactiveVersion.MatchString(said.Message)
}

func classify(a answer, said complaint, now time.Time) *growth.Error {
	if retired(a, said) {
		// It stops every call at once and is mended by configuration; the jobs are as good as before.
		return refuse(growth.Unavailable, "LinkedIn has retired this version of its API: set LINKEDIN_VERSION to a newer one", said)
	}
	switch a.status {
	case http.StatusUnauthorized:
		return refuse(growth.KeyRejected, tokenWords(said), said)
	case http.StatusForbidden:
		return refuse(growth.Forbidden, "LinkedIn does not allow this account or app to post", said)
	case http.StatusTooManyRequests:
		e := refuse(growth.Throttled, "LinkedIn's limit for calls is reached", said)
		e.RetryAfter = quotaWait(a.header, said, now)
		return e
	case http.StatusConflict:
		return conflict(said)
	case http.StatusUnprocessableEntity, http.StatusBadRequest:
		if said.Code == "MEDIA_ASSET_WAITING_UPLOAD" {
			e := refuse(growth.Unavailable, "LinkedIn is not done with the image yet", said)
			e.RetryAfter = imagePause
			return e
		}
		if said.duplicate() {
			e := refuse(growth.Conflict, "LinkedIn has a post with the same content", said)
			e.Err = &DuplicateError{URN: postURN.FindString(said.Message)}
			return e
		}
		e := refuse(growth.Invalid, "LinkedIn turned the post down as invalid", said)
		if m := schemaField.FindStringSubmatch(said.Message); m != nil {
			e.Field = strings.ReplaceAll(m[1], "/", ".")
		}
		return e
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusLengthRequired, http.StatusUnsupportedMediaType:
		return refuse(growth.Invalid, "LinkedIn turned the request down", said)
	case http.StatusRequestEntityTooLarge:
		return refuse(growth.TooLarge, "the post is too large for LinkedIn", said)
	}
	return nil
}

// conflict believes LinkedIn's own word for two writes that met, and nothing else of that status. Whoever tries again
// does so once: see ConflictError.
func conflict(said complaint) *growth.Error {
	if said.Code != "CONFLICT" {
		return nil
	}
	e := refuse(growth.Unavailable, "LinkedIn turned the write down because of another one", said)
	e.RetryAfter, e.Err = time.Second, &ConflictError{}
	return e
}

const imagePause = 10 * time.Second // until an image that was uploaded may be posted

func tokenWords(said complaint) string {
	switch {
	case said.revoked():
		return "the account's token was revoked: it must be connected again"
	case said.expired():
		return "the account's token has expired: it must be connected again"
	}
	return "LinkedIn turned the account's token down: it must be connected again"
}

// refuse keeps of what LinkedIn said only its codes: its messages quote the post.
func refuse(code growth.Code, message string, said complaint) *growth.Error {
	e := &growth.Error{Code: code, Op: opPublish, Message: message}
	if word := said.word(); word != "" {
		e.Err = errors.New(word)
	}
	return e
}

var plainCode = regexp.MustCompile(`^[A-Z0-9_]{1,64}$`)

func (c complaint) word() string {
	if plainCode.MatchString(c.Code) {
		return c.Code
	}
	if c.ServiceCode != 0 {
		return "service error " + strconv.Itoa(c.ServiceCode)
	}
	return ""
}

// shortPause is for a 429 that names no day: infrastructure that protects itself, and clears by itself.
const shortPause = 15 * time.Minute

// quotaWait is the time until LinkedIn counts anew. Its quotas are by UTC day, and it sends no hint.
func quotaWait(h http.Header, said complaint, now time.Time) time.Duration {
	if dayLimit.MatchString(said.Message) {
		return untilMidnight(now)
	}
	if seconds, err := strconv.Atoi(h.Get("Retry-After")); err == nil && seconds > 0 {
		return min(time.Duration(min(seconds, 86400))*time.Second, 24*time.Hour)
	}
	return min(shortPause, untilMidnight(now))
}

func untilMidnight(now time.Time) time.Duration {
	now = now.UTC()
	return time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, time.UTC).Sub(now)
}
