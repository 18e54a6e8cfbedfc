package router_test

import (
	"flag"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/router/quota"
)

var update = flag.Bool("update", false, "write the generated documents anew")

const failoverFile = "../docs/failover.md"

// mishap is one thing that can go wrong with a provider.
type mishap struct {
	name  string
	fault *simulator.Fault // nil: see dead and change
	dead  bool             // nobody listens at the provider's address
	// change makes the request that goes wrong by itself.
	change  func(*router.Request)
	short   bool // the call's time limit is short
	unknown bool // the family begins with a model that does not exist
}

func faulty(kind string, p ...simulator.FaultParams) *simulator.Fault {
	f := &simulator.Fault{Kind: kind}
	if len(p) > 0 {
		f.Params = p[0]
	}
	return f
}

func hint(h string) simulator.FaultParams { return simulator.FaultParams{Hint: h, RetryAfter: 7} }

func message(m string) simulator.FaultParams { return simulator.FaultParams{Message: m} }

func mishaps() []mishap {
	out := []mishap{
		{name: "nobody listens", dead: true},
		{name: "connection reset", fault: faulty(simulator.KindReset)},
		{name: "no answer within call_timeout", fault: faulty(simulator.KindTimeout), short: true},
		{name: "blank lines before the answer (keep-alive)", fault: faulty(simulator.KindKeepAlive, simulator.FaultParams{LatencyMS: 3})},
		{name: "400, a parameter at fault", fault: faulty("400", message("temperature must be at most 2"))},
		{name: "400 without a text", fault: faulty(simulator.KindEmptyBody, simulator.FaultParams{Status: 400})},
		{name: "unknown model", unknown: true},
		{name: "400, context too long", fault: faulty("400", message("This model's maximum context length is 8192 tokens."))},
		{name: "400, content policy", fault: faulty("400", message("blocked by the content policy"))},
		{name: "413 too large", fault: faulty("413")},
		{name: "422, a parameter at fault", fault: faulty("422", message("response_format is invalid"))},
		{name: "500, `format` at fault (Ollama)", fault: faulty("500", message(`invalid format: "x"; expected "json" or a valid JSON Schema object`))},
	}
	for _, status := range []string{"401", "402", "403", "404", "408", "410"} {
		out = append(out, mishap{name: status, fault: faulty(status)})
	}
	out = append(
		out,
		mishap{name: "429, `Retry-After` in seconds", fault: faulty("429", hint(simulator.HintSeconds))},
		mishap{name: "429, `Retry-After` as a date", fault: faulty("429", hint(simulator.HintDate))},
		mishap{name: "429, `retry-after-ms`", fault: faulty("429", hint(simulator.HintMillis))},
		mishap{name: "429, `X-RateLimit-Reset`", fault: faulty("429", hint(simulator.HintReset))},
		mishap{name: "429, a hint in the body", fault: faulty("429", hint(simulator.HintBody))},
		mishap{name: "429 without a hint", fault: faulty("429", simulator.FaultParams{Hint: simulator.HintNone})},
		mishap{name: "429, cap of the day", fault: faulty("429", simulator.FaultParams{Hint: simulator.HintDaily, Message: "Rate limit exceeded: free-models-per-day"})},
	)
	for _, status := range []string{"500", "502", "503", "504", "524", "529"} {
		out = append(out, mishap{name: status, fault: faulty(status)})
	}
	return append(
		out,
		mishap{name: "503, `Retry-After` in seconds", fault: faulty("503", hint(simulator.HintSeconds))},
		mishap{name: "502, a page of an edge", fault: faulty(simulator.KindHTML)},
		mishap{name: "200, a page", fault: faulty(simulator.KindHTML, simulator.FaultParams{Status: 200})},
		mishap{name: "200 that carries an error", fault: faulty(simulator.KindErrorIn200)},
		mishap{name: "200 that carries an error in its choice", fault: faulty(simulator.KindErrorIn200, simulator.FaultParams{Hint: simulator.HintChoice})},
		mishap{name: "200 without a body", fault: faulty(simulator.KindEmptyBody)},
		mishap{name: "200, cut JSON", fault: faulty(simulator.KindCutJSON)},
		mishap{name: "200, the connection breaks in the body", fault: faulty(simulator.KindCutJSON, simulator.FaultParams{Hint: simulator.HintMismatch})},
		mishap{name: "200, empty answer", fault: faulty(simulator.KindEmpty)},
		mishap{name: "200 without token counts", fault: faulty(simulator.KindMissingUsage)},
		mishap{name: "JSON in a fence", fault: faulty(simulator.KindInvalidAnswer, simulator.FaultParams{Hint: simulator.HintFence}), change: structured},
		mishap{name: "prose in place of JSON", fault: faulty(simulator.KindInvalidAnswer, simulator.FaultParams{Hint: simulator.HintProse}), change: structured},
		mishap{name: "JSON that does not fit the schema", fault: faulty(simulator.KindInvalidAnswer, simulator.FaultParams{Hint: simulator.HintShape}), change: structured},
		mishap{name: "JSON cut at the token limit", change: func(r *router.Request) { structured(r); r.Sampling.MaxTokens = 1 }},
		mishap{name: "text cut at the limit that was asked for", change: func(r *router.Request) { r.Sampling.MaxTokens = 1 }},
		mishap{name: "an answer that `Accept` turns down", change: func(r *router.Request) {
			r.Accept = func(text string) error {
				if text != `{"n":4}` {
					return fmt.Errorf("that is not it")
				}
				return nil
			}
		}},
	)
}

