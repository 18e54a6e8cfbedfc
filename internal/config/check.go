package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
	"golang.org/x/text/currency"
)

const (
	keyBytes         = 32
	weakDistinct     = 16 // 32 random bytes have fewer distinct values about never
	minAdminKeyChars = 16
)

// fillIn sets the defaults that depend on other variables.
func (c *Config) fillIn() {
	if c.AppURL == "" {
		c.AppURL = "http://localhost:" + strconv.Itoa(c.Port)
	}
	c.AppURL, c.DashboardURL = strings.TrimRight(c.AppURL, "/"), strings.TrimRight(c.DashboardURL, "/")
	if c.SimulatorURL == "" {
		c.SimulatorURL = "http://127.0.0.1:" + strconv.Itoa(c.SimulatorPort)
	}
	if c.LinkedInRedirectURI == "" {
		c.LinkedInRedirectURI = c.AppURL + "/oauth/linkedin/callback"
	}
	switch {
	case c.LogDir == "off":
		c.LogDir = ""
	case c.LogDir == "" && c.Production():
		c.LogDir = "logs"
	}
}

// checker collects problems; a variable that did not parse is not judged a second time.
type checker struct {
	vars     map[string]string
	known    map[string]bool
	problems []Problem
}

func (k *checker) add(name, reason string) {
	if k.known[name] {
		return
	}
	k.known[name] = true
	k.problems = append(k.problems, variableOf(name).problem(k.vars, reason))
}

func (k *checker) require(ok bool, name string) {
	if !ok {
		k.add(name, "")
	}
}

// check judges each value on its own and then the values together.
func (c *Config) check(vars map[string]string, before []Problem) []Problem {
	k := &checker{vars: vars, known: map[string]bool{}}
	for _, p := range before {
		k.known[strings.TrimSuffix(p.Name, fileSuffix)] = true
	}
	c.checkNumbers(k)
	c.checkAddresses(k)
	c.checkWords(k)
	c.checkSecrets(k)
	c.checkTogether(k)
	return k.problems
}

func (c *Config) checkNumbers(k *checker) {
	between := func(name string, n, low, high int64) { k.require(n >= low && n <= high, name) }
	for name, port := range c.ports() {
		between(name, int64(port), 1, 65535)
	}
	between("LINKEDIN_MAX_CALLS_PER_DAY", int64(c.LinkedInMaxCalls), 1, 1_000_000)
	between("LINKEDIN_MAX_POSTS_PER_DAY", int64(c.LinkedInMaxPosts), 1, 100_000)
	between("CIRCUIT_BREAKER_FAILURE_THRESHOLD", int64(c.BreakerThreshold), 1, 1000)
	between("API_MAX_REQUESTS_PER_HOUR", int64(c.APIRequestsPerHour), 1, 100_000_000)
	between("OPENROUTER_FREE_PER_MINUTE", int64(c.FreePerMinute), -1, 1_000_000)
	between("OPENROUTER_FREE_WINDOW_MS", c.FreeWindow.Duration().Milliseconds(), 100, 3_600_000)
	between("OPENROUTER_FREE_PER_DAY", int64(c.FreePerDay), -1, 1_000_000)
	between("WORKER_CONCURRENCY", int64(c.WorkerConcurrency), 1, 10_000)
	between("RETENTION_DAYS", int64(c.RetentionDays), 1, 36_500)
	between("SIMULATOR_LATENCY_MS", c.SimulatorLatency.Duration().Milliseconds(), 0, 600_000)
	between("LINKEDIN_MIN_POST_INTERVAL_MS", c.LinkedInMinInterval.Duration().Milliseconds(), 0, 604_800_000)
	between("CIRCUIT_BREAKER_TIMEOUT", c.BreakerTimeout.Duration().Milliseconds(), 1, 86_400_000)
	between("CACHE_TTL", int64(c.CacheTTL.Duration()/time.Second), 1, 31_536_000)
	k.require(validRate(c.FXUSDCAD), "FX_USD_CAD")
}

// validRate looks at the exponent first: comparing 1e999999999 would write out all its digits.
func validRate(d decimal.Decimal) bool {
	return d.Exponent() >= -12 && d.Exponent() <= 2 && d.IsPositive() && d.LessThan(decimal.NewFromInt(100))
}

