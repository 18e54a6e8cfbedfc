// Package seal encrypts small secrets for the database with AES-256-GCM. An envelope names the key that made it, so a
// key can be rotated, and is bound to the row that it belongs to, so that a ciphertext copied into another row does not
// open. It refuses to know what it seals.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

const version = "v1"

// ErrCannotOpen is returned for an envelope that was changed, belongs to another row, or was made with a key that is
// not known here. Which of these it was is not said.
var ErrCannotOpen = errors.New("the sealed value does not open")

// Keyring seals with its first key and opens with any.
type Keyring struct {
	ids   []string
	aeads map[string]cipher.AEAD
}

// New makes a keyring of keys of 32 bytes in base64, the one that seals first.
func New(keys ...string) (*Keyring, error) {
	raw := make([][]byte, len(keys))
	for i, k := range keys {
		var err error
		if raw[i], err = base64.StdEncoding.DecodeString(strings.TrimSpace(k)); err != nil {
			raw[i] = nil
		}
	}
	return NewRaw(raw...)
}

// NewRaw makes a keyring of keys of 32 bytes, the one that seals first.
func NewRaw(keys ...[]byte) (*Keyring, error) {
	r := &Keyring{aeads: map[string]cipher.AEAD{}}
	for i, raw := range keys {
		if len(raw) != 32 {
			return nil, fmt.Errorf("key %d is not 32 bytes in base64 (make one with: openssl rand -base64 32)", i+1)
		}
		block, err := aes.NewCipher(raw)
		if err != nil {
			return nil, err
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(append([]byte("astrogrowth key id\x00"), raw...))
		id := hex.EncodeToString(sum[:4])
		r.ids = append(r.ids, id)
		r.aeads[id] = aead
	}
	if len(r.ids) == 0 {
		return nil, errors.New("there is no key to seal with")
	}
	return r, nil
}

// Seal encrypts plain for the row named by owner.
func (r *Keyring) Seal(plain []byte, owner string) string {
	id := r.ids[0]
	aead := r.aeads[id]
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails, by its documentation
	box := aead.Seal(nonce, nonce, plain, []byte(version+"\x00"+id+"\x00"+owner))
	return version + "." + id + "." + base64.RawURLEncoding.EncodeToString(box)
}

// Open decrypts an envelope of the row named by owner.
func (r *Keyring) Open(envelope, owner string) ([]byte, error) {
	parts := strings.Split(envelope, ".")
	if len(parts) != 3 || parts[0] != version {
		return nil, ErrCannotOpen
	}
	aead, ok := r.aeads[parts[1]]
	if !ok {
		return nil, ErrCannotOpen
	}
	box, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || len(box) < aead.NonceSize() {
		return nil, ErrCannotOpen
	}
	n := aead.NonceSize()
	plain, err := aead.Open(nil, box[:n], box[n:], []byte(version+"\x00"+parts[1]+"\x00"+owner))
	if err != nil {
		return nil, ErrCannotOpen
	}
	return plain, nil
}

// Prefix is how every envelope begins that the present key has made.
func (r *Keyring) Prefix() string { return version + "." + r.ids[0] + "." }

// Knows says whether the key that made an envelope is on this keyring. An envelope of an unknown key may open elsewhere;
// one of a known key that does not open was changed, or belongs to another row.
func (r *Keyring) Knows(envelope string) bool {
	parts := strings.Split(envelope, ".")
	if len(parts) != 3 || parts[0] != version {
		return false
	}
	_, ok := r.aeads[parts[1]]
	return ok
}

// NewKey makes a key for New.
func NewKey() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails, by its documentation
	return base64.StdEncoding.EncodeToString(b)
}
