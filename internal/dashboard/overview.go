package dashboard

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

const (
	chartDays   = 14
	targetDays  = 7
	newestShown = 12
	faultsShown = 6

	breakerTimeout = time.Second // the rest of the page must not wait for a Redis that does not answer
)

// Overview is everything that the first page shows, as its JSON gives it.
type Overview struct {
	At        time.Time                                  `json:"at"`
	Simulated bool                                       `json:"simulated"`
	Targets   []Target                                   `json:"targets"`
	Jobs      map[growth.JobType]map[growth.JobState]int `json:"jobs"`
	Leads     map[string]int                             `json:"leads"` // by priority; "" holds those without a score
	Today     Spend                                      `json:"spend_today"`
	Week      Spend                                      `json:"spend_7_days"`
	Providers []ProviderLine                             `json:"providers"`
	Breakers  []BreakerLine                              `json:"breakers"` // null: not known
	Days      []store.Day                                `json:"-"`
	Chart     Chart                                      `json:"chart"`
	Attention store.Attention                            `json:"attention"`
	Newest    []JobLine                                  `json:"newest"`
	Failures  []JobLine                                  `json:"failures"`
}

// Spend is what calls cost in some time; Unknown of its Calls have a cost that nobody knows, which the amount leaves out.
type Spend struct {
	USD     decimal.Decimal `json:"usd"`
	Calls   int64           `json:"calls"`
	Unknown int64           `json:"unknown_costs"`
}

// ProviderLine is what one provider did in the last 7 days.
type ProviderLine struct {
	Provider  string          `json:"provider"`
	Calls     int64           `json:"calls"`
	Failed    int64           `json:"failed"`
	ErrorRate float64         `json:"error_rate"`
	AvgMS     float64         `json:"avg_ms"`
	USD       decimal.Decimal `json:"usd"`
	Unknown   int64           `json:"unknown_costs"`
}

// BreakerLine is a circuit breaker.
type BreakerLine struct {
	Name  string    `json:"name"`
	Open  bool      `json:"open"`
	Until time.Time `json:"until,omitzero"`
}

// Chart is the days of the chart, oldest first, with costs in the currency of the page.
type Chart struct {
	Days     []string  `json:"days"`
	Cost     []float64 `json:"cost"`
	Calls    []int64   `json:"calls"`
	Currency string    `json:"currency"`
}

// snapshots keeps the last overview of each workspace for a moment, so that many open tabs cost the database no more
// than one. The zero value is ready.
type snapshots struct {
	mu   sync.Mutex
	byWS map[growth.WorkspaceID]*snapshot
}

type snapshot struct {
	mu   sync.Mutex
	at   time.Time
	took time.Duration
	data *Overview
}

func (s *snapshots) of(ws growth.WorkspaceID) *snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byWS == nil {
		s.byWS = map[growth.WorkspaceID]*snapshot{}
	}
	if s.byWS[ws] == nil {
		s.byWS[ws] = &snapshot{}
	}
	return s.byWS[ws]
}

// overview returns the workspace's overview, at most a second old, or five times as old as it took to collect.
func (d *Dashboard) overview(ctx context.Context, ws growth.WorkspaceID) (*Overview, error) {
	s := d.snapshots.of(ws)
	s.mu.Lock()
	defer s.mu.Unlock()
	began := time.Now()
	if s.data != nil && began.Sub(s.at) < max(time.Second, 5*s.took) {
		return s.data, nil
	}
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	o, err := d.collect(ctx, d.cfg.Store.In(ws))
	if err != nil {
		return nil, err
	}
	s.data, s.at, s.took = o, began, time.Since(began)
	return o, nil
}

