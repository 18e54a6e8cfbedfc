package linkedin

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
)

func serveMember(t *testing.T, status int, body string) *Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/userinfo" || r.Header.Get("Authorization") != "Bearer "+testToken || r.Header.Get("Linkedin-Version") != "" {
			t.Errorf("request %s %v", r.URL, r.Header)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return New(Settings{APIURL: server.URL})
}

func TestUserinfo(t *testing.T) {
	t.Parallel()
	for locale, language := range map[string]string{`{"country":"CA","language":"fr"}`: "fr-CA", `"en-US"`: "en-US", `7`: "", `{"language":"fr"}`: "fr"} {
		c := serveMember(t, 200, `{"sub":"782bbtaQ","name":"Ada Li","email":"ada@example.com","picture":"https://x/y.jpg","locale":`+locale+`}`)
		got, err := c.Userinfo(t.Context(), testToken)
		if err != nil {
			t.Fatal(err)
		}
		want := Member{Sub: "782bbtaQ", Name: "Ada Li", Email: "ada@example.com", Picture: "https://x/y.jpg", Language: language}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("member differs:\n%s", diff)
		}
		if got.URN() != "urn:li:person:782bbtaQ" {
			t.Errorf("urn = %s", got.URN())
		}
	}
}

func TestUserinfoFaults(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		status int
		body   string
		code   growth.Code
	}{
		{401, `{"code":"REVOKED_ACCESS_TOKEN"}`, growth.KeyRejected},
		{403, ``, growth.Forbidden},
		{429, ``, growth.Throttled},
		{500, ``, growth.Unavailable},
		{200, `{}`, growth.Malformed},
		{200, `<html>`, growth.Malformed},
	} {
		_, err := serveMember(t, tc.status, tc.body).Userinfo(t.Context(), testToken)
		if growth.CodeOf(err) != tc.code || !strings.HasPrefix(err.Error(), "linkedin.Userinfo: ") {
			t.Errorf("%d %s: %v", tc.status, tc.body, err)
		}
	}
	if _, err := New(Settings{APIURL: "http://127.0.0.1:1"}).Userinfo(t.Context(), testToken); growth.CodeOf(err) != growth.Unavailable {
		t.Errorf("unreachable: %v", err)
	}
}
