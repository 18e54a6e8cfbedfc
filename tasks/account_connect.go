package tasks

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/linkedin"
	"github.com/zakibelm/astrogrowth/store"
)

// LinkLife is how long a one-time link can be used.
const LinkLife = 10 * time.Minute

// ConnectRequest asks for a one-time link.
type ConnectRequest struct {
	Account          growth.AccountID // to be connected again; empty: whoever allows it
	OrganizationURN  string           // the page to connect; empty: the member's own account
	OrganizationName string
	By               string // who asks, for the record
}

// ConnectLink is a one-time link before it is written as an address.
type ConnectLink struct {
	Secret    string
	ExpiresAt time.Time
	Scopes    []string
	Warnings  []string // what using the link does to other accounts
}

var organizationURN = regexp.MustCompile(`^urn:li:organization:[0-9]{1,20}$`)

// Link makes a one-time link.
func (a *Accounts) Link(ctx context.Context, ws growth.WorkspaceID, q ConnectRequest) (ConnectLink, error) {
	const op = "tasks.Link"
	if !a.OAuth.Configured() {
		return ConnectLink{}, growth.Errorf(growth.Conflict, op, "set LINKEDIN_CLIENT_ID and LINKEDIN_CLIENT_SECRET to the application's to connect accounts by a link")
	}
	sc := a.Store.In(ws)
	accounts, err := sc.Accounts(ctx)
	if err != nil {
		return ConnectLink{}, err
	}
	if err := q.complete(accounts); err != nil {
		return ConnectLink{}, err
	}
	out := ConnectLink{Secret: random(), Scopes: scopesFor(q, accounts)}
	out.Warnings = warnings(out.Scopes, accounts)
	l := store.ConnectLink{
		ID: growth.NewID(), Account: q.Account, OrganizationURN: q.OrganizationURN, OrganizationName: q.OrganizationName,
		Scopes: out.Scopes, RequestedBy: q.By,
	}
	if a.OAuth.PKCE() {
		l.Verifier = a.Keys.Seal([]byte(random()), verifierOwner(l.ID))
	}
	out.ExpiresAt, err = sc.AddConnectLink(ctx, l, digest(out.Secret), LinkLife)
	return out, err
}

func verifierOwner(link string) string { return "connect/" + link }

// complete checks the request, and takes what an account that is connected again already says.
func (q *ConnectRequest) complete(accounts []growth.Account) error {
	const op = "tasks.Link"
	if q.OrganizationURN != "" && !organizationURN.MatchString(q.OrganizationURN) {
		return growth.InvalidField(op, "body.organization_urn", "use urn:li:organization: and the page's number")
	}
	if q.Account == "" {
		return nil
	}
	i := slices.IndexFunc(accounts, func(a growth.Account) bool { return a.ID == q.Account })
	if i < 0 {
		return growth.Errorf(growth.NotFound, op, "there is no LinkedIn account %s in this workspace", q.Account)
	}
	switch found := accounts[i]; {
	case q.OrganizationURN != "" && q.OrganizationURN != found.URN:
		return growth.InvalidField(op, "body.organization_urn", "the account is another one; leave this out to connect it again")
	case found.Organization():
		q.OrganizationURN, q.OrganizationName = found.URN, first(q.OrganizationName, found.Name)
	}
	return nil
}

// scopesFor never asks for less than the workspace's accounts were connected with: LinkedIn ends a member's earlier
// tokens when they are asked for another set of scopes.
func scopesFor(q ConnectRequest, accounts []growth.Account) []string {
	scopes := linkedin.MemberScopes()
	pages := slices.ContainsFunc(accounts, func(a growth.Account) bool {
		return a.Status != growth.AccountDisconnected && slices.Contains(a.Scopes, linkedin.ScopePostOrganization)
	})
	if q.OrganizationURN != "" || pages {
		scopes = append(scopes, linkedin.ScopePostOrganization)
	}
	return scopes
}

// warnings names the accounts that were connected with other scopes.
func warnings(scopes []string, accounts []growth.Account) []string {
	out := []string{}
	for _, a := range accounts {
		if a.Status != growth.AccountActive || len(a.Scopes) == 0 || sameSet(scopes, a.Scopes) {
			continue
		}
		out = append(out, fmt.Sprintf("account %s was connected with other scopes: if the same member uses this link, LinkedIn ends the earlier tokens of that member. "+
			"The accounts of this workspace take the new token where it covers them; those in other workspaces have to be connected again", a.ID))
	}
	return out
}

func sameSet(a, b []string) bool {
	x, y := slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(slices.Compact(x), slices.Compact(y))
}

// Opened is where a browser goes that has opened a link, and what it has to bring back.
type Opened struct {
	AuthorizeURL string
	Cookie       string // its name
	Browser      string // its value
}

