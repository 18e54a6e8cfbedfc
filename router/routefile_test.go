package router_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/router"
)

// routeFile is a file that is right, in which a test changes something.
const routeFile = `version: 1
families:
  small-free:
    provider: openrouter
    slugs: ["a/one:free", "a/two:free"]
    paid: ["a/one"]
  local:
    provider: ollama
    slugs: [tiny]
routes:
  qualification: &all
    candidates: [small-free, local]
    temperature: 0.5
    top_p: 0.9
    max_tokens: 100
    stop: [END]
    call_timeout: 5s
    timeout: 1m
    cache: exact
    cache_ttl: 1h
    paid: when_free_spent
  content_generation: *all
  verification: *all
  analysis: *all
  simple:
    candidates: [local]
    max_tokens: 10
    call_timeout: 5s
    timeout: 5s
    cache: none
`

func TestRouteFileIsReadWhole(t *testing.T) {
	t.Parallel()
	routes, err := router.ParseRoutes([]byte(routeFile))
	if err != nil {
		t.Fatal(err)
	}
	half, most := 0.5, 0.9
	small := router.Candidate{Family: "small-free", Provider: "openrouter", Slugs: []string{"a/one:free", "a/two:free"}, Paid: []string{"a/one"}}
	local := router.Candidate{Family: "local", Provider: "ollama", Slugs: []string{"tiny"}}
	full := router.Route{
		Candidates: []router.Candidate{small, local}, Temperature: &half, TopP: &most, MaxTokens: 100, Stop: []string{"END"},
		CallTimeout: 5 * time.Second, Timeout: time.Minute, Cache: router.CacheRuleExact, CacheTTL: time.Hour, Paid: router.PaidWhenFreeSpent,
	}
	short := router.Route{
		Candidates: []router.Candidate{local}, MaxTokens: 10, CallTimeout: 5 * time.Second, Timeout: 5 * time.Second, Cache: router.CacheRuleNone,
	}
	want := router.Routes{
		growth.TaskQualification: full, growth.TaskContent: full, growth.TaskVerification: full, growth.TaskAnalysis: full, growth.TaskSimple: short,
	}
	if diff := cmp.Diff(want, routes); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	names := []string{"openrouter", "openrouter/a/one:free", "openrouter/a/two:free", "openrouter/a/one", "ollama", "ollama/tiny"}
	if diff := cmp.Diff(names, routes.BreakerNames()); diff != "" {
		t.Errorf("breakers (-want +got):\n%s", diff)
	}
}

