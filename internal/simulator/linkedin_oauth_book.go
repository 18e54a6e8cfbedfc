package simulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// OAuth says how the simulated authorization server behaves. The zero value asks a person and gives no refresh tokens,
// as LinkedIn does for ordinary applications.
type OAuth struct {
	AutoApprove      string `json:"auto_approve,omitempty"`       // consents at once, as the member of this name
	Refuse           string `json:"refuse,omitempty"`             // refuses at once, in this word
	Partner          bool   `json:"partner,omitempty"`            // gives refresh tokens
	NoOrganizations  bool   `json:"no_organizations,omitempty"`   // the application lacks w_organization_social
	TokenSeconds     int64  `json:"token_seconds,omitempty"`      // life of access tokens; 0: 60 days
	SpaceScopes      bool   `json:"space_scopes,omitempty"`       // blanks between scopes, not commas
	OmitTokenType    bool   `json:"omit_token_type,omitempty"`    //
	BlankRefresh     bool   `json:"blank_refresh,omitempty"`      // a refresh is answered with an empty refresh token
	RefreshInMinutes bool   `json:"refresh_in_minutes,omitempty"` // as the documentation's sample has it
}

// code is a consent that an application has yet to take.
type code struct {
	client, redirect, member, challenge string
	scopes                              []string
	until                               time.Time
}

// issued is an access token with the refresh token that came with it.
type issued struct {
	token, refresh, client, member string
	scopes                         []string
	at, until, refreshUntil        time.Time
	revoked, refreshRevoked        bool
}

func (t issued) status(now time.Time) string {
	switch {
	case t.revoked:
		return "revoked"
	case !now.Before(t.until):
		return "expired"
	}
	return "active"
}

const (
	maxTokens = 10_000
	maxCodes  = 1000
)

// oauthBook holds what the authorization server has given out, the newest last.
type oauthBook struct {
	mu     sync.Mutex
	set    OAuth
	codes  map[string]code
	tokens []*issued
}

func (b *oauthBook) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.set, b.codes, b.tokens = OAuth{}, nil, nil
}

func (b *oauthBook) settings() OAuth {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.set
}

// newCode keeps a consent until its application comes for it.
func (b *oauthBook) newCode(s *Server, c code) string {
	word := "AQR" + s.dice.word(80)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.codes == nil || len(b.codes) >= maxCodes {
		b.codes = map[string]code{}
	}
	c.until = s.now().Add(codeLife)
	b.codes[word] = c
	return word
}

