package analytics

import (
	"context"
	"time"

	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/store"
)

// Summary is what the chain did in a range of whole UTC days.
type Summary struct {
	From       time.Time                      `json:"from"`
	To         time.Time                      `json:"to" doc:"The end of the last day"`
	Currency   string                         `json:"currency"`
	Simulated  bool                           `json:"simulated" doc:"The simulator answered some of these calls"`
	Total      Activity                       `json:"total"`
	Latency    Latency                        `json:"latency_ms" doc:"Of the answered calls"`
	Providers  map[string]*Activity           `json:"providers"`
	Models     map[string]*Activity           `json:"models" doc:"By provider/model"`
	TaskTypes  map[growth.TaskType]*Activity  `json:"task_types"`
	Campaigns  map[string]*Activity           `json:"campaigns" doc:"By the campaign's id; an empty id: no campaign"`
	Workspaces map[string]*Activity           `json:"workspaces,omitempty" doc:"By name, where all of them were asked for"`
	Daily      []DayActivity                  `json:"daily"`
	Cache      CacheActivity                  `json:"cache"`
	Outcomes   Outcomes                       `json:"outcomes"`
	Waste      WasteSplit                     `json:"waste" doc:"Parts of the total that came to nothing"`
	Chain      Chain                          `json:"chain"`
	Targets    []Target                       `json:"targets"`
	ByTask     map[growth.TaskType]ModelCalls `json:"-"`
	SavedUSD   decimal.Decimal                `json:"-"`
}

// ModelCalls counts calls by model.
type ModelCalls map[string]int64

// DayActivity is one UTC day.
type DayActivity struct {
	Date         string           `json:"date"`
	Calls        int64            `json:"calls"`
	Failed       int64            `json:"failed"`
	Tokens       int64            `json:"tokens"`
	Cost         *decimal.Decimal `json:"cost" doc:"null when it is unknown of all calls"`
	UnknownCosts int64            `json:"unknown_costs"`
	CacheHits    int64            `json:"cache_hits"`
	CacheMisses  int64            `json:"cache_misses"`
	CacheHitRate float64          `json:"cache_hit_rate" doc:"0 to 1"`
	usd          decimal.Decimal
}

// CacheActivity is what the cache did.
type CacheActivity struct {
	Hits           int64           `json:"hits"`
	Misses         int64           `json:"misses"`
	HitRate        float64         `json:"hit_rate" doc:"0 to 1"`
	Saved          decimal.Decimal `json:"saved" doc:"What the cached answers had cost, without those whose cost is unknown"`
	UnknownSavings int64           `json:"unknown_savings" doc:"Hits on answers whose cost nobody knows"`
}

// Each is a cost shared out over what came of it.
type Each struct {
	Count        int64            `json:"count"`
	Cost         *decimal.Decimal `json:"cost" doc:"Of all of them, what came to nothing included; null when it is unknown of all calls"`
	Per          *decimal.Decimal `json:"each" doc:"null when there are none, or when their cost is unknown"`
	UnknownCosts int64            `json:"unknown_costs" doc:"Calls whose cost is in none of the amounts"`
}

// Outcomes say what the money bought.
type Outcomes struct {
	Requests  Each  `json:"per_1000_requests" doc:"Requests that the chain or the cache answered; each is the cost of a thousand"`
	Leads     Each  `json:"per_qualified_lead"`
	Approved  Each  `json:"per_approved_post" doc:"Contents that jobs wrote in this range and that were approved"`
	Published Each  `json:"per_published_post"`
	Rejected  int64 `json:"rejected_contents"`
	Contents  int64 `json:"contents" doc:"That jobs wrote in this range"`
}

// Part is what some of the calls cost.
type Part struct {
	Calls        int64            `json:"calls"`
	Cost         *decimal.Decimal `json:"cost" doc:"null when it is unknown of all calls"`
	UnknownCosts int64            `json:"unknown_costs"`
	usd          decimal.Decimal
}

// WasteSplit says what came to nothing. A call is in one part at most, but for rejected drafts: of these, each job's cost
// is shared out over its variants.
type WasteSplit struct {
	Retries   Part `json:"retries" doc:"Calls whose work had to be asked for again, and those in whose place nobody answered"`
	Fallbacks Part `json:"fallbacks" doc:"Failed calls in whose place another candidate answered"`
	Twins     Part `json:"twin_runs" doc:"Second readings of leads, which find injections"`
	Rejected  Part `json:"rejected_drafts"`
}