func TestRouteFileNamesTheLineAtFault(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, old, new string
		want           []string
	}{
		{"unknown key of the file", "routes:\n", "colour: red\nroutes:\n", []string{`line 10: the file: there is no key "colour"; known are version, families, routes`}},
		{"unknown key of a family", "slugs: [tiny]", "slugs: [tiny]\n    slug: x", []string{`line 10: family "local": there is no key "slug"; known are provider, slugs, paid`}},
		{"unknown key of a route", "temperature: 0.5", "temprature: 0.5", []string{
			`line 13: qualification: there is no key "temprature"; known are cache, cache_ttl, call_timeout, candidates, free_tier, max_tokens, paid, stop, temperature, timeout, top_p`,
		}},
		{"version", "version: 1", "version: 2", []string{`line 1: version is "2", and 1 is the only one known`}},
		{"no version", "version: 1\n", "", []string{"line 1: version is missing; write version: 1"}},
		{"unknown family", "candidates: [local]", "candidates: [locl]", []string{`line 26: simple: candidates: there is no family "locl"; known are local, small-free`}},
		{"candidate twice", "candidates: [local]", "candidates: [local, local]", []string{"line 26: simple: candidates: local stands already in line 26"}},
		{"no candidate", "candidates: [local]", "candidates: []", []string{"line 26: simple: candidates: the list is empty"}},
		{"candidates are no list", "candidates: [local]", "candidates: local", []string{"line 26: simple: candidates: a list is expected, as [a, b]"}},
		{"a candidate is empty", "candidates: [local]", "candidates: [local, '']", []string{"line 26: simple: candidates: a value is empty"}},
		{"no slug", "slugs: [tiny]", "slugs: []", []string{`line 9: family "local": slugs is empty; list at least one model`}},
		{"empty slug", "slugs: [tiny]", `slugs: ["", tiny]`, []string{`line 9: family "local": slugs: a value is empty`}},
		{"slug twice", "slugs: [tiny]", "slugs:\n    - tiny\n    - tiny", []string{`line 11: family "local": slugs: "tiny" stands already in line 10`}},
		{"paid slug that is there already", `paid: ["a/one"]`, `paid: ["a/two:free"]`, []string{`line 6: family "small-free": paid: "a/two:free" stands already in line 5`}},
		{"slug with a blank", "slugs: [tiny]", `slugs: ["tiny model"]`, []string{`line 9: family "local": slugs: "tiny model" holds a blank`}},
		{"no provider", "    provider: ollama\n", "", []string{`line 7: family "local": provider is missing`}},
		{"provider that cannot be one", "provider: ollama", "provider: Oll ama", []string{`line 8: family "local": provider is "Oll ama"; a name has letters, digits and dashes`}},
		{"duration without a unit", "call_timeout: 5s\n    timeout: 5s", "call_timeout: 5\n    timeout: 5s", []string{`line 28: simple: call_timeout is "5"; write a duration with its unit, as 45s or 2m`}},
		{"duration out of range", "timeout: 1m", "timeout: 100h", []string{"line 18: qualification: timeout is 100h0m0s; write a duration from 1ms to 1h0m0s"}},
		{"negative duration", "cache_ttl: 1h", "cache_ttl: -1s", []string{"line 20: qualification: cache_ttl is -1s; write a duration from 0s to 8760h0m0s"}},
		{"whole shorter than a part", "timeout: 1m", "timeout: 2s", []string{"line 18: qualification: timeout is 2s, which is shorter than the call_timeout of 5s"}},
		{"temperature", "temperature: 0.5", "temperature: 3", []string{`line 13: qualification: temperature is "3"; write a number from 0 to 2`}},
		{"temperature that is no number", "temperature: 0.5", "temperature: NaN", []string{`line 13: qualification: temperature is "NaN"; write a number from 0 to 2`}},
		{"top_p", "top_p: 0.9", "top_p: [1]", []string{"line 14: qualification: top_p is no single value; write a number from 0 to 1"}},
		{"max_tokens", "max_tokens: 100", "max_tokens: 1.5", []string{`line 15: qualification: max_tokens is "1.5"; write a whole number from 1 to 1000000`}},
		{"max_tokens left out", "    max_tokens: 10\n", "", []string{"line 25: simple: max_tokens is missing"}},
		{"paid", "paid: when_free_spent", "paid: maybe", []string{`line 21: qualification: paid is "maybe"; write allow, deny or when_free_spent`}},
		{"cache", "cache: none", "cache: nearly", []string{`line 30: simple: cache is "nearly"; write near, exact or none`}},
		{"key twice", "cache: none", "cache: none\n    cache: exact", []string{"line 31: simple: cache stands already in line 30"}},
		{"unknown task type", "  analysis: *all", "  poetry: *all", []string{
			"line 11: there is no route for analysis",
			`line 24: there is no task type "poetry"; use one of [qualification content_generation verification analysis simple]`,
		}},
		{"a route that is a word", "  analysis: *all", "  analysis: all", []string{"line 24: analysis: names with values are expected, as name: value"}},
		{"no YAML", "slugs: [tiny]", "slugs: [tiny", []string{"line 9: not YAML: did not find expected ',' or ']'"}},
		{"two documents", "cache: none\n", "cache: none\n---\nversion: 1\n", []string{"line 31: a second document begins here; only the first would be read"}},
		{"two faults", "temperature: 0.5\n    top_p: 0.9", "temperature: -1\n    top_p: 7", []string{
			`line 13: qualification: temperature is "-1"; write a number from 0 to 2`,
			`line 14: qualification: top_p is "7"; write a number from 0 to 1`,
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(routeFile, tc.old) {
				t.Fatalf("the file has no %q", tc.old)
			}
			routes, err := router.ParseRoutes([]byte(strings.Replace(routeFile, tc.old, tc.new, 1)))
			bad, ok := errors.AsType[*router.RouteFileError](err)
			if !ok || routes != nil {
				t.Fatalf("routes %v, error %v; want none, and what is wrong", routes, err)
			}
			var got []string
			for _, p := range bad.Problems {
				got = append(got, p.String())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRouteFileThatIsNone(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ file, want string }{
		"empty":         {"", "the file is empty"},
		"only comments": {"# nothing\n", "the file is empty"},
		"a list":        {"[1]", "line 1: the file: names with values are expected"},
		"a null":        {"---\n", "names with values are expected"},
		"too large":     {strings.Repeat("#", 1<<20+1), "larger than"},
		"no members":    {"version: 1\n", "families is missing"},
		"binary":        {"\x00\x01", "not YAML"},
	} {
		if _, err := router.ParseRoutes([]byte(tc.file)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v; want %q", name, err, tc.want)
		}
	}
}

// Whatever stands in a route file, it is read or refused, and never brings the program down.
func FuzzParseRoutes(f *testing.F) {
	f.Add([]byte(routeFile))
	f.Add(router.DefaultRoutes)
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("version: 1\nfamilies: &f {x: *f}\nroutes: {simple: *f}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		routes, err := router.ParseRoutes(b)
		if (routes == nil) == (err == nil) {
			t.Errorf("routes %v, error %v", routes, err)
		}
	})
}
