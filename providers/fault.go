package providers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// fault is what a provider said about a failure, read out of any of the shapes in use: an error that is a string or an
// object, a code that is a number or a word, a bare message, or text that is no JSON at all.
type fault struct {
	text         string   // message and, where there is one, the upstream's raw text
	kinds        []string // every word that classifies the fault, lower case, most exact first
	status       int      // the status that the body names, 0: none
	param        string   // the parameter at fault
	availability string
	retryable    *bool
	flagged      bool // moderation or a guardrail spoke
	unread       bool // there is no body, or JSON that broke off

	availabilityWait, metadataWait, estimated time.Duration
	headers                                   http.Header // the upstream's, as the body quotes them
}

type errorEnvelope struct {
	Error         json.RawMessage `json:"error"`
	Message       word            `json:"message"`
	Detail        json.RawMessage `json:"detail"`
	ErrorType     word            `json:"error_type"`
	EstimatedTime number          `json:"estimated_time"`
	RetryAfter    number          `json:"retry_after_seconds"`
}

type errorObject struct {
	Message      word              `json:"message"`
	Code         word              `json:"code"`
	Type         word              `json:"type"`
	Param        word              `json:"param"`
	ErrorType    word              `json:"error_type"`
	HTTPStatus   number            `json:"http_status"`
	RetryAfter   number            `json:"retry_after_seconds"`
	Metadata     errorMetadata     `json:"metadata"`
	Availability errorAvailability `json:"availability"`
}

type errorMetadata struct {
	ErrorType         word            `json:"error_type"`
	ProviderCode      word            `json:"provider_code"`
	Raw               json.RawMessage `json:"raw"`
	RetryAfterSeconds number          `json:"retry_after_seconds"`
	Headers           map[string]any  `json:"headers"`
	Reasons           json.RawMessage `json:"reasons"`
	FlaggedInput      json.RawMessage `json:"flagged_input"`
	Patterns          json.RawMessage `json:"patterns"`
}

type errorAvailability struct {
	Code       word   `json:"code"`
	Retryable  *bool  `json:"retryable"`
	RetryAfter number `json:"retry_after"`
}

// parseFault never fails: a body that is not understood is its own text.
func parseFault(body []byte) fault {
	var envelope errorEnvelope
	if err := json.Unmarshal(body, &envelope); err != nil && !json.Valid(body) {
		text := bytes.TrimSpace(body[:min(len(body), maxFaultText)])
		return fault{text: string(text), unread: len(text) == 0 || text[0] == '{'}
	}
	f := parseError(envelope.Error)
	f.estimated = floatWait(envelope.EstimatedTime.value, time.Second)
	if f.metadataWait == 0 {
		f.metadataWait = floatWait(envelope.RetryAfter.value, time.Second)
	}
	f.addKind(envelope.ErrorType)
	for _, text := range []string{string(envelope.Message), textOf(envelope.Detail)} {
		if f.text == "" {
			f.text = text
		}
	}
	f.text = cut(f.text, maxFaultText)
	return f
}

// parseError reads the value of an "error" member.
func parseError(raw json.RawMessage) fault {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return fault{text: cut(text, maxFaultText)}
	}
	var o errorObject
	_ = json.Unmarshal(raw, &o) // a member of an unexpected type leaves the others read
	f := fault{
		text:             string(o.Message),
		param:            string(o.Param),
		status:           o.HTTPStatus.count(),
		availability:     string(o.Availability.Code),
		retryable:        o.Availability.Retryable,
		availabilityWait: floatWait(o.Availability.RetryAfter.value, time.Second),
		metadataWait:     floatWait(max(o.Metadata.RetryAfterSeconds.value, o.RetryAfter.value), time.Second),
		headers:          quotedHeaders(o.Metadata.Headers),
		flagged:          says(o.Metadata.Reasons) || says(o.Metadata.FlaggedInput) || says(o.Metadata.Patterns),
	}
	if status, err := strconv.Atoi(string(o.Code)); err == nil {
		f.status = status
	}
	for _, kind := range []word{o.ErrorType, o.Metadata.ErrorType, o.Code, o.Metadata.ProviderCode, o.Type} {
		f.addKind(kind)
	}
	if upstream := textOf(o.Metadata.Raw); upstream != "" {
		f.text = strings.TrimPrefix(cut(f.text, maxFaultText/2)+": "+upstream, ": ")
	}
	f.text = cut(f.text, maxFaultText)
	return f
}

// maxFaultText is as much of a fault's text as is read: expressions are matched against it, and a body has megabytes.
const maxFaultText = 4096

func (f *fault) addKind(kind word) {
	if k := strings.ToLower(string(kind)); k != "" {
		if _, err := strconv.Atoi(k); err != nil {
			f.kinds = append(f.kinds, k)
		}
	}
}

func (f fault) kind() string {
	if f.availability != "" {
		return f.availability
	}
	if len(f.kinds) > 0 {
		return f.kinds[0]
	}
	return ""
}

var fieldPath = regexp.MustCompile(`^[A-Za-z0-9_.\[\]-]{1,64}$`)

// field is the parameter at fault when it is a name and nothing else.
func (f fault) field() string {
	if fieldPath.MatchString(f.param) {
		return f.param
	}
	return ""
}

// says is whether a member is there and not empty.
func says(raw json.RawMessage) bool {
	switch string(bytes.TrimSpace(raw)) {
	case "", "null", `""`, "[]", "{}", "false":
		return false
	}
	return true
}

// textOf is a string as it is, and anything else as its JSON.
func textOf(raw json.RawMessage) string {
	if !says(raw) {
		return ""
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw[:min(len(raw), maxFaultText)])
}

func quotedHeaders(quoted map[string]any) http.Header {
	h := http.Header{}
	for name, value := range quoted {
		switch value := value.(type) {
		case string:
			h.Set(name, value)
		case float64:
			h.Set(name, strconv.FormatFloat(value, 'f', -1, 64))
		}
	}
	return h
}

// saying is the cause of a provider's fault: what it said, as far as that may be kept.
type saying struct {
	status int // 0: the fault came inside a 200
	kind   string
	text   string
	tier   *Tier // nil: it is not about the free tier
}

// Error reads as "status 429: rate_limit_exceeded: text".
func (s *saying) Error() string {
	out := "in the answer"
	if s.status != 0 {
		out = fmt.Sprintf("status %d", s.status)
	}
	for _, part := range []string{s.kind, s.text} {
		if part != "" {
			out += ": " + part
		}
	}
	return out
}