// Chain is how well the chain of providers served.
type Chain struct {
	Minutes      int64    `json:"minutes" doc:"In which it had something to do"`
	UpMinutes    int64    `json:"up_minutes" doc:"Those in which it answered"`
	Uptime       *float64 `json:"uptime" doc:"0 to 1; null when there was nothing to do"`
	Failovers    int64    `json:"failovers" doc:"Walks in which a candidate failed or was barred by its breaker"`
	FailoversOK  int64    `json:"failovers_ok" doc:"Those that another candidate answered"`
	FailoverRate *float64 `json:"failover_success_rate" doc:"0 to 1; null when there were none"`
}

// Summary adds up a workspace's span.
func (d Desk) Summary(ctx context.Context, ws growth.WorkspaceID, p store.Span) (Summary, error) {
	rate, err := d.rate(ctx)
	if err != nil {
		return Summary{}, err
	}
	r, err := d.Store.In(ws).Report(ctx, p)
	if err != nil {
		return Summary{}, err
	}
	s := newSummary(p, d.Currency)
	for _, u := range r.Uses {
		s.count(u, rate)
	}
	s.speeds(r.Speeds)
	s.cache(r.Cache, rate)
	s.outcomes(r, rate)
	s.Chain = chainOf(r.Health)
	cad, known := d.canadian(ctx)
	s.Targets = Targets(Measured{
		Hits: s.Cache.Hits, Misses: s.Cache.Misses, Health: r.Health, AvgMS: s.Latency.Avg, CAD: cad, CADKnown: known,
	})
	return s, nil
}

func newSummary(p store.Span, currency string) Summary {
	nothing := known(decimal.Zero, decimal.Zero, 0, 0)
	s := Summary{
		Total: Activity{Cost: nothing}, Waste: WasteSplit{Retries: Part{Cost: nothing}, Fallbacks: Part{Cost: nothing}, Twins: Part{Cost: nothing}},
		From: p.From, To: p.To.AddDate(0, 0, 1), Currency: currency, Providers: map[string]*Activity{}, Models: map[string]*Activity{},
		TaskTypes: map[growth.TaskType]*Activity{}, Campaigns: map[string]*Activity{}, ByTask: map[growth.TaskType]ModelCalls{},
		Daily: make([]DayActivity, p.Days()),
	}
	for i := range s.Daily { // quiet days are there, with zeros
		s.Daily[i].Date, s.Daily[i].Cost = p.From.AddDate(0, 0, i).Format(time.DateOnly), nothing
	}
	return s
}

// day finds a day of the summary; nil for one that it does not have.
func (s *Summary) day(at time.Time) *DayActivity {
	i := int(at.UTC().Sub(s.From).Hours() / 24)
	if i < 0 || i >= len(s.Daily) {
		return nil
	}
	return &s.Daily[i]
}

func (s *Summary) count(u store.Use, rate decimal.Decimal) {
	s.Total.add(u, rate)
	s.Simulated = s.Simulated || u.Simulated > 0
	group(s.Providers, u.Provider).add(u, rate)
	m := group(s.Models, u.Provider+"/"+u.Model)
	m.Provider = u.Provider
	m.add(u, rate)
	group(s.TaskTypes, u.Task).add(u, rate)
	group(s.Campaigns, string(u.Campaign)).add(u, rate)
	if s.ByTask[u.Task] == nil {
		s.ByTask[u.Task] = ModelCalls{}
	}
	s.ByTask[u.Task][u.Model] += u.Calls
	if d := s.day(u.Day); d != nil {
		d.Calls, d.Failed, d.Tokens, d.UnknownCosts = d.Calls+u.Calls, d.Failed+u.Failed, d.Tokens+u.Prompt+u.Completion, d.UnknownCosts+u.Unknown
		d.usd = d.usd.Add(u.CostUSD)
		d.Cost = known(d.usd, rate, d.Calls, d.UnknownCosts)
	}
	s.Waste.count(u, rate)
}

func (w *WasteSplit) count(u store.Use, rate decimal.Decimal) {
	switch {
	case u.Purpose == store.ForTwin:
		w.Twins.add(u.Calls, u.Unknown, u.CostUSD, rate)
	case u.Waste == store.WasteFallback:
		w.Fallbacks.add(u.Calls, u.Unknown, u.CostUSD, rate)
	case u.Waste == store.WasteRetry:
		w.Retries.add(u.Calls, u.Unknown, u.CostUSD, rate)
	}
}

