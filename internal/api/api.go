// Package api is the HTTP face of the product: the REST API with its OpenAPI description, and the calls that clients of
// the replaced system make. It decodes, checks who asks, makes one call into tasks, router or store, and answers. It
// refuses to know SQL, asynq and the wire formats of providers.
package api

import (
	"context"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/rs/cors"
	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/events"
	"github.com/zakibelm/astrogrowth/internal/limit"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/router/cache"
	"github.com/zakibelm/astrogrowth/store"
	"github.com/zakibelm/astrogrowth/tasks"
)

// Limits of requests.
const (
	maxBody  = 10 << 20
	maxBatch = 64 << 20
	maxItems = 10_000
	maxWait  = 60 * time.Second
)

// Config is what the API stands on. Every field but Accounts, CORSOrigins, AllowHosts, Report, Limiter and PerHour is required.
type Config struct {
	Store        *store.Store
	Queue        *tasks.Queue
	Router       *router.Router
	Cache        *cache.Cache
	ResetBreaker func(ctx context.Context, name string) error           // in every process; an empty name is every breaker
	Budgets      func(ctx context.Context, ws growth.WorkspaceID) error // tells every process that a workspace's budgets have changed
	Bus          *events.Bus
	Feed         *events.Feed // nil: nobody can listen
	Log          zerolog.Logger
	Currency     string
	Rate         func(context.Context) (decimal.Decimal, error) // units of Currency for one US dollar
	Seal         func(plain []byte, owner string) string
	Open         func(envelope, owner string) ([]byte, error)
	Arrived      func() // tells whoever takes webhooks in that one has come; nil: he looks by himself
	LinkedIn     Member
	Accounts     *tasks.Accounts                                                                                 // connects LinkedIn accounts; nil: by their tokens only
	ConnectURL   string                                                                                          // where LinkedIn sends browsers back to
	Unpublish    func(ctx context.Context, sc store.Scoped, id growth.PublicationID) (growth.Publication, error) // takes a post off LinkedIn
	Fetch        *http.Client                                                                                    // of pictures; see tasks.FetchClient
	RequireKeys  bool
	AllowHosts   []string      // hosts of callbacks that may be private
	CORSOrigins  []string      // pages of these origins may call; empty: none
	PublicURL    string        // of this API
	EmbedModel   string        // "provider/model" that makes vectors where a caller names none
	KeepAlive    time.Duration // between comments of a stream that waits; 0: 10 s
	Simulated    bool          // providers and LinkedIn are the simulator
	Version      string
	Report       func(context.Context, error)
	Limiter      *limit.Limiter // nil: requests are not counted
	PerHour      int            // requests that a key may make in an hour; 0: any number
}

// api holds the handlers.
type api struct {
	Config
	workspaces workspaceCache
	meter      *meter
}

// New builds the handler of every path below /v1 and /api/trpc, the OpenAPI documents, and the pages that show them.
func New(cfg Config) http.Handler {
	a := &api{Config: cfg, meter: newMeter(cfg.Limiter, cfg.PerHour, cfg.Log)}
	problems() // before the first operation is described: it is part of every description
	mux := http.NewServeMux()
	h := humago.New(mux, humaConfig(cfg))
	h.UseMiddleware(a.authenticate)
	a.jobs(h)
	a.events(h)
	a.llm(h)
	a.routes(h)
	a.leads(h)
	a.reviews(h)
	a.leadEdits(h)
	a.rubrics(h)
	a.leadTrails(h)
	a.campaigns(h)
	a.goldenSets(h)
	a.imports(h)
	a.contents(h)
	a.brands(h)
	a.publications(h)
	a.calendar(h)
	a.outlook(h)
	a.accounts(h, mux)
	a.media(h)
	a.queues(h)
	a.schedules(h)
	a.webhookSources(h)
	a.subscriptions(h)
	a.admin(h)
	a.budgets(h)
	a.calls(h)
	a.alerts(h)
	mux.HandleFunc("/api/trpc/", a.trpc)
	mux.HandleFunc("/api/trpc", a.trpc)
	a.openAIFace(h, mux)
	a.webhookIn(h, mux)
	a.completeDescription(h)
	mux.HandleFunc("POST /v1/jobs/{type}", unknownJobType)
	a.docs(mux)
	mux.HandleFunc("/", notFound(mux))
	return a.crossOrigin(a.guardHost(asWritten(mux)))
}

