package dashboard_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/auth"
	"github.com/zakibelm/astrogrowth/internal/config"
	"github.com/zakibelm/astrogrowth/internal/dashboard"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/store"
)

func TestLogin(t *testing.T) {
	t.Parallel()
	db := testenv.Store(t)
	mine, other := workspace(t, db, "Mine only"), workspace(t, db, "Somebody else's")
	d := seed{t, db, other}
	foreign := d.job(growth.JobLeadQualification, map[string]any{}, "")
	own := seed{t, db, mine}.job(growth.JobLeadQualification, map[string]any{}, "")
	keys := map[string]string{}
	ids := map[string]string{}
	for name, k := range map[string]store.Key{
		"agency": {Name: "agency", Scopes: []string{"admin"}},
		"one":    {Name: "one", Scopes: []string{"admin"}, Workspace: mine.ID},
		"reader": {Name: "reader", Scopes: []string{"read"}, Workspace: mine.ID},
	} {
		keys[name] = auth.NewKey()
		saved, err := db.AddKey(t.Context(), k, auth.Hash(keys[name]))
		if err != nil {
			t.Fatal(err)
		}
		ids[name] = saved.ID
	}
	queues := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "asynqmon") })
	cfg := dashboard.Config{
		Store: db, Workspace: other.Slug, RequireLogin: true, AdminKey: config.NewSecret("the-administrators-key"), Queues: queues,
		Secret: []byte("0123456789abcdef0123456789abcdef"),
	}

	t.Run("nothing without it", func(t *testing.T) {
		t.Parallel()
		s := serve(t, cfg)
		for _, path := range []string{"/", "/jobs", "/leads", "/contents", "/publications", "/schedules", "/queues/", "/jobs/" + string(foreign), "/nowhere"} {
			a := s.get(path)
			if a.status != http.StatusSeeOther || a.header.Get("Location") != "/login?next="+url.QueryEscape(path) {
				t.Errorf("GET %s = %d to %q", path, a.status, a.header.Get("Location"))
			}
		}
		for _, path := range []string{"/data/overview.json", "/queues/api/queues"} {
			if a := s.get(path); a.status != http.StatusUnauthorized {
				t.Errorf("GET %s = %d, want 401", path, a.status)
			}
		}
		if a := s.post("/contents/"+growth.NewID()+"/approve", url.Values{"hash": {"h"}}); a.status != http.StatusUnauthorized {
			t.Errorf("approve = %d, want 401", a.status)
		}
	})
	t.Run("keys", func(t *testing.T) {
		t.Parallel()
		for _, tc := range []struct {
			name, key string
			status    int
		}{
			{"wrong", "ag_live_wrong", http.StatusUnauthorized},
			{"empty", "", http.StatusUnauthorized},
			{"without the scope", keys["reader"], http.StatusForbidden},
			{"administrator's", "the-administrators-key", http.StatusSeeOther},
			{"of the agency", keys["agency"], http.StatusSeeOther},
			{"of a workspace", keys["one"], http.StatusSeeOther},
		} {
			s := serve(t, cfg)
			a := s.post("/login", url.Values{"key": {tc.key}, "next": {"/jobs"}})
			if a.status != tc.status {
				t.Errorf("%s: login = %d, want %d", tc.name, a.status, tc.status)
			}
			if inside := s.get("/jobs").status == http.StatusOK; inside != (tc.status == http.StatusSeeOther) {
				t.Errorf("%s: inside = %v", tc.name, inside)
			}
			if strings.Contains(a.body, "ag_live_wrong") {
				t.Error("the page repeats the key")
			}
		}
	})
	t.Run("the cookie", func(t *testing.T) {
		t.Parallel()
		s := serve(t, cfg)
		a := s.post("/login", url.Values{"key": {keys["agency"]}, "next": {"//evil.example/"}})
		if got := a.header.Get("Location"); got != "/" {
			t.Errorf("login leads to %q", got)
		}
		c := a.header.Get("Set-Cookie")
		for _, want := range []string{"HttpOnly", "SameSite=Strict", "Path=/"} {
			if !strings.Contains(c, want) {
				t.Errorf("cookie %q lacks %s", c, want)
			}
		}
		if strings.Contains(c, keys["agency"]) {
			t.Error("the cookie holds the key")
		}
		value, _, _ := strings.Cut(strings.TrimPrefix(c, "astrogrowth_session="), ";")
		forged := strings.Replace(value, ids["agency"], ids["one"], 1)
		for _, bad := range []string{forged, value + "x", "admin.99999999999." + "x", "..", ""} {
			r := s.request(http.MethodGet, "/jobs", nil)
			s.client.Jar = nil
			r.Header.Set("Cookie", "astrogrowth_session="+bad)
			if a := s.do(r); a.status != http.StatusSeeOther {
				t.Errorf("cookie %q opens the dashboard: %d", bad, a.status)
			}
		}
	})
	t.Run("a workspace's key sees its workspace only", func(t *testing.T) {
		t.Parallel()
		s := serve(t, cfg)
		s.post("/login", url.Values{"key": {keys["one"]}})
		s.page("/jobs/"+string(own), "Mine only")
		r := s.request(http.MethodGet, "/jobs/"+string(foreign), nil)
		r.Header.Set("Cookie", "astrogrowth_workspace="+other.Slug)
		if a := s.do(r); a.status != http.StatusNotFound {
			t.Errorf("the other workspace's job = %d, want 404", a.status)
		}
		if a := s.get("/queues/"); a.status != http.StatusForbidden {
			t.Errorf("queues = %d, want 403", a.status)
		}
	})
	t.Run("an agency's key sees all", func(t *testing.T) {
		t.Parallel()
		s := serve(t, cfg)
		s.post("/login", url.Values{"key": {keys["agency"]}})
		s.page("/jobs/" + string(foreign))
		if a := s.post("/workspace", url.Values{"slug": {mine.Slug}}); a.status != http.StatusSeeOther {
			t.Errorf("switch = %d", a.status)
		}
		s.page("/jobs/" + string(own))
		s.page("/queues/", "asynqmon")
		if a := s.post("/logout", url.Values{}); a.status != http.StatusSeeOther || s.get("/").status != http.StatusSeeOther {
			t.Error("still inside after the log-out")
		}
	})
	t.Run("ends", func(t *testing.T) {
		t.Parallel()
		now := time.Now()
		late := cfg
		late.Now = func() time.Time { return now }
		s := serve(t, late)
		s.post("/login", url.Values{"key": {"the-administrators-key"}})
		s.page("/jobs")
		now = now.Add(13 * time.Hour)
		if a := s.get("/jobs"); a.status != http.StatusSeeOther {
			t.Errorf("after 13 hours = %d, want the login", a.status)
		}
	})
	t.Run("guessing is slowed down", func(t *testing.T) {
		t.Parallel()
		s := serve(t, cfg)
		for range 10 {
			s.post("/login", url.Values{"key": {"guess"}})
		}
		if a := s.post("/login", url.Values{"key": {"the-administrators-key"}}); a.status != http.StatusTooManyRequests {
			t.Errorf("the 11th try = %d, want 429", a.status)
		}
	})
}

