package api_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/api"
	"github.com/zakibelm/astrogrowth/internal/linkedin"
	"github.com/zakibelm/astrogrowth/internal/seal"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/tasks"
)

// desk is an API whose accounts are connected at a simulated LinkedIn, reached as a browser reaches it.
type desk struct {
	*face
	sim *simulator.Server
}

func newDesk(t *testing.T, set simulator.OAuth) *desk {
	t.Helper()
	d := &desk{sim: simulator.New(simulator.Config{Seed: 3})}
	srv := httptest.NewServer(d.sim)
	t.Cleanup(func() { d.sim.Close(); srv.Close() })
	d.sim.SetOAuth(set)
	ring, err := seal.New(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	// The way back has to name the port of the API, which is known once it listens.
	var accounts tasks.Accounts
	d.face = newFace(t, func(c *api.Config) {
		members := linkedin.New(linkedin.Settings{APIURL: srv.URL + "/linkedin"})
		accounts = tasks.Accounts{Store: c.Store, Members: members, Keys: ring, Simulated: true, Log: zerolog.Nop()}
		c.Accounts, c.ConnectURL, c.LinkedIn, c.Seal, c.RequireKeys = &accounts, "http://enqueuer.test/oauth/linkedin/callback", members, ring.Seal, true
	})
	accounts.OAuth = linkedin.NewOAuth(linkedin.OAuthSettings{
		URL: srv.URL + "/linkedin/oauth/v2", ClientID: "app", ClientSecret: "hunter2", RedirectURI: d.url + "/oauth/linkedin/callback", PKCE: true,
	})
	return d
}

// browser is one person's: it follows redirects and keeps cookies.
type browser struct {
	t    *testing.T
	web  *http.Client
	lang string
}

func newBrowser(t *testing.T, lang string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, web: &http.Client{Jar: jar}, lang: lang}
}

type shown struct {
	status int
	header http.Header
	body   string
	url    *url.URL
}

func (b *browser) sends(req *http.Request, err error) shown {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Accept-Language", b.lang)
	resp, err := b.web.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return shown{resp.StatusCode, resp.Header, string(body), resp.Request.URL}
}

func (b *browser) opens(address string) shown {
	b.t.Helper()
	return b.sends(http.NewRequestWithContext(b.t.Context(), http.MethodGet, address, nil))
}

var hiddenQuery = regexp.MustCompile(`name="query" value="([^"]*)"`)

// answersAs fills the form of the consent page in.
func (b *browser) answersAs(p shown, member, answer string) shown {
	b.t.Helper()
	m := hiddenQuery.FindStringSubmatch(p.body)
	if m == nil {
		b.t.Fatalf("no form: %d %s", p.status, p.body)
	}
	form := url.Values{"query": {strings.ReplaceAll(m[1], "&amp;", "&")}, "member": {member}, "answer": {answer}}
	to := *p.url
	to.RawQuery = ""
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, to.String(), strings.NewReader(form.Encode()))
	if err == nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return b.sends(req, err)
}

// link asks for a link; its host is the API's own.
func (d *desk) link(key, body string) (string, api.ConnectLink) {
	d.t.Helper()
	a := d.call(http.MethodPost, "/v1/linkedin/connect", body, "Authorization", "Bearer "+key)
	out := read[api.ConnectLink](d.t, a, http.StatusCreated)
	return strings.Replace(out.URL, "http://enqueuer.test", d.url, 1), out
}

