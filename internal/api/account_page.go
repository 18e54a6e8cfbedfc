package api

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/daemon"
	"github.com/zakibelm/astrogrowth/tasks"
)

// consentTimeout bounds what happens while a member looks at an empty window.
const consentTimeout = 45 * time.Second

// consentPages are the two addresses that a member's browser comes to: the link, and the way back from LinkedIn. They
// ask for no key: the link itself is the permission, and the way back belongs to the browser that opened it.
func (a *api) consentPages(mux *http.ServeMux) {
	if a.Accounts == nil {
		return
	}
	mux.HandleFunc("GET /oauth/linkedin/start", a.startConsent)
	mux.HandleFunc("GET /oauth/linkedin/callback", a.endConsent)
}

// startConsent binds the browser and sends it to LinkedIn.
func (a *api) startConsent(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead { // programs that look at links before people do
		showPage(w, r, http.StatusOK, page{})
		return
	}
	opened, err := a.Accounts.Open(r.Context(), r.URL.Query().Get("link"))
	if err != nil {
		a.showFault(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	http.SetCookie(w, a.consentCookie(opened.Cookie, opened.Browser, int(tasks.LinkLife.Seconds())))
	http.Redirect(w, r, opened.AuthorizeURL, http.StatusSeeOther)
}

// consentCookie comes along when LinkedIn sends the browser back, which is a navigation from another site: Lax, not
// Strict.
func (a *api) consentCookie(name, value string, age int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // G124: Secure wherever the address is; on loopback there is no TLS
		Name: name, Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: strings.HasPrefix(a.ConnectURL, "https://"),
	}
}

// endConsent takes what LinkedIn sends back.
func (a *api) endConsent(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	in := tasks.Returned{State: q.Get("state"), Code: q.Get("code"), Error: q.Get("error")}
	if name := tasks.CookieOf(in.State); name != "" {
		if c, err := r.Cookie(name); err == nil {
			in.Browser = c.Value
			http.SetCookie(w, a.consentCookie(name, "", -1))
		}
	}
	// Once LinkedIn has given the tokens they are stored, even when the member closes the window.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), consentTimeout)
	defer cancel()
	done, err := a.Accounts.Return(ctx, in)
	if err != nil {
		a.showFault(w, r, err)
		return
	}
	zerolog.Ctx(r.Context()).Info().Str("account_id", string(done.Account.ID)).Int("renewed", len(done.Renewed)).Int("lost", len(done.Lost)).Msg("linkedin account connected")
	showPage(w, r, http.StatusOK, page{Key: "connected", Name: done.Account.Name, Workspace: done.Workspace, Simulated: done.Account.Simulated, Lost: len(done.Lost)})
}

var statusByReason = map[tasks.ConnectReason]int{
	tasks.ConnectCancelled: http.StatusForbidden, tasks.ConnectScope: http.StatusForbidden, tasks.ConnectLinkUnknown: http.StatusNotFound,
	tasks.ConnectLinkUsed: http.StatusGone, tasks.ConnectBrowser: http.StatusForbidden, tasks.ConnectOtherMember: http.StatusConflict,
	tasks.ConnectCode: http.StatusBadGateway, tasks.ConnectSettings: http.StatusServiceUnavailable,
	tasks.ConnectUnreachable: http.StatusServiceUnavailable, tasks.ConnectRefused: http.StatusForbidden, tasks.ConnectOurs: http.StatusInternalServerError,
}

func (a *api) showFault(w http.ResponseWriter, r *http.Request, err error) {
	reason := tasks.ConnectOurs
	if e, ok := errors.AsType[*tasks.ConnectError](err); ok {
		reason = e.Reason
	}
	log := zerolog.Ctx(r.Context())
	log.Warn().Str("reason", string(reason)).Str("code", growth.CodeOf(err).String()).Msg("linkedin account not connected")
	if reason == tasks.ConnectOurs {
		log.Error().Err(err).Msg("connecting a linkedin account failed")
		daemon.CaptureError(r.Context(), err)
	}
	showPage(w, r, statusByReason[reason], page{Key: string(reason)})
}

// page is what a page of the consent says. Title and Text are filled in from Key and the browser's language.
type page struct {
	Key       string
	Lang      string
	Title     string
	Text      string
	Name      string
	Workspace string
	Simulated bool
	Lost      int
	LostText  string
	SimText   string
}

func showPage(w http.ResponseWriter, r *http.Request, status int, p page) {
	p.Lang = languageOf(r.Header.Get("Accept-Language"))
	words := consentWords[p.Lang]
	p.Title, p.Text = words[p.Key+".title"], words[p.Key+".text"]
	p.LostText, p.SimText = words["lost"], words["simulated"]
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src '"+consentStyleHash+"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer") // the address holds a code
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Accept-Language")
	w.WriteHeader(status)
	_ = consentTemplate.Execute(w, p) // the browser may have left
}

// languageOf picks French or English, whichever the browser names first.
func languageOf(header string) string {
	for part := range strings.SplitSeq(strings.ToLower(header), ",") {
		tag, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		switch base, _, _ := strings.Cut(tag, "-"); base {
		case "fr", "en":
			return base
		}
	}
	return "en"
}

const consentStyle = `body{font:17px/1.5 system-ui,sans-serif;max-width:34rem;margin:12vh auto;padding:0 1.25rem;color:#1d2226;background:#f6f5f2}` +
	`main{background:#fff;border:1px solid #d9d6d0;border-radius:10px;padding:1.5rem 1.75rem}h1{font-size:1.35rem;margin:0 0 .75rem}` +
	`p{margin:.5rem 0;overflow-wrap:anywhere}.note{background:#fff3c4;border-radius:8px;padding:.5rem .9rem}` +
	`@media(prefers-color-scheme:dark){body{background:#15181b;color:#e8e6e3}main{background:#1f2428;border-color:#3a4046}.note{background:#4a3f12}}`

// consentStyleHash lets this one style through and no other.
var consentStyleHash = func() string {
	sum := sha256.Sum256([]byte(consentStyle))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}()

var consentTemplate = template.Must(template.New("consent").Parse(`<!doctype html>
<html lang="{{.Lang}}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex"><title>{{.Title}} – AstroGrowth</title><style>` + consentStyle + `</style></head>
<body><main><h1>{{.Title}}</h1>{{if .Name}}<p><strong>{{.Name}}</strong> → {{.Workspace}}</p>{{end}}<p>{{.Text}}</p>
{{if .Lost}}<p class="note">{{.LostText}}</p>{{end}}{{if .Simulated}}<p class="note">{{.SimText}}</p>{{end}}</main></body></html>
`))
