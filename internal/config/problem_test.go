package config_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/zakibelm/astrogrowth/internal/config"
)

const (
	goodKey       = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQ/wECAwQFBgc="
	oldKeyURLSafe = "_wECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	weakKey       = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
)

func problems(t *testing.T, environ map[string]string, dotenv string) *config.InvalidError {
	t.Helper()
	_, err := config.Load(environ, dotenv)
	invalid, ok := errors.AsType[*config.InvalidError](err)
	if !ok {
		t.Fatalf("Load(%v) = %v, want an InvalidError", environ, err)
	}
	return invalid
}

func TestEachBadValueIsNamed(t *testing.T) {
	t.Parallel()
	for name, values := range map[string][]string{
		"PORT":                              {"0", "65536", "-1", "http", "3.5"},
		"APP_ENV":                           {"prod"},
		"DASHBOARD_URL":                     {"localhost:3001", "ftp://h", "https://", "https://u:p@h", "https://h?x=1", "http://h:99999"},
		"APP_URL":                           {"localhost:3000", "ftp://h", "https://", "https://u:p@h", "https://h?x=1", "http://h:99999"},
		"BIND_ADDR":                         {"everywhere", "127.0.0.1:3000"},
		"TRUSTED_PROXIES":                   {"10.0.0.0/99", "proxy"},
		"CORS_ORIGINS":                      {"*", "example.com", "https://a.example/path"},
		"CALLBACK_ALLOW_HOSTS":              {"http://n8n", "a b", "n8n:0"},
		"LOG_LEVEL":                         {"verbose", "INFO"},
		"SIMULATOR":                         {"yes"},
		"SIMULATOR_LATENCY_MS":              {"-1", "1s", "600001"},
		"OLLAMA_URL":                        {"localhost:11434"},
		"ROUTES_FILE":                       {"does-not-exist.yaml", "."},
		"PRICES_FILE":                       {"does-not-exist.json", "."},
		"LINKEDIN_VERSION":                  {"2026", "202613", "latest", "000001"},
		"LINKEDIN_MAX_POSTS_PER_DAY":        {"0", "many"},
		"LINKEDIN_MAX_CALLS_PER_DAY":        {"0", "many"},
		"LINKEDIN_POST_API":                 {"shares", "UGC"},
		"LINKEDIN_MIN_POST_INTERVAL_MS":     {"-5", "99999999999999"},
		"CIRCUIT_BREAKER_FAILURE_THRESHOLD": {"0"},
		"CIRCUIT_BREAKER_TIMEOUT":           {"0", "60s"},
		"CACHE_TTL":                         {"0", "1h"},
		"API_MAX_REQUESTS_PER_HOUR":         {"0"},
		"WORKER_CONCURRENCY":                {"0"},
		"RETENTION_DAYS":                    {"0"},
		"CURRENCY":                          {"cad", "XYZW", "$", "QQQ"},
		"FX_USD_CAD":                        {"0", "-1", "1,37", "abc", "100", "1e999999999", "1e-999999999"},
	} {
		for _, value := range values {
			t.Run(name+"="+value, func(t *testing.T) {
				t.Parallel()
				err := problems(t, map[string]string{name: value, "ADMIN_API_KEY": "a-long-enough-admin-key"}, "")
				if diff := cmp.Diff([]string{name}, err.Names()); diff != "" {
					t.Fatalf("variables at fault (-want +got):\n%s\n%v", diff, err)
				}
				if p := err.Problems[0]; p.Accepted == "" {
					t.Errorf("%v does not say what is accepted", p)
				}
			})
		}
	}
}

func TestAddressesOfStores(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, value string
		ok          bool
	}{
		{"DATABASE_URL", "postgres://u:p@h:5432/d?sslmode=disable", true},
		{"DATABASE_URL", "postgresql://h/d", true},
		{"DATABASE_URL", "postgres:///d?host=/var/run/postgresql", true},
		{"DATABASE_URL", "postgres://h", false},
		{"DATABASE_URL", "postgres:///d", false},
		{"DATABASE_URL", "postgres://h:0/d", false},
		{"DATABASE_URL", "mysql://h/d", false},
		{"DATABASE_URL", "host=h dbname=d", false},
		{"DATABASE_URL", "postgres://u:p%zz@h/d", false},
		{"REDIS_URL", "redis://h", true},
		{"REDIS_URL", "redis://user:pw@h:6379/2", true},
		{"REDIS_URL", "rediss://[::1]:6380", true},
		{"REDIS_URL", "redis-socket:///run/redis.sock?db=1", true},
		{"REDIS_URL", "redis-sentinel://:pw@a:26379,b:26379/1?master=growth", true},
		{"REDIS_URL", "redis-cluster://user:pw@a:7000,b:7001,c", true},
		{"REDIS_URL", "redis://h1:1,h2:2", false},
		{"REDIS_URL", "redis://h/x", false},
		{"REDIS_URL", "redis://", false},
		{"REDIS_URL", "redis-socket://h/run/redis.sock", false},
		{"REDIS_URL", "redis-sentinel://a,b", false},
		{"REDIS_URL", "redis-cluster://a,,b", false},
		{"REDIS_URL", "redis-cluster://a,b/3", false},
		{"REDIS_URL", "http://h", false},
		{"REDIS_URL", "localhost:6379", false},
		{"SENTRY_DSN", "https://key@errors.example/42", true},
		{"SENTRY_DSN", "https://errors.example/42", false},
	} {
		t.Run(tc.name+"="+tc.value, func(t *testing.T) {
			t.Parallel()
			_, err := config.Load(map[string]string{tc.name: tc.value}, "")
			if (err == nil) != tc.ok {
				t.Errorf("err = %v, want ok = %v", err, tc.ok)
			}
			if invalid, ok := errors.AsType[*config.InvalidError](err); ok && invalid.Problems[0].Given != "" {
				t.Errorf("the problem shows the value: %v", err)
			}
		})
	}
}

