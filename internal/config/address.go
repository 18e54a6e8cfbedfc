package config

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)

// checkAddresses judges everything that names another machine.
func (c *Config) checkAddresses(k *checker) {
	if !c.DatabaseURL.Empty() {
		k.require(validDatabaseURL(c.DatabaseURL.Reveal()), "DATABASE_URL")
	}
	if !c.RedisURL.Empty() {
		k.require(validRedisURL(c.RedisURL.Reveal()), "REDIS_URL")
	}
	if !c.SentryDSN.Empty() {
		k.require(validDSN(c.SentryDSN.Reveal()), "SENTRY_DSN")
	}
	for name, address := range map[string]string{
		"APP_URL": c.AppURL, "DASHBOARD_URL": c.DashboardURL, "OTEL_EXPORTER_OTLP_ENDPOINT": c.OTLPEndpoint, "OLLAMA_URL": c.OllamaURL,
		"SIMULATOR_URL":       c.SimulatorURL,
		"OPENROUTER_BASE_URL": c.OpenRouterBaseURL, "HUGGINGFACE_BASE_URL": c.HuggingFaceBaseURL,
		"LINKEDIN_REDIRECT_URI": c.LinkedInRedirectURI, "LINKEDIN_API_URL": c.LinkedInAPIURL, "LINKEDIN_OAUTH_URL": c.LinkedInOAuthURL,
	} {
		k.require(address == "" || validWebURL(address), name)
	}
	for _, origin := range c.CORSOrigins {
		k.require(validOrigin(origin), "CORS_ORIGINS")
	}
	for _, host := range c.CallbackHosts {
		k.require(validHost(host), "CALLBACK_ALLOW_HOSTS")
	}
}

// validDatabaseURL wants a database's name, and a host unless the query names a socket's directory.
func validDatabaseURL(s string) bool {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return false
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil || len(strings.Trim(u.Path, "/")) == 0 {
		return false
	}
	return validPort(u.Port()) && (u.Hostname() != "" || query.Get("host") != "")
}

// validRedisURL takes the URL apart by hand: the lists of hosts of a sentinel or a cluster are no URL for net/url.
func validRedisURL(s string) bool {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return false
	}
	rest, rawQuery, _ := strings.Cut(rest, "?")
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return false
	}
	authority, path, _ := strings.Cut(rest, "/")
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		authority = authority[at+1:]
	}
	hosts := strings.Split(authority, ",")
	switch scheme {
	case "redis", "rediss":
		return len(hosts) == 1 && validHost(authority) && validDB(path)
	case "redis-socket":
		return authority == "" && path != "" && validDB(query.Get("db"))
	case "redis-sentinel":
		return validHosts(hosts) && query.Get("master") != "" && validDB(path)
	case "redis-cluster":
		return validHosts(hosts) && path == ""
	}
	return false
}

func validDB(s string) bool {
	n, err := strconv.Atoi(s)
	return s == "" || (err == nil && n >= 0)
}

func validHosts(hosts []string) bool {
	for _, h := range hosts {
		if !validHost(h) {
			return false
		}
	}
	return len(hosts) > 0
}

// validHost takes a name or an address, with or without a port.
func validHost(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = strings.Trim(s, "[]"), ""
	}
	_, notIP := netip.ParseAddr(host)
	return validPort(port) && (notIP == nil || hostName.MatchString(host))
}

// validPort takes the empty port as the scheme's own.
func validPort(s string) bool {
	n, err := strconv.Atoi(s)
	return s == "" || (err == nil && n >= 1 && n <= 65535)
}

// validWebURL refuses user names and passwords: such an address is shown and logged.
func validWebURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" &&
		validPort(u.Port()) && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

func validOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && validWebURL(s) && u.Path == ""
}

func validDSN(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" &&
		u.User.Username() != "" && strings.Trim(u.Path, "/") != ""
}
