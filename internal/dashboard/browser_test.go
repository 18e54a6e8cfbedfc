//go:build browser

package dashboard_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/config"
	"github.com/zakibelm/astrogrowth/internal/dashboard"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/router/breaker"
	"github.com/zakibelm/astrogrowth/store"
)

// look is a way to look at a page.
type look struct {
	name   string
	dark   bool
	width  int64
	french bool
}

var looks = []look{
	{name: "light", width: 1280},
	{name: "dark", width: 1280, dark: true},
	{name: "narrow", width: 390},
	{name: "french", width: 1280, french: true},
	{name: "french-narrow-dark", width: 390, french: true, dark: true},
}

// tab opens a browser tab that notes what goes wrong in it and whom it talks to.
func tab(browser context.Context, t *testing.T, own string) (context.Context, func() []string) {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var faults []string
	err := chromedp.Listen(ctx, func(ev any) {
		if fault := faultIn(ev, own); fault != "" {
			mu.Lock()
			defer mu.Unlock()
			faults = append(faults, fault)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	call(ctx, t, cdplog.Enable, cdp.Empty{})
	call(ctx, t, runtime.Enable, cdp.Empty{})
	call(ctx, t, network.Enable, network.EnableParams{})
	return ctx, func() []string {
		mu.Lock()
		defer mu.Unlock()
		out := faults
		faults = nil
		return out
	}
}

func call[P, R any](ctx context.Context, t *testing.T, c cdp.Command[P, R], params P) {
	t.Helper()
	if _, err := chromedp.Call(ctx, c, params); err != nil {
		t.Fatal(err)
	}
}

// faultIn says what is wrong about an event of the browser; empty: nothing.
func faultIn(ev any, own string) string {
	switch e := ev.(type) {
	case *runtime.EventExceptionThrown:
		return "exception: " + e.ExceptionDetails.Text
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			return fmt.Sprintf("console: %s", e.Args[0].Value)
		}
	case *cdplog.EventEntryAdded:
		if e.Entry.Level == cdplog.EntryLevelError || e.Entry.Level == cdplog.EntryLevelWarning {
			return "log: " + e.Entry.Text + " " + e.Entry.URL
		}
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, own) && !strings.HasPrefix(e.Request.URL, "data:") {
			return "outside request: " + e.Request.URL
		}
	}
	return ""
}

func browser(t *testing.T) context.Context {
	t.Helper()
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox)
	alloc, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancel)
	ctx, stop := chromedp.NewContext(alloc)
	t.Cleanup(stop)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	return ctx
}

// as sets how the next page is looked at.
func as(ctx context.Context, t *testing.T, l look) {
	t.Helper()
	theme, lang := "light", "en-CA"
	if l.dark {
		theme = "dark"
	}
	if l.french {
		lang = "fr-CA"
	}
	call(ctx, t, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: l.width, Height: 900, DeviceScaleFactor: 1, Mobile: l.width < 600,
	})
	call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}},
	})
	call(ctx, t, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": lang}})
}

