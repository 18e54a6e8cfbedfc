// Package config turns the environment into one typed value that the programs hand on as plain parameters. It is the
// only package that reads the environment, it reports every problem at once, and it never shows a secret. It refuses to
// know what the values are for: it opens no connection and imports no client library.
package config

import (
	"net"
	"net/netip"
	"strconv"

	"github.com/shopspring/decimal"
)

// Config holds every variable of the product. The tag accept says in words what a variable takes; it is what an
// operator reads when a value is refused. Fields of type Secret and Secrets can be given as NAME_FILE too.
type Config struct {
	DatabaseURL Secret `env:"DATABASE_URL" accept:"postgres://user:password@host:5432/database, or empty for the embedded server"`
	RedisURL    Secret `env:"REDIS_URL" accept:"redis://, rediss://, redis-socket:///path, redis-sentinel://a,b?master=name or redis-cluster://a,b, or empty for the embedded server"`
	DataDir     string `env:"DATA_DIR" envDefault:".data" accept:"a directory"`

	BindAddr       string   `env:"BIND_ADDR" envDefault:"127.0.0.1" accept:"an IP address or localhost"`
	Port           int      `env:"PORT" envDefault:"3000" accept:"a whole number from 1 to 65535"`
	MonitorPort    int      `env:"MONITOR_PORT" envDefault:"3001" accept:"a whole number from 1 to 65535"`
	WorkerPort     int      `env:"WORKER_PORT" envDefault:"3002" accept:"a whole number from 1 to 65535"`
	SimulatorPort  int      `env:"SIMULATOR_PORT" envDefault:"3003" accept:"a whole number from 1 to 65535"`
	AppURL         string   `env:"APP_URL" accept:"an http or https address without query, as https://growth.example.com; empty: http://localhost:PORT"`
	DashboardURL   string   `env:"DASHBOARD_URL" accept:"an http or https address without query, as https://dashboard.example.com; empty: APP_URL's host with MONITOR_PORT, and none where APP_URL has no port"`
	TrustedProxies Prefixes `env:"TRUSTED_PROXIES" accept:"IP addresses or networks with commas between them, as 10.0.0.0/8,192.0.2.7"`
	CORSOrigins    List     `env:"CORS_ORIGINS" accept:"origins with commas between them, as https://app.example.com"`
	CallbackHosts  List     `env:"CALLBACK_ALLOW_HOSTS" accept:"host names or IP addresses with commas between them, each with or without a port"`

	AppEnv       AppEnv `env:"APP_ENV" envDefault:"development" accept:"development, test or production"`
	LogLevel     string `env:"LOG_LEVEL" envDefault:"info" accept:"trace, debug, info, warn or error"`
	LogDir       string `env:"LOG_DIR" accept:"a directory, or off; empty: logs in production, off elsewhere"`
	SentryDSN    Secret `env:"SENTRY_DSN" accept:"https://key@host/project"`
	OTLPEndpoint string `env:"OTEL_EXPORTER_OTLP_ENDPOINT" accept:"an http or https address"`

	Simulator          SimulatorMode `env:"SIMULATOR" envDefault:"auto" accept:"auto, on or off"`
	SimulatorURL       string        `env:"SIMULATOR_URL" accept:"an http or https address; empty: http://127.0.0.1:SIMULATOR_PORT"`
	SimulatorLatency   Millis        `env:"SIMULATOR_LATENCY_MS" envDefault:"40" accept:"whole milliseconds, 0 to 600000"`
	OpenRouterAPIKey   Secret        `env:"OPENROUTER_API_KEY" accept:"a key"`
	OpenRouterBaseURL  string        `env:"OPENROUTER_BASE_URL" envDefault:"https://openrouter.ai/api/v1" accept:"an http or https address"`
	HuggingFaceToken   Secret        `env:"HUGGINGFACE_TOKEN" accept:"a token"`
	HuggingFaceBaseURL string        `env:"HUGGINGFACE_BASE_URL" envDefault:"https://router.huggingface.co/v1" accept:"an http or https address"`
	OllamaURL          string        `env:"OLLAMA_URL" accept:"an http or https address, as http://localhost:11434; empty: not used"`
	EmbedModel         string        `env:"EMBED_MODEL" envDefault:"nomic-embed-text" accept:"a model name"`
	RoutesFile         string        `env:"ROUTES_FILE" accept:"a file that can be read; empty: the routes that are built in"`
	PricesFile         string        `env:"PRICES_FILE" accept:"a file that can be read; empty: the providers' own lists, else the one that is built in"`

	LinkedInClientID     string `env:"LINKEDIN_CLIENT_ID" accept:"the app's client id, together with LINKEDIN_CLIENT_SECRET"`
	LinkedInClientSecret Secret `env:"LINKEDIN_CLIENT_SECRET" accept:"the app's client secret, together with LINKEDIN_CLIENT_ID"`
	LinkedInRedirectURI  string `env:"LINKEDIN_REDIRECT_URI" accept:"an http or https address; empty: APP_URL/oauth/linkedin/callback"`
	LinkedInAPIURL       string `env:"LINKEDIN_API_URL" envDefault:"https://api.linkedin.com" accept:"an http or https address"`
	LinkedInOAuthURL     string `env:"LINKEDIN_OAUTH_URL" envDefault:"https://www.linkedin.com/oauth/v2" accept:"an http or https address"`
	LinkedInPKCE         bool   `env:"LINKEDIN_PKCE" envDefault:"false" accept:"true or false"`
	LinkedInVersion      string `env:"LINKEDIN_VERSION" envDefault:"202608" accept:"year and month as YYYYMM"`
	LinkedInPostAPI      string `env:"LINKEDIN_POST_API" envDefault:"posts" accept:"posts, or ugc for an app that has only UGC Posts"`
	LinkedInMaxCalls     int    `env:"LINKEDIN_MAX_CALLS_PER_DAY" envDefault:"150" accept:"a whole number from 1 to 1000000"`
	LinkedInMaxPosts     int    `env:"LINKEDIN_MAX_POSTS_PER_DAY" envDefault:"100" accept:"a whole number from 1 to 100000"`
	LinkedInMinInterval  Millis `env:"LINKEDIN_MIN_POST_INTERVAL_MS" envDefault:"900000" accept:"whole milliseconds, 0 to 604800000"`

	EncryptionKey     Secret  `env:"ENCRYPTION_KEY" accept:"32 random bytes in base64, as 'openssl rand -base64 32' prints them"`
	EncryptionKeysOld Secrets `env:"ENCRYPTION_KEYS_OLD" accept:"earlier values of ENCRYPTION_KEY with commas between them"`
	AdminAPIKey       Secret  `env:"ADMIN_API_KEY" accept:"at least 16 characters without a space"`

	CacheTTL           Seconds         `env:"CACHE_TTL" envDefault:"3600" accept:"whole seconds, 1 to 31536000"`
	BreakerThreshold   int             `env:"CIRCUIT_BREAKER_FAILURE_THRESHOLD" envDefault:"5" accept:"a whole number from 1 to 1000"`
	BreakerTimeout     Millis          `env:"CIRCUIT_BREAKER_TIMEOUT" envDefault:"60000" accept:"whole milliseconds, 1 to 86400000"`
	FreePerMinute      int             `env:"OPENROUTER_FREE_PER_MINUTE" envDefault:"-1" accept:"a whole number from 0 to 1000000, 0: no limit; -1: what OpenRouter allows, and no limit at the simulator"`
	FreeWindow         Millis          `env:"OPENROUTER_FREE_WINDOW_MS" envDefault:"60000" accept:"whole milliseconds, 100 to 3600000"`
	FreePerDay         int             `env:"OPENROUTER_FREE_PER_DAY" envDefault:"-1" accept:"a whole number from 0 to 1000000, 0: no limit; -1: what OpenRouter says of the account, and no limit at the simulator"`
	APIRequestsPerHour int             `env:"API_MAX_REQUESTS_PER_HOUR" envDefault:"1000" accept:"a whole number from 1 to 100000000"`
	Currency           string          `env:"CURRENCY" envDefault:"CAD" accept:"an ISO 4217 code in capitals, as CAD"`
	FXUSDCAD           decimal.Decimal `env:"FX_USD_CAD" envDefault:"1.40" accept:"Canadian dollars for one US dollar as a decimal above 0 and below 100, as 1.40"`
	WorkerConcurrency  int             `env:"WORKER_CONCURRENCY" envDefault:"32" accept:"a whole number from 1 to 10000"`
	OwnStores          bool            `env:"OWN_STORES" envDefault:"false" accept:"true or false"`
	RetentionDays      int             `env:"RETENTION_DAYS" envDefault:"90" accept:"a whole number from 1 to 36500"`
}