func TestAPersonConnectsAnAccountInTheirBrowser(t *testing.T) {
	t.Parallel()
	d := newDesk(t, simulator.OAuth{})
	key := d.key(d.ws.ID, "approve", "read")
	link, out := d.link(key, `{}`)
	if !strings.Contains(link, "/oauth/linkedin/start?link=") || len(out.Scopes) != 4 || out.Warnings == nil || len(out.Warnings) != 0 {
		t.Errorf("link %+v", out)
	}
	b := newBrowser(t, "fr-CA,fr;q=0.9,en;q=0.5")
	page := b.answersAs(b.opens(link), "Ada Li", "allow")
	if page.status != 200 || !strings.Contains(page.body, "Le compte est connecté") || !strings.Contains(page.body, "Ada Li") || !strings.Contains(page.body, `lang="fr"`) {
		t.Fatalf("%d %s", page.status, page.body)
	}
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
	} {
		if got := page.header.Get(name); got != want {
			t.Errorf("%s = %q; want %q", name, got, want)
		}
	}
	csp := page.header.Get("Content-Security-Policy")
	if !strings.HasPrefix(csp, "default-src 'none'; style-src 'sha256-") || !strings.Contains(csp, "frame-ancestors 'none'") {
		t.Errorf("policy %q", csp)
	}
	// The address that is left in the history is worth nothing.
	if again := b.opens(page.url.String()); again.status != http.StatusForbidden {
		t.Errorf("loaded again: %d", again.status)
	}
	if again := newBrowser(t, "en").opens(link); again.status != http.StatusGone || !strings.Contains(again.body, "This link is over") {
		t.Errorf("opened again: %d %s", again.status, again.body)
	}
	list := read[api.List[api.AccountHealth]](t, d.call(http.MethodGet, "/v1/linkedin/accounts", "", "Authorization", "Bearer "+key), 200)
	if len(list.Data) != 1 || list.Data[0].Name != "Ada Li" || list.Data[0].DaysLeft == nil || *list.Data[0].DaysLeft != 59 || !list.Data[0].Simulated {
		t.Errorf("accounts = %+v", list.Data)
	}
}

func TestConsentOfAnotherBrowserIsNotTaken(t *testing.T) {
	t.Parallel()
	d := newDesk(t, simulator.OAuth{AutoApprove: "Eve"})
	link, _ := d.link(d.key(d.ws.ID, "admin"), `{}`)
	victim, attacker := newBrowser(t, "en"), newBrowser(t, "en")
	// The attacker stops on the way back and has somebody else go it.
	var back string
	attacker.web.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
		if strings.HasSuffix(req.URL.Path, "/callback") {
			back = req.URL.String()
			return http.ErrUseLastResponse
		}
		return nil
	}
	attacker.opens(link)
	if p := victim.opens(back); p.status != http.StatusForbidden || !strings.Contains(p.body, "not the browser that began") {
		t.Errorf("%d %s", p.status, p.body)
	}
	if n, err := d.s.In(d.ws.ID).Accounts(t.Context()); err != nil || len(n) != 0 {
		t.Errorf("accounts %+v, %v", n, err)
	}
}

func TestRefusalIsAPageInWords(t *testing.T) {
	t.Parallel()
	d := newDesk(t, simulator.OAuth{})
	key := d.key(d.ws.ID, "admin")
	link, _ := d.link(key, `{}`)
	b := newBrowser(t, "de,en;q=0.8")
	if p := b.answersAs(b.opens(link), "Ada Li", "cancel"); p.status != http.StatusForbidden || !strings.Contains(p.body, "Nothing was connected") {
		t.Errorf("%d %s", p.status, p.body)
	}
	d.sim.SetOAuth(simulator.OAuth{NoOrganizations: true})
	link, _ = d.link(key, `{"organization_urn":"urn:li:organization:5"}`)
	if p := b.opens(link); p.status != http.StatusForbidden || !strings.Contains(p.body, "Community Management API") {
		t.Errorf("%d %s", p.status, p.body)
	}
	if p := b.opens(d.url + "/oauth/linkedin/start?link=guess"); p.status != http.StatusNotFound {
		t.Errorf("%d", p.status)
	}
	if p := b.opens(d.url + "/oauth/linkedin/callback?code=%3Cscript%3E&state=%3Cscript%3E"); p.status != http.StatusForbidden || strings.Contains(p.body, "<script>") {
		t.Errorf("%d %s", p.status, p.body)
	}
}

