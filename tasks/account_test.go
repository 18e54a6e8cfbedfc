package tasks_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/linkedin"
	"github.com/zakibelm/astrogrowth/internal/seal"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/tasks"
)

// agency is a plant whose LinkedIn accounts are connected by consent at the simulated LinkedIn.
type agency struct {
	*plant
	w        *world
	key      string // the one that seals
	ring     *seal.Keyring
	oauth    *linkedin.OAuth
	accounts *tasks.Accounts
}

const callbackURL = "http://localhost:3000/oauth/linkedin/callback"

func newAgency(t *testing.T, set simulator.OAuth) *agency {
	t.Helper()
	w, p := newWorld(t), newPlant(t)
	g := &agency{plant: p, w: w, key: seal.NewKey()}
	g.ring = g.keys(g.key)
	g.oauth = linkedin.NewOAuth(linkedin.OAuthSettings{
		URL: w.url + "/linkedin/oauth/v2", ClientID: "app", ClientSecret: "hunter2-secret", RedirectURI: callbackURL, PKCE: true,
		HTTP: &http.Client{Timeout: 2 * time.Second},
	})
	if set.AutoApprove == "" && set.Refuse == "" {
		set.AutoApprove = "Ada Li"
	}
	w.sim.SetOAuth(set)
	g.accounts = g.keeper(g.ring)
	return g
}

func (g *agency) keys(keys ...string) *seal.Keyring {
	g.t.Helper()
	ring, err := seal.New(keys...)
	g.must(err)
	return ring
}

func (g *agency) api() *linkedin.Client {
	return linkedin.New(linkedin.Settings{APIURL: g.w.url + "/linkedin", HTTP: &http.Client{Timeout: 2 * time.Second}})
}

// keeper is what looks after accounts in one process, with the keys that the process has.
func (g *agency) keeper(ring *seal.Keyring) *tasks.Accounts {
	return &tasks.Accounts{
		Store: g.s, OAuth: g.oauth, Members: g.api(), Keys: ring, Simulated: true, Wake: g.relay.Wake, Log: zerolog.Nop(),
		Report: func(_ context.Context, err error) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.reports = append(g.reports, err)
		},
	}
}

func (g *agency) publishes() *agency {
	tasks.AddWorker(g.runner, tasks.PublishWorker{
		Store: g.s, LinkedIn: g.api(), Open: g.ring.Open, PerDay: 10_000, Simulated: true, Accounts: g.accounts,
	})
	g.relays().serves(growth.JobLinkedInPublish)
	return g
}

// asks makes a link, opens it, and lets the simulated LinkedIn answer: what the browser would bring back.
func (g *agency) asks(q tasks.ConnectRequest) tasks.Returned {
	g.t.Helper()
	l, err := g.accounts.Link(g.t.Context(), g.ws.ID, q)
	g.must(err)
	o, err := g.accounts.Open(g.t.Context(), l.Secret)
	g.must(err)
	return g.answers(o)
}

func (g *agency) answers(o tasks.Opened) tasks.Returned {
	g.t.Helper()
	web := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := http.NewRequestWithContext(g.t.Context(), http.MethodGet, o.AuthorizeURL, nil)
	g.must(err)
	resp, err := web.Do(req)
	g.must(err)
	_ = resp.Body.Close()
	back, err := url.Parse(resp.Header.Get("Location"))
	g.must(err)
	if !strings.HasPrefix(back.String(), callbackURL+"?") {
		g.t.Fatalf("LinkedIn answered %d and sent the browser to %q", resp.StatusCode, back)
	}
	v := back.Query()
	return tasks.Returned{State: v.Get("state"), Code: v.Get("code"), Error: v.Get("error"), Browser: o.Browser}
}

// connects connects an account.
func (g *agency) connects(q tasks.ConnectRequest) tasks.Consent {
	g.t.Helper()
	c, err := g.accounts.Return(g.t.Context(), g.asks(q))
	g.must(err)
	return c
}

