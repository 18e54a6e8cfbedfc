package linkedin

import (
	"context"
	"encoding/json"
	"net/http"

	growth "github.com/zakibelm/astrogrowth"
)

const opUserinfo = "linkedin.Userinfo"

// Member is who a token belongs to.
type Member struct {
	Sub       string // opaque, and another one for each app
	Name      string
	Email     string // only with the scope "email"
	Picture   string
	Language  string // BCP 47, as "fr-CA"; empty: unknown
	Simulated bool
}

// URN is the member as the author of a post.
func (m Member) URN() string { return "urn:li:person:" + m.Sub }

// Userinfo asks who a token belongs to. It counts against the app's daily quota, so its answer is worth keeping.
func (c *Client) Userinfo(ctx context.Context, token string) (Member, error) {
	if !usable(token) {
		return Member{}, growth.Errorf(growth.KeyRejected, opUserinfo, "the account has no usable token: it must be connected again")
	}
	ctx, cancel := context.WithTimeout(ctx, maxDuration)
	defer cancel()
	req, err := c.request(ctx, http.MethodGet, "/v2/userinfo", token)
	if err != nil {
		return Member{}, unreachable(ctx, opUserinfo, err)
	}
	a, _, err := c.do(req, "")
	if err != nil {
		return Member{}, unreachable(ctx, opUserinfo, err)
	}
	if a.status != http.StatusOK {
		return Member{}, c.fault(opUserinfo, a)
	}
	m, err := readMember(a)
	if err == nil {
		_ = c.spend(ctx, m.URN()) // whose call it was is known only now: it is counted and cannot be refused any more
	}
	return m, err
}

// fault is the error of an answer that is no success to a call that makes no post.
func (c *Client) fault(op string, a answer) error {
	if e := c.classify(op, a); e != nil {
		return e
	}
	return growth.Errorf(growth.Unavailable, op, "LinkedIn answered %d", a.status)
}

func readMember(a answer) (Member, error) {
	var m struct {
		Sub     string `json:"sub"`
		Name    string `json:"name"`
		Email   string `json:"email"`
		Picture string `json:"picture"`
		Locale  locale `json:"locale"`
	}
	if err := json.Unmarshal(a.body, &m); err != nil || m.Sub == "" {
		return Member{}, growth.Errorf(growth.Malformed, opUserinfo, "LinkedIn's answer names no member")
	}
	return Member{
		Sub: m.Sub, Name: m.Name, Email: m.Email, Picture: m.Picture, Language: string(m.Locale),
		Simulated: a.header.Get(simulatorHeader) != "",
	}, nil
}

// locale is a language: an object in real answers, a string in the documentation.
type locale string

// UnmarshalJSON reads both forms and never fails: nothing rests on it.
func (l *locale) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) == nil {
		*l = locale(text)
		return nil
	}
	var parts struct {
		Language string `json:"language"`
		Country  string `json:"country"`
	}
	if json.Unmarshal(b, &parts) == nil && parts.Language != "" {
		*l = locale(parts.Language)
		if parts.Country != "" {
			*l += locale("-" + parts.Country)
		}
	}
	return nil
}