func (d *Dashboard) collect(ctx context.Context, sc store.Scoped) (*Overview, error) {
	now := d.cfg.Now().UTC()
	week := now.AddDate(0, 0, 1-targetDays).Truncate(24 * time.Hour)
	o := &Overview{At: now, Simulated: d.cfg.Simulated, Breakers: d.breakers(ctx)}
	var err error
	if o.Jobs, err = sc.CountJobs(ctx); err != nil {
		return nil, err
	}
	if o.Leads, err = sc.CountLeads(ctx); err != nil {
		return nil, err
	}
	if o.Attention, err = sc.Attention(ctx); err != nil {
		return nil, err
	}
	if o.Days, err = sc.Days(ctx, now.AddDate(0, 0, 1-chartDays)); err != nil {
		return nil, err
	}
	tallies, err := sc.TallyCalls(ctx, week)
	if err != nil {
		return nil, err
	}
	health, err := sc.ChainHealth(ctx, week)
	if err != nil {
		return nil, err
	}
	latency, err := sc.Latencies(ctx, week)
	if err != nil {
		return nil, err
	}
	if err := d.lists(ctx, sc, o); err != nil {
		return nil, err
	}
	o.Providers = providerLines(tallies)
	for _, t := range tallies {
		o.Simulated = o.Simulated || t.Simulated > 0
	}
	o.Today, o.Week = spend(o.Days[len(o.Days)-1:]), spend(o.Days[max(len(o.Days)-targetDays, 0):])
	o.Chart = d.chart(ctx, o.Days)
	cad, known := d.cfg.Rate(ctx, "CAD")
	o.Targets = targets(measured{days: o.Days[max(len(o.Days)-targetDays, 0):], health: health, latency: latency, cad: cad, cadKnown: known})
	return o, nil
}

// lists fills in the newest jobs and the newest failures.
func (d *Dashboard) lists(ctx context.Context, sc store.Scoped, o *Overview) error {
	var err error
	if o.Newest, err = d.jobLines(ctx, sc, store.JobFilter{}, store.Page{Limit: newestShown}); err != nil {
		return err
	}
	o.Failures, err = d.jobLines(ctx, sc, store.JobFilter{State: growth.JobFailed}, store.Page{Limit: faultsShown})
	return err
}

// breakers lists every breaker, the open ones first; nil when nobody can say.
func (d *Dashboard) breakers(ctx context.Context) []BreakerLine {
	if d.cfg.Breakers == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, breakerTimeout)
	defer cancel()
	open, err := d.cfg.Breakers.OpenBreakers(ctx)
	if err != nil {
		return nil
	}
	out, seen := []BreakerLine{}, map[string]bool{}
	for _, c := range open {
		if c.Until.After(d.cfg.Now()) { // past it, the breaker may be probed by the next call
			out, seen[c.Name] = append(out, BreakerLine{Name: c.Name, Open: true, Until: c.Until}), true
		}
	}
	slices.SortFunc(out, func(a, b BreakerLine) int { return a.Until.Compare(b.Until) })
	for _, name := range d.cfg.BreakerNames {
		if !seen[name] {
			out = append(out, BreakerLine{Name: name})
		}
	}
	return out
}

func providerLines(tallies []store.Tally) []ProviderLine {
	by := map[string]*ProviderLine{}
	var names []string
	latency := map[string]int64{}
	for _, t := range tallies {
		p := by[t.Provider]
		if p == nil {
			p = &ProviderLine{Provider: t.Provider}
			by[t.Provider], names = p, append(names, t.Provider)
		}
		p.Calls, p.Failed, p.Unknown, p.USD = p.Calls+t.Calls, p.Failed+t.Failed, p.Unknown+t.Unknown, p.USD.Add(t.CostUSD)
		latency[t.Provider] += t.LatencySum
	}
	slices.Sort(names)
	out := make([]ProviderLine, 0, len(names))
	for _, n := range names {
		p := by[n]
		p.ErrorRate = float64(p.Failed) / float64(p.Calls)
		p.AvgMS = float64(latency[n]) / float64(p.Calls)
		out = append(out, *p)
	}
	return out
}

func spend(days []store.Day) Spend {
	var s Spend
	for _, d := range days {
		s.USD, s.Calls, s.Unknown = s.USD.Add(d.CostUSD), s.Calls+d.Calls, s.Unknown+d.Unknown
	}
	return s
}

func (d *Dashboard) chart(ctx context.Context, days []store.Day) Chart {
	c := Chart{Currency: d.cfg.Currency}
	rate, known := d.cfg.Rate(ctx, d.cfg.Currency)
	if !known {
		c.Currency, rate = "USD", decimal.NewFromInt(1)
	}
	for _, day := range days {
		c.Days = append(c.Days, day.Date.Format(time.DateOnly))
		c.Cost = append(c.Cost, day.CostUSD.Mul(rate).InexactFloat64()) // for the eye: the table beside it is exact
		c.Calls = append(c.Calls, day.Calls)
	}
	return c
}

func (d *Dashboard) showOverview(w http.ResponseWriter, r *http.Request, v *visitor) error {
	p, err := d.overviewPage(w, r, v)
	if err != nil {
		return err
	}
	return d.pages.write(w, http.StatusOK, p)
}

