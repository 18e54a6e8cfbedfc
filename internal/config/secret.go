package config

import (
	"fmt"
	"io"

	"github.com/rs/zerolog"
)

// hidden is what a secret shows of itself.
const hidden = "[secret]"

// Secret is a value that must not be seen. Whatever prints it (fmt with any verb, JSON, YAML, a logger) gets a
// placeholder; only Reveal gives the value. An unset secret prints as nothing, so that one can see that it is unset.
type Secret struct{ value string }

// NewSecret wraps a value.
func NewSecret(value string) Secret { return Secret{value: value} }

// Reveal returns the value itself. Call it where the value is used and nowhere before.
func (s Secret) Reveal() string { return s.value }

// Empty says whether the secret is unset.
func (s Secret) Empty() bool { return s.value == "" }

// String is the placeholder.
func (s Secret) String() string {
	if s.Empty() {
		return ""
	}
	return hidden
}

// Format writes the placeholder for every verb, %#v and %x too.
func (s Secret) Format(f fmt.State, _ rune) {
	// A formatter has nobody to tell that writing went wrong.
	_, _ = io.WriteString(f, s.String())
}

// MarshalText writes the placeholder; JSON and YAML use it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalZerologObject writes the placeholder when the secret is logged as an object.
func (s Secret) MarshalZerologObject(e *zerolog.Event) { e.Str("value", s.String()) }

// UnmarshalText takes the value.
func (s *Secret) UnmarshalText(b []byte) error {
	s.value = string(b)
	return nil
}

// Secrets is a list of secrets with commas between them.
type Secrets []Secret

// UnmarshalText splits at the commas.
func (s *Secrets) UnmarshalText(b []byte) error {
	var parts List
	if err := parts.UnmarshalText(b); err != nil {
		return err
	}
	*s = nil
	for _, part := range parts {
		*s = append(*s, NewSecret(part))
	}
	return nil
}