func TestRevokedKeyEndsItsSession(t *testing.T) {
	t.Parallel()
	db := testenv.Store(t)
	ws := workspace(t, db, "Revoked")
	key := auth.NewKey()
	k, err := db.AddKey(t.Context(), store.Key{Name: "k", Scopes: []string{"admin"}, Workspace: ws.ID}, auth.Hash(key))
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, dashboard.Config{Store: db, Workspace: ws.Slug, RequireLogin: true})
	s.post("/login", url.Values{"key": {key}})
	s.page("/jobs")
	if err := db.In(ws.ID).RevokeKey(t.Context(), store.ReachWorkspace, k.ID); err != nil {
		t.Fatal(err)
	}
	if a := s.get("/jobs"); a.status != http.StatusSeeOther {
		t.Errorf("after the key was revoked = %d, want the login", a.status)
	}
}

func TestOnlyThisMachinesNamesWithoutALogin(t *testing.T) {
	t.Parallel()
	db := testenv.Store(t)
	ws := workspace(t, db, "Hosts")
	s := serve(t, dashboard.Config{Store: db, Workspace: ws.Slug})
	for host, want := range map[string]int{
		"localhost:3001": 200, "LOCALHOST": 200, "127.0.0.1:3001": 200, "[::1]:3001": 200, "127.1.2.3": 200,
		"evil.example": 421, "evil.example:3001": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example": 421, "192.0.2.7": 421,
	} {
		r := s.request(http.MethodGet, "/jobs", nil)
		r.Host = host
		if a := s.do(r); a.status != want {
			t.Errorf("Host %s = %d, want %d", host, a.status, want)
		}
	}
}