func (d *Dashboard) overviewPage(w http.ResponseWriter, r *http.Request, v *visitor) (*page, error) {
	o, err := d.overview(r.Context(), v.Here.ID)
	if err != nil {
		return nil, err
	}
	p := d.newPage(w, r, v, "overview", "overview.title")
	p.Simulated = o.Simulated
	p.Data = overviewView{Overview: o}
	return p, nil
}

// sections are the parts of the overview that are made anew while one looks.
var sections = []string{"attention", "targets", "jobs", "leads", "spend", "providers", "breakers", "days", "newest", "failures"}

// overviewData is the overview as JSON, with the sections as they look in the visitor's language: one place formats
// numbers, and the script only puts them in.
func (d *Dashboard) overviewData(w http.ResponseWriter, r *http.Request, v *visitor) error {
	p, err := d.overviewPage(w, r, v)
	if err != nil {
		return err
	}
	html := map[string]string{}
	for _, name := range sections {
		b, err := d.pages.part(p, "overview-"+name)
		if err != nil {
			return err
		}
		html[name] = string(b)
	}
	view, ok := p.Data.(overviewView)
	if !ok {
		return growth.Errorf(growth.Internal, "dashboard.overviewData", "the page holds no overview")
	}
	body := struct {
		*Overview

		HTML map[string]string `json:"html"`
	}{view.Overview, html}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) // the browser may have left
	return nil
}

// overviewView is the overview as its templates want it.
type overviewView struct{ *Overview }

// Sections are the parts that the script renews.
func (overviewView) Sections() []string { return sections }

// ChartJSON is the chart for the script's first drawing.
func (v overviewView) ChartJSON() (string, error) {
	b, err := json.Marshal(v.Chart)
	if err != nil {
		return "", fmt.Errorf("encode chart: %w", err)
	}
	return string(b), nil
}

// JobRow is the jobs of one type.
type JobRow struct {
	Type   growth.JobType
	Total  int
	Counts []StateCount
}

// StateCount is how many jobs are in a state.
type StateCount struct {
	State growth.JobState
	N     int
}

// JobRows lists every type that people make, with every state in the order of a job's life.
func (v overviewView) JobRows() []JobRow {
	types := []growth.JobType{growth.JobLeadQualification, growth.JobContentGeneration, growth.JobLinkedInPublish}
	for _, t := range []growth.JobType{growth.JobCallback, growth.JobMaintenance, growth.JobLeadAgreement} {
		if len(v.Jobs[t]) > 0 {
			types = append(types, t)
		}
	}
	var out []JobRow
	for _, t := range types {
		row := JobRow{Type: t}
		for _, s := range v.States() {
			n := v.Jobs[t][s]
			row.Total += n
			row.Counts = append(row.Counts, StateCount{State: s, N: n})
		}
		out = append(out, row)
	}
	return out
}

// States lists every state in the order of a job's life.
func (overviewView) States() []growth.JobState { return jobStates }

// LeadCount is how many leads have a priority.
type LeadCount struct {
	Priority string // a value of the filter on the page of leads
	N        int
	Share    int // of the longest bar, 0 to 100, in steps of 5 because styles are classes
}

// LeadCounts lists the leads by priority, those without a score last.
func (v overviewView) LeadCounts() []LeadCount {
	out := []LeadCount{
		{Priority: "high", N: v.Leads["high"]},
		{Priority: "medium", N: v.Leads["medium"]},
		{Priority: "low", N: v.Leads["low"]},
		{Priority: "unscored", N: v.Leads[""]},
	}
	most := 0
	for _, c := range out {
		most = max(most, c.N)
	}
	for i := range out {
		out[i].Share = step(out[i].N, most)
	}
	return out
}

// step is n as a part of most in hundredths, rounded up to a multiple of 5.
func step(n, most int) int {
	if most <= 0 || n <= 0 {
		return 0
	}
	return (n*20 + most - 1) / most * 5
}

// OpenBreakers lists the breakers that are open.
func (v overviewView) OpenBreakers() []BreakerLine {
	var out []BreakerLine
	for _, b := range v.Breakers {
		if b.Open {
			out = append(out, b)
		}
	}
	return out
}

// DaysNewestFirst is the table beside the chart.
func (v overviewView) DaysNewestFirst() []store.Day {
	out := slices.Clone(v.Days)
	slices.Reverse(out)
	return out
}