func (g *agency) account(id growth.AccountID) growth.Account {
	g.t.Helper()
	a, _, err := g.sc.Account(g.t.Context(), id)
	g.must(err)
	return a
}

// secrets opens what is stored of an account.
func (g *agency) secrets(id growth.AccountID) (token, refresh string) {
	g.t.Helper()
	_, c, err := g.sc.AccountCredential(g.t.Context(), id)
	g.must(err)
	plain, err := g.ring.Open(c.Token, string(id))
	g.must(err)
	if c.Refresh != "" {
		r, err := g.ring.Open(c.Refresh, string(id)+"/refresh")
		g.must(err)
		refresh = string(r)
	}
	return string(plain), refresh
}

func (g *agency) posts(a growth.Account, text string) growth.JobID {
	g.t.Helper()
	return g.enqueue(tasks.PublishArgs{Text: text, AccountID: a.ID}, growth.JobOptions{})
}

// ages makes a token as old as if it had been issued so long ago.
func (g *agency) ages(id growth.AccountID, by time.Duration) {
	g.t.Helper()
	g.exec(`UPDATE linkedin_accounts SET token_at = token_at - $2 * interval '1 second', expires_at = expires_at - $2 * interval '1 second'
		WHERE id = $1`, id, by.Seconds())
}

// hurry ends every pause of a job that waits for a token.
func (g *agency) hurry() {
	g.t.Helper()
	g.exec(`UPDATE jobs SET run_at = now() WHERE state = 'waiting' AND run_at <> 'infinity'`)
	g.exec(`UPDATE linkedin_accounts SET refresh_after = NULL WHERE refresh_after IS NOT NULL`)
	g.relay.Wake()
}

// calls counts the requests to one of LinkedIn's endpoints.
func (g *agency) calls(endpoint string) int {
	n := 0
	for _, e := range g.w.sim.Entries(0) {
		if e.Endpoint == endpoint {
			n++
		}
	}
	return n
}

// notices lists the events that told the end of access.
func (g *agency) notices() []notice {
	g.t.Helper()
	list, err := g.sc.Events(g.t.Context(), 0, "", 1000)
	g.must(err)
	var out []notice
	for _, e := range list {
		if e.Type == "account.expiring" {
			var n notice
			g.must(json.Unmarshal(e.Data, &n))
			out = append(out, n)
		}
	}
	return out
}

type notice struct {
	AccountID growth.AccountID    `json:"account_id"`
	Days      int                 `json:"days"`
	Reason    string              `json:"reason"`
	Posts     []growth.StakedPost `json:"posts"`
	Count     int                 `json:"posts_at_stake"`
}

func wantReason(t *testing.T, err error, want tasks.ConnectReason) {
	t.Helper()
	e, ok := errors.AsType[*tasks.ConnectError](err)
	if !ok || e.Reason != want {
		t.Errorf("err = %v; want the reason %s", err, want)
	}
}

func TestMemberConnectsByAOneTimeLink(t *testing.T) {
	t.Parallel()
	g := newAgency(t, simulator.OAuth{SpaceScopes: true, OmitTokenType: true}).publishes()
	back := g.asks(tasks.ConnectRequest{})
	c, err := g.accounts.Return(t.Context(), back)
	g.must(err)
	a := g.account(c.Account.ID)
	if a.Name != "Ada Li" || a.Status != growth.AccountActive || !a.Simulated || !slices.Equal(a.Scopes, linkedin.MemberScopes()) || a.Refreshes {
		t.Errorf("account = %+v", a)
	}
	if left := time.Until(*a.ExpiresAt); left < 59*24*time.Hour || left > 60*24*time.Hour {
		t.Errorf("the token ends in %v; want 60 days", left)
	}
	_, err = g.accounts.Return(t.Context(), back)
	wantReason(t, err, tasks.ConnectLinkUsed)
	if j := g.becomes(g.posts(a, "Bonjour"), growth.JobSucceeded); len(g.w.posts()) != 1 || g.w.posts()[0].Author != a.URN {
		t.Errorf("job %+v, posts %+v", j, g.w.posts())
	}
	token, _ := g.secrets(a.ID)
	for _, table := range []string{"linkedin_accounts", "linkedin_connects", "events", "jobs"} {
		for _, secret := range []string{token, back.Code, back.Browser, strings.SplitN(back.State, ".", 2)[1], "hunter2"} {
			if n := g.count(`SELECT count(*) FROM `+table+` x WHERE strpos(to_jsonb(x)::text, $1) > 0`, secret); n != 0 {
				t.Errorf("a secret stands in %s", table)
			}
		}
	}
}

