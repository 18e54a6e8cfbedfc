package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"

	growth "github.com/zakibelm/astrogrowth"
	"github.com/zakibelm/astrogrowth/internal/analytics"
	"github.com/zakibelm/astrogrowth/internal/api"
	"github.com/zakibelm/astrogrowth/internal/simulator"
	"github.com/zakibelm/astrogrowth/internal/testenv"
	"github.com/zakibelm/astrogrowth/providers"
	"github.com/zakibelm/astrogrowth/router"
	"github.com/zakibelm/astrogrowth/store"
)

// unwell is an API over three simulated providers that fail now and then, each in its own way.
func unwell(t *testing.T) *face {
	t.Helper()
	sim := simulator.New(simulator.Config{})
	upstream := httptest.NewServer(sim)
	t.Cleanup(upstream.Close)
	often, seldom := 0.2, 0.05
	for _, f := range []simulator.Fault{
		{Provider: "openrouter", Kind: "503", Rate: &seldom, Params: simulator.FaultParams{Hint: simulator.HintNone}},
		{Provider: "openrouter", Kind: simulator.KindEmpty, Rate: &often},
		{Provider: "openrouter", Kind: simulator.KindMissingUsage, Rate: &seldom},
		{Provider: "huggingface", Kind: simulator.KindErrorIn200, Rate: &often},
		{Provider: "huggingface", Kind: simulator.KindMissingUsage, Rate: &often},
	} {
		if _, err := sim.SetFault(f); err != nil {
			t.Fatal(err)
		}
	}
	return newFace(t, func(c *api.Config) {
		routes, err := router.ParseRoutes(router.DefaultRoutes)
		if err != nil {
			t.Fatal(err)
		}
		ledger, stats := store.NewLedgerWriter(c.Store, zerolog.Nop()), store.NewCacheStats(c.Store, zerolog.Nop())
		beside(t, ledger.Run)
		beside(t, stats.Run)
		c.Router = router.New(router.Config{
			Routes: routes, Ledger: ledger, Cache: c.Cache, Stats: stats, Providers: []router.Provider{
				providers.NewOpenRouter(providers.Settings{BaseURL: upstream.URL + "/openrouter/api/v1", Key: "sim-key"}),
				providers.NewHuggingFace(providers.Settings{BaseURL: upstream.URL + "/huggingface/v1", Key: "hf_sim"}),
				providers.NewOllama(providers.Settings{BaseURL: upstream.URL + "/ollama"}),
			},
		})
	})
}

