package simulator

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// tour is a member's way through the authorization server.
type tour struct {
	*sim
	clock time.Time
}

func newTour(t *testing.T, set OAuth) *tour {
	t.Helper()
	v := &tour{sim: start(t), clock: now}
	v.now = func() time.Time { return v.clock }
	v.SetOAuth(set)
	return v
}

const toApp = "http://localhost:3000/cb"

// consents walks to the page and gives the query with which the browser comes back.
func (v *tour) consents(scope, challenge string) url.Values {
	v.t.Helper()
	q := url.Values{"response_type": {"code"}, "client_id": {"app"}, "redirect_uri": {toApp}, "state": {"s"}, "scope": {scope}}
	if challenge != "" {
		q.Set("code_challenge", challenge)
		q.Set("code_challenge_method", "S256")
	}
	web := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodGet, v.base+"/linkedin/oauth/v2/authorization?"+q.Encode(), nil)
	if err != nil {
		v.t.Fatal(err)
	}
	resp, err := web.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	_ = resp.Body.Close()
	to, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || !strings.HasPrefix(to.String(), toApp) || to.Query().Get("state") != "s" {
		v.t.Fatalf("status %d, sent to %q", resp.StatusCode, to)
	}
	return to.Query()
}

func (v *tour) form(path string, pairs ...string) got {
	v.t.Helper()
	f := url.Values{"client_id": {"app"}, "client_secret": {"secret"}}
	for i := 0; i+1 < len(pairs); i += 2 {
		f.Set(pairs[i], pairs[i+1])
	}
	return v.call(http.MethodPost, "/linkedin/oauth/v2/"+path, f.Encode(), "Content-Type", "application/x-www-form-urlencoded")
}

func (v *tour) exchange(code string, more ...string) got {
	v.t.Helper()
	return v.form("accessToken", append([]string{"grant_type", "authorization_code", "code", code, "redirect_uri", toApp}, more...)...)
}

const memberScope = "openid profile w_member_social"

func TestCodeIsGoodOnceForItsApplicationAndHalfAnHour(t *testing.T) {
	v := newTour(t, OAuth{AutoApprove: "Ada Li"})
	code := v.consents(memberScope, "").Get("code")
	first := v.exchange(code)
	if first.status != 200 || at(t, first.json(t), "scope") != "openid,profile,w_member_social" {
		t.Fatalf("%d %s", first.status, first.body)
	}
	if again := v.exchange(code); again.status != 400 || at(t, again.json(t), "error") != "invalid_request" {
		t.Errorf("the second time: %d %s", again.status, again.body)
	}
	code = v.consents(memberScope, "").Get("code")
	if other := v.exchange(code, "redirect_uri", "http://elsewhere/cb"); other.status != 400 {
		t.Errorf("another address: %d", other.status)
	}
	code = v.consents(memberScope, "").Get("code")
	v.clock = v.clock.Add(31 * time.Minute)
	if late := v.exchange(code); late.status != 400 {
		t.Errorf("after 31 minutes: %d", late.status)
	}
	code = v.consents(memberScope, challengeOf("verifier")).Get("code")
	if wrong := v.exchange(code, "code_verifier", "guess"); wrong.status != 400 {
		t.Errorf("a wrong verifier: %d", wrong.status)
	}
	if bad := v.exchange("x", "client_secret", wrongSecret); bad.status != 401 || at(t, bad.json(t), "error") != "invalid_client" {
		t.Errorf("a wrong secret: %d %s", bad.status, bad.body)
	}
}

