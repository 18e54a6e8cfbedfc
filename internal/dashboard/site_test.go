package dashboard_test

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/zakibelm/astrogrowth/internal/dashboard"
	"github.com/zakibelm/astrogrowth/router/breaker"
)

// breakers stands for what the programs share through Redis.
type breakers struct {
	open []breaker.Change
	err  error
}

func (b breakers) OpenBreakers(context.Context) ([]breaker.Change, error) { return b.open, b.err }

func cadRate(_ context.Context, currency string) (decimal.Decimal, bool) {
	return decimal.RequireFromString("1.40"), currency == "CAD"
}

// site is a dashboard that is being served, with a browser's cookies.
type site struct {
	t      *testing.T
	server *httptest.Server
	client *http.Client
}

func serve(t *testing.T, cfg dashboard.Config) *site {
	t.Helper()
	if cfg.Rate == nil {
		cfg.Rate = cadRate
	}
	d, err := dashboard.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(d)
	t.Cleanup(srv.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := srv.Client()
	client.Jar = jar
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &site{t: t, server: srv, client: client}
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (s *site) do(r *http.Request) answer {
	s.t.Helper()
	resp, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{status: resp.StatusCode, header: resp.Header, body: string(b)}
}

func (s *site) request(method, path string, form url.Values) *http.Request {
	s.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.server.URL+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	return r
}

func (s *site) get(path string) answer {
	s.t.Helper()
	return s.do(s.request(http.MethodGet, path, nil))
}

func (s *site) post(path string, form url.Values) answer {
	s.t.Helper()
	return s.do(s.request(http.MethodPost, path, form))
}

// page gets a page that must be there and holds the texts.
func (s *site) page(path string, holds ...string) string {
	s.t.Helper()
	a := s.get(path)
	if a.status != http.StatusOK {
		s.t.Fatalf("GET %s = %d: %s", path, a.status, a.body)
	}
	for _, h := range holds {
		if !strings.Contains(a.body, h) {
			s.t.Errorf("GET %s does not hold %q", path, h)
		}
	}
	return a.body
}
