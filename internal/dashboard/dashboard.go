// Package dashboard is the operator's and the marketer's pages: what the jobs, the leads, the content, the posts and
// the money are doing now, in English and French. It reads the store and carries out the few decisions that a person
// makes here (approve, reject, settle). It refuses to know the queue, Redis and the providers: what it shows of them
// is handed in, and asynqmon comes as a ready http.Handler.
package dashboard

import (
	"context"
	"net/http"
	"time"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/config"
	"github.com/zakibelm/astrogrowth/internal/daemon"
	"github.com/zakibelm/astrogrowth/router/breaker"
	"github.com/zakibelm/astrogrowth/store"
)

// Breakers knows which circuit breakers are open in any process.
type Breakers interface {
	OpenBreakers(ctx context.Context) ([]breaker.Change, error)
}

// Config is what a dashboard stands on. Store is required.
type Config struct {
	Store        *store.Store
	Breakers     Breakers     // nil: breakers are shown as not known
	BreakerNames []string     // every breaker that there is, open or not
	Queues       http.Handler // asynqmon for the path /queues/; nil: there is no such page
	Workspace    string       // slug of the one shown first; default growth.DefaultWorkspace
	Currency     string       // of every amount shown; default CAD
	// Rate is how much of a currency one US dollar buys. It reports false when nobody knows; amounts are then in USD.
	Rate      func(ctx context.Context, currency string) (rate decimal.Decimal, known bool)
	APIURL    string // where the API answers, for the link to its documentation; empty: no link
	Simulated bool   // the simulator stands in for the providers

	RequireLogin bool          // else anybody on this machine may see and decide everything
	AdminKey     config.Secret // opens the dashboard beside the keys of the store; may be empty
	Secret       []byte        // from which the key that signs sessions is derived; empty: sessions end with the process

	Now func() time.Time // default time.Now
}

// Dashboard is the handler of every page.
type Dashboard struct {
	cfg       Config
	pages     *pages
	files     files
	sessions  *sessions
	attempts  attempts
	snapshots snapshots
	handler   http.Handler
}

// New makes the dashboard. It answers everything but the health endpoints, which the program mounts beside it.
func New(cfg Config) (*Dashboard, error) {
	if cfg.Workspace == "" {
		cfg.Workspace = growth.DefaultWorkspace
	}
	if cfg.Currency == "" {
		cfg.Currency = "CAD"
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Rate == nil {
		cfg.Rate = func(context.Context, string) (decimal.Decimal, bool) { return decimal.Decimal{}, false }
	}
	d := &Dashboard{cfg: cfg}
	var err error
	if d.files, err = loadFiles(); err != nil {
		return nil, err
	}
	if d.pages, err = parsePages(d.files); err != nil {
		return nil, err
	}
	if d.sessions, err = newSessions(cfg); err != nil {
		return nil, err
	}
	d.handler = d.guard(daemon.Routed(d.routes()))
	return d, nil
}

// ServeHTTP answers a request.
func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.handler.ServeHTTP(w, r) }

// routes is every path of the dashboard.
func (d *Dashboard) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /assets/{name}", d.files.serve)
	mux.HandleFunc("GET /login", d.open(d.showLogin))
	mux.HandleFunc("POST /login", d.open(d.login))
	mux.HandleFunc("POST /logout", d.open(d.logout))

	mux.HandleFunc("GET /{$}", d.page(d.showOverview))
	mux.HandleFunc("GET /data/overview.json", d.page(d.overviewData))
	mux.HandleFunc("GET /jobs", d.page(d.listJobs))
	mux.HandleFunc("GET /jobs/{id}", d.page(d.showJob))
	mux.HandleFunc("GET /leads", d.page(d.listLeads))
	mux.HandleFunc("GET /leads/{id}", d.page(d.showLead))
	mux.HandleFunc("GET /contents", d.page(d.listContents))
	mux.HandleFunc("POST /contents/{id}/approve", d.page(d.approveContent))
	mux.HandleFunc("POST /contents/{id}/reject", d.page(d.rejectContent))
	mux.HandleFunc("GET /publications", d.page(d.listPublications))
	mux.HandleFunc("POST /publications/{id}/settle", d.page(d.settlePublication))
	mux.HandleFunc("GET /schedules", d.page(d.listSchedules))
	mux.HandleFunc("POST /schedules/{id}/run", d.page(d.runSchedule))
	mux.HandleFunc("POST /schedules/{id}/enable", d.page(d.enableSchedule))
	mux.HandleFunc("POST /schedules/{id}/disable", d.page(d.disableSchedule))
	mux.HandleFunc("POST /workspace", d.page(d.chooseWorkspace))
	if d.cfg.Queues != nil {
		mux.HandleFunc("/queues/", d.page(d.queues))
	}
	mux.HandleFunc("/", d.page(func(http.ResponseWriter, *http.Request, *visitor) error {
		return growth.Errorf(growth.NotFound, "dashboard", "there is no such page")
	}))
	return mux
}