func TestValuesThatDoNotGoTogether(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		environ map[string]string
		want    []string
	}{
		{"production without a key", map[string]string{"APP_ENV": "production"}, []string{"ENCRYPTION_KEY"}},
		{"production with a weak key", map[string]string{"APP_ENV": "production", "ENCRYPTION_KEY": weakKey}, []string{"ENCRYPTION_KEY"}},
		{"a short key", map[string]string{"ENCRYPTION_KEY": "c2hvcnQ="}, []string{"ENCRYPTION_KEY"}},
		{"a key that is no base64", map[string]string{"ENCRYPTION_KEY": "correct horse battery staple"}, []string{"ENCRYPTION_KEY"}},
		{"an old key that is too short", map[string]string{"ENCRYPTION_KEYS_OLD": goodKey + ",c2hvcnQ="}, []string{"ENCRYPTION_KEYS_OLD"}},
		{"reachable without an admin key", map[string]string{"BIND_ADDR": "0.0.0.0"}, []string{"ADMIN_API_KEY"}},
		{"reachable by IPv6 without an admin key", map[string]string{"BIND_ADDR": "::"}, []string{"ADMIN_API_KEY"}},
		{"a short admin key", map[string]string{"ADMIN_API_KEY": "admin"}, []string{"ADMIN_API_KEY"}},
		{"two equal ports", map[string]string{"WORKER_PORT": "3003"}, []string{"SIMULATOR_PORT"}},
		{"a client without its secret", map[string]string{"LINKEDIN_CLIENT_ID": "id"}, []string{"LINKEDIN_CLIENT_SECRET"}},
		{"a secret without its client", map[string]string{"LINKEDIN_CLIENT_SECRET": "s"}, []string{"LINKEDIN_CLIENT_ID"}},
		{"a secret twice", map[string]string{"ADMIN_API_KEY": "a-long-enough-admin-key", "ADMIN_API_KEY_FILE": "/dev/null"}, []string{"ADMIN_API_KEY_FILE"}},
		{"a secret's file that is missing", map[string]string{"REDIS_URL_FILE": "/does/not/exist"}, []string{"REDIS_URL_FILE"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, problems(t, tc.environ, "").Names()); diff != "" {
				t.Errorf("variables at fault (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	err := problems(t, map[string]string{
		"DATABASE_URL": "mysql://root:hunter2@h/d", "PORT": "0", "LOG_LEVEL": "loud", "CACHE_TTL": "soon",
		"APP_ENV": "production", "BIND_ADDR": "0.0.0.0", "OLLAMA_URL": "htp://me:hunter2@h",
	}, "")
	want := []string{"DATABASE_URL", "PORT", "LOG_LEVEL", "OLLAMA_URL", "ENCRYPTION_KEY", "ADMIN_API_KEY", "CACHE_TTL"}
	if diff := cmp.Diff(want, err.Names()); diff != "" {
		t.Errorf("variables at fault (-want +got):\n%s", diff)
	}
	text := err.Error()
	for _, part := range []string{"7 problems", `PORT: "0" is not accepted; accepted: a whole number`, `CACHE_TTL: "soon"`} {
		if !strings.Contains(text, part) {
			t.Errorf("message lacks %q:\n%s", part, text)
		}
	}
	if strings.Contains(text, "hunter2") {
		t.Errorf("message shows a password:\n%s", text)
	}
}

func TestBrokenDotEnvIsNamedByLineAndNotQuoted(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, text, want string }{
		{"no assignment", "PORT=3000\nsk-hunter2\nCACHE_TTL=1\n", "line 2"},
		{"quote left open", "PORT=3000\nADMIN_API_KEY=\"hunter2\n\nX=1", "line 2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), ".env")
			writeFile(t, path, tc.text)
			text := problems(t, nil, path).Error()
			if !strings.Contains(text, tc.want) || !strings.Contains(text, path) {
				t.Errorf("message does not name %s of the file: %s", tc.want, text)
			}
			if strings.Contains(text, "hunter2") {
				t.Errorf("message quotes the file: %s", text)
			}
		})
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("redis-cluster://a,b", "postgres://h/d", "1.37", "https://h", "10.0.0.0/8")
	f.Add("redis://@/", "://", "1e9999", "http://[::1]:3", ",")
	f.Fuzz(func(t *testing.T, redis, database, fx, web, proxies string) {
		environ := map[string]string{
			"REDIS_URL": redis, "DATABASE_URL": database, "FX_USD_CAD": fx, "APP_URL": web, "TRUSTED_PROXIES": proxies,
			"ENCRYPTION_KEY": redis, "CALLBACK_ALLOW_HOSTS": web,
		}
		if _, err := config.Load(environ, ""); err != nil {
			if _, ok := errors.AsType[*config.InvalidError](err); !ok {
				t.Errorf("Load = %v, want an InvalidError", err)
			}
		}
	})
}
