package daemon_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/zakibelm/astrogrowth/internal/daemon"
)

func TestClientIsWhomTrustedProxiesName(t *testing.T) {
	t.Parallel()
	inside := netip.MustParsePrefix("10.0.0.0/8")
	for _, tc := range []struct {
		name, remote string
		forwarded    []string
		want         string
	}{
		{"no proxy", "203.0.113.9:4000", nil, "203.0.113.9"},
		{"a stranger who claims to be another", "203.0.113.9:4000", []string{"198.51.100.1"}, "203.0.113.9"},
		{"one proxy", "10.0.0.2:4000", []string{"198.51.100.1"}, "198.51.100.1"},
		{"a claim before the proxy", "10.0.0.2:4000", []string{"192.0.2.66, 198.51.100.1"}, "198.51.100.1"},
		{"two proxies", "10.0.0.2:4000", []string{"192.0.2.66, 198.51.100.1, 10.0.0.3"}, "198.51.100.1"},
		{"two headers", "10.0.0.2:4000", []string{"198.51.100.1", "10.0.0.3"}, "198.51.100.1"},
		{"a proxy that names nobody", "10.0.0.2:4000", nil, "10.0.0.2"},
		{"a hop that is none", "10.0.0.2:4000", []string{"198.51.100.1, unknown"}, "10.0.0.2"},
		{"with a port", "10.0.0.2:4000", []string{"198.51.100.1:777"}, "198.51.100.1"},
		{"IPv6", "[::ffff:10.0.0.2]:4000", []string{"[2001:db8::7]:777"}, "2001:db8::7"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
			r.RemoteAddr = tc.remote
			for _, f := range tc.forwarded {
				r.Header.Add("X-Forwarded-For", f)
			}
			var got netip.Addr
			daemon.KnowClient(inside.Contains)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = daemon.Client(r.Context()) })).ServeHTTP(httptest.NewRecorder(), r)
			if got.String() != tc.want {
				t.Errorf("client = %s, want %s", got, tc.want)
			}
		})
	}
}

// A log names the network alone.
func TestClientNetworkNamesNoMachine(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{"203.0.113.9:1": "203.0.113.0/24", "[2001:db8:1:2::7]:1": "2001:db8:1::/48", "nowhere": ""} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		r.RemoteAddr = remote
		daemon.KnowClient(func(netip.Addr) bool { return false })(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if got := daemon.ClientNetwork(r.Context()); got != want {
				t.Errorf("%s = %q, want %q", remote, got, want)
			}
		})).ServeHTTP(httptest.NewRecorder(), r)
	}
	if got := daemon.ClientNetwork(context.Background()); got != "" {
		t.Errorf("without a request = %q", got)
	}
}
