package dashboard

import (
	"bytes"
	"net/http"
	"regexp"
	"strings"

	growth "github.com/zakibelm/astrogrowth"
)

// queuesPolicy allows what asynqmon's pages are made of: inline scripts and styles, but still nothing from outside.
const queuesPolicy = "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; " +
	"img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// outside finds the links by which asynqmon's page would load fonts from elsewhere, and its manifest, which browsers
// ask for without the session.
var outside = regexp.MustCompile(`<link\b[^>]*(?:fonts\.googleapis\.com|fonts\.gstatic\.com|rel="manifest")[^>]*>`)

// queues hands a request to asynqmon. All workspaces share the queues, so the key of a single one does not open them.
func (d *Dashboard) queues(w http.ResponseWriter, r *http.Request, v *visitor) error {
	if !v.agency {
		return growth.Errorf(growth.Forbidden, "dashboard.queues", "the queues are shared by all workspaces; log in with a key of the agency")
	}
	w.Header().Set("Content-Security-Policy", queuesPolicy)
	rw := &stripper{ResponseWriter: w}
	d.cfg.Queues.ServeHTTP(rw, r)
	return rw.flush()
}

// stripper holds back a page of HTML and takes the outside links out of it; everything else passes as it comes.
type stripper struct {
	http.ResponseWriter

	status int
	begun  bool
	page   *bytes.Buffer // nil: not HTML
}

// WriteHeader decides by the content type, which asynqmon may leave to be guessed from the first bytes.
func (s *stripper) WriteHeader(status int) {
	if s.status == 0 {
		s.status = status
	}
}

// Write takes a part of the answer.
func (s *stripper) Write(p []byte) (int, error) {
	if !s.begun {
		s.begin(p)
	}
	if s.page != nil {
		return s.page.Write(p)
	}
	return s.ResponseWriter.Write(p)
}

func (s *stripper) begin(first []byte) {
	s.begun = true
	kind := s.Header().Get("Content-Type")
	if kind == "" {
		kind = http.DetectContentType(first)
	}
	if strings.HasPrefix(kind, "text/html") {
		s.Header().Set("Content-Type", "text/html; charset=utf-8")
		s.page = new(bytes.Buffer)
		return
	}
	s.sendHeader()
}

func (s *stripper) sendHeader() {
	if s.status != 0 {
		s.ResponseWriter.WriteHeader(s.status)
	}
}

// flush sends what was held back.
func (s *stripper) flush() error {
	if !s.begun {
		s.sendHeader() // an answer without a body
		return nil
	}
	if s.page == nil {
		return nil
	}
	body := outside.ReplaceAll(s.page.Bytes(), nil)
	s.Header().Del("Content-Length")
	s.sendHeader()
	_, _ = s.ResponseWriter.Write(body) // the browser may have left
	return nil
}

// Unwrap lets http.ResponseController reach the connection.
func (s *stripper) Unwrap() http.ResponseWriter { return s.ResponseWriter }
