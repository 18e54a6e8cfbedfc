package router

import (
	_ "embed" // the built-in routes
	"errors"
	"fmt"
	"time"

	"go.yaml.in/yaml/v3"

	growth "github.com/zakibelm/astrogrowth"
)

// DefaultRoutes is the built-in route file, as YAML.
//
//go:embed routes.yaml
var DefaultRoutes []byte

// Candidate is one provider with one family of models: the first slug that the provider serves is the one that is used.
type Candidate struct {
	Family   string
	Provider string
	Slugs    []string
}

// Route says how calls of one task type are made.
type Route struct {
	Candidates  []Candidate
	Temperature *float64
	MaxTokens   int
	CallTimeout time.Duration // for one request to one candidate
	Timeout     time.Duration // for the whole walk
	CacheTTL    time.Duration
	FreeTier    FreeTier // empty: Pace
}

// Routes holds the route of every task type.
type Routes map[growth.TaskType]Route

type routesFile struct {
	Version  int                           `yaml:"version"`
	Families map[string]familyFile         `yaml:"families"`
	Routes   map[growth.TaskType]yaml.Node `yaml:"routes"`
}

type familyFile struct {
	Provider string   `yaml:"provider"`
	Slugs    []string `yaml:"slugs"`
}

type routeFile struct {
	Candidates  []yaml.Node   `yaml:"candidates"`
	Temperature *float64      `yaml:"temperature"`
	MaxTokens   int           `yaml:"max_tokens"`
	CallTimeout time.Duration `yaml:"call_timeout"`
	Timeout     time.Duration `yaml:"timeout"`
	CacheTTL    time.Duration `yaml:"cache_ttl"`
	FreeTier    FreeTier      `yaml:"free_tier"`
}

// ParseRoutes reads a route file. Every problem is reported, each with its line.
func ParseRoutes(b []byte) (Routes, error) {
	var f routesFile
	if err := yaml.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("routes: %w", err)
	}
	var problems []error
	if f.Version != 1 {
		problems = append(problems, fmt.Errorf("routes: version is %d, and 1 is the only one known", f.Version))
	}
	out := Routes{}
	for _, task := range growth.TaskTypes() {
		node, ok := f.Routes[task]
		if !ok {
			problems = append(problems, fmt.Errorf("routes: there is no route for %s", task))
			continue
		}
		r, errs := f.route(task, node)
		out[task], problems = r, append(problems, errs...)
	}
	for task, node := range f.Routes {
		if !task.Valid() {
			problems = append(problems, fmt.Errorf("routes: line %d: there is no task type %q; use one of %v", node.Line, task, growth.TaskTypes()))
		}
	}
	return out, errors.Join(problems...)
}

func (f routesFile) route(task growth.TaskType, node yaml.Node) (Route, []error) {
	var rf routeFile
	if err := node.Decode(&rf); err != nil {
		return Route{}, []error{fmt.Errorf("routes: %s: %w", task, err)}
	}
	var problems []error
	r := Route{
		Temperature: rf.Temperature, MaxTokens: rf.MaxTokens, CallTimeout: rf.CallTimeout, Timeout: rf.Timeout, CacheTTL: rf.CacheTTL,
	}
	if r.FreeTier = rf.FreeTier; !r.FreeTier.valid() {
		problems = append(problems, fmt.Errorf("routes: line %d: %s: free_tier is %q; use pace or spill", node.Line, task, r.FreeTier))
	}
	if r.CallTimeout <= 0 || r.Timeout < r.CallTimeout {
		problems = append(problems, fmt.Errorf("routes: line %d: %s: call_timeout must be above 0 and timeout at least as long", node.Line, task))
	}
	if r.MaxTokens <= 0 {
		problems = append(problems, fmt.Errorf("routes: line %d: %s: max_tokens must be above 0", node.Line, task))
	}
	if len(rf.Candidates) == 0 {
		problems = append(problems, fmt.Errorf("routes: line %d: %s: candidates is empty", node.Line, task))
	}
	for _, n := range rf.Candidates {
		fam, ok := f.Families[n.Value]
		switch {
		case !ok:
			problems = append(problems, fmt.Errorf("routes: line %d: there is no family %q", n.Line, n.Value))
		case fam.Provider == "" || len(fam.Slugs) == 0:
			problems = append(problems, fmt.Errorf("routes: line %d: family %q needs a provider and at least one slug", n.Line, n.Value))
		default:
			r.Candidates = append(r.Candidates, Candidate{Family: n.Value, Provider: fam.Provider, Slugs: fam.Slugs})
		}
	}
	return r, problems
}

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
			for _, s := range c.Slugs {
				add(c.Provider + "/" + s)
			}
		}
	}
	return out
}
