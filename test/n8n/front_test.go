//go:build n8n

package n8n

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// stand puts a front where the workflows look for the product, for one test: it passes everything on, and lets the test
// see and spoil the answers.
func stand(t *testing.T, product string, seen func(*http.Response)) {
	t.Helper()
	to, err := url.Parse(product)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.ModifyResponse = func(resp *http.Response) error {
		seen(resp)
		return nil
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:"+configuredPort)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: proxy, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }() // ends with the clean-up
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
	})
}

// delay holds back the answer that a run waits for before it sleeps. So a callback comes while the run has not yet
// reached its Wait node, however fast or slow this machine is.
type delay struct {
	holding chan struct{} // closed when an answer is held
	held    func()
	release chan struct{} // close it to let the answer go
}

func newDelay() *delay {
	d := &delay{holding: make(chan struct{}), release: make(chan struct{})}
	d.held = sync.OnceFunc(func() { close(d.holding) }) // n8n may ask a second time
	return d
}

func (d *delay) seen(resp *http.Response) {
	if resp.Request.Method != http.MethodGet || resp.Request.URL.Query().Get("wait") != "0s" {
		return
	}
	d.held()
	select {
	case <-d.release:
	case <-resp.Request.Context().Done():
	}
}

// loss takes the answers to the first posts away: the product has accepted them, and the run hears a 503.
type loss struct {
	mu       sync.Mutex
	left     int
	keys     []string // of every post
	replayed []string // what the product said of each
}

func (l *loss) seen(resp *http.Response) {
	if resp.Request.Method != http.MethodPost {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keys = append(l.keys, resp.Request.Header.Get("Idempotency-Key"))
	l.replayed = append(l.replayed, resp.Header.Get("Idempotency-Replayed"))
	if l.left--; l.left < 0 {
		return
	}
	body := `{"message":"no answer from above"}`
	_ = resp.Body.Close()
	resp.StatusCode, resp.Status, resp.Body, resp.ContentLength = http.StatusServiceUnavailable, "", io.NopCloser(strings.NewReader(body)), int64(len(body))
	resp.Header = http.Header{"Content-Type": {"application/problem+json"}}
}

// within waits for a channel to close.
func within(t *testing.T, d time.Duration, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(d):
		t.Fatalf("waited %v in vain for %s", d, what)
	}
}