func TestLinkBelongsToTheBrowserThatOpenedIt(t *testing.T) {
	t.Parallel()
	g := newAgency(t, simulator.OAuth{})
	l, err := g.accounts.Link(t.Context(), g.ws.ID, tasks.ConnectRequest{})
	g.must(err)
	preview, err := g.accounts.Open(t.Context(), l.Secret) // a program that looks at links
	g.must(err)
	opened, err := g.accounts.Open(t.Context(), l.Secret)
	g.must(err)
	back := g.answers(opened)
	for name, r := range map[string]tasks.Returned{
		"no cookie":             {State: back.State, Code: back.Code},
		"another browser":       {State: back.State, Code: back.Code, Browser: preview.Browser},
		"a state that was made": {State: strings.SplitN(back.State, ".", 2)[0] + ".guess", Code: back.Code, Browser: back.Browser},
		"no state":              {Code: back.Code, Browser: back.Browser},
		"a state of no link":    {State: growth.NewID() + ".x", Code: back.Code, Browser: back.Browser},
	} {
		if _, err := g.accounts.Return(t.Context(), r); err == nil {
			t.Errorf("%s: an account was connected", name)
		}
	}
	if _, err := g.accounts.Return(t.Context(), back); err != nil {
		t.Errorf("the right browser, after all of these: %v", err)
	}
	_, err = g.accounts.Open(t.Context(), l.Secret)
	wantReason(t, err, tasks.ConnectLinkUsed)
	_, err = g.accounts.Open(t.Context(), "no such link")
	wantReason(t, err, tasks.ConnectLinkUnknown)
}

func TestLinkIsUsedOnceByHoweverMany(t *testing.T) {
	t.Parallel()
	g := newAgency(t, simulator.OAuth{})
	back := g.asks(tasks.ConnectRequest{})
	var wg sync.WaitGroup
	won := make(chan struct{}, 8)
	for range 8 {
		wg.Go(func() {
			if _, err := g.accounts.Return(context.WithoutCancel(t.Context()), back); err == nil {
				won <- struct{}{}
			}
		})
	}
	wg.Wait()
	if len(won) != 1 || g.calls("token") != 1 {
		t.Errorf("%d returns were taken, %d codes exchanged; want one of each", len(won), g.calls("token"))
	}
}

func TestLinkLivesTenMinutes(t *testing.T) {
	t.Parallel()
	g := newAgency(t, simulator.OAuth{})
	l, err := g.accounts.Link(t.Context(), g.ws.ID, tasks.ConnectRequest{})
	g.must(err)
	if d := time.Until(l.ExpiresAt); d < 9*time.Minute || d > 10*time.Minute {
		t.Errorf("the link lives for %v", d)
	}
	back := g.asks(tasks.ConnectRequest{})
	g.exec(`UPDATE linkedin_connects SET expires_at = now()`)
	_, err = g.accounts.Open(t.Context(), l.Secret)
	wantReason(t, err, tasks.ConnectLinkUsed)
	_, err = g.accounts.Return(t.Context(), back)
	wantReason(t, err, tasks.ConnectLinkUsed)
}

