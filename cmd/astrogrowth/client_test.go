package main

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

func TestClientReadsRefusals(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		status int
		header map[string]string
		body   string
		code   growth.Code
		wait   time.Duration
		want   string
	}{
		{"problem", 422, nil, `{"message":"lead.email: must be one address","code":"invalid"}`, growth.Invalid, 0, "lead.email: must be one address"},
		{"too fast", 429, map[string]string{"Retry-After": "7"}, `{"message":"slow down","code":"throttled"}`, growth.Throttled, 7 * time.Second, "slow down"},
		{"no key", 401, nil, `{"message":"send an API key","code":"unauthorized"}`, growth.Unauthorized, 0, "ASTROGROWTH_API_KEY or ADMIN_API_KEY"},
		{"another program", 404, nil, `<html>not here</html>`, growth.NotFound, 0, "is another program at this address?"},
		{"a proxy in front", 502, nil, `bad gateway`, growth.Unavailable, 0, "answered 502"},
		{"no JSON", 200, nil, `<html>`, growth.NotFound, 0, "is another program at this address?"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for k, v := range tc.header {
					w.Header().Set(k, v)
				}
				w.WriteHeader(tc.status)
				_, _ = w.Write([]byte(tc.body))
			}))
			defer server.Close()
			_, err := newClient(server.URL, "", "").me(t.Context())
			if err == nil {
				t.Fatal("no error")
			}
			if growth.CodeOf(err) != tc.code || growth.RetryAfterOf(err) != tc.wait {
				t.Errorf("code %v, wait %v; want %v, %v", growth.CodeOf(err), growth.RetryAfterOf(err), tc.code, tc.wait)
			}
			wantContains(t, "error", err.Error(), tc.want)
		})
	}
}

func TestClientWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	url := deadAddress(t)
	_, err := newClient(url, "", "").me(t.Context())
	if growth.CodeOf(err) != growth.Unavailable {
		t.Errorf("code = %v", growth.CodeOf(err))
	}
	wantContains(t, "error", err.Error(), "no answer from "+url, "connection refused", "astrogrowth up")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newClient(url, "", "").me(ctx); growth.CodeOf(err) != growth.Canceled {
		t.Errorf("after an interruption: %v", err)
	}
}

func TestClientSaysWhoItIs(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name      string
		environ   map[string]string
		args      []string
		key       string
		workspace string
	}{
		{"nobody", nil, nil, "", ""},
		{"administrator", map[string]string{"ADMIN_API_KEY": "admin-key-0123456789"}, nil, "Bearer admin-key-0123456789", ""},
		{
			"a key of one's own first",
			map[string]string{"ADMIN_API_KEY": "admin-key-0123456789", "ASTROGROWTH_API_KEY": "ag_live_x"},
			[]string{"--workspace", "acme"},
			"Bearer ag_live_x", "acme",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			api := newFakeAPI(t)
			environ := map[string]string{"APP_URL": api.url}
			maps.Copy(environ, tc.environ)
			got := runCLI(t, environ, append([]string{"import", file(t, "shops.csv", shops)}, tc.args...)...)
			if got.code != exitDone {
				t.Fatalf("code = %d: %s", got.code, got.err)
			}
			if k := api.headers.Get("Authorization"); k != tc.key {
				t.Errorf("key = %q, want %q", k, tc.key)
			}
			if w := api.headers.Get("X-Workspace"); w != tc.workspace {
				t.Errorf("workspace = %q, want %q", w, tc.workspace)
			}
			if strings.Contains(got.out+got.err, "ag_live_x") {
				t.Error("the key is printed")
			}
		})
	}
}