// asWritten takes paths as they are written: the mux would send a caller of //v1/me elsewhere, by a page of HTML.
func asWritten(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := r.URL.Path; p != "" && p != path.Clean(p) && strings.TrimSuffix(p, "/") != path.Clean(p) {
			writeProblem(w, newProblem(http.StatusNotFound, "there is nothing at this path; write it without empty parts and dots: "+path.Clean(short(p))))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// crossOrigin lets pages of the listed origins call the API. Without a list the browser's own rule stands: none may.
func (a *api) crossOrigin(next http.Handler) http.Handler {
	if len(a.CORSOrigins) == 0 {
		return next
	}
	return cors.New(cors.Options{
		AllowedOrigins: a.CORSOrigins, AllowedMethods: []string{"GET", "POST", "PUT", "PATCH", "DELETE"},
		AllowedHeaders: []string{"*"}, // clients have headers of their own, and keys are in none that a browser adds by itself
		ExposedHeaders: []string{
			"Location", "Retry-After", "Idempotency-Replayed", "X-Request-Id", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset",
		}, MaxAge: 600,
	}).Handler(next)
}

func humaConfig(cfg Config) huma.Config {
	c := huma.DefaultConfig("AstroGrowth", cfg.Version)
	c.Info.Description = "Qualifies leads, writes content and publishes it to LinkedIn through a chain of language models. " +
		"Every error is RFC 9457 problem+json with a stable `type`, the field at fault, and a `message`."
	c.Info.License = &huma.License{Name: "MIT", Identifier: "MIT"}
	c.Servers = []*huma.Server{{URL: cfg.PublicURL}}
	c.CreateHooks = nil // no $schema members
	c.DocsPath = ""     // the built-in pages load scripts from elsewhere; see docs.go
	c.OpenAPIPath = "/openapi"
	c.SchemasPath = ""
	c.RejectUnknownQueryParameters = true
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", Description: "An API key (ag_live_…)."},
		"apiKey": {Type: "apiKey", In: "header", Name: "X-API-Key"},
	}
	c.Security = []map[string][]string{{"bearer": {}}, {"apiKey": {}}}
	return c
}

var once sync.Once

// problems makes every error of the framework our problem+json. The framework keeps these in package variables.
func problems() {
	once.Do(func() {
		huma.DefaultArrayNullable = false
		huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
			return newProblem(status, message, errs...)
		}
	})
}

// notFound answers what no route takes: 405 when the path exists with another method, else 404.
func notFound(mux *http.ServeMux) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if fromOpenAISDK(r) {
			writeOpenAIError(w, openAIUnknownPath())
			return
		}
		var allowed []string
		for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			probe := &http.Request{Method: m, URL: r.URL, Host: r.Host}
			if _, pattern := mux.Handler(probe); m != r.Method && pattern != "/" && pattern != "" {
				allowed = append(allowed, m)
			}
		}
		if len(allowed) > 0 {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			writeProblem(w, newProblem(http.StatusMethodNotAllowed, "use "+strings.Join(allowed, " or ")+" on this path"))
			return
		}
		writeProblem(w, newProblem(http.StatusNotFound, "there is nothing at this path; the API is described at /docs"))
	}
}

func unknownJobType(w http.ResponseWriter, r *http.Request) {
	writeProblem(w, newProblem(http.StatusNotFound, "there is no job type \""+short(r.PathValue("type"))+
		"\"; use lead-qualification, content-generation or linkedin-publish"))
}

// show turns amounts into the currency of the installation.
func (a *api) show(ctx context.Context, j growth.Job) growth.Job {
	rate, err := a.Rate(ctx)
	if err != nil {
		rate = decimal.Decimal{} // without a rate the amount is unknown, the US dollars are not
	}
	j.Cost = a.money(j.Cost, rate)
	for i := range j.Calls {
		j.Calls[i].Cost = a.money(j.Calls[i].Cost, rate)
	}
	if j.Calls == nil {
		j.Calls = []growth.Call{}
	}
	return j
}

func (a *api) money(m growth.Money, rate decimal.Decimal) growth.Money {
	if a.Currency == "USD" || m.USD == nil {
		m.Currency = a.Currency
		return m
	}
	if rate.IsZero() {
		return growth.Money{Currency: a.Currency, USD: m.USD, Provenance: m.Provenance}
	}
	return m.In(a.Currency, rate)
}
