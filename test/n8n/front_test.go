//go:build n8n

package n8n

import (
	"context"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"
)

// front stands where the workflows look for the product and passes everything on, but holds back the answers that a run
// waits for before it sleeps. So a callback comes while the run has not yet reached its Wait node, however fast or slow
// this machine is.
type front struct {
	holding chan struct{} // closed when an answer is held
	release chan struct{} // close it to let the answer go
}

func newFront(t *testing.T, product string) *front {
	t.Helper()
	f := &front{holding: make(chan struct{}), release: make(chan struct{})}
	to, err := url.Parse(product)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.ModifyResponse = func(resp *http.Response) error {
		if resp.Request.Method != http.MethodGet || resp.Request.URL.Query().Get("wait") != "0s" {
			return nil
		}
		close(f.holding)
		select {
		case <-f.release:
		case <-resp.Request.Context().Done():
		}
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
	return f
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