func TestRefusalsAreNamed(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]tasks.ConnectReason{
		"user_cancelled_login": tasks.ConnectCancelled, "user_cancelled_authorize": tasks.ConnectCancelled,
		"unauthorized_scope_error": tasks.ConnectScope, "server_error": tasks.ConnectUnreachable, "something_new": tasks.ConnectRefused,
	} {
		g := newAgency(t, simulator.OAuth{Refuse: word})
		_, err := g.accounts.Return(t.Context(), g.asks(tasks.ConnectRequest{}))
		wantReason(t, err, want)
	}
}

func TestFaultsOfTheExchangeAreNamedAndConnectNothing(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		endpoint, kind string
		want           tasks.ConnectReason
	}{
		{"token", "503", tasks.ConnectUnreachable},
		{"token", simulator.KindTimeout, tasks.ConnectUnreachable},
		{"token", simulator.KindReset, tasks.ConnectUnreachable},
		{"token", simulator.KindHTML, tasks.ConnectUnreachable},
		{"token", simulator.KindCutJSON, tasks.ConnectUnreachable},
		{"userinfo", "500", tasks.ConnectUnreachable},
	} {
		t.Run(tc.endpoint+" "+tc.kind, func(t *testing.T) {
			t.Parallel()
			g := newAgency(t, simulator.OAuth{})
			back := g.asks(tasks.ConnectRequest{})
			_, err := g.w.sim.SetFault(simulator.Fault{Provider: simulator.LinkedIn, Endpoint: tc.endpoint, Kind: tc.kind})
			g.must(err)
			_, err = g.accounts.Return(t.Context(), back)
			wantReason(t, err, tc.want)
			if n := g.count(`SELECT count(*) FROM linkedin_accounts`); n != 0 {
				t.Errorf("%d accounts", n)
			}
		})
	}
}

// LinkedIn calls a token revoked for a moment after it was issued.
func TestTokenThatIsTooNewIsWaitedFor(t *testing.T) {
	t.Parallel()
	g := newAgency(t, simulator.OAuth{})
	_, err := g.w.sim.SetFault(simulator.Fault{Provider: simulator.LinkedIn, Endpoint: "userinfo", Kind: simulator.KindRevoked, Count: 1})
	g.must(err)
	if c := g.connects(tasks.ConnectRequest{}); c.Account.Name != "Ada Li" {
		t.Errorf("account = %+v", c.Account)
	}
}

func TestConnectingAgainKeepsIDAndHistoryAndLetsPostsGo(t *testing.T) {
	t.Parallel()
	g := newAgency(t, simulator.OAuth{}).publishes()
	a := g.connects(tasks.ConnectRequest{}).Account
	g.becomes(g.posts(a, "Before"), growth.JobSucceeded)
	g.ages(a.ID, 2*time.Hour)
	g.w.sim.RevokeTokens("Ada Li", true)
	waits := g.posts(a, "After")
	eventually(t, "the post waits for its account", func() bool {
		j := g.job(waits)
		return j.Waiting != nil && j.Waiting.Reason == growth.WaitReconnect && j.Waiting.Until == nil
	})
	if got := g.account(a.ID); got.Status != growth.AccountReconnect {
		t.Errorf("account is %s", got.Status)
	}
	if n := g.notices(); len(n) != 1 || n[0].Reason != "turned_down" || n[0].AccountID != a.ID {
		t.Errorf("notices = %+v", n)
	}
	g.w.sim.SetOAuth(simulator.OAuth{AutoApprove: "Somebody Else"})
	_, err := g.accounts.Return(t.Context(), g.asks(tasks.ConnectRequest{Account: a.ID}))
	wantReason(t, err, tasks.ConnectOtherMember)
	g.w.sim.SetOAuth(simulator.OAuth{AutoApprove: "Ada Li"})
	again := g.connects(tasks.ConnectRequest{Account: a.ID}).Account
	g.becomes(waits, growth.JobSucceeded)
	if again.ID != a.ID || again.Status != growth.AccountActive || g.count(`SELECT count(*) FROM publications WHERE account_id = $1`, a.ID) != 2 {
		t.Errorf("account = %+v", again)
	}
}