// beside runs something until the test ends.
func beside(t *testing.T, run func(context.Context)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

// mixed makes so many calls over every face, some for the second time, and returns how many were answered.
func (f *face) mixed(n int) int64 {
	f.t.Helper()
	var answered atomic.Int64
	next := make(chan int)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range next {
				if f.one(i) {
					answered.Add(1)
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	return answered.Load()
}

// one is call number i: every third repeats an earlier one.
func (f *face) one(i int) bool {
	text := fmt.Sprintf("Tell me fact number %d.", i)
	if i%3 == 2 {
		text = fmt.Sprintf("Tell me fact number %d.", (i/12)*12)
	}
	task := growth.TaskTypes()[i%5]
	message := fmt.Sprintf(`"messages":[{"role":"user","content":%q}]`, text)
	switch i % 4 {
	case 0:
		a := f.call(http.MethodPost, "/v1/chat/completions", fmt.Sprintf(`{"model":"astro/%s",%s,"stream":true}`, task, message))
		return a.status == http.StatusOK && strings.HasSuffix(string(a.body), "[DONE]") && !strings.Contains(string(a.body), `"error"`)
	case 1:
		a := f.call(http.MethodPost, "/api/trpc/llm.complete", fmt.Sprintf(`{"taskType":%q,%s}`, task, message))
		return a.status == http.StatusOK
	case 2:
		a := f.call(http.MethodPost, "/v1/chat/completions", fmt.Sprintf(`{"model":"astro/%s",%s}`, task, message))
		return a.status == http.StatusOK
	}
	options := `"bypass_cache":true`
	if i%8 == 3 { // nobody else may answer
		options = `"force_provider":"openrouter","force_model":"openai/gpt-4o-mini"`
	}
	a := f.call(http.MethodPost, "/v1/llm/complete", fmt.Sprintf(`{"task_type":%q,%s,"options":{%s}}`, task, message, options))
	return a.status == http.StatusOK
}

// recount is the ledger added up row by row, by somebody else than the database.
type recount struct {
	Calls, Failed, Answered, Tokens, Unknown   int64
	Cost, Fallbacks, Retries                   decimal.Decimal
	FallbackCalls, RetryCalls                  int64
	ByProvider, ByModel, ByTask                map[string]int64
	CostByProvider                             map[string]decimal.Decimal
	Minutes, UpMinutes, Failovers, FailoversOK int64
	latencies                                  []int64
}

type ledgerRow struct {
	id, provider, model, task, status, decision, code, walk string
	cost                                                    decimal.NullDecimal
	tokens, latency                                         int64
	at                                                      time.Time
}

func (f *face) ledger() []ledgerRow {
	f.t.Helper()
	rows, err := testenv.SQL(f.t, f.s).QueryContext(f.t.Context(), `
		SELECT id, provider, model, task_type, status, decision, code, coalesce(walk_id::text, ''), cost_usd, prompt_tokens + completion_tokens, latency_ms, started_at
		FROM calls WHERE workspace_id = $1 ORDER BY id`, f.ws.ID)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var out []ledgerRow
	for rows.Next() {
		var r ledgerRow
		if err := rows.Scan(&r.id, &r.provider, &r.model, &r.task, &r.status, &r.decision, &r.code, &r.walk, &r.cost, &r.tokens, &r.latency, &r.at); err != nil {
			f.t.Fatal(err)
		}
		out = append(out, r)
	}
	if err := rows.Err(); err != nil {
		f.t.Fatal(err)
	}
	return out
}

func (r ledgerRow) who() string { return r.provider + "/" + r.model }

func (r ledgerRow) lost() bool {
	return r.decision == "failed" && r.code != "canceled" || r.decision == "skipped" && r.code == "breaker_open"
}

func countAgain(rows []ledgerRow) *recount {
	c := &recount{ByProvider: map[string]int64{}, ByModel: map[string]int64{}, ByTask: map[string]int64{}, CostByProvider: map[string]decimal.Decimal{}}
	walks := map[string][]ledgerRow{}
	for _, r := range rows {
		walks[r.walk] = append(walks[r.walk], r)
	}
	rate := decimal.RequireFromString("1.4")
	for _, r := range rows {
		if r.status == "skipped" {
			continue
		}
		c.Calls++
		c.Tokens += r.tokens
		c.ByProvider[r.provider]++
		c.ByModel[r.who()]++
		c.ByTask[r.task]++
		cost := r.cost.Decimal.Mul(rate)
		if !r.cost.Valid {
			c.Unknown++
		}
		c.Cost, c.CostByProvider[r.provider] = c.Cost.Add(cost), c.CostByProvider[r.provider].Add(cost)
		if r.decision == "answered" {
			c.Answered++
		}
		if r.status == "ok" {
			c.latencies = append(c.latencies, r.latency)
			continue
		}
		c.Failed++
		if slices.ContainsFunc(walks[r.walk], func(o ledgerRow) bool { return o.decision == "answered" && o.who() != r.who() }) {
			c.FallbackCalls, c.Fallbacks = c.FallbackCalls+1, c.Fallbacks.Add(cost)
		} else {
			c.RetryCalls, c.Retries = c.RetryCalls+1, c.Retries.Add(cost)
		}
	}
	c.health(walks)
	return c
}

func (c *recount) health(walks map[string][]ledgerRow) {
	minutes := map[int64]bool{}
	for _, walk := range walks {
		lost, won := "", ""
		for _, r := range walk {
			minute := r.at.Unix() / 60
			if r.decision == "answered" {
				minutes[minute] = true
				if won == "" {
					won = r.who()
				}
			} else if r.lost() {
				minutes[minute] = minutes[minute] || false
				if lost == "" {
					lost = r.who()
				}
			}
		}
		if lost != "" && lost != won {
			c.Failovers++
			if won != "" {
				c.FailoversOK++
			}
		}
	}
	for minute, up := range minutes {
		c.Minutes++
		if up || minutes[minute+1] {
			c.UpMinutes++
		}
	}
}

// percentile is the time within which so many of a hundred answers had come.
func (c *recount) percentile(q float64) float64 {
	slices.Sort(c.latencies)
	return float64(c.latencies[int(math.Ceil(q*float64(len(c.latencies))))-1])
}

// amount is what is known of a cost.
func amount(d *decimal.Decimal) decimal.Decimal {
	if d == nil {
		return decimal.Zero
	}
	return *d
}

// inAnalytics is what a summary says of the same things.
func inAnalytics(s analytics.Summary) *recount {
	c := &recount{
		Calls: s.Total.Calls, Failed: s.Total.Failed, Answered: s.Total.Answered, Tokens: s.Total.Tokens, Unknown: s.Total.UnknownCosts, Cost: *s.Total.Cost,
		Fallbacks: amount(s.Waste.Fallbacks.Cost), Retries: amount(s.Waste.Retries.Cost), FallbackCalls: s.Waste.Fallbacks.Calls, RetryCalls: s.Waste.Retries.Calls,
		ByProvider: map[string]int64{}, ByModel: map[string]int64{}, ByTask: map[string]int64{}, CostByProvider: map[string]decimal.Decimal{},
		Minutes: s.Chain.Minutes, UpMinutes: s.Chain.UpMinutes, Failovers: s.Chain.Failovers, FailoversOK: s.Chain.FailoversOK,
	}
	for name, a := range s.Providers {
		c.ByProvider[name], c.CostByProvider[name] = a.Calls, amount(a.Cost)
	}
	for name, a := range s.Models {
		c.ByModel[name] = a.Calls
	}
	for name, a := range s.TaskTypes {
		c.ByTask[string(name)] = a.Calls
	}
	return c
}

// settledSummary waits until every answered call is in the books, as a row of the ledger or as a hit of the cache.
func (f *face) settledSummary(answered int64) analytics.Summary {
	f.t.Helper()
	end := time.After(time.Minute)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		var s analytics.Summary
		if err := json.Unmarshal(f.call(http.MethodGet, "/v1/analytics/summary?days=2", "").body, &s); err != nil {
			f.t.Fatal(err)
		}
		if s.Total.Answered+s.Cache.Hits == answered {
			return s
		}
		select {
		case <-tick.C:
		case <-end:
			f.t.Fatalf("%d requests were answered; the books have %d answers and %d hits", answered, s.Total.Answered, s.Cache.Hits)
		}
	}
}

// After RECOUNT_CALLS calls (400) over every face, with failures, streams and hits, analytics says what a recount of the
// ledger says: REST and the older face alike.
func TestAnalyticsEqualARecountOfTheLedger(t *testing.T) {
	t.Parallel()
	n, err := strconv.Atoi(os.Getenv("RECOUNT_CALLS"))
	if err != nil {
		n = 400
	}
	f := unwell(t)
	answered := f.mixed(n)
	s := f.settledSummary(answered)
	c := countAgain(f.ledger())
	amounts := cmp.Comparer(func(a, b decimal.Decimal) bool { return a.Equal(b) })
	if diff := cmp.Diff(c, inAnalytics(s), amounts, cmpopts.IgnoreUnexported(recount{})); diff != "" {
		t.Errorf("analytics (-ledger +analytics):\n%s", diff)
	}
	for q, got := range map[float64]float64{0.5: s.Latency.P50, 0.95: s.Latency.P95, 0.99: s.Latency.P99} {
		if want := c.percentile(q); math.Abs(got-want) > 0.005*want {
			t.Errorf("percentile %v = %v ms, want %v", q, got, want)
		}
	}
	f.olderFace(s)
	t.Logf("%d calls, %d answered; ledger: %d requests, %d failed, %d failovers (%d answered), %d unknown costs, %s CAD; %d hits",
		n, answered, c.Calls, c.Failed, c.Failovers, c.FailoversOK, c.Unknown, c.Cost, s.Cache.Hits)
	if c.Failed == 0 || c.Unknown == 0 || c.FallbackCalls == 0 || c.RetryCalls == 0 || s.Cache.Hits == 0 || len(c.ByProvider) < 2 || c.Cost.IsZero() {
		t.Errorf("the calls are not mixed: %+v", c)
	}
}

// olderFace compares the numbers that older clients get.
func (f *face) olderFace(s analytics.Summary) {
	f.t.Helper()
	var got struct {
		Result struct {
			Data struct {
				TotalCalls      int64
				TotalTokens     int64
				TotalCostCAD    float64
				TotalSavingsCAD float64
				Providers       map[string]struct{ Calls int64 }
				DailyUsage      []struct{ Calls, CacheHits int64 }
				CacheMetrics    struct{ Hits, Misses int64 }
			}
		}
	}
	if err := json.Unmarshal(f.call(http.MethodGet, "/api/trpc/llmAnalytics.summary?days=2", "").body, &got); err != nil {
		f.t.Fatal(err)
	}
	d := got.Result.Data
	if d.TotalCalls != s.Total.Calls || d.TotalTokens != s.Total.Tokens || d.TotalCostCAD != s.Total.Cost.InexactFloat64() || d.TotalSavingsCAD != s.Cache.Saved.InexactFloat64() ||
		d.CacheMetrics.Hits != s.Cache.Hits || d.CacheMetrics.Misses != s.Cache.Misses || len(d.Providers) != len(s.Providers) || len(d.DailyUsage) != 2 {
		f.t.Errorf("the older face says %+v; want the numbers of %+v", d, s.Total)
	}
}
