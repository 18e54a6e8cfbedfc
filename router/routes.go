package router

import (
	_ "embed" // the built-in routes
	"slices"
	"time"

	growth "github.com/zakibelm/astrogrowth"
)

// DefaultRoutes is the built-in route file, as YAML.
//
//go:embed routes.yaml
var DefaultRoutes []byte

// Candidate is one provider with one family of models: the first slug that the provider serves is the one that is used.
// Paid holds the successors that cost money in a family whose own models are free; they come after all Slugs.
type Candidate struct {
	Family   string
	Provider string
	Slugs    []string
	Paid     []string
}

// PaidRule says whether a route may call a model that costs money, or of which nobody here knows that it is free.
type PaidRule string

// The rules about paid models. The zero value of a Route means PaidAllow.
const (
	PaidAllow         PaidRule = "allow"           // in the order of the route
	PaidDeny          PaidRule = "deny"            // never
	PaidWhenFreeSpent PaidRule = "when_free_spent" // behind every free model of the route, wherever it stands
)

// CacheRule says whether a route's answers may be kept for direct calls.
type CacheRule string

// The cache rules of a route. The zero value means CacheRuleNear.
const (
	CacheRuleNear  CacheRule = "near" // where the task type allows it
	CacheRuleExact CacheRule = "exact"
	CacheRuleNone  CacheRule = "none"
)

// Route says how calls of one task type are made.
type Route struct {
	Candidates  []Candidate
	Temperature *float64
	TopP        *float64
	MaxTokens   int
	Stop        []string
	CallTimeout time.Duration // for one request to one candidate
	Timeout     time.Duration // for the whole walk
	CacheTTL    time.Duration
	Cache       CacheRule
	Paid        PaidRule
	FreeTier    FreeTier // empty: Pace
}

// keeps says whether answers of this route may be kept at all.
func (r Route) keeps() bool { return r.Cache != CacheRuleNone && r.CacheTTL > 0 }

// Routes holds the route of every task type.
type Routes map[growth.TaskType]Route

// BreakerNames lists the breakers that a router with these routes has: one a provider, one a provider and model.
func (r Routes) BreakerNames() []string {
	seen := map[string]bool{}
	var out []string
	add := func(n string) {
		if !seen[n] {
			seen[n] = true
			out = append(out, n)
		}
	}
	for _, task := range growth.TaskTypes() {
		for _, c := range r[task].Candidates {
			add(c.Provider)
			for _, s := range c.all() {
				add(c.Provider + "/" + s)
			}
		}
	}
	return out
}

// all lists every slug of the family, in the order in which they are tried.
func (c Candidate) all() []string {
	if len(c.Paid) == 0 {
		return c.Slugs
	}
	return slices.Concat(c.Slugs, c.Paid)
}
