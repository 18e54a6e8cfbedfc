package simulator

import (
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// request is what an application asks a member for.
type consentRequest struct {
	Client, Redirect, State, Challenge string
	Scopes                             []string
	Query                              string // as it came, for the form
}

// refusal is a fault of the application that LinkedIn shows on a page of its own, because it cannot trust the address
// to return to.
func (q consentRequest) refusal(v url.Values) string {
	u, err := url.Parse(q.Redirect)
	switch {
	case v.Get("response_type") != "code":
		return "The passed in response_type is invalid: it must be code."
	case q.Client == "":
		return "You need to pass the \"client_id\" parameter."
	case err != nil || !u.IsAbs() || u.Host == "" || strings.Contains(q.Redirect, "#"):
		return "The redirect_uri does not match the registered value."
	case q.Challenge != "" && v.Get("code_challenge_method") != "S256":
		return "The code_challenge_method must be S256."
	}
	return ""
}

func readConsent(v url.Values, raw string) consentRequest {
	return consentRequest{
		Client: v.Get("client_id"), Redirect: v.Get("redirect_uri"), State: v.Get("state"), Challenge: v.Get("code_challenge"),
		Scopes: strings.Fields(v.Get("scope")), Query: raw,
	}
}

var knownScopes = []string{"openid", "profile", "email", "w_member_social", "w_organization_social", "r_organization_social", "rw_organization_admin"}

// authorizePage asks a person, or does what it was told to without asking.
func (s *Server) authorizePage(w http.ResponseWriter, r *http.Request) {
	q := readConsent(r.URL.Query(), r.URL.RawQuery)
	if fault := q.refusal(r.URL.Query()); fault != "" {
		consentPage(w, http.StatusBadRequest, consentRequest{}, fault)
		return
	}
	set := s.oauth.settings()
	for _, scope := range q.Scopes {
		if !slices.Contains(knownScopes, scope) || (set.NoOrganizations && scope == "w_organization_social") {
			s.sendBack(w, r, q, "unauthorized_scope_error", "Scope \""+clip(scope, 60)+"\" is not authorized for your application")
			return
		}
	}
	switch {
	case set.Refuse != "":
		s.sendBack(w, r, q, set.Refuse, "The member refused")
	case set.AutoApprove != "":
		s.approve(w, r, q, set.AutoApprove)
	default:
		consentPage(w, http.StatusOK, q, "")
	}
}

// authorize takes a person's answer.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		consentPage(w, http.StatusBadRequest, consentRequest{}, "The form cannot be read.")
		return
	}
	query, err := url.ParseQuery(r.PostForm.Get("query"))
	q := readConsent(query, r.PostForm.Get("query"))
	if fault := q.refusal(query); err != nil || fault != "" {
		consentPage(w, http.StatusBadRequest, consentRequest{}, fault)
		return
	}
	if r.PostForm.Get("answer") != "allow" {
		s.sendBack(w, r, q, "user_cancelled_authorize", "The user cancelled the authorization")
		return
	}
	s.approve(w, r, q, r.PostForm.Get("member"))
}

func (s *Server) approve(w http.ResponseWriter, r *http.Request, q consentRequest, member string) {
	if member = slug(member); member == "" {
		member = "sim-member"
	}
	word := s.oauth.newCode(s, code{client: q.Client, redirect: q.Redirect, member: member, challenge: q.Challenge, scopes: q.Scopes})
	redirectWith(w, r, q, url.Values{"code": {word}})
}

func (s *Server) sendBack(w http.ResponseWriter, r *http.Request, q consentRequest, word, description string) {
	redirectWith(w, r, q, url.Values{"error": {word}, "error_description": {description}})
}

func redirectWith(w http.ResponseWriter, r *http.Request, q consentRequest, v url.Values) {
	v.Set("state", q.State)
	u, err := url.Parse(q.Redirect)
	if err != nil {
		consentPage(w, http.StatusBadRequest, consentRequest{}, "The redirect_uri does not match the registered value.")
		return
	}
	u.RawQuery = v.Encode()
	http.Redirect(w, r, u.String(), http.StatusFound)
}

func consentPage(w http.ResponseWriter, status int, q consentRequest, fault string) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	// No form-action: browsers would apply it to the redirect back to the application as well.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = consentTemplate.Execute(w, map[string]any{"Q": q, "Fault": fault}) // the browser may have left
}

var consentTemplate = template.Must(template.New("consent").Parse(strings.Replace(pageHead, "this post exists", "this account exists", 1) + `<article>
{{if .Fault}}<p class="note">{{.Fault}}</p>{{else}}<h1>Allow access?</h1>
<p>The application <b>{{.Q.Client}}</b> asks to:</p><ul>{{range .Q.Scopes}}<li><code>{{.}}</code></li>{{end}}</ul>
<form method="post" action="authorization"><input type="hidden" name="query" value="{{.Q.Query}}">
<p><label>Sign in as <input name="member" value="Ada Li" maxlength="60"></label></p>
<p><button name="answer" value="allow">Allow</button> <button name="answer" value="cancel">Cancel</button></p></form>{{end}}
</article></body></html>`))