// Embedded says whether the program brings its own Postgres along, because no DATABASE_URL is given.
func (c Config) Embedded() bool { return c.DatabaseURL.Empty() }

// EmbeddedRedis says whether the program brings its own Redis along, because no REDIS_URL is given.
func (c Config) EmbeddedRedis() bool { return c.RedisURL.Empty() }

// Production says whether the program serves real users.
func (c Config) Production() bool { return c.AppEnv == Production }

// ProvidersConfigured says whether at least one provider of language models is given.
func (c Config) ProvidersConfigured() bool {
	return !c.OpenRouterAPIKey.Empty() || !c.HuggingFaceToken.Empty() || c.OllamaURL != ""
}

// SimulatorWanted says whether the built-in simulator stands in for the providers and LinkedIn.
func (c Config) SimulatorWanted() bool {
	return c.Simulator == SimulatorOn || (c.Simulator == SimulatorAuto && !c.ProvidersConfigured())
}

// Loopback says whether the programs listen on this machine only.
func (c Config) Loopback() bool { return loopback(c.BindAddr) }

// KeysRequired says whether callers need an API key: always, but for the embedded default on loopback. The programs that
// `astrogrowth up` starts get the addresses of its stores, and learn by OwnStores that these are embedded.
func (c Config) KeysRequired() bool {
	own := c.OwnStores || c.Embedded()
	return !own || !c.Loopback() || c.Production() || !c.AdminAPIKey.Empty()
}

// Addr is what a server with this port listens on.
func (c Config) Addr(port int) string { return net.JoinHostPort(c.BindAddr, strconv.Itoa(port)) }

// SealingKeys returns the 32-byte keys that seal tokens, the current one first and those that were rotated out after
// it. It is empty when ENCRYPTION_KEY is not set.
func (c Config) SealingKeys() [][]byte {
	var keys [][]byte
	for _, s := range append(Secrets{c.EncryptionKey}, c.EncryptionKeysOld...) {
		if key, err := decodeKey(s); err == nil {
			keys = append(keys, key)
		}
	}
	return keys
}

// Rate is how much of Currency one US dollar buys. It reports false for a currency that no variable gives a rate for.
func (c Config) Rate() (rate decimal.Decimal, known bool) {
	switch c.Currency {
	case "USD":
		return decimal.NewFromInt(1), true
	case "CAD":
		return c.FXUSDCAD, true
	}
	return decimal.Decimal{}, false
}

// loopback reports whether host names this machine only.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
