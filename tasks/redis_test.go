package tasks

import (
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
)

// seen is what of a client's options an address decides.
type seen struct {
	Kind, Network, Addr, User, Password string
	DB                                  int
	TLS                                 string // the server name that is checked; "-" without TLS
	Addrs                               []string
}

func look(t *testing.T, c redis.UniversalClient) seen {
	t.Helper()
	t.Cleanup(func() { _ = c.Close() })
	switch c := c.(type) {
	case *redis.Client:
		o := c.Options()
		s := seen{Kind: "single", Network: o.Network, Addr: o.Addr, User: o.Username, Password: o.Password, DB: o.DB, TLS: "-"}
		if o.Addr == "FailoverClient" {
			s.Kind = "sentinel"
		}
		if o.TLSConfig != nil {
			s.TLS = o.TLSConfig.ServerName
		}
		return s
	case *redis.ClusterClient:
		o := c.Options()
		s := seen{Kind: "cluster", Addrs: o.Addrs, User: o.Username, Password: o.Password, TLS: "-"}
		if o.TLSConfig != nil {
			s.TLS = o.TLSConfig.ServerName
		}
		return s
	}
	t.Fatalf("unknown client %T", c)
	return seen{}
}

func TestRedisReadsEveryFormOfAddress(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, url string
		want      seen
	}{
		{"host alone", "redis://h", seen{Kind: "single", Network: "tcp", Addr: "h:6379", TLS: "-"}},
		{
			"user, password and database", "redis://user:pw@h:6380/2",
			seen{Kind: "single", Network: "tcp", Addr: "h:6380", User: "user", Password: "pw", DB: 2, TLS: "-"},
		},
		{
			"encoded password", "redis://user:p%40s%2Fs%3A1@h",
			seen{Kind: "single", Network: "tcp", Addr: "h:6379", User: "user", Password: "p@s/s:1", TLS: "-"},
		},
		{"password alone", "redis://:pw@h/1", seen{Kind: "single", Network: "tcp", Addr: "h:6379", Password: "pw", DB: 1, TLS: "-"}},
		{"IPv6 with TLS", "rediss://[::1]:6390", seen{Kind: "single", Network: "tcp", Addr: "[::1]:6390", TLS: "::1"}},
		{"socket", "redis-socket:///run/redis.sock?db=3", seen{Kind: "single", Network: "unix", Addr: "/run/redis.sock", DB: 3, TLS: "-"}},
		{"socket as unix", "unix:///run/redis.sock", seen{Kind: "single", Network: "unix", Addr: "/run/redis.sock", TLS: "-"}},
		{
			"socket with password", "redis-socket://user:pw@/run/redis.sock",
			seen{Kind: "single", Network: "unix", Addr: "/run/redis.sock", User: "user", Password: "pw", TLS: "-"},
		},
		{
			"sentinel: the password is the master's", "redis-sentinel://user:pw@a,b:26380/3?master=growth",
			seen{Kind: "sentinel", Network: "tcp", Addr: "FailoverClient", User: "user", Password: "pw", DB: 3, TLS: "-"},
		},
		{
			"cluster", "redis-cluster://user:pw@a:7000,b,[::1]:7002",
			seen{Kind: "cluster", Addrs: []string{"a:7000", "b:6379", "[::1]:7002"}, User: "user", Password: "pw", TLS: "-"},
		},
		{"cluster with TLS", "redis-cluster://a,b?tls=true", seen{Kind: "cluster", Addrs: []string{"a:6379", "b:6379"}, TLS: "a"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c, err := Redis(tc.url)
			if err != nil {
				t.Fatalf("Redis: %v", err)
			}
			if diff := cmp.Diff(tc.want, look(t, c)); diff != "" {
				t.Errorf("client (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRedisRefusesWithoutRepeatingThePassword(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, url, says string }{
		{"no scheme", "hunter2hunter2", "scheme"},
		{"another scheme", "http://u:hunter2@h", "redis-cluster"},
		{"several hosts", "redis://u:hunter2@a,b", "one host"},
		{"no host", "redis://u:hunter2@", "host 1"},
		{"bad port", "redis://u:hunter2@h:70000", "port"},
		{"bad database", "redis://u:hunter2@h/x", "database"},
		{"unknown option", "redis://u:hunter2@h?colour=hunter2", "option"},
		{"bad escape", "redis://u:hunter2%zz@h", "percent"},
		{"socket with a host", "redis-socket://u:hunter2@h/run/x", "three slashes"},
		{"sentinel without master", "redis-sentinel://u:hunter2@a,b", "master"},
		{"empty host in a list", "redis-cluster://u:hunter2@a,,b", "host 2 of 3"},
		{"cluster with a database", "redis-cluster://u:hunter2@a/3", "no databases"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := Redis(tc.url)
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), tc.says) {
				t.Errorf("error %q does not say %q", err, tc.says)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error %q gives the password away", err)
			}
		})
	}
}

func TestRedisKeepsOptionsOfTheQuery(t *testing.T) {
	t.Parallel()
	c, err := Redis("redis://h?pool_size=7&read_timeout=9s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	single, ok := c.(*redis.Client)
	if !ok {
		t.Fatalf("client is a %T", c)
	}
	o := single.Options()
	if o.PoolSize != 7 || o.ReadTimeout != 9*time.Second {
		t.Errorf("pool %d, read timeout %v; want 7, 9s", o.PoolSize, o.ReadTimeout)
	}
}

func TestRedisLogsIn(t *testing.T) {
	t.Parallel()
	m := miniredis.RunT(t)
	m.RequireUserAuth("growth", "s3cret/word")
	c, err := Redis("redis://growth:s3cret%2Fword@" + m.Addr() + "/2")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatalf("set: %v", err)
	}
	if v, err := m.DB(2).Get("k"); err != nil || v != "v" {
		t.Errorf("database 2 has %q, %v; want v", v, err)
	}
}
