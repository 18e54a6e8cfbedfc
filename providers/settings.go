package providers

import (
	"net"
	"net/http"
	"strings"
	"time"
)

// Settings are what an installation chooses about a provider. The zero value of each field is a default, except that a
// provider which needs a key, or Ollama which needs an address, is not Configured without it.
type Settings struct {
	BaseURL string       // empty: the provider's public address; Ollama has none
	Key     string       `json:"-"`
	HTTP    *http.Client `json:"-"` // nil: a client with keep-alives and no proxy for loopback addresses
	AppURL  string       // sent to OpenRouter as the address of the application
	AppName string       // sent to OpenRouter as its name

	// MaxInFlight bounds the requests that Ollama is given at once; it queues without bound itself. 0: 1, which is
	// what an Ollama with default settings works on at a time.
	MaxInFlight int
}

// String shows the settings without the key.
func (s Settings) String() string {
	key := "none"
	if s.Key != "" {
		key = "[secret]"
	}
	return "{BaseURL:" + s.BaseURL + " Key:" + key + "}"
}

// GoString is String, so that %#v shows no key either.
func (s Settings) GoString() string { return "providers.Settings" + s.String() }

// client returns the HTTP client to use. It follows no redirect: that would send the key and the prompt to an address
// nobody configured, and the request a second time.
func (s Settings) client() *http.Client {
	c := http.Client{}
	if s.HTTP != nil {
		c = *s.HTTP
	}
	if c.Transport == nil {
		c.Transport = newTransport()
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// newTransport has room for a worker's whole concurrency towards one host. It has no time limit for the first byte:
// a model may be loaded inside the request, and the context is the limit.
func newTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment, // by its contract never for localhost and loopback addresses
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
		MaxIdleConns:           256,
		MaxIdleConnsPerHost:    128,
		IdleConnTimeout:        30 * time.Second, // shorter than the hosts', so that few requests meet a dead connection
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: 1 << 20,
	}
}

// baseURL is the address without a trailing slash, or fallback.
func (s Settings) baseURL(fallback string) string {
	if base := strings.TrimRight(strings.TrimSpace(s.BaseURL), "/"); base != "" {
		return base
	}
	return fallback
}