func TestMemberAndPageShareAConsent(t *testing.T) {
	t.Parallel()
	g := newAgency(t, simulator.OAuth{Partner: true}).publishes()
	member := g.connects(tasks.ConnectRequest{}).Account
	before, _ := g.secrets(member.ID)
	const page = "urn:li:organization:2414183"
	l, err := g.accounts.Link(t.Context(), g.ws.ID, tasks.ConnectRequest{OrganizationURN: page, OrganizationName: "Café du Parc"})
	g.must(err)
	if len(l.Warnings) != 1 || !strings.Contains(l.Warnings[0], string(member.ID)) || !slices.Contains(l.Scopes, "w_organization_social") {
		t.Errorf("warnings %q, scopes %q", l.Warnings, l.Scopes)
	}
	c := g.connects(tasks.ConnectRequest{OrganizationURN: page, OrganizationName: "Café du Parc"})
	if c.Account.URN != page || c.Account.Name != "Café du Parc" || len(c.Renewed) != 1 || c.Renewed[0].ID != member.ID {
		t.Fatalf("connected %+v", c)
	}
	// The scopes have changed, so the first token is dead at LinkedIn; the member's account has the new one.
	if seen, err := g.oauth.Introspect(t.Context(), before); err != nil || seen.Active || seen.Status != "revoked" {
		t.Errorf("first token: %+v, %v", seen, err)
	}
	g.becomes(g.posts(member, "As a member"), growth.JobSucceeded)
	g.becomes(g.posts(c.Account, "As a page"), growth.JobSucceeded)
	var authors []string
	for _, p := range g.w.posts() {
		authors = append(authors, p.Author)
	}
	slices.Sort(authors)
	if !slices.Equal(authors, []string{page, member.URN}) {
		t.Errorf("authors %q", authors)
	}
	// From now on the workspace asks for the same scopes each time, so nothing ends.
	l, err = g.accounts.Link(t.Context(), g.ws.ID, tasks.ConnectRequest{Account: member.ID})
	g.must(err)
	if len(l.Warnings) != 0 {
		t.Errorf("warnings %q", l.Warnings)
	}
	// One refresh serves both.
	g.soonOver()
	calls := g.calls("token")
	if n, err := g.accounts.RefreshDue(t.Context()); err != nil || n != 1 || g.calls("token") != calls+1 {
		t.Errorf("refreshed %d, %v, with %d calls", n, err, g.calls("token")-calls)
	}
	x, _ := g.secrets(member.ID)
	y, _ := g.secrets(c.Account.ID)
	if x != y || x == before {
		t.Error("the two accounts have different tokens, or an old one")
	}
	// Giving one of the two up leaves the other its token.
	if _, revoked, err := g.accounts.Disconnect(t.Context(), g.ws.ID, member.ID); err != nil || revoked {
		t.Errorf("revoked %v, %v", revoked, err)
	}
	g.becomes(g.posts(c.Account, "Still a page"), growth.JobSucceeded)
	if _, revoked, err := g.accounts.Disconnect(t.Context(), g.ws.ID, c.Account.ID); err != nil || !revoked {
		t.Errorf("the last one: revoked %v, %v", revoked, err)
	}
	if seen, err := g.oauth.Introspect(t.Context(), y); err != nil || seen.Active {
		t.Errorf("token after all were given up: %+v, %v", seen, err)
	}
	if n := g.count(`SELECT count(*) FROM publications`); n != 3 {
		t.Errorf("%d publications are left of three", n)
	}
}

func TestApplicationWithoutPagesSaysSo(t *testing.T) {
	t.Parallel()
	g := newAgency(t, simulator.OAuth{NoOrganizations: true})
	_, err := g.accounts.Return(t.Context(), g.asks(tasks.ConnectRequest{OrganizationURN: "urn:li:organization:1"}))
	wantReason(t, err, tasks.ConnectScope)
}
