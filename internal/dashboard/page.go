package dashboard

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/daemon"
)

//go:embed templates
var templateFS embed.FS

// maxForm is how much a form may send.
const maxForm = 64 << 10

// pages holds one template set for each page, all with the same frame.
type pages struct {
	sets map[string]*template.Template
}

// pageNames are the files under templates that are pages; the others are parts of them.
var pageNames = []string{"login", "overview", "jobs", "job", "leads", "lead", "contents", "publications", "schedules", "fault"}

func parsePages(fs files) (*pages, error) {
	funcs := template.FuncMap{
		"asset": fs.url, "moment": moment, "exactly": exactly, "short": shortOf,
		"dict2": func(p *page, v any) pair { return pair{Page: p, Value: v} },
		"dict3": func(p *page, name, path string) tab { return tab{Page: p, Name: name, Path: path} },
		"job":   func(p *page, j JobLine) jobOn { return jobOn{Page: p, Job: j} },
		"pager": func(p *page, first bool, next any) pager { return pager{Page: p, First: first, Next: fmt.Sprint(next)} },
	}
	p := &pages{sets: map[string]*template.Template{}}
	for _, name := range pageNames {
		t, err := template.New(name).Funcs(funcs).ParseFS(templateFS, "templates/frame.html", "templates/part_*.html", "templates/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("parse page %s: %w", name, err)
		}
		p.sets[name] = t
	}
	return p, nil
}

// write sends a page. It is made in full first: a fault in the middle must not send half a page.
func (ps *pages) write(w http.ResponseWriter, status int, p *page) error {
	b, err := ps.part(p, "frame")
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", p.Lang.Code())
	w.WriteHeader(status)
	_, _ = w.Write(b) // the browser may have left
	return nil
}

// part makes one template of a page.
func (ps *pages) part(p *page, name string) ([]byte, error) {
	var buf bytes.Buffer
	if err := ps.sets[p.Name].ExecuteTemplate(&buf, name, p); err != nil {
		return nil, fmt.Errorf("make page %s: %w", p.Name, err)
	}
	return buf.Bytes(), nil
}

// page is what every template gets.
type page struct {
	Name      string
	TitleKey  string
	Lang      language
	Visitor   *visitor // nil before the login
	Simulated bool
	APIURL    string
	Notice    string // a key of the word list that says what was just done
	HasQueues bool
	Currency  string
	Data      any

	rate  decimal.Decimal
	rated bool
	query url.Values
	path  string
}

func (d *Dashboard) newPage(_ http.ResponseWriter, r *http.Request, v *visitor, name, titleKey string) *page {
	lang, _ := languageOf(r)
	p := &page{
		Name: name, TitleKey: titleKey, Lang: lang, Visitor: v, Simulated: d.cfg.Simulated, APIURL: d.cfg.APIURL,
		Currency: d.cfg.Currency, query: r.URL.Query(), path: r.URL.Path,
	}
	p.rate, p.rated = d.cfg.Rate(r.Context(), d.cfg.Currency)
	if !p.rated {
		p.Currency = "USD" // the ledger's own: better than an amount in no currency
	}
	if v != nil {
		p.HasQueues = d.cfg.Queues != nil && v.agency
	}
	if done := p.query.Get("done"); words["done."+done] != [2]string{} {
		p.Notice = "done." + done
	}
	return p
}

// view answers a request of a visitor; it returns its error to be shown.
type view func(w http.ResponseWriter, r *http.Request, v *visitor) error

// page wraps a view that needs a visitor.
func (d *Dashboard) page(show view) http.HandlerFunc {
	return d.open(func(w http.ResponseWriter, r *http.Request) error {
		v, err := d.visit(r)
		if err != nil {
			return err
		}
		if r.Method == http.MethodPost && !strings.HasPrefix(r.URL.Path, "/queues/") {
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		}
		if err := show(w, r, v); err != nil {
			return &seenError{visitor: v, err: err}
		}
		return nil
	})
}

// seenError remembers who ran into a fault, so that its page still has their menu.
type seenError struct {
	visitor *visitor
	err     error
}

// Error is the fault's text.
func (e *seenError) Error() string { return e.err.Error() }

// Unwrap gives the fault.
func (e *seenError) Unwrap() error { return e.err }

// open wraps a handler that needs no visitor, and shows its error.
func (d *Dashboard) open(show func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if l, chosen := languageOf(r); chosen {
			l.keep(w, r)
		}
		if err := show(w, r); err != nil {
			d.fail(w, r, err)
		}
	}
}

// faultPage is what the page of a fault shows.
type faultPage struct {
	Status  int
	Code    string
	Message string
	Request string
	Back    string
}

// fail answers with a fault: the login for who is not logged in, JSON for scripts, a page for people.
func (d *Dashboard) fail(w http.ResponseWriter, r *http.Request, err error) {
	code := growth.CodeOf(err)
	status := statusOf(code)
	script := strings.HasPrefix(r.URL.Path, "/data/") || strings.HasPrefix(r.URL.Path, "/queues/api/")
	switch {
	case code == growth.Canceled:
		return // nobody is there to read
	case code == growth.Unauthorized && !script && r.Method == http.MethodGet:
		http.Redirect(w, r, "/login?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		return
	case status >= http.StatusInternalServerError:
		zerolog.Ctx(r.Context()).Error().Err(err).Str("code", code.String()).Msg("page failed")
		daemon.CaptureError(r.Context(), err)
	}
	if script {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": code.String()}) // the browser may have left
		return
	}
	d.failPage(w, r, status, code, err)
}

func (d *Dashboard) failPage(w http.ResponseWriter, r *http.Request, status int, code growth.Code, err error) {
	var v *visitor
	if seen, ok := errors.AsType[*seenError](err); ok {
		v = seen.visitor
	}
	p := d.newPage(w, r, v, "fault", "fault.title")
	f := faultPage{Status: status, Code: code.String(), Request: daemon.RequestID(r.Context()), Back: backTo(r.URL.Path)}
	if e, ok := errors.AsType[*growth.Error](err); ok && status < http.StatusInternalServerError {
		f.Message = e.Message // made for people, and free of secrets
	}
	p.Data = f
	if err := d.pages.write(w, status, p); err != nil {
		zerolog.Ctx(r.Context()).Error().Err(err).Msg("page of a fault failed")
		http.Error(w, http.StatusText(status), status)
	}
}

// backTo is the list that a path belongs to.
func backTo(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch first {
	case "jobs", "leads", "contents", "publications", "schedules":
		return "/" + first
	}
	return "/"
}

func statusOf(c growth.Code) int {
	switch c {
	case growth.Invalid, growth.TooLong:
		return http.StatusUnprocessableEntity
	case growth.TooLarge:
		return http.StatusRequestEntityTooLarge
	case growth.NotFound:
		return http.StatusNotFound
	case growth.Conflict:
		return http.StatusConflict
	case growth.Forbidden:
		return http.StatusForbidden
	case growth.Unauthorized:
		return http.StatusUnauthorized
	case growth.Unavailable, growth.Throttled, growth.Exhausted:
		return http.StatusServiceUnavailable
	case growth.Internal, growth.KeyRejected, growth.Refused, growth.Uncertain, growth.ModelGone, growth.Malformed, growth.Canceled:
	}
	return http.StatusInternalServerError
}

// queryTimeout is how long the database may take for one page.
const queryTimeout = 10 * time.Second
