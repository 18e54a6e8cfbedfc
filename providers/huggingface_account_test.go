package providers_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/providers"
)

func TestHuggingFaceWhoami(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		status int
		known  bool
		code   growth.Code // of the error; 0: none
	}{
		{"a token that works", 200, true, 0},
		{"a token that was revoked", 401, false, growth.KeyRejected},
		{"a proxy without accounts", 404, false, 0},
		{"a server that is down", 503, false, growth.Unavailable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var asked *http.Request
			hub := roundTrip(func(r *http.Request) (*http.Response, error) {
				asked = r
				rec := httptest.NewRecorder()
				rec.WriteHeader(tc.status)
				_, _ = io.WriteString(rec, `{"error":"Invalid username or password."}`)
				return rec.Result(), nil
			})
			p := providers.NewHuggingFace(providers.Settings{Key: "hf_x", HTTP: &http.Client{Transport: hub}})
			known, err := p.Whoami(t.Context())
			if known != tc.known || (err == nil) != (tc.code == 0) || err != nil && growth.CodeOf(err) != tc.code {
				t.Errorf("known = %v, %v; want %v, %v", known, err, tc.known, tc.code)
			}
			if err != nil && strings.Contains(err.Error(), "hf_x") {
				t.Errorf("the token is told: %v", err)
			}
			if got := asked.URL.String(); got != "https://huggingface.co/api/whoami-v2" || asked.Header.Get("Authorization") != "Bearer hf_x" {
				t.Errorf("asked %s with %q", got, asked.Header.Get("Authorization"))
			}
		})
	}
	if _, err := providers.NewHuggingFace(providers.Settings{}).Whoami(t.Context()); growth.CodeOf(err) != growth.KeyRejected {
		t.Errorf("no token: %v", err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