// Open begins the consent of a member in one browser.
func (a *Accounts) Open(ctx context.Context, secret string) (Opened, error) {
	browser, nonce := random(), random()
	state := func(id string) string { return id + "." + nonce }
	l, err := a.Store.OpenConnectLink(ctx, digest(secret), func(id string) []byte { return digest(state(id), browser) })
	if err != nil {
		return Opened{}, asConnectError(err)
	}
	challenge := ""
	if l.Verifier != "" {
		verifier, err := a.Keys.Open(l.Verifier, verifierOwner(l.ID))
		if err != nil {
			return Opened{}, &ConnectError{Reason: ConnectSettings, Err: err}
		}
		sum := sha256.Sum256(verifier)
		challenge = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return Opened{
		AuthorizeURL: a.OAuth.AuthorizeURL(state(l.ID), challenge, l.Scopes), Cookie: cookieOf(l.ID), Browser: browser,
	}, nil
}

// CookieOf is the name of the cookie that belongs to a state; empty when it is none of ours.
func CookieOf(state string) string {
	id, _, ok := strings.Cut(state, ".")
	if !ok || !growth.ValidID(id) {
		return ""
	}
	return cookieOf(id)
}

func cookieOf(link string) string { return "ag_linkedin_" + link[len(link)-12:] }

// Returned is what a browser brings back from LinkedIn.
type Returned struct {
	State   string
	Code    string
	Error   string // LinkedIn's word for a refusal
	Browser string // the cookie's value
}

// Consent is what a return came to.
type Consent struct {
	store.Connected
	Workspace string // its name
}

// Return takes a member's consent: it uses the link up, exchanges the code, asks whose the token is, and stores it. Its
// errors are *ConnectError.
func (a *Accounts) Return(ctx context.Context, r Returned) (Consent, error) {
	id, _, ok := strings.Cut(r.State, ".")
	if !ok || !growth.ValidID(id) || r.Browser == "" {
		return Consent{}, &ConnectError{Reason: ConnectBrowser}
	}
	l, err := a.Store.UseConnectLink(ctx, id, digest(r.State, r.Browser))
	if err != nil {
		return Consent{}, asConnectError(err)
	}
	if r.Error != "" || r.Code == "" {
		return Consent{}, &ConnectError{Reason: refusalOf(r.Error)}
	}
	account, g, tokens, err := a.consent(ctx, l, r.Code)
	if err != nil {
		return Consent{}, err
	}
	done, err := a.Store.In(l.Workspace).Connect(ctx, account, g, a.seal(tokens))
	if err != nil {
		return Consent{}, &ConnectError{Reason: ConnectOurs, Err: err}
	}
	a.wake()
	return Consent{Connected: done, Workspace: l.WorkspaceName}, nil
}

// consent asks LinkedIn what a code stands for.
func (a *Accounts) consent(ctx context.Context, l store.ConnectLink, code string) (account growth.Account, g store.Grant, t linkedin.Tokens, err error) {
	verifier := ""
	if l.Verifier != "" {
		// It was sealed minutes ago; a key that was changed meanwhile is still among the old ones.
		plain, err := a.Keys.Open(l.Verifier, verifierOwner(l.ID))
		if err != nil {
			return account, g, t, &ConnectError{Reason: ConnectSettings, Err: err}
		}
		verifier = string(plain)
	}
	if t, err = a.OAuth.Exchange(ctx, code, verifier); err != nil {
		return account, g, t, asConnectError(err)
	}
	m, err := a.member(ctx, t.Access)
	if err != nil {
		return account, g, t, asConnectError(err)
	}
	g = store.Grant{Member: m.URN(), Scopes: t.Scopes, ExpiresAt: t.ExpiresAt, RefreshExpiresAt: t.RefreshExpiresAt}
	if len(g.Scopes) == 0 {
		g.Scopes = l.Scopes // the member allows all that was asked for or none
	}
	account = growth.Account{URN: m.URN(), Name: m.Name, Simulated: a.Simulated}
	if l.OrganizationURN != "" {
		account.URN, account.Name = l.OrganizationURN, first(l.OrganizationName, l.OrganizationURN)
	}
	if !g.Covers(account) {
		return account, g, t, &ConnectError{Reason: ConnectScope}
	}
	return account, g, t, a.sameMember(ctx, l, account)
}

// sameMember refuses another member where an account is to be connected again.
func (a *Accounts) sameMember(ctx context.Context, l store.ConnectLink, account growth.Account) error {
	if l.Account == "" {
		return nil
	}
	wanted, _, err := a.Store.In(l.Workspace).Account(ctx, l.Account)
	if err != nil {
		return &ConnectError{Reason: ConnectOurs, Err: err}
	}
	if wanted.URN != account.URN {
		return &ConnectError{Reason: ConnectOtherMember}
	}
	return nil
}

// memberPauses are for a token that is too new to work: LinkedIn calls it revoked for a few seconds.
var memberPauses = []time.Duration{time.Second, 3 * time.Second, 5 * time.Second}

func (a *Accounts) member(ctx context.Context, token string) (linkedin.Member, error) {
	for _, pause := range memberPauses {
		m, err := a.Members.Userinfo(ctx, token)
		if growth.CodeOf(err) != growth.KeyRejected || err == nil {
			return m, err
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return m, err
		case <-t.C:
		}
	}
	return a.Members.Userinfo(ctx, token)
}

// random is a secret of 256 bits.
func random() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails, by its documentation
	return base64.RawURLEncoding.EncodeToString(b)
}

// digest is what the database keeps of secrets. They are random and long, so one round without salt is enough.
func digest(parts ...string) []byte {
	h := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return h[:]
}
