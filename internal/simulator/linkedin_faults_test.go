package simulator

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestLinkedInFaultsAfterAccept(t *testing.T) {
	t.Parallel()
	live := func(t *testing.T, s *sim, want int) {
		t.Helper()
		if n := len(s.Posts()); n != want {
			t.Errorf("%d live posts, want %d", n, want)
		}
	}
	li := []string{LinkedIn}
	each(t, li, Fault{Kind: "500_after_accept"}, func(t *testing.T, s *sim, g got) {
		t.Helper()
		if g.status != 500 {
			t.Errorf("status = %d", g.status)
		}
		live(t, s, 1)
		s.ClearFaults("")
		if again := askers[LinkedIn](s); again.status != 422 || !strings.Contains(again.body, s.Posts()[0].URN) {
			t.Errorf("second send = %d %s", again.status, again.body)
		}
		s.set(Fault{Provider: LinkedIn, Kind: "500_after_accept"}) // leaves the row that each expects
		s.post(liPosts, postBody("another"), liHeaders...)
	})
	each(t, li, Fault{Kind: KindResetAfterPost}, func(t *testing.T, s *sim, g got) {
		t.Helper()
		if g.err == nil {
			t.Errorf("status = %d, want a reset", g.status)
		}
		live(t, s, 1)
	})
	each(t, li, Fault{Kind: KindNoID}, func(t *testing.T, s *sim, g got) {
		t.Helper()
		if g.status != 201 || g.header.Get("X-RestLi-Id") != "" {
			t.Errorf("answer = %d %v", g.status, g.header)
		}
		live(t, s, 1)
	})
	each(t, li, Fault{Kind: KindDuplicate}, func(t *testing.T, s *sim, g got) {
		t.Helper()
		if g.status != 422 || !strings.Contains(g.body, "DUPLICATE_POST") || !strings.Contains(g.body, "urn:li:share:") {
			t.Errorf("answer = %d %s", g.status, g.body)
		}
		live(t, s, 0)
	})
	for kind, want := range map[string]string{KindRevoked: "REVOKED_ACCESS_TOKEN", KindExpired: "EXPIRED_ACCESS_TOKEN"} {
		each(t, li, Fault{Kind: kind}, func(t *testing.T, s *sim, g got) {
			t.Helper()
			if g.status != 401 || !strings.Contains(g.body, want) {
				t.Errorf("answer = %d %s", g.status, g.body)
			}
			live(t, s, 0)
		})
	}
}

func TestTimeoutsLeaveWithTheClient(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]int{KindTimeout: 0, KindTimeoutAfterPost: 1} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			s.set(Fault{Provider: LinkedIn, Kind: kind})
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, s.base+liPosts, strings.NewReader(string(encode(postBody("x")))))
			for i := 0; i < len(liHeaders); i += 2 {
				req.Header.Set(liHeaders[i], liHeaders[i+1])
			}
			client := &http.Client{Timeout: 150 * time.Millisecond, Transport: &http.Transport{}}
			if resp, err := client.Do(req); err == nil {
				_ = resp.Body.Close()
				t.Fatalf("status = %d, want a timeout", resp.StatusCode)
			}
			if n := len(s.Posts()); n != want {
				t.Errorf("%d live posts, want %d", n, want)
			}
		})
	}
}
