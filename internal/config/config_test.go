package config_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/joho/godotenv"

	"github.com/zakibelm/astrogrowth/internal/config"
)

func load(t *testing.T, environ map[string]string) config.Config {
	t.Helper()
	c, err := config.Load(environ, "")
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return c
}

func TestDefaultsOfAnEmptyEnvironment(t *testing.T) {
	t.Parallel()
	c := load(t, nil)
	got := map[string]any{
		"port": c.Port, "monitor": c.MonitorPort, "worker": c.WorkerPort, "simulator": c.SimulatorPort,
		"addr": c.Addr(c.Port), "url": c.AppURL, "redirect": c.LinkedInRedirectURI, "data": c.DataDir, "simulator_url": c.SimulatorURL, "logs": c.LogDir,
		"embedded": c.Embedded(), "redis": c.EmbeddedRedis(), "simulated": c.SimulatorWanted(), "keys": c.KeysRequired(),
		"ttl": c.CacheTTL.Duration(), "breaker": c.BreakerTimeout.Duration(), "interval": c.LinkedInMinInterval.Duration(),
		"latency": c.SimulatorLatency.Duration(), "fx": c.FXUSDCAD.String(), "currency": c.Currency, "production": c.Production(),
	}
	want := map[string]any{
		"port": 3000, "monitor": 3001, "worker": 3002, "simulator": 3003,
		"addr": "127.0.0.1:3000", "url": "http://localhost:3000", "redirect": "http://localhost:3000/oauth/linkedin/callback",
		"data": ".data", "simulator_url": "http://127.0.0.1:3003", "logs": "", "embedded": true, "redis": true, "simulated": true, "keys": false,
		"ttl": time.Hour, "breaker": time.Minute, "interval": 15 * time.Minute,
		"latency": 40 * time.Millisecond, "fx": "1.4", "currency": "CAD", "production": false,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

func TestExampleNamesEveryVariableWithItsDefault(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", ".env.example")
	got, err := godotenv.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, v := range config.Variables() {
		if v.Accepted == "" {
			t.Errorf("%s does not say what it accepts", v.Name)
		}
		want[v.Name] = v.Default
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf(".env.example and Config differ (-Config +file):\n%s", diff)
	}
	if _, err := config.Load(nil, path); err != nil {
		t.Errorf("a copied .env.example does not load: %v", err)
	}
}

func TestSimulatorWanted(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		environ map[string]string
		want    bool
	}{
		{"nothing configured", nil, true},
		{"a key of OpenRouter", map[string]string{"OPENROUTER_API_KEY": "k"}, false},
		{"a token of Hugging Face", map[string]string{"HUGGINGFACE_TOKEN": "k"}, false},
		{"an Ollama", map[string]string{"OLLAMA_URL": "http://localhost:11434"}, false},
		{"on beside a provider", map[string]string{"SIMULATOR": "on", "OPENROUTER_API_KEY": "k"}, true},
		{"off without a provider", map[string]string{"SIMULATOR": "off"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := load(t, tc.environ).SimulatorWanted(); got != tc.want {
				t.Errorf("SimulatorWanted() = %v, want %v", got, tc.want)
			}
		})
	}
}

func TestKeysRequired(t *testing.T) {
	t.Parallel()
	const admin = "a-long-enough-admin-key"
	for _, tc := range []struct {
		name    string
		environ map[string]string
		want    bool
	}{
		{"embedded on loopback", nil, false},
		{"embedded on IPv6 loopback", map[string]string{"BIND_ADDR": "::1"}, false},
		{"embedded on localhost", map[string]string{"BIND_ADDR": "localhost"}, false},
		{"embedded for everybody", map[string]string{"BIND_ADDR": "0.0.0.0", "ADMIN_API_KEY": admin}, true},
		{"own database on loopback", map[string]string{"DATABASE_URL": "postgres://h/d"}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := load(t, tc.environ).KeysRequired(); got != tc.want {
				t.Errorf("KeysRequired() = %v, want %v", got, tc.want)
			}
		})
	}
}