// bench3 is what the table's rows are tried on: one provider of the simulator, and a fake that answers behind it.
type bench3 struct {
	*router.Router
	rests *quota.Cooldowns
	name  string
	slugs []string
}

// onBench puts a provider of the simulator before one that always answers.
func onBench(t *testing.T, name string, m mishap) *bench3 {
	t.Helper()
	sim, web := simulator.New(simulator.Config{Seed: 7}), &http.Client{Transport: &http.Transport{}}
	srv := httptest.NewServer(sim)
	t.Cleanup(func() { sim.Close(); web.CloseIdleConnections(); srv.Close() })
	if m.fault != nil {
		f := *m.fault
		f.Provider = name
		if _, err := sim.SetFault(f); err != nil {
			t.Fatalf("%s: %v", m.name, err)
		}
	}
	base := srv.URL
	if m.dead {
		base = "http://" + closedPort(t)
	}
	p, slugs := clientOf(name, base, web)
	if m.unknown {
		slugs = append([]string{"no/such-model"}, slugs...)
	}
	last := &fake{name: "last", answer: says(`{"n":4}`)}
	limit := 30 * time.Second
	if m.short {
		limit = time.Second
	}
	r := router.Route{
		MaxTokens: 100, CallTimeout: limit, Timeout: time.Minute,
		Candidates: []router.Candidate{{Family: "f", Provider: name, Slugs: slugs}, {Family: "l", Provider: "last", Slugs: []string{"m"}}},
	}
	rests := &quota.Cooldowns{}
	return &bench3{name: name, slugs: slugs, rests: rests, Router: router.New(router.Config{
		Routes: router.Routes{growth.TaskSimple: r}, Providers: []router.Provider{p, last}, Ledger: &book{}, Cooldowns: rests,
	})}
}

// clientOf is a provider's client and two of its models that the simulator serves.
func clientOf(name, base string, web *http.Client) (router.Provider, []string) {
	s := providers.Settings{Key: "k", HTTP: web, MaxInFlight: chainCallers}
	switch name {
	case simulator.OpenRouter:
		s.BaseURL = base + "/openrouter/api/v1"
		return providers.NewOpenRouter(s), []string{"google/gemma-4-31b-it:free", "openai/gpt-oss-20b:free"}
	case simulator.HuggingFace:
		s.BaseURL = base + "/huggingface/v1"
		return providers.NewHuggingFace(s), []string{"openai/gpt-oss-20b", "openai/gpt-oss-120b"}
	default:
		s.BaseURL = base + "/ollama"
		return providers.NewOllama(s), []string{"llama3.2:3b", "phi3:mini"}
	}
}

// closedPort is an address at which nobody listens.
func closedPort(t testing.TB) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// row is what came of one mishap.
type row struct{ code, next, breaker, rest string }

func (b *bench3) try(t *testing.T, m mishap) row {
	t.Helper()
	req := ask()
	if m.change != nil {
		m.change(&req)
	}
	a, err := b.Complete(t.Context(), req)
	calls := a.Calls
	if e, ok := chainEnd(err); ok {
		calls = e.Calls
	}
	first := calls[0]
	out := row{code: first.Code, next: b.next(calls, err), breaker: b.counted(), rest: b.resting()}
	if out.code == "" {
		out.code = "-"
	}
	return out
}