func TestAccountIsLabelledReadAndGivenUp(t *testing.T) {
	t.Parallel()
	d := newDesk(t, simulator.OAuth{AutoApprove: "Ada Li"})
	key := "Bearer " + d.key(d.ws.ID, "admin")
	link, _ := d.link(strings.TrimPrefix(key, "Bearer "), `{}`)
	newBrowser(t, "en").opens(link)
	list := read[api.List[api.AccountHealth]](t, d.call(http.MethodGet, "/v1/linkedin/accounts", "", "Authorization", key), 200)
	path := "/v1/linkedin/accounts/" + string(list.Data[0].ID)
	when := time.Now().AddDate(1, 0, 0).UTC().Truncate(time.Second)
	job := d.call(http.MethodPost, "/v1/jobs/linkedin-publish", `{"text":"Bonjour","account_id":"`+string(list.Data[0].ID)+`","run_at":"`+when.Format(time.RFC3339)+`"}`, "Authorization", key)
	if job.status != http.StatusAccepted {
		t.Fatalf("%d %s", job.status, job.body)
	}
	acc := read[api.AccountHealth](t, d.call(http.MethodPatch, path, `{"label":"The boss","settings":{"notice_days":[30,2]}}`, "Authorization", key), 200)
	if acc.Label != "The boss" || acc.PostsAtStake != 1 || len(acc.Settings.NoticeDays) != 2 {
		t.Errorf("account = %+v", acc)
	}
	if a := d.call(http.MethodPatch, path, `{"settings":{"notice_days":[90]}}`, "Authorization", key); a.status != 422 || !strings.Contains(string(a.body), "body.settings.notice_days") {
		t.Errorf("%d %s", a.status, a.body)
	}
	one := read[api.AccountHealth](t, d.call(http.MethodGet, path, "", "Authorization", key), 200)
	if len(one.Posts) != 1 || one.Posts[0].RunAt == nil || !one.Posts[0].RunAt.Equal(when) {
		t.Errorf("posts = %+v", one.Posts)
	}
	for _, call := range []string{"GET " + path, "PATCH " + path, "POST " + path + "/disconnect"} {
		method, p, _ := strings.Cut(call, " ")
		other, err := d.s.EnsureWorkspace(t.Context(), "other", "Other")
		if err != nil {
			t.Fatal(err)
		}
		body := ""
		if method == http.MethodPatch {
			body = `{"label":"mine"}`
		}
		if a := d.call(method, p, body, "Authorization", "Bearer "+d.key(other.ID, "admin")); a.status != http.StatusNotFound {
			t.Errorf("%s from another workspace: %d %s", call, a.status, a.body)
		}
	}
	gone := read[api.Disconnected](t, d.call(http.MethodPost, path+"/disconnect", "", "Authorization", key), 200)
	if gone.Status != growth.AccountDisconnected || !gone.Revoked || gone.ExpiresAt != nil {
		t.Errorf("account = %+v", gone)
	}
	// Connected again, it is the same account.
	link, _ = d.link(strings.TrimPrefix(key, "Bearer "), `{"account_id":"`+string(one.ID)+`"}`)
	newBrowser(t, "en").opens(link)
	back := read[api.AccountHealth](t, d.call(http.MethodGet, path, "", "Authorization", key), 200)
	if back.Status != growth.AccountActive || back.Label != "The boss" {
		t.Errorf("account = %+v", back)
	}
}

func TestConnectSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	d := newDesk(t, simulator.OAuth{})
	key := "Bearer " + d.key(d.ws.ID, "approve")
	for body, want := range map[string]int{
		`{"organization_urn":"Café"}`:                                   422,
		`{"account_id":"` + growth.NewID() + `"}`:                       404,
		`{"account_id":"x"}`:                                            422,
		`{"scope":"all"}`:                                               422,
		`{"organization_urn":"urn:li:organization:1","account_id":"x"}`: 422,
	} {
		if a := d.call(http.MethodPost, "/v1/linkedin/connect", body, "Authorization", key); a.status != want {
			t.Errorf("%s: %d %s; want %d", body, a.status, a.body, want)
		}
	}
	if a := d.call(http.MethodPost, "/v1/linkedin/connect", `{}`, "Authorization", "Bearer "+d.key(d.ws.ID, "enqueue", "read")); a.status != http.StatusForbidden {
		t.Errorf("without the scope: %d", a.status)
	}
	if a := newFace(t, nil).call(http.MethodPost, "/v1/linkedin/connect", `{}`); a.status != http.StatusConflict {
		t.Errorf("an API without an application: %d %s", a.status, a.body)
	}
}