func (c *Config) ports() map[string]int {
	return map[string]int{
		"PORT": c.Port, "MONITOR_PORT": c.MonitorPort, "WORKER_PORT": c.WorkerPort, "SIMULATOR_PORT": c.SimulatorPort,
	}
}

func (c *Config) checkWords(k *checker) {
	k.require(slices.Contains([]string{"trace", "debug", "info", "warn", "error"}, c.LogLevel), "LOG_LEVEL")
	_, err := time.Parse("200601", c.LinkedInVersion)
	k.require(err == nil && c.LinkedInVersion > "2000", "LINKEDIN_VERSION")
	k.require(c.LinkedInPostAPI == "posts" || c.LinkedInPostAPI == "ugc", "LINKEDIN_POST_API")
	unit, err := currency.ParseISO(c.Currency)
	k.require(err == nil && unit.String() == c.Currency, "CURRENCY")
	_, err = netip.ParseAddr(c.BindAddr)
	k.require(err == nil || c.BindAddr == "localhost", "BIND_ADDR")
	for name, file := range map[string]string{"ROUTES_FILE": c.RoutesFile, "PRICES_FILE": c.PricesFile} {
		if file != "" {
			info, err := os.Stat(file)
			k.require(err == nil && !info.IsDir(), name)
		}
	}
}

func (c *Config) checkSecrets(k *checker) {
	if err := checkKey(c.EncryptionKey, c.Production()); err != nil {
		k.add("ENCRYPTION_KEY", err.Error())
	}
	for i, old := range c.EncryptionKeysOld {
		if err := checkKey(old, false); err != nil {
			k.add("ENCRYPTION_KEYS_OLD", fmt.Sprintf("key %d %v", i+1, err))
		}
	}
	if admin := c.AdminAPIKey.Reveal(); admin != "" {
		k.require(len(admin) >= minAdminKeyChars && !strings.ContainsAny(admin, " \t\r\n"), "ADMIN_API_KEY")
	}
}

// checkTogether judges what only several variables can say.
func (c *Config) checkTogether(k *checker) {
	if c.Production() && c.EncryptionKey.Empty() {
		k.add("ENCRYPTION_KEY", "is required when APP_ENV is production")
	}
	if !k.known["BIND_ADDR"] && !c.Loopback() && c.AdminAPIKey.Empty() {
		k.add("ADMIN_API_KEY", fmt.Sprintf("is required when BIND_ADDR is %s, which other machines can reach", c.BindAddr))
	}
	if c.LinkedInClientID != "" && c.LinkedInClientSecret.Empty() {
		k.add("LINKEDIN_CLIENT_SECRET", "is missing while LINKEDIN_CLIENT_ID is set")
	}
	if c.LinkedInClientID == "" && !c.LinkedInClientSecret.Empty() {
		k.add("LINKEDIN_CLIENT_ID", "is missing while LINKEDIN_CLIENT_SECRET is set")
	}
	taken := map[int]string{}
	for _, name := range []string{"PORT", "MONITOR_PORT", "WORKER_PORT", "SIMULATOR_PORT"} {
		port := c.ports()[name]
		if first, ok := taken[port]; ok {
			k.add(name, "is taken by "+first+" already")
			continue
		}
		taken[port] = name
	}
}

// checkKey lets an unset key pass: whether one is needed depends on APP_ENV.
func checkKey(s Secret, strict bool) error {
	if s.Empty() {
		return nil
	}
	key, err := decodeKey(s)
	if err != nil {
		return err
	}
	if strict && distinct(key) < weakDistinct {
		return errors.New("is too weak: its bytes repeat")
	}
	return nil
}

// decodeKey reads 32 bytes in any of the base64 alphabets, padded or not.
func decodeKey(s Secret) ([]byte, error) {
	text := strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(s.Reveal()), "=")
	key, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		// The decoder's text would give away where the odd character stands.
		return nil, errors.New("is not base64")
	}
	if len(key) != keyBytes {
		return nil, fmt.Errorf("holds %d bytes instead of %d", len(key), keyBytes)
	}
	return key, nil
}

func distinct(b []byte) int {
	seen := map[byte]bool{}
	for _, x := range b {
		seen[x] = true
	}
	return len(seen)
}
