package dashboard

import (
	"context"
	"crypto/subtle"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
)

// loginPage is what the login form shows.
type loginPage struct {
	Next  string
	Fault string // a key of the word list; empty: none
}

func (d *Dashboard) showLogin(w http.ResponseWriter, r *http.Request) error {
	if !d.cfg.RequireLogin {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return nil
	}
	return d.loginForm(w, r, http.StatusOK, "")
}

func (d *Dashboard) loginForm(w http.ResponseWriter, r *http.Request, status int, fault string) error {
	p := d.newPage(w, r, nil, "login", "login.title")
	p.Data = loginPage{Next: insideOnly(r.FormValue("next")), Fault: fault}
	return d.pages.write(w, status, p)
}

// login takes a key and begins a session.
func (d *Dashboard) login(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	from := remoteHost(r)
	if !d.attempts.allowed(from, d.cfg.Now()) {
		w.Header().Set("Retry-After", "60")
		return d.loginForm(w, r, http.StatusTooManyRequests, "login.tooMany")
	}
	subject, err := d.recognise(r.Context(), strings.TrimSpace(r.PostFormValue("key")))
	switch growth.CodeOf(err) {
	case growth.Unauthorized:
		d.attempts.failed(from, d.cfg.Now())
		return d.loginForm(w, r, http.StatusUnauthorized, "login.wrong")
	case growth.Forbidden:
		return d.loginForm(w, r, http.StatusForbidden, "login.scope")
	default:
	}
	if err != nil {
		return err
	}
	d.sessions.begin(w, r, subject)
	http.Redirect(w, r, insideOnly(r.PostFormValue("next")), http.StatusSeeOther) //nolint:gosec // G710: insideOnly keeps it here
	return nil
}

// recognise returns the session's subject for a key that may use the dashboard.
func (d *Dashboard) recognise(ctx context.Context, key string) (string, error) {
	if key == "" {
		return "", growth.Errorf(growth.Unauthorized, "dashboard.login", "the key is empty")
	}
	if admin := d.cfg.AdminKey; !admin.Empty() &&
		subtle.ConstantTimeCompare(auth.Hash(key), auth.Hash(admin.Reveal())) == 1 {
		return adminSubject, nil
	}
	found, err := d.cfg.Store.KeyByHash(ctx, auth.Hash(key))
	if err != nil {
		return "", err
	}
	if !visitorOf(found).May(auth.ScopeAdmin) {
		return "", growth.Errorf(growth.Forbidden, "dashboard.login", "the key lacks the scope admin")
	}
	return found.ID, nil
}

func (d *Dashboard) logout(w http.ResponseWriter, r *http.Request) error {
	d.sessions.end(w, r)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
	return nil
}

func remoteHost(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

const (
	maxAttempts   = 10 // wrong keys of one address in a minute
	maxRemembered = 10_000
)

// attempts slows down whoever guesses keys. The zero value is ready.
type attempts struct {
	mu   sync.Mutex
	wind time.Time
	byIP map[string]int
}

func (a *attempts) allowed(from string, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.wind) >= time.Minute || len(a.byIP) >= maxRemembered {
		a.wind, a.byIP = now, map[string]int{}
	}
	return a.byIP[from] < maxAttempts
}

func (a *attempts) failed(from string, now time.Time) {
	if a.allowed(from, now) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.byIP[from]++
	}
}
