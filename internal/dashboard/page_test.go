package dashboard_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/dashboard"
	"github.com/zakibelm/astrogrowth/internal/testenv"
)

func TestQueuesPageAsksNobodyElse(t *testing.T) {
	t.Parallel()
	db := testenv.Store(t)
	ws := workspace(t, db, "Queues")
	const page = `<!doctype html><html><head><link rel="manifest" href="/queues/manifest.json"/>` +
		`<link rel="stylesheet" href="https://fonts.googleapis.com/css?family=Roboto&display=swap"/><link rel="icon" href="/queues/favicon.ico"/>` +
		`<script>window.X=1</script></head><body><div id="root"></div></body></html>`
	queues := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/queues/api/") {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusTeapot)
			_, _ = io.WriteString(w, `{"text":"https://fonts.googleapis.com stays"}`)
			return
		}
		_, _ = io.WriteString(w, page)
	})
	s := serve(t, dashboard.Config{Store: db, Workspace: ws.Slug, Queues: queues})
	a := s.get("/queues/")
	want := `<!doctype html><html><head><link rel="icon" href="/queues/favicon.ico"/><script>window.X=1</script></head><body><div id="root"></div></body></html>`
	if a.body != want {
		t.Errorf("page = %s", a.body)
	}
	if csp := a.header.Get("Content-Security-Policy"); !strings.Contains(csp, "script-src 'self' 'unsafe-inline'") || strings.Contains(csp, "http") {
		t.Errorf("policy = %s", csp)
	}
	if a := s.get("/queues/api/queues"); a.status != http.StatusTeapot || !strings.Contains(a.body, "stays") {
		t.Errorf("api = %d %s", a.status, a.body)
	}
	if a := s.get("/queues"); a.status != http.StatusTemporaryRedirect && a.status != http.StatusMovedPermanently {
		t.Errorf("/queues = %d, want a redirect", a.status)
	}
}

func TestPagesAreStrictAndSelfContained(t *testing.T) {
	t.Parallel()
	db := testenv.Store(t)
	d := seed{t, db, workspace(t, db, "Strict")}
	d.content("Title", "Body")
	lead := d.lead(growth.Lead{BusinessName: "Alpha"}, qualification(50, "medium"), []growth.Call{answered("ollama", "m", "0", 5)})
	s := serve(t, dashboard.Config{Store: db, Workspace: d.ws.Slug})
	for _, path := range []string{"/", "/jobs", "/leads", "/leads/" + string(lead), "/contents", "/publications", "/schedules", "/nowhere"} {
		a := s.get(path)
		if csp := a.header.Get("Content-Security-Policy"); strings.Contains(csp, "unsafe") || !strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("%s: policy = %q", path, csp)
		}
		if a.header.Get("Cache-Control") != "no-store" || a.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers = %v", path, a.header)
		}
		for _, bad := range []string{"<script>", "<style", "style=\"", "onclick", "src=\"http", "href=\"http://fonts"} {
			if strings.Contains(a.body, bad) {
				t.Errorf("%s holds %s", path, bad)
			}
		}
		for _, part := range strings.Split(a.body, `"/assets/`)[1:] {
			asset, _, _ := strings.Cut(part, `"`)
			if got := s.get("/assets/" + asset); got.status != 200 || !strings.Contains(got.header.Get("Cache-Control"), "immutable") {
				t.Errorf("%s: asset %s = %d, %q", path, asset, got.status, got.header.Get("Cache-Control"))
			}
		}
	}
}

func TestLanguageIsTheReaders(t *testing.T) {
	t.Parallel()
	db := testenv.Store(t)
	ws := workspace(t, db, "Languages")
	for _, tc := range []struct{ name, query, cookie, accept, want string }{
		{"nothing asked", "", "", "", "en"},
		{"the browser's", "", "", "fr-CA,fr;q=0.9,en;q=0.8", "fr"},
		{"the browser's second", "", "", "de,fr;q=0.5", "fr"},
		{"one we lack", "", "", "ja", "en"},
		{"an earlier choice", "", "fr", "en", "fr"},
		{"chosen now", "?lang=en", "fr", "fr", "en"},
		{"nonsense", "?lang=xx", "", "fr", "fr"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, dashboard.Config{Store: db, Workspace: ws.Slug})
			r := s.request(http.MethodGet, "/"+tc.query, nil)
			r.Header.Set("Accept-Language", tc.accept)
			if tc.cookie != "" {
				r.Header.Set("Cookie", "astrogrowth_language="+tc.cookie)
			}
			a := s.do(r)
			if got := a.header.Get("Content-Language"); got != tc.want {
				t.Errorf("language = %s, want %s", got, tc.want)
			}
			if want := map[string]string{"en": "The five targets", "fr": "Les cinq objectifs"}[tc.want]; !strings.Contains(a.body, want) {
				t.Errorf("the page does not say %q", want)
			}
			if kept := strings.Contains(a.header.Get("Set-Cookie"), "language="+tc.want); kept != (tc.query == "?lang=en") {
				t.Errorf("choice kept: %v", kept)
			}
		})
	}
}