// evaluate runs a script in the page.
func evaluate[T any](ctx context.Context, t *testing.T, script string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func do(ctx context.Context, t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

func shoot(ctx context.Context, t *testing.T, name string) {
	t.Helper()
	dir := os.Getenv("ASTROGROWTH_SHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		t.Fatal(err)
	}
}

// fill makes a workspace in which every page has something to show.
func fill(t *testing.T, db *store.Store) (d seed, lead growth.LeadID, job growth.JobID) {
	t.Helper()
	d = seed{t, db, workspace(t, db, "Bistro & Co.")}
	for day := range 13 {
		id := d.job(growth.JobLeadQualification, map[string]any{}, "")
		var calls []growth.Call
		for n := range 3 + (day*7)%11 {
			c := answered("openrouter", "meta-llama/llama-3.3-70b-instruct", fmt.Sprintf("0.00%02d", 11+day*3+n), 700+int64(n*130))
			c.StartedAt = time.Now().UTC().AddDate(0, 0, -day)
			calls = append(calls, c)
		}
		d.run(id, calls, store.Outcome{State: growth.JobSucceeded, Result: json.RawMessage(`{"score":61,"grade":"B1"}`), Simulated: true})
	}
	chain := func() []growth.Call {
		return []growth.Call{
			skipped("openrouter", "meta-llama/llama-3.3-70b-instruct", "breaker_open"),
			failed("huggingface", "Qwen/Qwen2.5-72B-Instruct", growth.Unavailable), answered("ollama", "llama3.1:8b", "0", 1420),
		}
	}
	lead = d.lead(growth.Lead{
		BusinessName: "Café Crème Brûlée du Plateau", BusinessType: "Restaurant", City: "Montréal", Province: "QC", Phone: "514 555 0123",
		Website: "https://cafe.example", Notes: "on cherche quelqu’un pour refaire notre site", Extra: map[string]string{"Ouvert le dimanche": "oui"},
	}, qualification(82, "high"), chain())
	for i, p := range []string{"high", "medium", "medium", "low", "low", "low", "low"} {
		d.lead(growth.Lead{BusinessName: name(i), BusinessType: "Café", City: "Laval"}, qualification(78-i*9, p), chain())
	}
	d.lead(growth.Lead{BusinessName: "Pas encore noté"}, nil, nil)
	job = d.job(growth.JobLeadQualification, map[string]any{}, lead)
	d.run(job, append(chain()[:2], answered("ollama", "llama3.1:8b", "", 900)), store.Outcome{
		State: growth.JobFailed, Err: &growth.JobError{Code: growth.Malformed, Message: "no candidate gave an answer that fits the rubric", Retryable: true},
	})
	wait := d.job(growth.JobContentGeneration, map[string]any{}, "")
	d.run(wait, nil, store.Outcome{State: growth.JobWaiting, Waiting: growth.WaitQuota, RunAt: time.Now().Add(3 * time.Hour), Redeliver: true})
	d.job(growth.JobContentGeneration, map[string]any{}, "")
	d.content("Trois signes que votre carte en ligne fait fuir", "Votre salle est pleine le samedi et vide le mardi ?\n\nCe n’est pas la cuisine : c’est souvent la carte en ligne. Trois restaurants du Plateau nous ont montré leurs chiffres, et les mêmes trois détails reviennent chaque fois.\n\n1. Le menu est un PDF.\n2. Les heures ne sont pas les bonnes.\n3. Personne ne répond aux avis.\n\nLequel réglez-vous cette semaine ?")
	d.content("Short and sweet", "A short text that ends before the fold.")
	d.publication("Bonjour Montréal ! Notre carte d’automne est arrivée.\n\n#Montréal #Restaurants", growth.PublicationPublished)
	d.publication("Deux tables viennent de se libérer pour samedi.\n\n#Montréal", growth.PublicationUnknown)
	d.must(db.AddCacheCounts(t.Context(), []store.CacheCount{{Workspace: d.ws.ID, Task: growth.TaskSimple, Hits: 412, Misses: 190}}))
	return d, lead, job
}

func TestPagesInABrowser(t *testing.T) {
	db := testenv.Store(t)
	d, lead, job := fill(t, db)
	empty := workspace(t, db, "Empty")
	shared := breakers{open: []breaker.Change{{Name: "openrouter", State: breaker.Open, Until: time.Now().Add(45 * time.Second)}}}
	names := []string{"openrouter", "openrouter/meta-llama/llama-3.3-70b-instruct", "huggingface", "ollama"}
	s := serve(t, dashboard.Config{Store: db, Workspace: d.ws.Slug, Breakers: shared, BreakerNames: names, APIURL: "http://localhost:3000", Queues: http.NotFoundHandler()})
	blank := serve(t, dashboard.Config{Store: db, Workspace: empty.Slug, Breakers: breakers{}, BreakerNames: names})
	locked := serve(t, dashboard.Config{Store: db, Workspace: d.ws.Slug, RequireLogin: true, AdminKey: config.NewSecret("the-administrators-key")})
	b := browser(t)
	for _, p := range []struct {
		name string
		site *site
		path string
		wait string
	}{
		{"overview", s, "/", ".live.on"},
		{"overview-empty", blank, "/", ".live.on"},
		{"jobs", s, "/jobs", "table"},
		{"job", s, "/jobs/" + string(job), "table"},
		{"leads", s, "/leads", "table"},
		{"lead", s, "/leads/" + string(lead), ".reasons"},
		{"contents", s, "/contents", ".post"},
		{"publications", s, "/publications", ".settle"},
		{"login", locked, "/login", "#key"},
	} {
		for _, l := range looks {
			t.Run(p.name+"/"+l.name, func(t *testing.T) {
				ctx, faults := tab(b, t, p.site.server.URL)
				ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
				defer cancel()
				as(ctx, t, l)
				do(ctx, t, chromedp.Navigate(p.site.server.URL+p.path), chromedp.WaitVisible(chromedp.CSS(p.wait)))
				if p.name == "overview" {
					do(ctx, t, chromedp.WaitVisible(chromedp.CSS(".u-over")))
				}
				if p.name == "lead" {
					do(ctx, t, chromedp.Click(chromedp.CSS(".reasons summary")))
					if !evaluate[bool](ctx, t, `document.querySelector(".reasons blockquote").checkVisibility()`) {
						t.Error("a click does not show the quote")
					}
				}
				wide := evaluate[int](ctx, t, `document.documentElement.scrollWidth - document.documentElement.clientWidth`)
				lang := evaluate[string](ctx, t, `document.documentElement.lang`)
				shoot(ctx, t, p.name+"-"+l.name)
				for _, f := range faults() {
					t.Error(f)
				}
				if wide != 0 {
					t.Errorf("the page is %d px wider than the window", wide)
				}
				if want := map[bool]string{true: "fr", false: "en"}[l.french]; lang != want {
					t.Errorf("language %q, want %q", lang, want)
				}
			})
		}
	}
}

func TestOverviewIsLive(t *testing.T) {
	db := testenv.Store(t)
	d := seed{t, db, workspace(t, db, "Live")}
	var down atomic.Bool
	s := serve(t, dashboard.Config{Store: db, Workspace: d.ws.Slug, Breakers: breakers{}})
	inner := s.server.Config.Handler
	s.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		inner.ServeHTTP(w, r)
	})
	ctx, faults := tab(browser(t), t, s.server.URL)
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	do(ctx, t, chromedp.Navigate(s.server.URL), chromedp.WaitVisible(chromedp.CSS(".live.on")), chromedp.Focus(chromedp.CSS(`a[href="/jobs?type=lead-qualification"]`)))
	id := d.job(growth.JobLeadQualification, map[string]any{}, "")
	do(ctx, t, chromedp.WaitVisible(chromedp.CSS(`a[href="/jobs/`+string(id)+`"]`)))
	focused := evaluate[string](ctx, t, `document.activeElement.getAttribute("href") || document.activeElement.tagName`)
	if focused != "/jobs?type=lead-qualification" {
		t.Errorf("the keyboard's place moved to %q", focused)
	}
	for _, f := range faults() {
		t.Error(f)
	}
	down.Store(true)
	do(ctx, t, chromedp.WaitVisible(chromedp.CSS(".live.off")))
}

