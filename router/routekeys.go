package router

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	growth "github.com/zakibelm/astrogrowth"
)

// routeKey reads one key of a route.
type routeKey func(p *routeParser, r *Route, where string, n *yaml.Node)

// routeKeys is what a route may say. A key that is not in it is an error.
var routeKeys = map[string]routeKey{
	"candidates": (*routeParser).candidates,
	"temperature": func(p *routeParser, r *Route, where string, n *yaml.Node) {
		r.Temperature = p.number(n, where, 0, 2)
	},
	"top_p": func(p *routeParser, r *Route, where string, n *yaml.Node) { r.TopP = p.number(n, where, 0, 1) },
	"max_tokens": func(p *routeParser, r *Route, where string, n *yaml.Node) {
		r.MaxTokens = p.count(n, where, 1, 1_000_000)
	},
	"stop": func(p *routeParser, r *Route, where string, n *yaml.Node) { r.Stop = p.stops(n, where) },
	"call_timeout": func(p *routeParser, r *Route, where string, n *yaml.Node) {
		r.CallTimeout = p.duration(n, where, time.Millisecond, 10*time.Minute)
	},
	"timeout": func(p *routeParser, r *Route, where string, n *yaml.Node) {
		r.Timeout = p.duration(n, where, time.Millisecond, time.Hour)
	},
	"cache_ttl": func(p *routeParser, r *Route, where string, n *yaml.Node) {
		r.CacheTTL = p.duration(n, where, 0, 365*24*time.Hour)
	},
	"cache": func(p *routeParser, r *Route, where string, n *yaml.Node) {
		r.Cache = CacheRule(p.choice(n, where, string(CacheRuleNear), string(CacheRuleExact), string(CacheRuleNone)))
	},
	"free_tier": func(p *routeParser, r *Route, where string, n *yaml.Node) {
		r.FreeTier = FreeTier(p.choice(n, where, string(Pace), string(Spill)))
	},
	"paid": func(p *routeParser, r *Route, where string, n *yaml.Node) {
		r.Paid = PaidRule(p.choice(n, where, string(PaidAllow), string(PaidDeny), string(PaidWhenFreeSpent)))
	},
}

var neededKeys = []string{"candidates", "max_tokens", "call_timeout", "timeout"}

func (p *routeParser) route(task growth.TaskType, line int, n *yaml.Node) Route {
	r := Route{}
	if plain(n).Kind != yaml.MappingNode {
		p.complain(n.Line, "%s: names with values are expected, as name: value", task)
		return r
	}
	fields := p.mapping(n, string(task), slices.Sorted(maps.Keys(routeKeys))...)
	before := len(p.problems)
	for name, value := range fields {
		routeKeys[name](p, &r, string(task)+": "+name, value)
	}
	for _, name := range neededKeys {
		if fields[name] == nil {
			p.complain(line, "%s: %s is missing", task, name)
		}
	}
	if len(p.problems) == before && r.Timeout < r.CallTimeout {
		p.complain(fields["timeout"].Line, "%s: timeout is %v, which is shorter than the call_timeout of %v", task, r.Timeout, r.CallTimeout)
	}
	return r
}

func (p *routeParser) candidates(r *Route, where string, n *yaml.Node) {
	list := p.list(n, where)
	if len(list) == 0 && plain(n).Kind == yaml.SequenceNode {
		p.complain(n.Line, "%s: the list is empty", where)
	}
	seen := map[string]int{}
	for _, v := range list {
		name := p.text(v, where)
		switch {
		case name == "": // said already
		case !p.known[name]:
			p.complain(v.Line, "%s: there is no family %q; known are %s", where, name, p.familyNames())
		case seen[name] > 0:
			p.complain(v.Line, "%s: %s stands already in line %d", where, name, seen[name])
		default:
			seen[name] = v.Line
			r.Candidates = append(r.Candidates, p.families[name])
		}
	}
}

func (p *routeParser) familyNames() string {
	if len(p.known) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(p.known)), ", ")
}

func (p *routeParser) number(n *yaml.Node, where string, low, high float64) *float64 {
	v, err := strconv.ParseFloat(n.Value, 64)
	if n.Kind != yaml.ScalarNode || err != nil || !(v >= low && v <= high) {
		p.complain(n.Line, "%s is %s; write a number from %v to %v", where, shown(n), low, high)
		return nil
	}
	return &v
}

func (p *routeParser) count(n *yaml.Node, where string, low, high int) int {
	v, err := strconv.Atoi(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || v < low || v > high {
		p.complain(n.Line, "%s is %s; write a whole number from %d to %d", where, shown(n), low, high)
	}
	return v
}

func (p *routeParser) duration(n *yaml.Node, where string, low, high time.Duration) time.Duration {
	v, err := time.ParseDuration(n.Value)
	switch {
	case n.Kind != yaml.ScalarNode || err != nil:
		p.complain(n.Line, "%s is %s; write a duration with its unit, as 45s or 2m", where, shown(n))
	case v < low || v > high:
		p.complain(n.Line, "%s is %v; write a duration from %v to %v", where, v, low, high)
	}
	return v
}

func (p *routeParser) choice(n *yaml.Node, where string, allowed ...string) string {
	if n.Kind != yaml.ScalarNode || !slices.Contains(allowed, n.Value) {
		p.complain(n.Line, "%s is %s; write %s", where, shown(n), oneOf(allowed))
	}
	return n.Value
}

func (p *routeParser) stops(n *yaml.Node, where string) []string {
	var out []string
	for _, v := range p.list(n, where) {
		if s := p.text(v, where); s != "" {
			out = append(out, s)
		}
	}
	if len(out) > 4 {
		p.complain(n.Line, "%s has %d texts; no provider takes more than 4", where, len(out))
	}
	return out
}

func oneOf(words []string) string {
	last := len(words) - 1
	return fmt.Sprintf("%s or %s", strings.Join(words[:last], ", "), words[last])
}
