package simulator

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The simulated authorization server takes any client that names a secret, except the secret "wrong".
const wrongSecret = "wrong"

// Lives of what the authorization server gives out, as LinkedIn's.
const (
	codeLife    = 30 * time.Minute
	tokenLife   = 60 * 24 * time.Hour
	refreshLife = 365 * 24 * time.Hour
)

func (s *Server) routesOAuth() {
	s.mux.HandleFunc("GET /linkedin/oauth/v2/authorization", s.authorizePage)
	s.mux.Handle("POST /linkedin/oauth/v2/authorization", http.NewCrossOriginProtection().Handler(http.HandlerFunc(s.authorize)))
	s.mux.HandleFunc("POST /linkedin/oauth/v2/accessToken", s.handle(LinkedIn, "token", (*exchange).accessToken))
	s.mux.HandleFunc("POST /linkedin/oauth/v2/introspectToken", s.handle(LinkedIn, "introspect", (*exchange).introspect))
	s.mux.HandleFunc("POST /linkedin/oauth/v2/revoke", s.handle(LinkedIn, "revoke", (*exchange).revokeToken))
}

// oauthFault is a refusal in the authorization server's own shape.
func (x *exchange) oauthFault(status int, word, description string) {
	x.respond(status, map[string]string{"error": word, "error_description": description})
}

// client checks the application's credentials; it is empty when it has refused the request.
func (x *exchange) client() (form url.Values, id string) {
	form, err := url.ParseQuery(string(x.body))
	if err != nil || !strings.HasPrefix(x.r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		x.oauthFault(http.StatusBadRequest, "invalid_request", "A required parameter is missing")
		return nil, ""
	}
	id, secret := form.Get("client_id"), form.Get("client_secret")
	if id == "" || secret == "" || secret == wrongSecret {
		x.oauthFault(http.StatusUnauthorized, "invalid_client", "Client authentication failed")
		return nil, ""
	}
	return form, id
}

func (x *exchange) accessToken() {
	form, client := x.client()
	if client == "" {
		return
	}
	switch form.Get("grant_type") {
	case "authorization_code":
		x.exchangeCode(form, client)
	case "refresh_token":
		x.refreshToken(form, client)
	default:
		x.oauthFault(http.StatusBadRequest, "unsupported_grant_type", "The grant type is not supported")
	}
}

func (x *exchange) exchangeCode(form url.Values, client string) {
	s := x.s
	s.oauth.mu.Lock()
	c, ok := s.oauth.codes[form.Get("code")]
	delete(s.oauth.codes, form.Get("code")) // whoever shows it, it is good once
	s.oauth.mu.Unlock()
	switch {
	case !ok || s.now().After(c.until):
		x.oauthFault(http.StatusBadRequest, "invalid_request", "Unable to retrieve access token: appid/redirect uri/code verifier does not match authorization code. Or authorization code expired. Or external member binding exists")
	case c.client != client || c.redirect != form.Get("redirect_uri"):
		x.oauthFault(http.StatusBadRequest, "invalid_redirect_uri", "Unable to retrieve access token: appid/redirect uri does not match authorization code")
	case c.challenge != "" && c.challenge != challengeOf(form.Get("code_verifier")):
		x.oauthFault(http.StatusBadRequest, "invalid_request", "Unable to retrieve access token: code verifier does not match authorization code. Or authorization code expired")
	default:
		x.grant(s.oauth.consent(s, c), "")
	}
}

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (x *exchange) refreshToken(form url.Values, client string) {
	t, ok := x.s.oauth.renew(x.s, form.Get("refresh_token"), client)
	if !ok {
		x.oauthFault(http.StatusBadRequest, "invalid_request", "The provided authorization grant or refresh token is invalid, expired or revoked")
		return
	}
	x.grant(t, form.Get("refresh_token"))
}

// grant answers with tokens, in the variety in which LinkedIn has been seen to. The refresh token's clock goes on from
// the first consent. kept is the refresh token that was used, which stays good.
func (x *exchange) grant(t issued, kept string) {
	set := x.s.oauth.settings()
	separator := ","
	if set.SpaceScopes {
		separator = " "
	}
	out := map[string]any{
		"access_token": t.token, "expires_in": int64(t.until.Sub(x.s.now()).Seconds()), "scope": strings.Join(t.scopes, separator),
	}
	if !set.OmitTokenType {
		out["token_type"] = "Bearer"
	}
	if slices.Contains(t.scopes, "openid") && kept == "" {
		out["id_token"] = "eyJ-simulated"
	}
	if t.refresh != "" {
		left := int64(t.refreshUntil.Sub(x.s.now()).Seconds())
		if set.RefreshInMinutes {
			left /= 60
		}
		out["refresh_token"], out["refresh_token_expires_in"] = t.refresh, left
		if kept != "" && set.BlankRefresh {
			out["refresh_token"] = ""
		}
	}
	x.row.Answered = t.member
	x.respond(http.StatusOK, out)
}

func (x *exchange) introspect() {
	form, client := x.client()
	if client == "" {
		return
	}
	t, ok := x.s.oauth.find(form.Get("token"))
	if !ok || t.client != client {
		x.respond(http.StatusOK, map[string]any{"active": false})
		return
	}
	status := t.status(x.s.now())
	x.respond(http.StatusOK, map[string]any{
		"active": status == "active", "status": status, "client_id": client, "scope": strings.Join(t.scopes, ","),
		"created_at": t.at.Unix(), "authorized_at": t.at.Unix(), "expires_at": t.until.Unix(), "auth_type": "3L",
	})
}

func (x *exchange) revokeToken() {
	form, client := x.client()
	if client == "" {
		return
	}
	x.s.oauth.revokeOne(form.Get("token"), client)
	x.row.Status = http.StatusOK
	x.record()
	x.w.WriteHeader(http.StatusOK)
}

// issuedTo gives the member of a token that the authorization server has given out, as the name of a token that stands
// for that member. found is false for a token of another kind; the name is empty when the request was refused.
func (x *exchange) issuedTo(token string) (name string, found bool) {
	t, ok := x.s.oauth.find(token)
	if !ok {
		return "", false
	}
	switch t.status(x.s.now()) {
	case "expired":
		x.deadToken(KindExpired)
		return "", true
	case "revoked":
		x.deadToken(KindRevoked)
		return "", true
	}
	name = tokenPrefix + t.member
	if !x.mayPost(t, "urn:li:person:"+subject(name)) {
		x.refuse(problem{status: http.StatusForbidden})
		return "", true
	}
	return name, true
}

// mayPost checks what is posted against the scopes of the token: as themselves, or as a page.
func (x *exchange) mayPost(t issued, self string) bool {
	if x.row.Endpoint != "posts" || x.r.Method != http.MethodPost {
		return true
	}
	author := authorOf(x.body)
	if strings.HasPrefix(author, "urn:li:organization:") {
		return slices.Contains(t.scopes, "w_organization_social")
	}
	return slices.Contains(t.scopes, "w_member_social") && (author == self || author == "")
}
