package linkedin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

const (
	publicOAuth = "https://www.linkedin.com/oauth/v2"

	// oauthTimeout bounds one call to LinkedIn's token service: a person, or a lease, waits for it.
	oauthTimeout = 15 * time.Second
)

// The scopes that the product asks for. A member allows all that are asked for or none.
const (
	ScopePostMember       = "w_member_social"
	ScopePostOrganization = "w_organization_social"
)

// MemberScopes are what it takes to know a member and to post as them.
func MemberScopes() []string { return []string{"openid", "profile", "email", ScopePostMember} }

// OAuthSettings name the application at LinkedIn. The zero value of each field is a default, and no client id means
// that accounts cannot be connected by a link.
type OAuthSettings struct {
	URL          string // empty: https://www.linkedin.com/oauth/v2
	ClientID     string
	ClientSecret string
	RedirectURI  string       // as it is registered at LinkedIn
	PKCE         bool         // send a code challenge too, where the application may
	HTTP         *http.Client // nil: as Settings.HTTP
}

// OAuth speaks to LinkedIn's authorization server. It is safe for concurrent use.
type OAuth struct {
	settings OAuthSettings
	client   *Client
	now      func() time.Time
}

// NewOAuth returns a client. It opens no connection.
func NewOAuth(s OAuthSettings) *OAuth {
	if s.URL == "" {
		s.URL = publicOAuth
	}
	return &OAuth{settings: s, client: New(Settings{APIURL: s.URL, HTTP: s.HTTP}), now: time.Now}
}

// Configured says whether there is an application to connect accounts with.
func (o *OAuth) Configured() bool {
	return o != nil && o.settings.ClientID != "" && o.settings.ClientSecret != "" && o.settings.RedirectURI != ""
}

// RedirectURI is where LinkedIn sends the member's browser back to.
func (o *OAuth) RedirectURI() string { return o.settings.RedirectURI }

// PKCE says whether the application sends code challenges.
func (o *OAuth) PKCE() bool { return o.settings.PKCE }

// AuthorizeURL is the page at which a member allows scopes. challenge is of a PKCE verifier; empty: none.
func (o *OAuth) AuthorizeURL(state, challenge string, scopes []string) string {
	q := url.Values{
		"response_type": {"code"}, "client_id": {o.settings.ClientID}, "redirect_uri": {o.settings.RedirectURI}, "state": {state},
	}
	if challenge != "" {
		q.Set("code_challenge", challenge)
		q.Set("code_challenge_method", "S256")
	}
	// LinkedIn shows and documents the scopes with %20 between them.
	return o.client.base + "/authorization?" + q.Encode() + "&scope=" + url.PathEscape(strings.Join(scopes, " "))
}

// Exchange turns the code that a member's browser brought back into tokens. A code is good once.
func (o *OAuth) Exchange(ctx context.Context, code, verifier string) (Tokens, error) {
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {o.settings.RedirectURI}}
	if verifier != "" {
		form.Set("code_verifier", verifier)
	}
	return o.tokens(ctx, "linkedin.Exchange", form, nil)
}

// Refresh gets a new access token. known is when the refresh token ends as far as was known: its clock does not start
// anew. A KeyRejected error says that the refresh token is dead; every other error says nothing about it.
func (o *OAuth) Refresh(ctx context.Context, refresh string, known *time.Time) (Tokens, error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}
	return o.tokens(ctx, "linkedin.Refresh", form, known)
}

func (o *OAuth) tokens(ctx context.Context, op string, form url.Values, known *time.Time) (Tokens, error) {
	a, err := o.post(ctx, op, "/accessToken", form)
	if err != nil {
		return Tokens{}, err
	}
	return readTokens(op, a.body, o.now(), known)
}

// Introspection is what LinkedIn knows of a token.
type Introspection struct {
	Active    bool
	Status    string // "active", "expired" or "revoked"; empty for a token of another application
	ExpiresAt *time.Time
	Scopes    []string
}

// Introspect asks what became of a token.
func (o *OAuth) Introspect(ctx context.Context, token string) (Introspection, error) {
	const op = "linkedin.Introspect"
	a, err := o.post(ctx, op, "/introspectToken", url.Values{"token": {token}})
	if err != nil {
		return Introspection{}, err
	}
	return readIntrospection(op, a.body)
}

// Revoke makes a token worthless at LinkedIn.
func (o *OAuth) Revoke(ctx context.Context, token string) error {
	_, err := o.post(ctx, "linkedin.Revoke", "/revoke", url.Values{"token": {token}})
	return err
}

// post sends one form with the application's credentials, which go into the body and never into an address.
func (o *OAuth) post(ctx context.Context, op, path string, form url.Values) (answer, error) {
	if !o.Configured() {
		return answer{}, growth.Errorf(growth.Unauthorized, op, "LINKEDIN_CLIENT_ID and LINKEDIN_CLIENT_SECRET are not set")
	}
	form.Set("client_id", o.settings.ClientID)
	form.Set("client_secret", o.settings.ClientSecret)
	ctx, cancel := context.WithTimeout(ctx, oauthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.client.base+path, nil)
	if err != nil {
		return answer{}, growth.Errorf(growth.Unavailable, op, "LINKEDIN_OAUTH_URL is not usable")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "astrogrowth")
	a, _, err := o.client.do(req, form.Encode())
	if err != nil {
		return a, unreachable(ctx, op, err)
	}
	if a.status != http.StatusOK {
		return a, oauthFault(op, a, o.now())
	}
	return a, nil
}

// oauthFault classifies a refusal. LinkedIn's own text is not repeated: it may quote what was sent.
func oauthFault(op string, a answer, now time.Time) error {
	said := parseOAuthComplaint(a.body)
	cause := errors.New(said.word())
	switch {
	case said.Error == "invalid_client" || said.Error == "invalid_client_id" || (a.status == http.StatusUnauthorized && !said.deadGrant()):
		return &growth.Error{Code: growth.Unauthorized, Op: op, Message: "LinkedIn does not accept LINKEDIN_CLIENT_ID and LINKEDIN_CLIENT_SECRET", Err: cause}
	case said.Error == "invalid_redirect_uri" || said.Error == "redirect_uri_mismatch":
		return &growth.Error{Code: growth.Unauthorized, Op: op, Message: "LINKEDIN_REDIRECT_URI is not one that is registered at LinkedIn", Err: cause}
	case said.deadGrant():
		return &growth.Error{Code: growth.KeyRejected, Op: op, Message: "LinkedIn says that the authorization is invalid, expired or revoked", Err: cause}
	case a.status == http.StatusTooManyRequests:
		return &growth.Error{Code: growth.Throttled, Op: op, Message: "LinkedIn's limit for calls is reached", RetryAfter: quotaWait(a.header, complaint{}, now), Err: cause}
	case a.status >= 500:
		return &growth.Error{Code: growth.Unavailable, Op: op, Message: fmt.Sprintf("LinkedIn answered %d", a.status), Err: cause}
	}
	return &growth.Error{Code: growth.Malformed, Op: op, Message: fmt.Sprintf("LinkedIn turned the request down with %d", a.status), Err: cause}
}