func TestReviewByKeyboard(t *testing.T) {
	db := testenv.Store(t)
	d := seed{t, db, workspace(t, db, "Keyboard")}
	c := d.content("Title", "Body")
	s := serve(t, dashboard.Config{Store: db, Workspace: d.ws.Slug, RequireLogin: true, AdminKey: config.NewSecret("the-administrators-key")})
	ctx, faults := tab(browser(t), t, s.server.URL)
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	do(ctx, t, chromedp.Navigate(s.server.URL+"/contents"), chromedp.SendKeys(chromedp.CSS("#key"), "the-administrators-key\r"),
		chromedp.WaitVisible(chromedp.CSS(".decide .primary")), chromedp.Focus(chromedp.CSS(".decide .primary")), chromedp.KeyEvent("\r"), chromedp.WaitVisible(chromedp.CSS(".notice")))
	where := evaluate[string](ctx, t, `location.href`)
	if u, err := url.Parse(where); err != nil || u.Path != "/contents" {
		t.Errorf("at %s, %v", where, err)
	}
	if got, err := db.In(d.ws.ID).Content(t.Context(), c.ID); err != nil || got.Status != growth.ContentApproved {
		t.Errorf("content is %s, %v", got.Status, err)
	}
	for _, f := range faults() {
		t.Error(f)
	}
}
