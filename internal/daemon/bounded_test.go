package daemon

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A body that a handler closes unread must end the connection: the rest of it is not the next request.
func TestUnreadBodyDoesNotBecomeTheNextRequest(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(bounded(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.Body.Close()
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	})))
	t.Cleanup(srv.Close)
	for range 8 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL, strings.NewReader(strings.Repeat("a", 1<<20)))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := srv.Client().Do(req)
		if err != nil {
			continue // the connection was closed while the body was being sent, which is right
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusRequestEntityTooLarge || !resp.Close {
			t.Errorf("status = %d, close = %v, want 413 and a connection that ends", resp.StatusCode, resp.Close)
		}
	}
}

// A caller who stops in the middle of a small body is answered and let go: the server's own reading of what is left of
// the body would otherwise hold the connection for as long as the caller likes.
func TestStalledBodyEndsTheConnection(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(boundedBy(200*time.Millisecond, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			w.WriteHeader(http.StatusRequestTimeout)
		}
	})))
	t.Cleanup(srv.Close)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{\"a\""); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	answer, err := io.ReadAll(conn) // ends with the connection
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 408") {
		t.Errorf("answer %q, %v; want a 408 and the end", answer, err)
	}
}
