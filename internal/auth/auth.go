// Package auth knows what API keys look like and what their scopes allow. It does no I/O: keys are looked up elsewhere,
// by the hash that it makes.
package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strings"

	growth "github.com/zakibelm/astrogrowth"
)

// Scope is something that a key may do.
type Scope string

// The scopes of a key. ScopeAdmin includes the others.
const (
	ScopeEnqueue Scope = "enqueue"
	ScopeRead    Scope = "read"
	ScopeApprove Scope = "approve"
	ScopeAdmin   Scope = "admin"
)

// Scopes lists every scope.
func Scopes() []Scope { return []Scope{ScopeEnqueue, ScopeRead, ScopeApprove, ScopeAdmin} }

const prefix = "ag_live_"

// NewKey makes a key of 160 random bits.
func NewKey() string {
	b := make([]byte, 20)
	_, _ = rand.Read(b) // never fails, by its documentation
	return prefix + strings.ToLower(base32.StdEncoding.EncodeToString(b))
}

// Hash is what the database keeps of a key. Keys are random and long, so one round without salt is enough.
func Hash(key string) []byte {
	h := sha256.Sum256([]byte(key))
	return h[:]
}

// Prefix is the part of a key by which a person recognises it.
func Prefix(key string) string { return key[:min(len(key), len(prefix)+4)] }

// Principal is who makes a request.
type Principal struct {
	KeyID     string             // empty: the loopback user of the embedded default
	Name      string             // of the key, for the record
	Workspace growth.WorkspaceID // the one that the request works in
	Agency    bool               // may act for every workspace
	Scopes    []string
}

// May says whether the principal has a scope.
func (p Principal) May(s Scope) bool {
	return slices.Contains(p.Scopes, string(s)) || slices.Contains(p.Scopes, string(ScopeAdmin))
}

// FromHeader takes the key out of the Authorization and X-API-Key headers; empty when there is none.
func FromHeader(authorization, apiKey string) string {
	if scheme, token, ok := strings.Cut(authorization, " "); ok && strings.EqualFold(scheme, "bearer") {
		return strings.TrimSpace(token)
	}
	return strings.TrimSpace(apiKey)
}

// Shaped says whether a word looks like one of our keys, whoever made it.
func Shaped(key string) bool { return strings.HasPrefix(key, prefix) }
