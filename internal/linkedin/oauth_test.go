package linkedin_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/linkedin"
)

// oauthAt is a client of an authorization server that always answers so.
func oauthAt(t *testing.T, status int, body string) *linkedin.OAuth {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "" {
			t.Errorf("a query that logs would keep: %q", r.URL.RawQuery)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(srv.Close)
	return linkedin.NewOAuth(linkedin.OAuthSettings{URL: srv.URL, ClientID: "app", ClientSecret: "hunter2", RedirectURI: "https://x.example/cb"})
}

func TestTokenAnswersInTheirVariety(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, tc := range map[string]struct {
		body, refresh, scopes string
		life, refreshLife     time.Duration // 0: not said
	}{
		"as documented":       {`{"access_token":"AQX","expires_in":5184000,"scope":"openid,profile","token_type":"Bearer"}`, "", "openid profile", 60 * day, 0},
		"blanks, no type":     {`{"access_token":"AQX","expires_in":5184000,"scope":"openid profile"}`, "", "openid profile", 60 * day, 0},
		"numbers as strings":  {`{"access_token":"AQX","expires_in":"5184000"}`, "", "", 60 * day, 0},
		"nothing is said":     {`{"access_token":"AQX"}`, "", "", 0, 0},
		"a partner":           {`{"access_token":"AQX","expires_in":5184000,"refresh_token":"AQW","refresh_token_expires_in":31536000}`, "AQW", "", 60 * day, 365 * day},
		"the refresh in mins": {`{"access_token":"AQX","expires_in":5184000,"refresh_token":"AQW","refresh_token_expires_in":525600}`, "AQW", "", 60 * day, 365 * day},
		"near the year's end": {`{"access_token":"AQX","expires_in":5184000,"refresh_token":"AQW","refresh_token_expires_in":1296000}`, "AQW", "", 60 * day, 15 * day},
		"a blank refresh":     {`{"access_token":"AQX","expires_in":5184000,"refresh_token":" ","refresh_token_expires_in":0}`, "", "", 60 * day, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := oauthAt(t, 200, tc.body).Exchange(t.Context(), "code", "")
			if err != nil || got.Access != "AQX" || got.Refresh != tc.refresh || strings.Join(got.Scopes, " ") != tc.scopes {
				t.Fatalf("%#v %v %v", got.Scopes, got.Refresh, err)
			}
			wantIn(t, "the token", got.ExpiresAt, tc.life)
			wantIn(t, "the refresh token", got.RefreshExpiresAt, tc.refreshLife)
			if s := fmt.Sprintf("%v %+v %#v", got, got, got); strings.Contains(s, "AQ") {
				t.Errorf("tokens print as %q", s)
			}
		})
	}
}

func wantIn(t *testing.T, what string, at *time.Time, want time.Duration) {
	t.Helper()
	switch {
	case want == 0 && at == nil:
	case want == 0 || at == nil:
		t.Errorf("%s ends at %v; want in %v", what, at, want)
	default:
		if d := time.Until(*at) - want; d > time.Minute || d < -time.Minute {
			t.Errorf("%s ends %v off", what, d)
		}
	}
}

// A refresh token's clock goes on, so a few days before its end a small number means seconds.
func TestRefreshTokensClockIsNotStretched(t *testing.T) {
	t.Parallel()
	known := time.Now().Add(5 * 24 * time.Hour)
	got, err := oauthAt(t, 200, `{"access_token":"AQX","expires_in":5184000,"refresh_token":"AQW","refresh_token_expires_in":432000}`).Refresh(t.Context(), "AQW", &known)
	if err != nil {
		t.Fatal(err)
	}
	wantIn(t, "the refresh token", got.RefreshExpiresAt, 5*24*time.Hour)
}

func TestOAuthRefusalsAreClassified(t *testing.T) {
	t.Parallel()
	const dead = "The provided authorization grant or refresh token is invalid, expired or revoked"
	for _, tc := range []struct {
		status int
		body   string
		want   growth.Code
	}{
		{400, `{"error":"invalid_request","error_description":"` + dead + `"}`, growth.KeyRejected},
		{401, `{"error":"invalid_request","error_description":"` + dead + `"}`, growth.KeyRejected},
		{400, `{"error":"invalid_grant"}`, growth.KeyRejected},
		{400, `{"error":"invalid_request","error_description":"A required parameter \"code\" is missing"}`, growth.Malformed},
		{401, `{"error":"invalid_client","error_description":"Client authentication failed"}`, growth.Unauthorized},
		{400, `{"error":"invalid_redirect_uri"}`, growth.Unauthorized},
		{401, `not json`, growth.Unauthorized},
		{429, `{}`, growth.Throttled},
		{500, `<html>`, growth.Unavailable},
		{503, `{"error":"invalid_client?"}`, growth.Unavailable},
		{404, ``, growth.Malformed},
		{200, `{"access_token":""}`, growth.Malformed},
		{200, `{"access_token":"a b"}`, growth.Malformed},
		{200, `{"access_token":"AQX","token_type":"mac"}`, growth.Malformed},
		{200, `<html>`, growth.Malformed},
		{302, ``, growth.Malformed},
	} {
		_, err := oauthAt(t, tc.status, tc.body).Refresh(t.Context(), "AQW-hunter2", nil)
		if growth.CodeOf(err) != tc.want || err == nil {
			t.Errorf("%d %s: %v; want %s", tc.status, tc.body, err, tc.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("a secret stands in %q", err)
		}
	}
	_, err := linkedin.NewOAuth(linkedin.OAuthSettings{URL: "http://127.0.0.1:1", ClientID: "app", ClientSecret: "hunter2", RedirectURI: "x"}).Refresh(t.Context(), "AQW", nil)
	if growth.CodeOf(err) != growth.Unavailable {
		t.Errorf("nobody there: %v", err)
	}
	if _, err := linkedin.NewOAuth(linkedin.OAuthSettings{}).Refresh(t.Context(), "AQW", nil); growth.CodeOf(err) != growth.Unauthorized {
		t.Errorf("no application: %v", err)
	}
}

func TestIntrospectionReadsBothUnitsOfTime(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"1769068800", "1769068800000"} {
		got, err := oauthAt(t, 200, `{"active":true,"status":"active","scope":"openid,profile","expires_at":`+at+`}`).Introspect(t.Context(), "AQX")
		if err != nil || !got.Active || got.ExpiresAt.Unix() != 1769068800 || len(got.Scopes) != 2 {
			t.Errorf("%s: %+v, %v", at, got, err)
		}
	}
	if got, err := oauthAt(t, 200, `{"active":false}`).Introspect(t.Context(), "AQX"); err != nil || got.Active {
		t.Errorf("another application's token: %+v, %v", got, err)
	}
	if _, err := oauthAt(t, 200, `{}`).Introspect(t.Context(), "AQX"); growth.CodeOf(err) != growth.Malformed {
		t.Errorf("an answer that says nothing: %v", err)
	}
}
