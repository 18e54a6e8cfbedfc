package daemon

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
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
