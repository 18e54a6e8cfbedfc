package linkedin

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// Tokens are what LinkedIn gave for a member's consent. It prints as nothing of what it holds.
type Tokens struct {
	Access           string
	Refresh          string     // empty: LinkedIn gave none, or kept the one that there is
	ExpiresAt        *time.Time // nil: LinkedIn did not say
	RefreshExpiresAt *time.Time
	Scopes           []string // empty: LinkedIn did not say
}

// String hides the tokens.
func (Tokens) String() string { return "[tokens]" }

// GoString hides the tokens.
func (Tokens) GoString() string { return "[tokens]" }

// seconds is a number that may come as a string.
type seconds int64

// UnmarshalJSON reads both forms; what is no number counts as not said.
func (s *seconds) UnmarshalJSON(b []byte) error {
	n, err := strconv.ParseFloat(strings.Trim(string(b), `"`), 64)
	if err == nil && n > 0 && n < 1e15 {
		*s = seconds(n)
	}
	return nil
}

func readTokens(op string, body []byte, now time.Time, known *time.Time) (Tokens, error) {
	var in struct {
		Access         string  `json:"access_token"`
		ExpiresIn      seconds `json:"expires_in"`
		Refresh        string  `json:"refresh_token"`
		RefreshExpires seconds `json:"refresh_token_expires_in"`
		Scope          string  `json:"scope"`
		TokenType      string  `json:"token_type"` // may be missing
	}
	if err := json.Unmarshal(body, &in); err != nil || !usable(strings.TrimSpace(in.Access)) {
		return Tokens{}, growth.Errorf(growth.Malformed, op, "LinkedIn's answer holds no access token")
	}
	if in.TokenType != "" && !strings.EqualFold(in.TokenType, "bearer") {
		return Tokens{}, growth.Errorf(growth.Malformed, op, "LinkedIn's token is not a bearer token")
	}
	t := Tokens{Access: strings.TrimSpace(in.Access), Refresh: strings.TrimSpace(in.Refresh), Scopes: splitScopes(in.Scope)}
	t.ExpiresAt = after(now, in.ExpiresIn)
	t.RefreshExpiresAt = refreshEnd(now, in.RefreshExpires, in.ExpiresIn, known)
	return t, nil
}

func after(now time.Time, s seconds) *time.Time {
	if s <= 0 || s > maxLife {
		return nil
	}
	at := now.UTC().Add(time.Duration(s) * time.Second).Truncate(time.Second)
	return &at
}

const (
	day     = 24 * 60 * 60
	maxLife = 10 * 366 * day
	year    = 366 * 24 * 60 // in minutes
)

// refreshEnd reads how long a refresh token lives. LinkedIn's documentation shows minutes where its answers have
// seconds, so a token that would end before the access token it refreshes is read in minutes, when these make sense:
// not more than a year, and not after the end that was known before, because the clock of a refresh token never starts
// anew.
func refreshEnd(now time.Time, life, access seconds, known *time.Time) *time.Time {
	plain := after(now, life)
	if plain == nil || life >= access || life > year {
		return plain
	}
	long := after(now, life*60)
	if known != nil && long.After(known.Add(24*time.Hour)) {
		return plain
	}
	return long
}

// splitScopes takes a list with commas, blanks or both between its members.
func splitScopes(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' || r == '+' })
}

func readIntrospection(op string, body []byte) (Introspection, error) {
	var in struct {
		Active    *bool   `json:"active"`
		Status    string  `json:"status"`
		Scope     string  `json:"scope"`
		ExpiresAt seconds `json:"expires_at"`
	}
	if err := json.Unmarshal(body, &in); err != nil || in.Active == nil {
		return Introspection{}, growth.Errorf(growth.Malformed, op, "LinkedIn's answer does not say whether the token is active")
	}
	out := Introspection{Active: *in.Active, Status: in.Status, Scopes: splitScopes(in.Scope)}
	if in.ExpiresAt > 0 {
		at := time.Unix(int64(in.ExpiresAt), 0).UTC()
		if in.ExpiresAt > 1e12 { // milliseconds, as an older page of theirs had it
			at = time.UnixMilli(int64(in.ExpiresAt)).UTC()
		}
		out.ExpiresAt = &at
	}
	return out, nil
}

// oauthComplaint is the body of a refusal of the authorization server.
type oauthComplaint struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

func parseOAuthComplaint(body []byte) oauthComplaint {
	var c oauthComplaint
	_ = json.Unmarshal(body, &c) // a body that is none leaves the status to speak
	return c
}

var deadGrantText = regexp.MustCompile(`(?i)(grant|refresh token|authorization code|token).*(invalid|expired|revoked)`)

// deadGrant says that the code or refresh token itself is at fault. invalid_request alone may as well be a fault of
// ours, so there the text has to say it.
func (c oauthComplaint) deadGrant() bool {
	return c.Error == "invalid_grant" || (c.Error == "invalid_request" && deadGrantText.MatchString(c.Description))
}

var plainOAuthError = regexp.MustCompile(`^[a-z_]{1,64}$`)

func (c oauthComplaint) word() string {
	if plainOAuthError.MatchString(c.Error) {
		return c.Error
	}
	return "no known reason"
}