func (p *Part) add(calls, unknown int64, cost, rate decimal.Decimal) {
	p.Calls, p.UnknownCosts, p.usd = p.Calls+calls, p.UnknownCosts+unknown, p.usd.Add(cost)
	p.Cost = known(p.usd, rate, p.Calls, p.UnknownCosts)
}

func (s *Summary) speeds(speeds []store.Speed) {
	for _, v := range speeds {
		l := &Latency{P50: v.P50, P95: v.P95, P99: v.P99, Avg: v.Avg}
		switch v.By {
		case store.SpeedTotal:
			s.Latency, s.Total.Latency = *l, l
		case store.SpeedProvider:
			group(s.Providers, v.Key).Latency = l
		case store.SpeedModel:
			group(s.Models, v.Key).Latency = l
		case store.SpeedTask:
			group(s.TaskTypes, growth.TaskType(v.Key)).Latency = l
		case store.SpeedCampaign:
			group(s.Campaigns, v.Key).Latency = l
		}
	}
}

func (s *Summary) cache(counts []store.CacheCount, rate decimal.Decimal) {
	c := &s.Cache
	for _, n := range counts {
		c.Hits, c.Misses, c.UnknownSavings = c.Hits+n.Hits, c.Misses+n.Misses, c.UnknownSavings+n.Unknown
		s.SavedUSD = s.SavedUSD.Add(n.SavedUSD)
		if d := s.day(n.Day); d != nil {
			d.CacheHits, d.CacheMisses = d.CacheHits+n.Hits, d.CacheMisses+n.Misses
			d.CacheHitRate = share(d.CacheHits, d.CacheHits+d.CacheMisses)
		}
	}
	c.HitRate, c.Saved = share(c.Hits, c.Hits+c.Misses), shown(s.SavedUSD, rate)
}

func (s *Summary) outcomes(r store.Report, rate decimal.Decimal) {
	nothing := known(decimal.Zero, rate, 0, 0)
	lead, content := Part{Cost: nothing}, Part{Cost: nothing}
	for _, u := range r.Uses {
		switch u.Purpose {
		case store.ForLead, store.ForTwin:
			lead.add(u.Calls, u.Unknown, u.CostUSD, rate)
		case store.ForContent:
			content.add(u.Calls, u.Unknown, u.CostUSD, rate)
		case store.ForCaller, store.ForOther:
		}
	}
	all := Part{usd: s.Total.usd.all, Cost: s.Total.Cost, UnknownCosts: s.Total.UnknownCosts}
	o := r.Outcomes
	s.Outcomes = Outcomes{
		Requests: each(all, s.Total.Answered+s.Cache.Hits, 1000, rate), Leads: each(lead, o.Leads, 1, rate),
		Approved: each(content, o.Approved, 1, rate), Published: each(content, o.Published, 1, rate),
		Rejected: o.Rejected, Contents: o.Contents,
	}
	s.Waste.Rejected.add(o.RejectedCalls, o.RejectedOpen, o.RejectedUSD, rate)
}

// each shares a cost out over n things, for so many of them.
func each(p Part, n, of int64, rate decimal.Decimal) Each {
	e := Each{Count: n, Cost: p.Cost, UnknownCosts: p.UnknownCosts}
	if n > 0 && p.Cost != nil {
		per := p.usd.Mul(rate).Mul(decimal.NewFromInt(of)).DivRound(decimal.NewFromInt(n), 12)
		e.Per = &per
	}
	return e
}

func chainOf(h store.ChainHealth) Chain {
	c := Chain{Minutes: h.Minutes, UpMinutes: h.UpMinutes, Failovers: h.Failovers, FailoversOK: h.FailoversOK}
	if h.Minutes > 0 {
		v := share(h.UpMinutes, h.Minutes)
		c.Uptime = &v
	}
	if h.Failovers > 0 {
		v := share(h.FailoversOK, h.Failovers)
		c.FailoverRate = &v
	}
	return c
}

// AddWorkspaces fills in what each of the workspaces did in the span.
func (d Desk) AddWorkspaces(ctx context.Context, s *Summary, all []growth.Workspace, p store.Span) error {
	rate, err := d.rate(ctx)
	if err != nil {
		return err
	}
	s.Workspaces = map[string]*Activity{}
	for _, w := range all {
		uses, err := d.Store.In(w.ID).Uses(ctx, p)
		if err != nil {
			return err
		}
		for _, u := range uses {
			group(s.Workspaces, w.Slug).add(u, rate)
		}
	}
	return nil
}
