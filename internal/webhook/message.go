package webhook

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	growth "github.com/zakibelm/astrogrowth"
)

// maxMessages is how many messages one call may carry; HubSpot sends up to 100.
const maxMessages = 1000

// Message is one thing that a sender tells: a call carries one, of HubSpot several.
type Message struct {
	Raw   []byte // as it came
	Event string // its type; empty: it does not say
	Dedup []byte // what makes it the same message when it comes again, as a digest
	value any
}

// Reading says where in a body its type and its identity stand; empty: the kind's own places.
type Reading struct {
	Kind      Kind
	EventPath string
	DedupPath string
}

// Check says what is wrong with a reading.
func (r Reading) Check() error {
	for field, text := range map[string]string{"event_path": r.EventPath, "dedup_path": r.DedupPath} {
		if text == "" {
			continue
		}
		if _, err := ParsePath(field, text); err != nil {
			return err
		}
	}
	return nil
}

// Read takes the messages out of a call that was verified.
func (r Reading) Read(c Call) ([]Message, error) {
	value, err := decode(c.Body)
	if err != nil {
		return nil, err
	}
	if _, many := value.([]any); !many {
		m, err := r.message(c, c.Body, value)
		if err != nil {
			return nil, err
		}
		return []Message{m}, nil
	}
	if r.Kind != KindHubSpot {
		return nil, unread("send one JSON object")
	}
	var raws []json.RawMessage
	if err := json.Unmarshal(c.Body, &raws); err != nil || len(raws) == 0 || len(raws) > maxMessages {
		return nil, unread("send an array of 1 to 1000 events")
	}
	out := make([]Message, 0, len(raws))
	for i, item := range value.([]any) { //nolint:errcheck // looked at above
		m, err := r.message(c, raws[i], item)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(out, func(o Message) bool { return bytes.Equal(o.Dedup, m.Dedup) }) {
			out = append(out, m)
		}
	}
	return out, nil
}

// Reread takes up a message that was kept.
func (r Reading) Reread(kept []byte) (Message, error) {
	value, err := decode(kept)
	if err != nil {
		return Message{}, err
	}
	return r.message(Call{}, kept, value)
}

func unread(message string) error {
	return growth.InvalidField("webhook.Read", "body", "%s", message)
}

// decode keeps numbers as they were written: identifiers can be longer than a float is exact.
func decode(body []byte) (any, error) {
	if !utf8.Valid(body) {
		return nil, unread("the body is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, unread("the body is not JSON")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, unread("there is something behind the JSON")
	}
	return v, nil
}

func (r Reading) message(c Call, kept []byte, value any) (Message, error) {
	if _, ok := value.(map[string]any); !ok {
		return Message{}, unread("send one JSON object")
	}
	m := Message{Raw: kept, value: value, Event: r.event(value)}
	sum := sha256.New()
	if id := r.identity(c, value); id != "" {
		sum.Write([]byte("id\x00" + id))
	} else {
		sum.Write([]byte("body\x00"))
		sum.Write(kept)
	}
	m.Dedup = sum.Sum(nil)
	return m, nil
}

func (r Reading) event(v any) string {
	var s string
	switch {
	case r.EventPath != "":
		s = r.at(r.EventPath, v)
	case r.Kind == KindTypeform:
		s = word(at(v, "event_type"))
	case r.Kind == KindCalendly:
		s = word(at(v, "event"))
	case r.Kind == KindHubSpot:
		s = word(at(v, "subscriptionType"))
	default:
		if s = word(at(v, "type")); s == "" {
			s = word(at(v, "event"))
		}
	}
	if len(s) > 100 {
		return ""
	}
	return s
}

func (r Reading) at(path string, v any) string {
	p, err := ParsePath("", path)
	if err != nil {
		return ""
	}
	s, err := p.find(v)
	if err != nil {
		return ""
	}
	return s
}

// identity is what a message is known by when it comes again; empty: by all of it. Headers count only where they are
// signed: anybody can send a body that he has seen under another number.
func (r Reading) identity(c Call, v any) string {
	join := func(need int, parts ...any) string {
		words := make([]string, len(parts))
		for i, p := range parts {
			if words[i] = word(p); i < need && words[i] == "" {
				return ""
			}
		}
		return strings.Join(words, "\x1f")
	}
	switch {
	case r.DedupPath != "":
		return r.at(r.DedupPath, v)
	case r.Kind == KindStandard:
		return c.Header.Get("Webhook-Id")
	case r.Kind == KindTypeform:
		if id := join(1, at(v, "event_id")); id != "" {
			return id
		}
		return join(1, at(v, "form_response", "token"))
	case r.Kind == KindCalendly:
		return join(3, at(v, "event"), at(v, "payload", "uri"), at(v, "created_at"))
	case r.Kind == KindHubSpot:
		return join(1, at(v, "eventId"), at(v, "subscriptionId"), at(v, "objectId"), at(v, "occurredAt"), at(v, "propertyName"))
	}
	return ""
}

// Wanted says whether a source takes in messages of a type: those that it names, else those that the kind makes leads
// of. A message that does not say its type is taken in where none are named.
func (k Kind) Wanted(event string, named []string) bool {
	if len(named) > 0 {
		return slices.Contains(named, event)
	}
	own := k.OwnEvents()
	return event == "" || len(own) == 0 || slices.Contains(own, event)
}

// OwnEvents are the types that the kind makes leads of; none: all.
func (k Kind) OwnEvents() []string {
	switch k {
	case KindTypeform:
		return []string{"form_response"}
	case KindCalendly:
		return []string{"invitee.created"}
	case KindHubSpot:
		return []string{"contact.creation", "contact.propertyChange", "object.creation", "object.propertyChange"}
	case KindHMAC, KindHMACBody, KindStandard, KindToken:
	}
	return nil
}