func TestProductionWritesLogsUnlessToldOff(t *testing.T) {
	t.Parallel()
	environ := map[string]string{"APP_ENV": "production", "ENCRYPTION_KEY": goodKey}
	if got := load(t, environ).LogDir; got != "logs" {
		t.Errorf("LogDir = %q, want logs", got)
	}
	environ["LOG_DIR"] = "off"
	if got := load(t, environ).LogDir; got != "" {
		t.Errorf("LogDir = %q, want none", got)
	}
}

func TestSealingKeysPutTheCurrentOneFirst(t *testing.T) {
	t.Parallel()
	c := load(t, map[string]string{"ENCRYPTION_KEY": goodKey, "ENCRYPTION_KEYS_OLD": oldKeyURLSafe + " , " + goodKey})
	keys := c.SealingKeys()
	if len(keys) != 3 {
		t.Fatalf("%d keys, want 3", len(keys))
	}
	for i, key := range keys {
		if len(key) != 32 {
			t.Errorf("key %d has %d bytes, want 32", i, len(key))
		}
	}
	if diff := cmp.Diff(keys[0], keys[2]); diff != "" {
		t.Errorf("the same key decodes differently:\n%s", diff)
	}
	if cmp.Equal(keys[0], keys[1]) {
		t.Error("the old key equals the current one")
	}
	if got := load(t, nil).SealingKeys(); len(got) != 0 {
		t.Errorf("%d keys without ENCRYPTION_KEY, want none", len(got))
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		currency, want string
		known          bool
	}{
		{"USD", "1", true},
		{"CAD", "1.3717", true},
		{"EUR", "0", false},
	} {
		t.Run(tc.currency, func(t *testing.T) {
			t.Parallel()
			got, known := load(t, map[string]string{"CURRENCY": tc.currency, "FX_USD_CAD": "1.3717"}).Rate()
			if got.String() != tc.want || known != tc.known {
				t.Errorf("Rate() = %v, %v, want %v, %v", got, known, tc.want, tc.known)
			}
		})
	}
}

func TestListsAndNetworks(t *testing.T) {
	t.Parallel()
	c := load(t, map[string]string{
		"CORS_ORIGINS":         " https://a.example , http://localhost:5173,",
		"CALLBACK_ALLOW_HOSTS": "n8n,10.0.0.5:5678",
		"TRUSTED_PROXIES":      "10.1.2.3/8, 192.0.2.7",
	})
	if diff := cmp.Diff(config.List{"https://a.example", "http://localhost:5173"}, c.CORSOrigins); diff != "" {
		t.Errorf("CORSOrigins (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(config.List{"n8n", "10.0.0.5:5678"}, c.CallbackHosts); diff != "" {
		t.Errorf("CallbackHosts (-want +got):\n%s", diff)
	}
	for ip, want := range map[string]bool{"10.200.0.1": true, "192.0.2.7": true, "192.0.2.8": false, "::ffff:192.0.2.7": true} {
		if got := c.TrustedProxies.Contains(netip.MustParseAddr(ip)); got != want {
			t.Errorf("Contains(%s) = %v, want %v", ip, got, want)
		}
	}
}

func TestEnvironmentWinsOverTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), ".env")
	writeFile(t, path, "PORT=4000\nMONITOR_PORT=4001\nOPENROUTER_API_KEY=from-file\n")
	c, err := config.Load(map[string]string{"PORT": "5000", "OPENROUTER_API_KEY": ""}, path)
	if err != nil {
		t.Fatal(err)
	}
	if c.Port != 5000 || c.MonitorPort != 4001 {
		t.Errorf("ports = %d, %d, want 5000, 4001", c.Port, c.MonitorPort)
	}
	if !c.OpenRouterAPIKey.Empty() {
		t.Error("a variable that the environment empties still has the file's value")
	}
}

func TestSecretsFromFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "token")
	writeFile(t, path, "hf_token\n")
	c := load(t, map[string]string{"HUGGINGFACE_TOKEN_FILE": path})
	if got := c.HuggingFaceToken.Reveal(); got != "hf_token" {
		t.Errorf("token = %q, want the file's value without its line end", got)
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