// next is the next move in words.
func (b *bench3) next(calls []growth.Call, err error) string {
	var own, models int
	seen := map[string]bool{}
	for _, c := range calls {
		if c.Provider != b.name {
			continue
		}
		own++
		if !seen[c.Model] {
			models++
		}
		seen[c.Model] = true
	}
	last := calls[len(calls)-1]
	switch {
	case last.Decision == growth.DecisionStopped:
		return "the call ends"
	case last.Provider == b.name && last.Decision == growth.DecisionAnswered && own == 1:
		return "answered" + flaws(last)
	case last.Provider == b.name && last.Decision == growth.DecisionAnswered && models > 1:
		return "next model of the family, which answers"
	case last.Provider == b.name && last.Decision == growth.DecisionAnswered:
		return "asked once more"
	case err != nil:
		return "nobody answers: " + err.Error() // never: the last one always does
	case models > 1:
		return "next model of the family, then next candidate"
	case own > 1:
		return "asked once more, then next candidate"
	}
	return "next candidate"
}

func flaws(c growth.Call) string {
	if c.Cost.USD == nil {
		return ", its cost unknown"
	}
	return ""
}

// counted names the breakers that the mishap counted against.
func (b *bench3) counted() string {
	var out []string
	status := b.Breakers().Status()
	for _, n := range slices.Sorted(maps.Keys(status)) {
		if status[n].Failures == 0 {
			continue
		}
		word := "model"
		if n == b.name {
			word = "provider"
		}
		if !slices.Contains(out, word) {
			out = append(out, word)
		}
	}
	if len(out) == 0 {
		return "-"
	}
	return strings.Join(out, ", ")
}

// resting says what is left alone from now on, and for how long.
func (b *bench3) resting() string {
	if until, _, ok := b.rests.Resting(b.name); ok {
		return "account " + rounded(until)
	}
	for _, s := range b.slugs {
		if until, _, ok := b.rests.Resting(b.name + "/" + s); ok {
			return "model " + rounded(until)
		}
	}
	return "-"
}

func rounded(until time.Time) string {
	d := (time.Until(until) + time.Second - 1).Truncate(time.Second) // up: some of it has passed
	switch midnight := time.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour); {
	case until.Sub(midnight).Abs() < 5*time.Second:
		return "until UTC midnight"
	case d >= 6*time.Second && d <= 8*time.Second:
		return "7 s" // a date has whole seconds
	}
	if d >= time.Minute {
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%d s", int(d.Seconds()))
}

func chainEnd(err error) (*router.ChainError, bool) {
	e, ok := err.(*router.ChainError) //nolint:errorlint // Complete returns it as it is
	return e, ok
}

// Every fault at every provider, made over real HTTP, and what the chain does about it. The table is part of the
// documentation: a change of behaviour shows as a change of it.
func TestFailoverTable(t *testing.T) {
	t.Parallel()
	names := []string{simulator.OpenRouter, simulator.HuggingFace, simulator.Ollama}
	var b strings.Builder
	b.WriteString(failoverHead)
	for _, m := range mishaps() {
		rows := map[row][]string{}
		var order []row
		for _, name := range names {
			r := onBench(t, name, m).try(t, m)
			if rows[r] == nil {
				order = append(order, r)
			}
			rows[r] = append(rows[r], name)
		}
		for _, r := range order {
			who := strings.Join(rows[r], ", ")
			if len(rows[r]) == len(names) {
				who = "all"
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", m.name, who, r.code, r.next, r.breaker, r.rest)
		}
	}
	if *update {
		if err := os.WriteFile(failoverFile, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(failoverFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("docs/failover.md is not what happens; look at the change, then run go test ./router -run TestFailoverTable -update (-file +now):\n%s", diff)
	}
}

const failoverHead = `# Failover

What the chain does about every fault of every provider. Generated: each row was made by the simulator over real HTTP
(` + "`go test ./router -run TestFailoverTable -update`" + `), and the tests fail when it is no longer what happens.

*code* is what the ledger and the answer's ` + "`calls`" + ` say. *breaker* is what the fault counts against; *rest* is what is
left alone from then on, and for how long. A model that is gone is taken out until a list names it again.

| fault | provider | code | next | breaker | rest |
|---|---|---|---|---|---|
`