// consent gives a token. Another set of scopes than before ends the member's earlier tokens of the application.
func (b *oauthBook) consent(s *Server, c code) issued {
	t := issued{
		token: "AQX" + s.dice.word(480), client: c.client, member: c.member, scopes: c.scopes, at: s.now(), until: s.now().Add(tokenLife),
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.set.Partner {
		t.refresh, t.refreshUntil = "AQW"+s.dice.word(480), s.now().Add(refreshLife)
	}
	for _, old := range b.tokens {
		if old.client == c.client && old.member == c.member && !sameScopes(old.scopes, c.scopes) {
			old.revoked, old.refreshRevoked = true, true
		}
	}
	return b.add(t)
}

func (b *oauthBook) add(t issued) issued {
	if b.set.TokenSeconds > 0 {
		t.until = t.at.Add(time.Duration(b.set.TokenSeconds) * time.Second)
	}
	if len(b.tokens) >= maxTokens {
		b.tokens = b.tokens[1:]
	}
	b.tokens = append(b.tokens, &t)
	return t
}

func sameScopes(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// renew gives another access token for a refresh token.
func (b *oauthBook) renew(s *Server, refresh, client string) (issued, bool) {
	word := "AQX" + s.dice.word(480)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, old := range slices.Backward(b.tokens) {
		if refresh == "" || old.refresh != refresh || old.client != client {
			continue
		}
		if old.refreshRevoked || !s.now().Before(old.refreshUntil) {
			return issued{}, false
		}
		t := *old
		t.token, t.revoked, t.at, t.until = word, false, s.now(), s.now().Add(tokenLife)
		return b.add(t), true
	}
	return issued{}, false
}

func (b *oauthBook) find(token string) (issued, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range slices.Backward(b.tokens) {
		if t.token == token {
			return *t, true
		}
	}
	return issued{}, false
}

func (b *oauthBook) revokeOne(token, client string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range b.tokens {
		if t.client == client && token != "" && (t.token == token || t.refresh == token) {
			t.revoked = t.revoked || t.token == token
			t.refreshRevoked = t.refreshRevoked || t.refresh == token
		}
	}
}

// each changes the tokens of a member, of all when it is empty, and says how many they were.
func (b *oauthBook) each(member string, change func(*issued)) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, t := range b.tokens {
		if member == "" || t.member == slug(member) {
			change(t)
			n++
		}
	}
	return n
}

// SetOAuth changes how the authorization server behaves.
func (s *Server) SetOAuth(o OAuth) {
	s.oauth.mu.Lock()
	defer s.oauth.mu.Unlock()
	s.oauth.set = o
}

// ExpireTokens ends the life of the access tokens of a member, of all members when the name is empty.
func (s *Server) ExpireTokens(member string) int {
	return s.oauth.each(member, func(t *issued) { t.until = s.now() })
}

// RevokeTokens makes the tokens of a member worthless, as a member does who removes the application: the access tokens,
// and the refresh tokens too when all is wanted.
func (s *Server) RevokeTokens(member string, all bool) int {
	return s.oauth.each(member, func(t *issued) { t.revoked, t.refreshRevoked = true, t.refreshRevoked || all })
}

// RevokeRefreshTokens ends the refresh tokens of a member and leaves the access tokens.
func (s *Server) RevokeRefreshTokens(member string) int {
	return s.oauth.each(member, func(t *issued) { t.refreshRevoked = true })
}

// slug is a member's name as it stands in tokens: "Ada Li" is ada-li.
func slug(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return !isWord(r) })
	return clip(strings.Join(words, "-"), 60)
}

func authorOf(body []byte) string {
	var q struct {
		Author string `json:"author"`
	}
	_ = json.Unmarshal(body, &q) // what cannot be read is refused by those who read it next
	return q.Author
}

// routesOAuthControl mounts what a person or a test changes about the authorization server.
func (s *Server) routesOAuthControl(own *http.ServeMux) {
	own.HandleFunc("GET /_control/oauth", s.getOAuth)
	own.HandleFunc("PUT /_control/oauth", s.putOAuth)
	own.HandleFunc("POST /_control/oauth/{what}", s.changeTokens)
}

// seenToken is a token as it is shown: by its beginning.
type seenToken struct {
	Token    string    `json:"token"`
	Member   string    `json:"member"`
	Scopes   []string  `json:"scopes"`
	Status   string    `json:"status"`
	ExpireAt time.Time `json:"expires_at"`
	Refresh  bool      `json:"refresh"`
}

func (s *Server) getOAuth(w http.ResponseWriter, _ *http.Request) {
	list := []seenToken{}
	s.oauth.each("", func(t *issued) {
		list = append(list, seenToken{
			Token: clip(t.token, 12) + "…", Member: t.member, Scopes: t.scopes, Status: t.status(s.now()), ExpireAt: t.until.UTC(),
			Refresh: t.refresh != "" && !t.refreshRevoked,
		})
	})
	reply200(w, map[string]any{"settings": s.oauth.settings(), "tokens": list})
}

func (s *Server) putOAuth(w http.ResponseWriter, r *http.Request) {
	var in OAuth
	if err := decodeStrict(w, r, &in); err != nil {
		reply400(w, err)
		return
	}
	s.SetOAuth(in)
	s.getOAuth(w, r)
}

func (s *Server) changeTokens(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Member string `json:"member"`
	}
	if err := decodeStrict(w, r, &in); err != nil {
		reply400(w, err)
		return
	}
	n := 0
	switch r.PathValue("what") {
	case "expire":
		n = s.ExpireTokens(in.Member)
	case "revoke":
		n = s.RevokeTokens(in.Member, true)
	case "revoke_refresh":
		n = s.RevokeRefreshTokens(in.Member)
	default:
		http.NotFound(w, r)
		return
	}
	reply200(w, map[string]any{"tokens": n})
}
