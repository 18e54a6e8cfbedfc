package dashboard

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	sessionCookie = "astrogrowth_session"
	sessionLife   = 12 * time.Hour
	adminSubject  = "admin" // the session of ADMIN_API_KEY; every other subject is the id of a key in the store
)

var errNoSession = errors.New("no valid session")

// sessions signs who is logged in into a cookie. The cookie holds a key's id and a time, nothing secret; whether the key
// still lives is asked of the store at each request.
type sessions struct {
	key []byte
	now func() time.Time
}

// newSessions derives the signing key. It depends on the admin key too: changing that one ends every session.
func newSessions(cfg Config) (*sessions, error) {
	secret := cfg.Secret
	if len(secret) == 0 {
		secret = make([]byte, 32)
		_, _ = rand.Read(secret) // never fails, by its documentation
	}
	admin := sha256.Sum256([]byte(cfg.AdminKey.Reveal()))
	key, err := hkdf.Key(sha256.New, secret, admin[:], "astrogrowth dashboard session v1", 32)
	if err != nil {
		return nil, fmt.Errorf("derive session key: %w", err)
	}
	return &sessions{key: key, now: cfg.Now}, nil
}

func (s *sessions) sign(payload string) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(payload))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// begin logs a subject in.
func (s *sessions) begin(w http.ResponseWriter, r *http.Request, subject string) {
	payload := subject + "." + strconv.FormatInt(s.now().Add(sessionLife).Unix(), 10)
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // G124: Secure follows the request, for plain HTTP on loopback
		Name: sessionCookie, Value: payload + "." + s.sign(payload), Path: "/", MaxAge: int(sessionLife.Seconds()),
		HttpOnly: true, Secure: secure(r), SameSite: http.SameSiteStrictMode,
	})
}

// end logs the browser out.
func (s *sessions) end(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // G124: Secure follows the request, for plain HTTP on loopback
		Name: sessionCookie, Path: "/", MaxAge: -1, HttpOnly: true, Secure: secure(r), SameSite: http.SameSiteStrictMode,
	})
}

// subject returns who is logged in.
func (s *sessions) subject(r *http.Request) (string, error) {
	c, err := r.Cookie(sessionCookie)
	if err != nil {
		return "", errNoSession
	}
	parts := strings.Split(c.Value, ".")
	if len(parts) != 3 || !hmac.Equal([]byte(parts[2]), []byte(s.sign(parts[0]+"."+parts[1]))) {
		return "", errNoSession
	}
	until, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || s.now().Unix() >= until {
		return "", errNoSession
	}
	return parts[0], nil
}