func TestIssuedTokenIsItsMembersAndEnds(t *testing.T) {
	v := newTour(t, OAuth{AutoApprove: "Ada Li", Partner: true})
	answer := v.exchange(v.consents(memberScope, "").Get("code")).json(t)
	token, refresh := fmt.Sprint(answer["access_token"]), fmt.Sprint(answer["refresh_token"])
	who := func(token string) got {
		return v.call(http.MethodGet, "/linkedin/v2/userinfo", "", "Authorization", "Bearer "+token)
	}
	if me := who(token); me.status != 200 || at(t, me.json(t), "name") != "Ada Li" {
		t.Fatalf("%d %s", me.status, me.body)
	}
	v.clock = v.clock.Add(61 * 24 * time.Hour)
	if me := who(token); me.status != 401 || at(t, me.json(t), "code") != "EXPIRED_ACCESS_TOKEN" {
		t.Errorf("after 61 days: %d %s", me.status, me.body)
	}
	next := v.form("accessToken", "grant_type", "refresh_token", "refresh_token", refresh).json(t)
	if left := next["refresh_token_expires_in"]; left != (304 * 24 * time.Hour).Seconds() {
		t.Errorf("the refresh token has %v s left; want 304 days", left)
	}
	second := fmt.Sprint(next["access_token"])
	// Other scopes end all that there was.
	v.exchange(v.consents(memberScope+" w_organization_social", "").Get("code"))
	if me := who(second); me.status != 401 || at(t, me.json(t), "code") != "REVOKED_ACCESS_TOKEN" {
		t.Errorf("after other scopes: %d %s", me.status, me.body)
	}
	seen := v.form("introspectToken", "token", second).json(t)
	if seen["active"] != false || seen["status"] != "revoked" {
		t.Errorf("introspection %v", seen)
	}
	if dead := v.form("accessToken", "grant_type", "refresh_token", "refresh_token", refresh); dead.status != 400 {
		t.Errorf("a refresh after that: %d %s", dead.status, dead.body)
	}
}

func TestTokenPostsAsWhatItsScopesSay(t *testing.T) {
	v := newTour(t, OAuth{AutoApprove: "Ada Li"})
	token := fmt.Sprint(v.exchange(v.consents(memberScope, "").Get("code")).json(t)["access_token"])
	post := func(author string) int {
		body := `{"author":"` + author + `","commentary":"x","visibility":"PUBLIC","distribution":{"feedDistribution":"MAIN_FEED","targetEntities":[],"thirdPartyDistributionChannels":[]},"lifecycleState":"PUBLISHED"}`
		return v.call(http.MethodPost, "/linkedin/rest/posts", body, "Authorization", "Bearer "+token, "LinkedIn-Version", "202608", "X-Restli-Protocol-Version", "2.0.0", "Content-Type", "application/json").status
	}
	self := "urn:li:person:" + subject("sim-ada-li")
	if a, b, c := post(self), post("urn:li:person:other"), post("urn:li:organization:1"); a != 201 || b != 403 || c != 403 {
		t.Errorf("as oneself %d, as another %d, as a page %d", a, b, c)
	}
}

func TestConsentPageAsksAndRefuses(t *testing.T) {
	v := newTour(t, OAuth{})
	q := url.Values{"response_type": {"code"}, "client_id": {"<b>app"}, "redirect_uri": {toApp}, "state": {"s"}, "scope": {"openid"}}
	page := v.call(http.MethodGet, "/linkedin/oauth/v2/authorization?"+q.Encode(), "")
	if page.status != 200 || !strings.Contains(page.body, "Allow access?") || strings.Contains(page.body, "<b>app") {
		t.Errorf("%d %s", page.status, page.body)
	}
	q.Set("redirect_uri", "/nowhere")
	if bad := v.call(http.MethodGet, "/linkedin/oauth/v2/authorization?"+q.Encode(), ""); bad.status != 400 {
		t.Errorf("an address that cannot be gone back to: %d", bad.status)
	}
	v.SetOAuth(OAuth{AutoApprove: "x", NoOrganizations: true})
	if back := v.consents("openid w_organization_social", ""); back.Get("error") != "unauthorized_scope_error" {
		t.Errorf("sent back with %v", back)
	}
}
